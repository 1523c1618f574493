-- SPDX-License-Identifier: MIT
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local ipairs, math, type = ipairs, math, type

local errorbar = {name = "errorbar"}

errorbar.options = {label = read.text(), color = read.color(), alpha = read.share(1), width = read.positive(1.2),
  marker = read.marker("circle"), size = read.positive(5)}

--- figure:errorbar(x, y, error [, opts]) -> figure
-- Points with bars from y - error to y + error. A point whose error is not finite stands without a
-- bar; on a log axis a bar that reaches 0 or below runs out of the picture.
-- @param x  array n or list
-- @param y  array n or list
-- @param error  number, array n, or {below, above} of arrays n
-- @param opts.label  and color, alpha, width (1.2), marker, size (5): as for line
function errorbar.read(r, x, y, err, opts)
  local a, b = r:columns({"x", "y"}, x, y)
  local below, above
  if type(err) == "number" then
    below = pg.full({#a}, err)
    above = below
  elseif type(err) == "table" and not args.is_array(err) and type(err[1]) ~= "number" and #err == 2 then
    below, above = r:column(3, "error", err[1]), r:column(3, "error", err[2])
  else
    below = r:column(3, "error", err)
    above = below
  end
  r:same_length(3, "x", a, "error", below)
  r:same_length(3, "x", a, "error", above)
  local layer = r:options(4, opts, errorbar.options)
  layer.x, layer.y, layer.lo, layer.hi = a, b, b - below, b + above
  return layer
end

function errorbar:bounds(xlog, ylog)
  return draw.extent_of(self.x, {self.y, self.lo, self.hi}, xlog, ylog)
end

-- Calls visit(x, from, to, whole) in pixels for each bar there is; whole: its lower end is on the axis.
local function each(view, xs, lo, hi, visit)
  local beyond = view.area.bottom + 50 * view.pen.unit
  if view.y.reversed then beyond = view.area.top - 50 * view.pen.unit end
  for i, x in ipairs(xs) do
    local u, to, finite = view.x:place(x), view.y:place(hi[i]), lo[i] == lo[i] and math.abs(lo[i]) < math.huge
    local from = view.y:place(lo[i])
    local whole = from == from
    if u == u and to == to and finite and math.abs(to) < 1e9 then
      visit(u, whole and math.max(-1e6, math.min(1e6, from)) or beyond, to, whole)
    end
  end
end

function errorbar:draw(view)
  local canvas, cap = view.canvas, 2.5 * view.pen.unit
  view.pen:color(self.color, self.alpha)
  draw.set_pen(view.pen, self.width)
  each(view, self.x:totable(), self.lo:totable(), self.hi:totable(), function(u, from, to, whole)
    canvas:move(u, from)
    canvas:line(u, to)
    if whole then
      canvas:move(u - cap, from)
      canvas:line(u + cap, from)
    end
    canvas:move(u - cap, to)
    canvas:line(u + cap, to)
    canvas:stroke()
  end)
  draw.map_data(view)
  canvas:points(self.x, self.y, self.marker, self.size / 2 * view.pen.unit)
end

function errorbar:cover(view, out)
  draw.cover_points(self, view, out)
  each(view, draw.some(self.x, 500), draw.some(self.lo, 500), draw.some(self.hi, 500),
    function(u, from, to) out[#out + 1] = {u, from, u, to} end)
end

function errorbar:sample(pen, x, y, width, height)
  pen:color(self.color, self.alpha)
  draw.set_pen(pen, self.width)
  pen.canvas:move(x + width / 2, y - height / 2)
  pen.canvas:line(x + width / 2, y + height / 2)
  pen.canvas:stroke()
  draw.sample_mark(pen, x, y, width, self.marker, self.size)
end

return {errorbar}
