-- SPDX-License-Identifier: MIT
-- pg._pretty(value [, width]) -> text: how the prompt shows a value. Tables are shown with their fields in order, three
-- deep and twenty wide; whatever has a text of its own shows that.
local pg = ...
local MOST, DEEPEST = 20, 3
local width = 80

local function quoted(text)
  if #text > 200 then text = text:sub(1, 197) .. "..." end
  return (("%q"):format(text):gsub("\\\n", "\\n"))
end

local show

local function own_text(value)
  local meta = getmetatable(value)
  return type(value) ~= "table" or meta == "array" or (type(meta) == "table" and rawget(meta, "__tostring") ~= nil)
end

local function ordered_keys(t)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= #t) then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    if type(a) == "number" or type(a) == "string" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function fields(t, depth, seen)
  local parts = {}
  for i = 1, math.min(#t, MOST) do parts[i] = show(rawget(t, i), depth + 1, seen) end
  if #t > MOST then parts[#parts + 1] = ("... %d more"):format(#t - MOST) end
  local keys = ordered_keys(t)
  for i, key in ipairs(keys) do
    if i > MOST then
      parts[#parts + 1] = ("... %d more fields"):format(#keys - MOST)
      break
    end
    local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show(key, DEEPEST, seen) .. "]"
    parts[#parts + 1] = name .. " = " .. show(rawget(t, key), depth + 1, seen)
  end
  return parts
end

function show(value, depth, seen)
  if type(value) == "string" then return quoted(value) end
  if rawequal(value, pg) then
    local names = {}
    for _, name in ipairs(pg._modules()) do
      if name:sub(1, 1) ~= "_" and type(pg[name]) == "table" then names[#names + 1] = name end
    end
    table.sort(names)
    return "Perigee's modules: " .. table.concat(names, ", ") .. "\n?NAME explains one, ? alone lists all functions"
  end
  if own_text(value) then
    local ok, text
    if getmetatable(value) == "array" then
      ok, text = pcall(pg.tostring, value, {width = math.max(10, width)})
    else
      ok, text = pcall(tostring, value)
    end
    if not ok then return "<" .. type(value) .. " whose __tostring fails>" end
    return depth > 0 and text:find("\n") and "\n" .. text or text
  end
  if seen[value] then return "{...}" end
  if next(value) == nil then return "{}" end
  if depth >= DEEPEST then return "{...}" end
  seen[value] = true
  local parts = fields(value, depth, seen)
  seen[value] = nil
  local line = "{" .. table.concat(parts, ", ") .. "}"
  if #line + 2 * depth <= width and not line:find("\n") then return line end
  local indent = ("  "):rep(depth + 1)
  for i, part in ipairs(parts) do parts[i] = indent .. part:gsub("\n", "\n" .. indent) .. ",\n" end
  return "{\n" .. table.concat(parts) .. ("  "):rep(depth) .. "}"
end

return function(value, columns)
  width = columns and columns > 0 and columns or 80
  if type(value) == "string" then return value end
  return show(value, 0, {})
end
