-- SPDX-License-Identifier: MIT
--
-- The plane between two axes: how far they reach, where the plot area lies so that every text has
-- its place, and the drawing of frame, ticks, titles, legend and colour bar.

local pg = ...
local ticks, legend, color, read = pg._plot_ticks, pg._plot_legend, pg._plot_color, pg._plot_read
local ipairs, math, setmetatable = ipairs, math, setmetatable

local axes = {}

local ink, soft, faint = {0.13, 0.13, 0.13}, {0.35, 0.35, 0.35}, {0.9, 0.9, 0.9}

-- ---- limits ---------------------------------------------------------------------------------

local axis = {}
axis.__index = axis

function axis:place(v)
  if self.log then
    if v <= 0 then return 0 / 0 end
    v = math.log(v, 10)
  end
  return self.a + self.b * (v - self.origin)
end

-- Gives the axis its pixels: lo lies at `from`, hi at `to`. Counted from lo, so that no digit of a small change
-- of a large number is lost.
function axis:span(from, to)
  local lo, hi = self.lo, self.hi
  if self.log then lo, hi = math.log(lo, 10), math.log(hi, 10) end
  if self.reversed then from, to = to, from end
  self.origin, self.a, self.b = lo, from, (to - from) / (hi - lo)
end

local HUGE = 1e300

-- The axis that shows lo..hi (nil: nothing to show) with room to breathe, except at sticky ends.
local function widened(lo, hi, log, sticky_lo, sticky_hi)
  if not lo then return log and 1 or 0, log and 10 or 1 end
  lo, hi = math.max(-HUGE, math.min(HUGE, lo)), math.max(-HUGE, math.min(HUGE, hi))
  if log then lo, hi = math.max(1 / HUGE, lo), math.max(1 / HUGE, hi) end
  local wide, high = read.widened(lo, hi, log)
  if wide ~= lo then
    if sticky_lo == lo then return lo, high end
    return wide, high
  end
  if log then
    local a, b = math.log(lo, 10), math.log(hi, 10)
    local margin = 0.04 * (b - a)
    return lo == sticky_lo and lo or 10.0 ^ (a - margin),
      hi == sticky_hi and hi or 10.0 ^ (b + margin)
  end
  local margin = 0.04 * (hi - lo)
  return lo == sticky_lo and lo or lo - margin, hi == sticky_hi and hi or hi + margin
end

local function new_axis(fig, name)
  local log = fig.settings[name .. "scale"] == "log"
  local lo, hi, sticky_lo, sticky_hi
  for _, layer in ipairs(fig.layers) do
    local a, b, c, d = layer:bounds(fig.settings.xscale == "log", fig.settings.yscale == "log")
    if name == "y" then a, b = c, d end
    if a then
      if not lo or a < lo then lo = a end
      if not hi or b > hi then hi = b end
      local sticky = layer.sticky
      if sticky and sticky[name .. 0] == lo then sticky_lo = lo end
      if sticky and sticky[name .. 1] == hi then sticky_hi = hi end
    end
  end
  lo, hi = widened(lo, hi, log, sticky_lo, sticky_hi)
  local given = fig.given_limits[name]
  local reversed = fig.reversed[name]
  if given then
    lo, hi = given[1] or lo, given[2] or hi
    if lo > hi then lo, hi, reversed = hi, lo, not reversed end
    if lo == hi then lo, hi = widened(lo, hi, log) end
  end
  lo, hi = math.max(-HUGE, math.min(HUGE, lo)), math.max(-HUGE, math.min(HUGE, hi))
  -- no shorter than doubles can count through
  local least = math.max(2e-15 * math.max(math.abs(lo), math.abs(hi)), 1 / HUGE)
  if log and hi / lo < 1 + 1e-9 then
    lo, hi = lo / (1 + 1e-9), hi * (1 + 1e-9)
  elseif not log and hi - lo < least then
    lo, hi = lo - least, hi + least
  end
  local whole = #fig.layers > 0
  for _, layer in ipairs(fig.layers) do whole = whole and layer.whole and layer.whole[name] end
  return setmetatable({lo = lo, hi = hi, log = log, reversed = reversed, whole = whole,
    spec = fig.settings[name .. "ticks"]}, axis)
end

-- ---- layout ---------------------------------------------------------------------------------

local function find_ticks(ax, most, extent, gap)
  if ax.spec then return ticks.given(ax.spec, ax.lo, ax.hi) end
  return ticks.fit(ax.lo, ax.hi, ax.log, most, function(v) return ax:place(v) end, extent, gap, ax.whole)
end

