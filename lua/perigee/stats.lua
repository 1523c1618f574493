-- SPDX-License-Identifier: MIT
--
-- The usual distributions: pg.stats.NAME has pdf (of counts pmf), logpdf (logpmf), cdf, sf and quantile, each of x and
-- then the parameters that rng:NAME draws with, in that order. All are functions of pg over arrays and numbers,
-- broadcast, so gradients go through densities; the distribution functions have them by x.

local pg, core = ...
local args = pg._args
local error, ipairs, math, setmetatable, table = error, ipairs, math, setmetatable, table

local stats = {chi2_sf = core.chi2_sf}

local LOG_2PI = math.log(2 * math.pi)
local INF = math.huge

-- Where the condition does not hold, `other`.
local function within(condition, value, other) return pg.where(condition, value, other) end

local function inside(lo, x, hi) return pg.logical_and(pg.ge(x, lo), pg.le(x, hi)) end

-- Only probabilities have quantiles.
local function probability(p, x) return pg.where(inside(0, p, 1), x, pg.nan) end

local function positive(p) return pg.gt(p, 0) end

-- Each: params, their names; ok, which of them are valid (elsewhere everything is NaN); logpdf; cdf; sf; quantile.
-- Counts have `count`, the first of them, and a logpdf of whole numbers.
local D = {}

D.normal = {params = {"mean", "sd"}, ok = function(_, s) return positive(s) end,
  logpdf = function(x, m, s)
    local z = (x - m) / s
    return -0.5 * (z * z) - pg.log(s) - 0.5 * LOG_2PI
  end,
  cdf = function(x, m, s) return 0.5 * pg.erfc((m - x) / (s * math.sqrt(2))) end,
  sf = function(x, m, s) return 0.5 * pg.erfc((x - m) / (s * math.sqrt(2))) end,
  quantile = function(p, m, s) return m + s * pg.ndtri(p) end}

D.lognormal = {params = {"mean", "sd"}, ok = D.normal.ok, low = 0,
  logpdf = function(x, m, s)
    local l = pg.log(x)
    return D.normal.logpdf(l, m, s) - l
  end,
  cdf = function(x, m, s) return D.normal.cdf(pg.log(x), m, s) end,
  sf = function(x, m, s) return D.normal.sf(pg.log(x), m, s) end,
  quantile = function(p, m, s) return pg.exp(D.normal.quantile(p, m, s)) end}

D.uniform = {params = {"lo", "hi"}, ok = function(a, b) return pg.lt(a, b) end,
  logpdf = function(x, a, b) return within(inside(a, x, b), -pg.log(b - a) + 0 * x, -INF) end,
  cdf = function(x, a, b) return pg.clip((x - a) / (b - a), 0, 1) end,
  sf = function(x, a, b) return pg.clip((b - x) / (b - a), 0, 1) end,
  quantile = function(p, a, b) return a + p * (b - a) end}

D.exponential = {params = {"scale"}, ok = positive, low = 0,
  logpdf = function(x, s) return -(x / s) - pg.log(s) end,
  cdf = function(x, s) return -pg.expm1(-(x / s)) end, sf = function(x, s) return pg.exp(-(x / s)) end,
  quantile = function(p, s) return -(s * pg.log1p(-p)) end}

D.laplace = {params = {"loc", "scale"}, ok = function(_, s) return positive(s) end,
  logpdf = function(x, m, s) return -(pg.abs(x - m) / s) - pg.log(2 * s) end,
  cdf = function(x, m, s)
    local z = (x - m) / s
    return pg.where(pg.lt(z, 0), 0.5 * pg.exp(-pg.abs(z)), 1 - 0.5 * pg.exp(-pg.abs(z)))
  end,
  sf = function(x, m, s) return D.laplace.cdf(2 * m - x, m, s) end,
  quantile = function(p, m, s)
    return pg.where(pg.lt(p, 0.5), m + s * pg.log(2 * p), m - s * pg.log(2 * (1 - p)))
  end}

