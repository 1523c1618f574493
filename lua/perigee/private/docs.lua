-- SPDX-License-Identifier: MIT
-- pg._docs: the manual as one HTML page, and as definitions for editors (LuaLS): `make docs`.
local pg = ...
local help = pg._help
local html = pg._html

local docs = {}

-- ---- HTML ------------------------------------------------------------------------------------

local function group_of(entry)
  return entry.name:match("^pg%.([%w_]+)%.") or entry.name:match("^([%w_]+)[.:]") or "pages"
end

local function list_of(title, items)
  if #items == 0 then return "" end
  local out = {"<dl>"}
  for _, item in ipairs(items) do
    out[#out + 1] = ("<dt><code>%s</code></dt><dd>%s</dd>"):format(html.escape(item.name or title),
      html.escape(item.text))
  end
  out[#out + 1] = "</dl>"
  return table.concat(out)
end

local function entry_html(entry)
  local examples = {}
  for i, example in ipairs(entry.examples) do
    examples[i] = html.escape("> " .. example.code .. (example.gives and "\n" .. help.lines(example.gives) or ""))
  end
  return table.concat{
    ('<section id="%s" data-text="%s"><h3><code>%s</code></h3>\n'):format(html.escape(entry.name),
      html.escape((entry.name .. " " .. entry.text):lower()), html.escape(entry.signature)),
    html.markdown(entry.text), list_of("", entry.params),
    #entry.returns > 0 and "<h4>returns</h4>" .. list_of("", entry.returns) or "", list_of("raises", entry.errors),
    list_of("source", entry.sources), #examples > 0 and "<pre>" .. table.concat(examples, "\n") .. "</pre>" or "",
    "</section>\n",
  }
end

function docs.html()
  local groups, by = {}, {}
  for _, entry in ipairs(help.entries()) do
    local group = group_of(entry)
    if by[group] == nil then
      by[group] = {}
      groups[#groups + 1] = group
    end
    table.insert(by[group], entry)
  end
  table.sort(groups, function(a, b)
    if a == "pg" or b == "pg" then return a == "pg" and b ~= "pg" end
    return a < b
  end)
  local out = {"<header><h1>Perigee ", html.escape(pg.info().perigee), '</h1>\n<p class="screen"><input id="filter" ',
    'type="search" placeholder="filter" aria-label="filter"></p><p class="screen">'}
  for _, group in ipairs(groups) do
    out[#out + 1] = ('<a href="#group-%s">%s</a> '):format(html.escape(group), html.escape(group))
  end
  out[#out + 1] = "</p></header>\n"
  for _, group in ipairs(groups) do
    out[#out + 1] = ('<h2 id="group-%s">%s</h2>\n'):format(html.escape(group), html.escape(group))
    for _, entry in ipairs(by[group]) do out[#out + 1] = entry_html(entry) end
  end
  return pg._page("Perigee reference", table.concat(out))
end

-- ---- LuaLS -----------------------------------------------------------------------------------

local OPERATORS = {"add", "sub", "mul", "div", "pow", "mod", "idiv", "band", "bor"}

-- What a description begins with, as a LuaLS type.
local function type_of(text)
  local words = {array = "perigee.array", list = "table", sequence = "table"}
  for _, word in ipairs{"number", "integer", "string", "boolean", "function", "table"} do words[word] = word end
  local list, met = {}, {}
  for word in (text:match("^[%w%s|]+") or ""):gmatch("%a+") do
    local t = words[word]
    if t == nil and word ~= "or" and word ~= "of" then break end
    if t and not met[t] then
      met[t] = true
      list[#list + 1] = t
    end
  end
  return #list > 0 and table.concat(list, "|") or "any"
end

local function parameters_of(entry)
  local inside = entry.signature:match("%((.-)%)%s*%->") or entry.signature:match("%((.*)%)") or ""
  inside = inside:gsub("[%[%]{}]", " ")
  local list = {}
  for word in inside:gmatch("[^,]+") do
    local name = word:match("^%s*([%a_][%w_]*)") or (word:find("%.%.%.") and "...")
    if list[#list] == "..." then break end
    if name then list[#list + 1] = ({["end"] = "stop", ["function"] = "f", ["repeat"] = "times"})[name] or name end
  end
  return list
end

-- The class of what a constructor gives.
local function class_of(entry, classes)
  local known = {["pg.random.new"] = "rng", ["pg.random.legacy"] = "rng", ["pg.plot.figure"] = "figure",
    ["pg.plot.grid"] = "figure", ["pg.experiment"] = "experiment"}
  if known[entry.name] then return "perigee." .. known[entry.name] end
  local module, verb = entry.name:match("^pg%.([%w_]+)%.([%w_]+)$")
  if module == "optim" and classes[verb] then return "perigee." .. verb end
  local makes = verb == "new" or verb == "fit" or verb == "load" or verb == "estimate"
  return makes and classes[module] and "perigee." .. module
end

-- A class of options for editors to complete; its name, or nil where there are none.
local function options_class(out, entry)
  local name
  for _, item in ipairs(entry.params) do
    local field = item.name:match("^[%w_]+%.([%w_]+)$")
    if field then
      if name == nil then
        name = "perigee.options." .. entry.name:gsub("[.:]", "_")
        out[#out + 1] = "---@class " .. name
      end
      out[#out + 1] = ("---@field %s? %s %s"):format(field, type_of(item.text), item.text)
    end
  end
  if name then out[#out + 1] = "" end
  return name
end

local function definition(out, entry, target, self_is_first, classes)
  local options = options_class(out, entry)
  for line in entry.text:gmatch("[^\n]+") do out[#out + 1] = "--- " .. line end
  for _, item in ipairs(entry.errors) do out[#out + 1] = "--- Raises: " .. item.text end
  local params = parameters_of(entry)
  if self_is_first then table.remove(params, 1) end
  local described = {}
  for _, item in ipairs(entry.params) do described[item.name] = item.text end
  for _, name in ipairs(params) do
    local text = described[name] or ""
    local optional = name ~= "..." and entry.signature:find("[%[,%s]" .. name .. "%s*%]") and "?" or ""
    local kind = options and (name == "opts" or name == "spec") and options or type_of(text)
    out[#out + 1] = ("---@param %s%s %s %s"):format(name, optional, kind, text):gsub("%s+$", "")
  end
  local class = class_of(entry, classes)
  for i, item in ipairs(entry.returns) do
    out[#out + 1] = ("---@return %s %s # %s"):format(i == 1 and class or type_of(item.text),
      item.name:find("^[%a_][%w_]*$") and item.name or "", item.text)
  end
  if #entry.returns == 0 then
    local gives = entry.signature:match("%->%s*(.*)$")
    if gives then out[#out + 1] = "---@return " .. (class or type_of(gives)) end
  end
  out[#out + 1] = ("function %s(%s) end\n"):format(target, table.concat(params, ", "))
end

-- One definition file: classes, then their functions.
function docs.luals()
  local out = {"---@meta perigee", "-- Made by `perigee help --luals`.", ""}
  local classes, by_name, modules, met = {}, {}, {}, {}
  for _, entry in ipairs(help.entries()) do
    local class, module = entry.name:match("^([%w_.]+):"), entry.name:match("^pg%.([%w_]+)%.")
    if class and class ~= "array" and not met[class .. ":"] then
      met[class .. ":"] = true
      by_name[class] = true
      classes[#classes + 1] = class
    end
    if module and not met[module] then
      met[module] = true
      modules[#modules + 1] = module
    end
  end
  out[#out + 1] = "---@class perigee.array\n---@field shape integer[]\n---@field ndim integer\n---@field size integer"
  out[#out + 1] = "---@field dtype string\n---@field T perigee.array\n---@field [integer] number|perigee.array"
  for _, op in ipairs(OPERATORS) do
    out[#out + 1] = ("---@operator %s(perigee.array|number): perigee.array"):format(op)
  end
  out[#out + 1] = "---@operator unm: perigee.array\nlocal array = {}\n"
  table.sort(classes)
  for _, class in ipairs(classes) do
    out[#out + 1] = ("---@class perigee.%s\nlocal %s = {}\n"):format(class, (class:gsub("%.", "_")))
  end
  out[#out + 1] = "---@class perigee\nlocal pg = {}\n"
  table.sort(modules)
  for _, module in ipairs(modules) do
    out[#out + 1] = ("---@class perigee.module.%s\npg.%s = {}\n"):format(module, module)
  end
  for _, entry in ipairs(help.entries()) do
    local has_call = entry.signature:find("[({]")
    local plain = entry.name:match("^pg%.([%w_]+)$")
    if has_call and not (plain and met[plain]) then
      local class, method = entry.name:match("^([%w_.]+):([%w_]+)$")
      definition(out, entry, class and class:gsub("%.", "_") .. ":" .. method or entry.name, false, by_name)
      if plain and docs.is_method(plain) then definition(out, entry, "array:" .. plain, true, by_name) end
    end
  end
  out[#out + 1] = "return pg\n"
  return table.concat(out, "\n")
end

-- Whether an array function is a method as well.
function docs.is_method(name)
  local ok, method = pcall(function() return pg.zeros(1)[name] end)
  return ok and type(method) == "function"
end

return docs
