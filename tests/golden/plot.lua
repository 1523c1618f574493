-- SPDX-License-Identifier: MIT
--
-- The figures of plot.png, by name; `build/perigee tests/golden/plot.lua` makes it anew. Data come
-- from formulas, not from a generator. A caller may change a figure by changes[name](options).

local pg = require "perigee"

local W, H = 240, 180
local names = {"line", "scatter", "space", "heatmap", "bars", "graph"}

-- The k-th of n points of a spiral.
local function spiral(n)
  local t = pg.linspace(0, 1, n)
  return t * (t * 20):cos(), t * (t * 20):sin(), t
end

local make = {}

function make.line(o)
  local x = pg.linspace(0, 10, 101)
  local y = x:sin()
  y[50] = 0 / 0
  return pg.plot.figure {title = o.title or "Lines", xlabel = "x", ylabel = "value", width = W, height = H,
    ylim = o.ylim}
    :line(x, y, {label = "sin", color = o.color}):line(x, x:cos() / 2, {label = "cos", dash = o.dash or "dashed"})
    :hline(0.75):legend(o.legend)
end

function make.scatter(o)
  local x, y, t = spiral(120)
  return pg.plot.figure {title = "Scatter", width = W, height = H, aspect = "equal"}
    :scatter(x, y, {color = t * (o.sign or 1), clabel = "t", size = o.size})
end

function make.space(o)
  local x, y, z = spiral(150)
  return pg.plot.figure {xlabel = "x", ylabel = "y", zlabel = "z", width = W, height = H}
    :scatter3(x, y, z, {azim = o.azim, size = 4})
end

function make.heatmap(o)
  local x, y = pg.meshgrid(pg.linspace(-1, 1, 12), pg.linspace(-1, 1, 9))
  return pg.plot.figure {title = "Heat map", width = W, height = H}
    :heatmap(x * x + y, {x = {-1, 1}, y = {-1, 1}, cmap = o.cmap or "blues", colorbar = o.colorbar})
    :errorbar({-0.5, 0, 0.5}, {-0.5, 0, 0.25}, 0.3, {color = "red"})
end

function make.bars(o)
  return pg.plot.figure {ylabel = "count", width = W, height = H, yscale = "log"}
    :bar({"one", "two", "three"}, {o.first or 1000, 50, 3}):text(2, 300, "a note", {align = "center"})
end

function make.graph(o)
  local E = pg.zeros(7, 7)
  for i = 1, 7 do E:set(i, i % 7 + 1, 1) end
  E:set(1, 4, o.edge or 1)
  return pg.plot.figure {title = "Graph", width = W, height = H}:graph(E, nil, {labels = o.labels ~= false})
end

local function build(changes)
  local figures = {}
  for k, name in ipairs(names) do figures[k] = make[name](changes and changes[name] or {}) end
  return pg.plot.grid(figures, 2, 3), names, W, H
end

if arg and arg[0] and arg[0]:find("golden/plot.lua", 1, true) then build():save("tests/golden/plot.png") end

return build
