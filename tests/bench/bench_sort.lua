-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

for _, n in ipairs{10, 1000, 100000, 10000000} do
  for _, dtype in ipairs(n == 10000000 and {"f64"} or {"f64", "f32"}) do
    local a = pg.random.new(0):standard_normal(n):astype(dtype)
    local env = {pg = pg, a = a, s = a:sort(), k = (a * 10):floor()}
    local function case(name, code) bench.case(string.format("%s %s %d", name, dtype, n), code, env) end
    case("argsort", "local _ = a:argsort()")
    if dtype == "f64" then case("sort", "local _ = a:sort()") end
    case("argsort ties", "local _ = k:argsort()")
    case("argsort sorted", "local _ = s:argsort()")
    if n <= 100000 then
      case("searchsorted", "local _ = s:searchsorted(a)")
      case("unique", "local _ = k:unique()")
      case("median", "local _ = a:median()")
      case("histogram", "local _ = a:histogram(50)")
    end
    local rows = n == 10 and 2 or n == 1000 and 25 or n == 100000 and 250 or 2500
    env.m = a:reshape(rows, n // rows)
    case("argsort rows", "local _ = m:argsort()")
    if dtype == "f64" then case("sort columns", "local _ = m:sort(1)") end
  end
end
