-- SPDX-License-Identifier: MIT
--
-- The array functions that are written in Lua, compared with NumPy, SciPy and PyTorch:
-- tests/golden/numpy_functions.py.
local pg = require "perigee"
local helper = require "tests.lua.helper"

local function value(v)
  return type(v) == "table" and pg.array(v) or v
end

-- The largest difference, next to the size of what is wanted.
local function difference(got, want)
  want = value(want)
  if type(want) == "number" then return math.abs(got - want) / math.max(1, math.abs(want)) end
  assert.equal(tostring(want.shape), tostring(got.shape))
  if want.size == 0 then return 0 end
  got = got:astype("f64")
  return (got - want):abs():max() / math.max(1, want:abs():max())
end

describe("functions", function()
  for k, case in ipairs(pg.load("tests/golden/numpy_functions.json")) do
    it(("%d: %s"):format(k, case.lua), function()
      local environment = setmetatable({pg = pg}, {__index = _G})
      for name, v in pairs(case["in"]) do environment[name] = value(v) end
      local results = table.pack(load("return " .. case.lua, "=case", "t", environment)())
      assert.equal(#case.out, results.n)
      for j, want in ipairs(case.out) do
        local d = difference(results[j], want)
        assert.truthy(d <= case.tol, ("result %d is off by %g"):format(j, d))
      end
    end)
  end

  it("are methods where the first argument is an array", function()
    local a = pg.array {3, 1, 2}
    assert.equal("9 3 6 3 1 2 6 2 4", table.concat(a:kron(a):astype("f64"):totable(), " "):gsub("%.0", ""))
    assert.equal("(1, 2)", tostring(pg.zeros(2, 1):swapaxes(1, 2).shape))
    assert.is_nil(pg._functions.method("empty"))
    assert.equal(0, pg.empty(3):sum())
    assert.equal("f32", pg.empty({2, 2}, "f32").dtype)
  end)

  it("keep f32", function()
    local a = pg.array({1, 2, 3}, "f32")
    for _, b in ipairs{a:kron(a), a:cross(a), a:convolve(a), pg.interp(a, a, a), a:round(1), pg.asin(a / 4),
        pg.linalg.expm(a:kron(a):reshape(3, 3) / 100), (pg.linalg.eigvals(a:kron(a):reshape(3, 3)))} do
      assert.equal("f32", b.dtype)
    end
  end)

  it("take what is not finite, and nothing", function()
    local nan, inf = pg.nan, pg.inf
    assert.is_true(nan ~= nan)
    assert.equal(math.huge, inf)
    assert.equal(math.pi, pg.pi)
    assert.is_true(pg.isclose({nan, inf, inf}, {nan, inf, -inf}):array_equal{0, 1, 0})
    assert.equal(1, pg.isclose(nan, nan, {equal_nan = true}))
    assert.is_true(pg.isin({inf, nan}, {nan, inf}):array_equal{1, 0})
    assert.equal(0, pg.isin({1, 2}, pg.zeros(0)):sum())
    assert.equal(7, pg.interp(3, {1}, {7}))
    assert.equal(0, pg.trapz{4})
    assert.equal("(0, 3)", tostring(pg.cdist(pg.zeros(0, 2), pg.zeros(3, 2)).shape))
    assert.equal(0, pg.cdist(pg.zeros(2, 0), pg.zeros(3, 0)):sum())
    assert.equal(0, pg.linalg.expm(pg.zeros(0, 0)).size)
    assert.equal(0, (pg.linalg.eigvals(pg.zeros(0, 0))).size)
    local P, L, U = pg.linalg.lu(pg.zeros(3, 0))
    assert.equal("(3, 3) (3, 0) (0, 0)", ("%s %s %s"):format(P.shape, L.shape, U.shape))
    assert.equal("12300", ("%.0f"):format(pg.round(12345, -2)))
  end)

  it("take stacks of matrices", function()
    local A = pg.random.new(3):standard_normal(2, 4, 4)
    local re, im, V, W = pg.linalg.eig(A)
    for k = 1, 2 do
      local d, e = pg.diag(re[k]), pg.diag(im[k])
      assert.is_true(pg.allclose(A[k]:dot(V[k]), V[k]:dot(d) - W[k]:dot(e), {atol = 1e-12}))
      assert.is_true(pg.allclose(A[k]:dot(W[k]), V[k]:dot(e) + W[k]:dot(d), {atol = 1e-12}))
    end
    local P, L, U = pg.linalg.lu(A)
    assert.is_true(pg.allclose(P:dot(L):dot(U), A))
    assert.is_true(pg.allclose(pg.linalg.eigvals(pg.eye(3) * 1e-250), 1e-250, {atol = 0}))
  end)

  it("have gradients", function()
    local rng = pg.random.new(5)
    local v, M = rng:standard_normal(5), rng:standard_normal(3, 3)
    local w, Y = rng:standard_normal(4), rng:standard_normal(4, 3)
    for name, f in pairs{
      kron = function(x) return pg.square(pg.kron(x, w)):sum() end,
      cross = function(x) return pg.square(pg.cross(x:slice({1, 3}), {1, 2, 3})):sum() end,
      convolve = function(x) return pg.square(pg.convolve(x, w, "same")):sum() end,
      interp = function(x) return pg.square(pg.interp(x, {-3, 0, 3}, {9, 1, 4})):sum() end,
      ys = function(x) return pg.square(pg.interp(w, {-3, -1, 0, 1, 3}, x)):sum() end,
      trapz = function(x) return pg.trapz(pg.square(x), {0, 1, 3, 4, 6}) end,
      topk = function(x) return pg.square((pg.topk(x, 3))):sum() end,
      split = function(x) return pg.square(pg.split(x, {2})[2]):sum() end,
      polyval = function(x) return pg.polyval(x, 1.5) end,
    } do
      assert.is_true(pg.gradcheck(f, v).ok, name)
    end
    for name, f in pairs{
      cdist = function(x) return pg.square(pg.cdist(x, Y)):sum() + pg.cdist(x, Y, "cosine"):sum() end,
      expm = function(x) return pg.square(pg.linalg.expm(x)):sum() end,
      axes = function(x) return (pg.moveaxis(x, 1, 2) * x):sum() end,
      einsum = function(x) return pg.einsum("...i,...i->...", x, x):prod() end,
    } do
      assert.is_true(pg.gradcheck(f, M).ok, name)
    end
    assert.equal(0, pg.grad(function(x) return (pg.round(x, 1) * 0 + x):sum() - x:sum() end)(v):sum())
  end)

  it("say what is wrong, and count as they were called", function()
    local a = pg.ones(4)
    for _, case in ipairs{
      {"bad argument #2 to 'kron' (b: expected array, got no value)", pg.kron, a},
      {"bad argument #1 to 'kron' (b: expected array, got no value)", function()
        local r = a:kron()
        return r
      end},
      {"bad argument #2 to 'split' (parts: axis 1 of extent 4 is not cut into 3 equal parts; a list of last places " ..
        "cuts it anywhere)", pg.split, a, 3},
      {"bad argument #2 to 'split' (parts: element 2 is 1, expected an integer in 3..4)", pg.split, a, {3, 1}},
      {"bad argument #1 to 'cross' (a: expected 3 numbers along axis 1, got shape (4,))", pg.cross, a, a},
      {"bad argument #3 to 'convolve' (mode: expected one of \"full\", \"same\", \"valid\", got \"all\")",
        pg.convolve, a, a, "all"},
      {"bad argument #2 to 'interp' (xs: expected ascending numbers)", pg.interp, a, {2, 1}, {1, 2}},
      {"bad argument #3 to 'interp' (ys: expected 2 values as xs has, got 3)", pg.interp, a, {1, 2}, {1, 2, 3}},
      {"bad argument #2 to 'topk' (k: expected an integer in 0..4, got number 5)", pg.topk, a, 5},
      {"bad argument #2 to 'swapaxes' (i: expected an axis in 1..1, got number 0)", pg.swapaxes, a, 0, 1},
      {"bad argument #2 to 'cdist' (Y: expected 2 columns as X has, got shape (1, 3))", pg.cdist, {{1, 2}},
        {{1, 2, 3}}},
      {"bad argument #1 to 'expm' (A: expected a square matrix, got shape (1, 2))", pg.linalg.expm, {{1, 2}}},
      {"bad argument #2 to 'round' (decimals: expected an integer in -308..308, got number 1.5)", pg.round, a, 1.5},
      {"bad argument #4 to 'topk' (unknown option 'largst'; did you mean 'largest'?)", pg.topk, a, 1, 1,
        {largst = true}},
    } do
      assert.equal(case[1], helper.message(table.unpack(case, 2)))
    end
  end)
end)
