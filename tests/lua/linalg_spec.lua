-- SPDX-License-Identifier: MIT
-- pg.linalg and pg.dot from Lua: values, shapes, every error; N1 to N11 are the bad inputs that LAPACK and BLAS
-- answer with a hang, with garbage or with other bits.
local pg = require "perigee"
local la = pg.linalg

local message = require("tests.lua.helper").message

local function near(got, wanted, tolerance)
  assert.is_true(math.abs(got - wanted) <= tolerance,
    string.format("got %.17g, wanted %.17g within %g", got, wanted, tolerance))
end

local function near_arrays(a, b, tolerance)
  assert.equal(tostring(a.shape), tostring(b.shape))
  if a.size > 0 then near((a - b):abs():max(), 0, tolerance) end
end

-- What f warns, in the program or in a stock lua5.4: both write warnings where io.stderr goes, so a state of
-- its own is asked.
local function warnings(code)
  local program = os.getenv("PERIGEE") or "build/perigee"
  local pipe = io.popen(program .. " -W -e 'local pg = require \"perigee\"; " .. code .. "' 2>&1")
  local text = pipe:read("a")
  pipe:close()
  return text
end

local rng = pg.random.new(11)
local function positive(n)
  local G = rng:standard_normal(n, n)
  return G:dot(G.T) + pg.eye(n) * 0.25
end

describe("pg.dot", function()
  local A, B = rng:standard_normal(4, 6), rng:standard_normal(6, 5)
  local v, u = rng:standard_normal(6), rng:standard_normal(4)

  it("multiplies matrices, vectors and stacks", function()
    local C = A:dot(B)
    assert.equal("(4, 5)", tostring(C.shape))
    near(C(3, 2), (A[3] * B.T[2]):sum(), 1e-14)
    near_arrays(A:dot(v), (A * v):sum(2), 1e-14)
    near_arrays(u:dot(A), (A.T * u):sum(2), 1e-14)
    near(v:dot(v), (v * v):sum(), 1e-14)
    assert.equal("number", type(v:dot(v)))
    local S = rng:standard_normal(3, 4, 6)
    near_arrays(S:matmul(B)[2], S[2]:dot(B), 1e-14)
    assert.equal("(3, 4, 4)", tostring(S:dot(A.T).shape))
    assert.equal("f32", A:astype("f32"):dot(B:astype("f32")).dtype)
    assert.equal("f64", A:astype("f32"):dot(B).dtype)
    near_arrays(pg.dot({{1, 2}, {3, 4}}, {1, 1}), pg.array{3, 7}, 0)
    assert.equal("(4, 0)", tostring(A:dot(pg.zeros(6, 0)).shape))
    near_arrays(pg.zeros(2, 0):dot(pg.zeros(0, 3)), pg.zeros(2, 3), 0)
  end)

  it("N9: out may overlap the operands", function()
    local S, T = rng:standard_normal(5, 5), rng:standard_normal(5, 5)
    local wanted = S:dot(T)
    assert.is_true(rawequal(S, S:dot(T, S)))
    near_arrays(S, wanted, 0)
    local R = T:copy()
    pg.dot(T, T.T, T)
    near_arrays(T, R:dot(R.T), 0)
    local big = pg.zeros(10, 10)
    local view = big:slice({1, 10, 2}, {2, 10, 2})
    pg.dot(R, R, view)
    near_arrays(view, R:dot(R), 0)
    near(big:slice({2, 10, 2}, {}):abs():sum(), 0, 0)
  end)

  it("N10: the same thread count gives the same bits", function()
    local X = rng:standard_normal(300, 200)
    local once = tostring(X.T:dot(X):sum()) .. la.svd(X):sum() .. la.lstsq(X, X:slice({}, 1)):sum()
    for _ = 1, 3 do
      assert.equal(once, tostring(X.T:dot(X):sum()) .. la.svd(X):sum() .. la.lstsq(X, X:slice({}, 1)):sum())
    end
  end)

  it("says what does not multiply", function()
    assert.equal("bad argument #2 to 'dot' (b: shapes (4, 6) and (5, 6) do not multiply: a has 6 columns, "
      .. "b has 5 rows; a:dot(b.T) would fit)", message(pg.dot, A, pg.ones(5, 6)))
    assert.equal("bad argument #2 to 'dot' (b: shapes (4, 6) and (4, 5) do not multiply: a has 6 columns, "
      .. "b has 4 rows; a.T:dot(b) would fit)", message(pg.dot, A, pg.ones(4, 5)))
    assert.equal("bad argument #2 to 'dot' (b: leading axes of shapes (2, 3, 4) and (3, 4, 5) do not broadcast)",
      message(pg.dot, pg.ones(2, 3, 4), pg.ones(3, 4, 5)))
    assert.equal("bad argument #2 to 'dot' (b: expected an array of one or more axes, got a number; write a * b)",
      message(pg.dot, A, 3))
    assert.equal("bad argument #3 to 'dot' (out: expected array (4, 5) f64, got array (5, 4) f64)",
      message(pg.dot, A, B, pg.zeros(5, 4)))
    assert.equal("bad argument #1 to 'dot' (b: shapes (4, 6) and (3,) do not multiply: a has 6 columns, b has 3 rows)",
      message(function() return A:dot(pg.ones(3)) end))
  end)
end)

