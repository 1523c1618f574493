-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function near(got, wanted, tolerance)
  assert.is_true(math.abs(got - wanted) <= tolerance,
    string.format("got %.17g, wanted %.17g within %g", got, wanted, tolerance))
end

local function near_arrays(a, b, tolerance)
  assert.equal(tostring(a.shape), tostring(b.shape))
  near((a - b):abs():max(), 0, tolerance)
end

-- NIST StRD, Longley (public domain): 16 years of US employment, y x1 ... x6.
local longley = pg.array{
  {60323, 83.0, 234289, 2356, 1590, 107608, 1947}, {61122, 88.5, 259426, 2325, 1456, 108632, 1948},
  {60171, 88.2, 258054, 3682, 1616, 109773, 1949}, {61187, 89.5, 284599, 3351, 1650, 110929, 1950},
  {63221, 96.2, 328975, 2099, 3099, 112075, 1951}, {63639, 98.1, 346999, 1932, 3594, 113270, 1952},
  {64989, 99.0, 365385, 1870, 3547, 115094, 1953}, {63761, 100.0, 363112, 3578, 3350, 116219, 1954},
  {66019, 101.2, 397469, 2904, 3048, 117388, 1955}, {67857, 104.6, 419180, 2822, 2857, 118734, 1956},
  {68169, 108.4, 442769, 2936, 2798, 120445, 1957}, {66513, 110.8, 444546, 4681, 2637, 121950, 1958},
  {68655, 112.6, 482704, 3813, 2552, 123366, 1959}, {69564, 114.2, 502601, 3931, 2514, 125368, 1960},
  {69331, 115.7, 518173, 4806, 2572, 127852, 1961}, {70551, 116.9, 554894, 4007, 2827, 130081, 1962},
}

-- n rows of a few directions with noise, features of different means.
local function rows(n, m, seed)
  local rng = pg.random.new(seed or 7)
  local directions = rng:standard_normal(3, m)
  local Z = rng:standard_normal(n, 3) * pg.array{5, 3, 2}
  return Z:dot(directions) + rng:standard_normal(n, m) * 0.3 + pg.range(1, m) * 10.5
end