D.logistic = {params = {"loc", "scale"}, ok = D.laplace.ok,
  logpdf = function(x, m, s)
    local z = pg.abs((x - m) / s)
    return -z - 2 * pg.softplus(-z) - pg.log(s)
  end,
  cdf = function(x, m, s) return pg.sigmoid((x - m) / s) end,
  sf = function(x, m, s) return pg.sigmoid((m - x) / s) end,
  quantile = function(p, m, s) return m + s * pg.logit(p) end}

D.cauchy = {params = {"loc", "scale"}, ok = D.laplace.ok,
  logpdf = function(x, m, s)
    local z = (x - m) / s
    return -pg.log1p(z * z) - pg.log(math.pi * s)
  end,
  cdf = function(x, m, s) return pg.atan2(1, (m - x) / s) / math.pi end,
  sf = function(x, m, s) return pg.atan2(1, (x - m) / s) / math.pi end,
  quantile = function(p, m, s)
    return pg.where(pg.lt(p, 0.25), m - s / pg.tan(math.pi * p), pg.where(pg.gt(p, 0.75),
      m + s / pg.tan(math.pi * (1 - p)), m + s * pg.tan(math.pi * (p - 0.5))))
  end}

D.weibull = {params = {"shape", "scale"}, low = 0,
  ok = function(k, s) return pg.logical_and(pg.gt(k, 0), pg.gt(s, 0)) end,
  logpdf = function(x, k, s)
    local l = pg.log(x / s)
    return pg.log(k / s) + pg.where(pg.eq(k, 1), 0, (k - 1) * l) - pg.pow(x / s, k)
  end,
  cdf = function(x, k, s) return -pg.expm1(-pg.pow(x / s, k)) end,
  sf = function(x, k, s) return pg.exp(-pg.pow(x / s, k)) end,
  quantile = function(p, k, s) return s * pg.pow(-pg.log1p(-p), 1 / k) end}

D.gamma = {params = {"shape", "scale"}, ok = D.weibull.ok, low = 0,
  logpdf = function(x, k, s) return pg.log_poisson(k - 1, x / s) - pg.log(s) end,
  cdf = function(x, k, s) return pg.gammainc(k, x / s) end, sf = function(x, k, s) return pg.gammaincc(k, x / s) end,
  quantile = function(p, k, s) return s * pg.gammaincinv(k, p) end}

D.chisquare = {params = {"df"}, ok = positive, low = 0,
  logpdf = function(x, n) return D.gamma.logpdf(x, n / 2, 2) end,
  cdf = function(x, n) return pg.gammainc(n / 2, x / 2) end, sf = function(x, n) return pg.gammaincc(n / 2, x / 2) end,
  quantile = function(p, n) return 2 * pg.gammaincinv(n / 2, p) end}

-- By a binomial probability where that is defined, so that nothing large cancels.
D.beta = {params = {"a", "b"}, ok = D.weibull.ok, low = 0, high = 1,
  logpdf = function(x, a, b)
    local large = pg.logical_and(pg.ge(a, 1), pg.ge(b, 1))
    local A, B = pg.where(large, a, 1), pg.where(large, b, 1)
    local X = pg.where(inside(0, x, 1), x, 0.5)
    local direct = pg.where(pg.eq(a, 1), 0, (a - 1) * pg.log(X)) + pg.where(pg.eq(b, 1), 0, (b - 1) * pg.log1p(-X))
      - pg.betaln(a, b)
    return pg.where(large, pg.log_binomial(A - 1, A + B - 2, X) + pg.log(A + B - 1), direct)
  end,
  cdf = function(x, a, b) return pg.betainc(a, b, pg.clip(x, 0, 1)) end,
  sf = function(x, a, b) return pg.betaincc(a, b, pg.clip(x, 0, 1)) end,
  quantile = function(p, a, b) return pg.betaincinv(a, b, p) end}

