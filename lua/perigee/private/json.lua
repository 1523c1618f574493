-- SPDX-License-Identifier: MIT
-- pg._json: JSON text for the files of experiments and batches. Objects are written with their names in order, so that
-- equal values give equal bytes; a table with a first element is a list, and an empty one too when json.list made it.
-- What JSON has no word for is written as Python's json module does: NaN, Infinity, -Infinity.
local json = {}

local List = {}

-- Marks a table as a list, for when it is empty.
function json.list(t)
  return setmetatable(t or {}, List)
end

local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t"}

-- text with every byte that is not part of valid UTF-8 replaced by U+FFFD.
function json.utf8(text)
  if utf8.len(text) then return text end
  local parts, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    if bad == nil then
      parts[#parts + 1] = text:sub(at)
      break
    end
    parts[#parts + 1] = text:sub(at, bad - 1)
    parts[#parts + 1] = "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(parts)
end

-- Whether text that is not UTF-8 is refused; else its bytes become U+FFFD.
local strict

local function quote(text)
  if strict and not utf8.len(text) then error("a string that is not UTF-8 has no JSON form", 0) end
  return '"' .. json.utf8(text):gsub('[%c"\\\127]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value then return "NaN" end
  if value == math.huge or value == -math.huge then return value > 0 and "Infinity" or "-Infinity" end
  for digits = 15, 17 do
    -- Whatever the locale has between whole and fraction becomes a point.
    local text = ("%." .. digits .. "g"):format(value):gsub("[^%d%+%-e]+", ".")
    if tonumber(text) == value then return text:find("[.e]") and text or text .. ".0" end
  end
end

local write

-- The number of elements of a table that is a list, or nil. What is both, or has gaps, has no JSON form.
local function list_length(value)
  local n, keys = #value, 0
  for _ in next, value do keys = keys + 1 end
  if n == 0 and (keys > 0 or getmetatable(value) ~= List) then return nil end
  for i = 1, n do
    if value[i] == nil then keys = -1 end
  end
  if n ~= keys then error("a list with gaps or names has no JSON form", 0) end
  return n
end

local function write_list(out, value, n, indent)
  local deeper = indent .. "  "
  local flat = true
  for i = 1, n do flat = flat and type(value[i]) ~= "table" end
  out[#out + 1] = "["
  for i = 1, n do
    out[#out + 1] = (i > 1 and "," or "") .. (flat and (i > 1 and " " or "") or "\n" .. deeper)
    write(out, value[i], deeper)
  end
  out[#out + 1] = (flat and "" or "\n" .. indent) .. "]"
end

local function write_object(out, value, indent)
  local deeper = indent .. "  "
  local names, fields = {}, {}
  for key, field in next, value do
    local name = tostring(key)
    if fields[name] ~= nil or (type(key) ~= "string" and type(key) ~= "number") then
      error("a table with the key " .. name .. " has no JSON form", 0)
    end
    names[#names + 1], fields[name] = name, field
  end
  table.sort(names)
  out[#out + 1] = "{"
  for i, name in ipairs(names) do
    out[#out + 1] = (i > 1 and "," or "") .. "\n" .. deeper .. quote(name) .. ": "
    write(out, fields[name], deeper)
  end
  out[#out + 1] = (#names > 0 and "\n" .. indent or "") .. "}"
end

function write(out, value, indent)
  local t = type(value)
  local meta = getmetatable(value)
  if t == "nil" or meta == "none" then
    out[#out + 1] = "null"
  elseif t == "boolean" then
    out[#out + 1] = tostring(value)
  elseif t == "number" then
    out[#out + 1] = number(value)
  elseif t == "string" then
    out[#out + 1] = quote(value)
  elseif meta == "array" then
    write(out, value.ndim == 0 and value:item() or json.list(value:totable()), indent)
  elseif t == "table" then
    if #indent > 200 then error("a table nested more than 100 deep has no JSON form", 0) end
    local n = list_length(value)
    if n then write_list(out, value, n, indent) else write_object(out, value, indent) end
  else
    error("a " .. t .. " has no JSON form", 0)
  end
end

-- The text of a value; `exactly` refuses strings that are not UTF-8.
function json.encode(value, exactly)
  strict = exactly
  local out = {}
  write(out, value, "")
  out[#out + 1] = "\n"
  return table.concat(out)
end

local UNESCAPE = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}

local read

local function fail(text, at, what)
  error(("not JSON: %s (byte %d)"):format(what, math.min(at, #text + 1)), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function read_string(text, at)
  local parts = {}
  local from = at + 1
  while true do
    local stop = text:find('["\\%z\1-\31]', from)
    if stop == nil then fail(text, #text + 1, "a string has no end") end
    parts[#parts + 1] = text:sub(from, stop - 1)
    local c = text:sub(stop, stop)
    if c == '"' then return table.concat(parts), stop + 1 end
    if c ~= "\\" then fail(text, stop, "a control character in a string") end
    local e = text:sub(stop + 1, stop + 1)
    if e == "u" then
      local code = tonumber(text:match("^%x%x%x%x", stop + 2) or fail(text, stop, "a bad escape"), 16)
      from = stop + 6
      local low = code >= 0xD800 and code < 0xDC00 and text:match("^\\u([dD][c-fC-F]%x%x)", from)
      if low then
        code = 0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00
        from = from + 6
      elseif code >= 0xD800 and code < 0xE000 then
        fail(text, stop, "half of a surrogate pair")
      end
      parts[#parts + 1] = utf8.char(code)
    else
      parts[#parts + 1] = UNESCAPE[e] or fail(text, stop, "a bad escape")
      from = stop + 2
    end
  end
end

local function read_list(text, at, depth)
  local list = json.list()
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read(text, at, depth)
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "]" then return list, at + 1 end
    if c ~= "," then fail(text, at, "expected , or ]") end
    at = at + 1
  end
end

local function read_object(text, at, depth)
  local object, seen = {}, {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    at = skip(text, at)
    if text:sub(at, at) ~= '"' then fail(text, at, "expected a name") end
    local name
    local place = at
    name, at = read_string(text, at)
    if seen[name] then fail(text, place, "a name stands twice in one object") end
    seen[name] = true
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(text, at, "expected :") end
    object[name], at = read(text, at + 1, depth)
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "}" then return object, at + 1 end
    if c ~= "," then fail(text, at, "expected , or }") end
    at = at + 1
  end
end

local WORDS = {{"true", true}, {"false", false}, {"NaN", 0 / 0}, {"Infinity", math.huge}, {"-Infinity", -math.huge}}

-- What null becomes, and whether numbers may be rounded, while decode runs.
local null, rounding

-- A number of JSON's form. Whole ones are exact, or refused; none becomes infinite.
local function to_number(text, at, digits)
  local value = tonumber(digits)
  if value == math.huge or value == -math.huge then fail(text, at, "a number beyond the range of a double") end
  if math.type(value) == "float" and not rounding and not digits:find("[.eE]") and
    ("%.0f"):format(value) ~= digits then
    fail(text, at, digits:sub(1, 40) .. " cannot be held exactly; {exact=false} rounds it")
  end
  return value
end

function read(text, at, depth)
  at = skip(text, at)
  if depth > 100 then fail(text, at, "nested too deep") end
  local c = text:sub(at, at)
  if c == '"' then return read_string(text, at) end
  if c == "[" then return read_list(text, at, depth + 1) end
  if c == "{" then return read_object(text, at, depth + 1) end
  for _, word in ipairs(WORDS) do
    if text:sub(at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  end
  if text:sub(at, at + 3) == "null" then return null, at + 4 end
  local digits = text:match("^-?0", at) or text:match("^-?[1-9]%d*", at)
  if digits == nil then fail(text, at, "expected a value") end
  digits = digits .. (text:match("^%.%d+", at + #digits) or "")
  digits = digits .. (text:match("^[eE][+-]?%d+", at + #digits) or "")
  if text:find("^[%w.+-]", at + #digits) then fail(text, at, "a number is not written so") end
  return to_number(text, at, digits), at + #digits
end

-- The value of a JSON text; null is nil, or what `none` is. `rounded` lets whole numbers lose digits.
function json.decode(text, none, rounded)
  null, rounding = none, rounded
  local mark = text:sub(1, 3) == "\xEF\xBB\xBF" and 4 or 1
  local length, bad = utf8.len(text)
  if not length then fail(text, bad, "not UTF-8") end
  local value, at = read(text, mark, 0)
  at = skip(text, at)
  if at <= #text then fail(text, at, "more than one value") end
  return value
end

return json
