-- SPDX-License-Identifier: MIT
--
-- pg._model: what every model has beside its equations. A class is made of a name and a description,
--
--   local class = pg._model.class("toy", {
--     fields = {"mean", "n"},                    -- in the order in which they are shown; what is not set reads nil
--     derived = {d = function(m) ... end},       -- computed when read, so that they never go stale
--     summary = function(m) return "toy: ..." end,
--     file = {{"mean", "d"}, {"n", "integer"}},  -- what a file holds: extents by letters, equal where letters are,
--                                                   or "number", "integer", "boolean", "any"; optional = true
--     kind = "model",                            -- whose entries of the manual its own methods share where it has none
--     example = function(rng) return ... end,    -- any object; the manual's check lists its methods
--   })
--   function class.methods:logprob(X) ... end
--   toy.load = class.load
--
-- and gives objects (class.new(fields)) whose methods know self, whose misspelt names are answered with the near
-- one, which print a summary, are saved and loaded with checks, and have loglik where they have logprob.
local pg = ...
local args = pg._args
local error, getmetatable, ipairs, math, next, pcall, rawget, rawset, setmetatable, string, table, tostring, type =
  error, getmetatable, ipairs, math, next, pcall, rawget, rawset, setmetatable, string, table, tostring, type

local model = {}

-- Every class by its name, and the names in order.
local classes, names = {}, {}

--- model:save(path)
-- Writes the model, for pg.model.load.
-- @param path  string ending in .npz

--- pg.model.load(path) -> m
-- Reads a model that model:save wrote.
-- @param path  string
-- @return m  model
-- @error  a file that lacks an array or whose shapes do not belong together

--- model:loglik(X) -> number
-- The sum of logprob over the rows.
-- @param X  as logprob takes it
local function loglik(self, ...)
  local p = self:logprob(...)
  return args.is_array(p) and p:sum() or p
end

-- Raises what is wrong with a file, at the script's line.
local function refuse(path, title, format, ...)
  error(string.format("%s: not %s: " .. format, path, title, ...), pg._user_level())
end

-- ---- files ------------------------------------------------------------------------------------

local scalars = {number = true, integer = true, boolean = true}

-- The arrays of an object as its class declares them.
local function declared_arrays(object, file)
  local out = {}
  for _, entry in ipairs(file) do
    local name, shape = entry[1], entry[2]
    local value = object[name]
    if value == nil or value == false and shape ~= "boolean" then
      if not entry.optional then
        error(string.format("save: the model has no '%s' any more", name), pg._user_level())
      end
    elseif scalars[shape] then
      out[name] = pg.array(shape == "boolean" and (value and 1 or 0) or value)
    else
      out[name] = value
    end
  end
  return out
end

-- One value as the declaration says; nil and what is wrong where it is something else.
local function read_scalar(a, kind)
  if a.size ~= 1 then return nil, "expected one " .. kind .. ", got shape " .. tostring(a.shape) end
  local v = a:reshape(1)[1]
  if kind == "integer" then v = math.tointeger(v) elseif kind == "boolean" then return v ~= 0 end
  if v == nil then return nil, "expected an integer, got " .. a:reshape(1)[1] end
  return v
end

