-- SPDX-License-Identifier: MIT
-- Attention in ten lines: one head learns to answer with the value that stands beside the key asked for
-- (associative recall; Vaswani et al. 2017 for the formula). Parameters are a plain table of arrays.
--
--   perigee examples/attention_by_hand.lua [--quick] [--steps 400]
local pg = require "perigee"
local ex = pg.experiment{name = "attention_by_hand", quick = {steps = 150},
  options = {steps = 400, lr = 0.02, batch = 32}}
local o, rng = ex.options, ex.rng

local keys, d, T = 8, 16, 8 -- kinds of keys, width, pairs in a sequence

-- Sequences of T pairs (key, value) with all keys in some order, and a question: which value is beside this key?
local eye = pg.eye(keys)
local function draw(n)
  local K, V, Q, answer = {}, {}, {}, {}
  for i = 1, n do
    local order, values = rng:permutation(keys), rng:standard_normal(T)
    local asked = rng:integers(1, T)
    K[i], V[i], Q[i], answer[i] = eye:take(order), values, eye[order[asked] // 1 | 0], values[asked]
  end
  return pg.stack(K), pg.stack(V), pg.stack(Q), pg.array(answer)
end

-- softmax(q K^T / sqrt d) V for each sequence of the batch: n x T weights, n answers.
local function attend(p, K, V, Q)
  local k = K:dot(p.key) -- n x T x d
  local q = Q:dot(p.query):expand_dims(3) -- n x d x 1
  local weights = (k:dot(q):squeeze(3) / math.sqrt(d)):softmax(2)
  return (weights * V):sum(2), weights
end

local p = {key = rng:normal(0, 0.3, keys, d), query = rng:normal(0, 0.3, keys, d)}
local step = pg.value_and_grad(function(q, K, V, Q, answer)
  return pg.square(attend(q, K, V, Q) - answer):mean()
end)
local opts = {key = pg.optim.adam{lr = o.lr}, query = pg.optim.adam{lr = o.lr}}
local first
for i, bar in pg.progress(o.steps, "attention") do
  local loss, g = step(p, draw(o.batch))
  for _, name in ipairs{"key", "query"} do opts[name]:step(p[name], g[name]) end
  first, bar.loss = first or loss, loss
  ex:metric("loss", loss, i)
end

local K, V, Q, answer = draw(200)
local got, weights = attend(p, K, V, Q)
ex:metric("first loss", first)
ex:metric("error on new sequences", pg.square(got - answer):mean())
ex:metric("mean largest weight", weights:max(2):mean())
ex:figure("weights", pg.plot.figure{title = "who is looked at", xlabel = "place", ylabel = "sequence"}
  :heatmap(weights:slice({1, 8})), "the weights of eight sequences")
