-- SPDX-License-Identifier: MIT
--
-- The draws of rng from the usual distributions: NumPy's, draw for draw (tests/golden/numpy_distributions.py).
local pg = require "perigee"
local helper = require "tests.lua.helper"

local function draw(case)
  local rng = pg.random.new(case.seed)
  local x = load("local rng = ... return " .. case.lua)(rng)
  return type(x) == "number" and pg.array{x} or x, rng
end

describe("a generator", function()
  for _, case in ipairs(pg.load("tests/golden/numpy_distributions.json")) do
    it("draws as NumPy: " .. case.lua, function()
      local x, rng = draw(case)
      local flat = x:reshape(-1)
      assert.equal("(" .. table.concat(case.shape, ", ") .. (#case.shape == 1 and ",)" or ")"), tostring(x.shape))
      local tol = case.exact and 0 or 1e-13
      for k, want in ipairs(case.first) do
        assert.truthy(math.abs(flat[k] - want) <= tol, ("number %d is %.17g, not %.17g"):format(k, flat[k], want))
      end
      for k, want in ipairs(case.last) do assert.truthy(math.abs(flat[k - #case.last - 1] - want) <= tol) end
      assert.truthy(math.abs(flat:sum() - case.sum) <= 1e-11 * math.max(1, flat:abs():sum()))
      assert.equal(case.after, rng:random())
    end)
  end

  it("gives one number without a shape, of counts an integer", function()
    local rng = pg.random.new(1)
    for _, name in ipairs{"poisson", "geometric", "chisquare", "student_t", "exponential"} do
      local x = rng[name](rng, 0.5)
      local whole = name == "poisson" or name == "geometric"
      assert.equal(whole and "integer" or "float", math.type(x), name)
    end
    assert.equal("integer", math.type(rng:binomial(10, 0.5)))
    assert.equal("integer", math.type(rng:categorical{0.5, 0.5}))
    assert.equal("f32", rng:gamma(2, 1, 3, "f32").dtype)
    assert.equal("f32", rng:poisson({1, 2}, "f32").dtype)
    assert.equal("(2, 3)", tostring(rng:laplace(0, 1, {2, 3}).shape))
  end)

  -- The mean of n numbers lies within 5 standard errors.
  it("has the means that the manual says", function()
    local rng, n = pg.random.new(8), 40000
    for _, case in ipairs{
      {rng:exponential(3, n), 3}, {rng:gamma(4, 0.5, n), 2}, {rng:beta(2, 6, n), 0.25}, {rng:chisquare(7, n), 7},
      {rng:f(5, 10, n), 1.25}, {rng:student_t(8, n), 0}, {rng:laplace(2, 1, n), 2}, {rng:logistic(-1, 1, n), -1},
      {rng:lognormal(0, 0.5, n), math.exp(0.125)}, {rng:weibull(2, 3, n), 3 * math.sqrt(math.pi) / 2},
      {rng:poisson(6.5, n), 6.5}, {rng:poisson(65, n), 65}, {rng:binomial(20, 0.3, n), 6},
      {rng:binomial(400, 0.7, n), 280},
      {rng:negative_binomial(4, 0.4, n), 6}, {rng:geometric(0.25, n), 4}, {rng:geometric(0.5, n), 2},
      {rng:categorical({0.2, 0.3, 0.5}, n), 2.3},
    } do
      local x, mean = case[1], case[2]
      assert.truthy(math.abs(x:mean() - mean) < 5 * x:std() / math.sqrt(n), mean)
    end
  end)

  it("draws a class a row", function()
    local rng = pg.random.new(3)
    local p = pg.tile(pg.array{{0.7, 0.2, 0.1}, {0, 0, 1}}, 2000, 1)
    local x = rng:categorical(p):reshape(2000, 2)
    assert.is_true(x:slice({}, 2):eq(3):all())
    assert.truthy(math.abs(x:slice({}, 1):eq(1):mean() - 0.7) < 5 * math.sqrt(0.21 / 2000))
  end)

  it("comes to an end where powers of uniform numbers vanish", function()
    local x = pg.random.new(1):beta(1e-300, 1e-300)
    assert.truthy(x == 0 or x == 1)
  end)

  it("says what is wrong", function()
    local rng = pg.random.new(1)
    for _, case in ipairs{
      {"bad argument #1 to 'poisson' (rate: expected a number in 0..2^52, got -1)", "poisson", -1},
      {"bad argument #1 to 'exponential' (scale: expected a number of at least 0, got -2)", "exponential", -2},
      {"bad argument #2 to 'beta' (b: expected a number above 0, got 0)", "beta", 1, 0},
      {"bad argument #1 to 'binomial' (n: expected an integer in 0..2^52, got 1.5)", "binomial", 1.5, 0.5},
      {"bad argument #2 to 'binomial' (p: element 2 is 1.5, expected a probability in [0, 1])", "binomial", 3,
        {1, 1.5}},
      {"bad argument #1 to 'geometric' (p: expected a probability in (0, 1], got 0)", "geometric", 0},
      {"bad argument #2 to 'gamma' (scale: expected shape (2,) as shape has, got (3,))", "gamma", {1, 2}, {1, 2, 3}},
      {"bad argument #2 to 'poisson' (shape: an array of parameters brings its own)", "poisson", {1, 2}, 3},
      {"bad argument #2 to 'multinomial' (p is 0.5, expected probabilities that sum to 1)", "multinomial", 3, {0.5}},
      {"bad argument #1 to 'dirichlet' (alpha: element 2 is 0, expected a number above 0)", "dirichlet", {1, 0}},
      {"bad argument #1 to 'categorical' (p: expected at least one number, got none)", "categorical", pg.zeros(0)},
      {"bad argument #2 to 'multivariate_normal' (cov: expected shape (2, 2) for a mean of 2 numbers, got (1, 1))",
        "multivariate_normal", {0, 0}, {{1}}},
      {"bad argument #2 to 'multivariate_normal' (cov: expected no eigenvalue below 0)", "multivariate_normal", {0, 0},
        {{1, 2}, {2, 1}}},
      {"bad argument #2 to 'multivariate_normal' (cov: expected a symmetric matrix)", "multivariate_normal", {0, 0},
        {{1, 2}, {0, 1}}},
    } do
      assert.equal(case[1], helper.message(function() local _ = rng[case[2]](rng, table.unpack(case, 3)) end))
    end
    local legacy = pg.random.legacy(1)
    assert.equal("rng has no method 'gamma'; pg.random.new(seed) draws it", helper.message(function()
      return legacy.gamma
    end))
    assert.equal("rng has no method 'poison'; did you mean 'poisson'?", helper.message(function()
      return rng.poison
    end))
  end)
end)
