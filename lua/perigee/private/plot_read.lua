-- SPDX-License-Identifier: MIT
--
-- Reading the arguments of a figure's methods. A reader belongs to one call: it knows the figure and
-- the method, so that its errors name them. The options of a mark are a table of readers of one
-- value each, made by the functions of this file that take a default:
--
--   options = {label = read.text(), color = read.color(), width = read.positive(1.5)}
--   local o = r:options(2, given, options)      -- checked, defaults filled in

local pg = ...
local args, color = pg._args, pg._plot_color
local ipairs, math, next, pairs, select, setmetatable = ipairs, math, next, pairs, select, setmetatable
local table, tostring, type = table, tostring, type

local read = {}

local reader = {}
reader.__index = reader

function read.new(figure, name)
  return setmetatable({figure = figure, name = name}, reader)
end

function reader:fail(arg, message)
  args.fail(self.name, arg, message)
end

-- ---- arrays ---------------------------------------------------------------------------------

-- A 1-d f64 array from an array (n, n x 1 or 1 x n) or a list of numbers.
function reader:column(arg, what, v)
  if type(v) == "table" and not args.is_array(v) then
    if #v == 0 then return pg.zeros(0) end
    if type(v[1]) == "number" then v = pg.array(v) end
  end
  if not args.is_array(v) then
    self:fail(arg, what .. ": expected an array or a list of numbers, got " .. args.got(v))
  end
  if v.ndim == 2 and (v.shape[1] == 1 or v.shape[2] == 1) then v = v:reshape(v.size) end
  if v.ndim ~= 1 then self:fail(arg, ("%s: expected 1 axis, got shape %s"):format(what, tostring(v.shape))) end
  return v:astype("f64")
end

