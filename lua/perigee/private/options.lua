-- SPDX-License-Identifier: MIT
-- pg._options: options of a program with a type each, read from words of a command line. An
-- experiment's options and those of `perigee run` are both read here.
local pg = ...
local args = pg._args
local system = pg._system

local options = {}

local KINDS = {
  flag = "", file = "FILE", folder = "DIR", string = "TEXT", number = "X", integer = "N",
  strings = "TEXT,...", numbers = "X,...", integers = "N,...",
}
local ITEM = {strings = "string", numbers = "number", integers = "integer"}
local WANTED = {
  flag = "true or false", file = "the path of a file", folder = "the path of a folder",
  string = "text", number = "a number",
  integer = "an integer",
}

-- What makes a table from pg.option differ from a list given as a default.
local Option = {__name = "option"}

local function kind_of(value)
  local t = type(value)
  if t == "boolean" then return "flag" end
  if t == "number" then return math.type(value) == "integer" and "integer" or "number" end
  if t == "string" then return "string" end
  if t ~= "table" then return nil end
  local kind = kind_of(value[1])
  for _, item in ipairs(value) do
    local k = kind_of(item)
    if k == "number" and kind == "integer" then kind = "number" end
    if k ~= kind and not (k == "integer" and kind == "number") then return nil end
  end
  return kind and ({string = "strings", number = "numbers", integer = "integers"})[kind]
end

function options.option(spec)
  local given = args.options("option", 1, spec, {type = args.any, default = args.any, choices = args.any, help = "",
    position = args.any})
  if given.position ~= nil then args.integer("option", 1, "position", given.position, 1, 100) end
  local kind = given.type or kind_of(given.default)
  if kind == nil then args.fail("option", 1, "give a type, or a default that shows it") end
  local kinds = args.sorted_keys(KINDS)
  args.choice("option", 1, "type", kind, kinds)
  if given.help == "" then given.help = nil end
  given.type = kind
  return setmetatable(given, Option)
end

-- The declarations in a table of defaults and options, sorted by name.
function options.declare(table_of, where)
  local list = {}
  for _, name in ipairs(args.sorted_keys(table_of)) do
    local value = table_of[name]
    if type(name) ~= "string" or not name:find("^%a[%w_]*$") then
      error(("%s: '%s' is not a name for an option"):format(where, tostring(name)), 0)
    end
    if getmetatable(value) ~= Option then
      if kind_of(value) == nil then
        error(("%s: option '%s' has the default %s; give a number, a string, a flag, a list of one kind or pg.option")
          :format(where, name, args.got(value)), 0)
      end
      value = {type = kind_of(value), default = value}
    end
    list[#list + 1] = {
      name = name, type = value.type, default = value.default, choices = value.choices, help = value.help,
      position = value.position,
    }
  end
  return list
end

local function flag_name(name)
  return "--" .. name:gsub("_", "-")
end

local function convert(kind, text)
  if kind == "number" then return tonumber(text) end
  if kind == "integer" then return math.tointeger(tonumber(text)) end
  if kind == "flag" then
    local known = {["true"] = true, yes = true, ["1"] = true, ["false"] = false, no = false, ["0"] = false}
    return known[text]
  end
  if (kind == "file" or kind == "folder") and text == "" then
    error("expected " .. WANTED[kind] .. ", got an empty text", 0)
  elseif kind == "file" then
    local found = system.kind(text)
    if found == nil then error(text .. ": No such file", 0) end
    if found == "folder" then error(text .. ": is a folder, a file is wanted", 0) end
  end
  return text
end

local function chosen(option, value)
  if option.choices == nil then return end
  local names = {}
  for i, choice in ipairs(option.choices) do
    if choice == value then return end
    names[i] = tostring(choice)
  end
  local near = args.nearest(tostring(value), names)
  error(("%s: '%s' is not one of %s%s"):format(flag_name(option.name), tostring(value), table.concat(names, ", "),
    near and "; did you mean '" .. near .. "'?" or ""), 0)
end

