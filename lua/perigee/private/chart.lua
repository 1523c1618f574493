-- SPDX-License-Identifier: MIT
-- pg._chart: the small line charts of a batch's report, as SVG in the page's own colours. Figures are pg.plot's.
local pg = ...
local html = pg._html

local WIDTH, HEIGHT = 420, 240
local LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 40

-- Round numbers within lo..hi, about `count` of them.
local function ticks(lo, hi, count)
  local raw = (hi - lo) / count
  local unit = 10.0 ^ math.floor(math.log(raw, 10))
  local step = unit
  for _, m in ipairs{1, 2, 5, 10} do
    if m * unit >= raw then
      step = m * unit
      break
    end
  end
  local list = {}
  for k = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9) do list[#list + 1] = k * step end
  return list
end

local function decades(lo, hi)
  local list = {}
  for e = math.ceil(math.log(lo, 10) - 1e-9), math.floor(math.log(hi, 10) + 1e-9) do list[#list + 1] = 10.0 ^ e end
  return list
end

local function range(values)
  local lo, hi = math.huge, -math.huge
  for _, v in ipairs(values) do lo, hi = math.min(lo, v), math.max(hi, v) end
  if lo > hi then return nil end
  if lo == hi then
    local d = lo == 0 and 1 or math.abs(lo) * 0.1
    lo, hi = lo - d, hi + d
  end
  return lo, hi
end

local function finite(v)
  return type(v) == "number" and v == v and v ~= math.huge and v ~= -math.huge
end

-- lines: list of {label=, x=, y=, points=}; spec: xlabel, ylabel, names (labels of x = 1, 2, ...), log (x by decades
-- where it spans more than 50 times; default yes), plain (lines too many to be told apart: one colour, no legend).
-- Returns nil when there is nothing to draw.
return function(lines, spec)
  local xs, ys = {}, {}
  for _, line in ipairs(lines) do
    for i, x in ipairs(line.x) do
      if finite(x) and finite(line.y[i]) then
        xs[#xs + 1], ys[#ys + 1] = x, line.y[i]
      end
    end
    for _, p in ipairs(line.points or {}) do
      if finite(p[2]) then ys[#ys + 1] = p[2] end
    end
  end
  local x0, x1 = range(xs)
  local y0, y1 = range(ys)
  if x0 == nil then return nil end
  local log = not spec.names and spec.log ~= false and x0 > 0 and x1 / x0 >= 50
  local pad = (y1 - y0) * 0.05
  y0, y1 = y0 - pad, y1 + pad
  local function px(x)
    local t = log and math.log(x / x0) / math.log(x1 / x0) or (x - x0) / (x1 - x0)
    return LEFT + t * (WIDTH - LEFT - RIGHT)
  end
  local function py(y) return HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM) end
  local out = {('<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">'):format(WIDTH, HEIGHT,
    html.escape(spec.ylabel .. " against " .. spec.xlabel))}
  local function add(format, ...) out[#out + 1] = format:format(...) end
  for _, y in ipairs(ticks(y0, y1, 5)) do
    add('<path class="grid" d="M%d %.1fH%d"/><text x="%d" y="%.1f" class="right">%s</text>', LEFT, py(y), WIDTH - RIGHT,
      LEFT - 6, py(y) + 4, html.value(math.abs(y) < 1e-12 * (y1 - y0) and 0 or y))
  end
  local marks = spec.names and {} or log and decades(x0, x1) or ticks(x0, x1, 6)
  if spec.names then
    for i = 1, #spec.names do marks[i] = i end
  end
  for _, x in ipairs(marks) do
    add('<text x="%.1f" y="%d" class="mid">%s</text>', px(x), HEIGHT - BOTTOM + 16,
      html.escape(spec.names and spec.names[x]:sub(1, 12) or html.value(x)))
  end
  add('<path class="axis" d="M%d %dV%dH%d"/>', LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT)
  add('<text x="%d" y="%d" class="mid">%s</text>', (LEFT + WIDTH - RIGHT) // 2, HEIGHT - 6, html.escape(spec.xlabel))
  for k, line in ipairs(lines) do
    local path, dots = {}, {}
    for i, x in ipairs(line.x) do
      if finite(x) and finite(line.y[i]) then
        path[#path + 1] = pg._format("%s%.1f %.1f", #path == 0 and "M" or "L", px(x), py(line.y[i]))
      end
    end
    for _, p in ipairs(line.points or {}) do
      if finite(p[1]) and finite(p[2]) then
        dots[#dots + 1] = pg._format('<circle cx="%.1f" cy="%.1f" r="2.5"/>', px(p[1]), py(p[2]))
      end
    end
    local class = spec.plain and "thin" or "c" .. (k - 1) % 6 + 1
    add('<g class="%s"><title>%s</title><path d="%s"/>%s</g>', class, html.escape(line.label or spec.ylabel),
      table.concat(path), table.concat(dots))
  end
  out[#out + 1] = "</svg>"
  if spec.plain then
    add('<p class="legend">%d settings; the table has them</p>', #lines)
  elseif #lines > 1 then
    out[#out + 1] = '<p class="legend">'
    for k, line in ipairs(lines) do
      add('<span class="c%d">%s</span> ', (k - 1) % 6 + 1, html.escape(line.label))
    end
    out[#out + 1] = "</p>"
  end
  return ('<figure class="small"><figcaption>%s</figcaption>%s</figure>'):format(html.escape(spec.ylabel),
    table.concat(out))
end
