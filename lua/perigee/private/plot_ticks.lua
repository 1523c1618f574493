-- SPDX-License-Identifier: MIT
--
-- Where ticks stand on an axis from lo to hi, and what is written at them.
--
-- A set of ticks is {values =, labels =, minor = values without labels, note =}: where labels are not of the
-- values themselves but of (value - offset) / 10^k, the note, which stands once at the end of the axis, says so.

local ipairs, math, tostring, type = ipairs, math, tostring, type

local pg = ...

local ticks = {}

local superscript = {["-"] = "⁻", ["0"] = "⁰", ["1"] = "¹", ["2"] = "²", ["3"] = "³", ["4"] = "⁴", ["5"] = "⁵",
  ["6"] = "⁶", ["7"] = "⁷", ["8"] = "⁸", ["9"] = "⁹"}

local function minus(text) return (text:gsub("^%-", "−")) end

-- 10 to the k, as text.
function ticks.power(k)
  return "10" .. ("%d"):format(k):gsub(".", superscript)
end

-- The least step of 1, 2 or 5 times a power of ten that cuts lo..hi into at most `most` parts, as
-- its two factors.
local function nice_step(lo, hi, most)
  local raw = (hi - lo) / most
  local exponent = math.floor(math.log(raw, 10) + 1e-9)
  for _, m in ipairs({1, 2, 5}) do
    if m * 10.0 ^ exponent >= raw * (1 - 1e-9) then return m, exponent end
  end
  return 1, exponent + 1
end

-- 10^k without the rounding of a negative power: v * m * 10^k.
local function times(v, m, k)
  if k < 0 then return v * m / 10.0 ^ -k end
  return v * m * 10.0 ^ k
end

local function empty()
  return {values = {}, labels = {}, minor = {}, note = ""}
end

-- A number in few letters: 10⁹, 1.5·10⁹, or all its digits.
local function short(v)
  local digits, exponent = pg._format("%.14e", v):match("^(.-)e(.*)$")
  digits = digits:gsub("%.?0+$", "")
  local k = math.tointeger(exponent)
  if #digits > 5 or k < 5 then return pg._format("%.15g", v) end
  return (digits == "1" and "" or digits .. "·") .. ticks.power(k)
end