D.f = {params = {"df1", "df2"}, ok = D.weibull.ok, low = 0,
  logpdf = function(x, m, n)
    local part = m * x / (n + m * x)
    return D.beta.logpdf(part, m / 2, n / 2) + pg.log(m / n) - 2 * pg.log1p(m * x / n)
  end,
  cdf = function(x, m, n)
    local r = m * x / n
    return pg.where(pg.le(r, 1), pg.betainc(m / 2, n / 2, r / (1 + r)), pg.betaincc(n / 2, m / 2, 1 / (1 + r)))
  end,
  sf = function(x, m, n)
    local r = m * x / n
    return pg.where(pg.le(r, 1), pg.betaincc(m / 2, n / 2, r / (1 + r)), pg.betainc(n / 2, m / 2, 1 / (1 + r)))
  end,
  quantile = function(p, m, n)
    local x, y = pg.betaincinv(m / 2, n / 2, p), pg.betaincinv(n / 2, m / 2, 1 - p)
    return n / m * pg.where(pg.lt(x, 0.5), x / (1 - x), (1 - y) / y)
  end}

-- P(T > |t|) = I_{n / (n + t^2)}(n/2, 1/2) / 2
local function t_tail(t, n)
  local square = t * t
  return 0.5 * pg.where(pg.lt(square, n), pg.betaincc(0.5, n / 2, square / (n + square)),
    pg.betainc(n / 2, 0.5, n / (n + square)))
end

D.student_t = {params = {"df"}, ok = positive,
  logpdf = function(t, n) return -0.5 * pg.log(n) - pg.betaln(0.5, n / 2) - (n + 1) / 2 * pg.log1p(t * t / n) end,
  cdf = function(t, n) return pg.where(pg.lt(t, 0), t_tail(t, n), 1 - t_tail(t, n)) end,
  sf = function(t, n) return pg.where(pg.gt(t, 0), t_tail(t, n), 1 - t_tail(t, n)) end,
  quantile = function(p, n)
    local q = pg.minimum(p, 1 - p)
    -- near the middle t^2 / (n + t^2) is known better, in the tails n / (n + t^2)
    local near, far = pg.betaincinv(0.5, n / 2, pg.abs(1 - 2 * p)), pg.betaincinv(n / 2, 0.5, 2 * q)
    local t = pg.sqrt(pg.where(pg.gt(q, 0.1), n * near / (1 - near), n * (1 - far) / far))
    return pg.where(pg.lt(p, 0.5), -t, t)
  end}

D.poisson = {params = {"rate"}, ok = function(m) return pg.ge(m, 0) end, count = 0,
  logpdf = function(k, m) return pg.log_poisson(k, m) end,
  cdf = function(k, m) return pg.gammaincc(k + 1, m) end, sf = function(k, m) return pg.gammainc(k + 1, m) end}

D.binomial = {params = {"n", "p"}, count = 0,
  ok = function(n, p) return pg.logical_and(inside(0, p, 1), pg.logical_and(pg.ge(n, 0), pg.eq(pg.floor(n), n))) end,
  top = function(n) return n end,
  logpdf = function(k, n, p) return pg.log_binomial(pg.minimum(k, n), n, p) end,
  cdf = function(k, n, p) return pg.where(pg.ge(k, n), 1, pg.betaincc(k + 1, pg.maximum(n - k, 0.5), p)) end,
  sf = function(k, n, p) return pg.where(pg.ge(k, n), 0, pg.betainc(k + 1, pg.maximum(n - k, 0.5), p)) end}

local function chance(p) return pg.logical_and(pg.gt(p, 0), pg.le(p, 1)) end

D.negative_binomial = {params = {"n", "p"}, count = 0,
  ok = function(n, p) return pg.logical_and(pg.gt(n, 0), chance(p)) end,
  logpdf = function(k, n, p) return pg.log_binomial(k, n + k, 1 - p) + pg.log(n / (n + k)) end,
  cdf = function(k, n, p) return pg.betainc(n, k + 1, p) end,
  sf = function(k, n, p) return pg.betaincc(n, k + 1, p) end}

