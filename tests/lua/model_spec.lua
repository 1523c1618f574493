-- SPDX-License-Identifier: MIT
-- What every model has beside its equations, on a new model that is made here, in this one file, as one is made in
-- lua/perigee: independent Gaussians, their means and variances.
local pg = require "perigee"

local toy = {}

local class = pg._model.class("toy", {
  fields = {"mu", "var", "n", "d", "note"},
  derived = {d = function(m) return #m.mu end},
  summary = function(m) return string.format("toy: %d features, %d observations", m.d, m.n) end,
  file = {{"mu", "d"}, {"var", "d"}, {"n", "integer"}, {"note", "number", optional = true}},
  example = function(rng) return toy.fit(rng:standard_normal(9, 2)) end,
})
toy.load = class.load

function toy.fit(X)
  return class.new{mu = X:mean(1), var = X:var(1), n = #X}
end

function class.methods:logprob(X)
  return (((X - self.mu):square() / self.var) + (self.var * (2 * math.pi)):log()):sum(2) * -0.5
end

local message = require("tests.lua.helper").message

describe("a new model", function()
  local X = pg.random.new(3):standard_normal(50, 4)
  local m = toy.fit(X)

  it("is its equations; the rest comes from the protocol", function()
    assert.equal("toy: 4 features, 50 observations", tostring(m))
    assert.equal(4, m.d)
    assert.is_nil(m.note)
    assert.equal(m:logprob(X):sum(), m:loglik(X))
    m.mu = m.mu:slice{1, 2}
    assert.equal(2, m.d)
    m = toy.fit(X)
  end)

  it("answers a misspelt name and a dot for a colon", function()
    assert.equal("a toy model has no 'mue'; did you mean 'mu'?", message(function() return m.mue end))
    assert.equal("a toy model has no 'logprop'; did you mean 'logprob'?", message(function() return m.logprop end))
    assert.equal("a toy model has no 'logliks'; did you mean 'loglik'?", message(function() return m.logliks end))
    assert.equal("a toy model has no '7'", message(function() return m[7] end))
    assert.equal("bad self in call to 'logprob' (expected a toy model, got array (50, 4) f64; write m:logprob(...), "
      .. "with a colon)", message(function() m.logprob(X) end))
    local ok, err = pcall(function() return m.mue end)
    assert.is_false(ok)
    assert.matches("model_spec.lua:%d+: a toy", err)
  end)

  it("shows its fields in their order", function()
    local names = {}
    for name in pairs(m) do names[#names + 1] = name end
    assert.same({"mu", "var", "n", "d"}, names)
  end)

  it("is saved and loaded with checks", function()
    local path = os.tmpname() .. ".npz"
    m:save(path)
    local back = toy.load(path)
    assert.equal(tostring(m), tostring(back))
    assert.is_true(pg.array_equal(m:logprob(X), back:logprob(X)))
    assert.equal("integer", math.type(back.n))
    local function refused(sentence, t)
      pg.save(path, t)
      assert.equal(path .. ": not a toy model: " .. sentence, message(toy.load, path))
    end
    local v = pg.ones(2)
    refused("it has no array 'var'", {mu = v, n = pg.ones(1)})
    refused("mu (2,) and var (3,) do not belong together", {mu = v, var = pg.ones(3), n = pg.ones(1)})
    local w = pg.ones(2, 1)
    refused("mu (2, 1) and var (2, 1) do not belong together", {mu = w, var = w, n = pg.ones(1)})
    refused("n: expected an integer, got 0.5", {mu = v, var = v, n = pg.full({1}, 0.5)})
    refused("n: expected one integer, got shape (2,)", {mu = v, var = v, n = v})
    pg.save(path:gsub("npz$", "npy"), v)
    assert.equal(path:gsub("npz$", "npy") .. ": not a toy model: it holds array (2,) f64",
      message(toy.load, (path:gsub("npz$", "npy"))))
    m.var = nil
    assert.equal("save: the model has no 'var' any more", message(m.save, m, path))
    os.remove(path)
    os.remove((path:gsub("npz$", "npy")))
  end)

  it("is listed, with what its methods are", function()
    assert.equal(class, pg._model.find("toy"))
    assert.same({"mu", "var", "n", "d", "note", "loglik", "logprob", "save"}, class.names())
    assert.matches("^toy: 2 features", tostring(class.example(pg.random.new(0))))
  end)
end)

describe("a model whose fields were set", function()
  local rng = pg.random.new(8)
  local X = rng:standard_normal(60, 6)

  it("computes from what is there now (ppca)", function()
    local m = pg.ppca.fit(X, 3)
    local whole = pg.ppca.fit(X, 3)
    m.W = m.W:slice({}, {1, 1})
    assert.equal(1, m.d)
    local M = (m.W.T:dot(m.W)):item() + m.sigma2
    local wanted = (X - m.mu):dot(m.W) / M
    assert.is_true(pg.allclose(wanted, m:encode(X), {rtol = 1e-12}))
    assert.same({60, 6}, {m:decode(m:encode(X)):dims()})
    assert.same({5, 6}, {m:sample(5, rng):dims()})
    assert.equal(1, #m:explained())
    -- In place as well: nothing that was computed from W is kept.
    whole.W[{{}, {2, 3}}] = 0
    assert.is_true(pg.allclose(wanted, whole:encode(X):slice({}, {1, 1}), {rtol = 1e-12}))
    whole.sigma2 = whole.sigma2 * 2
    local C = whole.W:dot(whole.W.T) + pg.eye(6) * whole.sigma2
    local _, logdet = pg.linalg.slogdet(C)
    local d = X[1] - whole.mu
    local p = -0.5 * (6 * math.log(2 * math.pi) + logdet + d:dot(pg.linalg.solve(C, d)))
    assert.is_true(math.abs(p - whole:logprob(X)[1]) < 1e-11)
  end)

  it("says what does not fit (ppca)", function()
    local m = pg.ppca.fit(X, 3)
    m.W = pg.zeros(400, 300)
    assert.equal("encode: the model's W is (400, 300) and its mu (6,), expected rows of W and values of mu for 6 "
      .. "features",
      message(m.encode, m, X))
    m.W = pg.full({6, 2}, 0 / 0)
    assert.matches("^logprob: element %(1, 1%) of the model's W is not finite", message(m.logprob, m, X))
    m.W = pg.zeros(6, 0)
    assert.equal("encode: the model's W is (6, 0), expected at least one latent dimension", message(m.encode, m, X))
    m = pg.ppca.fit(X, 3)
    m.sigma2 = 0
    assert.matches("the model's sigma2 is 0.0, expected a finite number above 0", message(m.encode, m, X))
  end)

  it("computes from what is there now (linear)", function()
    local y = X:dot(pg.array{1, 2, 3, 4, 5, 6}) + 7
    local m = pg.linear.fit(X, y, {intercept = true})
    m.w, m.intercept = pg.zeros(6), 2.5
    assert.equal(2.5, (m:predict(X[1])))
    m.w = pg.zeros(3)
    assert.equal("predict: the model's w was set to array (3,) f64, expected shape (6,)", message(m.predict, m, X))
    m.w, m.intercept = pg.zeros(6), "x"
    assert.equal("logprob: the model's intercept was set to \"x\", expected shape (1,)", message(m.logprob, m, X, y))
  end)
end)

describe("pg.linear below full rank", function()
  it("has no opinion in directions of which the rows say nothing", function()
    local rng = pg.random.new(1)
    local x = rng:standard_normal(30, 1)
    local y = 2 * x:reshape(-1) + 1 + 0.1 * rng:standard_normal(30)
    for _, constant in ipairs{true, false} do
      local m = pg.linear.fit(pg.concat({x, 2 * x}, 2), y, {intercept = constant})
      assert.equal(constant and 2 or 1, m.rank)
      local _, sd = m:predict(pg.array{{100, -50}, {1, 2}, {0, 1e-3}, {-3, -6}})
      assert.equal(math.huge, sd[1])
      assert.is_true(sd[2] < 2 and sd[4] < 2)
      assert.equal(math.huge, sd[3])
      _, sd = m:predict(pg.concat({x, 2 * x}, 2))
      assert.is_true(sd:max() < 5)
    end
  end)
end)

describe("pg.ppca.fit with missing values", function()
  it("refuses data that lie in d dimensions, as it does complete ones", function()
    local rng = pg.random.new(1)
    for _, size in ipairs{{40, 6, 2}, {30, 5, 1}, {60, 9, 3}} do
      local n, m, d = table.unpack(size)
      local X = rng:standard_normal(n, d):dot(rng:standard_normal(d, m))
      assert.matches("sigma2 is 0", message(pg.ppca.fit, X, d))
      X:set(1, 1, 0 / 0)
      assert.matches("^fit: d: sigma2 is 0 at d = " .. d, message(pg.ppca.fit, X, d))
      if d > 1 then assert.is_true(pg.ppca.fit(X, d - 1).sigma2 > 1e-6) end
    end
  end)
end)
