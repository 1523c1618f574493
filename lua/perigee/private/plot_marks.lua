-- SPDX-License-Identifier: MIT
--
-- The marks: what a figure's methods draw. Each stands in a file mark_NAME.lua beside this one, which
-- returns a list of them, and nothing else names it. A mark is a table with
--
--   name               of the figure's method
--   options            readers of its options (plot_read)
--   read(r, ...)       the layer that the call's arguments make (r: the call's reader), or nil for none
--   sample(layer, pen, x, y, width, height)   what stands beside its label in a legend, y being the middle
--
-- In the plane:
--   bounds(layer, xlog, ylog) -> x least, x greatest, y least, y greatest, or nothing; only of what can be drawn
--   draw(layer, view)         with view.pen, view.canvas, view.area, and view.x, view.y, which place values
--   cover(layer, view, out)   adds to out the segments {x0, y0, x1, y1} in pixels a legend must not hide
-- and, where they are so,
--   late               true: drawn after the frame
--   opaque             true: it covers the plot area, so no grid is drawn, and an equal aspect makes the area smaller
--   bare               true: axes say nothing about it
-- and a layer may have
--   sticky             bounds beyond which the axes get no margin: {x0 =, x1 =, y0 =, y1 =}
--   whole              axes that count: {x = true, y = true}
--   scale              its scale of colours
--
-- In space (solid = true):
--   extents(layer)            {lo, hi} of x, y and z, or nothing
--   draw(layer, space, out)   adds to out what is to be drawn, {depth =, draw = function(canvas)}
--
-- A layer inherits the fields of its mark, so that a mark's functions are a layer's methods.

local pg = ...
local ipairs, table = ipairs, table

local marks = {}

for _, module in ipairs(pg._modules()) do
  if module:match("^_mark_") then
    for _, mark in ipairs(pg[module]) do
      mark.__index = mark
      marks[#marks + 1] = mark
    end
  end
end
table.sort(marks, function(a, b) return a.name < b.name end)

return marks