-- What ticks first..last (in steps of m * 10^k) have in common: a multiple of a power of ten, in units of
-- 10^k, among or just below them, so that what is left of each has few digits.
local function common(first, last, m)
  local unit = 1
  while unit <= (last - first) * m do unit = unit * 10 end
  if last < 0 then return -(-first * m // unit * unit) end
  return last * m // unit * unit
end

-- At most `most` steps on a linear axis, of integers alone where `whole`.
function ticks.linear(lo, hi, most, whole)
  local m, k = nice_step(lo, hi, most)
  if whole and k < 0 then m, k = 1, 0 end
  local step = times(1, m, k)
  local out = empty()
  local first, last = math.ceil(lo / step - 1e-6), math.floor(hi / step + 1e-6)
  local countable = math.type(first) == "integer" and math.type(last) == "integer" and math.max(-first, last) < 2 ^ 52
  if not countable then return out end
  local largest = math.max(math.abs(first), math.abs(last)) * step
  local power, offset = 0, 0
  if largest >= 1e5 or (largest > 0 and largest < 1e-3) then
    power = math.floor(math.log(largest, 10) + 1e-9)
  end
  -- a small change of a large number: what all have in common is said once
  local leading = largest > 0 and math.floor(math.log(largest, 10) + 1e-9) or 0
  if last > first and leading - k > 6 then
    offset = common(first, last, m)
    local rest = math.max(math.abs(first * m - offset), math.abs(last * m - offset)) * 10.0 ^ k
    power = rest > 0 and (rest >= 1e5 or rest < 1e-3) and math.floor(math.log(rest, 10) + 1e-9) or 0
  end
  local decimals = math.min(15, math.max(0, power - k))
  for i = first, last do
    out.values[#out.values + 1] = times(i, m, k)
    out.labels[#out.labels + 1] = minus(pg._format("%." .. decimals .. "f", times(i * m - offset, 1, k - power)))
  end
  if power ~= 0 then out.note = "×" .. ticks.power(power) end
  if offset ~= 0 then
    local v = times(offset, 1, k)
    out.note = out.note .. (out.note == "" and "" or " ") .. (v < 0 and "−" or "+") .. short(math.abs(v))
  end
  return out
end

-- Powers of ten, one in `every`; between neighbours the minor ticks of 2..9 when all are there.
local function decades(lo, hi, every)
  local out = empty()
  local first, last = math.ceil(math.log(lo, 10) - 1e-9), math.floor(math.log(hi, 10) + 1e-9)
  for k = first, last do
    if k % every == 0 then
      out.values[#out.values + 1] = 10.0 ^ k
      out.labels[#out.labels + 1] = ticks.power(k)
    elseif every <= 3 then
      out.minor[#out.minor + 1] = 10.0 ^ k
    end
  end
  if every == 1 then
    for k = first - 1, last do
      for m = 2, 9 do
        local v = m * 10.0 ^ k
        if v >= lo and v <= hi then out.minor[#out.minor + 1] = v end
      end
    end
  end
  return out
end

-- A part of a logarithmic axis with few powers of ten: 1, 2 and 5 times them, else linear steps.
local function within_decade(lo, hi, most)
  local out = empty()
  for k = math.floor(math.log(lo, 10)), math.ceil(math.log(hi, 10)) do
    for m = 1, 9 do
      local v = times(1, m, k)
      if v >= lo * (1 - 1e-9) and v <= hi * (1 + 1e-9) then
        if m == 1 or m == 2 or m == 5 then
          out.values[#out.values + 1] = v
          out.labels[#out.labels + 1] = (k < -4 or k > 4) and ("%d·%s"):format(m, ticks.power(k))
            or pg._format("%.10g", v)
        else
          out.minor[#out.minor + 1] = v
        end
      end
    end
  end
  if #out.values < 2 then return ticks.linear(lo, hi, most) end
  return out
end

-- Candidates from the most ticks to the fewest.
local function candidates(lo, hi, log, most, whole)
  local out = {}
  if log then
    local count = math.floor(math.log(hi, 10) + 1e-9) - math.ceil(math.log(lo, 10) - 1e-9) + 1
    if count < 3 then out[1] = within_decade(lo, hi, most) end
    if count < 2 then
      for n = most - 1, 1, -1 do out[#out + 1] = within_decade(lo, hi, n) end
    else
      for _, every in ipairs({1, 2, 3, 5, 10, 20, 50, 100, 200, 500}) do
        if count / every <= most + 1 then out[#out + 1] = decades(lo, hi, every) end
      end
    end
  else
    for n = most, 1, -1 do out[#out + 1] = ticks.linear(lo, hi, n, whole) end
  end
  return out
end

-- The most ticks whose labels keep `gap` pixels between them. place(v) is the pixel of a value,
-- extent(label) the pixels it takes along the axis; whole: only integers are marked.
function ticks.fit(lo, hi, log, most, place, extent, gap, whole)
  for _, set in ipairs(candidates(lo, hi, log, most, whole)) do
    local fits = true
    for i = 2, #set.values do
      local room = math.abs(place(set.values[i]) - place(set.values[i - 1]))
      fits = fits and room >= (extent(set.labels[i]) + extent(set.labels[i - 1])) / 2 + gap
    end
    if fits then return set end
  end
  return empty()
end

-- Ticks the user gave: {v1, v2, ...} or {{v1, ...}, {text1, ...}}.
function ticks.given(spec, lo, hi)
  local values, labels = spec, nil
  if type(spec[1]) == "table" then values, labels = spec[1], spec[2] end
  local out = empty()
  for i, v in ipairs(values) do
    if v >= lo and v <= hi then
      out.values[#out.values + 1] = v
      out.labels[#out.labels + 1] = labels and tostring(labels[i] or "") or minus(pg._format("%.10g", v))
    end
  end
  return out
end

return ticks
