-- SPDX-License-Identifier: MIT
-- What the manual lacks: functions a user can reach that have no entry, and examples that do not give what they say.
-- `perigee tests/docs.lua` prints the sentences and fails where there are any; help_spec.lua asks for the list.
local pg = require "perigee"
local help = pg._help

local docs = {}

local function public(name)
  return type(name) == "string" and name:sub(1, 1) ~= "_"
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or (type(meta) == "table" and rawget(meta, "__call") ~= nil)
end

-- Fields of pg, with every module opened.
local function fields()
  local set = {}
  for _, name in ipairs(pg._modules()) do
    if public(name) then set[name] = true end
  end
  for name in pairs(pg) do
    if public(name) then set[name] = true end
  end
  return sorted(set)
end

-- One object of each class that has methods, so that its methods can be listed.
local function objects(missing)
  local rng = pg.random.new(0)
  pg._model.open_all()
  local list = {{"rng", pg.random.legacy(0)}}
  for name, class in pg._model.classes() do
    local ok, object = pcall(class.example, rng)
    if ok then list[#list + 1] = {name, object, class} else missing[#missing + 1] = name .. ": " .. tostring(object) end
  end
  return list
end

-- Names of the methods of an object's class.
local function methods_of(class, object, described)
  local set = {}
  for _, name in ipairs(described and described.names and described.names() or {}) do
    if public(name) and described.method(name) then set[name] = true end
  end
  local meta = debug.getmetatable(object)
  local index = meta and rawget(meta, "__index")
  for _, source in ipairs{type(index) == "table" and index or {}, meta or {}} do
    for name, value in next, source do
      if public(name) and type(value) == "function" then set[name] = true end
    end
  end
  -- Where __index is a function its methods are those the manual names and the object has.
  for _, entry in ipairs(help.entries()) do
    local name = entry.name:match("^" .. class:gsub("%.", "%%.") .. ":([%w_]+)$")
    if name then set[name] = true end
  end
  return sorted(set)
end

function docs.uncovered()
  local list = {}
  for _, name in ipairs(fields()) do
    local value = pg[name]
    -- A name that is a keyword of Lua is written with an underscore behind it.
    if callable(value) and not (help.find("pg." .. name) or help.find("pg." .. name .. "_")) then
      list[#list + 1] = "pg." .. name
    end
    if type(value) == "table" and not getmetatable(value) or type(value) == "table" and not callable(value) then
      local set = {}
      for field, f in next, value do
        -- pg's own functions under a second name, such as pg.nn.relu, have their entry there
        if public(field) and callable(f) and not rawequal(f, rawget(pg, field)) then set[field] = true end
      end
      for _, field in ipairs(sorted(set)) do
        if help.find("pg." .. name .. "." .. field) == nil then list[#list + 1] = "pg." .. name .. "." .. field end
      end
    end
  end
  local found, wanted = {}, {}
  for _, pair in ipairs(objects(list)) do
    local class, object = pair[1], pair[2]
    for _, name in ipairs(methods_of(class, object, pair[3])) do
      local ok, method = pcall(function() return object[name] end)
      local full = class .. ":" .. name
      wanted[full] = true
      found[full] = found[full] or ok and type(method) == "function"
    end
  end
  for _, full in ipairs(sorted(wanted)) do
    if help.find(full) == nil then
      list[#list + 1] = full
    elseif not found[full] then
      list[#list + 1] = full .. " is in the manual, and no object has such a method"
    end
  end
  -- Every class that the manual describes is one whose methods are looked at here.
  local known = {array = true, rng = true}
  for name in pg._model.classes() do known[name] = true end
  for _, entry in ipairs(help.entries()) do
    local class = entry.name:match("^([%w_.]+):")
    if class and not known[class] then
      list[#list + 1] = entry.name .. " is in the manual, but its class is not known"
    end
  end
  for _, name in ipairs(help.twice) do list[#list + 1] = name .. " has two entries" end
  return list
end

local function squeezed(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

function docs.wrong_examples()
  local list, count = {}, 0
  for _, entry in ipairs(help.entries()) do
    for _, example in ipairs(entry.examples) do
      count = count + 1
      local environment = setmetatable({pg = pg}, {__index = _G})
      local f, why = load("return " .. example.code, "=example", "t", environment)
      if f == nil then f = load(example.code, "=example", "t", environment) end
      local ok, result = false, why
      if f then ok, result = pcall(f) end
      local text = tostring(result)
      if not ok then
        list[#list + 1] = ("%s: %s raises %s"):format(entry.name, example.code, text)
      elseif example.gives and squeezed(text) ~= squeezed(example.gives) then
        list[#list + 1] = ("%s: %s gives %s, not %s"):format(entry.name, example.code, squeezed(text), example.gives)
      end
    end
  end
  return list, count
end

if arg and arg[0] and arg[0]:find("docs%.lua$") then
  local uncovered = docs.uncovered()
  local wrong, count = docs.wrong_examples()
  for _, name in ipairs(uncovered) do print("no entry: " .. name) end
  for _, sentence in ipairs(wrong) do print(sentence) end
  print(("%d entries, %d examples; %d without an entry, %d wrong"):format(#help.entries(), count, #uncovered, #wrong))
  os.exit(#uncovered + #wrong == 0 and 0 or 1, true)
end

return docs
