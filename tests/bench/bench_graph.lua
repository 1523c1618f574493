-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local quick = os.getenv("QUICK")
local n, m = quick and 500 or 8000, 16
local rng = pg.random.legacy(1)
local X = rng:uniform(-1, 1, n, m)
local big = {X = X, E = pg.graph.new{a = 0.5, b = -2}:sample(1, rng, {X = X})[1].E}
local env = {pg = pg, big = big, data = pg.graph.data(big)}
bench.case(string.format("loglik, gradient n=%d m=%d", n, m), "pg.graph.loglik(data, 0.4, -1.9)", env)
bench.case(string.format("the same against exp of %d numbers", n * (n - 1) // 2),
  "pg.graph.loglik(data, 0.4, -1.9)", env)
bench.case(string.format("the same, E checked too n=%d m=%d", n, m), "pg.graph.loglik(big, 0.4, -1.9)", env)

env.small = pg.graph.new{a = 3, b = -3.5}:sample(100, pg.random.legacy(2))
env.options = {method = "gradient", update = "graph", lr = 0.01, epochs = 20, start = {0.5, 0.5}}
bench.case("20 epochs, 100 graphs of 15 nodes", "pg.graph.fit(small, options)", env)
bench.case("Newton, 100 graphs of 15 nodes", "pg.graph.fit(small)", env)
env.E = pg.graph.new{a = 1, b = -6}:sample(1, pg.random.legacy(3), {n = 1000})[1].E
bench.case("layout of 1000 nodes", "pg.graph.layout(E)", env)
