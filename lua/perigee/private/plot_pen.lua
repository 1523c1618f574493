-- SPDX-License-Identifier: MIT
--
-- The pen a figure is drawn with: a canvas, lengths in points of 1/72 inch, text that is placed by
-- its box, kept inside a width, and remembered so that tests can see that nothing overlaps.

local ipairs, math, setmetatable, table, utf8, warn = ipairs, math, setmetatable, table, utf8, warn

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

-- Letters that the font lacks and that a warning has named.
local named = {}

-- Warns, once for each letter, that the font lacks it.
function pen:check_letters(text)
  if not text:find("[\x80-\xFF]") then return end
  local lacking = {}
  for letter in text:gmatch(utf8.charpattern) do
    local code = #letter > 1 and utf8.len(letter) and utf8.codepoint(letter)
    if code and not named[letter] and not self.canvas:has_letter(code) then
      named[letter] = true
      lacking[#lacking + 1] = ("%s (U+%04X)"):format(letter, code)
    end
  end
  if #lacking > 0 then
    warn("plot: the font has no letter for ", table.concat(lacking, ", "),
      "; it is drawn as a box. PERIGEE_FONT=FILE draws with another font")
  end
end

-- what: the role of the text ("title", "tick", ...), for those who look at boxes.
function pen:text(what, text, size, x, y, halign, valign, angle)
  if text == "" then return end
  local box, bx, by = self:place(text, size, x, y, halign, valign, angle)
  box.what = what
  self.boxes[#self.boxes + 1] = box
  self:check_letters(text)
  self.canvas:text(text, size, bx, by, angle or 0)
  return box
end

-- Where the letters of a text begin, each less one.
local function letters(text)
  local ends = {}
  for at in text:gmatch("()[\0-\x7F\xC2-\xF4][\x80-\xBF]*") do ends[#ends + 1] = at - 1 end
  return ends
end

-- text cut to `room` pixels, with an ellipsis where something is lost.
function pen:cut(text, size, room)
  if self:width(text, size) <= room then return text end
  local ends = letters(text)
  for k = #ends, 1, -1 do
    local last = text:sub(1, ends[k]):gsub("%s+$", "") .. "…"
    if self:width(last, size) <= room then return last end
  end
  return ""
end

-- The same, of the middle, so that the end stays.
function pen:cut_middle(text, size, room)
  if self:width(text, size) <= room then return text end
  local ends = letters(text)
  ends[#ends + 1] = #text
  for keep = #ends - 2, 2, -1 do
    local head = keep // 2
    local now = text:sub(1, ends[head + 1]) .. "…" .. text:sub(ends[#ends - (keep - head)] + 1)
    if self:width(now, size) <= room then return now end
  end
  return self:cut(text, size, room)
end

-- Texts cut to `room` pixels so that those which differ still do, where that is possible.
function pen:cut_apart(texts, size, room)
  local out, seen, same = {}, {}, false
  for i, text in ipairs(texts) do
    out[i] = self:cut(text, size, room)
    same = same or (seen[out[i]] ~= nil and seen[out[i]] ~= text)
    seen[out[i]] = text
  end
  if not same then return out end
  for i, text in ipairs(texts) do out[i] = self:cut_middle(text, size, room) end
  return out
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
