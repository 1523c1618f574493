-- SPDX-License-Identifier: MIT
-- Twenty steps of each optimiser and schedule beside PyTorch's numbers (tests/golden/torch_optim.py), and runs that are
-- interrupted, saved and gone on with.
local pg = require "perigee"
local message = require("tests.lua.helper").message

local golden = {}
for line in io.lines("tests/golden/torch_optim.txt") do
  local name, rest = line:match("^(%S+) (.*)$")
  local list = {}
  for number in rest:gmatch("%S+") do list[#list + 1] = tonumber(number) end
  golden[name] = pg.array(list)
end

local index = pg.range(0, 6)

local function gradient(p, t)
  return pg.cos(index + t) * p + 0.1 * pg.sin(index * t)
end

local function steps(opt, p, from, to)
  for t = from, to do opt:step(p, gradient(p, t)) end
  return p
end

local function rosenbrock(x)
  local a, b = x:slice{1, -2}, x:slice{2, -1}
  local r = b - a * a
  local g = pg.zeros(#x)
  g[{{1, -2}}] = -400 * a * r - 2 * (1 - a)
  g[{{2, -1}}] = g:slice{2, -1} + 200 * r
  return (100 * r * r + (1 - a) * (1 - a)):sum(), g
end

local makers = {
  adam = function() return pg.optim.adam{lr = 0.05, weight_decay = 0.1} end,
  adamw = function() return pg.optim.adamw{lr = 0.05, weight_decay = 0.1, betas = {0.8, 0.95}} end,
  sgd = function() return pg.optim.sgd{lr = 0.05, momentum = 0.9, dampening = 0.2, weight_decay = 0.1} end,
  nesterov = function() return pg.optim.sgd{lr = 0.05, momentum = 0.9, nesterov = true, weight_decay = 0.03} end,
  rmsprop = function() return pg.optim.rmsprop{lr = 0.02, alpha = 0.9, weight_decay = 0.1} end,
  rmsprop_centered = function() return pg.optim.rmsprop{lr = 0.02, alpha = 0.9, centered = true, momentum = 0.7} end,
}

describe("optimizers", function()
  it("step as PyTorch's for twenty steps", function()
    for name, make in pairs(makers) do
      local p = steps(make(), pg.sin(index), 0, 19)
      assert.is_true((p - golden[name]):abs():max() < 1e-12, name)
    end
    local x, opt = pg.array{-1.2, 1.0, 0.7, -0.4, 1.9, 0.3}, pg.optim.lbfgs{}
    local last = math.huge
    for _ = 1, 20 do
      local loss = opt:step(x, rosenbrock)
      assert.is_true(loss <= last)
      last = loss
    end
    assert.is_true((x - golden.lbfgs):abs():max() < 1e-12)
    for _ = 1, 80 do opt:step(x, rosenbrock) end
    assert.is_true(select(2, rosenbrock(x)):abs():max() < 1e-6)
  end)

  it("decay only what the mask says", function()
    local all = steps(makers.adamw(), pg.sin(index), 0, 19)
    local none = steps(pg.optim.adamw{lr = 0.05}, pg.sin(index), 0, 19)
    local masked = steps(pg.optim.adamw{lr = 0.05, mask = pg.zeros(7)}, pg.sin(index), 0, 19)
    assert.is_true((masked - golden.adamw_no_decay):abs():max() < 1e-12)
    assert.is_true((none - masked):abs():max() > 1e-4)
    local mask = pg.array{1, 0, 1, 0, 1, 0, 1}
    for _, kind in ipairs{"adam", "sgd", "rmsprop"} do
      local with, without = pg.optim[kind]{weight_decay = 0.2}, pg.optim[kind]{}
      local some = steps(pg.optim[kind]{weight_decay = 0.2, mask = mask}, pg.sin(index), 0, 4)
      local a, b = steps(with, pg.sin(index), 0, 4), steps(without, pg.sin(index), 0, 4)
      assert.is_true(pg.array_equal(some, pg.where(mask:gt(0), a, b)), kind)
    end
    assert.is_false(pg.array_equal(all, none))
    local short = pg.optim.adam{mask = pg.zeros(3)}
    assert.matches("mask: expected 7 elements of f64", message(steps, short, pg.sin(index), 0, 1))
  end)

  it("go on from a file as if nothing had been", function()
    local path = os.tmpname() .. ".npz"
    for name, make in pairs(makers) do
      for _, at in ipairs{0, 1, 7} do
        local p = pg.sin(index)
        local opt = make()
        if at > 0 then steps(opt, p, 0, at - 1) end
        opt:save(path)
        local fresh = pg.optim[getmetatable(opt).__name]{}
        assert.is_true(rawequal(fresh, fresh:load(path)))
        assert.equal(tostring(opt), tostring(fresh))
        assert.is_true(pg.array_equal(steps(fresh, p, at, 19), steps(make(), pg.sin(index), 0, 19)), name)
      end
    end
    local x, opt = pg.array{-1.2, 1.0, 0.7, -0.4, 1.9, 0.3}, pg.optim.lbfgs{history = 3}
    for _ = 1, 8 do opt:step(x, rosenbrock) end
    opt:save(path)
    local y, fresh = x:copy(), pg.optim.lbfgs{}:load(path)
    for _ = 1, 8 do
      opt:step(x, rosenbrock)
      fresh:step(y, rosenbrock)
    end
    assert.is_true(pg.array_equal(x, y))
    -- A schedule goes on at the step it had come to.
    local scheduled = pg.optim.sgd{lr = pg.optim.step(1, 3, 0.5)}
    steps(scheduled, pg.sin(index), 0, 4)
    scheduled:save(path)
    local again = pg.optim.sgd{lr = pg.optim.step(1, 3, 0.5)}:load(path)
    again:step(pg.sin(index), index)
    assert.equal(0.5, again.lr)
    assert.equal(path .. ": the state of sgd, expected that of adam",
      message(function() pg.optim.adam{}:load(path) end))
    pg.save(path, {m = index})
    assert.equal(path .. ": not the state of an optimizer", message(function() pg.optim.adam{}:load(path) end))
    os.remove(path)
  end)

  it("belong to one array", function()
    for _, make in pairs(makers) do
      local opt, p = make(), pg.sin(index)
      steps(opt, p, 0, 2)
      assert.matches("params: another array than before", message(steps, opt, p:copy(), 3, 3))
      assert.matches("has 3 elements, but this optimizer's state is for 7",
        message(opt.step, opt, pg.ones(3), pg.ones(3)))
      steps(opt, p:reshape(7), 3, 3) -- the same elements
      assert.equal(4, opt.t)
    end
    local plain = pg.optim.sgd{}
    steps(plain, pg.sin(index), 0, 1)
    steps(plain, pg.sin(index), 0, 1)
  end)

  it("refuse a rate that is none", function()
    for _, bad in ipairs{-1, 0 / 0, math.huge, "x"} do
      for _, kind in ipairs{"adam", "adamw", "sgd", "rmsprop"} do
        local p = pg.sin(index)
        local opt = pg.optim[kind]{lr = function() return bad end}
        assert.matches("^step: the schedule gave .* for step 1, expected a finite number of at least 0",
          message(opt.step, opt, p, index))
        assert.is_true(pg.array_equal(p, pg.sin(index)))
        assert.equal(0, opt.t)
      end
    end
  end)

  it("are searched along only where there is a number", function()
    local opt = pg.optim.lbfgs{}
    assert.matches("f: expected a function", message(opt.step, opt, pg.ones(2), pg.ones(2)))
    local x, calls = pg.array{3, 4}, 0
    assert.matches("^step: f gave number 1 and no value", message(opt.step, opt, x, function() return 1 end))
    assert.matches("^step: the loss is nan", message(opt.step, opt, x, function() return 0 / 0, pg.ones(2) end))
    -- What raises in the search leaves params as they were.
    assert.matches("enough", message(opt.step, opt, x, function(p)
      calls = calls + 1
      if calls == 2 then error("enough") end
      return (p * p):sum(), 2 * p
    end))
    assert.same({3, 4}, x:totable())
  end)
end)

describe("schedules", function()
  it("give PyTorch's rates", function()
    local made = {cosine = pg.optim.cosine(0.1, 20, {last = 0.002}), step = pg.optim.step(0.1, 6, 0.5),
      one_cycle = pg.optim.one_cycle(0.1, 20)}
    for name, f in pairs(made) do
      for t = 1, 20 do assert.is_true(math.abs(f(t) - golden[name][t]) < 1e-15, name .. t) end
    end
  end)

  it("warm up", function()
    local f = pg.optim.cosine(1, 10, {warmup = 3})
    assert.equal(0.25, f(1))
    assert.equal(0.75, f(3))
    assert.equal(1, f(4))
    assert.equal(0, f(11))
    assert.equal(0, f(99))
    local g = pg.optim.warmup(pg.optim.step(8, 2, 0.5), 3)
    assert.same({2.0, 4.0, 6.0, 8.0, 8.0, 4.0}, {g(1), g(2), g(3), g(4), g(5), g(6)})
    assert.matches("warmup: expected an integer of at least 0, got %-1", message(pg.optim.cosine, 1, 10, {warmup = -1}))
    assert.matches("lr: expected a number in", message(pg.optim.one_cycle, -1, 10))
  end)
end)

describe("pg.optim.ema", function()
  it("averages, is saved, and minds its shape", function()
    local e = pg.optim.ema(pg.array{1, 2}, {decay = 0.75})
    e:update(pg.array{5, 2}):update(pg.array{2, 10})
    assert.same({2.0, 4.0}, e.params:totable())
    assert.equal("ema: decay 0.75, 2 elements, 2 updates", tostring(e))
    assert.matches("params: expected shape %(2,%), got %(3,%)", message(e.update, e, pg.ones(3)))
  end)
end)

describe("pg.optim.clip_norm", function()
  it("raises on what is not finite when asked", function()
    for bad, word in pairs{[math.huge] = "inf", nan = "nan"} do
      local g = pg.array{1, bad == "nan" and 0 / 0 or bad}
      assert.equal("optim.clip_norm: the norm of the gradient is " .. word,
        message(pg.optim.clip_norm, g, 1, {finite = true}))
    end
    assert.equal(5, pg.optim.clip_norm(pg.array{3, 4}, 1, {finite = true}))
  end)
end)
