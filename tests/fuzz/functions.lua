-- SPDX-License-Identifier: MIT
-- What fuzz_functions runs in a fresh state of its own: finds every function that a script can reach, through fields,
-- metatables and upvalues, and calls them with hostile values, while finalisers change what is in flight.
--
--   perigee tests/fuzz/functions.lua SEED [CALLS]     prints each call before it is made
local debug, folder, seed, calls, trace = ...
if type(debug) ~= "table" then
  local first, second = ...
  debug, folder, trace = _G.debug, os.tmpname() .. ".d/", true
  seed, calls = tonumber(first) or 1, tonumber(second) or 300
  os.execute("mkdir " .. folder)
end

local pg = require "perigee"
local pcall, type, next, select, tostring, rawset, ipairs = pcall, type, next, select, tostring, rawset, ipairs
local unpack, insert, concat, gc = table.unpack, table.insert, table.concat, collectgarbage
local setmetatable, getmetatable, rnd, sort = setmetatable, getmetatable, math.random, table.sort
local stderr, write = io.stderr, io.stderr.write
math.randomseed(seed)

-- Functions of the standard library, and of ours those that end the process, wait, or write where they are told.
local skipped = {[debug] = true}
for _, library in next, {"io", "os", "coroutine", "package", "string", "table", "math", "utf8"} do
  for _, f in next, _G[library] do skipped[f] = true end
end
for _, f in next, _G do
  if type(f) == "function" then skipped[f] = true end
end
for _, f in next, getmetatable(io.stdout) do skipped[f] = true end
for _, f in next, getmetatable(io.stdout).__index do skipped[f] = true end
for _, f in next, package.searchers do skipped[f] = true end
local unwanted = {_process = true, _repl = true, _runner = true, _report = true, _help = true, _helptext = true,
  _docs = true, _complete = true, experiment = true, threads = true, strict = true, sleep = true, option = true}

for _, name in ipairs(pg._modules()) do
  if not unwanted[name] then pcall(function() return pg[name] end) end
end

local rng, legacy = pg.random.new(3), pg.random.legacy(3)
local function normal(...) return rng:standard_normal(...) end
local X = normal(20, 5)

-- One of each kind of object; made again from time to time, since a hostile call may have spoiled it.
local makers = {
  function() return pg.lstm.new{input_size = 1, hidden_size = 3, output_size = 1, rng = rng} end,
  function() return pg.graph.new{a = 1, b = -1} end,
  function() return pg.graph.data(pg.graph.new{a = 1, b = -1}:sample(3, rng, {n = 5, m = 2})) end,
  function() return pg.cpt.estimate(rng:bernoulli(0.5, 20, 6)) end,
  function() return pg.cpt.new{{0.25, 0.75}} end,
  function() return pg.ppca.fit(X, 2) end,
  function() return pg.linear.fit(X, normal(20)) end,
  function() return pg.ppca.accumulate():add(X) end,
  function() return pg.linear.accumulate():add(X, normal(20)) end,
  function() return pg.optim.adam{} end,
  function() return pg.optim.sgd{} end,
  function() return pg._canvas.new("png", rnd(1, 30), rnd(1, 30), 72) end,
  function() return pg._canvas.new("svg", 20, 20, 72) end,
  function() return pg.plot.figure{} end,
  function() return pg.progress(3) end,
  function() return (pg.rows(folder .. "f.npy", {size = 3})) end,
  function() return select(4, pg.rows(folder .. "f.npy", {size = 3})) end,
  function() return pg.load(folder .. "f.npz") end,
  function() return pg.load(folder .. "f.json") end,
  function() return pg._system.lock(folder .. "lock") end,
  function() return X.shape end,
  function() return (pg.batches(X, X, {size = 2})) end,
  function() return pg.random.new(1) end,
  function() return pg.random.legacy(1) end,
  function() return pg.random.new(1):state() end,
  function() return pg.none end,
}
pcall(function()
  pg.save(folder .. "f.npy", X)
  pg.save(folder .. "f.csv", X)
  pg.save(folder .. "f.npz", {a = X})
  pg.save(folder .. "f.png", pg.zeros(4, 4))
  pg.save(folder .. "f.json", {1, 2, a = {}})
end)
local objects = {}
for k, make in ipairs(makers) do
  local ok, object = pcall(make)
  objects[k] = ok and object or X
end

