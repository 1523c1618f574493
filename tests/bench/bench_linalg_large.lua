-- SPDX-License-Identifier: MIT
-- 1e7 elements; eigh and svd take seconds, so each round does each once.
local pg = require "perigee"

local n = tonumber(os.getenv("EDGE")) or (os.getenv("QUICK") and 200 or 3162)
local rng = pg.random.new(n)
local A = rng:standard_normal(n, n)
local B, S = rng:standard_normal(n, n), A + A.T
local function case(name, f, ...)
  local start = pg.clock()
  f(...)
  print(string.format("%s %dx%d\t%.9g", name, n, n, pg.clock() - start))
end
pg.dot(A:slice({1, 100}, {}), B)
case("matmul f64", pg.dot, A, B)
case("matmul f32", pg.dot, A:astype("f32"), B:astype("f32"))
case("solve f64", pg.linalg.solve, A, B[1])
case("eigh f64", pg.linalg.eigh, S)
case("svd f64", pg.linalg.svd, A)