local function widest(pen, labels, size)
  local w = 0
  for _, label in ipairs(labels) do w = math.max(w, pen:width(label, size)) end
  return w
end

-- Chooses y's ticks for the height at hand; returns the pixels its labels take.
local function measure_y(view)
  local pen, u, size = view.pen, view.pen.unit, view.sizes.tick
  view.y:span(view.area.bottom, view.area.top)
  local height = view.area.bottom - view.area.top
  local most = math.max(1, math.min(9, height // (1.9 * size)))
  view.yticks = find_ticks(view.y, most, function() return size end, 0.35 * size)
  return widest(pen, view.yticks.labels, size) + 3 * u + 3.5 * u
end

-- Leaves of given ticks every second, third, ... label, until they stand `apart` pixels from one another.
local function thin_out(view, set, apart)
  local least = math.huge
  for i = 2, #set.values do
    least = math.min(least, math.abs(view.x:place(set.values[i]) - view.x:place(set.values[i - 1])))
  end
  local every = math.ceil(apart / math.max(least, 1e-9) - 1e-9)
  if every < 2 or #set.values < 2 then return end
  local labels = {}
  for i, label in ipairs(set.labels) do labels[i] = (i - 1) % every == 0 and label or "" end
  set.labels = labels
end

local function measure_x(view)
  local pen, size = view.pen, view.sizes.tick
  view.x:span(view.area.left, view.area.right)
  local width = view.area.right - view.area.left
  local most = math.max(1, math.min(10, width // (2.2 * size)))
  view.xticks = find_ticks(view.x, most, function(label) return pen:width(label, size) end, 0.7 * size)
  -- categories that do not fit beside one another are written upwards
  local set = view.xticks
  if view.x.spec and not view.upright then
    for i = 2, #set.values do
      local room = math.abs(view.x:place(set.values[i]) - view.x:place(set.values[i - 1]))
      local need = (pen:width(set.labels[i], size) + pen:width(set.labels[i - 1], size)) / 2 + 0.4 * size
      if need > room then view.upright = true end
    end
  end
  if view.upright then
    set.labels = pen:cut_apart(set.labels, size, 0.4 * (view.rect.bottom - view.rect.top))
    thin_out(view, set, 1.15 * size)
  end
end

local function title_height(lines, size)
  return #lines * 1.22 * size
end

-- What stands around the plot area: texts broken into lines of their room.
local function texts(view)
  local fig, pen, s = view.fig, view.pen, view.sizes
  local width, height = view.rect.right - view.rect.left, view.rect.bottom - view.rect.top
  local function lines(text, size, room)
    if not text or text == "" then return {}, size end
    return pen:lines(text, size, room, 2)
  end
  view.title, s.title = lines(fig.settings.title, s.title, width - 2 * view.pad)
  view.xlabel, s.xlabel = lines(not fig.bare and fig.settings.xlabel, s.label, width - 2 * view.pad)
  local room = height - 2 * view.pad - title_height(view.title, s.title) - title_height(view.xlabel, s.xlabel)
    - (view.below and view.below.height or 0) - 8 * pen.unit
  view.ylabel, s.ylabel = lines(not fig.bare and fig.settings.ylabel, s.label, room)
end

-- The colour bar's axis, ticks and label for the area's height, and the pixels it takes at its right.
local function colorbar(pen, s, scale, area)
  local u = pen.unit
  local height = area.bottom - area.top
  local bar = setmetatable({lo = scale.lo, hi = scale.hi, log = scale.log}, axis)
  bar:span(area.bottom, area.top)
  local most = math.max(1, math.min(8, height // (2.2 * s.tick)))
  bar.ticks = find_ticks(bar, most, function() return s.tick end, 0.4 * s.tick)
  bar.map, bar.text, bar.size = scale.map, {}, s.label
  if scale.label then bar.text, bar.size = pen:lines(scale.label, s.label, height, 1) end
  local text = widest(pen, bar.ticks.labels, s.tick)
  text = math.max(text, pen:width(bar.ticks.note, s.tick) - 8 * u)
  return bar, 23.5 * u + text + (#bar.text > 0 and 1.5 * bar.size or 0)
end

function axes.bar_room(pen, sizes, scale, area)
  local _, room = colorbar(pen, sizes, scale, area)
  return room
end

local function colorbar_width(view)
  if not view.scale then return 0 end
  local room
  view.bar, room = colorbar(view.pen, view.sizes, view.scale, view.area)
  return room
end

-- Finds view.area, {left, top, right, bottom} in whole pixels, and the ticks.
local function layout(view)
  local rect, u, s, fig = view.rect, view.pen.unit, view.sizes, view.fig
  texts(view)
  local under = view.below and view.below.height + 4 * u or 0
  local beside = view.beside and view.beside.width + 8 * u or 0
  local area = {}
  view.area = area
  area.top = rect.top + view.pad + title_height(view.title, s.title) + (#view.title > 0 and 4 * u or 0)
  area.left, area.right = rect.left + view.pad + 30 * u, rect.right - view.pad - beside
  local tick_room = fig.bare and 0 or 6.5 * u + 1.0 * s.tick
  local x_room = #view.xlabel > 0 and 3 * u + title_height(view.xlabel, s.xlabel) or 0
  area.bottom = rect.bottom - view.pad - under - tick_room - x_room
  local top = area.top
  for _ = 1, 3 do
    local bar = colorbar_width(view)
    area.right = rect.right - view.pad - beside - bar
    if fig.bare then
      area.left = rect.left + view.pad
      view.x:span(area.left, area.right)
      view.y:span(area.bottom, area.top)
      view.xticks, view.yticks = ticks.given({}, 0, 1), ticks.given({}, 0, 1)
    else
      local label = #view.ylabel > 0 and title_height(view.ylabel, s.ylabel) + 3 * u or 0
      area.left = rect.left + view.pad + measure_y(view) + label
      measure_x(view)
      -- the half of the last label that stands beyond the end of the axis
      for i, v in ipairs(view.xticks.values) do
        local half = view.upright and s.tick / 2 or view.pen:width(view.xticks.labels[i], s.tick) / 2
        local at = view.x:place(v)
        local room = rect.right - 2 * u - beside
        if bar == 0 and at + half > room then area.right = area.right - (at + half - room) end
        if at - half < rect.left + 2 * u then area.left = area.left + (rect.left + 2 * u - at + half) end
      end
      if view.upright then tick_room = 8 * u + widest(view.pen, view.xticks.labels, s.tick) end
      if #view.xlabel == 0 then x_room = view.xticks.note ~= "" and 3 * u + 1.1 * s.tick or 0 end
      area.bottom = rect.bottom - view.pad - under - tick_room - x_room
      measure_x(view)
    end
    local powered = view.yticks.note ~= "" or (view.bar and view.bar.ticks.note ~= "")
    area.top = top + (powered and 1.15 * s.tick + 2 * u or 0)
  end
  view.tick_room = tick_room
  for _, side in ipairs({"left", "top", "right", "bottom"}) do area[side] = math.floor(area[side] + 0.5) end
  area.right, area.bottom = math.max(area.right, area.left + 8), math.max(area.bottom, area.top + 8)
end

-- One unit of x as long as one of y: pictures get a smaller area, other data wider limits.
local function equalize(view)
  local area, x, y = view.area, view.x, view.y
  if x.log or y.log then return end
  local width, height = area.right - area.left, area.bottom - area.top
  local wide, high = x.hi - x.lo, y.hi - y.lo
  local shrink = view.fig.given_limits.x or view.fig.given_limits.y
  for _, layer in ipairs(view.fig.layers) do shrink = shrink or layer.opaque end
  if shrink then
    local by = math.min(width / wide, height / high)
    local dx, dy = math.floor((width - wide * by) / 2 + 0.5), math.floor((height - high * by) / 2 + 0.5)
    area.left, area.right = area.left + dx, area.right - dx
    area.top, area.bottom = area.top + dy, area.bottom - dy
    area.right, area.bottom = math.max(area.right, area.left + 4), math.max(area.bottom, area.top + 4)
  elseif wide / width > high / height then
    local grow = (wide / width * height - high) / 2
    y.lo, y.hi = y.lo - grow, y.hi + grow
  else
    local grow = (high / height * width - wide) / 2
    x.lo, x.hi = x.lo - grow, x.hi + grow
  end
end

-- ---- drawing --------------------------------------------------------------------------------

local function draw_grid(view)
  local pen, area = view.pen, view.area
  for _, layer in ipairs(view.fig.layers) do
    if layer.opaque then return end
  end
  pen:color(faint)
  if not view.x.spec then
    for _, v in ipairs(view.xticks.values) do
      local at = view.x:place(v)
      pen:rule(at, area.top, at, area.bottom, 0.6 * pen.unit)
    end
  end
  for _, v in ipairs(view.yticks.values) do
    local at = view.y:place(v)
    pen:rule(area.left, at, area.right, at, 0.6 * pen.unit)
  end
end

local function draw_frame(view)
  local pen, area, u, s = view.pen, view.area, view.pen.unit, view.sizes
  local long, short, width = 3.5 * u, 2 * u, 0.8 * u
  local inside = area.bottom - area.top >= 1 and area.right - area.left >= 1
  pen:color(soft)
  pen:rule(area.left, area.top, area.left, area.bottom + 1, width)
  pen:rule(area.left, area.bottom, area.right, area.bottom, width)
  if view.boxed then
    pen:rule(area.right, area.top, area.right, area.bottom + 1, width)
    pen:rule(area.left, area.top, area.right, area.top, width)
  end
  local function mark_x(values, length)
    for _, v in ipairs(values) do
      local at = view.x:place(v)
      if inside then pen:rule(at, area.bottom, at, area.bottom + length, width) end
    end
  end
  local function mark_y(values, length)
    for _, v in ipairs(values) do
      local at = view.y:place(v)
      if inside then pen:rule(area.left - length, at, area.left, at, width) end
    end
  end
  mark_x(view.xticks.values, long)
  mark_x(view.xticks.minor, short)
  mark_y(view.yticks.values, long)
  mark_y(view.yticks.minor, short)
  pen:color(ink)
  for i, v in ipairs(view.xticks.values) do
    local at, y = view.x:place(v), area.bottom + long + 3 * u
    if view.upright then
      pen:text("tick", view.xticks.labels[i], s.tick, at + 0.36 * s.tick, y, "right", "baseline", math.pi / 2)
    else
      pen:text("tick", view.xticks.labels[i], s.tick, at, y, "center", "top")
    end
  end
  for i, v in ipairs(view.yticks.values) do
    pen:text("tick", view.yticks.labels[i], s.tick, area.left - long - 3 * u, view.y:place(v), "right", "middle")
  end
  if view.yticks.note ~= "" then
    pen:text("power", view.yticks.note, s.tick, area.left, area.top - 4 * u, "left", "baseline")
  end
end

local function draw_titles(view)
  local pen, area, rect, u, s = view.pen, view.area, view.rect, view.pen.unit, view.sizes
  pen:color(ink)
  local middle = (area.left + area.right) / 2
  local y = rect.top + view.pad
  for _, line in ipairs(view.title) do
    -- over the plot area, or moved so that it stays on the picture
    local half = pen:width(line, s.title) / 2
    local at = math.max(rect.left + view.pad + half, math.min(rect.right - view.pad - half, middle))
    pen:text("title", line, s.title, at, y, "center", "top")
    y = y + 1.22 * s.title
  end
  local bottom = area.bottom + view.tick_room
  local power_width = 0
  if view.xticks.note ~= "" then
    local text = view.xticks.note
    power_width = pen:width(text, s.tick) + 6 * u
    pen:text("power", text, s.tick, area.right, area.bottom + view.tick_room + 3 * u, "right", "top")
  end
  y = bottom + 3 * u
  for _, line in ipairs(view.xlabel) do
    local half = pen:width(line, s.xlabel) / 2
    local most = math.min(rect.right - view.pad, power_width > 0 and area.right - power_width or math.huge) - half
    local at = math.max(rect.left + view.pad + half, math.min(most, middle))
    pen:text("xlabel", line, s.xlabel, at, y, "center", "top")
    y = y + 1.22 * s.xlabel
  end
  local x = rect.left + view.pad
  for _, line in ipairs(view.ylabel) do
    local half = pen:width(line, s.ylabel) / 2
    local at = math.min(area.bottom + view.tick_room - half, (area.top + area.bottom) / 2)
    at = math.max(rect.top + view.pad + title_height(view.title, s.title) + 2 * u + half, at)
    pen:text("ylabel", line, s.ylabel, x + 0.76 * s.ylabel, at, "center", "baseline", math.pi / 2)
    x = x + 1.22 * s.ylabel
  end
end

local function draw_colorbar(pen, s, bar, area)
  local canvas, u = pen.canvas, pen.unit
  local left, width = math.floor(area.right + 8 * u), math.floor(9 * u)
  bar:span(area.bottom, area.top)
  canvas:image(bar.map:reshape(#bar.map, 1, 3):flip(1), left, area.top, width, area.bottom - area.top)
  pen:color(soft)
  for _, v in ipairs(bar.ticks.values) do
    local at = bar:place(v)
    pen:rule(left + width, at, left + width + 3.5 * u, at, 0.8 * u)
  end
  pen:color(ink)
  local x = left + width + 6.5 * u
  for i, v in ipairs(bar.ticks.values) do
    pen:text("tick", bar.ticks.labels[i], s.tick, x, bar:place(v), "left", "middle")
  end
  if bar.ticks.note ~= "" then
    pen:text("power", bar.ticks.note, s.tick, left, area.top - 4 * u, "left", "baseline")
  end
  x = x + widest(pen, bar.ticks.labels, s.tick) + 0.3 * bar.size
  for _, line in ipairs(bar.text) do
    pen:text("barlabel", line, bar.size, x + 0.9 * bar.size, (area.top + area.bottom) / 2, "center", "baseline",
      math.pi / 2)
  end
end

function axes.draw_bar(pen, sizes, scale, area)
  draw_colorbar(pen, sizes, colorbar(pen, sizes, scale, area), area)
end

-- The layers a legend names.
local function entries_of(fig)
  local out = {}
  for _, layer in ipairs(fig.layers) do
    if layer.label then out[#out + 1] = layer end
  end
  return out
end

local function covered(view)
  local out = {}
  for _, layer in ipairs(view.fig.layers) do layer:cover(view, out) end
  return out
end

-- Lays out the view and finds the legend's place: free of data inside the area, else beside it, or
-- below where that would take too much of the width.
local function arrange(view)
  local fig, pen, s, u = view.fig, view.pen, view.sizes, view.pen.unit
  local function again()
    view.x, view.y = new_axis(fig, "x"), new_axis(fig, "y")
    view.upright = nil
    layout(view)
    if fig.settings.aspect == "equal" then
      equalize(view)
      if fig.bare then
        view.x:span(view.area.left, view.area.right)
        view.y:span(view.area.bottom, view.area.top)
      else
        measure_y(view)
        measure_x(view)
      end
    else
      view.x:span(view.area.left, view.area.right)
      view.y:span(view.area.bottom, view.area.top)
    end
  end
  again()
  local entries = fig.legend_place ~= "none" and entries_of(fig) or {}
  if #entries == 0 then return end
  local width = view.rect.right - view.rect.left
  local box = legend.measure(pen, entries, s.legend)
  local wanted = fig.legend_place
  local inside = wanted ~= "right" and wanted ~= "below"
  local high = view.rect.bottom - view.rect.top - 2 * view.pad
  if inside then
    local x, y, hidden = legend.find(box, view.area, covered(view), 5 * u, wanted ~= "auto" and wanted or nil)
    local room = view.area.bottom - view.area.top - 10 * u
    if x and box.height <= room and (hidden == 0 or wanted ~= "auto") then
      view.legend, view.legend_x, view.legend_y, view.framed = box, x, y, true
      return
    end
  end
  view.framed = false
  if wanted == "right"
    or (wanted ~= "below" and not view.scale and box.width <= 0.3 * width and box.height <= high) then
    if box.width > 0.45 * width or box.height > high then
      box = legend.fit(pen, entries, s.legend, 0.45 * width, high)
    end
    view.beside = box
    again()
    local top = math.max(view.rect.top + view.pad, math.min(view.area.top, view.rect.bottom - view.pad - box.height))
    view.legend, view.legend_x, view.legend_y = box, view.rect.right - view.pad - box.width, top
  else
    box = legend.fit(pen, entries, s.legend, width - 2 * view.pad, 0.55 * high)
    view.below = box
    again()
    view.legend = box
    view.legend_x = (view.rect.left + view.rect.right - box.width) / 2
    view.legend_y = view.rect.bottom - view.pad - box.height
  end
end

-- Draws the figure into rect, {left, top, right, bottom} in pixels, with `unit` pixels a point.
function axes.draw(fig, pen, rect, sizes)
  local view = {fig = fig, pen = pen, canvas = pen.canvas, rect = rect, sizes = sizes, pad = 6 * pen.unit}
  for _, layer in ipairs(fig.layers) do
    if layer.scale and layer.scale.shown then view.scale = view.scale or layer.scale end
    view.boxed = view.boxed or layer.opaque
  end
  arrange(view)
  local area = view.area
  if not fig.bare then draw_grid(view) end
  pen.canvas:clip(area.left, area.top, area.right - area.left, area.bottom - area.top)
  for _, layer in ipairs(fig.layers) do
    if not layer.late then layer:draw(view) end
  end
  pen.canvas:unclip()
  if not fig.bare then draw_frame(view) end
  if view.bar then draw_colorbar(pen, sizes, view.bar, area) end
  draw_titles(view)
  for _, layer in ipairs(fig.layers) do
    if layer.late then layer:draw(view) end
  end
  if view.legend then legend.draw(pen, view.legend, view.legend_x, view.legend_y, view.framed) end
  pen.area = area
  return view
end

axes.colors = {ink = ink, soft = soft, faint = faint, parse = color.parse}

return axes
