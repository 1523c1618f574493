-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local function values(n, dtype)
  local a = pg.range(1, n)
  return pg.add(pg.sin(a * 12.9898) * 2, 0.1):astype(dtype)
end

for _, n in ipairs{10, 1000, 100000, 10000000} do
  for _, dtype in ipairs(n == 10000000 and {"f64"} or {"f64", "f32"}) do
    local a = values(n, dtype)
    local env = {pg = pg, a = a, b = a * 0.5 + 1, p = a:abs() + 0.001, t = pg.zeros_like(a)}
    local function case(name, code) bench.case(string.format("%s %s %d", name, dtype, n), code, env) end
    case("add", "local _ = a + b")
    case("multiply", "local _ = a * b")
    case("add number", "local _ = a + 2.5")
    case("add out", "pg.add(a, b, t)")
    case("exp", "local _ = pg.exp(a)")
    case("log", "local _ = pg.log(p)")
    case("tanh", "local _ = pg.tanh(a)")
    case("sqrt", "local _ = pg.sqrt(p)")
    case("sin", "local _ = pg.sin(a)")
    case("where", "local _ = pg.where(a, a, b)")
    case("sum", "local _ = a:sum()")
    case("mean", "local _ = a:mean()")
    case("max", "local _ = a:max()")
    case("argmax", "local _ = a:argmax()")
    case("std", "local _ = a:std()")
    case("cumsum", "local _ = a:cumsum()")
    local rows = n == 10 and 2 or n == 1000 and 25 or n == 100000 and 250 or 2500
    env.m = a:reshape(rows, n // rows)
    env.v = env.m[1]:copy()
    case("sum axis 1", "local _ = m:sum(1)")
    case("sum axis 2", "local _ = m:sum(2)")
    case("mean axis 1", "local _ = m:mean(1)")
    case("mean axis 2", "local _ = m:mean(2)")
    case("add row", "local _ = m + v")
  end
end
