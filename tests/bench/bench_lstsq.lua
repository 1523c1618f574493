-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local quick = os.getenv("QUICK")
for _, size in ipairs{{100, 5}, {2000, 50}, {quick and 20000 or 200000, 100}} do
  local m, n = size[1], size[2]
  local rng = pg.random.new(m)
  local X = rng:standard_normal(m, n)
  local env = {pg = pg, X = X, y = X:sum(2) + rng:standard_normal(m)}
  bench.case(string.format("lstsq %dx%d", m, n), "local _ = pg.linalg.lstsq(X, y)", env)
end
