-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function near(a, b, tol) assert.is_true(pg.allclose(a, b, {rtol = tol or 1e-12, atol = tol or 1e-12})) end

local rng = pg.random.new(3)
local norm, heads, layer = pg._norm, pg._heads, pg._layer

-- The gradient of sum g f(x) at x by differences.
local function slope(f, x, g)
  local d, h = pg.zeros(x.shape), 1e-5
  local flat, out = x:reshape(-1), d:reshape(-1)
  for i = 1, x.size do
    local at = flat(i)
    flat:set(i, at + h)
    local up = (f(x) * g):sum()
    flat:set(i, at - h)
    out:set(i, (up - (f(x) * g):sum()) / (2 * h))
    flat:set(i, at)
  end
  return d
end

local function standard(a, axes, eps)
  return (a - a:mean(axes, {keepdims = true})) / pg.sqrt(a:var(axes, {keepdims = true}) + eps)
end

describe("normalisation", function()
  local x, g = rng:standard_normal(3, 4, 6), rng:standard_normal(3, 4, 6)
  local w, b = rng:standard_normal(6), rng:standard_normal(6)
  it("of rows", function()
    near(x:layer_norm(), standard(x, 3, 1e-5))
    near(pg.layer_norm(x, w, b, {eps = 0.1}), standard(x, 3, 0.1) * w + b)
    local dx, dw, db = norm.layer_gradient(x, w, g, 1e-5)
    near(dx, slope(function(v) return v:layer_norm(w, b) end, x, g), 1e-8)
    near(dw, slope(function(v) return x:layer_norm(v, b) end, w, g), 1e-8)
    near(db, g:sum{1, 2})
    assert.equal("f32", x:astype("f32"):layer_norm(w:astype("f32")).dtype)
    assert.equal("(0, 3)", tostring(pg.zeros(0, 3):layer_norm().shape))
  end)
  it("of groups of channels", function()
    local c, cw = rng:standard_normal(2, 6, 5), rng:standard_normal(6)
    local grouped = standard(c:reshape(2, 3, 10), 3, 1e-5):reshape(2, 6, 5)
    near(c:group_norm(3), grouped)
    near(c:group_norm(3, cw, cw), grouped * cw:expand_dims(2) + cw:expand_dims(2))
    local gc = rng:standard_normal(2, 6, 5)
    local dx, dw, db = norm.group_gradient(c, 3, cw, gc, 1e-5)
    near(dx, slope(function(v) return v:group_norm(3, cw) end, c, gc), 1e-8)
    near(dw, (grouped * gc):sum{1, 3})
    near(db, gc:sum{1, 3})
  end)
  it("of a batch, with statistics that run along", function()
    local c, cw = rng:standard_normal(4, 3, 5), rng:standard_normal(3)
    local mean, var = pg.zeros(3), pg.ones(3)
    near(norm.batch(c, nil, nil, mean, var, {train = true}), standard(c, {1, 3}, 1e-5))
    near(mean, c:mean{1, 3} * 0.1)
    near(var, 0.9 + 0.1 * c:var({1, 3}, {ddof = 1}))
    near(norm.batch(c, nil, nil, mean, var, {eps = 0}),
      (c - mean:expand_dims(2)) / pg.sqrt(var):expand_dims(2))
    local gc = rng:standard_normal(4, 3, 5)
    local dx = norm.batch_gradient(c, cw, gc, nil, nil, {train = true})
    near(dx, slope(function(v) return norm.batch(v, cw, nil, nil, nil, {train = true}) end, c, gc), 1e-8)
    dx = norm.batch_gradient(c, cw, gc, mean, var, {})
    near(dx, slope(function(v) return norm.batch(v, cw, nil, mean, var, {}) end, c, gc), 1e-8)
  end)
  it("says what is wrong", function()
    for call, want in pairs{
      [function() pg.layer_norm(x, pg.zeros(5)) end] =
        "bad argument #2 to 'layer_norm' (w: expected array (6,), got array (5,) f64)",
      [function() pg.layer_norm(x, nil, nil, {eps = -1}) end] =
        "bad argument #4 to 'layer_norm' (eps: expected a number of at least 0, got -1)",
      [function() pg.group_norm(x, 3) end] =
        "bad argument #2 to 'group_norm' (groups: 3 does not divide x's 4 channels)",
      [function() norm.batch(pg.zeros(1, 3), nil, nil, nil, nil, {train = true}) end] =
        "bad argument #1 to 'batch_norm' (x: one value a channel has no variance to train with; " ..
        "got array (1, 3) f64)",
      [function() norm.batch(x, nil, nil, nil, nil, {}) end] =
        "batch_norm: without train = true the running statistics are needed",
    } do assert.equal(want, message(call)) end
  end)
end)