-- Every function by its path, C's and ours in Lua, that hangs on the value.
local found, names, seen = {}, {}, {}
local function walk(value, path, depth)
  local kind = type(value)
  if kind ~= "table" and kind ~= "function" and kind ~= "userdata" or seen[value] or skipped[value] or depth > 14 then
    return
  end
  seen[value] = true
  local meta = debug.getmetatable(value)
  if type(meta) == "table" then walk(meta, path .. "!", depth + 1) end
  if kind == "table" then
    if value == _G or value == package.loaded then return end
    for k, field in next, value do
      if not (type(k) == "string" and unwanted[k]) then walk(field, path .. "." .. tostring(k), depth + 1) end
    end
  elseif kind == "function" then
    if not path:find("_folder", 1, true) then
      found[#found + 1] = value
      names[value] = path
    end
    for k = 1, 60 do
      local name, upvalue = debug.getupvalue(value, k)
      if not name then break end
      walk(upvalue, path .. "^" .. k .. name, depth + 1)
    end
  end
end
walk(pg, "pg", 0)
for k, object in ipairs(objects) do walk(object, "object" .. k, 0) end
-- The order in which tables were walked is another each time.
sort(found, function(a, b) return names[a] < names[b] end)
local native = {}
for _, f in ipairs(found) do
  if debug.getinfo(f, "S").what == "C" then native[#native + 1] = f end
end

local hooked = {} -- what replaced globals were given
local edges = {0, -1, 1, 2, 3, 2^31, -2^31, 2^32 + 1, 2^53, 2^63, math.mininteger, math.maxinteger, 1e308, 0/0, 1/0,
  -1/0, 0.5,
  1e-320}
local words = {"", "a", "f32", "f64", "bool", "u8", "x.npy", "auto", "svd", "png", "svg", "all", "each", "same",
  "ij,jk->ik",
  "i,i", "full", "sum", "mean", "lower", "upper", "circle", ("x"):rep(300), "a\0b", "%s%n%d", "\27[31m", "newton",
    "W", "X"}
local files = {"f.npy", "f.csv", "f.npz", "f.png", "f.json", "new.npy", "new.npz", "new.csv", "new.json", "missing"}
local function pick(list) return list[rnd(#list)] end
local function few() return rnd(0, 6) end

local value
local function list_of(n, f)
  local t = {}
  for k = 1, n do t[k] = f() end
  return t
end
local values = {
  function() return rnd(-3, 8) end,
  function() return rnd(-3, 8) end,
  function() return rnd(1, 4) end,
  function() return rnd() * 10 - 3 end,
  function() return pick(edges) end,
  function() return pick(words) end,
  function() return folder .. pick(files) end,
  function() return rnd(2) == 1 end,
  function() return nil end,
  function() return pg.zeros(list_of(rnd(0, 4), function() return rnd(0, 4) end), pick{"f32", "f64"}) end,
  function() return normal(few(), few()) end,
  function() return normal(few() + 1, few() + 1).T end,
  function() return rng:bernoulli(0.5, few(), few()) end,
  function() return normal(7, 7):slice({1, 7, 2}, {-1, 1, -2}) end,
  function() return normal(few()) end,
  function() return normal(few()):astype("f32") end,
  function() return pg.range(1, few() + 1) end,
  function() return normal(few(), 5) end,
  function() return normal(20) end,
  function() return X end,
  function()
    local a = normal(5)
    a[rnd(5)] = pick(edges)
    return a
  end,
  function()
    local n = rnd(1, 5)
    local a = normal(n, n)
    return a:dot(a.T)
  end,
  function() return pg.zeros(rnd(1, 3), rnd(1, 3), rnd(1, 3), pick{"f32", "f64"}) end,
  function() return list_of(few(), function() return rnd(-2, 5) end) end,
  function() return list_of(rnd(1, 4), function() return normal(3) end) end,
  function() return list_of(rnd(1, 3), function() return pick(objects) end) end,
  function() return list_of(rnd(0, 3), value) end,
  function() return {{1, 2}, {3, 4}} end,
  function() return {a = 1, axis = 1, out = normal(3), keepdims = true} end,
  function() return {[pick{"axis", "out", "size", "rng", "n", "m", "dtype", "max", "alpha", "k", "p", "X", "E",
    "edges", "W",
    "mu", "S", "state", "lengths", "h", "c", "batch_size", "epochs", "columns"}] = value()} end,
  function() return {X = normal(4, 2), edges = {{1, 2}, {2, 3}}} end,
  function() return {input_size = rnd(-1, 3), hidden_size = rnd(-1, 3), output_size = rnd(0, 2), num_layers = rnd(0,
    2), rng = rng} end,
  function() return rng end,
  function() return legacy end,
  function() return pick(objects) end,
  function() return pick(objects) end,
  function() -- what is inside an object
    local object = pick(objects)
    if type(object) ~= "table" then return object end
    local keys = {}
    for k in next, object do keys[#keys + 1] = tostring(k) end
    sort(keys)
    local v = object[pick(keys) or 1]
    return v
  end,
  function() return pick(hooked) end,
  function() return function(...) return ... end end,
  function() return function() error "boom" end end,
  function() return setmetatable({}, pick{getmetatable(X.shape), {__index = function() return value() end},
    {__len = value}}) end,
  function() return io.stderr end,
}
function value() return pick(values)() end

-- ---- finalisers ------------------------------------------------------------------------------------------------

local flight = {} -- the arguments of the call that runs
local deep = 0
local function spoil(v)
  local kind = type(v)
  if kind == "table" then
    local keys = {}
    for k in next, v do keys[#keys + 1] = k end
    local k = pick(keys) or 1
    if rnd(3) == 1 then k = rnd(1, 4) end
    if v ~= _G and v ~= pg then pcall(rawset, v, k, pick{value, function() return nil end}()) end
  elseif kind == "userdata" then
    if getmetatable(v) == "array" then
      pcall(v.fill, v, pick(edges))
    else
      for _, method in ipairs{"close", "free", "release"} do
        pcall(function() v[method](v) end)
      end
    end
  end
end

local function call(f)
  local count = rnd(0, 7)
  local arguments = {}
  for k = 1, count do arguments[k] = value() end
  -- A method wants its object first.
  if rnd(3) == 1 then arguments[1] = pick(objects) end
  local outer = flight
  flight = arguments
  if trace then
    local said = {}
    for k = 1, count do
      local v = arguments[k]
      said[k] = getmetatable(v) == "array" and "array " .. tostring(v.shape) .. v.dtype or type(v) == "string"
        and ("%q"):format(v)
        or type(v) == "table" and "table " .. #said or tostring(v):sub(1, 30)
    end
    write(stderr, ("  "):rep(deep), names[f], "(", concat(said, ", "), ")\n")
  end
  pcall(f, unpack(arguments, 1, count))
  flight = outer
end

local function finaliser()
  setmetatable({}, {__gc = function()
    if deep > 1 then return end
    deep = deep + 1
    for _ = 1, rnd(1, 3) do
      local v = flight[rnd(1, #flight + 1)] or pick(objects)
      spoil(rnd(2) == 1 and type(v) == "table" and v[rnd(1, #v + 1)] or v)
    end
    if rnd(4) == 1 then call(pick(found)) end
    if rnd(2) == 1 then finaliser() end
    deep = deep - 1
  end})
end

-- What a script may put in the place of globals: hands what it is given to us, now and then something else back.
if seed % 4 == 0 then
  for _, name in ipairs{"pcall", "setmetatable", "getmetatable", "ipairs", "pairs", "type", "tostring", "select",
    "rawget", "error",
    "next", "assert", "rawset", "rawlen", "rawequal", "tonumber"} do
    local real = _G[name]
    _G[name] = function(...)
      for k = 1, select("#", ...) do
        local given = select(k, ...)
        if type(given) == "function" or type(given) == "userdata" or type(given) == "table" then
          if #hooked < 200 then insert(hooked, given) end
        end
      end
      if rnd(40) == 1 then return value() end
      return real(...)
    end
  end
end

-- Steps small enough that collections begin and end within calls, and finalisers run there.
if seed % 3 == 0 then gc("incremental", 50, 1000, 8) else gc("generational", 5, 20) end

local made = 0
local function one(step)
  finaliser()
  if step % 16 == 0 then
    local k = rnd(#makers)
    local ok, object = pcall(makers[k])
    objects[k] = ok and object or objects[k]
  end
  if rnd(6) == 1 then spoil(pick(objects)) end
  if #hooked > 0 and rnd(10) == 1 then
    local f = pick(hooked)
    if type(f) == "function" and not skipped[f] then
      names[f] = names[f] or "hooked"
      call(f)
    end
  end
  call(rnd(2) == 1 and pick(native) or pick(found))
  made = made + 1
end
for step = 1, calls do pcall(one, step) end -- an interrupt may come between calls as well
return made, #found, #native