D.geometric = {params = {"p"}, count = 1, ok = chance,
  logpdf = function(k, p) return pg.log(p) + pg.where(pg.eq(k, 1), 0, (k - 1) * pg.log1p(-p)) end,
  cdf = function(k, p) return -pg.expm1(k * pg.log1p(-p)) end, sf = function(k, p) return pg.exp(k * pg.log1p(-p)) end}

D.bernoulli = {params = {"p"}, count = 0, ok = function(p) return inside(0, p, 1) end, top = function() return 1 end,
  logpdf = function(k, p) return pg.where(pg.eq(k, 1), pg.log(p), pg.log1p(-p)) end,
  cdf = function(k, p) return pg.where(pg.ge(k, 1), 1, 1 - p) end,
  sf = function(k, p) return pg.where(pg.ge(k, 1), 0, p + 0 * k) end}

-- Reads x and the parameters: numbers, arrays or tables of numbers.
local function read(name, what, x, ...)
  local d = D[name]
  local list = {x, ...}
  for k = 1, #d.params + 1 do
    local v, arg = list[k], k == 1 and what or d.params[k - 1]
    if type(v) == "table" then list[k] = pg.array(v)
    elseif type(v) ~= "number" and not args.is_array(v) then
      args.fail(name, k, ("%s: expected array or number, got %s"):format(arg, args.got(v)))
    end
  end
  if list[#d.params + 2] ~= nil then
    args.fail(name, #d.params + 2, ("expected %s alone"):format(table.concat({what, table.unpack(d.params)}, ", ")))
  end
  return table.unpack(list, 1, #d.params + 1)
end

-- The value where the parameters are valid, else NaN.
local function valid(d, value, ...)
  return pg.where(d.ok(...), value, pg.nan)
end

-- x moved to where the formulas are defined; what lies outside is answered apart.
local function support(d, x, ...)
  local low, high = d.low or d.count, d.high or d.top and d.top(...)
  local outside = pg.logical_or(low and pg.lt(x, low) or pg.ne(x, x), high and pg.gt(x, high) or pg.ne(x, x))
  return outside, low, high
end

local function logpdf(d, x, ...)
  local outside, low = support(d, x, ...)
  if d.count then outside = pg.logical_or(outside, pg.ne(pg.floor(x), x)) end
  -- a place where the formula is defined, so that gradients are, too
  local safe = pg.where(outside, low and low + (d.count and 0 or 0.5) or 0, x)
  return valid(d, pg.where(pg.ne(x, x), pg.nan, pg.where(outside, -INF, d.logpdf(safe, ...))), ...)
end

local function share(d, which, x, ...)
  local _, low = support(d, x, ...)
  local at, below = x, nil
  if d.count then at = pg.floor(x) end
  if low then
    below = pg.lt(at, low)
    at = pg.maximum(at, low)
  end
  local value = d[which](at, ...)
  if below then value = pg.where(below, which == "cdf" and 0 or 1, value) end
  return valid(d, pg.where(pg.ne(x, x), pg.nan, value), ...)
end

-- The least count whose distribution function reaches p, by halving.
local function count_quantile(d, p, ...)
  local first = d.count
  local lo, hi = first - 1 + 0 * p, first + 0 * p
  local top = d.top and d.top(...)
  for _ = 1, 60 do
    local short = pg.lt(share(d, "cdf", hi, ...), p)
    if top then short = pg.logical_and(short, pg.lt(hi, top)) end
    if not pg.logical_and(short, pg.lt(hi, 2 ^ 53)):any() then break end
    lo, hi = pg.where(short, hi, lo), pg.where(short, 2 * hi + 1, hi)
  end
  if top then hi = pg.minimum(hi, top) end
  while pg.gt(hi - lo, 1):any() do
    local middle = pg.where(pg.gt(hi - lo, 1), pg.floor((lo + hi) / 2), hi)
    -- a p that is the rounded distribution function of a count belongs to that count
    local short = pg.lt(share(d, "cdf", middle, ...) * (1 + 1e-14), p)
    lo, hi = pg.where(short, pg.minimum(middle, hi - 1), lo), pg.where(short, hi, middle)
  end
  return pg.where(pg.eq(p, 1), top or INF, hi)
end

local function quantile(d, p, ...)
  if not d.count then return valid(d, probability(p, d.quantile(p, ...)), ...) end
  -- as an array of the shape of all together
  local shape = 0
  for _, v in ipairs{p, ...} do shape = shape + 0 * v end
  local number = not args.is_array(shape)
  local q = number and pg.array{p} or p + shape
  local value = valid(d, probability(q, count_quantile(d, pg.where(inside(0, q, 1), q, 0.5), ...)), ...)
  return number and value:get(1) or value
end

-- ---- the manual -----------------------------------------------------------------------------

--- pg.stats.normal (x, mean, sd)
-- The normal distribution.
-- pg.stats.normal.pdf(x, mean, sd) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, mean, sd) the x at which cdf is p.
-- @param x  array or number
-- @param mean  array or number
-- @param sd  array or number: the standard deviation, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @example pg.stats.normal.cdf(0, 0, 1) --> 0.5

--- pg.stats.lognormal (x, mean, sd)
-- The distribution of numbers whose logarithms are normal.
-- pg.stats.lognormal.pdf(x, mean, sd) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, mean, sd) the x at which cdf is p.
-- @param x  array or number
-- @param mean  array or number: of the logarithms
-- @param sd  array or number: of the logarithms, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.uniform (x, lo, hi)
-- The uniform distribution on [lo, hi].
-- pg.stats.uniform.pdf(x, lo, hi) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, lo, hi) the x at which cdf is p.
-- @param x  array or number
-- @param lo  array or number
-- @param hi  array or number
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.exponential (x, scale)
-- The exponential distribution.
-- pg.stats.exponential.pdf(x, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, scale) the x at which cdf is p.
-- @param x  array or number
-- @param scale  array or number: the mean, 1 / rate
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.laplace (x, loc, scale)
-- The Laplace (double exponential) distribution.
-- pg.stats.laplace.pdf(x, loc, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, loc, scale) the x at which cdf is p.
-- @param x  array or number
-- @param loc  array or number
-- @param scale  array or number, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.logistic (x, loc, scale)
-- The logistic distribution.
-- pg.stats.logistic.pdf(x, loc, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, loc, scale) the x at which cdf is p.
-- @param x  array or number
-- @param loc  array or number
-- @param scale  array or number, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.cauchy (x, loc, scale)
-- The Cauchy distribution.
-- pg.stats.cauchy.pdf(x, loc, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, loc, scale) the x at which cdf is p.
-- @param x  array or number
-- @param loc  array or number
-- @param scale  array or number, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.weibull (x, shape, scale)
-- The Weibull distribution.
-- pg.stats.weibull.pdf(x, shape, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, shape, scale) the x at which cdf is p.
-- @param x  array or number
-- @param shape  array or number, above 0
-- @param scale  array or number, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.gamma (x, shape, scale)
-- The gamma distribution, of mean shape * scale.
-- pg.stats.gamma.pdf(x, shape, scale) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, shape, scale) the x at which cdf is p.
-- @param x  array or number
-- @param shape  array or number, above 0
-- @param scale  array or number, above 0: 1 / rate
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @source Loader 2000
-- @example pg.stats.gamma.cdf(0, 2, 1) --> 0.0

