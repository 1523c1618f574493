-- SPDX-License-Identifier: MIT
-- How pg.lstm is trained and taken apart: the loss of an epoch, shards, reduce, and the pair _forward and _backward.
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function net_of(seed, scale)
  local net = pg.lstm.new{input_size = 1, hidden_size = 8, output_size = 1, dtype = "f64", rng = pg.random.new(seed)}
  net.params:assign(pg.random.new(seed):standard_normal(net.nparams) * (scale or 0.5))
  return net
end

describe("lstm:fit", function()
  local x, y = pg.lstm.shift(pg.random.new(2):bernoulli(0.8, 12, 9))

  it("weighs the loss of an epoch by the steps that count", function()
    for _, lengths in ipairs{{1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 2, 3}, {9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}} do
      local net = net_of(7, 3)
      local want = net:loss(x, y, {lengths = lengths})
      for _, batch in ipairs{12, 6, 5, 1} do
        for _, shards in ipairs{1, batch} do
          local history = net:fit(x, y, {epochs = 1, batch = batch, rng = pg.random.new(3), lengths = lengths,
            optimizer = pg.optim.sgd{lr = 0}, shards = shards})
          assert.is_true(math.abs(history.loss[1] - want) < 1e-14)
        end
      end
    end
  end)

  it("adds the gradients of shards to that of the batch, and hands it to reduce", function()
    local net, seen, calls = net_of(3), nil, 0
    net:loss_grad(x, y)
    local want = net.grads:copy()
    for _, shards in ipairs{1, 2, 3, 4, 12} do
      net:fit(x, y, {epochs = 1, optimizer = pg.optim.sgd{lr = 0}, shards = shards, reduce = function(g)
        seen, calls = g:copy(), calls + 1
      end})
      assert.is_true((seen - want):abs():max() < 1e-15)
    end
    assert.equal(5, calls)
    -- What reduce leaves is what the step takes.
    local before = net.params:copy()
    net:fit(x, y, {epochs = 1, optimizer = pg.optim.sgd{lr = 1}, reduce = function(g) g:assign(0.5) end})
    assert.is_true((before - net.params - 0.5):abs():max() < 1e-15)
    assert.equal("bad argument #3 to 'fit' (shards: expected a number that divides the batch of 6, got 4)",
      message(net.fit, net, x, y, {batch = 6, shards = 4, rng = pg.random.new(1)}))
    assert.equal("bad argument #3 to 'fit' (clip_norm: expected a number above 0, got 0)",
      message(net.fit, net, x, y, {clip_norm = 0}))
    assert.equal("bad argument #3 to 'fit' (reduce: expected a function, got number 1)",
      message(net.fit, net, x, y, {reduce = 1}))
  end)
end)

describe("lstm:sample", function()
  it("draws nothing from what is no number", function()
    for _, at in ipairs{1, 40, -1} do
      local net = net_of(1)
      net.params[at == -1 and net.nparams or at] = 0 / 0
      assert.matches("^sample: the net gives nan for sequence 1, step %d", message(net.sample, net, 3,
        pg.random.new(0), {steps = 4}))
    end
    local X = net_of(1, 1e200):sample(3, pg.random.new(0), {steps = 4})
    assert.equal(12, X.size)
  end)
end)

describe("lstm:_forward and lstm:_backward", function()
  local rng = pg.random.new(5)
  local net = pg.lstm.new{input_size = 3, hidden_size = 5, num_layers = 2, output_size = 2, dtype = "f64", rng = rng}
  local x = rng:standard_normal(4, 6, 3)
  local state = {h = rng:standard_normal(2, 4, 5) * 0.3, c = rng:standard_normal(2, 4, 5) * 0.3}
  local u, v, w = rng:standard_normal(4, 6, 2), rng:standard_normal(2, 4, 5), rng:standard_normal(2, 4, 5)

  local function value()
    local logits, s = net:forward(x, state)
    return (logits * u):sum() + (s.h * v):sum() + (s.c * w):sum()
  end

  it("are adjoint to what a finite difference says", function()
    local logits, s, history = net:_forward(x, state)
    local plain, last = net:forward(x, state)
    assert.is_true(pg.array_equal(logits, plain) and pg.array_equal(s.h, last.h) and pg.array_equal(s.c, last.c))
    local dx, dstate = net:_backward(history, u, {h = v, c = w}, true, true)
    local pairs_of = {{x, dx}, {state.h, dstate.h}, {state.c, dstate.c}, {net.params, net.grads:copy()}}
    for _, pair in ipairs(pairs_of) do
      local a, g = pair[1], pair[2]
      local along = rng:standard_normal(a.size):reshape(a:dims())
      local want, rest, h = (along * g):sum(), a:copy(), 1e-3
      local sum = 0
      for k, weight in pairs{[-2] = 1, [-1] = -8, [1] = 8, [2] = -1} do
        a:assign(rest + along * (k * h))
        sum = sum + weight * value()
      end
      a:assign(rest)
      assert.is_true(math.abs(want - sum / (12 * h)) < 1e-7 * math.max(1, math.abs(want)))
    end
    -- The history serves again, for a part alone, and leaves the gradient of the parameters be.
    net.grads:assign(7)
    local none, again = net:_backward(history, u, {h = v, c = w}, false, false)
    assert.is_nil(none)
    assert.is_true(pg.array_equal(again.h, dstate.h) and pg.array_equal(again.c, dstate.c))
    assert.equal(7, net.grads[1])
    local zero, first = net:_backward(history, nil, nil, true, false)
    assert.equal(0, zero:abs():max() + first.h:abs():max())
  end)

  it("refuse a history of another net", function()
    local _, _, history = net:_forward(x)
    local other = pg.lstm.new{input_size = 3, hidden_size = 6, output_size = 2, dtype = "f64", rng = rng}
    assert.matches("history: expected one that this net's forward run left",
      message(other._backward, other, history, u, nil, true, false))
    assert.matches("history", message(net._backward, net, 5, u, nil, true, false))
    assert.matches("dlogits: expected 48 elements", message(net._backward, net, history, u[1], nil, true, false))
  end)
end)
