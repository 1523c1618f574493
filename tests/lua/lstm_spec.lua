-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function new(t)
  return pg.lstm.new{input_size = t.input or 1, hidden_size = t.hidden or 8, num_layers = t.layers or 1,
    output_size = t.output or 1, dtype = t.dtype or "f64", rng = pg.random.new(t.seed or 0)}
end

local function bits(seed, n, steps)
  return pg.lstm.shift(pg.random.new(seed):bernoulli(0.4, n, steps))
end

local function farthest(a, b) return (a - b):abs():max() end

local function exists(path)
  local f = io.open(path)
  if f then f:close() end
  return f ~= nil
end

-- A path of its own for each call.
local function temporary(suffix)
  local path = os.tmpname()
  os.remove(path)
  return path .. suffix
end

describe("a net", function()
  it("has PyTorch's names and layouts over one flat array", function()
    local net = new{input = 3, hidden = 4, layers = 2, output = 2}
    assert.equal(3 * 16 + 16 * 4 + 32 + 2 * 64 + 32 + 8 + 2, net.nparams)
    assert.equal(net.nparams, net.params.size)
    assert.equal("weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0 weight_ih_l1 weight_hh_l1 bias_ih_l1 bias_hh_l1 " ..
      "fc.weight fc.bias", table.concat(net:names(), " "))
    local named, seen = net:named(), {}
    for name, view in pairs(named) do seen[#seen + 1] = name .. tostring(view.shape) end
    assert.equal("weight_ih_l0(16, 3) weight_hh_l0(16, 4) bias_ih_l0(16,) bias_hh_l0(16,) weight_ih_l1(16, 4) " ..
      "weight_hh_l1(16, 4) bias_ih_l1(16,) bias_hh_l1(16,) fc.weight(2, 4) fc.bias(2,)", table.concat(seen, " "))
    named["fc.bias"]:assign(7)
    assert.equal(7, net.params[net.nparams])
    named.weight_ih_l0[1] = pg.array{1, 2, 3}
    assert.equal(3, net.params[3])
    net:named("grads").bias_hh_l1:assign(5)
    assert.equal(16 * 5, net.grads:sum())
  end)
  it("starts uniform within 1/sqrt(hidden_size), from its generator", function()
    local net = new{hidden = 16, layers = 2}
    assert.is_true(net.params:abs():max() <= 0.25)
    assert.is_true(net.params:max() > 0.24 and net.params:min() < -0.24)
    -- mean of n draws of sd 0.5/sqrt(12): within 5 sigmas
    assert.is_true(math.abs(net.params:mean()) < 5 * 0.5 / math.sqrt(12 * net.nparams))
    assert.is_true(pg.array_equal(net.params, new{hidden = 16, layers = 2}.params))
    assert.is_false(pg.array_equal(net.params, new{hidden = 16, layers = 2, seed = 1}.params))
  end)
  it("prints what it is", function()
    local text = tostring(new{hidden = 4, dtype = "float32"})
    assert.equal("lstm f32: input_size 1, hidden_size 4, num_layers 1, output_size 1, 117 parameters",
      text:match("^[^\n]+"))
    assert.truthy(text:find("weight_hh_l0   16 x 4", 1, true))
    assert.equal("lstm has no 'parms'; did you mean 'params'?", message(function() return new{}.parms end))
  end)
end)

describe("values", function()
  it("agree with PyTorch's to 1e-10", function()
    local path = "../shared/data/reference/lstm_reference.npz"
    if not exists(path) then pending("there is no " .. path) return end
    local r = pg.load(path)
    local net = new{hidden = 8, layers = 2}
    local named, grads = net:named(), net:named("grads")
    for _, name in ipairs(net:names()) do named[name]:assign(r["init." .. name]) end
    local logits, state = net:forward(r.x)
    assert.is_true(farthest(logits, r.logits0) < 1e-10)
    assert.is_true(farthest(state.h, r.h0) < 1e-10)
    assert.is_true(farthest(state.c, r.c0) < 1e-10)
    local adam = pg.optim.adam{lr = 1e-3}
    for t = 1, 20 do
      assert.is_true(math.abs(net:loss_grad(r.x, r.y) - r.losses[t]) < 1e-10)
      if t == 1 then
        for _, name in ipairs(net:names()) do assert.is_true(farthest(grads[name], r["grad0." .. name]) < 1e-10) end
      end
      adam:step(net.params, net.grads)
    end
    for _, name in ipairs(net:names()) do assert.is_true(farthest(named[name], r["final." .. name]) < 1e-10) end
  end)
  -- Losses and the sum of |parameters| of PyTorch 1.13:
  --   import torch; torch.set_default_dtype(torch.float64)
  --   lstm = torch.nn.LSTM(1, 4, 2, batch_first=True); fc = torch.nn.Linear(4, 1)
  --   ps = list(lstm.parameters()) + list(fc.parameters()); i = 0
  --   for p in ps:
  --       k = torch.arange(i, i + p.numel()); i += p.numel()
  --       p.data = (0.5 * torch.sin(1.7 * k + 0.3)).reshape(p.shape)
  --   y = (torch.arange(3 * 7) ** 2 % 5 < 2).double().reshape(3, 7, 1)
  --   x = torch.cat([torch.zeros(3, 1, 1), y[:, :-1]], 1); o = torch.optim.Adam(ps, 0.03)
  --   for t in range(6):
  --       o.zero_grad(); l = torch.nn.functional.binary_cross_entropy_with_logits(fc(lstm(x)[0]), y)
  --       l.backward(); o.step()
  local losses = {0.812617131498943, 0.7910572710302045, 0.7720779097477642, 0.7548617618351707, 0.7390284591923145,
    0.7244352679924927}
  local function golden(dtype)
    local net = new{hidden = 4, layers = 2, dtype = dtype}
    net.params:assign(pg.sin(pg.range(0, net.nparams - 1) * 1.7 + 0.3) * 0.5)
    local y = {}
    for i = 0, 20 do y[i + 1] = i * i % 5 < 2 and 1 or 0 end
    return net, pg.lstm.shift(pg.array(y):reshape(3, 7))
  end
  it("are PyTorch's over some steps of training", function()
    local net, x, y = golden("f64")
    local history = net:fit(x, y, {epochs = 6, optimizer = pg.optim.adam{lr = 0.03}, progress = false})
    for t = 1, 6 do assert.is_true(math.abs(history.loss[t] - losses[t]) < 1e-12) end
    assert.is_true(math.abs(net.params:abs():sum() - 88.61856454873354) < 1e-10)
  end)
  it("in f32 stay within 1e-4 of f64", function()
    local net, x, y = golden("f32")
    local history = net:fit(x, y, {epochs = 6, optimizer = pg.optim.adam{lr = 0.03}, progress = false})
    for t = 1, 6 do assert.is_true(math.abs(history.loss[t] - losses[t]) < 1e-5) end
    local net64 = golden("f64")
    net64:fit(x, y, {epochs = 6, optimizer = pg.optim.adam{lr = 0.03}, progress = false})
    assert.is_true(farthest(net.params, net64.params) < 1e-4)
    assert.is_true(farthest((net:forward(x)), (net64:forward(x))) < 1e-4)
  end)
  it("have the gradient of the loss, for 1 to 3 layers and 10 and 100 steps", function()
    for layers = 1, 3 do
      for _, steps in ipairs{10, 100} do
        local net = new{hidden = 5, layers = layers, seed = layers}
        local x, y = bits(steps, 3, steps)
        local o = {lengths = {steps, steps - 3, 2}}
        net:loss_grad(x, y, o)
        local indices = {}
        for i = 1, net.nparams, steps == 10 and 1 or 7 do indices[#indices + 1] = i end
        local r = pg.gradcheck(function() return net:loss(x, y, o) end, net.grads, net.params, {indices = indices})
        assert.is_true(r.max_rel_error < 1e-7)
        assert.is_true(r.ok)
      end
    end
  end)
  it("carry a state on: two halves are the whole", function()
    local net = new{input = 2, hidden = 6, layers = 2}
    local x = pg.random.new(4):standard_normal(3, 8, 2)
    local whole, last = net:forward(x)
    local first, state = net:forward(x:slice({}, {1, 5}))
    local second, after = net:forward(x:slice({}, {6, 8}), state)
    assert.is_true(farthest(whole:slice({}, {1, 5}), first) < 1e-14)
    assert.is_true(farthest(whole:slice({}, {6, 8}), second) < 1e-14)
    assert.is_true(farthest(last.h, after.h) < 1e-14 and farthest(last.c, after.c) < 1e-14)
    assert.equal("(2, 3, 6)", tostring(after.h.shape))
  end)
  it("leave out what lies beyond a sequence's length", function()
    local net = new{hidden = 7, layers = 2}
    local x, y = bits(3, 4, 9)
    local sum, count = 0, 0
    local lengths = {9, 2, 1, 5}
    for i, n in ipairs(lengths) do
      sum = sum + n * net:loss(x:slice({i, i}, {1, n}), y:slice({i, i}, {1, n}))
      count = count + n
    end
    local nan = 0 / 0
    for i, n in ipairs(lengths) do
      if n < 9 then
        x[{i, {n + 1, 9}}] = nan
        y[{i, {n + 1, 9}}] = nan
      end
    end
    assert.is_true(math.abs(net:loss(x, y, {lengths = lengths}) - sum / count) < 1e-14)
    assert.is_true(math.abs(net:loss_grad(x, y, {lengths = pg.array(lengths)}) - sum / count) < 1e-14)
    assert.is_true(net.grads:isfinite():all())
  end)
end)

describe("sequences of bits", function()
  -- All sequences of 5 bits.
  local function every()
    local rows = {}
    for i = 0, 31 do
      rows[i + 1] = {}
      for b = 1, 5 do rows[i + 1][b] = i >> (5 - b) & 1 end
    end
    return pg.array(rows)
  end
  it("shift by one with 0 first", function()
    local x, y = pg.lstm.shift(pg.array{{1, 0, 1}, {1, 1, 0}})
    assert.equal("(2, 3, 1) (2, 3, 1)", tostring(x.shape) .. " " .. tostring(y.shape))
    assert.same({{0, 1, 0}, {0, 1, 1}}, x:reshape(2, 3):totable())
    assert.same({{1, 0, 1}, {1, 1, 0}}, y:reshape(2, 3):totable())
    assert.equal("bad argument #1 to 'lstm.shift' (X: expected n x steps or n x steps x size, got shape (2,))",
      message(pg.lstm.shift, pg.array{1, 2}))
  end)
  it("have probabilities that sum to 1", function()
    local net = new{hidden = 6, layers = 2}
    local lp = net:logprob(every())
    assert.equal("(32,)", tostring(lp.shape))
    assert.is_true(math.abs(pg.exp(lp):sum() - 1) < 1e-14)
    local x, y = pg.lstm.shift(every())
    assert.is_true(math.abs(lp:sum() + 32 * 5 * net:loss(x, y)) < 1e-12)
  end)
  it("are drawn with those probabilities", function()
    local net = new{hidden = 6, layers = 2, seed = 5}
    net.params:assign(net.params * 4)
    local n = 20000
    local X = net:sample(n, pg.random.new(1), {steps = 5})
    assert.equal("(20000, 5)", tostring(X.shape))
    local p, weights, count = pg.exp(net:logprob(every())), pg.array{16, 8, 4, 2, 1}, {}
    for i = 1, 32 do count[i] = 0 end
    for _, code in ipairs((X * weights):sum(2):totable()) do count[code // 1 + 1 | 0] = count[code // 1 + 1 | 0] + 1 end
    local chi2 = 0
    for i = 1, 32 do chi2 = chi2 + (count[i] - n * p[i]) ^ 2 / (n * p[i]) end
    -- 31 degrees of freedom: mean 31, sigma sqrt(62); within 5 sigmas
    assert.is_true(chi2 < 31 + 5 * math.sqrt(62))
    assert.is_true(pg.array_equal(X, net:sample(n, pg.random.new(1), {steps = 5})))
    assert.equal("(0, 3)", tostring(net:sample(0, pg.random.new(1), {steps = 3}).shape))
    local wide = new{input = 2, output = 2}
    assert.equal("(4, 3, 2)", tostring(wide:sample(4, pg.random.new(1), {steps = 3}).shape))
    assert.equal("(4,)", tostring(wide:logprob(wide:sample(4, pg.random.new(1), {steps = 3})).shape))
  end)
end)

describe("fit", function()
  it("goes over all sequences in a new order each epoch", function()
    local x, y = bits(1, 10, 6)
    local net, by_hand = new{}, new{}
    local history = net:fit(x, y, {epochs = 3, batch = 4, rng = pg.random.new(7), progress = false,
      optimizer = pg.optim.sgd{lr = 0.5}})
    local rng, sgd, means = pg.random.new(7), pg.optim.sgd{lr = 0.5}, {}
    for epoch = 1, 3 do
      local order, sum = rng:permutation(10), 0
      for from = 1, 10, 4 do
        local rows = order:slice({from, math.min(from + 3, 10)})
        sum = sum + rows.size * by_hand:loss_grad(x:take(rows), y:take(rows))
        sgd:step(by_hand.params, by_hand.grads)
      end
      means[epoch] = sum / 10
    end
    assert.is_true(farthest(net.params, by_hand.params) < 1e-14)
    for epoch = 1, 3 do assert.is_true(math.abs(history.loss[epoch] - means[epoch]) < 1e-14) end
    assert.equal(3, history.epochs)
    assert.is_false(history.stopped)
    assert.equal(0.5, history.lr[2])
    assert.equal(3, history.last.size)
  end)
  it("learns", function()
    local x, y = pg.lstm.shift(pg.array{{1, 0, 1, 1, 0, 0, 1, 0}, {0, 1, 1, 0, 1, 0, 0, 1}})
    local net = new{hidden = 16, dtype = "f32"}
    local history = net:fit(x, y, {epochs = 200, optimizer = pg.optim.adam{lr = 0.03}, progress = false})
    -- Two equally likely sequences of 8 bits have log(2) / 8 nats a bit.
    assert.is_true(history.loss[200] < 1.02 * math.log(2) / 8 and history.loss[200] > math.log(2) / 8)
  end)
  it("asks on_epoch whether to go on", function()
    local x, y = bits(1, 3, 4)
    local seen = {}
    local adam = pg.optim.adam{lr = function(t) return 1 / t end}
    local history = new{}:fit(x, y, {epochs = 9, progress = false, optimizer = adam,
      on_epoch = function(s)
        seen[#seen + 1] = string.format("%d %.3f", s.epoch, s.lr)
        assert(s.loss == s.last)
        return s.epoch < 3
      end})
    assert.equal("1 1.000 2 0.500 3 0.333", table.concat(seen, " "))
    assert.equal("on_epoch", history.stopped)
    assert.equal(3, history.epochs)
    assert.equal(3, history.loss.size)
    assert.equal("stop here", message(function()
      new{}:fit(x, y, {epochs = 2, progress = false, on_epoch = function() error("stop here", 0) end})
    end))
  end)
  it("keeps the net when interrupted", function()
    local x, y = bits(1, 3, 4)
    local net = new{}
    local before = net.params:copy()
    local history = net:fit(x, y, {epochs = 9, progress = false, on_epoch = function(s)
      if s.epoch == 2 then error("script.lua:1: interrupted!", 0) end
    end})
    assert.equal("interrupted", history.stopped)
    assert.equal(2, history.epochs)
    assert.is_true(farthest(net.params, before) > 0)
    assert.is_true(net.params:isfinite():all())
  end)
  it("stops at a loss that is no number, naming epoch and step", function()
    local x, y = bits(1, 4, 5)
    local net = new{}
    assert.equal("fit: the loss is nan at epoch 3, step 1; a lower lr or clip_norm may help", message(function()
      net:fit(x, y, {epochs = 9, batch = 2, rng = pg.random.new(1), progress = false,
        on_epoch = function(s) if s.epoch == 2 then net.params[3] = 0 / 0 end end})
    end))
  end)
  it("clips the gradient's norm", function()
    local x, y = bits(2, 5, 6)
    local net = new{}
    local before = net.params:copy()
    net:fit(x, y, {epochs = 1, clip_norm = 1e-3, optimizer = pg.optim.sgd{lr = 1}, progress = false})
    assert.is_true(math.abs((net.params - before):norm() - 1e-3) < 1e-7)
  end)
  it("counts lengths", function()
    local x, y = bits(2, 5, 6)
    local lengths = {6, 1, 2, 3, 4}
    local net = new{}
    local loss = net:loss(x, y, {lengths = lengths})
    assert.equal(loss, net:fit(x, y, {epochs = 1, lengths = lengths, progress = false}).loss[1])
  end)
end)

describe("files", function()
  it("bring a net back, and take PyTorch's names with their prefix", function()
    local net = new{input = 2, hidden = 3, layers = 2, output = 4, dtype = "f32"}
    local path = temporary(".npz")
    net:save(path)
    local back = pg.lstm.load(path)
    assert.equal(tostring(net), tostring(back))
    assert.is_true(pg.array_equal(net.params, back.params))
    local other = new{input = 2, hidden = 3, layers = 2, output = 4, dtype = "f64", seed = 9}
    assert.equal(other, other:load(path))
    assert.is_true(pg.array_equal(net.params, other.params))
    local theirs = {}
    for name, view in pairs(net:named()) do theirs[name:find("^fc") and name or "lstm." .. name] = view end
    pg.save(path, theirs)
    assert.is_true(pg.array_equal(net.params, pg.lstm.load(path).params))
    os.remove(path)
  end)
  it("of another size are refused, and the net stays", function()
    local path = temporary(".npz")
    new{hidden = 3}:save(path)
    local net = new{hidden = 4}
    local before = net.params:copy()
    assert.equal(path .. ": weight_ih_l0 is (12, 1), expected (16, 1)", message(net.load, net, path))
    net = new{hidden = 3, layers = 2}
    assert.equal(path .. ": there is no weight_ih_l1", message(net.load, net, path))
    new{hidden = 4, layers = 2}:save(path)
    net = new{hidden = 4}
    assert.equal(path .. ": a net of 1 layers has no bias_hh_l1", message(net.load, net, path))
    assert.is_true(pg.array_equal(net.params, before))
    pg.save(path, {["fc.weight"] = pg.zeros(1, 4)})
    assert.equal(path .. ": there is no weight_ih_l0", message(pg.lstm.load, path))
    pg.save(path, {["fc.weight"] = pg.zeros(1, 4), weight_ih_l0 = pg.zeros(15, 1)})
    assert.equal(path .. ": weight_ih_l0 is (15, 1), expected 4 hidden_size x input_size", message(pg.lstm.load, path))
    os.remove(path)
  end)
end)

describe("what is wrong", function()
  local x, y = bits(1, 3, 4)
  local net = new{}
  local function check(want, f, ...) assert.equal(want, message(f, ...)) end
  it("with new is named", function()
    check("bad argument #1 to 'lstm.new' (options: expected a table, got no value)", pg.lstm.new)
    check("bad argument #1 to 'lstm.new' (unknown option 'hidden'; there are: dtype, hidden_size, input_size, " ..
      "num_layers, output_size, rng)", pg.lstm.new, {hidden = 3})
    check("bad argument #1 to 'lstm.new' (input_size: expected an integer, got no value)", pg.lstm.new, {})
    check("bad argument #1 to 'lstm.new' (hidden_size: expected an integer in 1..536870912, got 0)", pg.lstm.new,
      {input_size = 1, hidden_size = 0})
    check([[bad argument #1 to 'lstm.new' (dtype: expected "f32" or "f64", got "f16")]], pg.lstm.new,
      {input_size = 1, hidden_size = 2, output_size = 1, dtype = "f16"})
    check("bad argument #1 to 'lstm.new' (rng: expected a generator such as pg.random.new(seed), got no value)",
      pg.lstm.new,
      {input_size = 1, hidden_size = 2, output_size = 1})
    check("bad argument #1 to 'lstm.new' (a net of input_size 1, hidden_size 536870912, num_layers 536870912, " ..
      "output_size 1 is too large)", pg.lstm.new,
      {input_size = 1, hidden_size = 2 ^ 29, num_layers = 2 ^ 29, output_size = 1, rng = pg.random.new(0)})
  end)
  it("with data is named", function()
    for name, arg in pairs{loss = 1, loss_grad = 1, fit = 1} do
      local f = net[name]
      local function bad(n, text, ...)
        check(string.format("bad argument #%d to '%s' (%s)", n, name, text), f, net, ...)
      end
      bad(arg, "x: expected array, got table", {}, y)
      bad(1, "x: expected batch x time x 1 (input_size), got shape (3, 4)", x:reshape(3, 4), y)
      bad(1, "x: expected batch x time x 1 (input_size), got shape (3, 2, 2)", x:reshape(3, 2, 2), y)
      bad(1, "x: expected batch x time x 1 (input_size), none of them 0, got shape (0, 4, 1)", pg.zeros(0, 4, 1), y)
      bad(2, "y: expected (3, 4, 1), x's batch and time and output_size, got shape (4, 3, 1)", x,
        y:reshape(4, 3, 1))
      bad(2, "y: expected array, got no value", x)
      local z = y:copy()
      z:set(2, 3, 1, 0.5)
      bad(2, "y: element (2, 3, 1) is 0.5, expected 0 or 1", x, z)
      z:set(2, 3, 1, 0 / 0)
      bad(1, "x: element (2, 3, 1) is " .. tostring(z(2, 3, 1)) .. ", expected a finite number", z, y)
      z:set(2, 3, 1, 2)
      bad(2, "y: element (2, 3, 1) is 2, expected 0 or 1", x, z)
      bad(3, "lengths: expected a list of integers, got number 3", x, y, {lengths = 3})
      bad(3, "lengths: expected one for each of 3 sequences, got 2", x, y, {lengths = {1, 2}})
      bad(3, "lengths: element 2 is 5, expected an integer in 1..4", x, y, {lengths = {1, 5, 4}})
      bad(3, "lengths: element 3 is 0, expected an integer in 1..4", x, y, {lengths = {1, 4, 0}})
      bad(3, "lengths: element 1 is 1.5, expected an integer in 1..4", x, y, {lengths = pg.array{1.5, 4, 0}})
    end
    check("bad argument #3 to 'loss' (unknown option 'length'; did you mean 'lengths'?)", net.loss, net, x, y,
      {length = 1})
  end)
  it("with forward, sample and logprob is named", function()
    check("bad argument #1 to 'forward' (x: expected array, got no value)", net.forward, net)
    check("bad argument #2 to 'forward' (state: expected a table {h=, c=}, got array (3, 4, 1) f64)",
      net.forward, net, x,
      x)
    check("bad argument #2 to 'forward' (state.h: expected (1, 3, 8), num_layers x batch x hidden_size, " ..
      "got shape (1, 2, 8))", net.forward, net, x, {h = pg.zeros(1, 2, 8), c = pg.zeros(1, 3, 8)})
    check("bad argument #2 to 'forward' (state.c: expected array, got no value)", net.forward, net, x,
      {h = pg.zeros(1, 3, 8)})
    check("bad argument #1 to 'sample' (n: expected an integer, got no value)", net.sample, net)
    check("bad argument #2 to 'sample' (rng: expected a generator such as pg.random.new(seed), got no value)",
      net.sample, net, 1)
    check("bad argument #3 to 'sample' (steps: expected an integer, got no value)", net.sample, net, 1,
      pg.random.new(0))
    check("sample: wants input_size and output_size to be equal, they are 2 and 1", function()
      local wide = new{input = 2}
      wide:sample(1, pg.random.new(0), {steps = 1})
    end)
    check("logprob: wants input_size and output_size to be equal, they are 2 and 1", function()
      local wide = new{input = 2}
      wide:logprob(pg.zeros(1, 2))
    end)
    check("bad argument #1 to 'logprob' (X: expected n x steps, got shape (3,))", net.logprob, net, pg.zeros(3))
    check("bad argument #1 to 'logprob' (X: element (1, 2) is 3, expected 0 or 1)", net.logprob, net,
      pg.array{{1, 3}})
    check([[bad argument #1 to 'named' (which: expected one of "params", "grads", got "grad")]], net.named, net, "grad")
  end)
  it("with fit's options is named", function()
    local function bad(text, o) check("bad argument #3 to 'fit' (" .. text .. ")", net.fit, net, x, y, o) end
    bad("unknown option 'epoch'; did you mean 'epochs'?", {epoch = 1})
    bad("epochs: expected an integer of at least 0, got -1", {epochs = -1})
    bad("batch: expected an integer of at least 1, got 0", {batch = 0})
    bad("rng: expected a generator such as pg.random.new(seed), got no value", {batch = 2})
    bad("optimizer: expected one of pg.optim such as pg.optim.adam{}, got \"adam\"", {optimizer = "adam"})
    bad("on_epoch: expected a function, got number 3", {on_epoch = 3})
    bad("progress: expected a boolean, got number 1", {progress = 1})
  end)
  it("leaves nothing behind: an error in the middle of anything can be caught", function()
    local net2 = new{}
    net2.params = pg.zeros(3)
    assert.truthy(message(net2.loss, net2, x, y):find("params: expected a contiguous array of 361 elements of f64, " ..
      "got array (3,) f64", 1, true))
  end)
end)
