-- SPDX-License-Identifier: MIT
-- pg._help: the manual, read from the doc blocks that stand at the definitions. `perigee help name` and ?name at the
-- prompt show an entry; docs.lua makes the HTML reference and the editor's definitions from the same.
local pg = ...
local args = pg._args

local help = {}

local entries, by_name

-- An entry: {name=, signature=, text=, params = {{name=, text=}}, returns = {...}, errors = {...}, sources = {...},
-- examples = {{code=, gives=}}}.
local function parse(block)
  local lines = {}
  for line in (block .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  local entry = {signature = lines[1], params = {}, returns = {}, errors = {}, sources = {}, examples = {}}
  entry.name = lines[1]:match("^[%w_.:]+")
  local text, last = {}, nil
  for i = 2, #lines do
    local kind, rest = lines[i]:match("^@(%a+)%s*(.*)$")
    if kind == "param" or kind == "return" then
      local name, what = rest:match("^(%S+)%s*(.*)$")
      last = {name = name, text = what or rest}
      table.insert(kind == "param" and entry.params or entry.returns, last)
    elseif kind == "error" or kind == "source" then
      last = {text = rest}
      table.insert(kind == "error" and entry.errors or entry.sources, last)
    elseif kind == "example" then
      last = {text = rest}
      table.insert(entry.examples, last)
    elseif last and lines[i]:find("%S") then
      last.text = last.text .. " " .. lines[i]:gsub("^%s+", "")
    elseif lines[i]:find("%S") or #text > 0 then
      text[#text + 1] = lines[i]
    end
  end
  for _, example in ipairs(entry.examples) do
    local code, gives = example.text:match("^(.-)%s*%-%->%s*(.*)$")
    example.code, example.gives = code or example.text, gives
  end
  while text[#text] == "" do text[#text] = nil end
  entry.text = table.concat(text, "\n")
  return entry
end

-- What all models have is described once, as model:save, and so for optimizers; here it becomes that of each class of
-- the kind which does not describe it itself.
local function inherit(templates)
  pg._model.open_all()
  for name, class in pg._model.classes() do
    for _, block in ipairs(templates) do
      local kind = block:match("^pg%.(%w+)") or block:match("^%w+")
      local entry = parse((block:gsub("pg%." .. kind .. "%.", "pg." .. name .. "."):gsub(kind .. ":", name .. ":")))
      local method = entry.name:match(":([%w_]+)$")
      local has = class.kind == kind and (method and class.method(method) or not method and class.load)
      if has and by_name[entry.name] == nil then
        by_name[entry.name] = entry
        entries[#entries + 1] = entry
      end
    end
  end
end

-- All entries, in order of their names; names that have two blocks are kept in help.twice.
function help.entries()
  if entries then return entries end
  entries, by_name, help.twice = {}, {}, {}
  local templates = {}
  for block in pg._helptext:gmatch("\1([^\1]*)") do
    local entry = parse(block)
    if block:find("^model:") or block:find("^pg%.model%.") or block:find("^optimizer:") then
      templates[#templates + 1] = block
    elseif entry.name and by_name[entry.name] then
      help.twice[#help.twice + 1] = entry.name
    elseif entry.name then
      by_name[entry.name] = entry
      entries[#entries + 1] = entry
    end
  end
  inherit(templates)
  table.sort(entries, function(a, b) return a.name < b.name end)
  return entries
end

-- Entries whose last word is `word`, such as pg.linalg.svd for svd.
function help.named(word)
  local list = {}
  for _, entry in ipairs(help.entries()) do
    if entry.name:match("[.:]([%w_]+)$") == word then list[#list + 1] = entry end
  end
  return list
end

-- The entry of a name as people write it: pg.sum, sum, array:sum, ppca.fit, ppca:encode, svd where there is one svd,
-- accumulator:add where one class of that name has it.
function help.find(name)
  help.entries()
  name = name:gsub("%s+$", ""):gsub("%(.*$", "")
  local tail = name:match("^array[:.](.+)$") or name:match("^a[:.](.+)$")
  local entry = by_name[name] or by_name["pg." .. name]
    or (tail and (by_name["array:" .. tail] or by_name["pg." .. tail]))
    or by_name["array:" .. name] or by_name["pg." .. name:gsub(":", ".")] or by_name["pg." .. name .. "_"]
  if entry then return entry end
  local class, method = name:match("^([%w_]+):([%w_]+)$")
  local list = {}
  for _, e in ipairs(help.named(method or name)) do
    if class == nil or e.name:find("." .. class .. ":" .. method, 1, true) then list[#list + 1] = e end
  end
  return #list == 1 and list[1] or nil
end

-- Entries that lie under a name, such as those of pg.linalg or of ppca's models.
function help.under(name)
  local short = name:gsub("^pg%.", "")
  local list = {}
  for _, entry in ipairs(help.entries()) do
    if short == "pg" and entry.name:find("^pg%.[%w_]+$") or entry.name:sub(1, #short + 4) == "pg." .. short .. "."
      or entry.name:sub(1, #short + 1) == short .. ":" or entry.name:sub(1, #short + 1) == short .. "." then
      list[#list + 1] = entry
    end
  end
  return list
end

-- Names near to one for which there is no entry.
function help.near(name)
  local tails, list, met = {}, {}, {}
  local wanted = name:match("([%w_]+)$") or name
  local function add(entry)
    if not met[entry.name] and #list < 8 then
      met[entry.name] = true
      list[#list + 1] = entry.name
    end
  end
  for _, entry in ipairs(help.entries()) do
    local tail = entry.name:match("([%w_]+)$")
    tails[#tails + 1] = tail
    if tail == wanted then add(entry) end
  end
  local near = args.nearest(wanted, tails)
  for _, entry in ipairs(help.entries()) do
    if near and entry.name:match("([%w_]+)$") == near then add(entry) end
  end
  for _, entry in ipairs(help.entries()) do
    if #wanted > 2 and entry.name:lower():find(wanted:lower(), 1, true) then add(entry) end
  end
  return list
end

-- Text in lines of at most `width`, later ones indented.
local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line > 0 and #line + 1 + #word > width then
      lines[#lines + 1] = line
      line = indent .. word
    else
      line = #line > 0 and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

function help.first_sentence(entry)
  local text = entry.text:gsub("%s+", " ")
  return text:match("^(.-[.:])%s") or text
end

-- What an example gives, written in one line, in the lines in which it is printed: an array's rows and its footer.
function help.lines(gives)
  local body, shape = gives:match("^(.-)%s*(%[[%dx]+ %a%w*%])$")
  if not body or body:find("%[") then return gives end
  local columns, cells, width = tonumber(shape:match("(%d+) ")), {}, 0
  for cell in body:gmatch("%S+") do
    cells[#cells + 1] = cell
    width = math.max(width, #cell)
  end
  local rows = select(2, shape:gsub("x", ""))
  if #cells == 0 or rows > 1 or rows == 1 and tonumber(shape:match("%d+")) * columns ~= #cells then return gives end
  local out = {}
  for i, cell in ipairs(cells) do
    local last = rows == 1 and i % columns == 0 or i == #cells
    out[i] = (" "):rep(width - #cell + (rows == 1 and i % columns == 1 % columns and 1 or i == 1 and 1 or 2)) .. cell ..
      (last and "\n" or "")
  end
  return table.concat(out) .. shape
end

-- An entry as the terminal shows it.
function help.render(entry)
  local out = {entry.signature, "", entry.text}
  local function section(title, list)
    if #list == 0 then return end
    local width = 0
    for _, item in ipairs(list) do width = math.max(width, item.name and #item.name or 0) end
    out[#out + 1] = "\n" .. title
    for _, item in ipairs(list) do
      local indent = "  " .. (" "):rep(width > 0 and width + 2 or 0)
      local text = wrap(item.text, 94 - #indent, ""):gsub("\n", "\n" .. indent)
      out[#out + 1] = item.name and ("  %-" .. width .. "s  %s"):format(item.name, text) or "  " .. text
    end
  end
  section("arguments", entry.params)
  section("returns", entry.returns)
  section("raises", entry.errors)
  section("source", entry.sources)
  if #entry.examples > 0 then
    out[#out + 1] = "\nexample"
    for _, example in ipairs(entry.examples) do
      out[#out + 1] = "  > " .. example.code
      if example.gives then out[#out + 1] = "  " .. help.lines(example.gives):gsub("\n", "\n  ") end
    end
  end
  return table.concat(out, "\n")
end

local function listing(list)
  local width = 0
  for _, entry in ipairs(list) do width = math.max(width, math.min(#entry.name, 28)) end
  local lines = {}
  for i, entry in ipairs(list) do
    local sentence = help.first_sentence(entry)
    if #sentence > 66 then sentence = sentence:sub(1, 65) .. "\u{2026}" end
    lines[i] = ("  %-" .. width .. "s  %s"):format(entry.name, sentence)
  end
  return table.concat(lines, "\n")
end

-- The names one level below pg, each with the number of entries it has.
local function overview()
  local groups, by = {}, {}
  for _, entry in ipairs(help.entries()) do
    local group = entry.name:match("^pg%.([%w_]+)%.") or entry.name:match("^([%w_]+)[.:]") or "pages"
    if by[group] == nil then
      by[group] = {}
      groups[#groups + 1] = group
    end
    table.insert(by[group], (entry.name:gsub("^pg%.", "")))
  end
  table.sort(groups)
  local out = {"help NAME shows one entry: help svd, help pg.ppca.fit, help ppca:encode. At the prompt: ?svd\n"}
  for _, group in ipairs(groups) do
    out[#out + 1] = wrap(("%s: %s"):format(group, table.concat(by[group], " ")), 96, "    ")
  end
  return table.concat(out, "\n")
end

-- What to show for a name, and whether there is an entry.
function help.text(name)
  if name == nil or name == "" then return overview(), true end
  local entry, under = help.find(name), help.under(name)
  if entry and #under > 0 then return help.render(entry) .. "\n\n" .. listing(under), true end
  if entry then return help.render(entry), true end
  if #under > 0 then return listing(under), true end
  local same = help.named(name:match("([%w_]+)$") or name)
  if #same > 0 and (name:find("^[%w_]+$") or #same > 1 and name:find("^[%w_]+:[%w_]+$")) then
    local list = {}
    for _, e in ipairs(same) do
      if not name:find(":") or e.name:find(":") then list[#list + 1] = e end
    end
    return listing(list), true
  end
  local near = help.near(name)
  if #near == 0 then return ("no entry for '%s'; help without a name lists all"):format(name), false end
  return ("no entry for '%s'; near it: %s"):format(name, table.concat(near, ", ")), false
end

-- `perigee help ...`
function help.main(...)
  local first, second = ...
  if first == "--html" or first == "--luals" then
    local text = first == "--html" and pg._docs.html() or pg._docs.luals()
    if second then pg._system.write(second, text) else io.stdout:write(text) end
    return 0
  end
  local status = 0
  for _, name in ipairs(select("#", ...) == 0 and {""} or {...}) do
    local text, found = help.text(name)
    if found then print(text) else
      io.stderr:write("perigee help: ", text, "\n")
      status = 1
    end
  end
  return status
end

return help
