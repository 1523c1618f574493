-- SPDX-License-Identifier: MIT
-- Plain Lua reaches no memory that is not its own: what C believes of what scripts can change (see bind/bind.h). Under
-- the sanitizers each of these would stop the tests; without them some would crash and some give foreign numbers.
local pg = require "perigee"
local helper = require "tests.lua.helper"

-- The message, or what came.
local function try(f, ...)
  local ok, message = pcall(f, ...)
  return not ok and tostring(message) or message
end

-- Runs f with an object whose finaliser, `act`, runs as soon as a collection does.
local function with_finaliser(act, f)
  local fired = 0
  setmetatable({}, {__gc = function() fired = fired + 1; act() end})
  local result = {pcall(f)}
  collectgarbage()
  return fired, table.unpack(result)
end

describe("functions that metatables show", function()
  local hostile = {5, "text", string.pack("<I8", 0x123456789000):rep(20), io.stderr, {}, print, pg.ones(2)}

  it("look at what they are given", function()
    local folder = os.tmpname()
    os.remove(folder)
    pg.save(folder .. ".npz", {a = pg.ones(2), b = pg.zeros(1)})
    local named = pg.load(folder .. ".npz")
    os.remove(folder .. ".npz")
    local shape = getmetatable(pg.zeros(2).shape)
    local functions = {getmetatable(pg).__index, getmetatable(pg.linalg).__index, shape.__tostring, shape.__concat,
      shape.__eq, getmetatable(named).__pairs, (getmetatable(named).__pairs({a = 1}))}
    for k, f in ipairs(functions) do
      for _, a in ipairs(hostile) do
        for _, b in ipairs{"zzz", 3, pg.ones(3), false} do
          local ok, message = pcall(f, a, b)
          assert(ok or message ~= nil, k)
        end
      end
      pcall(f)
    end
    assert.equal("pg has no 'zzz'", try(getmetatable(pg).__index, 5, "zzz"))
  end)

  it("are out of reach for handles", function()
    local folder = os.tmpname()
    pg._system.write(folder, "x")
    local lock = pg._system.lock(folder)
    os.remove(folder)
    assert.is_false(getmetatable(lock))
    pg.save(folder .. ".npy", pg.ones(4, 2))
    local _, _, _, rows = pg.rows(folder .. ".npy")
    os.remove(folder .. ".npy")
    assert.is_false(getmetatable(rows))
    assert.equal("number", type(pg.cpt.estimate(pg.ones(2, 2)):entropy()))
    assert.equal("cpt tree", getmetatable(pg.cpt.estimate(pg.ones(2, 2)).handle))
  end)
end)

describe("fields that scripts changed", function()
  local rng = pg.random.new(1)

  it("of an accumulator of pg.linear", function()
    for _, shape in ipairs{{61, 1}, {1, 61}, {61}, {0, 0}, {62, 62}} do
      local acc = pg.linear.accumulate()
      acc:add(rng:standard_normal(80, 60), rng:standard_normal(80))
      for k, v in pairs(acc) do
        if type(v) == "userdata" then acc[k] = pg.zeros(shape) end
      end
      try(acc.add, acc, rng:standard_normal(80, 60), rng:standard_normal(80))
      try(acc.fit, acc)
    end
  end)

  it("of a model of pg.cpt", function()
    local X = pg.zeros(3, 5)
    for _, handle in ipairs{{}, {pg.ones(3)}, {pg.ones(2, 2)}, {pg.ones(2), pg.ones(2)}, 5, "x", io.stderr, pg.ones(4),
        {pg.ones(2):astype("f32")}} do
      local m = pg.cpt.new{{0.25, 0.75}}
      m.handle = handle
      for _, name in ipairs{"sample", "logprob", "entropy", "conditional", "support"} do
        for _, first in ipairs{2, {}, {0}, X, {0, 1, 0}} do try(m[name], m, first, rng) end
      end
    end
    local m = pg.cpt.new{{0.25, 0.75}}
    m.handle = {}
    assert.match("the model's tables were changed: there are 0$", try(m.conditional, m, {}))
  end)
end)

