-- SPDX-License-Identifier: MIT
local pg = ...
local args, read = pg._args, pg._plot_read
local math, tostring, type = math, tostring, type

local text = {name = "text", late = true, bare = true}

text.options = {align = read.word("left", "left", "center", "right"),
  valign = read.word("baseline", "baseline", "top", "middle", "bottom"), size = read.positive(9),
  color = read.color("black"), alpha = read.share(1)}

--- figure:text(x, y, text [, opts]) -> figure
-- Words at a point of the data; moved where they would leave the picture.
-- @param x  number
-- @param y  number
-- @param text  string
-- @param opts.align  string: which part of the text lies at x: "left" (default), "center" or "right"
-- @param opts.valign  string: and at y: "baseline" (default), "top", "middle" or "bottom"
-- @param opts.size  number: points (9)
-- @param opts.color  as for line ("black")
-- @param opts.alpha  number in 0..1
function text.read(r, x, y, words, opts)
  r:finite(1, "x", x)
  r:finite(2, "y", y)
  if type(words) ~= "string" and type(words) ~= "number" then
    r:fail(3, "text: expected a string, got " .. args.got(words))
  end
  local layer = r:options(4, opts, text.options)
  layer.x, layer.y, layer.text = x, y, tostring(words)
  return layer
end

function text:bounds(xlog, ylog)
  if (not xlog or self.x > 0) and (not ylog or self.y > 0) then return self.x, self.x, self.y, self.y end
end

-- Where it stands: moved where it would leave the canvas.
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

return {text}
