-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local env = {rng = pg.random.new(0), old = pg.random.legacy(0), seed = pg.random.new}
for _, n in ipairs{1000, 1000000} do
  env.size = n
  local function case(name, code) bench.case(name .. " " .. n, code, env) end
  case("random", "local _ = rng:random(size)")
  case("standard_normal", "local _ = rng:standard_normal(size)")
  case("integers", "local _ = rng:integers(0, 99, size)")
  case("permutation", "local _ = rng:permutation(size)")
  case("legacy rand", "local _ = old:rand(size)")
  case("legacy randn", "local _ = old:randn(size)")
  case("legacy randint", "local _ = old:randint(0, 100, size)")
end
bench.case("random, one number", "local _ = rng:random()", env)
bench.case("integers, one number", "local _ = rng:integers(0, 99)", env)
bench.case("choice 100 of 10000", "local _ = rng:choice(10000, 100)", env)
bench.case("new generator", "local _ = seed(12345)", env)
