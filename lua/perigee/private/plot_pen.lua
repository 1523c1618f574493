-- SPDX-License-Identifier: MIT
--
-- The pen a figure is drawn with: a canvas, lengths in points of 1/72 inch, text that is placed by
-- its box, kept inside a width, and remembered so that tests can see that nothing overlaps.

local pen = {}
pen.__index = pen

-- unit: pixels of a point.
function pen.new(canvas, unit)
  return setmetatable({canvas = canvas, unit = unit, boxes = {}, measured = {}}, pen)
end

function pen:color(c, alpha)
  self.canvas:color(c[1], c[2], c[3], (c[4] or 1) * (alpha or 1))
end

-- A straight line of `width` pixels that covers whole pixels where it is level or upright.
function pen:rule(x0, y0, x1, y1, width)
  local half = math.max(1, math.floor(width + 0.5)) % 2 / 2
  if x0 == x1 or y0 == y1 then
    width = math.max(1, math.floor(width + 0.5))
    if x0 == x1 then
      x0 = math.floor(x0) + half
      x1 = x0
    else
      y0 = math.floor(y0) + half
      y1 = y0
    end
  end
  self.canvas:pen(width)
  self.canvas:move(x0, y0)
  self.canvas:line(x1, y1)
  self.canvas:stroke()
end

-- How far the text advances, and its box about the start of its baseline, at a size of 1 pixel; all
-- grow with the size alone.
function pen:measure(text)
  local m = self.measured[text]
  if not m then
    m = {self.canvas:measure(text, 1)}
    self.measured[text] = m
  end
  return m
end

function pen:width(text, size)
  return self:measure(text)[1] * size
end

-- The text's box on the canvas when its anchor lies at (x, y): left, top, right, bottom, its four
-- corners as it is turned, and where its baseline starts. halign: "left", "center", "right"; valign:
-- "top", "middle", "baseline", "bottom"; both before turning by angle (0, or a quarter turn, or any for free text).
function pen:place(text, size, x, y, halign, valign, angle)
  local m = self:measure(text)
  local advance, left, top, right, bottom = m[1] * size, m[2] * size, m[3] * size, m[4] * size, m[5] * size
  local dx = halign == "center" and -advance / 2 or halign == "right" and -advance or 0
  local dy = valign == "top" and 0.76 * size or valign == "middle" and 0.36 * size
    or valign == "bottom" and -0.24 * size or 0
  local c, s = math.cos(angle or 0), math.sin(angle or 0)
  local function turn(u, v) return x + u * c + v * s, y - u * s + v * c end
  local huge = math.huge
  local box = {left = huge, top = huge, right = -huge, bottom = -huge, text = text}
  for k, corner in ipairs({{left, top}, {right, top}, {right, bottom}, {left, bottom}}) do
    local u, v = turn(corner[1] + dx, corner[2] + dy)
    box[k] = {u, v}
    box.left, box.right = math.min(box.left, u), math.max(box.right, u)
    box.top, box.bottom = math.min(box.top, v), math.max(box.bottom, v)
  end
  local bx, by = turn(dx, dy)
  return box, bx, by
end

-- what: the role of the text ("title", "tick", ...), for those who look at boxes.
function pen:text(what, text, size, x, y, halign, valign, angle)
  if text == "" then return end
  local box, bx, by = self:place(text, size, x, y, halign, valign, angle)
  box.what = what
  self.boxes[#self.boxes + 1] = box
  self.canvas:text(text, size, bx, by, angle or 0)
  return box
end

-- text cut to `room` pixels, with an ellipsis where something is lost.
function pen:cut(text, size, room)
  if self:width(text, size) <= room then return text end
  local ends = {}
  for at in text:gmatch("()[\0-\x7F\xC2-\xF4][\x80-\xBF]*") do ends[#ends + 1] = at - 1 end
  for k = #ends, 1, -1 do
    local last = text:sub(1, ends[k]):gsub("%s+$", "") .. "…"
    if self:width(last, size) <= room then return last end
  end
  return ""
end

-- The lines of text in a column of `room` pixels, at most `most` of them: broken at spaces, then
-- in smaller letters, then cut. Returns the lines and the size.
function pen:lines(text, size, room, most)
  local lines
  for _, smaller in ipairs({1, 0.9, 0.8, 0.7}) do
    local now = size * smaller
    lines = {}
    local fits = true
    for paragraph in (text .. "\n"):gmatch("(.-)\n") do
      local line
      for word in paragraph:gmatch("%S+") do
        local longer = line and line .. " " .. word or word
        if line and self:width(longer, now) > room then
          lines[#lines + 1] = line
          line = word
        else
          line = longer
        end
        fits = fits and self:width(line, now) <= room
      end
      lines[#lines + 1] = line or ""
    end
    if fits and #lines <= most then return lines, now end
    size = smaller == 0.7 and now or size
  end
  for k = most + 1, #lines do
    lines[most] = lines[most] .. " " .. lines[k]
    lines[k] = nil
  end
  for k, line in ipairs(lines) do lines[k] = self:cut(line, size, room) end
  return lines, size
end

return pen