-- The values of a file by their names, as declared.
local function declared_values(path, title, found, file)
  local function say(...) refuse(path, title, ...) end
  local out, extents, shapes, fits = {}, {}, {}, true
  for _, entry in ipairs(file) do
    local name, shape = entry[1], entry[2]
    local a = type(found) == "table" and rawget(found, name) or nil
    if not args.is_array(a) then
      if not (entry.optional and a == nil) then say("it has no array '%s'", name) end
    elseif scalars[shape] then
      local why
      out[name], why = read_scalar(a, shape)
      if out[name] == nil then say("%s: %s", name, why) end
    elseif shape == "any" then
      out[name] = a
    else
      local axis = 0
      shapes[#shapes + 1] = name .. " " .. tostring(a.shape)
      for letter in shape:gmatch("%S+") do
        axis = axis + 1
        local extent = a.shape[axis]
        fits = fits and extent ~= nil and (math.tointeger(letter) or extents[letter] or extent) == extent
        extents[letter] = extents[letter] or extent
      end
      fits = fits and axis == a.ndim
      out[name] = a
    end
  end
  if not fits then
    local last = table.remove(shapes)
    if #shapes == 0 then say("%s is not as it should be", last) end
    say("%s and %s do not belong together", table.concat(shapes, ", "), last)
  end
  return out
end

-- ---- classes ----------------------------------------------------------------------------------

-- Fields in the order of the class, then whatever else was set, by name.
local function ordered_pairs(object, fields)
  local list, met = {}, {}
  for _, name in ipairs(fields) do
    met[name] = true
    if object[name] ~= nil then list[#list + 1] = name end
  end
  local others = {}
  for name in next, object do others[tostring(name)] = true end
  for _, name in ipairs(args.sorted_keys(others)) do
    if not met[name] and name:sub(1, 1) ~= "_" then list[#list + 1] = name end
  end
  local i = 0
  return function()
    i = i + 1
    if list[i] ~= nil then return list[i], object[list[i]] end
  end
end

-- A class of the description `spec`; see the head. spec.title is how a sentence calls an object ("a toy model").
-- In place of spec.file: spec.write(object) -> arrays by name, options of pg.save; and spec.read(arrays, refuse) ->
-- object, where refuse(format, ...) raises. With spec.file, spec.read is given the values instead of arrays.
function model.class(name, spec)
  local title = spec.title or string.format("a %s model", name)
  local fields, derived = spec.fields or {}, spec.derived or {}
  local known = {}
  for _, field in ipairs(fields) do known[field] = true end
  local meta = {__name = name}
  local class = {name = name, title = title, meta = meta, example = spec.example, kind = spec.kind or "model"}

  local function check_self(method, self)
    if getmetatable(self) ~= meta then
      error(string.format("bad self in call to '%s' (expected %s, got %s; write m:%s(...), with a colon)", method,
        title, args.got(self), method), pg._user_level())
    end
  end
  -- Each method checks its self; a name that begins with an underscore is nobody else's business.
  class.methods = setmetatable({}, {__newindex = function(t, method, f)
    rawset(t, method, function(self, ...)
      if getmetatable(self) ~= meta then check_self(method, self) end
      return f(self, ...)
    end)
  end})
  local methods = class.methods

  local function inherited(key)
    if key == "loglik" and not known.loglik and rawget(methods, "logprob") then
      methods.loglik = loglik
      return rawget(methods, key)
    end
  end

  -- The method of that name, inherited ones among them, or nil.
  function class.method(key) return rawget(methods, key) or inherited(key) end

  function class.names()
    inherited("loglik")
    local list = {}
    for _, field in ipairs(fields) do list[#list + 1] = field end
    for _, field in ipairs(args.sorted_keys(derived)) do
      if not known[field] then list[#list + 1] = field end
    end
    for _, method in ipairs(args.sorted_keys(methods)) do list[#list + 1] = method end
    return list
  end

  function meta.__index(object, key)
    local method = rawget(methods, key)
    if method then return method end
    local compute = derived[key]
    if compute then return compute(object) end
    if known[key] or type(key) == "string" and key:sub(1, 1) == "_" then return nil end
    method = inherited(key)
    if method then return method end
    local near = args.nearest(tostring(key), class.names())
    error(string.format("%s has no '%s'%s", title, tostring(key),
      near and string.format("; did you mean '%s'?", near) or ""), pg._user_level())
  end

  function meta.__tostring(object) return spec.summary(object) end
  function meta.__pairs(object) return ordered_pairs(object, fields) end

  function class.new(object) return setmetatable(object or {}, meta) end
  function class.is(value) return getmetatable(value) == meta end

  -- value, or an error that names the argument.
  function class.check(call, arg, what, value)
    if getmetatable(value) ~= meta then
      args.fail(call, arg, string.format("%s: expected %s, got %s", what, title, args.got(value)))
    end
    return value
  end

  if spec.file or spec.write then
    function methods:save(path)
      if spec.write then pg.save(path, spec.write(self)) else pg.save(path, declared_arrays(self, spec.file)) end
    end

    function class.load(path)
      local found = pg.load(path)
      local function say(...) refuse(path, title, ...) end
      if type(found) ~= "table" then say("it holds %s", args.got(found)) end
      if spec.file then found = declared_values(path, title, found, spec.file) end
      return (spec.read or class.new)(found, say)
    end
  end

  return model.register(name, class)
end

-- Enters a class that has methods but is made elsewhere: {example = function(rng) -> object}.
function model.register(name, class)
  if classes[name] == nil then
    names[#names + 1] = name
    table.sort(names)
  end
  classes[name] = class
  return class
end

-- Every class of the modules opened so far: name, class.
function model.classes()
  local i = 0
  return function()
    i = i + 1
    return names[i], classes[names[i]]
  end
end

-- The class of that name, or nil.
function model.find(name) return classes[name] end

-- Opens every module, so that all classes are there.
function model.open_all()
  for _, name in ipairs(pg._modules()) do
    if name:sub(1, 1) ~= "_" then pcall(function() return pg[name] end) end
  end
end

model.register("rng", {example = function(rng) return rng end})

return model