describe("pg.linalg", function()
  it("solves", function()
    local A, X = positive(7), rng:standard_normal(7, 3)
    near_arrays(la.solve(A, A:dot(X)), X, 1e-11)
    near_arrays(la.solve(A.T, A.T:dot(X[1]:copy():reshape(3):dot(X.T))), X:dot(X[1]), 1e-11)
    near_arrays(la.inv(A):dot(A), pg.eye(7), 1e-12)
    local S = pg.stack({A, positive(7)}, 1)
    near_arrays(la.solve(S, pg.stack({X, X}, 1))[2], la.solve(S[2], X), 1e-12)
    near_arrays(la.inv(S)[1], la.inv(A), 0)
    near_arrays(la.det(S), pg.array{la.det(A), la.det(S[2])}, 0)
    local L = la.cholesky(A)
    near_arrays(la.solve_triangular(L, X, {lower = true}), la.solve(L, X), 1e-12)
    near_arrays(la.solve_triangular(L, X[1]:dot(X.T), {lower = true, trans = true}), la.solve(L.T, X:dot(X[1])), 1e-12)
    assert.equal("f32", la.solve(A:astype("f32"), X:astype("f32")).dtype)
    assert.equal("f64", la.solve(A:astype("f32"), X).dtype)
  end)

  it("decomposes", function()
    local A = rng:standard_normal(8, 5)
    for _, M in ipairs{A, A.T, A:slice({1, 8, 2}, {}), A:flip(1)} do
      local Q, R = la.qr(M)
      near_arrays(Q:dot(R), M, 1e-14)
      local U, s, Vt = la.svd(M)
      near_arrays((U * s):dot(Vt), M, 1e-14)
      near_arrays(la.pinv(la.pinv(M)), M, 1e-13)
      assert.equal(math.min(M:dims()), la.rank(M))
      near(la.cond(M), s[1] / s[-1], 1e-10)
      near(la.norm(M, 2), s[1], 1e-14)
      near(la.norm(M, -2), s[-1], 1e-14)
      near(la.norm(M, "nuc"), s:sum(), 1e-13)
    end
    local S = positive(6)
    local w, V = la.eigh(S)
    near_arrays((V * w):dot(V.T), S, 1e-13)
    local L = la.cholesky(S)
    near_arrays(L:dot(L.T), S, 1e-13)
    local sign, logdet = la.slogdet(S)
    near(sign * math.exp(logdet) / la.det(S), 1, 1e-12)
    near(la.cond(S, 1), la.norm(S, 1) * la.norm(la.inv(S), 1), 1e-10)
    near(la.cond(S, "fro"), la.norm(S) * la.norm(la.inv(S)), 1e-10)
    assert.equal(math.huge, la.cond(pg.array{{1, 2}, {2, 4}}, 1))
    assert.equal("(2, 4, 3)", tostring(la.svd(pg.ones(2, 4, 3)).shape))
  end)

  it("takes norms", function()
    local M, v = pg.array{{1, -2}, {3, 4}}, pg.array{3, 0, -4}
    assert.equal(6.0, la.norm(M, 1))
    assert.equal(7.0, la.norm(M, math.huge))
    assert.equal(3.0, la.norm(M, -math.huge))
    assert.equal(4.0, la.norm(M, -1))
    assert.equal(5.0, la.norm(v))
    assert.equal(7.0, la.norm(v, 1))
    assert.equal(2.0, la.norm(v, 0))
    assert.equal(4.0, la.norm(v, math.huge))
    assert.equal(0.0, la.norm(v, -math.huge))
    near(la.norm(v, 3), (27 + 64) ^ (1 / 3), 1e-14)
    assert.equal(0.0, la.norm(pg.zeros(0)))
    assert.equal("bad argument #2 to 'linalg.norm' (ord: a matrix has norms 1, 2, math.huge, their negatives, "
      .. "\"fro\" and \"nuc\", got 3.0)", message(la.norm, M, 3))
    assert.equal("bad argument #2 to 'linalg.norm' (ord: a vector has norms by numbers only, got \"fro\")",
      message(la.norm, v, "fro"))
    assert.equal("bad argument #2 to 'linalg.norm' (ord: expected a number, \"fro\" or \"nuc\", got \"max\")",
      message(la.norm, v, "max"))
  end)

  it("says what it cannot do", function()
    local S = pg.array{{1, 2}, {2, 4}}
    assert.equal("bad argument #1 to 'linalg.solve' (A: expected a square matrix, got shape (2, 3))",
      message(la.solve, pg.ones(2, 3), pg.ones(2)))
    assert.equal("bad argument #1 to 'linalg.svd' (A: expected a matrix, got shape (3,))", message(la.svd, pg.ones(3)))
    assert.equal("bad argument #1 to 'linalg.rank' (A: expected 2 axes, got shape (2, 2, 2))",
      message(la.rank, pg.ones(2, 2, 2)))
    assert.equal("bad argument #2 to 'linalg.solve' (B: shape (3,) does not fit A's (2, 2): expected 2 rows)",
      message(la.solve, S, pg.ones(3)))
    assert.equal("bad argument #1 to 'linalg.solve' (A is singular: pivot 2 is exactly 0)",
      message(la.solve, S, pg.ones(2)))
    assert.equal("bad argument #1 to 'linalg.inv' (A[2] is singular: pivot 2 is exactly 0)",
      message(la.inv, pg.stack({pg.eye(2), S}, 1)))
    assert.equal("bad argument #1 to 'linalg.cholesky' (A is not positive definite: its leading minor of order 2 "
      .. "is not)", message(la.cholesky, S))
    assert.equal("bad argument #1 to 'linalg.solve_triangular' (A is singular: pivot 1 is exactly 0)",
      message(la.solve_triangular, pg.zeros(2, 2), pg.ones(2)))
    assert.equal("bad argument #3 to 'linalg.solve_triangular' (unknown option 'lowr'; did you mean 'lower'?)",
      message(la.solve_triangular, S, pg.ones(2), {lowr = true}))
    assert.equal("bad argument #1 to 'linalg.cond' (A: an empty matrix has no condition, got shape (0, 0))",
      message(la.cond, pg.zeros(0, 0)))
    assert.equal("bad argument #1 to 'linalg.eigh' (A: expected array, got \"x\")", message(la.eigh, "x"))
  end)

  it("warns of a condition over 1e12 and only then", function()
    local text = warnings("pg.linalg.solve({{1, 1}, {1, 1 + 1e-14}}, {1, 2})")
    assert.matches("^Lua warning: solve: A is nearly singular, condition about 4%.%de%+14\n$", text)
    assert.matches("^Lua warning: inv: A is nearly singular, condition about 4%.%de%+14\n$",
      warnings("pg.linalg.inv({{1, 1}, {1, 1 + 1e-14}})"))
    assert.equal("", warnings("pg.linalg.solve({{1, 1}, {1, 1 + 1e-11}}, {1, 2})"))
  end)

  it("solves least squares and tells the rank", function()
    local A, b = rng:standard_normal(30, 4), rng:standard_normal(30)
    local x, rss, rank, s = la.lstsq(A, b)
    near_arrays(A.T:dot(b - A:dot(x)), pg.zeros(4), 1e-13)
    near(rss, (b - A:dot(x)):square():sum(), 1e-12)
    assert.equal(4, rank)
    near_arrays(s, select(2, la.svd(A)), 1e-13)
    local X, rsss = la.lstsq(A, pg.stack({b, b * 2}, 2))
    near_arrays(X:slice({}, 2), x * 2, 1e-14)
    near(rsss[2], 4 * rss, 1e-11)
    assert.equal("f32", la.lstsq(A:astype("f32"), b:astype("f32")).dtype)
    assert.equal("bad argument #2 to 'linalg.lstsq' (B: shape (29,) does not fit A's (30, 4): expected 30 rows)",
      message(la.lstsq, A, b:slice{1, 29}))
  end)
end)

