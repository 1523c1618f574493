-- SPDX-License-Identifier: MIT
--
-- Level lines of values on a grid, and the areas between them. A line crosses the sides of the grid's cells where the
-- values between two corners, taken as linear, reach the level (marching squares; Maple 2003); at a saddle the mean of
-- the corners decides which of them are joined.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local heatmap = pg._mark_picture[1]
local ipairs, math, table, type = ipairs, math, table, type

-- About `count` whole multiples of 1, 2 or 5 times a power of ten; `around` takes in lo and hi.
local function nice_levels(lo, hi, count, around)
  if lo == hi then return {lo} end
  local rough = (hi - lo) / count
  local power = 10.0 ^ math.floor(math.log(rough, 10))
  local step = power * (rough / power < 1.5 and 1 or rough / power < 3.5 and 2 or rough / power < 7.5 and 5 or 10)
  local first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
  if around then first, last = math.floor(lo / step + 1e-9), math.ceil(hi / step - 1e-9) end
  local list = {}
  for k = first, last do list[#list + 1] = k * step end
  return #list > 0 and list or {(lo + hi) / 2}
end

local function check_levels(r, name, v)
  if type(v) == "number" then return args.integer(r.name, r.arg, name, v, 1, 1000) end
  local list = r:column(r.arg, name, v):totable()
  for k = 1, #list do
    if list[k] ~= list[k] or (k > 1 and list[k] <= list[k - 1]) then
      r:fail(r.arg, ("%s: expected ascending numbers, element %d is not above the one before"):format(name, k))
    end
  end
  if #list == 0 then r:fail(r.arg, name .. ": expected at least one number, got none") end
  return list
end

local shared = read.join(read.scale_options, {x = read.any(), y = read.any(), levels = {default = 8,
  check = check_levels}, label = read.text(), alpha = read.share(1)})
shared.clabel = nil

-- Where the columns or rows lie: n ascending numbers, or {lo, hi} of the first and the last.
local function places(r, what, v, n)
  if v == nil then return pg.linspace(1, n, n) end
  local a = r:column(r.arg, what, v)
  if #a == 2 and n ~= 2 then return pg.linspace(a[1], a[2], n) end
  if #a ~= n then r:fail(r.arg, ("%s: expected %d numbers or {lo, hi}, got %d"):format(what, n, #a)) end
  if n > 1 and not pg.gt(pg.diff(a), 0):all() then r:fail(r.arg, what .. ": expected ascending numbers") end
  return a
end

-- The layer of contour([x, y,] Z [, opts]).
local function read_grid(r, options, around, ...)
  local x, y, Z, opts = ...
  local arg = 4 -- the options' place
  if Z == nil or (args.is_array(x) and x.ndim == 2 and not args.is_array(Z)) then
    x, y, Z, opts = nil, nil, ...
    arg = 2
  end
  Z = r:matrix(arg - 1, "Z", Z, "h x w"):astype("f64")
  local o = r:options(arg, opts, options)
  local h, w = Z:dims()
  if h < 2 or w < 2 then return end
  o.xs, o.ys = places(r, "x", x or o.x, w), places(r, "y", y or o.y, h)
  o.Z, o.clabel = Z, o.label
  local finite = Z:reshape(-1):compress(Z:reshape(-1):isfinite())
  if type(o.levels) == "number" then
    local lo, hi = 0, 1
    if #finite > 0 then lo, hi = finite:min(), finite:max() end
    if o.range then lo, hi = o.range[1], o.range[2] end
    o.levels = nice_levels(lo, hi, o.levels, around)
  end
  if not o.range and #o.levels > 1 then o.range = {o.levels[1], o.levels[#o.levels]} end
  if not o.color then
    o.scale = r:scale(Z, o)
    if #o.levels < 2 then o.scale.shown = false end
  end
  o.sticky = {x0 = o.xs[1], x1 = o.xs[w], y0 = o.ys[1], y1 = o.ys[h]}
  return o
end

local function bounds(self)
  return self.xs[1], self.xs[#self.xs], self.ys[1], self.ys[#self.ys]
end

-- ---- contour --------------------------------------------------------------------------------

local contour = {name = "contour", bounds = bounds, sample = draw.sample_line}

local function given_color(r, name, v) return r:color(name, v) end

contour.options = read.join(shared, {width = read.positive(1.3), dash = read.dash(), color = {check = given_color}})

-- The sides of a cell: lower, right, upper, left; its corners: 1 lower left, 2 lower right, 4 upper right, 8 upper
-- left.
-- For the set of corners above the level, the sides that are joined. 5 and 10 are saddles.
local JOINED = {[1] = {{4, 1}}, [2] = {{1, 2}}, [3] = {{4, 2}}, [4] = {{2, 3}}, [6] = {{1, 3}}, [7] = {{4, 3}},
  [8] = {{3, 4}}, [9] = {{3, 1}}, [11] = {{3, 2}}, [12] = {{2, 4}}, [13] = {{2, 1}}, [14] = {{1, 4}}}

-- The lines of one level as x and y, with NaN between them.
local function trace(Z, xs, ys, level)
  local h, w = Z:dims()
  local above = Z:ge(level):astype("f64")
  local lower_left, lower_right = above:slice({1, h - 1}, {1, w - 1}), above:slice({1, h - 1}, {2, w})
  local upper_left, upper_right = above:slice({2, h}, {1, w - 1}), above:slice({2, h}, {2, w})
  local good = pg.isfinite(Z:slice({1, h - 1}, {1, w - 1}) + Z:slice({1, h - 1}, {2, w}) + Z:slice({2, h}, {1, w - 1})
    + Z:slice({2, h}, {2, w}))
  local corners = (lower_left + 2 * lower_right + 4 * upper_right + 8 * upper_left) * good
  local rows, cols = (corners:gt(0) & corners:lt(15)):nonzero()
  local joined = {} -- side -> the sides it is joined with
  local function join(p, q)
    joined[p], joined[q] = joined[p] or {}, joined[q] or {}
    table.insert(joined[p], q)
    table.insert(joined[q], p)
  end
  local order = {}
  rows, cols = rows:totable(), cols:totable()
  for k = 1, #rows do
    local i, j = math.tointeger(rows[k]), math.tointeger(cols[k])
    -- a side by its number: level ones first, 2 * (place of its first corner) - 1, upright ones 2 * place
    local here = (i - 1) * w + j
    local side = {2 * here - 1, 2 * (here + 1), 2 * (here + w) - 1, 2 * here}
    local kind = math.tointeger(corners:get(i, j))
    local pairs_of = JOINED[kind]
    if not pairs_of then
      local mean = (Z:get(i, j) + Z:get(i, j + 1) + Z:get(i + 1, j) + Z:get(i + 1, j + 1)) / 4
      pairs_of = (mean >= level) == (kind == 5) and {{4, 3}, {1, 2}} or {{4, 1}, {2, 3}}
    end
    for _, two in ipairs(pairs_of) do
      join(side[two[1]], side[two[2]])
      order[#order + 1] = side[two[1]]
      order[#order + 1] = side[two[2]]
    end
  end
  local out_x, out_y = {}, {}
  local function add(side)
    local place = (side + 1) // 2
    local i, j = (place - 1) // w + 1, (place - 1) % w + 1
    local level_side = side % 2 == 1
    local a, b = Z:get(i, j), level_side and Z:get(i, j + 1) or Z:get(i + 1, j)
    local t = (level - a) / (b - a)
    out_x[#out_x + 1] = level_side and xs[j] + t * (xs[j + 1] - xs[j]) or xs[j]
    out_y[#out_y + 1] = level_side and ys[i] or ys[i] + t * (ys[i + 1] - ys[i])
  end
  local function follow(side)
    add(side)
    while true do
      local next_side = joined[side] and table.remove(joined[side])
      if not next_side then break end
      for k, back in ipairs(joined[next_side]) do
        if back == side then
          table.remove(joined[next_side], k)
          break
        end
      end
      add(next_side)
      side = next_side
    end
    out_x[#out_x + 1], out_y[#out_y + 1] = 0 / 0, 0 / 0
  end
  -- open lines from their ends, then closed ones
  for _, side in ipairs(order) do
    if #joined[side] == 1 then follow(side) end
  end
  for _, side in ipairs(order) do
    while #joined[side] > 0 do follow(side) end
  end
  return out_x, out_y
end

--- figure:contour([x, y,] Z [, opts]) -> figure
-- Level lines of the values of a grid; NaN leaves a gap.
-- @param x  array w or {lo, hi}: where the columns of Z lie, ascending; default 1..w
-- @param y  array h or {lo, hi}: where the rows lie
-- @param Z  array h x w
-- @param opts.levels  integer: about how many (8), at round numbers; or a list of them, ascending
-- @param opts.color  one colour for all lines; default by their level
-- @param opts.cmap  and range, log, colorbar: as for heatmap
-- @param opts.label  string: names the colour bar, or with opts.color the lines in the legend
-- @param opts.width  number: points (1.3)
-- @param opts.dash  and alpha: as for line
-- @source Maple 2003, Geometric Design and Space Planning Using the Marching Squares Algorithm
function contour.read(r, ...)
  local layer = read_grid(r, contour.options, false, ...)
  if not layer then return end
  if not layer.color then layer.label = nil end
  layer.lines = {}
  local xs, ys = layer.xs:totable(), layer.ys:totable()
  for k, level in ipairs(layer.levels) do
    local x, y = trace(layer.Z, xs, ys, level)
    layer.lines[k] = #x > 0 and {x = pg.array(x), y = pg.array(y)} or nil
  end
  return layer
end

function contour:draw(view)
  draw.map_data(view)
  draw.set_pen(view.pen, self.width, self.dash)
  for k, level in ipairs(self.levels) do
    local line = self.lines[k]
    if line then
      local c = self.color
      if not c then
        c = (draw.by_scale(pg.array{{level}}, self.scale, {128, 128, 128}) / 255):reshape(3):totable()
      end
      view.pen:color(c, self.alpha)
      view.canvas:polyline(line.x, line.y)
    end
  end
end

function contour:cover(view, out)
  for k = 1, #self.levels do
    local line = self.lines[k]
    if line then draw.cover_points(line, view, out) end
  end
end

-- ---- contourf -------------------------------------------------------------------------------

local contourf = read.join(heatmap, {name = "contourf", bounds = bounds})

contourf.options = shared

--- figure:contourf([x, y,] Z [, opts]) -> figure
-- The areas between level lines, each in the colour of its middle, with a colour bar. The values between those of the
-- grid are bilinear; NaN is light grey.
-- @param x  array w or {lo, hi}: where the columns of Z lie, ascending; default 1..w
-- @param y  array h or {lo, hi}: where the rows lie
-- @param Z  array h x w
-- @param opts.levels  integer: about how many areas (8), between round numbers; or a list of their bounds, ascending
-- @param opts.cmap  and range, log, colorbar: as for heatmap
-- @param opts.label  string: names the colour bar
function contourf.read(r, ...)
  local layer = read_grid(r, contourf.options, true, ...)
  if layer then layer.label = nil end
  return layer
end

-- The grid's values at `count` even places between the pixels from and to, along an axis.
local function resample(values, axis, at, from, to, count)
  if at[1] > at[#at] then at, values = at:flip(1), values:flip(axis) end
  local where = pg.linspace(from, to, count)
  local index = pg.interp(where, at, pg.range(1, #at))
  local first = pg.clip(pg.floor(index), 1, #at - 1)
  local t = (index - first):reshape(axis == 1 and {count, 1} or {1, count})
  return values:take(first, axis) * (1 - t) + values:take(first + 1, axis) * t
end

local function placed(axis, list)
  local out = {}
  for k, v in ipairs(list:totable()) do out[k] = axis:place(v) end
  return pg.array(out)
end

function contourf:draw(view)
  local u, v = placed(view.x, self.xs), placed(view.y, self.ys)
  local left, right, top, bottom = u:min(), u:max(), v:min(), v:max()
  if not (pg.isfinite(u):all() and pg.isfinite(v):all()) or right - left < 1 or bottom - top < 1 then return end
  -- two samples a pixel either way, so that edges are smooth
  local wide = math.min(4096, 2 * math.ceil(right - left))
  local high = math.min(4096, 2 * math.ceil(bottom - top))
  local half_u, half_v = (right - left) / wide / 2, (bottom - top) / high / 2
  local values = resample(self.Z, 2, u, left + half_u, right - half_u, wide)
  values = resample(values, 1, v, top + half_v, bottom - half_v, high)
  local levels = self.levels
  local middles = {}
  for k = 1, #levels - 1 do middles[k] = (levels[k] + levels[k + 1]) / 2 end
  if #middles == 0 then middles[1] = levels[1] end
  local area = pg.clip(pg.searchsorted(pg.array(levels), values:reshape(-1), {side = "right"}) - 1, 1, #middles)
  local shown = pg.array(middles):take(area):reshape(high, wide)
  shown = pg.where(pg.isfinite(values), shown, pg.nan)
  local pixels = draw.by_scale(shown, self.scale, {204, 204, 204})
  if view.canvas:kind() == "svg" then pixels = pg.image.resize(pixels, high // 2, wide // 2) end
  view.canvas:image(pixels, left, top, right - left, bottom - top)
end

return {contour, contourf}
