-- SPDX-License-Identifier: MIT
-- A small GPT on the characters of a text (Radford et al. 2019, of the size that a CPU trains).
--
--   vendor/datasets.sh text; perigee examples/gpt.lua [--quick] [--steps 1000] [--text FILE]
local pg = require "perigee"
local nn = pg.nn
local ex = pg.experiment{name = "gpt", quick = {steps = 150, T = 32, layers = 1, d = 32, lr = 3e-3},
  options = {steps = 1000, batch = 16, T = 64, layers = 4, heads = 4, d = 128, lr = 1e-3,
    text = pg.option{type = "file", help = "default: genesis.txt of vendor/datasets.sh, else counting in words"}}}
local o, rng = ex.options, ex.rng

-- The text of a file; without one, and in a quick run, the numbers from 1 to 3000 by their digits' names.
local function text()
  local path = o.text and ex:data(o.text) or not ex.quick and ex:data("genesis.txt", {optional = true})
  if path then
    local file <close> = assert(io.open(path))
    return file:read("a")
  end
  local digits, lines = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}, {}
  for n = 1, 3000 do
    lines[n] = tostring(n):gsub("%d", function(c) return digits[c + 1] .. " " end)
  end
  return table.concat(lines, "\n")
end

-- Characters as classes 1 to V, in the order in which they come.
local chars, index, ids = {}, {}, {}
for ch in text():gmatch(".") do
  if not index[ch] then
    chars[#chars + 1] = ch
    index[ch] = #chars
  end
  ids[#ids + 1] = index[ch]
end
local V, T, d, heads = #chars, o.T, o.d, o.heads
local all, cut = pg.array(ids), #ids * 9 // 10
local train, valid = all:slice{1, cut}, all:slice{cut + 1, -1}

local function block()
  return nn.module({n1 = nn.layer_norm(d), look = nn.attention(d, heads, {causal = true}), n2 = nn.layer_norm(d),
    up = nn.linear(d, 4 * d), down = nn.linear(4 * d, d)}, function(m, x)
    x = x + m.look(m.n1(x))
    return x + m.down(nn.gelu(m.up(m.n2(x))))
  end)
end
local blocks = {}
for k = 1, o.layers do blocks[k] = block() end
local small = nn.init.normal(0, 0.02)
local net = nn.model(nn.module({token = nn.embedding(V, d, {init = small}), place = nn.embedding(T, d, {init = small}),
  blocks = nn.sequential(blocks), norm = nn.layer_norm(d), head = nn.linear(d, V, {bias = false})}, function(m, x)
  return m.head(m.norm(m.blocks(m.token(x) + m.place(pg.range(1, x.shape[2]))))) -- n x t x V
end), rng)
print(net)

-- Stretches of T characters, and the character after each of them.
local function batch(of, n)
  local rows = of:take(rng:integers(1, #of - T, n):expand_dims(2) + pg.range(0, T))
  return rows:slice({}, {1, T}), rows:slice({}, {2, T + 1})
end
local function loss(m, x, y) return nn.cross_entropy(m(x), y) end

local step = pg.value_and_grad(loss)
local opt = pg.optim.adamw{lr = pg.optim.cosine(o.lr, o.steps, {warmup = o.steps // 10}), weight_decay = 0.1}
local at, trained, tested = {}, {}, {}
for i, bar in pg.progress(o.steps, "gpt") do
  local value, grads = step(net, batch(train, o.batch))
  pg.optim.clip_norm(grads, 1)
  opt:step(net.params, grads)
  bar.loss = value
  if i % (o.steps // 10) == 0 then
    at[#at + 1], trained[#trained + 1], tested[#tested + 1] = i, value, loss(net, batch(valid, 64))
    ex:metric("loss on new text, nats a character", tested[#tested], i)
  end
end
ex:figure("loss", pg.plot.figure{title = "nats a character", xlabel = "step"}:line(at, trained, {label = "training"})
  :line(at, tested, {label = "new text"}):legend(), "Loss of one batch, and of 64 stretches of text that was held back")

local line = {index["\n"] or 1}
for k = 1, ex.quick and 60 or 400 do
  local seen = pg.array({{table.unpack(line, math.max(1, k - T + 1))}})
  line[k + 1] = rng:choice(V, 1, {p = pg.softmax(net(seen):slice(1, -1))})(1) // 1 | 0
end
for k, class in ipairs(line) do line[k] = chars[class] end
ex:note("```\n" .. table.concat(line) .. "\n```")
net:save(ex.dir .. "/gpt.npz")