describe("finalisers that run within a call", function()
  it("cannot change what concat joins", function()
    for _, join in ipairs{pg.concat, pg.stack} do
      for k = 1, 4 do
        local rows = join == pg.stack and 100000 or 1
        local list = {pg.zeros(100000, 3), pg.zeros(rows, 3)}
        local wide = pg.ones(rows, 300)
        local _, ok, result = with_finaliser(function() list[2] = k % 2 == 0 and wide or nil end, function()
          return join(list, 1)
        end)
        assert(not ok or result.shape[result.ndim] == 3)
      end
    end
  end)

  it("cannot take the workspace of a net that computes", function()
    local rng = pg.random.new(0)
    local small, big = pg.zeros(2000, 4, 1, "f32"), pg.zeros(2000, 8, 1, "f32")
    for _ = 1, 5 do
      local net = pg.lstm.new{input_size = 1, hidden_size = 8, output_size = 1, rng = rng}
      net:forward(small)
      local _, ok = with_finaliser(function() net:forward(big) end, function() return net:forward(small) end)
      assert.is_true(ok)
    end
  end)

  it("cannot take the tables of a model of pg.cpt", function()
    local rng = pg.random.new(0)
    for _ = 1, 5 do
      local function make()
        local tables, shape = {}, {}
        for k = 1, 12 do
          shape[k] = 2
          tables[k] = pg.full(shape, 0.5)
        end
        return pg.cpt.new(tables)
      end
      local m = make() -- nothing else keeps its tables
      local _, ok, X = with_finaliser(function() for k = 1, 12 do m.handle[k] = nil end end, function()
        return m:sample(2000, rng)
      end)
      if ok then assert.equal(2000, #X) end
    end
  end)
end)

describe("globals that scripts replace", function()
  local real_concat, real_floor = table.concat, math.floor

  it("are not those that the library calls", function()
    local seen = {}
    local kept = {}
    for _, name in ipairs{"pcall", "setmetatable", "ipairs", "pairs", "type", "getmetatable", "select", "next"} do
      kept[name] = _G[name]
      _G[name] = function(...)
        seen[#seen + 1] = name
        return kept[name](...)
      end
    end
    local rng = pg.random.new(1)
    local X = rng:standard_normal(20, 3)
    local acc = pg.linear.accumulate()
    acc:add(X, rng:standard_normal(20))
    acc:fit()
    pg.ppca.fit(X, 1):encode(X)
    pg.graph.data{{X = X, edges = {{1, 2}}}}
    pg.cpt.new{{0.25, 0.75}}:sample(3, rng)
    local net = pg.lstm.new{input_size = 1, hidden_size = 2, output_size = 1, rng = rng}
    net:forward(pg.zeros(2, 3, 1, "f32"))
    for name, f in kept.next, kept do _G[name] = f end
    assert.same({}, seen)
    local format = string.format
    string.format, table.concat, math.floor = nil, nil, nil -- luacheck: ignore
    local ok, text = pcall(function() return tostring(pg.linear.fit(X, rng:standard_normal(20))) end)
    string.format, table.concat, math.floor = format, real_concat, real_floor -- luacheck: ignore
    assert.is_true(ok, text)
  end)
end)

describe("what is written", function()
  it("keeps its mode, by one writer", function()
    local folder = os.tmpname()
    os.remove(folder)
    pg._system.mkdirs(folder)
    local function mode(path)
      local pipe = io.popen("stat -c %a " .. path)
      local text = pipe:read("l")
      pipe:close()
      return text
    end
    for _, name in ipairs{"a.npy", "a.svg", "a.json", "a.txt"} do
      local path = folder .. "/" .. name
      local function write()
        if name == "a.svg" then pg.plot.figure{}:line({1, 2}, {1, 2}):save(path)
        elseif name == "a.txt" then pg._system.write(path, "text")
        else pg.save(path, name == "a.json" and {a = 1} or pg.ones(2)) end
      end
      write()
      os.execute("chmod 600 " .. path)
      write()
      assert.equal("600", mode(path), name)
    end
    os.execute("rm -r " .. folder)
  end)
end)

describe("a shape", function()
  it("has no extent at an index however small", function()
    local shape = pg.ones(2, 3).shape
    for _, k in ipairs{math.mininteger, math.mininteger + 1, -3, 3, math.maxinteger, 0.5, -math.huge} do
      assert.is_nil(shape[k])
    end
    assert.equal(3, shape[-1])
    assert.equal(2, shape[-2])
  end)
end)

describe("what gradients are recorded on", function()
  local tape, message = pg._tape, helper.message
  assert(pg.grad, "which sets the tools of the tape")

  it("is there for gradients alone", function()
    local x = pg.ones(3)
    for name, call in pairs{
      leaf = function() return tape.leaf(x) end,
      mark = function() return tape.mark(x) end,
      marks = function() return tape.marks{x} end,
      gradient = function() return tape.gradient(x, 1) end,
      backward = function() return tape.backward(x, 1, 1) end,
    } do
      assert.matches("no gradient is being taken", message(call), 1, true, name)
    end
    assert.is_false(tape.recording())
    assert.equal(3, (x * 2):sum() / 2)
  end)

  it("refuses what is no list, array, leaf or node", function()
    for _, f in ipairs{tape.marks, tape.deliver, tape.attach, tape.run, tape.pause} do
      assert.is_false(pcall(f))
      for _, v in ipairs{1, "text", true, pg.ones(2)} do
        assert.is_false(pcall(f, v, v, v, v))
        pcall(f, {}, v, v, v)
        pcall(f, {}, {}, v, v)
      end
    end
    assert.matches("they are set already", message(tape.tools, {}))
    assert.matches("there is no 99999999", message(tape.unmark, pg.ones(1), 99999999))
    assert.matches("there is no %-1", message(tape.unmark, pg.ones(1), -1))
    tape.run(function()
      local x, at = tape.leaf(pg.ones(3))
      local y = (x * x):sum()
      for _, call in ipairs{
        {y, at, 2 ^ 31}, {y, at, math.maxinteger}, {y, math.maxinteger, 1}, {y, 0, 1}, {y, -1, 1}, {pg.ones(1), at, 1},
        {y, at, 1, "seed"}, {y, at, 1, 3}, {y, at, 1, pg.ones(2)}, {y, at, 1, {}},
      } do assert.is_false(pcall(tape.backward, table.unpack(call))) end
      assert.is_false(pcall(tape.gradient, y, 0))
      assert.is_false(pcall(tape.gradient, y, -5))
      assert.is_false(pcall(tape.marks, {pg.array({1}, "u8")}))
      assert.same({2, 2, 2}, tape.backward(y, at, 1)[1]:totable())
    end)
  end)

  it("is closed after a gradient within a pause", function()
    local kept
    tape.pause(function()
      tape.run(function() kept = tape.leaf(pg.ones(2)) * 3 end)
    end)
    assert.is_false(tape.recording())
    assert.equal(0, tape.node(kept))
    assert.same({3, 3}, (kept * 1):totable())
  end)

  it("holds when finalisers record while it grows", function()
    local grad = pg.grad(function(x)
      local y = x
      for k = 1, 400 do
        setmetatable({}, {__gc = function() for _ = 1, 20 do pg.sin(x) end end})
        y = y + pg.sin(x) / k
        if k % 40 == 0 then collectgarbage() end
      end
      return y:sum()
    end)
    local want = 1
    for k = 1, 400 do want = want + math.cos(0.5) / k end
    for _, g in ipairs(grad(pg.full({3}, 0.5)):totable()) do assert.is_true(math.abs(g - want) < 1e-12) end
  end)
end)

describe("a hook's error", function()
  it("is not taken for the end of memory where an array is made", function()
    for at = 1, 2 do
      local calls, zeros = 0, pg.zeros
      local function hook()
        calls = calls + 1
        if calls == at then debug.sethook(); error("told to stop", 0) end
      end
      assert.equal("told to stop", try(function() debug.sethook(hook, "c") zeros(3000, 3000) end))
    end
  end)
end)
