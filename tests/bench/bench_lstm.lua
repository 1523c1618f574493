-- SPDX-License-Identifier: MIT
-- One training step: forward, mean BCE-with-logits, gradient, Adam. The last lines set the largest net's arithmetic
-- beside that of a square product of single precision.
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local function step(name, batch, steps, input, hidden)
  local rng = pg.random.new(0)
  local net = pg.lstm.new{input_size = input, hidden_size = hidden, num_layers = 2, output_size = 1, rng = rng}
  local x = rng:bernoulli(0.5, batch, steps, input):astype("f32")
  local y = rng:bernoulli(0.5, batch, steps, 1):astype("f32")
  local env = {net = net, x = x, y = y, opt = pg.optim.adam{lr = 1e-3}}
  bench.case(name, "net:loss_grad(x, y); opt:step(net.params, net.grads)", env)
  return env
end

step("batch 1, T 25, 2 x 32", 1, 25, 1, 32)
step("batch 26, T 25, 2 x 32", 26, 25, 1, 32)
step("batch 64, T 25, 2 x 32", 64, 25, 1, 32)
step("batch 64, T 100, 64 -> 2 x 128", 64, 100, 64, 128)
local env = step("batch 64, T 100, 128 -> 2 x 512", 64, 100, 128, 512)

-- The products of one step: each weight takes part in three, of two operations a step and sequence.
local work = 3 * 2 * 64 * 100 * 4 * 512 * (128 + 512 + 512 + 512)
local a = pg.random.new(1):standard_normal(2048, 2048):astype("f32")
local b = pg.random.new(2):standard_normal(2048, 2048):astype("f32")
local _ = a:dot(b)
for _ = 1, 3 do
  local start = pg.clock()
  env.net:loss_grad(env.x, env.y)
  local rate = work / (pg.clock() - start)
  start = pg.clock()
  _ = a:dot(b)
  local product = 2 * 2048 ^ 3 / (pg.clock() - start)
  print(string.format("2 x 512 beside sgemm\t%.4g\t%%", 100 * rate / product))
end
