-- SPDX-License-Identifier: MIT
--
-- Points in the plane and in space: they share size, colours and mark.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local ipairs, math, tostring, type = ipairs, math, tostring, type

local options = read.join(read.scale_options, {label = read.text(), color = read.any(), size = read.any(),
  alpha = read.share(), marker = read.marker("circle")})

-- The layer of n points by its options: size, and `color`, `colors` (n, 3 or 4) or `values` with a scale.
local function points_layer(r, o, n)
  local layer = {label = o.label, marker = o.marker, alpha = o.alpha or (n > 300 and 0.7 or 0.85)}
  if args.is_array(o.size) or type(o.size) == "table" then
    layer.size = r:column(r.arg, "size", o.size)
    if #layer.size ~= n then r:fail(r.arg, ("size has %d values for %d points"):format(#layer.size, n)) end
  elseif o.size then
    layer.size = read.positive().check(r, "size", o.size)
  else
    layer.size = n <= 300 and 5 or n <= 3000 and 3.5 or n <= 30000 and 2.2 or 1.3
  end
  local c = o.color
  if type(c) == "table" and not args.is_array(c) and #c == n and n > 0 then
    if type(c[1]) == "number" then
      c = pg.array(c)
    else
      local rows = {}
      for k = 1, n do
        local one = r:color("color", c[k])
        rows[k] = {one[1], one[2], one[3], (one[4] or 1) * layer.alpha}
      end
      c = pg.array(rows)
    end
  end
  if not args.is_array(c) then
    layer.color = r:color("color", c)
    return layer
  end
  if c.ndim == 1 and #c == n then
    layer.values = c:astype("f64")
    layer.scale = r:scale(layer.values, o)
    layer.color = {0.13, 0.57, 0.55}
  elseif c.ndim == 2 and c.shape[1] == n and (c.shape[2] == 3 or c.shape[2] == 4) then
    layer.colors = c:astype("f64")
    layer.color = {0.3, 0.3, 0.3}
  else
    r:fail(r.arg, ("color: %d points take %d values or colours %d x 3, got shape %s"):format(n, n, n,
      tostring(c.shape)))
  end
  return layer
end

local function radius_of(layer, unit)
  if type(layer.size) == "number" then return layer.size / 2 * unit end
  return layer.size * (unit / 2)
end

local function sample(self, pen, x, y, width)
  pen:color(self.color, math.max(self.alpha, 0.6))
  draw.sample_mark(pen, x, y, width, self.marker,
    type(self.size) == "number" and math.max(4, math.min(self.size, 8)) or 6)
end

-- ---- in the plane ---------------------------------------------------------------------------

local scatter = {name = "scatter", options = options, bounds = draw.extent, cover = draw.cover_points, sample = sample}