-- The value that text stands for, else an error that says what was wanted.
function options.value(option, text)
  local function one(kind, word)
    local ok, value = pcall(convert, kind, word)
    if not ok then error(flag_name(option.name) .. ": " .. value, 0) end
    if value == nil then
      error(("%s: expected %s, got '%s'%s"):format(flag_name(option.name), WANTED[kind], word,
        kind == "integer" and tonumber(word) and " (its default is an integer; write it 1.0 for any number)" or ""), 0)
    end
    return value
  end
  local item = ITEM[option.type]
  if item == nil then
    local value = one(option.type, text)
    chosen(option, value)
    return value
  end
  local list = {}
  text = text:match("^%[(.*)%]$") or text
  if text:find("%S") then
    for word in (text .. ","):gmatch("%s*(.-)%s*,") do
      list[#list + 1] = one(item, word)
      chosen(option, list[#list])
    end
  end
  return list
end

local function find(declared, word)
  local wanted = word:gsub("-", "_")
  for _, option in ipairs(declared) do
    if option.name == wanted then return option, false end
    if option.type == "flag" and "no_" .. option.name == wanted then return option, true end
  end
end

-- Reads words. Returns the values given (by name; a `many` option's is a list) and the words that
-- are no options. Raises the sentence for the first that is wrong.
function options.parse(declared, words)
  local given, rest = {}, {}
  local i = 1
  while i <= #words do
    local word = words[i]
    i = i + 1
    local name, text = word:match("^%-%-?([%a][%w_%-]*)=?(.*)$")
    if word == "--" then
      table.move(words, i, #words, #rest + 1, rest)
      break
    elseif name == nil then
      rest[#rest + 1] = word
    else
      local has_text = word:find("=", 1, true) ~= nil
      local option, off
      for _, short in ipairs(declared) do
        if short.short == name then option = short end
      end
      -- -j4 is -j 4
      if option == nil and not word:find("^%-%-") and not has_text then
        for _, short in ipairs(declared) do
          local tail = short.short and name:match("^" .. short.short .. "(%d+)$")
          if tail then option, text, has_text = short, tail, true end
        end
      end
      if option == nil then option, off = find(declared, name) end
      if option == nil then
        local names = {}
        for k, o in ipairs(declared) do names[k] = o.name:gsub("_", "-") end
        local near = args.nearest(name:gsub("_", "-"), names)
        error(("unknown option %s; %s"):format(word:match("^[^=]*"),
          near and ("did you mean --%s?"):format(near) or "--help lists the options"), 0)
      end
      local value
      if option.type == "flag" and not has_text then
        value = not off
      else
        if not has_text then
          text = words[i]
          i = i + 1
          if text == nil then
            error(("%s: a value is missing"):format(flag_name(option.name)), 0)
          end
        end
        value = options.value(option, text)
        if off then value = not value end
      end
      if option.many then
        given[option.name] = given[option.name] or {}
        table.insert(given[option.name], value)
      else
        given[option.name] = value
      end
    end
  end
  return given, rest
end

-- Gives words that are no options to the options that have a position, the first to position 1; a list at the last
-- position takes all that are left. Raises the sentence for the first word that has no place.
function options.place(declared, given, words)
  local at, last = {}, 0
  for _, option in ipairs(declared) do
    if option.position then at[option.position], last = option, math.max(last, option.position) end
  end
  for k, word in ipairs(words) do
    local option = at[k]
    local tail = at[last]
    if not option and k > last and tail and ITEM[tail.type] then
      local more = options.value(tail, word)
      table.move(more, 1, #more, #given[tail.name] + 1, given[tail.name])
    elseif not option then
      error(("unexpected word '%s'; options are written --name value"):format(word), 0)
    elseif given[option.name] ~= nil then
      error(("'%s' and --%s are the same option"):format(word, option.name:gsub("_", "-")), 0)
    else
      given[option.name] = options.value(option, word)
    end
  end
end

-- A value as it is written on the command line.
function options.text(value)
  if type(value) == "table" then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = options.text(item) end
    return table.concat(parts, ",")
  end
  if math.type(value) == "float" then
    local short = pg._format("%.14g", value)
    return tonumber(short) == value and short or pg._format("%.17g", value)
  end
  return tostring(value)
end

-- The lines of a help text, one an option.
function options.lines(declared, quick)
  local left, width = {}, 0
  for i, option in ipairs(declared) do
    local placeholder = option.placeholder or KINDS[option.type]
    left[i] = (option.short and "-" .. option.short .. ", " or "") ..
      (option.default == true and "--[no-]" .. flag_name(option.name):sub(3) or flag_name(option.name)) ..
      (placeholder ~= "" and " " .. placeholder or "")
    width = math.max(width, #left[i])
  end
  local lines = {}
  for i, option in ipairs(declared) do
    local facts = {}
    if option.help then facts[#facts + 1] = option.help end
    if option.position then facts[#facts + 1] = ("or as word %d"):format(option.position) end
    if option.default ~= nil and option.default ~= false then
      facts[#facts + 1] = "default " .. options.text(option.default)
    end
    if quick and quick[option.name] ~= nil then
      facts[#facts + 1] = "with --quick " .. options.text(quick[option.name])
    end
    if option.choices then
      facts[#facts + 1] = "one of " .. options.text(option.choices)
    end
    lines[i] = ("  %-" .. width .. "s  %s"):format(left[i], table.concat(facts, "; ")):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return options
