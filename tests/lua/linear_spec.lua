-- SPDX-License-Identifier: MIT
-- pg.linear: NIST's certified digits, the identities of least squares, streams, files, bad input.
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function near(got, wanted, tolerance)
  assert.is_true(math.abs(got - wanted) <= tolerance,
    string.format("got %.17g, wanted %.17g within %g", got, wanted, tolerance))
end

local function near_arrays(a, b, tolerance)
  assert.equal(tostring(a.shape), tostring(b.shape))
  if a.size > 0 then near((a - b):abs():max(), 0, tolerance) end
end

local function digits(got, wanted)
  local off = wanted == 0 and math.abs(got) or math.abs(got - wanted) / math.abs(wanted)
  return off < 1e-15 and 15 or -math.log(off, 10)
end

-- NIST StRD Norris (public domain): y, x, ...
local norris = pg.array{
  0.1, 0.2, 338.8, 337.4, 118.1, 118.2, 888.0, 884.6, 9.2, 10.1, 228.1, 226.5, 668.5, 666.3, 998.5, 996.3, 449.1, 448.6,
  778.9, 777.0, 559.2, 558.2, 0.3, 0.4, 0.1, 0.6, 778.1, 775.5, 668.8, 666.9, 339.3, 338.0, 448.9, 447.5, 10.8, 11.6,
  557.7, 556.0, 228.3, 228.1, 998.0, 995.8, 888.8, 887.6, 119.6, 120.2, 0.3, 0.3, 0.6, 0.3, 557.6, 556.8, 339.3, 339.1,
  888.0, 887.2, 998.5, 999.0, 778.9, 779.0, 10.2, 11.1, 117.6, 118.3, 228.9, 229.2, 668.4, 669.1, 449.2, 448.9, 0.2,
  0.5}:reshape(36, 2)