--- pg.stats.chisquare (x, df)
-- The chi-square distribution.
-- pg.stats.chisquare.pdf(x, df) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, df) the x at which cdf is p.
-- @param x  array or number
-- @param df  array or number: the degrees of freedom, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.beta (x, a, b)
-- The beta distribution on [0, 1].
-- pg.stats.beta.pdf(x, a, b) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, a, b) the x at which cdf is p.
-- @param x  array or number
-- @param a  array or number, above 0
-- @param b  array or number, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @source Loader 2000; DLMF 8.17

--- pg.stats.f (x, df1, df2)
-- The F distribution.
-- pg.stats.f.pdf(x, df1, df2) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, df1, df2) the x at which cdf is p.
-- @param x  array or number
-- @param df1  array or number: the degrees of freedom above
-- @param df2  array or number: those below
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.student_t (x, df)
-- Student's t distribution.
-- pg.stats.student_t.pdf(x, df) and logpdf are its density and its logarithm, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, df) the x at which cdf is p.
-- @param x  array or number
-- @param df  array or number: the degrees of freedom, above 0
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @example pg.stats.student_t.cdf(0, 3) --> 0.5

--- pg.stats.poisson (x, rate)
-- The Poisson distribution.
-- pg.stats.poisson.pmf(x, rate) and logpmf are its probabilities, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, rate) the least x at which cdf reaches p.
-- @param x  array or number; what is no count has probability 0
-- @param rate  array or number, at least 0: the mean
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @source Loader 2000
-- @example pg.stats.poisson.quantile(0.5, 3) --> 3.0

