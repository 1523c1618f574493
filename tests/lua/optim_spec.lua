-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

-- Four steps on sin(0..4) with gradients cos(i + t) p; the numbers are PyTorch 1.13's, from the
-- program in tests/kernel/test_optim.c.
local function run(opt, dtype)
  local i = pg.range(0, 4):astype(dtype)
  local p = pg.sin(i)
  for t = 0, 3 do opt:step(p, pg.cos(i + t) * p) end
  return p
end

describe("optimizers", function()
  it("step as PyTorch's", function()
    local want = {
      {pg.optim.adam{lr = 0.05, weight_decay = 0.1},
        {0, 0.81863781679883441, 1.0778704118068527, 0.24273926925778017, -0.75279186887232397}},
      {pg.optim.sgd{lr = 0.05, momentum = 0.9, dampening = 0.2, weight_decay = 0.1},
        {0, 0.84897324691027487, 1.072792027289573, 0.16013706058648211, -0.70740266425210208}},
      {pg.optim.sgd{lr = 0.05, momentum = 0.9, nesterov = true},
        {0, 0.96928081192586635, 1.2092054534373278, 0.1646643786168922, -0.66167832560465456}},
      {pg.optim.sgd{lr = 0.05},
        {0, 0.90581184375404677, 0.99173347569745918, 0.14353799738807477, -0.70581559406602679}},
    }
    for _, case in ipairs(want) do
      assert.is_true((run(case[1], "f64") - pg.array(case[2])):abs():max() < 1e-14)
      assert.equal(4, case[1].t)
    end
    assert.is_true((run(pg.optim.adam{lr = 0.05, weight_decay = 0.1}, "f32") - pg.array(want[1][2])):abs():max() < 1e-6)
  end)
  it("take the rate from a number that may change or from a function of the step", function()
    local p, g = pg.zeros(1), pg.ones(1)
    local sgd = pg.optim.sgd{lr = function(t) return 10 ^ -t end}
    sgd:step(p, g)
    assert.equal(0.1, sgd.lr)
    sgd:step(p, g)
    assert.equal(0.01, sgd.lr)
    assert.is_true(math.abs(p[1] + 0.11) < 1e-15)
    local plain = pg.optim.sgd{lr = 1}
    plain:step(p, g)
    plain.lr = 0.5
    plain:step(p, g)
    assert.is_true(math.abs(p[1] + 1.61) < 1e-15)
  end)
  it("print what they are", function()
    assert.equal("adam: lr 0.001, betas 0.9 and 0.999, eps 1e-08, weight_decay 0, 0 steps made",
      tostring(pg.optim.adam()))
    local sgd = pg.optim.sgd{lr = function() return 1 end, momentum = 0.5, nesterov = true}
    sgd:step(pg.ones(2), pg.ones(2))
    assert.equal("sgd: lr a schedule, momentum 0.5, dampening 0, weight_decay 0, nesterov, 1 steps made", tostring(sgd))
    assert.equal("sgd has no 'momentun'; did you mean 'momentum'?", message(function() return sgd.momentun end))
  end)
  it("clip a norm", function()
    local g = pg.array{3, 4}
    assert.equal(5, pg.optim.clip_norm(g, 10))
    assert.same({3, 4}, g:totable())
    assert.equal(5, pg.optim.clip_norm(g, 1))
    assert.is_true(math.abs(g:norm() - 1) < 1e-6)
    assert.equal("bad argument #2 to 'optim.clip_norm' (max_norm: expected a number above 0, got 0.0)",
      message(pg.optim.clip_norm, g, 0))
    assert.truthy(message(pg.optim.clip_norm, pg.ones(4, 4).T, 1)
      :find("grads: expected an array whose elements lie one after another", 1, true))
  end)
  it("name what is wrong", function()
    local function check(want, f, ...) assert.equal(want, message(f, ...)) end
    check("bad argument #1 to 'optim.adam' (unknown option 'beta'; did you mean 'betas'?)", pg.optim.adam, {beta = 1})
    check("bad argument #1 to 'optim.adam' (lr: expected a number in [0, inf], got -1)", pg.optim.adam, {lr = -1})
    check("bad argument #1 to 'optim.adam' (lr: expected a number, got \"fast\")", pg.optim.adam, {lr = "fast"})
    check("bad argument #1 to 'optim.adam' (betas[2]: expected a number below 1, got 1)",
      pg.optim.adam, {betas = {0.9, 1}})
    check("bad argument #1 to 'optim.adam' (betas[1]: expected a number in [0, 1], got 2)",
      pg.optim.adam, {betas = {2}})
    check("bad argument #1 to 'optim.sgd' (momentum: expected a number in [0, inf], got -0.5)", pg.optim.sgd,
      {momentum = -0.5})
    check("bad argument #1 to 'optim.sgd' (nesterov: expected a momentum above 0 and no dampening)", pg.optim.sgd,
      {nesterov = true})
    local adam = pg.optim.adam{}
    check("bad argument #1 to 'step' (params: expected array, got no value)", adam.step, adam)
    local own = pg.ones(3)
    adam:step(own, pg.ones(3))
    check("bad argument #1 to 'step' (params: has 4 elements, but this optimizer's state is for 3; " ..
      "make one for each net)", adam.step, adam, pg.ones(4), pg.ones(4))
    assert.truthy(message(adam.step, adam, own, pg.ones(2)):find(
      "grads: expected 3 elements of f64, got array (2,) f64", 1, true))
    assert.truthy(message(adam.step, adam, own, pg.ones(3, "f32")):find(
      "grads: expected 3 elements of f64, got array (3,) f32", 1, true))
    assert.truthy(message(adam.step, adam, own, own):find("grads: shares memory with params", 1, true))
    local odd = pg.optim.sgd{lr = function() return "x" end}
    check([[step: the schedule gave "x" for step 1, expected a finite number of at least 0]], odd.step,
      odd, own, pg.ones(3))
  end)
end)
