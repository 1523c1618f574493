-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

-- Square matrices of about 10, 1e3, 1e5 elements. 1e7 elements: bench_linalg_large.
for _, n in ipairs{3, 32, 316} do
  for _, dtype in ipairs{"f64", "f32"} do
    local rng = pg.random.new(n)
    local A = rng:standard_normal(n, n)
    local env = {pg = pg, A = A:astype(dtype), S = (A + A.T):astype(dtype), v = A[1]:astype(dtype),
      P = (A:dot(A.T) + pg.eye(n)):astype(dtype), B = rng:standard_normal(n, n):astype(dtype)}
    local function case(name, code) bench.case(string.format("%s %s %dx%d", name, dtype, n, n), code, env) end
    case("matmul", "local _ = A:dot(B)")
    case("matmul transposed", "local _ = A.T:dot(B)")
    case("matrix vector", "local _ = A:dot(v)")
    case("solve", "local _ = pg.linalg.solve(A, v)")
    case("solve many", "local _ = pg.linalg.solve(A, B)")
    case("inv", "local _ = pg.linalg.inv(A)")
    case("det", "local _ = pg.linalg.det(A)")
    case("cholesky", "local _ = pg.linalg.cholesky(P)")
    case("qr", "local _ = pg.linalg.qr(A)")
    case("eigh", "local _ = pg.linalg.eigh(S)")
    case("svd", "local _ = pg.linalg.svd(A)")
  end
end
local rng = pg.random.new(1)
local env = {pg = pg, x = rng:standard_normal(1000), A = rng:standard_normal(100, 8, 8)}
bench.case("dot 1000", "local _ = x:dot(x)", env)
bench.case("matmul 100 of 8x8", "local _ = A:matmul(A)", env)
bench.case("inv 100 of 8x8", "local _ = pg.linalg.inv(A)", env)
