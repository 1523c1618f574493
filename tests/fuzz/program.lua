-- SPDX-License-Identifier: MIT
-- Turns bytes into a Lua program that works arrays hard. What can be called, with which arguments and options, comes
-- from the manual: a function with a doc block is fuzzed without a word here. Arguments are mostly what the manual
-- says, and now and then anything at all.
--
-- program(bytes) returns the statements, each a chunk of its own, so that one that raises does not end the others. They
-- share the globals a to h, arrays of which `keep` lets nothing else become one.
local pg = require "perigee"

local program = {}

-- Run before the statements: one array of every kind, and keep(i, ...), which makes the arrays among its arguments the
-- i-th, the next, ... of the globals a to h. What it is given besides is printed, called or walked.
program.prelude = [==[
pg = require "perigee"
a = pg.range(1, 12):reshape(3, 4)
b = pg.array{0.5, -2, 3, 0/0, 1/0, 7, 7}
c = pg.array({{4, 1, 0.5}, {1, 3, 0}, {0.5, 0, 2}}, "f32")
d = pg.array(2.5)
e = pg.zeros(0, 3)
f = pg.random.new(1):random(6, 8):slice({-1, 1, -2}, {2, -1, 3})
g = pg.random.new(2):random(5, 4):gt(0.5)
h = pg.range(1, 2):reshape(1, 2, table.unpack(pg.ones(30):totable()))
rng, mt = pg.random.new(3), pg.random.legacy(4)
local names = {"a", "b", "c", "d", "e", "f", "g", "h"}
function keep(i, ...)
  for k = 1, math.min(select("#", ...), 8) do
    local x = select(k, ...)
    if getmetatable(x) == "array" then
      _G[names[(i + k - 2) % 8 + 1]] = x
    elseif type(x) == "function" then
      keep(i, x())
    else
      tostring(x)
    end
  end
end
]==]

-- ---- bytes -----------------------------------------------------------------------------------

local bytes, at

-- The next byte, 0 where none is left.
local function byte()
  at = at + 1
  return bytes:byte(at) or 0
end

