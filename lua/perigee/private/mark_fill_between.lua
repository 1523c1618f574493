-- SPDX-License-Identifier: MIT
local pg = ...
local args, read = pg._args, pg._plot_read
local band = pg._mark_band[1]

local fill_between = read.join(band, {name = "fill_between"})

--- figure:fill_between(x, lo [, hi] [, opts]) -> figure
-- Fills between a curve and another, or 0: figure:band under matplotlib's name.
-- @param x  array n or list
-- @param lo  array n, list or number
-- @param hi  array n, list or number; default 0
-- @param opts.label  and color, alpha (0.25): as for line
function fill_between.read(r, x, lo, hi, opts)
  if type(hi) == "table" and not args.is_array(hi) and #hi == 0 and next(hi) ~= nil then hi, opts = nil, hi end
  local a = r:column(1, "x", x)
  local function column(arg, what, v)
    if type(v) == "number" then return pg.full({#a}, v) end
    return r:column(arg, what, v)
  end
  local b, c = column(2, "lo", lo), column(3, "hi", hi == nil and 0 or hi)
  r:same_length(2, "x", a, "lo", b)
  r:same_length(3, "x", a, "hi", c)
  local layer = r:options(4, opts, band.options)
  layer.x, layer.lo, layer.hi = a, b, c
  return layer
end

return {fill_between}
