-- SPDX-License-Identifier: MIT
--
-- Lines and surfaces in space.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local math, type = math, type

-- ---- line3 ----------------------------------------------------------------------------------

local line3 = {name = "line3", solid = true, sample = draw.sample_line}

line3.options = read.join(read.space_options, {label = read.text(), color = read.color(), width = read.positive(1.5),
  dash = read.dash(), alpha = read.share(1), shade = read.flag(true)})

--- figure:line3(x, y, z [, opts]) -> figure
-- Joins points in space by a line, its far parts fainter; what is not finite breaks it.
-- @param x  array n or list
-- @param y  array n or list
-- @param z  array n or list
-- @param opts.label  and color, width (1.5), dash, alpha: as for line
-- @param opts.azim  and elev, shade: as for scatter3
function line3.read(r, x, y, z, opts)
  local a, b, c = r:columns({"x", "y", "z"}, x, y, z)
  local layer = r:options(4, opts, line3.options)
  layer.x, layer.y, layer.z = a, b, c
  return layer
end

line3.extents = draw.extents

-- Adds the segment between two points {u, v, depth} on the canvas to out.
local function add_segment(self, space, out, a, b, fade)
  if a[1] ~= a[1] or b[1] ~= b[1] then return end
  local alpha = self.alpha * (fade and space:nearness((a[3] + b[3]) / 2) or 1)
  out[#out + 1] = {depth = (a[3] + b[3]) / 2, draw = function(canvas)
    space.pen:color(self.color, alpha)
    draw.set_pen(space.pen, self.width, self.dash)
    canvas:move(a[1], a[2])
    canvas:line(b[1], b[2])
    canvas:stroke()
  end}
end

function line3:draw(space, out)
  local us, vs, depths = space:project_all(self.x, self.y, self.z)
  us, vs, depths = us:totable(), vs:totable(), depths:totable()
  for k = 2, #us do
    add_segment(self, space, out, {us[k - 1], vs[k - 1], depths[k - 1]}, {us[k], vs[k], depths[k]}, self.shade)
  end
end

-- ---- grids over a plane ---------------------------------------------------------------------

