-- SPDX-License-Identifier: MIT
--
-- Gradients through the models: their own formulas against the tape's.
local pg = require "perigee"

local function check(f, x, opts)
  local r = pg.gradcheck(f, x, opts)
  assert.is_true(r.ok, string.format("element %s is %s, by differences %s", r.worst, r.analytic, r.numeric))
end

describe("a gradient through", function()
  local rng = pg.random.new(6)
  it("pg.lstm is the one that it takes itself", function()
    local net = pg.lstm.new{input_size = 2, hidden_size = 3, num_layers = 2, output_size = 2, dtype = "f64", rng = rng}
    local x, y = rng:standard_normal(3, 4, 2), rng:bernoulli(0.5, 3, 4, 2)
    net:loss_grad(x, y)
    local want = net.grads:copy()
    local value, g = pg.value_and_grad(function(n) return n:loss(x, y) end)(net)
    assert.is_true(pg.allclose(g, want, {rtol = 1e-13, atol = 1e-15}))
    assert.is_true(math.abs(value - net:loss(x, y)) < 1e-14)
    -- By its logits.
    g = pg.grad(function(n)
      local z = n:forward(x)
      return (pg.softplus(z) - z * y):mean()
    end)(net)
    assert.is_true(pg.allclose(g, want, {rtol = 1e-12, atol = 1e-14}))
    -- By what goes in, and the state.
    local state = {h = rng:standard_normal(2, 3, 3), c = rng:standard_normal(2, 3, 3)}
    local function f(v, h, c)
      local z, last = net:forward(v, {h = h, c = c})
      return pg.sin(z):sum() + pg.square(last.h):sum() + (last.c * 0.3):sum()
    end
    check(function(v) return f(v, state.h, state.c) end, x:copy())
    check(function(v) return f(x, v, state.c) end, state.h:copy())
    check(function(v) return f(x, state.h, v) end, state.c:copy())
    check(function(v) return net:loss(v, y) end, x:copy())
    local H = pg.hessian(function(v) return net:loss(v, y) end)(x):reshape(x.size, x.size)
    assert.is_true(pg.allclose(H, H.T, {atol = 1e-12 * H:norm()}))
    -- A penalty on the parameters beside the loss.
    g = pg.grad(function(n) return n:loss(x, y) + (n.params * n.params):sum() end)(net)
    assert.is_true(pg.allclose(g, want + 2 * net.params, {rtol = 1e-12}))
  end)
  it("pg.graph.loglik, and through its slope", function()
    local X = rng:standard_normal(6, 2)
    local E = pg.zeros(6, 6)
    for i = 1, 6 do
      for j = i + 1, 6 do
        if rng:random() < 0.5 then E[{i, j}], E[{j, i}] = 1, 1 end
      end
    end
    local data = pg.graph.data{X = X, E = E}
    local _, slope, curvature = pg.graph.loglik(data, 0.3, -0.2)
    local ga, gb = pg.grad(function(a, b) return (pg.graph.loglik(data, a, b)) end, {argnums = {1, 2}})(0.3, -0.2)
    assert.is_true(math.abs(ga - slope[1]) < 1e-13 and math.abs(gb - slope[2]) < 1e-13)
    local H = pg.hessian(function(p) return (pg.graph.loglik(data, p[1], p[2])) end)(pg.array{0.3, -0.2})
    assert.is_true(pg.allclose(H, curvature, {rtol = 1e-12}))
    check(function(p) local _, g = pg.graph.loglik(data, p[1], p[2]) return (g * pg.array{1, 2}):sum() end,
      pg.array{0.3, -0.2})
  end)
  it("the densities of ppca and linear", function()
    local m = pg.ppca.fit(rng:standard_normal(30, 5):dot(rng:standard_normal(5, 5)), 2)
    local X = rng:standard_normal(4, 5)
    check(function(v) return (m:logprob(v) * pg.range(1, 4)):sum() end, X:copy())
    check(function(v) return m:logprob(v) end, X[1]:copy())
    check(function(v) return pg.sin(m:encode(v)):sum() end, X:copy())
    check(function(v) return pg.sin(m:reconstruct(v)):sum() end, X:copy())
    check(function(v) return pg.sin(m:decode(v)):sum() end, rng:standard_normal(3, 2))
    local slope = pg.grad(function(v) return m:loglik(v) end)
    check(function(v) return pg.sin(slope(v)):sum() end, X:copy(), {tol = 1e-6})
    local l = pg.linear.fit(X, rng:standard_normal(4))
    check(function(v) return l:logprob(v, pg.ones(2)):sum() end, rng:standard_normal(2, 5))
  end)
end)