-- A .dat file of NIST: certified coefficients, their deviations, the residual's, R2, and the rows of data.
local function read_nist(path)
  local file = io.open(path)
  if not file then return nil end
  local set, data = {coefficient = {}, deviation = {}}, false
  local rows = {}
  for line in file:lines() do
    if data then
      local row = {}
      for number in line:gmatch("%S+") do row[#row + 1] = tonumber(number) end
      if #row > 0 then rows[#rows + 1] = row end
    else
      local b, sd = line:match("^%s+B%d+%s+(%S+)%s+(%S+)")
      if b then
        table.insert(set.coefficient, tonumber(b))
        table.insert(set.deviation, tonumber(sd))
      end
      set.residual = set.residual or tonumber(line:match("^%s+Standard Deviation%s+([%d.E+-]+)"))
      set.r2 = set.r2 or tonumber(line:match("^%s+R%-Squared%s+(%S+)"))
      data = line:match("^Data:%s+y%s+x") ~= nil
    end
  end
  file:close()
  set.data = pg.array(rows)
  return set
end

local function noisy(m, n, seed)
  local rng = pg.random.new(seed or 5)
  local X = rng:standard_normal(m, n)
  return X, X:dot(pg.range(1, n)) + 2.5 + rng:standard_normal(m) * 0.3
end

describe("pg.linear.fit", function()
  it("gives NIST's digits on Norris", function()
    local m = pg.linear.fit(norris:slice({}, 2), norris:slice({}, 1), {intercept = true})
    assert.is_true(digits(m.intercept, -0.262323073774029) >= 12)
    assert.is_true(digits(m.w[1], 1.00211681802045) >= 12)
    assert.is_true(digits(m.intercept_stderr, 0.232818234301152) >= 12)
    assert.is_true(digits(m.stderr[1], 0.429796848199937E-03) >= 12)
    assert.is_true(digits(math.sqrt(m.s2), 0.884796396144373) >= 12)
    assert.is_true(digits(m.r2, 0.999993745883712) >= 12)
  end)

  local wanted = {Norris = 12, Pontius = 11, NoInt1 = 14, Longley = 12, Wampler1 = 9, Wampler2 = 12, Wampler3 = 9}
  for _, name in ipairs{"Norris", "Pontius", "NoInt1", "Longley", "Wampler1", "Wampler2", "Wampler3"} do
    it("gives NIST's digits on the file of " .. name, function()
      local set = read_nist("../shared/data/nist/" .. name .. ".dat")
      if not set then return pending("needs ../shared/data/nist") end
      local y, x = set.data:slice({}, 1), set.data:slice({}, {2, -1})
      local constant = name ~= "NoInt1"
      local degree = name == "Pontius" and 2 or name:find("Wampler") and 5 or 0
      if degree > 0 then
        local powers = {x}
        for d = 2, degree do powers[d] = powers[d - 1] * x end
        x = pg.concat(powers, 2)
      end
      local m = pg.linear.fit(x, y, {intercept = constant})
      local found, spread = m.w:totable(), m.stderr:totable()
      if constant then
        table.insert(found, 1, m.intercept)
        table.insert(spread, 1, m.intercept_stderr)
      end
      assert.equal(#set.coefficient, #found)
      for j = 1, #found do
        assert.is_true(digits(found[j], set.coefficient[j]) >= wanted[name])
        assert.is_true(digits(spread[j], set.deviation[j]) >= 7)
      end
      assert.is_true(digits(math.sqrt(m.s2), set.residual) >= 7)
      assert.is_true(digits(m.r2, set.r2) >= 7)
    end)
  end

  it("is pg.linalg.lstsq with statistics", function()
    local X, y = noisy(200, 4)
    local m = pg.linear.fit(X, y)
    local x, rss, rank, s = pg.linalg.lstsq(X, y)
    near_arrays(m.w, x, 0)
    near(m.rss, rss, 0)
    assert.equal(rank, m.rank)
    near_arrays(m.s, s, 0)
    near(m.sigma2, rss / 200, 1e-15)
    near(m.s2, rss / 196, 1e-15)
    near(m.cond, pg.linalg.cond(X), 1e-12)
    near_arrays(m.residuals, y - X:dot(x), 1e-13)
    local C = pg.linalg.inv(X.T:dot(X)) * m.s2
    near_arrays(m.stderr, pg.array{C(1, 1), C(2, 2), C(3, 3), C(4, 4)}:sqrt(), 1e-15)
    near(m:logprob(X, y):sum(), m.loglik, 1e-10)
    near(m.r2, 1 - rss / y:square():sum(), 1e-14)
    assert.equal(0.0, m.intercept)
  end)

  it("fits a constant, several outputs, one feature", function()
    local X, y = noisy(100, 3)
    local m = pg.linear.fit(X, y, {intercept = true})
    near(m.residuals:sum(), 0, 1e-12)
    near(m.r2, 1 - m.rss / (y - y:mean()):square():sum(), 1e-14)
    local two = pg.linear.fit(X, pg.stack({y, y * -3}, 2), {intercept = true})
    near_arrays(two.w:slice({}, 2), m.w * -3, 1e-13)
    near(two.intercept[2], m.intercept * -3, 1e-13)
    near(two.sigma2[2], m.sigma2 * 9, 1e-12)
    near_arrays(two.stderr:slice({}, 2), m.stderr * 3, 1e-13)
    near(two:logprob(X, pg.stack({y, y * -3}, 2)):sum(), two.loglik:sum(), 1e-9)
    local one = pg.linear.fit(X:slice({}, 1), y)
    near(one.w[1], (X:slice({}, 1) * y):sum() / X:slice({}, 1):square():sum(), 1e-14)
    assert.equal("linear: 100 observations, 3 features and intercept, rank 4, sigma2 = "
      .. string.format("%.6g", m.sigma2) .. ", R2 = " .. string.format("%.6g", m.r2), tostring(m))
    assert.equal("linear: 100 observations, 3 features and intercept, 2 outputs, rank 4", tostring(two))
    assert.equal("f64", pg.linear.fit(X:astype("f32"), y:astype("f32")).w.dtype)
  end)

  it("has the gradient 0 at its solution", function()
    local X, y = noisy(60, 2)
    local m = pg.linear.fit(X, y)
    local function loglik(t)
      local r = y - X:dot(t:slice{1, 2})
      return -30 * math.log(2 * math.pi * t[3]) - r:square():sum() / (2 * t[3])
    end
    local at = pg.concat({m.w, pg.array{m.sigma2}}, 1)
    for j = 1, 3 do
      local up, down = at:copy(), at:copy()
      up[j], down[j] = up[j] + 1e-5, down[j] - 1e-5
      near((loglik(up) - loglik(down)) / 2e-5, 0, 1e-3)
    end
    near(loglik(at), m.loglik, 1e-10)
  end)

  it("predicts with the spread of a new observation", function()
    local X, y = noisy(50, 2)
    local m = pg.linear.fit(X, y, {intercept = true})
    local mean, sd = m:predict(X:slice({1, 4}, {}))
    near_arrays(mean, X:slice({1, 4}, {}):dot(m.w) + m.intercept, 1e-13)
    local one, spread = m:predict(pg.array{0.5, -1})
    near(one, 0.5 * m.w[1] - m.w[2] + m.intercept, 1e-13)
    local Z = pg.concat({pg.ones(50, 1), X}, 2)
    local z = pg.array{1, 0.5, -1}
    near(spread, math.sqrt(m.s2 * (1 + z:dot(pg.linalg.inv(Z.T:dot(Z))):dot(z))), 1e-13)
    assert.equal("(4,)", tostring(sd.shape))
    local line = pg.linear.fit({1, 2, 3, 4}, {2.1, 3.9, 6.2, 7.8}, {intercept = true})
    local there, beside = line:predict(5)
    local all, spreads = line:predict{5, 6}
    assert.equal(all[1], there)
    assert.equal(spreads[1], beside)
    local ok, text = pcall(function() return (m:predict(5)) end)
    assert.is_false(ok)
    assert.matches("linear_spec%.lua:%d+: bad argument #1 to 'predict' %(X: expected array, got number 5%)$", text)
    assert.equal("bad argument #1 to 'predict' (X: expected rows of 2 features, got shape (5, 3))",
      message(function() return m:predict(pg.ones(5, 3)) end))
    assert.equal("bad argument #2 to 'logprob' (y: expected 50 x 1 values, got shape (49, 1))",
      message(function() return m:logprob(X, y:slice{1, 49}) end))
  end)

  it("covers the truth as often as its errors say", function()
    -- 400 fits: the share of |w - truth| < 2 stderr is binomial; t(17) has 0.9383 there, 4 sigmas are 0.048
    local rng, hits = pg.random.new(3), 0
    for _ = 1, 400 do
      local X = rng:standard_normal(20, 3)
      local m = pg.linear.fit(X, X:dot(pg.array{1, -2, 0.5}) + rng:standard_normal(20))
      if math.abs(m.w[2] + 2) < 2 * m.stderr[2] then hits = hits + 1 end
    end
    near(hits / 400, 0.9383, 0.048)
  end)
end)

describe("bad input to pg.linear.fit", function()
  local X, y = noisy(30, 3)

  it("duplicate rows change nothing but the count", function()
    local m, twice = pg.linear.fit(X, y), pg.linear.fit(pg.concat({X, X}, 1), pg.concat({y, y}, 1))
    near_arrays(twice.w, m.w, 1e-14)
    near(twice.sigma2, m.sigma2, 1e-15)
  end)

  it("duplicate columns share the weight and the rank tells it", function()
    local m, twice = pg.linear.fit(X, y), pg.linear.fit(pg.concat({X, X:slice({}, {1})}, 2), y)
    assert.equal(3, twice.rank)
    near(twice.w[1], m.w[1] / 2, 1e-14)
    near(twice.w[4], m.w[1] / 2, 1e-14)
    near(twice.s2, m.s2, 1e-14)
    assert.is_true(twice.cond > 1e14)
  end)

  it("more columns than rows: least norm, rank told, spread not known", function()
    local W = X:slice({1, 2}, {})
    local m = pg.linear.fit(W, y:slice{1, 2})
    assert.equal(2, m.rank)
    near_arrays(W:dot(m.w), y:slice{1, 2}, 1e-14)
    near_arrays(m.w, pg.linalg.pinv(W):dot(y:slice{1, 2}), 1e-13)
    assert.is_true(m.stderr[1] ~= m.stderr[1])
    assert.is_true(m.s2 ~= m.s2)
  end)

  it("constant y: fitted exactly, R2 is NaN with an intercept", function()
    local m = pg.linear.fit(X, pg.full({30}, 0.1), {intercept = true})
    near(m.intercept, 0.1, 1e-16)
    near_arrays(m.w, pg.zeros(3), 1e-17)
    assert.is_true(m.r2 ~= m.r2)
    assert.matches("R2 = nan$", tostring(m))
  end)

  it("names what is not finite, counting as X was given", function()
    local B, b = X:copy(), y:copy()
    B:set(4, 2, 0 / 0)
    b[7] = math.huge
    assert.equal("bad argument #1 to 'fit' (element (4, 2) of X is not finite)", message(pg.linear.fit, B, y))
    assert.equal("bad argument #1 to 'fit' (element (4, 2) of X is not finite)",
      message(pg.linear.fit, B, y, {intercept = true}))
    assert.equal("bad argument #2 to 'fit' (element 7 of y is not finite)", message(pg.linear.fit, X, b))
    assert.equal("bad argument #2 to 'fit' (element (7, 2) of y is not finite)",
      message(pg.linear.fit, X, pg.stack({y, b}, 2)))
  end)

  it("says what does not fit", function()
    assert.equal("bad argument #2 to 'fit' (y: 29 values for the 30 rows of X)",
      message(pg.linear.fit, X, y:slice{1, 29}))
    assert.equal("bad argument #1 to 'fit' (X: expected m x n observations, got shape (2, 2, 2))",
      message(pg.linear.fit, pg.ones(2, 2, 2), pg.ones(2)))
    assert.equal("bad argument #2 to 'fit' (y: expected m or m x p values, got shape (2, 2, 2))",
      message(pg.linear.fit, pg.ones(2, 2), pg.ones(2, 2, 2)))
    assert.equal("bad argument #1 to 'fit' (X: no observations, shape (0, 2))",
      message(pg.linear.fit, pg.zeros(0, 2), pg.zeros(0)))
    assert.equal("bad argument #2 to 'fit' (y: expected array, got no value)", message(pg.linear.fit, X))
    assert.equal("bad argument #3 to 'fit' (unknown option 'intercpt'; did you mean 'intercept'?)",
      message(pg.linear.fit, X, y, {intercpt = true}))
    local m = pg.linear.fit(X, y)
    assert.equal("a linear model has no 'sigma'; did you mean 'sigma2'?", message(function() return m.sigma end))
  end)
end)

describe("pg.linear.accumulate", function()
  it("gives in parts what all rows give", function()
    local X, y = noisy(500, 4)
    for _, constant in ipairs{true, false} do
      local m = pg.linear.fit(X, y, {intercept = constant})
      local acc = pg.linear.accumulate{intercept = constant}
      for first = 1, 500, 37 do
        local rows = {first, math.min(first + 36, 500)}
        assert.is_true(rawequal(acc, acc:add(X:slice(rows, {}), y:slice(rows))))
      end
      assert.equal("linear.accumulator: 500 observations", tostring(acc))
      local a = acc:fit()
      near_arrays(a.w, m.w, 1e-13)
      near_arrays(a.stderr, m.stderr, 1e-14)
      near(a.r2, m.r2, 1e-13)
      near(a.loglik, m.loglik, 1e-9)
      near(a.intercept, m.intercept, 1e-13)
      near(a.cond, m.cond, 1e-11)
      assert.is_false(a.residuals)
    end
  end)

  it("says what does not fit", function()
    local acc = pg.linear.accumulate()
    assert.equal("fit: no observations were added", message(function() return acc:fit() end))
    acc:add(pg.ones(3, 2), pg.ones(3))
    assert.equal("bad argument #1 to 'add' (X: 3 columns and y of 1, after 2 and 1 before)",
      message(function() return acc:add(pg.ones(3, 3), pg.ones(3)) end))
    assert.equal("bad argument #1 to 'add' (element (2, 1) of X is not finite)",
      message(function() return acc:add(pg.array{{1, 1}, {0 / 0, 1}}, pg.ones(2)) end))
    assert.equal(1, acc:fit().rank)
  end)
end)

describe("a saved linear model", function()
  it("is read back as it was", function()
    local path = os.tmpname() .. ".npz"
    local X, y = noisy(40, 2)
    for _, Y in ipairs{y, pg.stack({y, y * 2}, 2)} do
      local m = pg.linear.fit(X, Y, {intercept = true})
      m:save(path)
      local back = pg.linear.load(path)
      assert.equal(tostring(m), tostring(back))
      assert.equal(tostring(m.loglik), tostring(back.loglik))
      near_arrays(back.w, m.w, 0)
      near_arrays(back.residuals, m.residuals, 0)
      near_arrays(select(2, back:predict(X)), select(2, m:predict(X)), 0)
    end
    pg.save(path, {W = pg.ones(2, 2)})
    assert.equal(path .. ": not a linear model: it has no array 'tss'", message(pg.linear.load, path))
    os.remove(path)
  end)
end)
