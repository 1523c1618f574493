-- SPDX-License-Identifier: MIT
--
-- pg.stats and the special functions under it, compared with 50 digits (tests/golden/mpmath_stats.py).
local pg = require "perigee"
local helper = require "tests.lua.helper"
local stats = pg.stats

-- The largest relative error that each kind may have; of logarithms near 0 the absolute one.
local TOLERANCE = {pdf = 2e-13, pmf = 2e-13, logpdf = 2e-13, logpmf = 2e-13, cdf = 2e-12, sf = 2e-12, quantile = 2e-12,
  betaln = 1e-14, erfc = 1e-15}

describe("a distribution", function()
  local kinds = {}
  for _, row in ipairs(pg.load("tests/golden/mpmath_stats.json")) do
    local kind = row[1]:match("([%w_]+)%(")
    local name = row[1]:match("stats%.([%w_]+)") or kind
    kinds[name .. " " .. kind] = kinds[name .. " " .. kind] or {}
    table.insert(kinds[name .. " " .. kind], row)
  end
  local names = {}
  for name in pairs(kinds) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    it("has 50 digits' " .. name, function()
      local tolerance = TOLERANCE[name:match("%S+$")]
      for _, row in ipairs(kinds[name]) do
        local got, want = load("local pg = ... return " .. row[1])(pg), row[2]
        local scale = row[1]:find("log") and math.max(1, math.abs(want)) or math.abs(want)
        -- a quantile of 0 is found from a probability that is rounded
        if name:find("quantile") then scale = math.max(scale, 1e-3) end
        assert.truthy(got == want or math.abs(got - want) <= tolerance * math.max(scale, 1e-300),
          ("%s is %.17g, not %.17g: off by %.1e"):format(row[1], got, want, math.abs(got / want - 1)))
      end
    end)
  end
end)

