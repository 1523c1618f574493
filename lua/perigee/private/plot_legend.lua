-- SPDX-License-Identifier: MIT
--
-- The legend: a box of samples and labels, placed where it hides the least of the data.

local pg = ...
local color = pg._plot_color
local ipairs, math, table = ipairs, math, table

local legend = {}

-- How large the legend is: entries below one another, or, with a width given, side by side in
-- rows of at most that width, in columns where there are more than two rows.
function legend.measure(pen, entries, size, room)
  local box = {entries = {}, size = size, sample = 1.9 * size, gap = 0.5 * size, line = 1.4 * size, pad = 0.45 * size}
  local most = (room or math.huge) - 2 * box.pad
  local between = 1.2 * size
  local widths, column = {}, 0
  for k, entry in ipairs(entries) do
    local text = entry.label
    if room then text = pen:cut(text, size, math.max(most - box.sample - box.gap, size)) end
    box.entries[k] = {layer = entry, text = text, bare = entry.more}
    widths[k] = (entry.more and 0 or box.sample + box.gap) + pen:width(text, size)
    column = math.max(column, widths[k])
  end
  local function flow(step)
    local x, y, widest = 0, 0, 0
    for k, entry in ipairs(box.entries) do
      if room and k > 1 and x + widths[k] > most then x, y = 0, y + box.line end
      entry.x, entry.y = x, y
      widest = math.max(widest, x + widths[k])
      if room then x = x + (step or widths[k]) + between else y = y + box.line end
    end
    box.width = widest + 2 * box.pad
    box.height = y + (room and box.line or 0) + 2 * box.pad
    return y
  end
  if flow() > 1.5 * box.line and room then flow(column) end
  return box
end

-- The legend within width and height: in smaller letters where it must be, and, where even these do not
-- hold all, with as many entries as fit and how many more there are.
function legend.fit(pen, entries, size, width, height)
  local box
  for _, smaller in ipairs({1, 0.85, 0.7}) do
    box = legend.measure(pen, entries, size * smaller, width)
    if box.height <= height then return box end
  end
  local lo, hi = 0, #entries - 1
  while lo < hi do
    local some = {table.unpack(entries, 1, (lo + hi + 1) // 2)}
    some[#some + 1] = {label = ("… and %d more"):format(#entries - #some), more = true}
    if legend.measure(pen, some, size * 0.7, width).height <= height then lo = #some - 1 else hi = #some - 2 end
  end
  local some = {table.unpack(entries, 1, lo)}
  some[#some + 1] = {label = ("… and %d more"):format(#entries - lo), more = true}
  return legend.measure(pen, some, size * 0.7, width)
end

function legend.draw(pen, box, x, y, framed)
  local canvas = pen.canvas
  x, y = math.floor(x + 0.5), math.floor(y + 0.5)
  if framed then
    canvas:color(1, 1, 1, 0.88)
    canvas:rect(x, y, box.width, box.height)
    canvas:fill()
    canvas:color(0.8, 0.8, 0.8)
    canvas:pen(math.max(1, math.floor(0.6 * pen.unit + 0.5)))
    canvas:rect(x + 0.5, y + 0.5, math.floor(box.width), math.floor(box.height))
    canvas:stroke()
  end
  for _, entry in ipairs(box.entries) do
    local left, middle = x + box.pad + entry.x, y + box.pad + entry.y + box.line / 2
    if not entry.bare then entry.layer:sample(pen, left, middle, box.sample, 0.75 * box.size) end
    pen:color(color.parse("#222222"))
    pen:text("legend", entry.text, box.size, left + (entry.bare and 0 or box.sample + box.gap), middle, "left",
      "middle")
  end
  pen.legend = {left = x, top = y, right = x + box.width, bottom = y + box.height}
end

-- Whether the segment (of no length: a point) comes into the box.
local function meets(s, left, top, right, bottom)
  local t0, t1 = 0, 1
  local dx, dy = s[3] - s[1], s[4] - s[2]
  for k = 1, 4 do
    local p = k == 1 and -dx or k == 2 and dx or k == 3 and -dy or dy
    local q = k == 1 and s[1] - left or k == 2 and right - s[1] or k == 3 and s[2] - top or bottom - s[2]
    if p == 0 then
      if q < 0 then return false end
    elseif p < 0 then
      t0 = math.max(t0, q / p)
    else
      t1 = math.min(t1, q / p)
    end
  end
  return t0 <= t1
end

local corners = {["upper right"] = {1, 0}, ["upper left"] = {0, 0}, ["lower left"] = {0, 1}, ["lower right"] = {1, 1},
  ["upper center"] = {0.5, 0}, ["lower center"] = {0.5, 1}, ["center left"] = {0, 0.5}, ["center right"] = {1, 0.5}}
legend.order = {"upper right", "upper left", "lower left", "lower right", "center right", "center left",
  "upper center", "lower center"}

-- The place in the plot area where the box hides the fewest of the segments (pixels, {x0, y0, x1,
-- y1}): its upper left corner, and how many it hides there. `wanted` is a place or nil for any.
function legend.find(box, area, segments, margin, wanted)
  local best, x, y = math.huge, nil, nil
  local inner = {x = area.left + margin, y = area.top + margin, w = area.right - area.left - 2 * margin - box.width,
    h = area.bottom - area.top - 2 * margin - box.height}
  if (inner.w < 0 or inner.h < 0) and not wanted then return nil, nil, math.huge end
  for _, name in ipairs(legend.order) do
    if not wanted or wanted == name then
      local left, top = inner.x + inner.w * corners[name][1], inner.y + inner.h * corners[name][2]
      local hidden = 0
      for _, s in ipairs(segments) do
        local m = margin / 2
        if meets(s, left - m, top - m, left + box.width + m, top + box.height + m) then hidden = hidden + 1 end
      end
      if hidden < best then best, x, y = hidden, left, top end
    end
  end
  return x, y, best
end

return legend
