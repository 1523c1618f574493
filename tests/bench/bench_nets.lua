-- SPDX-License-Identifier: MIT
-- Whole steps of nets, and forward passes that sample from them.
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")
local nn, rng = pg.nn, pg.random.new(0)

local function uniform(...) return rng:random({...}, "f32") end

-- One step of Adam on a loss.
local function train(name, net, loss, opt)
  local step = pg.value_and_grad(loss)
  bench.case(name, "local _, g = step(net) opt:step(net.params, g)", {step = step, net = net,
    opt = opt or pg.optim.adam {lr = 1e-3}})
end

if bench.wants("MLP") then
  local net = nn.model(nn.sequential{nn.linear(784, 512), nn.relu, nn.linear(512, 512), nn.relu,
    nn.linear(512, 10)}, rng)
  local X, y = uniform(64, 784), rng:integers(1, 10, 64)
  train("MLP 784-512-512-10, batch 64", net, function(m) return nn.cross_entropy(m(X), y) end)
end

if bench.wants("VAE 784") then
  local net = nn.model({encoder = nn.sequential{nn.linear(784, 400), nn.relu}, mu = nn.linear(400, 20),
    logvar = nn.linear(400, 20), decoder = nn.sequential{nn.linear(20, 400), nn.relu, nn.linear(400, 784)}}, rng)
  local X = uniform(128, 784)
  train("VAE 784-400-20, batch 128", net, function(m)
    local h = m.encoder(X)
    local mu, logvar = m.mu(h), m.logvar(h)
    local z = mu + pg.exp(logvar / 2) * rng:standard_normal(mu.shape, "f32")
    return nn.bce_with_logits(m.decoder(z), X, {reduction = "sum"}) + nn.kl_normal(mu, logvar):sum()
  end)
end

if bench.wants("GPT") then
  local T, d, heads, V = 64, 128, 4, 65
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
  local net = nn.model(nn.module({token = nn.embedding(V, d), place = nn.embedding(T, d),
    blocks = nn.sequential{block(), block(), block(), block()}, norm = nn.layer_norm(d),
    head = nn.linear(d, V, {bias = false})}, function(m, x)
    return m.head(m.norm(m.blocks(m.token(x) + m.place(pg.range(1, T)))))
  end), rng)
  local ids = rng:integers(1, V, 16, T + 1)
  local x, y = ids:slice({}, {1, T}), ids:slice({}, {2, T + 1})
  train("GPT, 4 layers of 128, T 64, batch 16", net, function(m) return nn.cross_entropy(m(x), y) end)
end

local function leaky(x) return pg.leaky_relu(x, 0.2) end

if bench.wants("DCGAN") then
  local G = nn.model(nn.sequential{nn.linear(64, 6272), nn.batch_norm(6272), nn.relu, nn.reshape(128, 7, 7),
    nn.conv_transpose2d(128, 64, 4, {stride = 2, padding = 1}), nn.batch_norm(64), nn.relu,
    nn.conv_transpose2d(64, 1, 4, {stride = 2, padding = 1}), pg.tanh}, rng)
  local D = nn.model(nn.sequential{nn.conv2d(1, 64, 4, {stride = 2, padding = 1}), leaky,
    nn.conv2d(64, 128, 4, {stride = 2, padding = 1}), nn.batch_norm(128), leaky, nn.flatten(), nn.linear(6272, 1)}, rng)
  local X, one, zero = uniform(64, 1, 28, 28), pg.ones(64, 1, "f32"), pg.zeros(64, 1, "f32")
  local ctx = {train = true}
  local step_d = pg.value_and_grad(function(m, fake)
    return nn.bce_with_logits(m(X, ctx), one) + nn.bce_with_logits(m(fake, ctx), zero)
  end)
  local step_g = pg.value_and_grad(function(m, z) return nn.bce_with_logits(D(m(z, ctx), ctx), one) end)
  bench.case("DCGAN 28x28, batch 64, both steps", [[
    local z = rng:standard_normal(64, 64, "f32")
    local _, gd = step_d(D, G(z, {train = true}))
    od:step(D.params, gd)
    local _, gg = step_g(G, z)
    og:step(G.params, gg)]], {rng = rng, step_d = step_d, step_g = step_g, D = D, G = G,
    od = pg.optim.adam {lr = 2e-4}, og = pg.optim.adam {lr = 2e-4}})
end

if bench.wants("face VAE") then
  local function down(i, o, k, p) return nn.conv2d(i, o, k, {stride = 2, padding = p}) end
  local function up(i, o) return nn.conv_transpose2d(i, o, 3, {stride = 2, padding = 1, output_padding = 1}) end
  local net = nn.model({encoder = nn.sequential{down(1, 32, 5, 2), nn.relu, nn.batch_norm(32), down(32, 64, 3, 1),
    nn.relu, nn.batch_norm(64), down(64, 128, 3, 1), nn.relu, nn.batch_norm(128), nn.flatten()},
    mu = nn.linear(1152, 32),
    logvar = nn.linear(1152, 32), decoder = nn.sequential{nn.linear(32, 1152), nn.reshape(128, 3, 3), up(128, 64),
      nn.relu, up(64, 32), nn.relu, up(32, 1)}}, rng)
  local X, ctx = uniform(32, 1, 24, 24), {train = true}
  train("face VAE 24x24, batch 32", net, function(m)
    local h = m.encoder(X, ctx)
    local mu, logvar = m.mu(h), m.logvar(h)
    local z = mu + pg.exp(logvar / 2) * rng:standard_normal(mu.shape, "f32")
    return nn.bce_with_logits(m.decoder(z), X, {reduction = "sum"}) + nn.kl_normal(mu, logvar):sum() * 0.95
  end)
