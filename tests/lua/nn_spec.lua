-- SPDX-License-Identifier: MIT
--
-- Nets against PyTorch's (tests/golden/torch_nn.py), and what a net is by itself.
local pg = require "perigee"
local nn = pg.nn
local golden = pg.load("tests/golden/torch_nn.json")

local function fill(shape, seed)
  local n = 1
  for _, e in ipairs(shape) do n = n * e end
  return (pg.range(0, n - 1) * 1.3 + seed):sin():reshape(table.unpack(shape))
end

local function near(want, got, what, tolerance)
  got = type(got) == "number" and pg.array{got} or got:reshape(-1)
  want = pg.array(type(want) == "number" and {want} or want)
  assert.equal(#want, #got, what)
  local scale = math.max(1, want:abs():max())
  local worst = (want - got):abs():max()
  assert.is_true(worst <= (tolerance or 1e-10) * scale, ("%s: off by %g"):format(what, worst))
end

-- The net of a definition in f64 with the golden file's parameters.
local function start(definition)
  local net = nn.model(definition, pg.random.new(0), {dtype = "f64"})
  local names, views = net:names(), net:named()
  table.sort(names)
  for k, name in ipairs(names) do views[name]:assign(fill(views[name].shape, 0.5 + k - 1) * 0.5) end
  return net
end

-- Outputs, gradients of parameters and inputs, and buffers of a case.
local function check(name, definition, inputs, ctx, call)
  local want = golden[name]
  local net = start(definition)
  local function run(m, ...)
    local y, more
    local given = {...}
    if call then
      y, more = call(m, ...)
    elseif ctx then
      y = m(given[1], ctx)
    else
      y, more = m(...)
    end
    if more then y = pg.concat({y:reshape(-1), more:reshape(-1)}) end
    return (y * fill(y.shape, 9)):sum(), y
  end
  local argnums = {}
  for k, x in ipairs(inputs) do
    if want.x[k] then argnums[#argnums + 1] = k + 1 end
    inputs[k] = x
  end
  if net.nparams > 0 then table.insert(argnums, 1, 1) end
  local results = table.pack(pg.value_and_grad(run, {argnums = argnums})(net, table.unpack(inputs)))
  near(want.y, results[1 + #argnums + 1], name .. ".y")
  local grads = net:named("grads")
  for p, g in pairs(want.grads) do near(g, grads[p], name .. "." .. p) end
  for k, g in ipairs(want.x) do near(g, results[1 + k + (net.nparams > 0 and 1 or 0)], name .. ".x" .. k) end
  local buffers = net:named("buffers")
  for b, v in pairs(want.buffers) do near(v, buffers[b], name .. "." .. b) end
end

describe("layers equal PyTorch's", function()
  it("dense and embedding", function()
    check("linear", nn.linear(3, 4), {fill({5, 3}, 1)})
    check("linear_3d", nn.linear(3, 2, {bias = false}), {fill({2, 4, 3}, 1)})
    check("embedding", nn.embedding(5, 3), {pg.array{{1, 5}, {3, 3}}})
  end)

  it("convolutions", function()
    for i, c in ipairs({{1, 1, 1, 1, 1, {}}, {2, 3, 3, 5, 6, {padding = 1}}, {3, 2, {2, 3}, 7, 5, {stride = 2}},
      {2, 4, 3, 9, 8, {stride = 3, padding = 2}}, {2, 2, 3, 9, 9, {dilation = 2, padding = 3}},
      {4, 6, 3, 5, 5, {groups = 2, padding = 1}}, {3, 3, 3, 4, 4, {groups = 3, padding = 1, bias = false}},
      {3, 5, 1, 6, 7, {}}, {2, 3, {4, 1}, 8, 3, {stride = {2, 1}, padding = {1, 0}}}}) do
      check("conv2d_" .. i - 1, nn.conv2d(c[1], c[2], c[3], c[6]), {fill({2, c[1], c[4], c[5]}, 1)})
    end
    check("conv1d", nn.conv1d(2, 3, 3, {stride = 2, padding = 1}), {fill({2, 2, 8}, 1)})
    for i, c in ipairs({{2, 3, 3, 4, 5, {}}, {3, 2, 4, 3, 3, {stride = 2, padding = 1}},
      {2, 2, 3, 4, 4, {stride = 2, padding = 1, output_padding = 1}}, {1, 4, 2, 1, 1, {bias = false}}}) do
      check("conv_transpose2d_" .. i - 1, nn.conv_transpose2d(c[1], c[2], c[3], c[6]), {fill({2, c[1], c[4], c[5]}, 1)})
    end
  end)

  it("norms", function()
    check("layer_norm", nn.layer_norm(5), {fill({3, 2, 5}, 1)})
    check("group_norm", nn.group_norm(2, 4), {fill({2, 4, 3, 3}, 1)})
    check("batch_norm_2d", nn.batch_norm(3), {fill({4, 3}, 1)}, {train = true})
    check("batch_norm_4d", nn.batch_norm(3), {fill({2, 3, 4, 5}, 1)}, {train = true})
    check("batch_norm_still", nn.batch_norm(3), {fill({2, 3, 4, 5}, 1)})
  end)

  it("pooling and upsampling", function()
    check("max_pool2d", nn.max_pool2d(2), {fill({2, 2, 6, 5}, 1)})
    check("max_pool2d_s", nn.max_pool2d(3, {stride = 2, padding = 1}), {fill({2, 2, 7, 6}, 1)})
    check("avg_pool2d", nn.avg_pool2d(2), {fill({2, 2, 6, 5}, 1)})
    check("avg_pool2d_s", nn.avg_pool2d(3, {stride = 2, padding = 1}), {fill({2, 2, 7, 6}, 1)})
    check("upsample_nearest", nn.upsample(2), {fill({1, 2, 3, 4}, 1)})
    check("upsample_bilinear", nn.upsample(2, {mode = "bilinear"}), {fill({1, 2, 3, 4}, 1)})
    check("upsample_corners", nn.upsample({5, 7}, {mode = "bilinear", align_corners = true}), {fill({1, 2, 3, 4}, 1)})
  end)

  it("recurrent cells", function()
    local x, h, c = fill({2, 3}, 1), fill({2, 4}, 2), fill({2, 4}, 3)
    check("rnn_cell", nn.rnn_cell(3, 4), {x, h})
    check("gru_cell", nn.gru_cell(3, 4), {x, h})
    check("lstm_cell", nn.lstm_cell(3, 4), {x, h, c})
  end)

  it("attention", function()
    check("attention", nn.attention(6, 2), {fill({2, 5, 6}, 1)})
    check("attention_causal", nn.attention(6, 3, {causal = true}), {fill({2, 5, 6}, 1)})
    check("attention_cross", nn.attention(6, 2), {fill({2, 3, 6}, 1), fill({2, 5, 6}, 2)})
  end)

  it("functions", function()
    local functions = {relu = nn.relu, leaky_relu = nn.leaky_relu, elu = nn.elu, silu = nn.silu,
      gelu = nn.gelu, gelu_tanh = function(x) return nn.gelu(x, {approximate = "tanh"}) end,
      softmax = function(x) return pg.softmax(x, -1) end, log_softmax = function(x) return pg.log_softmax(x, -1) end}
    for name, f in pairs(functions) do
      check("f_" .. name, nn.sequential{f}, {fill({3, 7}, 1) * 4})
    end
  end)
end)

describe("losses equal PyTorch's", function()
  local a, b = fill({3, 4}, 1), fill({3, 4}, 2)
  local p, q = a:sigmoid(), b:sigmoid()
  local c = pg.array{1, 4, 2}
  local function loss(name, f, x, ...)
    local v, g = pg.value_and_grad(f)(x, ...)
    near(golden[name].y, v, name)
    near(golden[name].x[1], g, name .. ".x")
  end

  it("of numbers", function()
    loss("mse", nn.mse, a, b)
    loss("l1", nn.l1, a, b)
    loss("huber", function(x, y) return nn.huber(x, y, {delta = 0.5, reduction = "sum"}) end, a, b)
    loss("bce", nn.bce, p, q)
    loss("bce_with_logits", function(x, y) return nn.bce_with_logits(x, y, {reduction = "sum"}) end, a * 30, q)
    loss("kl_normal", function(m, v) return nn.kl_normal(m, v):sum() end, a, b)
  end)

  it("of classes", function()
    loss("cross_entropy", nn.cross_entropy, a, c)
    loss("cross_entropy_smooth", function(x, y) return nn.cross_entropy(x, y, {smoothing = 0.2}) end, a, c)
    loss("cross_entropy_ignore", function(x, y) return nn.cross_entropy(x, y, {ignore = 4}) end, a, c)
    loss("cross_entropy_p", nn.cross_entropy, a, q / q:sum(2, {keepdims = true}))
    loss("cross_entropy_axis", function(x, y) return nn.cross_entropy(x, y, {axis = 2}) end, fill({2, 3, 2}, 1),
      pg.array{{1, 3}, {2, 2}})
    loss("nll", nn.nll, a - pg.logsumexp(a, 2, {keepdims = true}), c)
  end)

  it("each or summed", function()
    assert.equal("(3, 4)", tostring(nn.mse(a, b, {reduction = "none"}).shape))
    assert.equal("(3,)", tostring(nn.cross_entropy(a, c, {reduction = "none"}).shape))
    assert.is_true(math.abs(nn.mse(a, b, {reduction = "sum"}) - 12 * nn.mse(a, b)) < 1e-12)
  end)
end)

describe("training equals PyTorch's", function()
  local function train(name, definition, x, y, loss)
    local want = golden[name]
    local net = start(definition)
    local step = pg.value_and_grad(function(m) return loss(m(x, {train = true}), y) end)
    local opt = pg.optim.adam{lr = 0.01}
    for k = 1, 20 do
      local value, grads = step(net)
      near(want.losses[k], value, name .. " step " .. k)
      opt:step(net.params, grads)
    end
    local views, buffers = net:named(), net:named("buffers")
    for p, v in pairs(want.params) do near(v, views[p], name .. "." .. p, 1e-9) end
    for b, v in pairs(want.buffers) do near(v, buffers[b], name .. "." .. b, 1e-9) end
  end

  it("over 20 steps of Adam", function()
    train("train_dense", nn.sequential{nn.linear(4, 8), nn.relu, nn.layer_norm(8), nn.linear(8, 3)}, fill({6, 4}, 1),
      pg.array{1, 2, 3, 1, 2, 3}, nn.cross_entropy)
    local function leaky(x) return pg.leaky_relu(x, 0.2) end
    train("train_conv", nn.sequential{nn.conv2d(1, 3, 3, {stride = 2, padding = 1}), nn.batch_norm(3), leaky,
      nn.conv_transpose2d(3, 1, 4, {stride = 2, padding = 1}), pg.sigmoid}, fill({4, 1, 8, 8}, 1),
      fill({4, 1, 8, 8}, 2):sigmoid(), nn.bce)
  end)
end)

describe("a net", function()
  local rng = pg.random.new(0)
  local function refuses(message, f, ...)
    local ok, got = pcall(f, ...)
    assert.is_false(ok)
    assert.matches(message, got)
  end
  local function two()
    return nn.model({encoder = nn.sequential{nn.linear(3, 2), nn.relu, nn.linear(2, 2)}, mu = nn.linear(2, 1),
      scale = nn.param({2}, 3)}, pg.random.new(1))
  end

  it("lies in one flat array", function()
    local net = two()
    assert.same({"encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias", "mu.weight", "mu.bias",
      "scale"}, net:names())
    assert.equal(6 + 2 + 4 + 2 + 2 + 1 + 2, net.nparams)
    assert.equal("f32", net.params.dtype)
    net.params:assign(7)
    assert.is_true(net.encoder[1].weight:eq(7):all())
    net.mu.params:assign(1)
    assert.equal(1.0, net:named()["mu.bias"](1))
    assert.equal(7.0, net.scale(1))
    assert.equal(net.nparams, #net.grads)
    local order = {}
    for name in pairs(net:named("grads")) do order[#order + 1] = name end
    assert.same(net:names(), order)
  end)

  it("prints its parts", function()
    assert.equal([[
net: 19 parameters, f32
  encoder.0  linear(3, 2)  8
  encoder.1  function
  encoder.2  linear(2, 2)  6
  mu         linear(2, 1)  3
  scale      param(2)      2]], tostring(two()))
  end)

  it("trains a part alone", function()
    local net = two()
    net.grads:assign(5)
    local x = rng:standard_normal(4, 3):astype("f32")
    local _, g = pg.value_and_grad(function(part) return part(x):sum() end)(net.encoder)
    assert.equal(net.encoder.nparams, #g)
    assert.is_true(net.mu.grads:eq(5):all())
    assert.is_false(net.encoder.grads:eq(5):any())
  end)

  it("says which parameters the loss leaves out", function()
    local net = two()
    local x = rng:standard_normal(4, 3):astype("f32")
    refuses("the loss does not depend on mu.weight, mu.bias, scale", pg.value_and_grad(function(m)
      return m.encoder(x):sum()
    end), net)
  end)

  it("copies, saves and loads", function()
    local net = nn.model(nn.sequential{nn.linear(3, 2), nn.batch_norm(2)}, rng)
    net(rng:standard_normal(8, 3):astype("f32"), {train = true})
    for _, suffix in ipairs({".npz", ".safetensors"}) do
      local path = os.tmpname() .. suffix
      net:save(path)
      local other = nn.load(nn.sequential{nn.linear(3, 2), nn.batch_norm(2)}, path)
      assert.is_true(other.params:array_equal(net.params))
      assert.is_true(other.buffers:array_equal(net.buffers))
      refuses("not a file of this net: 0.weight is array %(2, 3%) f32 there and %(4, 3%) in the net", nn.load,
        nn.sequential{nn.linear(3, 4), nn.batch_norm(4)}, path)
      refuses("not a file of this net: it has no 2.weight", nn.load,
        nn.sequential{nn.linear(3, 2), nn.batch_norm(2), nn.linear(2, 1)}, path)
      refuses("not a file of this net: it has 1.bias, which the net has not", nn.load,
        nn.sequential{nn.linear(3, 2)}, path)
      os.remove(path)
    end
    local copy = net:copy()
    copy.params:assign(0)
    assert.is_false(net.params:eq(0):all())
  end)

  it("loads what PyTorch wrote", function()
    local layers = nn.sequential{nn.linear(3, 2), nn.batch_norm(2)}
    local want = pg.load("tests/golden/torch_state.pt")
    local net = nn.load(layers, "tests/golden/torch_state.pt")
    for _, which in ipairs{"params", "buffers"} do
      for name, view in pairs(net:named(which)) do assert.is_true(view:array_equal(want[name]), name) end
    end
    assert.is_true(net.buffers:ne(0):any())
    local training = pg.load("tests/golden/torch_training.pt")
    local other = nn.model(layers, rng)
    assert.is_true(other:load(training.model).params:array_equal(net.params))
    refuses("torch_training.pt: not a file of this net: it has no 0.weight, shape %(2, 3%); it has a table model, and "
      .. "net:load%(pg.load%(path%).model%) takes that", nn.load, layers, "tests/golden/torch_training.pt")
    refuses("load: not a file of this net: it has no 0.weight", other.load, other, {})
    refuses("torch_one.pt: expected arrays by name, got array %(3, 4%)", nn.load, layers, "tests/golden/torch_one.pt")
  end)

  it("begins as PyTorch's layers do", function()
    local net = nn.model(nn.linear(400, 300), rng)
    local bound = 1 / 20
    assert.is_true(net.weight:max() <= bound and net.weight:max() > 0.99 * bound)
    assert.is_true(net.weight:min() < -0.99 * bound)
    -- the variance of a uniform distribution, within 4 sigmas of 120,000 draws
    assert.is_true(math.abs(net.weight:var() / (bound ^ 2 / 3) - 1) < 4 * math.sqrt(0.8 / 120000))
    local q = nn.model(nn.linear(5, 3, {init = nn.init.orthogonal}), rng, {dtype = "f64"}).weight
    assert.is_true((q:dot(q.T) - pg.eye(3)):abs():max() < 1e-14)
    local w = nn.model(nn.linear(5, 3, {init = nn.init.normal(2, 0)}), rng).weight
    assert.is_true(w:eq(2):all())
  end)

  it("drops only in training, with a generator", function()
    local net = nn.model(nn.sequential{nn.linear(3, 1000), nn.dropout(0.25)}, rng)
    local x = pg.ones(1, 3, "f32")
    assert.equal(0, net(x):eq(0):sum())
    local y = net(x, {train = true, rng = pg.random.new(5)})
    local zeros = y:eq(0):sum()
    assert.is_true(math.abs(zeros - 250) < 4 * math.sqrt(1000 * 0.25 * 0.75))
    refuses("dropout: ctx has no rng; net%(x, {train = true, rng = rng}%)", net, x, {train = true})
  end)

  it("solves XOR from 20 seeds", function()
    local X, y = pg.array{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, pg.array{{0}, {1}, {1}, {0}}
    local solved = 0
    for seed = 1, 20 do
      local net = nn.model(nn.sequential{nn.linear(2, 8), pg.tanh, nn.linear(8, 1)}, pg.random.new(seed),
        {dtype = "f64"})
      local step, opt = pg.value_and_grad(function(m) return nn.bce_with_logits(m(X), y) end), pg.optim.adam{lr = 0.05}
      for _ = 1, 300 do
        local _, g = step(net)
        opt:step(net.params, g)
      end
      if (net(X):gt(0)):eq(y):all() then solved = solved + 1 end
    end
    assert.equal(20, solved)
  end)

  it("is trained by nn.fit", function()
    local X = pg.random.new(3):standard_normal(200, 3)
    local y = X:dot(pg.array{{1}, {-2}, {0.5}}) + 0.3
    local net = nn.model(nn.linear(3, 1), rng, {dtype = "f64"})
    local function loss(m, x, t) return nn.mse(m(x), t) end
    local seen = 0
    local history = nn.fit(net, loss, {X:slice{1, 150}, y:slice{1, 150}}, {epochs = 60, batch = 16,
      rng = pg.random.new(4), optimizer = pg.optim.adam{lr = 0.05}, keep = "best",
      validation = {X:slice{151, 200}, y:slice{151, 200}},
      on_epoch = function(s)
        seen = s.epoch
        return s.validation > 1e-6
      end})
    assert.equal("on_epoch", history.stopped)
    assert.equal(seen, history.epochs)
    assert.is_true(history.validation[history.best] <= history.validation:min())
    assert.is_true((net.weight - pg.array{{1, -2, 0.5}}):abs():max() < 2e-3)
    X[{3, 1}] = 0 / 0
    refuses("fit: the loss is nan at epoch 1, step %d+; argument 1 of the batch holds what is not finite", nn.fit, net,
      loss, {X, y}, {epochs = 1, rng = rng})
    refuses("shards: expected a number that divides the batch of 16, got 3", nn.fit, net, loss, {X, y},
      {batch = 16, shards = 3, rng = rng})
    refuses("checkpoint: expected a path that ends in .npz, got \"a.pt\"", nn.fit, net, loss, {X, y},
      {checkpoint = "a.pt", rng = rng})
    refuses("resume: there is no checkpoint to go on from", nn.fit, net, loss, {X, y}, {resume = true, rng = rng})
    local path = os.tmpname() .. ".npz"
    net:save(path)
    refuses(path:gsub("%p", "%%%0") .. ": not a checkpoint of this training: expected what nn.fit wrote", nn.fit, net,
      loss, {X, y}, {checkpoint = path, resume = true, rng = rng})
    os.remove(path)
    -- In shards a batch's gradient is that of the whole but for rounding.
    X[{3, 1}] = 0
    local whole, parts = net:copy(), net:copy()
    local function once(m, shards)
      return nn.fit(m, loss, {X, y}, {epochs = 1, batch = 50, shards = shards, rng = pg.random.new(1)}).loss
    end
    assert.is_true(pg.allclose(once(whole), once(parts, 5), {rtol = 1e-12}))
    assert.is_true(pg.allclose(whole.params, parts.params, {rtol = 1e-9}))
    refuses("keep: the best is chosen by validation data", nn.fit, net, loss, {X, y}, {keep = "best", rng = rng})
  end)

  it("names the layer whose numbers are no rows", function()
    local m = nn.model(nn.embedding(5, 2), pg.random.new(0))
    refuses("'embedding' %(idx: element 2 is 0, no index of axis 1, which has 5: indices count from 1%)",
      m, pg.array{1, 0})
  end)
  it("gets a gradient in place, beside one of all parameters too, and refuses to lose what is needed", function()
    local N = pg.random.new(3)
    local m = nn.model(nn.sequential{nn.linear(3, 2), nn.tanh, nn.linear(2, 2)}, N, {dtype = "f64"})
    local x, y = N:standard_normal(4, 3), N:standard_normal(4, 2)
    local function loss(n) return nn.mse(n(x), y) end
    local function gradient(f) return pg.grad(f)(m):copy() end
    local plain = gradient(loss)
    assert.is_true(pg.allclose(gradient(function(n) return loss(n) + pg.square(n.params):sum() end),
      plain + 2 * m.params, {rtol = 1e-14}))
    -- twice the same weight, and what net.grads holds
    assert.is_true(pg.allclose(gradient(function(n) return loss(n) + loss(n) end), 2 * plain, {rtol = 1e-14}))
    m.grads:assign(pg.range(1, m.nparams))
    local kept = m.grads:copy()
    assert.is_true(pg.allclose(gradient(function(n) return loss(n) + (n.params * kept):sum() end), plain + kept,
      {rtol = 1e-14}))
    assert.has_error(function() gradient(function(n) return loss(n) + (n.params * n.grads):sum() end) end)
    -- written by hand
    local w = m:named("params")["2.weight"]
    local by_hand = pg.grad(function() return pg.square(pg.tanh(m[1](x)):dot(w.T)):sum() end, {unused = "zero"})(m)
    assert.is_true(pg.gradcheck(function(v) return pg.square(pg.tanh(m[1](x)):dot(v.T)):sum() end,
      by_hand:slice({9, 12}):reshape(2, 2), w:copy()).ok)
  end)
  it("has a gradient of its gradient", function()
    -- a penalty on the gradient by the input, as WGAN-GP takes it, against differences
    local net = start(nn.sequential{nn.conv2d(1, 2, 3, {padding = 1}), nn.batch_norm(2), pg.tanh, nn.flatten(),
      nn.linear(32, 3)})
    local x, c = fill({3, 1, 4, 4}, 1), pg.array{1, 3, 2}
    local function penalty(m)
      local slope = pg.grad(function(v) return nn.cross_entropy(m(v, {train = true}), c) end)(x)
      return pg.square(slope):sum()
    end
    local _, g = pg.value_and_grad(penalty)(net)
    g = g:copy()
    for _, k in ipairs({1, 7, 18, 21, 24, 30, 100, net.nparams}) do
      local before, h = net.params(k), 1e-5
      net.params:set(k, before + h)
      local up = penalty(net)
      net.params:set(k, before - h)
      local down = penalty(net)
      net.params:set(k, before)
      assert.is_true(math.abs((up - down) / (2 * h) - g(k)) < 1e-7 * math.max(1, math.abs(g(k))), k)
    end
  end)

  it("says what is written instead of what nets have elsewhere", function()
    local net = nn.model(nn.sequential{nn.linear(2, 3), nn.relu}, rng)
    refuses("a net of sequential has no 'forward'; net%(x%) calls it", function() return net.forward end)
    refuses("no 'parameters'; its parameters are net.params", function() return net.parameters end)
    refuses("no 'paramss'; did you mean 'params'?", function() return net.paramss end)
    refuses("x is u8 and the weights are f32; x:astype%(\"f32\"%)$", net, pg.zeros(1, 2, "u8"))
    refuses("x is f64 and the weights are f32; x:astype%(\"f32\"%), or nn.model%(..., {dtype = \"f64\"}%)$", net,
      pg.zeros(1, 2))
    refuses("expected a list of layers, got layer; nn.sequential{layer, layer, ...} takes braces", nn.sequential,
      nn.linear(2, 3), nn.relu)
    refuses("bad argument #1 to 'max_pool2d' %(k: ", nn.max_pool2d)
    refuses("params: expected array, got net; opt:step%(net.params, net.grads%)", function()
      pg.optim.adam{}:step(net, net.grads)
    end)
  end)

  it("says what is wrong", function()
    local net = two()
    refuses("a net of table has no 'encodr'; did you mean 'encoder'%?", function() return net.encodr end)
    refuses("a table of layers is no function; call one of its parts: encoder, mu, scale", net, 1)
    refuses("linear: a layer says what a net is made of", nn.linear(1, 1), pg.zeros(1, 1))
    refuses("a part may not be called 'params'", nn.module, {params = nn.linear(1, 1)}, print)
    refuses("x: last axis is 100, expected 3", net.encoder, pg.zeros(2, 100, "f32"))
    refuses('linear: x is f64 and the weights are f32; x:astype%("f32"%), or nn.model%(..., {dtype = "f64"}%)',
      net.encoder, pg.zeros(2, 3))
    refuses("conv2d: x has 3 channels, w takes 1", nn.model(nn.conv2d(1, 2, 3), rng), pg.zeros(1, 3, 5, 5, "f32"))
    refuses("bad argument #2 to 'mse' %(y: shape %(64,%) and x's %(64, 1%) differ; y:reshape%(64, 1%)%)", nn.mse,
      pg.zeros(64, 1), pg.zeros(64))
    refuses("bad argument #2 to 'cross_entropy' %(classes: element 5 is 0, no class of 1..10: classes count from 1%)",
      nn.cross_entropy, pg.zeros(5, 10), pg.array{1, 2, 3, 4, 0})
    refuses("classes: expected shape %(5,%), one class a row of z %(5, 10%), got %(4,%)", nn.cross_entropy,
      pg.zeros(5, 10), pg.ones(4))
    refuses("unknown option 'biass'; did you mean 'bias'%?", nn.linear, 1, 1, {biass = false})
    refuses("expected a layer, a function or a table of them, got number 3", nn.sequential, {3})
    refuses("one value a channel has no variance", nn.model(nn.batch_norm(2), rng), pg.ones(1, 2, "f32"),
      {train = true})
  end)
end)