local function choose(list) return list[byte() % #list + 1] end

-- True for n of 256 bytes, never for those that are not there.
local function chance(n) return byte() > 255 - n end

-- ---- values ----------------------------------------------------------------------------------

local VARIABLES = {"a", "b", "c", "d", "e", "f", "g", "h"}
local SMALL = {"1", "2", "3", "0", "4", "-1", "5", "-2"}
local NUMBERS = {"1", "0", "-1", "0.5", "2", "3", "-0.0", "1e-300", "7", "100", "1e308", "-1e308", "5e-324", "0/0",
  "1/0", "-1/0", "33", "1000", "1e6", "2^31", "-2^31", "2^32", "2^53", "2^62", "2^63", "-2^63", "math.maxinteger",
  "math.mininteger", "1.5e9", "255", "65", "1e17"}
local ANYTHING = {"nil", "true", "false", [["x"]], [[""]], "{}", "{1, 2}", "{{}}", "print", "rng", "mt", "pg", [["3"]],
  "{1, {2}}", "{a, b}", "{x = 1}", "coroutine.create(print)", [[("z"):rep(300)]], [["a\0b%d"]], "setmetatable({}, {})"}
local DTYPES = {[["f64"]], [["f32"]], [["float64"]], [["i4"]]}
local OPERATORS = {"+", "-", "*", "/", "^", "%", "//", "&", "|", "..", "<", "==", "~"}
local SUBSCRIPTS = {"ij,jk->ik", "ii", "ij->ji", "i,j->ij", "ij,ij", "i,i", "ij->i", "...ij->...ji", "ijk,kl", "ii->i",
  "ij,jk,kl->il", "->", "i->ii", ",", "ij,j->", "a,b,c,d"}
local GRAPHS = {"{X = a, E = g:slice({1, 3}, {1, 3})}", "{X = pg.ones(3, 2), E = pg.ones(3, 3) - pg.eye(3)}",
  "{{X = a, edges = pg.array{{1, 2}}}, {X = c, E = pg.zeros(3, 3)}}", "pg.graph.data{X = a, E = pg.zeros(3, 3)}",
  "pg.graph.new{a = 1, b = 0}:sample(3, rng, {n = 5})"}

local depth, value

local function number() return chance(64) and choose(NUMBERS) or choose(SMALL) end
local function variable() return choose(VARIABLES) end

local function list(make, most)
  local out = {}
  for k = 1, byte() % (most + 1) do out[k] = make() end
  return "{" .. table.concat(out, ", ") .. "}"
end

-- Extents whose product is small, but for the hostile ones.
local function extent() return chance(10) and choose(NUMBERS) or choose{"2", "3", "1", "4", "0", "5", "8", "17"} end

local function extents()
  local out = {}
  for k = 1, byte() % 4 do out[k] = extent() end
  if chance(4) then out = {("1, "):rep(byte() % 40) .. "2"} end
  return table.concat(out, ", ")
end

local function index()
  local kind = byte() % 8
  if kind < 3 then return number() end
  if kind == 3 then return "{}" end
  if kind == 4 then return chance(128) and "{-1, 1, -1}" or "{2, -1}" end
  if kind == 5 then return "{1, -1, 2}" end
  return "{" .. number() .. ", " .. number() .. (kind == 7 and ", " .. number() or "") .. "}"
end

local function indices()
  local out = {}
  for k = 1, byte() % 3 + 1 do out[k] = index() end
  return table.concat(out, ", ")
end

local function literal()
  if chance(128) then return list(number, 6) end
  local row, out = byte() % 4, {}
  for k = 1, byte() % 4 do
    local cells = {}
    for j = 1, row do cells[j] = number() end
    out[k] = "{" .. table.concat(cells, ", ") .. "}"
  end
  return "{" .. table.concat(out, ", ") .. "}"
end

local ARRAYS = {
  variable, variable, variable, variable, variable, variable,
  function() return variable() .. ".T" end,
  function() return variable() .. ":flip()" end,
  function() return variable() .. ":slice(" .. indices() .. ")" end,
  function() return variable() .. ":reshape(-1)" end,
  function() return variable() .. ":astype(" .. choose(DTYPES) .. ")" end,
  function() return variable() .. ":expand_dims(" .. number() .. ")" end,
  function() return variable() .. "[" .. index() .. "]" end,
  function() return "pg.array(" .. literal() .. ")" end,
  function() return "pg.zeros(" .. extents() .. ")" end,
  function() return "pg.full({" .. extents() .. "}, " .. number() .. ", " .. choose(DTYPES) .. ")" end,
  function() return choose{"rng", "mt"} .. ":random(" .. extents() .. ")" end,
  function() return "(" .. variable() .. " " .. choose(OPERATORS) .. " " .. value("array or number") .. ")" end,
  literal, number,
}

-- Where the manual's words do not say it all, by the name of the parameter.
local BY_NAME = {
  subscripts = function()
    if not chance(32) then return ("%q"):format(choose(SUBSCRIPTS)) end
    local out = {}
    for k = 1, byte() % 12 do out[k] = choose{"i", "j", "k", ",", "->", "...", "A", " ", "1"} end
    return ("%q"):format(table.concat(out))
  end,
  shape = function() return "{" .. extents() .. "}" end,
  f = function() return choose{"function(x) return x:sum() end", "function(x) return x:square():sum() end"} end,
  g = function() return choose(GRAPHS) end,
  m = function() return "pg.graph.new{a = 1, b = 0}" end,
  tables = function()
    return choose{"{{0.5, 0.5}, {{1, 0}, {0.25, 0.75}}}", "{b, c}", "{pg.ones(2) / 2, pg.ones(2, 2) / 2}", "a"}
  end,
  state = function() return choose{"nil", "{h = pg.zeros(1, 3, 4), c = pg.zeros(1, 3, 4)}", "{h = a, c = a}"} end,
  s = function() return choose{"rng:state()", "mt:state()", "{}"} end,
  figures = function() return "{pg.plot.figure{width = 64, height = 64}}" end,
  width = function() return tostring(byte() + 16) end,
  height = function() return tostring(byte() + 16) end,
  scale = function() return choose(SMALL) end,
  mask = function() return choose{"a:gt(2)", "b:gt(0)", "g", "{1, 0, 1}", "pg.ones(3)", "b"} end,
}

-- Arrays of the shape or content that the manual's words ask for; the first pattern that is found counts.
local BY_SHAPE = {
  {"batch x time", {"g:reshape(5, 4, 1)", "g:reshape(1, 20, 1):astype(\"f32\")", "pg.zeros(2, 0, 1)"}},
  {"n x time", {"g:reshape(5, 4, 1)", "g:reshape(1, 20, 1):astype(\"f32\")", "pg.zeros(2, 0, 1)"}},
  {"n x n", {"c", "a:dot(a.T)", "pg.ones(3, 3) - pg.eye(3)", "pg.stack{c, c.T}", "pg.zeros(0, 0)", "pg.eye(9)"}},
  {"m x n", {"a", "a.T", "f", "f.T", "pg.zeros(0, 3)", "pg.zeros(3, 0)", "rng:standard_normal(3, 7):astype(\"f32\")"}},
  {"0 and 1", {"g", "a:gt(2)", "g:reshape(5, 2, 2)", "pg.zeros(0, 4)"}},
  {"h x w", {"a", "f", "g", "rng:random(5, 6, 3)", "pg.zeros(0, 3)", "rng:random(2, 5, 6)"}},
  {"n x m", {"a", "f", "g", "rng:random(9, 5)"}},
}

local function shaped(text)
  for _, row in ipairs(BY_SHAPE) do
    if text:find(row[1], 1, true) then return choose(row[2]) end
  end
  return choose(ARRAYS)()
end

-- The values that stand in quotes in the manual's text.
local quoted = setmetatable({}, {__index = function(cache, text)
  local words = {}
  for word in text:gmatch('"(.-)"') do words[#words + 1] = ("%q"):format(word) end
  cache[text] = words
  return words
end})

-- A value as the manual describes it, mostly.
function value(text, name)
  if chance(8) then return choose(ANYTHING) end
  depth = depth + 1
  local made
  if depth > 4 then
    made = variable()
  elseif BY_NAME[name] then
    made = BY_NAME[name]()
  elseif text:find("^a graph") then
    made = choose(GRAPHS)
  elseif text:find("generator", 1, true) then
    made = choose{"rng", "mt"}
  elseif text:find("^table of arrays") or text:find("^arrays") then
    made = list(function() return choose(ARRAYS)() end, 3)
  elseif text:find("^integer") or text:find("^number") or text:find("^standard deviation") then
    if text:find("array", 1, true) and chance(128) then
      made = choose(ARRAYS)()
    elseif text:find("table", 1, true) and chance(64) then
      made = list(number, 3)
    else
      made = number()
    end
  elseif text:find("^boolean") or text:find("^true") then
    made = choose{"true", "false"}
  elseif text:find("^array") or text:find("array", 1, true) then
    made = chance(96) and shaped(text) or choose(ARRAYS)()
  elseif text:find("^{lo, hi}") then
    made = "{" .. number() .. ", " .. number() .. "}"
  elseif #quoted[text] > 0 then
    made = choose(quoted[text])
  elseif text:find("^table") or text:find("^list") or text:find("^sequence") then
    made = list(number, 4)
  elseif text:find("^function") then
    made = "function() end"
  elseif text:find("^string") then
    made = choose{[["x"]], [["a b"]], [[("y"):rep(99)]]}
  else
    made = number()
  end
  depth = depth - 1
  return made
end

-- ---- calls -----------------------------------------------------------------------------------

-- What makes the objects whose methods the manual lists, by the name they have there.
local OBJECTS = {
  rng = {"rng", "mt"},
  cpt = {"pg.cpt.estimate(g)", "pg.cpt.new{{0.5, 0.5}, {{1, 0}, {0.25, 0.75}}}"},
  ppca = {"pg.ppca.fit(f, 1)", "pg.ppca.fit(a * g:sum(), 2)"},
  graph = {"pg.graph.new{a = 1, b = 0}"},
  linear = {"pg.linear.fit(f, {1, 2, 4})"},
  lstm = {"pg.lstm.new{input_size = 1, hidden_size = 4, output_size = 1, rng = rng}"},
  adam = {"pg.optim.adam{}"},
  sgd = {"pg.optim.sgd{momentum = 0.9}"},
  accumulator = {"pg.ppca.accumulate()", "pg.linear.accumulate()", "pg.linear.accumulate():add(f, {1, 2, 4})"},
  figure = {"pg.plot.figure{width = 64, height = 64}"},
}

-- Left out: what touches files, the terminal or the process, and what ends the script.
local function is_left_out(entry)
  local name = entry.name
  return entry.signature:find("path", 1, true) or name:find("show", 1, true) or name:find("^experiment")
    or name:find("^progress") or name == "pg.progress" or name == "pg.experiment" or name == "pg.option"
    or name == "pg.strict" or name == "pg.threads" or name == "pg.none"
end

-- {name=, positional = {{name=, text=, optional=}...}, options = {...}} of an entry. A parameter "..." stands for up to
-- three; "lo, hi" of one line is two.
local function read_entry(entry)
  local texts, options = {}, {}
  for _, param in ipairs(entry.params) do
    local option = param.name:match("^[%w_]+%.([%w_]+)")
    if option then
      options[#options + 1] = {name = option, text = param.text}
    else
      texts[param.name:gsub(",$", "")] = param.text
    end
  end
  local positional, optional = {}, false
  local inside = entry.signature:match("%((.*)%)") or ""
  for mark, word in inside:gmatch("([%[{|]?)%s*,?%s*([%w_.]+)") do
    optional = optional or mark == "["
    if mark == "" or mark == "[" then
      positional[#positional + 1] = {name = word, text = texts[word] or texts["..."] or "number", optional = optional}
    end
  end
  return {name = entry.name, positional = positional, options = options}
end

-- A number for a name that is the same in every version. Calls are found by it, so that an input means nearly the same
-- after another function has come or gone.
local function hash(name)
  local h = 5381
  for k = 1, #name do h = (h * 33 + name:byte(k)) % 65521 end
  return h
end

local calls = {}
for _, entry in ipairs(pg._help.entries()) do
  local object = entry.name:match("^([%w_]+):")
  if not is_left_out(entry) and (object == nil or OBJECTS[object]) then
    local call = read_entry(entry)
    call.object, call.method = OBJECTS[object], entry.name:match(":(.*)$")
    call.place = hash(entry.name)
    calls[#calls + 1] = call
  end
end
table.sort(calls, function(x, y)
  if x.place ~= y.place then return x.place < y.place end
  return x.name < y.name
end)
program.calls = calls

local function find_call()
  local place = byte() * 256 + byte()
  local low, high = 1, #calls
  while low < high do
    local middle = (low + high) // 2
    if calls[middle].place < place then low = middle + 1 else high = middle end
  end
  return calls[low]
end

local function options_of(call)
  local out = {}
  for k = 1, byte() % (math.min(#call.options, 4) + 1) do
    local option = choose(call.options)
    out[k] = option.name .. " = " .. value(option.text, option.name)
  end
  if chance(2) then out[#out + 1] = "unknown = 1" end
  return "{" .. table.concat(out, ", ") .. "}"
end

local function call_text()
  local call, arguments = find_call(), {}
  for _, param in ipairs(call.positional) do
    if param.optional and not chance(128) then
      if param.name ~= "opts" then goto next end
      break
    end
    if chance(2) then break end
    if param.name == "opts" or param.name == "limits" or #call.options > 0 and #call.positional == 1 then
      arguments[#arguments + 1] = options_of(call)
    elseif param.name == "..." or param.name == "n" and call.name:find("^pg%.%l+$") and param.text:find("integers") then
      arguments[#arguments + 1] = extents()
    else
      arguments[#arguments + 1] = value(param.text, param.name)
    end
    ::next::
  end
  if chance(3) then arguments[#arguments + 1] = choose(ANYTHING) end
  for k = #arguments, 1, -1 do
    if arguments[k] == "" then table.remove(arguments, k) end
  end
  local head = call.object and choose(call.object) .. ":" .. call.method or call.name
  return head .. "(" .. table.concat(arguments, ", ") .. ")"
end

-- ---- statements ------------------------------------------------------------------------------

local function keep(text) return ("keep(%d, %s)"):format(byte() % 8 + 1, text) end

local STATEMENTS = {
  function() return keep(variable() .. " " .. choose(OPERATORS) .. " " .. value("array or number")) end,
  function() return keep(choose{"-", "~", "#", "not "} .. variable()) end,
  function() return keep(choose(ARRAYS)()) end,
  function() return keep(choose(ARRAYS)()) end,
  function() return keep("pg.array(" .. literal() .. ", " .. choose(DTYPES) .. ")") end,
  function() return variable() .. "[" .. index() .. "] = " .. value("array or number") end,
  function() return variable() .. "[{" .. indices() .. "}] = " .. value("array or number") end,
  function()
    local name = variable()
    return name .. "[{" .. indices() .. "}] = " .. name .. (chance(128) and ".T" or ":flip()")
  end,
  function() return keep(variable() .. "(" .. indices() .. ")") end,
  function() return "tostring(" .. variable() .. ")" end,
  function() return keep(variable() .. "." .. choose{"shape", "ndim", "dtype", "size", "T", "nothing"}) end,
  function() return "for k, x in ipairs(" .. variable() .. ") do if k > 3 then break end tostring(x) end" end,
}

-- The statements that the bytes of a string stand for.
function program.statements(text)
  bytes, at = text, 0
  local out = {}
  while at < #bytes and #out < 24 do
    depth = 0
    out[#out + 1] = chance(96) and choose(STATEMENTS)() or keep(call_text())
  end
  return out
end

return program
