-- SPDX-License-Identifier: MIT
local pg = ...
local read, draw = pg._plot_read, pg._plot_draw

local band = {name = "band"}

band.options = {label = read.text(), color = read.color(), alpha = read.share(0.25)}

--- figure:band(x, lo, hi [, opts]) -> figure
-- Fills between two curves, such as a mean less and plus two standard deviations.
-- @param x  array n or list
-- @param lo  array n or list
-- @param hi  array n or list
-- @param opts.label  and color, alpha (0.25): as for line
function band.read(r, x, lo, hi, opts)
  local a, b, c = r:columns({"x", "lo", "hi"}, x, lo, hi)
  local layer = r:options(4, opts, band.options)
  layer.x, layer.lo, layer.hi = a, b, c
  return layer
end

function band:bounds(xlog, ylog)
  return draw.extent_of(self.x, {self.lo, self.hi}, xlog, ylog)
end

function band:draw(view)
  draw.map_data(view)
  view.pen:color(self.color, self.alpha)
  view.canvas:band(self.x, self.lo, self.hi)
end

function band:cover(view, out)
  local xs, lo, hi = draw.some(self.x, 300), draw.some(self.lo, 300), draw.some(self.hi, 300)
  for i = 1, #xs do
    local u = view.x:place(xs[i])
    out[#out + 1] = {u, view.y:place(lo[i]), u, view.y:place(hi[i])}
  end
end

band.sample = draw.sample_patch

return {band}
