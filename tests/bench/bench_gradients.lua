-- SPDX-License-Identifier: MIT
-- A step of nets and densities written by hand, through the tape.
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")
local rng = pg.random.new(0)

bench.case("gradient of (x*x).sum(), 10 elements", "slope(x)",
  {slope = pg.grad(function(x) return (x * x):sum() end), x = pg.ones(10)})

do -- XOR, 2-8-1, batch 4, SGD
  local X, y = pg.array({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, "f32"), pg.array({{0}, {1}, {1}, {0}}, "f32")
  local net = {params = rng:uniform(-0.5, 0.5, 33):astype("f32"), grads = pg.zeros(33, "f32")}
  local function views(a) return {w1 = a:slice({1, 16}):reshape(2, 8), b1 = a:slice({17, 24}),
    w2 = a:slice({25, 32}):reshape(8, 1), b2 = a:slice({33})} end
  local p, g = views(net.params), views(net.grads)
  function net.named(_, which) return which == "grads" and g or p end
  local step = pg.value_and_grad(function()
    local z = pg.tanh(X:dot(p.w1) + p.b1):dot(p.w2) + p.b2
    return (pg.softplus(z) - z * y):mean()
  end)
  bench.case("XOR 2-8-1, batch 4, SGD", "local _, g = step(net) opt:step(net.params, g)",
    {step = step, net = net, opt = pg.optim.sgd{lr = 0.1}})
end

do -- an RNN as a loop, H 64, T 25, batch 32
  local H, T, B = 64, 25, 32
  local p = {W = rng:uniform(-0.1, 0.1, H, H):astype("f32"), U = rng:uniform(-0.1, 0.1, 1, H):astype("f32"),
    b = pg.zeros(H, "f32"), V = rng:uniform(-0.1, 0.1, H, 1):astype("f32"), c = pg.zeros(1, "f32")}
  local x = rng:bernoulli(0.5, T, B, 1):astype("f32")
  local y = rng:bernoulli(0.5, T, B, 1):astype("f32")
  local step = pg.value_and_grad(function(q)
    local h, total = pg.zeros(B, H, "f32"), 0
    for t = 1, T do
      h = pg.tanh(x[t]:dot(q.U) + h:dot(q.W) + q.b)
      local z = h:dot(q.V) + q.c
      total = total + (pg.softplus(z) - z * y[t]):mean()
    end
    return total / T
  end)
  bench.case("RNN as a loop, H 64, T 25, batch 32", "step(p)", {step = step, p = p})
end

do -- Bayesian logistic regression
  local X, y = rng:standard_normal(1000, 25), rng:bernoulli(0.5, 1000)
  local slope = pg.value_and_grad(function(w)
    local z = X:dot(w)
    return (y * z - pg.softplus(z)):sum() - pg.square(w):sum() / 2
  end)
  local w = pg.zeros(25)
  bench.case("logistic log-posterior and gradient, 1000 x 25", "slope(w)", {slope = slope, w = w})
  local eps, leaps = 0.01, 10
  bench.case("HMC trajectory of 10 steps on it", [[
    local p = rng:standard_normal(25)
    local w1, lp, g = w, slope(w)
    p = p + eps / 2 * g
    for i = 1, leaps do
      w1 = w1 + eps * p
      lp, g = slope(w1)
      p = p + (i < leaps and eps or eps / 2) * g
    end]], {slope = slope, w = w, rng = rng, eps = eps, leaps = leaps})
end
