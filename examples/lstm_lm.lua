-- SPDX-License-Identifier: MIT
-- A language model of characters with a long short-term memory (Hochreiter & Schmidhuber 1997), twice: by pg.lstm,
-- which takes a whole sequence at a time, and by nn.lstm_cell in a Lua loop. Both begin alike and see the same batches.
--
--   vendor/datasets.sh text; perigee examples/lstm_lm.lua [--quick] [--steps 1000] [--text FILE]
local pg = require "perigee"
local nn = pg.nn
local ex = pg.experiment{name = "lstm_lm", quick = {steps = 150, compare = 5, T = 20, hidden = 32, lr = 1e-2},
  options = {steps = 1000, compare = 20, batch = 32, T = 50, hidden = 128, lr = 5e-3,
    text = pg.option{type = "file", help = "the text; default genesis.txt of vendor/datasets.sh, else a round"}}}
local o, rng = ex.options, ex.rng

-- The text of a file; without one, and in a quick run, a round that goes on and on.
local path = o.text and ex:data(o.text) or not ex.quick and ex:data("genesis.txt", {optional = true})
local text = ("ten green bottles hanging on the wall, and if one should fall there are nine green bottles\n"):rep(40)
if path then
  local file <close> = assert(io.open(path))
  text = file:read("a")
end

-- Characters as classes 1 to V, in the order in which they come.
local chars, index, ids = {}, {}, {}
for ch in text:gmatch(".") do
  if not index[ch] then
    chars[#chars + 1] = ch
    index[ch] = #chars
  end
  ids[#ids + 1] = index[ch]
end
local V, T, H = #chars, o.T, o.hidden
local all, cut = pg.array(ids), #ids * 9 // 10
local train, valid = all:slice{1, cut}, all:slice{cut + 1, -1}

-- Stretches of T characters, each as a row of zeros with a one, and the character after each of them.
local function batch(of, n)
  local rows = of:take(rng:integers(1, #of - T, n):expand_dims(2) + pg.range(0, T))
  return pg.one_hot(rows:slice({}, {1, T}), V, "f32"), rows:slice({}, {2, T + 1})
end

local fused = pg.lstm.new{input_size = V, hidden_size = H, output_size = V, rng = rng}
local cells = nn.model(nn.module({cell = nn.lstm_cell(V, H), fc = nn.linear(H, V)}, function(m, x)
  local out, state, memory = {}, nil, nil
  for t = 1, x.shape[2] do
    state, memory = m.cell(x:slice({}, t), state, memory)
    out[t] = m.fc(state)
  end
  return pg.stack(out, 2) -- n x T x V
end), rng)
for name, w in pairs(cells:named()) do w:assign(fused:named()[name:gsub("^cell%.(.*)", "%1_l0")]) end

-- One trainer each: the loss of a batch, after which a step is made.
local function trainer(net, run)
  local step = pg.value_and_grad(function(m, x, y) return nn.cross_entropy(run(m, x), y) end)
  local opt = pg.optim.adam{lr = o.lr}
  return function(x, y)
    local loss, grads = step(net, x, y)
    pg.optim.clip_norm(grads, 1)
    opt:step(net.params, grads)
    return loss
  end
end
local function whole(m, x) return (m:forward(x)) end
local by_whole, by_cells = trainer(fused, whole), trainer(cells, function(m, x) return m(x) end)

local at, trained, tested, apart, seconds = {}, {}, {}, 0, {0, 0}
for i, bar in pg.progress(o.steps, "lstm") do
  local x, y = batch(train, o.batch)
  local start = pg.clock()
  local loss = by_whole(x, y)
  if i <= o.compare then
    local middle = pg.clock()
    apart = math.max(apart, math.abs(by_cells(x, y) - loss))
    seconds = {seconds[1] + middle - start, seconds[2] + pg.clock() - middle}
  end
  bar.loss = loss
  if i % (o.steps // 10) == 0 then
    local xv, yv = batch(valid, 64)
    at[#at + 1], trained[#trained + 1], tested[#tested + 1] = i, loss, nn.cross_entropy(whole(fused, xv), yv)
    ex:metric("loss on new text, nats a character", tested[#tested], i)
  end
end
ex:metric("largest difference of the two losses", apart)
print(("%d steps: %.3f s by pg.lstm, %.3f s by cells"):format(math.min(o.compare, o.steps), seconds[1], seconds[2]))
ex:figure("loss", pg.plot.figure{title = "nats a character", xlabel = "step"}:line(at, trained, {label = "training"})
  :line(at, tested, {label = "new text"}):legend(), "Loss of one batch, and of 64 stretches of text that was held back")

local class, state, line = index["\n"] or 1, nil, {}
for k = 1, ex.quick and 120 or 400 do
  local logits
  logits, state = fused:forward(pg.one_hot({{class}}, V, "f32"), state)
  class = rng:choice(V, 1, {p = pg.softmax(logits:reshape(V))})(1) // 1 | 0
  line[k] = chars[class]
end
ex:note("```\n" .. table.concat(line) .. "\n```")