--- pg.stats.binomial (x, n, p)
-- The distribution of successes in n trials.
-- pg.stats.binomial.pmf(x, n, p) and logpmf are its probabilities, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, n, p) the least x at which cdf reaches p.
-- @param x  array or number; what is no count has probability 0
-- @param n  array or number: trials, whole
-- @param p  array or number: in [0, 1]
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none
-- @source Loader 2000
-- @example pg.stats.binomial.pmf(1, 2, 0.5) --> 0.5

--- pg.stats.negative_binomial (x, n, p)
-- The distribution of failures before the n-th success.
-- pg.stats.negative_binomial.pmf(x, n, p) and logpmf are its probabilities, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, n, p) the least x at which cdf reaches p.
-- @param x  array or number; what is no count has probability 0
-- @param n  array or number, above 0
-- @param p  array or number: in (0, 1]
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.geometric (x, p)
-- The distribution of trials up to the first success, from 1 on.
-- pg.stats.geometric.pmf(x, p) and logpmf are its probabilities, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, p) the least x at which cdf reaches p.
-- @param x  array or number; what is no count has probability 0
-- @param p  array or number: in (0, 1]
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

--- pg.stats.bernoulli (x, p)
-- The distribution of 1 with probability p, else 0.
-- pg.stats.bernoulli.pmf(x, p) and logpmf are its probabilities, cdf its distribution function,
-- sf 1 - cdf without cancellation; quantile(p, p) the least x at which cdf reaches p.
-- @param x  array or number; what is no count has probability 0
-- @param p  array or number: in [0, 1]
-- @return array of the shape of all broadcast together, or a number; NaN for parameters that are none

-- SciPy's and PyTorch's names.
local OTHER_NAMES = {ppf = "quantile", isf = "quantile", icdf = "quantile", pdf = "density", pmf = "density",
  logpdf = "logdensity", logpmf = "logdensity", log_prob = "logdensity"}

for name, d in pairs(D) do
  local density = d.count and "pmf" or "pdf"
  stats[name] = {
    ["log" .. density] = function(...) return logpdf(d, read(name, "x", ...)) end,
    [density] = function(...) return pg.exp(logpdf(d, read(name, "x", ...))) end,
    cdf = function(...) return share(d, "cdf", read(name, "x", ...)) end,
    sf = function(...) return share(d, "sf", read(name, "x", ...)) end,
    quantile = function(...) return quantile(d, read(name, "p", ...)) end,
  }
  setmetatable(stats[name], {__index = function(_, key)
    local other = OTHER_NAMES[key]
    if other then other = other:gsub("density", density) end
    error(("pg.stats.%s has no '%s'; %s"):format(name, key, key == "rvs" and ("write rng:%s(...)"):format(name)
      or other and ("write pg.stats.%s.%s"):format(name, other)
      or ("it has log%s, %s, cdf, sf, quantile"):format(density, density)), pg._user_level())
  end, __tostring = function()
    return ("pg.stats.%s: log%s, %s, cdf, sf, quantile of x, %s"):format(name, density, density,
      table.concat(d.params, ", "))
  end})
end

return stats
