-- SPDX-License-Identifier: MIT
local pg = ...
local read = pg._plot_read
local line = pg._mark_line[1]

local step = read.join(line, {name = "step"})

step.options = read.join(line.options, {where = read.word("post", "post", "pre", "mid")})

-- Each point twice, the copies moved so that the line goes along the axes.
local function stairs(x, y, where)
  local n = #x
  if n < 2 then return x, y end
  local double = pg.repeat_(x, 2)
  if where == "post" then return double:slice({2, 2 * n}), pg.repeat_(y, 2):slice({1, 2 * n - 1}) end
  if where == "pre" then return double:slice({1, 2 * n - 1}), pg.repeat_(y, 2):slice({2, 2 * n}) end
  local middle = (x:slice({1, n - 1}) + x:slice({2, n})) / 2
  return pg.concat({x:slice({1, 1}), pg.repeat_(middle, 2), x:slice({n, n})}), pg.repeat_(y, 2)
end

--- figure:step([x,] y [, opts]) -> figure
-- Joins points by steps along the axes.
-- @param x  array n or list; default 1..n
-- @param y  array n or list
-- @param opts.where  string: y[i] holds from x[i] on ("post", default), up to x[i] ("pre"), or half way on either side
-- ("mid")
-- @param opts.label  and color, width, dash, alpha, marker, size: as for line
function step.read(r, x, y, opts)
  local a, b, given, arg = r:xy(x, y, opts)
  local layer = r:options(arg, given, step.options)
  layer.x, layer.y = stairs(a, b, layer.where)
  return layer
end

return {step}
