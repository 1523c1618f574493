-- SPDX-License-Identifier: MIT
--
-- What can be drawn between the axes: one class a kind of layer. Each has
--   bounds(xlog, ylog) -> x least, x greatest, y least, y greatest, or nothing; only of what can be drawn
--   draw(view)         with view.pen, view.canvas, view.area, and view.x, view.y, which place values
--   cover(view, out)   adds to out the segments {x0, y0, x1, y1} in pixels a legend must not hide
--   sample(pen, x, y, width, height)  what stands beside its label in a legend, y being the middle
-- and may have
--   sticky             bounds beyond which the axes get no margin: {x0 =, x1 =, y0 =, y1 =}

local pg = ...
local color = pg._plot_color

local marks = {}

local function kind(name)
  local class = {kind = name}
  class.__index = class
  marks[name] = function(layer) return setmetatable(layer, class) end
  return class
end

-- At most `most` values of a 1-d array, evenly taken.
local function some(a, most)
  local n = #a
  if n == 0 then return {} end
  local step = math.max(1, n // most)
  return a:slice({1, n, step}):totable()
end

local dashes = {solid = {}, dashed = {5, 3}, dotted = {1.2, 2}, dashdot = {6, 2.5, 1.2, 2.5}}

local function set_pen(pen, width, dash)
  local lengths = {}
  for k, v in ipairs(type(dash) == "table" and dash or dashes[dash or "solid"]) do lengths[k] = v * pen.unit end
  pen.canvas:pen(width * pen.unit, table.unpack(lengths))
end
marks.dashes = dashes

local function map_data(view)
  local x, y = view.x, view.y
  view.canvas:map(x.a, x.b, y.a, y.b, x.log, y.log)
end

local function cover_points(view, layer, out)
  local xs, ys = some(layer.x, 1000), some(layer.y, 1000)
  for i = 1, math.min(#xs, #ys) do
    local u, v = view.x:place(xs[i]), view.y:place(ys[i])
    if u == u and v == v then out[#out + 1] = {u, v, u, v} end
  end
end

local function extent(layer, xlog, ylog)
  return pg._canvas.extent(layer.x, layer.y, xlog, ylog)
end

-- ---- line -----------------------------------------------------------------------------------

local line = kind("line")

line.bounds = extent

function line:draw(view)
  map_data(view)
  view.pen:color(self.color, self.alpha)
  set_pen(view.pen, self.width, self.dash)
  view.canvas:polyline(self.x, self.y)
  if self.marker then view.canvas:points(self.x, self.y, self.marker, self.size / 2 * view.pen.unit) end
end

function line:cover(view, out)
  local xs, ys = some(self.x, 1000), some(self.y, 1000)
  local u, v
  for i = 1, math.min(#xs, #ys) do
    local p, q = view.x:place(xs[i]), view.y:place(ys[i])
    local good = p == p and q == q and math.abs(p) < 1e9 and math.abs(q) < 1e9
    if good then out[#out + 1] = {u or p, v or q, p, q} end
    u, v = good and p or nil, good and q or nil
  end
end

function line:sample(pen, x, y, width)
  pen:color(self.color, self.alpha)
  set_pen(pen, self.width, self.dash)
  pen.canvas:move(x, y)
  pen.canvas:line(x + width, y)
  pen.canvas:stroke()
  if self.marker then
    pen.canvas:map(0, 1, 0, 1)
    pen.canvas:points({x + width / 2}, {y}, self.marker, self.size / 2 * pen.unit)
  end
end

-- ---- scatter --------------------------------------------------------------------------------

local scatter = kind("scatter")

scatter.bounds = extent
scatter.cover = function(self, view, out) cover_points(view, self, out) end

-- The colours (n, 4) of values (n) by a map, or of rows (n, 3) or (n, 4).
local function colors_of(layer)
  local rgb, n = layer.colors, #layer.x
  if layer.values then
    local s = layer.scale
    local row = layer.values:reshape(1, n)
    if s.log then row = row:log10() end
    rgb = pg.image._color(row, s.log and math.log(s.lo, 10) or s.lo, s.log and math.log(s.hi, 10) or s.hi, s.map)
    rgb = rgb:reshape(n, 3) / 255
  end
  if rgb.shape[2] == 4 then return rgb end
  return pg.concat({rgb, pg.full({n, 1}, layer.alpha)}, 2)
end
marks.colors_of = colors_of

local function radius_of(layer, unit)
  if type(layer.size) == "number" then return layer.size / 2 * unit end
  return layer.size * (unit / 2)
end

function scatter:draw(view)
  map_data(view)
  view.pen:color(self.color, self.alpha)
  view.canvas:points(self.x, self.y, self.marker, radius_of(self, view.pen.unit),
    (self.values or self.colors) and #self.x > 0 and colors_of(self) or nil)
end

function scatter:sample(pen, x, y, width)
  pen:color(self.color, math.max(self.alpha, 0.6))
  pen.canvas:map(0, 1, 0, 1)
  local size = type(self.size) == "number" and math.max(4, math.min(self.size, 8)) or 6
  pen.canvas:points({x + width / 2}, {y}, self.marker, size / 2 * pen.unit)
end

-- ---- filled things --------------------------------------------------------------------------

local function patch(self, pen, x, y, width, height)
  pen:color(self.color, self.alpha)
  pen.canvas:rect(x, y - height / 2, width, height)
  pen.canvas:fill()
end

-- Between lo and hi over x.
local band = kind("band")

function band:bounds(xlog, ylog)
  local a, b, c, d = pg._canvas.extent(self.x, self.lo, xlog, ylog)
  local e, f, g, h = pg._canvas.extent(self.x, self.hi, xlog, ylog)
  if not (a and e) then return a or e, b or f, c or g, d or h end
  return math.min(a, e), math.max(b, f), math.min(c, g), math.max(d, h)
end

function band:draw(view)
  map_data(view)
  view.pen:color(self.color, self.alpha)
  view.canvas:band(self.x, self.lo, self.hi)
end

function band:cover(view, out)
  local xs, lo, hi = some(self.x, 300), some(self.lo, 300), some(self.hi, 300)
  for i = 1, #xs do
    local u = view.x:place(xs[i])
    out[#out + 1] = {u, view.y:place(lo[i]), u, view.y:place(hi[i])}
  end
end

band.sample = patch

-- Boxes from the base to a height; hist is the same with edges from its bins.
local bars = kind("bars")

function bars:bounds(_, ylog)
  local lo, hi = math.huge, -math.huge
  for i = 1, #self.heights do
    local h = self.heights[i]
    if h == h and math.abs(h) < math.huge and (not ylog or h > 0) then lo, hi = math.min(lo, h), math.max(hi, h) end
  end
  if lo > hi then return end
  if not ylog then lo, hi = math.min(lo, 0), math.max(hi, 0) end
  return self.left[1], self.right[#self.right], lo, hi
end

-- Calls visit(left, top, right, bottom) in pixels for each box there is.
function bars:each(view, visit)
  local y = view.y
  local floor = y:place(y.log and y.lo or 0)
  for i = 1, #self.heights do
    local h = self.heights[i]
    local top = y:place(h)
    if top == top and math.abs(h) < math.huge then
      local l, r = view.x:place(self.left[i]), view.x:place(self.right[i])
      visit(math.min(l, r), math.min(top, floor), math.max(l, r), math.max(top, floor))
    end
  end
end

function bars:draw(view)
  local canvas = view.canvas
  view.pen:color(self.color, self.alpha)
  self:each(view, function(l, t, r, b)
    canvas:rect(l, t, r - l, b - t)
    canvas:fill()
  end)
  if self.edge then
    canvas:color(1, 1, 1)
    canvas:pen(math.min(0.6 * view.pen.unit, 1))
    self:each(view, function(l, t, r, b)
      if r - l < 4 then return end
      canvas:rect(l, t, r - l, b - t)
      canvas:stroke()
    end)
  end
end

function bars:cover(view, out)
  self:each(view, function(l, t, r, b)
    for k = 0, 4 do
      local x = l + (r - l) * k / 4
      out[#out + 1] = {x, t, x, b}
    end
  end)
end

bars.sample = patch

-- ---- rules and text -------------------------------------------------------------------------

local rule = kind("rule")

function rule:bounds(xlog, ylog)
  if self.upright then
    if not xlog or self.at > 0 then return self.at, self.at, nil, nil end
  elseif not ylog or self.at > 0 then
    return nil, nil, self.at, self.at
  end
end

function rule:ends(view)
  local area = view.area
  if self.upright then
    local u = view.x:place(self.at)
    return u, area.top, u, area.bottom
  end
  local v = view.y:place(self.at)
  return area.left, v, area.right, v
end

function rule:draw(view)
  local x0, y0, x1, y1 = self:ends(view)
  if x0 ~= x0 or y0 ~= y0 then return end
  view.pen:color(self.color, self.alpha)
  set_pen(view.pen, self.width, self.dash)
  view.canvas:move(x0, y0)
  view.canvas:line(x1, y1)
  view.canvas:stroke()
end

function rule:cover(view, out)
  local x0, y0, x1, y1 = self:ends(view)
  if x0 == x0 and y0 == y0 then out[#out + 1] = {x0, y0, x1, y1} end
end

rule.sample = line.sample

local text = kind("text")

function text:bounds(xlog, ylog)
  if (not xlog or self.x > 0) and (not ylog or self.y > 0) then return self.x, self.x, self.y, self.y end
end

-- Drawn after the frame; moved where it would leave the canvas.
text.late = true

function text:spot(view)
  local size = self.size * view.pen.unit
  local x, y = view.x:place(self.x), view.y:place(self.y)
  if x ~= x or y ~= y or math.abs(x) > 1e6 or math.abs(y) > 1e6 then return end
  local box = view.pen:place(self.text, size, x, y, self.align, self.valign)
  local all = view.rect
  x = x + math.max(0, all.left + 2 - box.left) - math.max(0, box.right - all.right + 2)
  y = y + math.max(0, all.top + 2 - box.top) - math.max(0, box.bottom - all.bottom + 2)
  return x, y, size
end

function text:draw(view)
  local x, y, size = self:spot(view)
  if not x then return end
  view.pen:color(self.color, self.alpha)
  view.pen:text("text", self.text, size, x, y, self.align, self.valign)
end

function text:cover(view, out)
  local x, y, size = self:spot(view)
  if not x then return end
  local box = view.pen:place(self.text, size, x, y, self.align, self.valign)
  for k = 0, 2 do
    local v = box.top + (box.bottom - box.top) * k / 2
    out[#out + 1] = {box.left, v, box.right, v}
  end
end

-- ---- errors ---------------------------------------------------------------------------------

local errorbar = kind("errorbar")

function errorbar:bounds(xlog, ylog)
  local a, b, c, d = pg._canvas.extent(self.x, self.lo, xlog, ylog)
  local e, f, g, h = pg._canvas.extent(self.x, self.hi, xlog, ylog)
  if not (a and e) then return a or e, b or f, c or g, d or h end
  return math.min(a, e), math.max(b, f), math.min(c, g), math.max(d, h)
end

function errorbar:draw(view)
  local xs, lo, hi = self.x:totable(), self.lo:totable(), self.hi:totable()
  local canvas, cap = view.canvas, 2.5 * view.pen.unit
  view.pen:color(self.color, self.alpha)
  set_pen(view.pen, self.width)
  for i, x in ipairs(xs) do
    local u, from, to = view.x:place(x), view.y:place(lo[i]), view.y:place(hi[i])
    if to == to and u == u then
      if from ~= from then from = view.area.bottom + 10 * cap end
      canvas:move(u, from)
      canvas:line(u, to)
      canvas:move(u - cap, from)
      canvas:line(u + cap, from)
      canvas:move(u - cap, to)
      canvas:line(u + cap, to)
      canvas:stroke()
    end
  end
  map_data(view)
  canvas:points(self.x, self.y, self.marker, self.size / 2 * view.pen.unit)
end

function errorbar:cover(view, out)
  local xs, lo, hi = some(self.x, 500), some(self.lo, 500), some(self.hi, 500)
  for i = 1, #xs do
    local u, from, to = view.x:place(xs[i]), view.y:place(lo[i]), view.y:place(hi[i])
    if u == u and to == to then out[#out + 1] = {u, from == from and from or view.area.bottom, u, to} end
  end
end

function errorbar:sample(pen, x, y, width, height)
  pen:color(self.color, self.alpha)
  set_pen(pen, self.width)
  pen.canvas:move(x + width / 2, y - height / 2)
  pen.canvas:line(x + width / 2, y + height / 2)
  pen.canvas:stroke()
  pen.canvas:map(0, 1, 0, 1)
  pen.canvas:points({x + width / 2}, {y}, self.marker, self.size / 2 * pen.unit)
end

-- ---- pictures -------------------------------------------------------------------------------

-- A picture over x = {lo, hi}, y = {lo, hi}: `values` by a scale of colours, or `pixels` as they are.
local picture = kind("picture")

function picture:bounds()
  return self.xs[1], self.xs[2], self.ys[1], self.ys[2]
end

function picture:draw(view)
  local pixels = self.pixels
  if self.values then
    local s, values = self.scale, self.values
    local lo, hi = s.lo, s.hi
    if s.log then values, lo, hi = values:log10(), math.log(lo, 10), math.log(hi, 10) end
    pixels = pg.image._color(values, lo, hi, s.map, {204, 204, 204})
  end
  local left, right = view.x:place(self.xs[1]), view.x:place(self.xs[2])
  local top, bottom = view.y:place(self.ys[2]), view.y:place(self.ys[1])
  -- row 1 lies where y is least when origin is "lower"
  local first = self.lower and bottom or top
  if first > (self.lower and top or bottom) then pixels = pixels:flip(1) end
  if left > right then pixels = pixels:flip(2) end
  left, right, top, bottom = math.min(left, right), math.max(left, right), math.min(top, bottom), math.max(top, bottom)
  view.canvas:image(pixels, left, top, right - left, bottom - top)
end

function picture.cover(_, view, out)
  local area = view.area
  for k = 0, 40 do
    local v = area.top + (area.bottom - area.top) * k / 40
    for _ = 1, 30 do out[#out + 1] = {area.left, v, area.right, v} end
  end
end

picture.sample = patch

-- ---- graphs ---------------------------------------------------------------------------------

local graph = kind("graph")

-- With room for the circles at the edge.
function graph:bounds()
  local a, b, c, d = pg._canvas.extent(self.x, self.y, false, false)
  if not a then return end
  local room = 0.07 * math.max(b - a, d - c)
  return a - room, b + room, c - room, d + room
end

function graph:radius(view)
  if self.size then return self.size / 2 * view.pen.unit end
  local side = math.min(view.area.right - view.area.left, view.area.bottom - view.area.top)
  return math.max(2.2 * view.pen.unit, math.min(0.05 * side, 0.19 * side / math.sqrt(math.max(1, #self.x))))
end

function graph:draw(view)
  local canvas, pen = view.canvas, view.pen
  local xs, ys, r = self.x:totable(), self.y:totable(), self:radius(view)
  pen:color({0.45, 0.45, 0.45}, self.edge_alpha)
  canvas:pen(math.max(1, 0.9 * pen.unit))
  for _, edge in ipairs(self.edges) do
    canvas:move(view.x:place(xs[edge[1]]), view.y:place(ys[edge[1]]))
    canvas:line(view.x:place(xs[edge[2]]), view.y:place(ys[edge[2]]))
    canvas:stroke()
  end
  local size = math.min(1.1 * r, 9 * pen.unit)
  for i = 1, #xs do
    local u, v = view.x:place(xs[i]), view.y:place(ys[i])
    if u == u and v == v and math.abs(u) < 1e9 and math.abs(v) < 1e9 then
      local c = self.node_colors[i] or self.color
      pen:color(c)
      canvas:circle(u, v, r)
      canvas:fill()
      pen:color({0.2, 0.2, 0.2})
      canvas:pen(math.max(1, 0.7 * pen.unit))
      canvas:circle(u, v, r)
      canvas:stroke()
      local label = self.labels and self.labels[i]
      if label then
        local now = math.min(size, size * 1.6 * r / math.max(1e-9, pen:width(label, size)))
        if color.lightness(c) < 0.52 then canvas:color(1, 1, 1) else canvas:color(0.1, 0.1, 0.1) end
        if now >= 4 then pen:text("node", label, now, u, v, "center", "middle") end
      end
    end
  end
end

function graph:cover(view, out)
  local r = self:radius(view)
  local xs, ys = self.x:totable(), self.y:totable()
  for i = 1, #xs do
    local u, v = view.x:place(xs[i]), view.y:place(ys[i])
    out[#out + 1] = {u - r, v, u + r, v}
  end
  for _, e in ipairs(self.edges) do
    out[#out + 1] = {view.x:place(xs[e[1]]), view.y:place(ys[e[1]]), view.x:place(xs[e[2]]), view.y:place(ys[e[2]])}
  end
end

graph.sample = scatter.sample
graph.alpha, graph.marker = 1, "circle"

return marks