describe("bad input", function()
  local bad = {math.huge, -math.huge, 0 / 0}
  local calls = {
    {"svd", la.svd}, {"eigh", la.eigh}, {"qr", la.qr}, {"cholesky", la.cholesky}, {"inv", la.inv}, {"det", la.det},
    {"slogdet", la.slogdet}, {"pinv", la.pinv}, {"rank", la.rank}, {"cond", la.cond},
    {"solve", function(A) return la.solve(A, pg.ones(6)) end},
    {"lstsq", function(A) return la.lstsq(A, pg.ones(6)) end},
    {"solve_triangular", function(A) return la.solve_triangular(A, pg.ones(6)) end},
    {"norm", function(A) return la.norm(A, 2) end},
    {"cond 1", function(A) return la.cond(A, 1) end},
  }
  it("N1, N2, N4: one Inf or NaN is named at once, by every function", function()
    for _, call in ipairs(calls) do
      for k, x in ipairs(bad) do
        for _, dtype in ipairs{"f64", "f32"} do
          local A = positive(6)
          A:set(1, 2, x)
          A:set(2, 1, x)
          local start = pg.clock()
          assert.matches("^bad argument #1 to '[%w_.]+' %(element %(1, 2%) of A is not finite%)$",
            message(call[2], A:astype(dtype)), call[1] .. k)
          assert.is_true(pg.clock() - start < 0.1)
        end
      end
    end
    assert.equal("bad argument #2 to 'linalg.solve' (element 2 of B is not finite)",
      message(la.solve, pg.eye(2), pg.array{1, 0 / 0}))
    assert.equal("bad argument #2 to 'linalg.lstsq' (element (1, 2) of B is not finite)",
      message(la.lstsq, pg.eye(2), pg.array{{1, 0 / 0}, {1, 1}}))
    assert.equal("bad argument #1 to 'linalg.svd' (element (2, 1) of A[3] is not finite)",
      message(la.svd, pg.stack({pg.eye(2), pg.eye(2), pg.array{{1, 0}, {1 / 0, 1}}}, 1)))
  end)

  it("N3: nothing is written to the terminal", function()
    assert.equal("", warnings("pcall(pg.linalg.eigh, {{1, 1/0}, {1/0, 1}}) pcall(pg.linalg.svd, {{0/0, 1}, {1, 1}})"))
  end)

  it("N5: finite but huge elements give a result", function()
    local A = positive(5)
    local start = pg.clock()
    for _, scale in ipairs{1e308 / A:abs():max(), 1e-300} do
      local H = A * scale
      near_arrays(select(2, la.svd(H)) / scale, select(2, la.svd(A)), 1e-12)
      near_arrays(la.eigh(H) / scale, la.eigh(A), 1e-12)
      near_arrays(la.solve(H, pg.ones(5)) * scale, la.solve(A, pg.ones(5)), scale > 1 and 1e-8 or 1e-11)
      near_arrays(la.lstsq(H, pg.ones(5)) * scale, la.lstsq(A, pg.ones(5)), scale > 1 and 1e-8 or 1e-11)
      near_arrays(la.cholesky(H):square() / scale, la.cholesky(A):square(), 1e-11)
      near_arrays(la.qr(H):abs(), la.qr(A):abs(), 1e-12)
      near(la.norm(H) / scale, la.norm(A), 1e-12)
    end
    assert.is_true(pg.clock() - start < 2)
  end)

  it("N6: a lost rank is told", function()
    local A = rng:standard_normal(20, 3)
    local D = pg.concat({A, A:slice({}, {2})}, 2)
    local b = rng:standard_normal(20)
    local x, _, rank, s = la.lstsq(D, b)
    assert.equal(3, rank)
    assert.is_true(s[4] < 1e-14 * s[1])
    local y = la.lstsq(A, b)
    near_arrays(x, pg.array{y[1], y[2] / 2, y[3], y[2] / 2}, 1e-14)
  end)

  it("N6: what f32 rounded is no rank", function()
    for _, shape in ipairs{{3, 6}, {8, 4}, {200, 8}} do
      local L, R = rng:standard_normal(shape[1], 2), rng:standard_normal(2, shape[2])
      local A = L:dot(R):astype("f32")
      local x, _, rank = la.lstsq(A, pg.ones(shape[1]):astype("f32"))
      assert.equal(2, rank)
      assert.equal(2, la.rank(A))
      assert.is_true(x:norm() < 10)
      assert.equal(math.min(shape[1], shape[2]), (select(3, la.lstsq(A, pg.ones(shape[1])))))
    end
  end)

  it("N7: empty, one by one and wide matrices are defined", function()
    assert.equal("(0,)", tostring(la.solve(pg.zeros(0, 0), pg.zeros(0)).shape))
    assert.equal("(2, 0)", tostring(la.solve(pg.eye(2), pg.zeros(2, 0)).shape))
    assert.equal("(0, 0)", tostring(la.inv(pg.zeros(0, 0)).shape))
    assert.equal(1.0, la.det(pg.zeros(0, 0)))
    local U, s, Vt = la.svd(pg.zeros(3, 0))
    assert.equal("(3, 0) (0,) (0, 0)", tostring(U.shape) .. " " .. tostring(s.shape) .. " " .. tostring(Vt.shape))
    local Q, R = la.qr(pg.zeros(0, 3))
    assert.equal("(0, 0) (0, 3)", tostring(Q.shape) .. " " .. tostring(R.shape))
    assert.equal("(3, 0)", tostring(la.pinv(pg.zeros(0, 3)).shape))
    assert.equal(0, la.rank(pg.zeros(0, 3)))
    local A = pg.array{{1, 2}, {3, 4}, {5, 7}}
    for _, M in ipairs{A, A.T} do -- without a right side A still has its rank and singular values
      local none, _, full, values = la.lstsq(M, pg.zeros(#M, 0))
      assert.equal(tostring(pg.zeros(M.shape[2], 0).shape), tostring(none.shape))
      assert.equal(2, full)
      near_arrays(values, select(2, la.svd(M)), 1e-14)
    end
    local x, rss, rank = la.lstsq(pg.zeros(0, 3), pg.zeros(0))
    assert.equal("(3,)", tostring(x.shape))
    assert.equal(0.0, rss)
    assert.equal(0, rank)
    assert.equal(-2.5, la.det(pg.array{{-2.5}}))
    near_arrays(la.inv(pg.array{{-2.5}}), pg.array{{-0.4}}, 1e-16)
    near_arrays(la.lstsq(pg.array{{3, 4}}, pg.array{25}), pg.array{3, 4}, 1e-14)
  end)

  it("N8: extents over the library's int are refused", function()
    local wide = pg.zeros(0, 2 ^ 31)
    assert.equal("bad argument #1 to 'linalg.svd' (an extent of A is over 2147483647)", message(la.svd, wide))
    assert.equal("bad argument #1 to 'linalg.qr' (an extent of A is over 2147483647)", message(la.qr, wide))
    assert.equal("bad argument #1 to 'linalg.lstsq' (an extent of A is over 2147483647)",
      message(la.lstsq, wide, pg.zeros(0)))
  end)

  it("N11: OpenBLAS is told, and new enough", function()
    local major, minor, patch = pg.info().blas:match("OpenBLAS (%d+)%.(%d+)%.(%d+)")
    assert.is_true(tonumber(major) * 1e6 + tonumber(minor) * 1e3 + tonumber(patch) >= 3018)
  end)
end)
