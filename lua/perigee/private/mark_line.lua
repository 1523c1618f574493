-- SPDX-License-Identifier: MIT
local pg = ...
local read, draw = pg._plot_read, pg._plot_draw
local math = math

local line = {name = "line"}

line.options = {label = read.text(), color = read.color(), width = read.positive(1.5), dash = read.dash(),
  alpha = read.share(1), marker = read.marker(), size = read.positive(5)}

--- figure:line([x,] y [, opts]) -> figure
-- Joins points by a line; NaN breaks it, and a point alone between two NaN is a dot.
-- @param x  array n or list; default 1..n
-- @param y  array n or list
-- @param opts.label  string: names it in the legend
-- @param opts.color  name, "#rrggbb", {r, g, b [, a]} in 0..1, or a number of the cycle; default the next
-- @param opts.width  number: points of 1/72 inch (1.5)
-- @param opts.dash  string: "solid" (default), "dashed", "dotted", "dashdot", or lengths on and off in points
-- @param opts.alpha  number in 0..1
-- @param opts.marker  string: also a mark at each point; see scatter
-- @param opts.size  number: the mark's size in points (5)
-- @error x and y of different lengths: both are said
function line.read(r, x, y, opts)
  local a, b, given, arg = r:xy(x, y, opts)
  local layer = r:options(arg, given, line.options)
  layer.x, layer.y = a, b
  return layer
end

line.bounds = draw.extent
line.sample = draw.sample_line

function line:draw(view)
  draw.map_data(view)
  view.pen:color(self.color, self.alpha)
  draw.set_pen(view.pen, self.width, self.dash)
  view.canvas:polyline(self.x, self.y)
  if self.marker then view.canvas:points(self.x, self.y, self.marker, self.size / 2 * view.pen.unit) end
end

function line:cover(view, out)
  local xs, ys = draw.some(self.x, 1000), draw.some(self.y, 1000)
  local u, v
  for i = 1, math.min(#xs, #ys) do
    local p, q = view.x:place(xs[i]), view.y:place(ys[i])
    local good = p == p and q == q and math.abs(p) < 1e9 and math.abs(q) < 1e9
    if good then out[#out + 1] = {u or p, v or q, p, q} end
    u, v = good and p or nil, good and q or nil
  end
end

return {line}
