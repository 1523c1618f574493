-- SPDX-License-Identifier: MIT
-- same_gpt.lua TEXT FOLDER [STEPS]: trains a GPT on a text and leaves in FOLDER what same_gpt.py starts from, the
-- parameters and the batches. Both print the loss of the last 50 steps and that of stretches kept aside.
local pg = require "perigee"
local nn = pg.nn
local path, folder, steps = arg[1], arg[2], tonumber(arg[3] or 500)
local T, d, heads, layers, batch = 64, 128, 4, 4, 16
local rng = pg.random.new(0)

local index, ids, V = {}, {}, 0
for ch in assert(io.open(path)):read("a"):gmatch(".") do
  if not index[ch] then
    V = V + 1
    index[ch] = V
  end
  ids[#ids + 1] = index[ch]
end
local all = pg.array(ids)
local cut = #ids * 9 // 10

local function block()
  return nn.module({n1 = nn.layer_norm(d), qkv = nn.linear(d, 3 * d), out = nn.linear(d, d), n2 = nn.layer_norm(d),
    up = nn.linear(d, 4 * d), down = nn.linear(4 * d, d)}, function(m, x)
    local n, t = x:dims()
    local qkv = m.qkv(m.n1(x)):reshape(n, t, 3, heads, d // heads):transpose(3, 1, 4, 2, 5)
    local y = pg.attention(qkv[1], qkv[2], qkv[3], {causal = true})
    x = x + m.out(y:transpose(1, 3, 2, 4):reshape(n, t, d))
    return x + m.down(nn.gelu(m.up(m.n2(x))))
  end)
end
local blocks = {}
for k = 1, layers do blocks[k] = block() end
local small = nn.init.normal(0, 0.02)
local net = nn.model(nn.module({token = nn.embedding(V, d, {init = small}), place = nn.embedding(T, d, {init = small}),
  blocks = nn.sequential(blocks), norm = nn.layer_norm(d), head = nn.linear(d, V, {bias = false})}, function(m, x)
  return m.head(m.norm(m.blocks(m.token(x) + m.place(pg.range(1, T)))))
end), rng)

local function draw(from, to, n)
  return all:take(rng:integers(from, to - T, n):expand_dims(2) + pg.range(0, T))
end
local aside = draw(cut + 1, #ids, 64)
local rows = draw(1, cut, steps * batch):reshape(steps, batch, T + 1)
net:save(folder .. "/start.npz")
pg.save(folder .. "/batches.npz", {train = rows, aside = aside, classes = pg.array(V)})

local function loss(m, r)
  return nn.cross_entropy(m(r:slice({}, {1, T})), r:slice({}, {2, T + 1}))
end
local step, opt = pg.value_and_grad(loss), pg.optim.adamw{lr = 1e-3, weight_decay = 0.01}
local last, start = {}, pg.clock()
for k = 1, steps do
  local value, g = step(net, rows[k])
  opt:step(net.params, g)
  last[#last + 1] = k > steps - 50 and value or nil
end
print(("perigee: %d steps in %.0f s, loss of the last 50 %.4f, kept aside %.4f"):format(steps, pg.clock() - start,
  pg.array(last):mean(), loss(net, aside)))