describe("pg.ppca.fit", function()
  it("has NIST's digits", function()
    -- mpmath at 60 digits: eigenvalues of the covariance with 1/n, sigma2 and log-likelihood.
    local m = pg.ppca.fit(longley, 2)
    near(m.eigenvalues[1] / 9318030654.441033255400724, 1, 1e-12)
    near(m.eigenvalues[2] / 1552359.437956808352221104, 1, 1e-9)
    near(m.sigma2 / 102009.0951629247494110224, 1, 1e-9)
    near(m:loglik(longley) / -917.9178354985465514764797, 1, 1e-10)
    local svd = pg.ppca.fit(longley, 1, {method = "svd"})
    near(svd.eigenvalues[6] / 0.8237126430367246003536655, 1, 1e-6)
    near(svd.eigenvalues[7] / 0.010025014882684, 1, 1e-6)
    near(svd:loglik(longley) / -954.4487964154241138829655, 1, 1e-10)
  end)

  it("gives the same model by covariance, inner products and singular values", function()
    local tall = rows(300, 70)
    local wide = rows(70, 300)
    for _, X in ipairs{tall, wide} do
      local a, b = pg.ppca.fit(X, 3), pg.ppca.fit(X, 3, {method = "svd"})
      near(a.sigma2 / b.sigma2, 1, 1e-10)
      near_arrays(a.W, b.W, 1e-9)
      near_arrays(a.mu, b.mu, 1e-11)
      near(a:loglik(X) / b:loglik(X), 1, 1e-11)
      near(a.eigenvalues:sum() / (X - X:mean(1)):square():mean(1):sum(), 1, 1e-12)
    end
  end)

  it("takes f32 and images", function()
    local X = rows(300, 64)
    local a, b = pg.ppca.fit(X, 3), pg.ppca.fit(X:astype("f32"), 3)
    near(a.sigma2 / b.sigma2, 1, 1e-5)
    assert.equal("f64", b.W.dtype)
    near_arrays(pg.ppca.fit(X:reshape(300, 8, 8), 3).W, a.W, 0)
  end)

  it("fixes signs: the largest element of each column of W is positive", function()
    local W = pg.ppca.fit(rows(100, 6), 3).W
    for k = 1, 3 do
      local column = W:slice({}, k)
      assert.is_true(column[column:abs():argmax()] > 0)
    end
  end)

  it("maximises the likelihood", function()
    local X = rows(200, 8)
    local m = pg.ppca.fit(X, 2)
    local best = m:loglik(X)
    -- The density of N(mu, C) at a changed sigma2, W or mu is lower.
    local function loglik(W, mu, sigma2)
      local C = W:dot(W.T) + pg.eye(8) * sigma2
      local D = X - mu
      local _, logdet = pg.linalg.slogdet(C)
      return -0.5 * (200 * (8 * math.log(2 * math.pi) + logdet) + (D * pg.linalg.solve(C, D.T).T):sum())
    end
    near(loglik(m.W, m.mu, m.sigma2) / best, 1, 1e-10)
    assert.is_true(loglik(m.W, m.mu, m.sigma2 * 1.01) < best)
    assert.is_true(loglik(m.W, m.mu, m.sigma2 * 0.99) < best)
    assert.is_true(loglik(m.W * 1.01, m.mu, m.sigma2) < best)
    assert.is_true(loglik(m.W, m.mu + 0.01, m.sigma2) < best)
  end)

  it("says what it cannot do", function()
    local X = rows(20, 5)
    assert.equal("bad argument #2 to 'fit' (d: expected an integer in 1..5 for 20 x 5 data, got 6)",
      message(pg.ppca.fit, X, 6))
    assert.equal("bad argument #2 to 'fit' (d: expected an integer in 1..5 for 20 x 5 data, got 0)",
      message(pg.ppca.fit, X, 0))
    assert.equal("bad argument #2 to 'fit' (d: expected an integer, got number 1.5)", message(pg.ppca.fit, X, 1.5))
    assert.equal("bad argument #2 to 'fit' (d: sigma2 is 0 at d = 5, the number of features; "
      .. "the largest d with noise left is at most 4)", message(pg.ppca.fit, X, 5))
    assert.equal("bad argument #1 to 'fit' (X: at least 2 rows are needed, got 1)",
      message(pg.ppca.fit, X:slice{1, 1}, 1))
    assert.equal("bad argument #1 to 'fit' (X: expected n x m observations, got shape (5,))",
      message(pg.ppca.fit, X[1], 1))
    -- Rank 2 data.
    local thin = X:slice({}, {1, 2}):dot(pg.array{{1, 2, 3, 4}, {0, 1, 0, 2}})
    assert.matches("d: sigma2 is 0 at d = 2, since the data lie in fewer dimensions; "
      .. "the largest d with noise left is 1", message(pg.ppca.fit, thin, 2))
    X:set(3, 4, 1 / 0)
    assert.matches("element %(3, 4%) of X is not finite", message(pg.ppca.fit, X, 2))
    X[{{}, 4}] = 0 / 0
    assert.matches("X: column 4 is all NaN", message(pg.ppca.fit, X, 2))
    assert.equal("bad argument #3 to 'fit' (unknown option 'metod'; did you mean 'method'?)",
      message(pg.ppca.fit, X, 2, {metod = "em"}))
    assert.equal([[bad argument #3 to 'fit' (method: expected one of "auto", "svd", "em", got "pca")]],
      message(pg.ppca.fit, X, 2, {method = "pca"}))
  end)

  it("lets constant columns be", function()
    local X = rows(30, 5)
    X[{{}, 2}] = 2.385
    local m = pg.ppca.fit(X, 2)
    near(m.mu[2], 2.385, 1e-14)
    near(m.W[2]:abs():max(), 0, 1e-12)
  end)
end)

describe("missing values", function()
  it("fit by EM, whose likelihood never falls", function()
    local X = rows(120, 12)
    local full = pg.ppca.fit(X, 3)
    local rng = pg.random.new(3)
    local gaps = pg.where(rng:random(120, 12):lt(0.1), 0 / 0, X)
    local m = pg.ppca.fit(gaps, 3)
    assert.is_true(m.converged)
    assert.is_true(#m.trace > 2)
    for step = 2, #m.trace do
      assert.is_true(m.trace[step] >= m.trace[step - 1] - 1e-9 * math.abs(m.trace[step]))
    end
    near(m:loglik(gaps) / m.trace[#m.trace], 1, 1e-6)
    near(m.sigma2 / full.sigma2, 1, 0.1)
    near_arrays(m.W, full.W, 0.6)
    -- Values come back to within a few standard deviations of the noise.
    local filled = m:impute(gaps)
    assert.is_true((filled - X):abs():max() < 5 * math.sqrt(full.sigma2))
    assert.is_false(pg.any(pg.isnan(filled)))
  end)

  it("EM without gaps is the closed form", function()
    local X = rows(80, 10)
    local a, b = pg.ppca.fit(X, 3), pg.ppca.fit(X, 3, {method = "em"})
    near(a.sigma2 / b.sigma2, 1, 1e-9)
    near_arrays(a.W, b.W, 1e-6)
    near_arrays(a.mu, b.mu, 1e-9)
  end)

  it("encode, reconstruct and logprob use what is there", function()
    local X = rows(50, 6)
    local m = pg.ppca.fit(X, 2)
    local Y = X:copy()
    Y:set(1, 1, 0 / 0)
    near_arrays(m:encode(Y):slice{2, -1}, m:encode(X):slice{2, -1}, 1e-10)
    assert.is_true((m:encode(Y)[1] - m:encode(X)[1]):abs():max() > 0)
    assert.equal("(50, 6)", tostring(m:reconstruct(Y).shape))
    local _, cov = m:posterior(Y)
    assert.equal("(50, 2, 2)", tostring(cov.shape))
    Y[1] = 0 / 0
    assert.equal(0.0, m:logprob(Y)[1])
    assert.equal(0.0, m:encode(Y)[1]:abs():max())
  end)
end)

describe("a ppca model", function()
  local X, m
  setup(function()
    X = rows(200, 8)
    m = pg.ppca.fit(X, 2)
  end)

  it("encodes to latent vectors of mean 0 and covariance I less the shrinkage", function()
    local Z = m:encode(X)
    near(Z:mean(1):abs():max(), 0, 1e-12)
    -- Cov of E[z|x] over the training data: I - sigma2 Lambda^-1.
    local C = Z.T:dot(Z) / 200
    local expected = pg.diag(1 - m.sigma2 / m.eigenvalues:slice{1, 2})
    near_arrays(C, expected, 1e-12)
  end)

  it("agrees with the formulas written out", function()
    local M = m.W.T:dot(m.W) + pg.eye(2) * m.sigma2
    local Z = pg.linalg.solve(M, (X - m.mu):dot(m.W).T).T
    near_arrays(m:encode(X), Z, 1e-11)
    near_arrays(m:reconstruct(X), Z:dot(m.W.T) + m.mu, 1e-10)
    near_arrays(m:decode(Z), Z:dot(m.W.T) + m.mu, 1e-10)
    local mean, cov = m:posterior(X)
    near_arrays(mean, Z, 1e-11)
    near_arrays(cov, pg.linalg.inv(M) * m.sigma2, 1e-12)
  end)

  it("gives one row for one row", function()
    assert.equal("(2,)", tostring(m:encode(X[3]).shape))
    assert.equal("(8,)", tostring(m:decode{0, 0}.shape))
    assert.equal("number", type(m:logprob(X[3])))
    near(m:logprob(X[3]), m:logprob(X)[3], 1e-10)
    near_arrays(m:reconstruct(X[3]), m:reconstruct(X)[3], 1e-12)
    near_arrays(m:impute(X[3]), X[3], 0)
  end)

  it("samples, with noise where asked", function()
    local S = m:sample(4000, pg.random.new(1))
    near((S:mean(1) - m.mu):abs():max(), 0, 4 * math.sqrt(m.eigenvalues[1] / 4000))
    local residual = (m:reconstruct(S) - S):square():mean()
    local noisy = m:sample(4000, pg.random.new(1), {noise = true})
    assert.is_true(residual < m.sigma2)
    local C = pg.cov(noisy)
    near_arrays(C / m.eigenvalues[1], (m.W:dot(m.W.T) + pg.eye(8) * m.sigma2) / m.eigenvalues[1], 0.1)
    assert.matches("rng: expected a generator", message(m.sample, m, 3))
  end)

  it("explains shares of the variance", function()
    local share = m:explained()
    assert.equal(2, #share)
    near(share[1], m.eigenvalues[1] / m.eigenvalues:sum(), 1e-15)
    assert.matches("^ppca: 8 features, 2 latent dimensions, sigma2 = ", tostring(m))
  end)

  it("is written and read", function()
    local path = os.tmpname()
    os.remove(path)
    path = path .. ".npz"
    m:save(path)
    local r = pg.ppca.load(path)
    os.remove(path)
    near_arrays(r.W, m.W, 0)
    assert.equal(m.sigma2, r.sigma2)
    near_arrays(r:encode(X), m:encode(X), 0)
  end)

  it("names what does not fit", function()
    assert.equal("bad argument #1 to 'encode' (X: expected rows of 8 features, got shape (3, 5))",
      message(function() m:encode(pg.zeros(3, 5)) end))
    assert.equal("bad argument #1 to 'decode' (Z: expected rows of 2 latent values, got shape (3,))",
      message(function() m:decode(pg.zeros(3)) end))
    assert.equal("a ppca model has no 'sigma'; did you mean 'sigma2'?", message(function() return m.sigma end))
    local bad = X:copy()
    bad:set(4, 5, -1 / 0)
    assert.matches("element %(4, 5%) of X is not finite", message(function() m:encode(bad) end))
  end)
end)

describe("pg.ppca.accumulate", function()
  it("equals the fit in one go", function()
    local X = rows(500, 12)
    local once = pg.ppca.fit(X, 3)
    local acc = pg.ppca.accumulate()
    for first = 1, 500, 130 do acc:add(X:slice{first, math.min(first + 129, 500)}) end
    assert.equal("ppca.accumulate: 500 rows so far", tostring(acc))
    for _ = 1, 2 do
      local m = acc:fit(3)
      near(m.sigma2 / once.sigma2, 1, 1e-10)
      near_arrays(m.mu, once.mu, 1e-10)
      near_arrays(m.W, once.W, 1e-9)
    end
    assert.equal("bad argument #1 to 'add' (X: expected rows of 12 features, got shape (2, 3))",
      message(function() acc:add(pg.zeros(2, 3)) end))
    assert.equal("bad argument #1 to 'add' (X: expected features, got shape (3, 0))",
      message(function() pg.ppca.accumulate():add(pg.zeros(3, 0)) end))
    assert.equal("bad argument #1 to 'fit' (d: expected an integer in 1..12 for 500 x 12 data, got 13)",
      message(function() acc:fit(13) end))
    assert.equal("fit: at least 2 rows are needed, got 0", message(function() pg.ppca.accumulate():fit(1) end))
    -- What raises leaves it as it was.
    local gaps = pg.full({2, 12}, 0 / 0)
    assert.matches("has NaN; missing values need pg.ppca.fit", message(function() acc:add(gaps) end))
    assert.equal(500, acc.n)
  end)
end)