end

local function features(t, d)
  local f = pg.exp(pg.range(0, d / 2 - 1) * (-math.log(1e4) / (d / 2))):astype("f32")
  local a = t:expand_dims(2) * f
  return pg.concat({pg.sin(a), pg.cos(a)}, 2)
end

-- A step of noise prediction on images of one size.
local function diffuse(name, net, batch, size)
  local beta = pg.linspace(1e-4, 0.02, 1000)
  local left = pg.exp(pg.log1p(-beta):cumsum()):astype("f32")
  local X = uniform(batch, 1, size, size) * 2 - 1
  train(name, net, function(m)
    local t = rng:integers(1, 1000, batch)
    local noise, a = rng:standard_normal(X.shape, "f32"), left:take(t):reshape(batch, 1, 1, 1)
    return nn.mse(m(pg.sqrt(a) * X + pg.sqrt(1 - a) * noise, t:astype("f32")), noise)
  end)
end

if bench.wants("U-Net 28x28") then
  local c = 32
  local function block(i, o)
    return nn.module({n1 = nn.group_norm(8, i), c1 = nn.conv2d(i, o, 3, {padding = 1}), t = nn.linear(64, o),
      n2 = nn.group_norm(8, o), c2 = nn.conv2d(o, o, 3, {padding = 1}), skip = i ~= o and nn.conv2d(i, o, 1) or nil},
    function(m, x, e)
      local h = m.c1(nn.silu(m.n1(x))) + m.t(nn.silu(e)):reshape(#x, o, 1, 1)
      return (i ~= o and m.skip(x) or x) + m.c2(nn.silu(m.n2(h)))
    end)
  end
  local net = nn.model(nn.module({time = nn.sequential{nn.linear(64, 64), nn.silu, nn.linear(64, 64)},
    first = nn.conv2d(1, c, 3, {padding = 1}), last = nn.conv2d(c, 1, 3, {padding = 1}), norm = nn.group_norm(8, c),
    d1 = block(c, c), d2 = block(c, 2 * c), d3 = block(2 * c, 4 * c), u2 = block(6 * c, 2 * c), u1 = block(3 * c, c)},
  function(m, x, t)
    local e = m.time(features(t, 64))
    local a = m.d1(m.first(x), e)
    local b = m.d2(pg.avg_pool2d(a, 2), e)
    local u = m.d3(pg.avg_pool2d(b, 2), e)
    u = m.u2(pg.concat({pg.upsample2d(u, 2), b}, 2), e)
    u = m.u1(pg.concat({pg.upsample2d(u, 2), a}, 2), e)
    return m.last(nn.silu(m.norm(u)))
  end), rng)
  diffuse("U-Net 28x28, batch 64", net, 64, 28)
  bench.case("U-Net 28x28, one forward of 16", "net(x, t)", {net = net, x = rng:standard_normal({16, 1, 28, 28}, "f32"),
    t = pg.full({16}, 500, "f32")})
end

if bench.wants("U-Net 48x48") then
  local E = 64
  local function double(i, o)
    return nn.sequential{nn.conv2d(i, o, 3, {padding = 1}), nn.relu, nn.conv2d(o, o, 3, {padding = 1}), nn.relu}
  end
  local function larger(x) return pg.upsample2d(x, 2, {mode = "bilinear", align_corners = true}) end
  local net = nn.model(nn.module({a = double(1 + E, 64), b = double(64, 128), c = double(128, 256),
    d = double(256, 512), u3 = double(832, 256), u2 = double(384, 128), u1 = double(192, 64),
    o = nn.conv2d(64, 1, 1)}, function(m, x, t)
    local n, _, h, w = x:dims()
    local e = features(t, E):reshape(n, E, 1, 1)
    local function with_time(v, rows, cols) return pg.concat({v, e + pg.zeros({n, E, rows, cols}, "f32")}, 2) end
    local a = m.a(with_time(x, h, w))
    local b = m.b(pg.max_pool2d(a, 2))
    local c = m.c(pg.max_pool2d(b, 2))
    local d = with_time(m.d(pg.max_pool2d(c, 2)), h // 8, w // 8)
    local u = m.u3(pg.concat({larger(d), c}, 2))
    u = m.u2(pg.concat({larger(u), b}, 2))
    return m.o(m.u1(pg.concat({larger(u), a}, 2)))
  end), rng)
  diffuse("U-Net 48x48 of the course, batch 4", net, 4, 48)
  bench.case("U-Net 48x48 of the course, one forward", "net(x, t)", {net = net,
    x = rng:standard_normal({1, 1, 48, 48}, "f32"), t = pg.full({1}, 500, "f32")})
end