--- figure:scatter(x, y [, opts]) -> figure
-- A mark at each point.
-- @param x  array n or list
-- @param y  array n or list
-- @param opts.label  string
-- @param opts.color  one colour as for line; or n values, array or list, drawn by a colour map with a bar
-- beside the axes; or colours n x 3 or n x 4 in 0..1, or a list of n
-- @param opts.size  number or n of them: diameter in points; default by n
-- @param opts.alpha  number in 0..1
-- @param opts.marker  string: "circle" (default), "square", "diamond", "triangle", "plus", "cross" or "ring"
-- @param opts.cmap  string or list of colours: "viridis" (default), "grey", "blues" or "diverging"
-- @param opts.range  {lo, hi}: the values of the map's ends
-- @param opts.colorbar  boolean (true)
-- @param opts.clabel  string: names the colour bar
-- @param opts.log  boolean: colours by the logarithm (false)
function scatter.read(r, x, y, opts)
  local a, b = r:columns({"x", "y"}, x, y)
  local layer = points_layer(r, r:options(3, opts, options), #a)
  layer.x, layer.y = a, b
  return layer
end

function scatter:draw(view)
  draw.map_data(view)
  view.pen:color(self.color, self.alpha)
  view.canvas:points(self.x, self.y, self.marker, radius_of(self, view.pen.unit),
    (self.values or self.colors) and #self.x > 0 and draw.colors_of(self) or nil)
end

-- ---- in space -------------------------------------------------------------------------------

local scatter3 = {name = "scatter3", solid = true, sample = sample}
scatter3.options = read.join(options, read.space_options, {shade = read.flag(true)})

--- figure:scatter3(x, y, z [, opts]) -> figure
-- Points in space within a box, the far ones first and fainter.
-- @param x  array n or list
-- @param y  array n or list
-- @param z  array n or list
-- @param opts.azim  number: degrees around the z axis from which it is seen (-60)
-- @param opts.elev  number: degrees above the plane of x and y (25)
-- @param opts.shade  boolean: far points fainter (true)
-- @param opts.label  and color, size, alpha, marker, cmap, range, colorbar, clabel, log: as for scatter
function scatter3.read(r, x, y, z, opts)
  local a, b, c = r:columns({"x", "y", "z"}, x, y, z)
  local o = r:options(4, opts, scatter3.options)
  local layer = points_layer(r, o, #a)
  layer.azim, layer.elev, layer.shade = o.azim, o.elev, o.shade
  -- only what can be placed in all three
  local good = a:isfinite() & b:isfinite() & c:isfinite()
  if #a > 0 and good:sum() < #a then
    a, b, c = a:compress(good), b:compress(good), c:compress(good)
    for _, name in ipairs({"values", "colors", "size"}) do
      if args.is_array(layer[name]) then layer[name] = layer[name]:compress(good, 1) end
    end
  end
  layer.x, layer.y, layer.z = a, b, c
  return layer
end

scatter3.extents = draw.extents

-- Points of layers that share mark and kind of size, the far ones first.
local function draw_points(space, layers)
  local us, vs, depths, colors, sizes = {}, {}, {}, {}, {}
  for k, layer in ipairs(layers) do
    us[k], vs[k], depths[k] = space:project_all(layer.x, layer.y, layer.z)
    colors[k] = draw.colors_of(layer)
    sizes[k] = type(layer.size) == "number" and pg.full({#layer.x}, layer.size) or layer.size
  end
  local u, v, depth, rgba = pg.concat(us), pg.concat(vs), pg.concat(depths), pg.concat(colors, 1)
  local order = pg.argsort(depth)
  rgba = rgba:take(order, 1)
  if layers[1].shade then
    rgba:slice({}, 4):assign(rgba:slice({}, 4) * space:nearness(depth:take(order)))
  end
  local canvas, unit = space.pen.canvas, space.pen.unit
  canvas:map()
  canvas:points(u:take(order), v:take(order), layers[1].marker, pg.concat(sizes):take(order) * (unit / 2), rgba)
end

-- Beside other things each point has its own place in the order; more of them than this, or points
-- alone, are drawn at once.
local MANY = 5000

function scatter3:draw(space, out)
  local n = #self.x
  if n == 0 then return end
  if space.only == scatter3 or n > MANY then
    -- with the layers alike, so that their points hide one another by depth
    local batch = out[#out]
    if batch and batch.points and batch.points[1].marker == self.marker and batch.points[1].shade == self.shade then
      batch.points[#batch.points + 1] = self
      return
    end
    batch = {depth = math.huge, points = {self}}
    batch.draw = function() draw_points(space, batch.points) end
    out[#out + 1] = batch
    return
  end
  local us, vs, depths = space:project_all(self.x, self.y, self.z)
  local colors, radius = draw.colors_of(self), radius_of(self, space.pen.unit)
  if self.shade then colors:slice({}, 4):assign(colors:slice({}, 4) * space:nearness(depths)) end
  for k = 1, n do
    local at, c = {k, k}, colors:slice({k, k})
    local size = type(radius) == "number" and radius or radius[k]
    out[#out + 1] = {depth = depths[k], draw = function(canvas)
      canvas:map()
      canvas:points(us:slice(at), vs:slice(at), self.marker, size, c)
    end}
  end
end

return {scatter, scatter3}