describe("pg.stats", function()
  it("has distribution functions that the draws of rng follow", function()
    local rng, n = pg.random.new(17), 4000
    local places = pg.linspace(0.05, 0.95, 19)
    for name, params in pairs{normal = {1, 2}, lognormal = {0, 0.5}, uniform = {-1, 2}, exponential = {2},
      laplace = {0, 1}, logistic = {1, 2}, cauchy = {0, 1}, weibull = {1.5, 2}, gamma = {2.5, 0.5}, chisquare = {3},
      beta = {2, 3}, f = {4, 9}, student_t = {4}} do
      local q = stats[name].quantile(places, table.unpack(params))
      local list = {table.unpack(params)}
      list[#list + 1] = n
      local sample = rng[name](rng, table.unpack(list))
      for k = 1, places.size do
        local share, p = sample:le(q[k]):mean(), places[k]
        assert.truthy(math.abs(share - p) < 5 * math.sqrt(p * (1 - p) / n), name)
      end
    end
  end)

  it("has quantiles of counts that are the least to reach p", function()
    local p = pg.random.new(2):random(300)
    for name, params in pairs{poisson = {7.5}, binomial = {30, 0.2}, negative_binomial = {2.5, 0.1}, geometric = {0.05},
      bernoulli = {0.3}} do
      local d = stats[name]
      local k = d.quantile(p, table.unpack(params))
      assert.is_true(d.cdf(k, table.unpack(params)):ge(p):all(), name)
      assert.is_true(d.cdf(k - 1, table.unpack(params)):lt(p):all(), name)
      assert.is_true(math.abs(d.pmf(pg.range(0, 3000), table.unpack(params)):sum() - 1) < 1e-13, name)
      assert.is_true(d.quantile(d.cdf(pg.range(1, 5), table.unpack(params)), table.unpack(params))
        :array_equal(name == "bernoulli" and pg.ones(5) or pg.range(1, 5)), name)
    end
    assert.equal(0, stats.poisson.quantile(0, 4))
    assert.equal(math.huge, stats.poisson.quantile(1, 4))
    assert.equal(9, stats.binomial.quantile(1, 9, 0.5))
    assert.equal(0, stats.poisson.pmf(1.5, 4))
    assert.equal(0, stats.binomial.pmf(11, 10, 0.5))
    assert.equal(1, stats.binomial.cdf(10, 10, 0.5))
  end)

  it("answers outside the support and for what are no parameters", function()
    local nan = pg.nan
    assert.is_true(stats.gamma.pdf({-1, nan}, 2, 1)[1] == 0)
    assert.is_true(pg.isnan(stats.gamma.pdf({-1, nan}, 2, 1))[2] == 1)
    assert.equal(-math.huge, stats.beta.logpdf(1.5, 2, 2))
    assert.equal("0 0 1 1", ("%g %g %g %g"):format(stats.uniform.cdf(-1, 0, 1), stats.exponential.cdf(-1, 1),
      stats.beta.cdf(2, 1, 1), stats.gamma.sf(-1, 1, 1)))
    for _, x in ipairs{stats.normal.pdf(0, 0, -1), stats.gamma.cdf(1, 0, 1), stats.poisson.pmf(1, -1),
      stats.binomial.pmf(1, 2.5, 0.5), stats.normal.quantile(1.5, 0, 1), stats.geometric.quantile(0.5, 0)} do
      assert.truthy(x ~= x)
    end
    assert.equal("f32", stats.normal.logpdf(pg.zeros(3, "f32"), 0, 1).dtype)
    assert.equal("(2, 3)", tostring(stats.gamma.cdf(pg.ones(2, 1), pg.ones(3), 1).shape))
  end)

  it("has gradients", function()
    local x = pg.array{0.3, 0.6, 0.8}
    for name, params in pairs{normal = {0.2, 1.5}, lognormal = {0.1, 0.6}, exponential = {2}, laplace = {0, 1},
      logistic = {1, 2}, cauchy = {0, 1}, weibull = {1.5, 2}, gamma = {2.5, 0.5}, beta = {2.2, 3}, f = {4, 9},
      student_t = {4}, chisquare = {3}} do
      local d = stats[name]
      assert.is_true(pg.gradcheck(function(v) return d.logpdf(v, table.unpack(params)):sum() end, x).ok, name)
      assert.is_true(pg.gradcheck(function(v) return d.cdf(v, table.unpack(params)):sum() end, x).ok, name)
      assert.is_true(pg.gradcheck(function(v) return d.quantile(v, table.unpack(params)):sum() end, x,
        {tol = 1e-5}).ok, name)
      assert.is_true(pg.gradcheck(function(p) return d.logpdf(x, p[1], params[2] and p[2]):sum() end,
        pg.array(params)).ok, name)
    end
    for name, rate in pairs{poisson = 4.5, geometric = 0.3, bernoulli = 0.3} do
      assert.is_true(pg.gradcheck(function(p) return stats[name].logpmf({1, 1, 1}, p[1]):sum() end,
        pg.array{rate}).ok, name)
    end
    assert.is_true(pg.gradcheck(function(p) return stats.binomial.logpmf({1, 2, 5}, 7, p[1]):sum() end,
      pg.array{0.3}).ok)
    assert.is_true(pg.gradcheck(function(v) return pg.log_binomial(v[1], v[2], v[3]) end, pg.array{2.5, 7, 0.3}).ok)
    assert.matches("gammainc has no derivative by argument 1 here", helper.message(function()
      pg.grad(function(v) return pg.gammainc(v, 1):sum() end)(x)
    end))
  end)

  it("says what is wrong", function()
    assert.equal("bad argument #2 to 'normal' (mean: expected array or number, got no value)",
      helper.message(function() local _ = stats.normal.pdf(1) end))
    assert.equal("pg.stats.normal has no 'ppf'; write pg.stats.normal.quantile",
      helper.message(function() return stats.normal.ppf end))
    assert.equal("pg.stats.poisson has no 'pdf'; write pg.stats.poisson.pmf",
      helper.message(function() return stats.poisson.pdf end))
    assert.equal("pg.stats has no 'norm'; write pg.stats.normal", helper.message(function() return stats.norm end))
  end)
end)