describe("attention", function()
  local q, k = rng:standard_normal(2, 3, 5, 4), rng:standard_normal(2, 3, 5, 4)
  local v = rng:standard_normal(2, 3, 5, 6)
  local function plain(mask, scale)
    local s = q:dot(k:transpose(1, 2, 4, 3)) * (scale or 0.5)
    return pg.where(mask, s, -1e300):softmax(4):dot(v)
  end
  it("is its definition", function()
    near(q:attention(k, v), plain(pg.ones(5, 5)))
    near(q:attention(k, v, {causal = true, scale = 0.3}), plain(pg.ones(5, 5):tril(), 0.3))
    local mask = pg.gt(rng:random(2, 1, 5, 5), 0.4) | pg.ne(pg.eye(5), 0)
    near(q:attention(k, v, {mask = mask}), plain(mask))
    near(pg.attention(q[1][1], k[1][1], v[1][1]), q:attention(k, v)[1][1])
    -- heads beside each other in memory
    local woven = q:transpose(1, 3, 2, 4):copy():transpose(1, 3, 2, 4)
    near(woven:attention(k, v), q:attention(k, v))
    near(pg.ones(1, 2):attention(pg.ones(1, 2), pg.ones(1, 3), {mask = pg.zeros(1, 1)}), pg.zeros(1, 3))
  end)
  it("has the gradient of its definition", function()
    local g = rng:standard_normal(2, 3, 5, 6)
    local o = {causal = true}
    local dq, dk, dv = heads.gradient(q, k, v, o, q:attention(k, v, o), g)
    near(dq, slope(function(a) return a:attention(k, v, o) end, q, g), 1e-8)
    near(dk, slope(function(a) return q:attention(a, v, o) end, k, g), 1e-8)
    near(dv, slope(function(a) return q:attention(k, a, o) end, v, g), 1e-8)
  end)
  it("says what is wrong", function()
    for call, want in pairs{
      [function() pg.attention(q, k[1], v) end] =
        "bad argument #2 to 'attention' (k: shape (3, 5, 4) does not fit q's (2, 3, 5, 4))",
      [function() pg.attention(q, k, v:slice({}, {}, {1, 3})) end] =
        "bad argument #3 to 'attention' (v: shape (2, 3, 3, 6) does not fit k's (2, 3, 5, 4))",
      [function() pg.attention(q, k, v, {mask = pg.ones(4, 5)}) end] =
        "bad argument #4 to 'attention' (mask: expected an array of 0 and 1 whose shape fits (2, 3, 5, 5), " ..
        "got array (4, 5) f64)",
    } do assert.equal(want, message(call)) end
  end)
end)

describe("what layers are made of", function()
  local z, w, b = rng:standard_normal(4, 3), rng:standard_normal(2, 3), rng:standard_normal(2)
  it("a dense layer", function()
    local y, before = layer.linear(z, w, b, "tanh")
    near(before, z:dot(w.T) + b)
    near(y, pg.tanh(before))
    local g = rng:standard_normal(4, 2)
    local dx, dw, db = layer.linear_gradient(z, w, g)
    near(dx, g:dot(w))
    near(dw, g.T:dot(z))
    near(db, g:sum(1))
    near(layer.linear(z:reshape(2, 2, 3), w), z:dot(w.T):reshape(2, 2, 2))
    assert.equal("bad argument #1 to 'linear' (x: last axis is 3, expected 4)",
      message(layer.linear, z, pg.zeros(2, 4)))
    assert.equal('linear: x is f64 and the weights are f32; x:astype("f32")',
      message(layer.linear, z, w:astype("f32")))
  end)
  it("activations", function()
    for _, name in ipairs{"relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"} do
      local g = pg.ones(4, 3)
      near(layer.activate_gradient(z, g, name), slope(function(v) return layer.activate(v, name) end, z, g), 1e-8)
    end
    assert.equal("bad argument #2 to 'activate' (activation: there is no \"rely\"; did you mean relu)",
      message(layer.activate, z, "rely"))
  end)
  it("losses", function()
    local classes = pg.array{1, 3, 2, 3}
    local wanted = pg.array{0, 0, 0, 0}
    for i = 1, 4 do wanted:set(i, z[i]:logsumexp() - z(i, classes(i) // 1 | 0)) end
    near(layer.cross_entropy(z, classes), wanted)
    local g = rng:standard_normal(4)
    near(layer.cross_gradient(z, classes, {smoothing = 0.2}, g),
      slope(function(v) return layer.cross_entropy(v, classes, {smoothing = 0.2}) end, z, g), 1e-8)
    near(layer.cross_entropy(z, pg.array{1, -1, -1, 3}, {ignore = -1}) * pg.array{0, 1, 1, 0}, pg.zeros(4))
    local y = rng:random(4, 3)
    local loss, dz = layer.bce(z, y, 0.5)
    near(loss, (pg.softplus(z) - z * y):sum())
    near(dz, (pg.sigmoid(z) - y) * 0.5)
    near(layer.embedding_gradient(pg.ones(3, 2), pg.array{2, 4, 2}, 4),
      pg.array{{0, 0}, {2, 2}, {0, 0}, {1, 1}})
    assert.equal("bad argument #2 to 'cross_entropy' (classes: element 2 is 0, no class of 1..3: classes count from 1)",
      message(layer.cross_entropy, z, pg.array{1, 0, 2, 3}))
    assert.equal("bad argument #2 to 'cross_entropy' (classes: shape (3,) does not fit z's (4, 3): " ..
      "a class for each row, or a probability for each element)", message(layer.cross_entropy, z, pg.array{1, 0, 2}))
  end)
end)
