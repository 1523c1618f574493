-- SPDX-License-Identifier: MIT
-- pg._complete(environment, line, first, last) -> list of strings: what the word at line[first..last) can become. Names
-- and fields, methods after a colon, option names inside the braces of a call, files inside a string, commands, help.
local pg = ...
local args = pg._args
local help = pg._help
local lexer = pg._lexer
local system = pg._system

local COMMANDS = {":help", ":load", ":mem", ":quit", ":time"}

-- Fields of a value as far as they can be listed without running anything of it.
local function fields_of(value, into)
  local function add(name)
    if type(name) == "string" and name:find("^[%a_][%w_]*$") and name:sub(1, 1) ~= "_" then into[name] = true end
  end
  if value == pg then
    for _, name in ipairs(pg._modules()) do add(name) end
    for name in pairs(pg) do add(name) end
  elseif type(value) == "table" then
    for name in next, value do add(name) end
  end
  local meta = getmetatable(value)
  if meta == "array" then
    for _, name in ipairs(pg._array_names()) do add(name) end
    for _, name in ipairs(pg._functions.names) do
      if pg._functions.method(name) then add(name) end
    end
  elseif type(meta) == "table" then
    local index = rawget(meta, "__index")
    if type(index) == "table" and index ~= value then fields_of(index, into) end
    local class = rawget(meta, "__name")
    if type(class) == "string" then
      class = class:gsub("%.", "%%.")
      for _, entry in ipairs(help.entries()) do add(entry.name:match("^" .. class .. "[:.]([%w_]+)$")) end
    end
  elseif type(meta) == "string" then
    for _, entry in ipairs(help.entries()) do add(entry.name:match("^" .. meta .. "[:.]([%w_]+)$")) end
  end
end

-- The value that names joined by dots stand for, and whether there is one.
local function value_of(environment, path)
  local value = environment
  for name in path:gmatch("[^.:]+") do
    local ok, next_value = pcall(function() return value[name] end)
    if not ok or next_value == nil then return nil, false end
    value = next_value
  end
  return value, true
end

local function starting_with(set, prefix, before)
  local list = {}
  for _, name in ipairs(args.sorted_keys(set)) do
    if name:sub(1, #prefix) == prefix then list[#list + 1] = before .. name end
  end
  return list
end

-- The function in whose braces the text ends, as in `pg.plot.figure{wid` or `net:fit(x, y, {ep`: its entry in the help.
local function called(environment, tokens)
  local depth, i = 0, #tokens
  while i > 0 do
    local t = tokens[i].text
    if t == "}" or t == ")" or t == "]" then
      depth = depth + 1
    elseif t == "{" and depth == 0 then
      break
    elseif t == "{" or t == "(" or t == "[" then
      depth = depth - 1
    end
    i = i - 1
  end
  if i == 0 then return nil end
  local before = tokens[i - 1]
  if before and before.kind ~= "name" then -- {...} is an argument: go on to the call's parenthesis
    depth, i = 0, i - 1
    while i > 0 do
      local t = tokens[i].text
      if t == "}" or t == ")" or t == "]" then
        depth = depth + 1
      elseif t == "(" and depth == 0 then
        break
      elseif t == "{" or t == "(" or t == "[" then
        depth = depth - 1
      end
      i = i - 1
    end
    if i == 0 then return nil end
  end
  local parts, k = {}, i - 1
  while k > 0 and (tokens[k].kind == "name" or tokens[k].text == "." or tokens[k].text == ":") do
    table.insert(parts, 1, tokens[k].text)
    k = k - 1
  end
  local path = table.concat(parts)
  local object, method = path:match("^(.*):([%w_]+)$")
  if object then
    local meta = getmetatable((value_of(environment, object)))
    local class = type(meta) == "table" and rawget(meta, "__name") or meta
    return type(class) == "string" and help.find(class .. ":" .. method)
  end
  return #path > 0 and help.find(path)
end

local function option_names(entry, prefix)
  local set = {}
  for _, item in ipairs(entry.params) do
    local name = item.name:match("^[%w_]+%.([%w_]+)$")
    if name then set[name .. " = "] = true end
  end
  return starting_with(set, prefix, "")
end

-- The word may begin within a file's name, which can hold what ends a word of Lua.
local function files(text, word)
  local folder, prefix = text:match("^(.*/)([^/]*)$")
  folder, prefix = folder or "", prefix or text
  local list = {}
  local ok, names = pcall(system.list, folder == "" and "." or folder)
  if not ok then return list end
  table.sort(names)
  for _, name in ipairs(names) do
    if name:sub(1, #prefix) == prefix then
      list[#list + 1] = name:sub(#prefix - #word + 1) .. (system.kind(folder .. name) == "folder" and "/" or "")
    end
  end
  return list
end

return function(environment, line, first, last)
  local text, word = line:sub(1, last), line:sub(first + 1, last)
  local asked = text:match("^%s*%?+%s*([%w_.:]*)$")
  if asked then
    local set = {}
    for _, entry in ipairs(help.entries()) do
      set[entry.name] = true
      set[entry.name:gsub("^pg%.", "")] = true
    end
    return starting_with(set, word, "")
  end
  if text:find("^%s*:%a*$") then
    local list = {}
    for _, command in ipairs(COMMANDS) do
      if command:sub(1, #word) == word then list[#list + 1] = command end
    end
    return list
  end
  if text:find("^%s*:load%s") then return files(text:match(":load%s+(.*)$"), word) end
  local tokens = lexer.tokens(text)
  local tail = tokens[#tokens]
  if tail and tail.kind == "string" and tail.open then return files(tail.text:sub(2), word) end
  local object, mark, prefix = word:match("^([%w_.]+)([.:])([%w_]*)$")
  local set = {}
  if object then
    local value, found = value_of(environment, object)
    if not found then return {} end
    fields_of(value, set)
    if mark == ":" and type(value) == "table" then
      for name in pairs(set) do
        local ok, field = pcall(function() return value[name] end)
        if ok and field ~= nil and type(field) ~= "function" then set[name] = nil end
      end
    end
    return starting_with(set, prefix, object .. mark)
  end
  local before = tail and tokens[tail.first > first and #tokens - 1 or #tokens]
  local entry = before and (before.text == "{" or before.text == ",") and called(environment, tokens)
  local list = entry and option_names(entry, word) or {}
  if #list > 0 then return list end
  if word == "" then return {} end
  fields_of(environment, set)
  for name in next, _G do
    if type(name) == "string" then set[name] = true end
  end
  for name in pairs(lexer.keywords) do set[name] = true end
  return starting_with(set, word, "")
end