function reader:same_length(arg, what, a, other, b)
  if #a ~= #b then
    self:fail(arg, ("%s has %d value%s and %s has %d"):format(what, #a, #a == 1 and "" or "s", other, #b))
  end
end

-- Columns of one length, from argument 1 on.
function reader:columns(names, ...)
  local out = {}
  for k, what in ipairs(names) do
    out[k] = self:column(k, what, (select(k, ...)))
    if k > 1 then self:same_length(k, names[1], out[1], what, out[k]) end
  end
  return table.unpack(out)
end

-- x and y of the methods that take ([x,] y, options): the two columns, the options and where they are.
function reader:xy(x, y, opts, what)
  what = what or "y"
  if y == nil or (type(y) == "table" and not args.is_array(y) and (#y == 0 and next(y) ~= nil)) then
    local v = self:column(1, what, x)
    return pg.linspace(1, math.max(1, #v), math.max(1, #v)):slice({1, #v}), v, y, 2
  end
  local a, b = self:column(1, "x", x), self:column(2, what, y)
  self:same_length(2, "x", a, what, b)
  return a, b, opts, 3
end

function reader:matrix(arg, what, v, shape)
  if type(v) == "table" and not args.is_array(v) then v = pg.array(v) end
  if not args.is_array(v) or v.ndim ~= 2 then
    self:fail(arg, ("%s: expected a matrix %s, got %s"):format(what, shape, args.got(v)))
  end
  return v
end

function reader:finite(arg, what, v)
  if type(v) ~= "number" or v ~= v or math.abs(v) == math.huge then
    self:fail(arg, ("%s: expected a number, got %s"):format(what, args.got(v)))
  end
  return v
end

-- ---- options --------------------------------------------------------------------------------

-- The options of a call by a table of readers, each {default =, check = function(reader, name, value)}:
-- check sees a value that is not nil, or, where the reader has `always`, every value.
function reader:options(arg, given, known)
  if args.is_array(given) then self:fail(arg, "options: expected a table, got " .. args.got(given)) end
  local names = {}
  for name in pairs(known) do names[name] = args.any end
  local o = args.options(self.name, arg, given, names)
  self.arg = arg
  for _, name in ipairs(args.sorted_keys(known)) do
    local one = known[name]
    if o[name] == nil then o[name] = one.default end
    if o[name] ~= nil or one.always then o[name] = one.check(self, name, o[name]) end
  end
  return o
end

-- Joins tables of readers.
function read.join(...)
  local out = {}
  for _, t in ipairs({...}) do
    for k, v in pairs(t) do out[k] = v end
  end
  return out
end

-- A reader of one option.
local function option(check)
  return function(default) return {default = default, check = check} end
end

local function expected(r, name, wanted, v)
  r:fail(r.arg, ("%s: expected %s, got %s"):format(name, wanted, args.got(v)))
end

read.any = option(function(_, _, v) return v end)

read.text = option(function(r, name, v)
  if type(v) == "number" then return tostring(v) end
  if type(v) ~= "string" then expected(r, name, "a string", v) end
  return v
end)

read.flag = option(function(r, name, v)
  if type(v) ~= "boolean" then expected(r, name, "a boolean", v) end
  return v
end)

local function check_positive(r, name, v)
  if type(v) ~= "number" or v <= 0 or v ~= v or v == math.huge then expected(r, name, "a number above 0", v) end
  return v
end
read.positive = option(check_positive)

read.share = option(function(r, name, v)
  if type(v) ~= "number" or not (v >= 0 and v <= 1) then expected(r, name, "a number in [0, 1]", v) end
  return v
end)

-- A number in lo..hi.
function read.number(default, lo, hi)
  return {default = default, check = function(r, name, v) return args.number(r.name, r.arg, name, v, lo, hi) end}
end

-- One of a list of words.
function read.word(default, ...)
  local choices = {...}
  return {default = default, check = function(r, name, v)
    for _, c in ipairs(choices) do
      if v == c then return v end
    end
    expected(r, name, ('one of "%s"'):format(table.concat(choices, '", "')), v)
  end}
end

function read.marker(default)
  return read.word(default, "circle", "square", "diamond", "triangle", "plus", "cross", "ring")
end

read.pair = option(function(r, name, v)
  if type(v) ~= "table" or args.is_array(v) or type(v[1]) ~= "number" or type(v[2]) ~= "number" or v[1] ~= v[1]
    or v[2] ~= v[2] or math.abs(v[1]) == math.huge or math.abs(v[2]) == math.huge then
    expected(r, name, "{lo, hi}", v)
  end
  return v
end)

read.dashes = {solid = {}, dashed = {5, 3}, dotted = {1.2, 2}, dashdot = {6, 2.5, 1.2, 2.5}}

read.dash = option(function(r, name, v)
  if type(v) == "table" and #v > 0 and #v <= 8 then
    for _, length in ipairs(v) do check_positive(r, name, length) end
    return v
  end
  if not read.dashes[v] then
    expected(r, name, '"solid", "dashed", "dotted", "dashdot" or a list of points', v)
  end
  return v
end)

-- The colour asked for, or the next one of the figure's cycle.
function reader:color(name, spec)
  if spec == nil then
    self.figure.used = self.figure.used + 1
    return color.parse(self.figure.used)
  end
  return color.parse(spec)
    or expected(self, name, 'a name, "#rrggbb", {r, g, b} in 0..1 or a number of the cycle', spec)
end

function read.color(default)
  return {default = default, always = true, check = reader.color}
end

-- ---- scales of colours ----------------------------------------------------------------------

-- The options of what draws values by a map of colours.
read.scale_options = {cmap = read.any("viridis"), range = read.pair(), log = read.flag(false),
  colorbar = read.flag(true), clabel = read.text()}

-- The scale of colours of the values: {lo, hi, map, log, label, shown}. Values that are all the same
-- stand in the middle of it.
function reader:scale(values, o)
  local lo, hi
  if o.range then
    lo, hi = o.range[1], o.range[2]
    if lo >= hi then self:fail(self.arg, "range: expected {lo, hi} with lo < hi") end
  else
    lo, hi = pg._canvas.extent(values:reshape(values.size):astype("f64"), nil, o.log, false)
    lo, hi = lo or (o.log and 1 or 0), hi or (o.log and 10 or 1)
    lo, hi = read.widened(lo, hi, o.log)
  end
  if o.log and lo <= 0 then self:fail(self.arg, "range: a log scale of colours is above 0") end
  return {lo = lo, hi = hi, map = color.map(self.name, self.arg, o.cmap), log = o.log, label = o.clabel,
    shown = o.colorbar}
end

-- What doubles can hardly tell apart is one value, and gets a range around it.
function read.widened(lo, hi, log)
  if log then
    if math.log(hi, 10) - math.log(lo, 10) < 1e-9 then return lo / 3, hi * 3 end
    return lo, hi
  end
  local size = math.max(math.abs(lo), math.abs(hi))
  if hi - lo > 2e-15 * size then return lo, hi end
  local margin = size == 0 and 1 or 0.1 * size
  return lo - margin, hi + margin
end

-- From where a figure in space is seen: the last mark that says so.
read.space_options = {azim = read.number(nil, -1e6, 1e6), elev = read.number(nil, -90, 90)}

return read