-- x (h x w), y (h x w) and z of the arguments ([x, y,] Z, options), and where the options are.
local function read_grid(r, x, y, Z, opts)
  if Z == nil or (type(y) == "table" and not args.is_array(y) and y[1] == nil) then x, y, Z, opts = nil, nil, x, y end
  local at = x and 3 or 1
  Z = r:matrix(at, "Z", Z, "h x w")
  local h, w = Z:dims()
  local function along(arg, what, v, n)
    if v == nil then return pg.range(1, n) end
    if args.is_array(v) and v.ndim == 2 and v.shape == Z.shape then return v end
    v = r:column(arg, what, v)
    if #v ~= n then
      r:fail(arg, ("%s: expected %d values or a matrix %d x %d, got %d"):format(what, n, h, w, #v))
    end
    return v
  end
  x, y = along(1, "x", x, w), along(2, "y", y, h)
  if x.ndim == 1 then x = pg.zeros(h, w) + x end
  if y.ndim == 1 then y = pg.zeros(h, w) + y:reshape(h, 1) end
  return x:astype("f64"), y:astype("f64"), Z:astype("f64"), opts, at + 1
end

-- The corners of the grid on the canvas: rows of {u, v, depth}.
local function corners(space, layer)
  local h, w = layer.z:dims()
  local us, vs, depths = space:project_all(layer.x, layer.y, layer.z)
  us, vs, depths = us:reshape(h, w):totable(), vs:reshape(h, w):totable(), depths:reshape(h, w):totable()
  local out = {}
  for i = 1, h do
    out[i] = {}
    for j = 1, w do out[i][j] = {us[i][j], vs[i][j], depths[i][j]} end
  end
  return out
end

local wireframe = {name = "wireframe", solid = true, sample = draw.sample_line, extents = draw.extents}

wireframe.options = read.join(read.space_options, {label = read.text(), color = read.color(),
  width = read.positive(0.8), dash = read.dash(), alpha = read.share(1), shade = read.flag(true)})

--- figure:wireframe([x, y,] Z [, opts]) -> figure
-- The height Z over a grid as a net of lines.
-- @param x  array w, list, or array h x w; default 1..w
-- @param y  array h, list, or array h x w; default 1..h
-- @param Z  array h x w: row i over y[i]; a place that is not finite is left open
-- @param opts.label  and color, width (0.8), dash, alpha: as for line
-- @param opts.azim  and elev, shade: as for scatter3
function wireframe.read(r, x, y, Z, opts)
  local given, arg
  x, y, Z, given, arg = read_grid(r, x, y, Z, opts)
  local layer = r:options(arg, given, wireframe.options)
  layer.x, layer.y, layer.z = x, y, Z
  return layer
end

function wireframe:draw(space, out)
  local at = corners(space, self)
  for i = 1, #at do
    for j = 1, #at[i] do
      if j > 1 then add_segment(self, space, out, at[i][j - 1], at[i][j], self.shade) end
      if i > 1 then add_segment(self, space, out, at[i - 1][j], at[i][j], self.shade) end
    end
  end
end

local surface = {name = "surface", solid = true, sample = draw.sample_patch, extents = draw.extents}

surface.options = read.join(read.scale_options, read.space_options, {label = read.text(), color = read.any(),
  alpha = read.share(1), edges = read.flag(true)})

--- figure:surface([x, y,] Z [, opts]) -> figure
-- The height Z over a grid as a surface: coloured by height, with a colour bar, or in one colour that
-- is darker where it turns away from the light.
-- @param x  array w, list, or array h x w; default 1..w
-- @param y  array h, list, or array h x w; default 1..h
-- @param Z  array h x w: row i over y[i]; a place that is not finite is left open
-- @param opts.color  one colour as for line; default by height
-- @param opts.edges  boolean: thin lines between the faces (true)
-- @param opts.label  string
-- @param opts.alpha  number in 0..1
-- @param opts.cmap  and range, colorbar, clabel, log: as for scatter
-- @param opts.azim  and elev: as for scatter3
function surface.read(r, x, y, Z, opts)
  local given, arg
  x, y, Z, given, arg = read_grid(r, x, y, Z, opts)
  local layer = r:options(arg, given, surface.options)
  layer.x, layer.y, layer.z = x, y, Z
  if layer.color then
    layer.color = r:color("color", layer.color)
  else
    layer.scale = r:scale(Z, layer)
    layer.color = {0.13, 0.57, 0.55}
  end
  return layer
end

-- How light a face is whose corners in the box are a, b, c: by its angle to the light, which comes from above
-- and a little from the viewer's left.
local function lightness(space, a, b, c)
  local p, q = {}, {}
  for k = 1, 3 do p[k], q[k] = b[k] - a[k], c[k] - a[k] end
  local n = {p[2] * q[3] - p[3] * q[2], p[3] * q[1] - p[1] * q[3], p[1] * q[2] - p[2] * q[1]}
  local light, length, dot = {}, 0, 0
  for k = 1, 3 do
    light[k] = 0.5 * space.ahead[k] - 0.35 * space.right[k] + (k == 3 and 0.8 or 0)
    length, dot = length + n[k] ^ 2, dot + n[k] * light[k]
  end
  return 0.55 + 0.45 * math.min(1, math.abs(dot) / math.max(1e-12, math.sqrt(length)))
end

function surface:draw(space, out)
  local at = corners(space, self)
  local h, w = self.z:dims()
  if h < 2 or w < 2 then return end
  local colors
  if self.scale then
    local mean = (self.z:slice({1, h - 1}, {1, w - 1}) + self.z:slice({2, h}, {1, w - 1})
      + self.z:slice({1, h - 1}, {2, w}) + self.z:slice({2, h}, {2, w})) / 4
    colors = (draw.by_scale(mean, self.scale) / 255):totable()
  end
  local xs, ys, zs = self.x:totable(), self.y:totable(), self.z:totable()
  local function inside(i, j) return space:shares(xs[i][j], ys[i][j], zs[i][j]) end
  for i = 1, h - 1 do
    for j = 1, w - 1 do
      local a, b, c, d = at[i][j], at[i][j + 1], at[i + 1][j + 1], at[i + 1][j]
      local depth = (a[3] + b[3] + c[3] + d[3]) / 4
      if depth == depth then
        local rgb = colors and colors[i][j] or self.color
        local light = colors and 1 or lightness(space, inside(i, j), inside(i, j + 1), inside(i + 1, j))
        out[#out + 1] = {depth = depth, draw = function(canvas)
          local function path()
            canvas:move(a[1], a[2])
            canvas:line(b[1], b[2])
            canvas:line(c[1], c[2])
            canvas:line(d[1], d[2])
            canvas:join()
          end
          canvas:color(rgb[1] * light, rgb[2] * light, rgb[3] * light, self.alpha)
          path()
          canvas:fill()
          -- the thin line also closes the seam between two faces
          local dark = self.edges and 0.75 or 1
          canvas:color(rgb[1] * light * dark, rgb[2] * light * dark, rgb[3] * light * dark, self.alpha)
          canvas:pen((self.edges and 0.4 or 0.3) * space.pen.unit)
          path()
          canvas:stroke()
        end}
      end
    end
  end
end

return {line3, surface, wireframe}
