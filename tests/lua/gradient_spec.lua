-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message
local function near(want, got, tolerance)
  assert.is_true(math.abs(want - got) <= (tolerance or 1e-14) * math.max(1, math.abs(want)),
    string.format("expected %.17g, got %.17g", want, got))
end

describe("grad", function()
  it("gives numbers, arrays and tables for what it was given", function()
    near(math.cos(1), pg.grad(pg.sin)(1))
    local v, g = pg.value_and_grad(function(x) return (x * x):sum() end)(pg.array{1, 2, 3})
    assert.equal(14.0, v)
    assert.same({2, 4, 6}, g:totable())
    local t = pg.grad(function(p) return (p.w * p.deep[1]):sum() * p.n end){w = pg.array{1, 2},
      deep = {pg.array{3, 4}}, n = 2}
    assert.same({6, 8}, t.w:totable())
    assert.same({2, 4}, t.deep[1]:totable())
    assert.is_nil(t.n)
  end)
  it("nests to any order", function()
    local f = pg.sin
    for _, want in ipairs{math.cos(0.7), -math.sin(0.7), -math.cos(0.7), math.sin(0.7)} do
      f = pg.grad(f)
      near(want, f(0.7), 1e-13)
    end
  end)
  it("keeps an inner gradient apart from an outer one (Siskind and Pearlmutter)", function()
    assert.equal(1.0, pg.grad(function(x) return x * pg.grad(function(y) return x + y end)(1) end)(2))
    assert.equal(72.0, pg.grad(function(x) return x * x * pg.grad(function(y) return x * y * y end)(3) end)(2))
  end)
  it("says what is wrong", function()
    local function check(want, f, x) assert.equal(want, message(f, x)) end
    check("bad argument #1 to 'grad' (f: expected a function, got number 3)", pg.grad, 3)
    check("grad: f returned number 3 that does not depend on x", pg.grad(function() return 3 end), 1)
    check("grad: the first result of f is no value; write return", pg.grad(function() end), 1)
    check("value_and_grad: f returned array (2,) f64, expected a number; :sum() or :mean() makes one",
      pg.value_and_grad(function(x) return x * 2 end), pg.ones(2))
    check("unique has no derivative here; a:detach() takes the value alone",
      pg.grad(function(x) return pg.unique(x):sum() end), pg.ones(2))
    check("bad argument #1 to 'sqrt' (expected number, got array: inside a gradient a:item() is the value)",
      pg.grad(function(x) return math.sqrt(x) end), 1)
  end)
  it("refuses to write where a gradient is being taken", function()
    local taken = "cannot write to an array that a gradient is being taken of: " ..
      "a:with({2, {}}, v) gives a new one, pg.stack joins rows"
    local function check(want, f)
      assert.equal(want, message(pg.grad(f), pg.ones(3)))
      assert.same({1, 1, 1}, pg.grad(function(x) return x:sum() end)(pg.ones(3)):totable())
    end
    check(taken, function(x) x[1] = 3 return x:sum() end)
    check(taken, function(x) local y = x * 2 y[{{1, 2}}] = 3 return y:sum() end)
    check(taken, function(x) local y = x * 2 y:slice({2, 3}):assign(0) return y:sum() end)
    check("cannot write to this array before the gradient is done: its value is needed (used by 'mul')",
      function(x) local h = pg.ones(3) local y = x * h h:set(1, 3) return y:sum() end)
    check("cannot write into an array what a gradient is being taken of: " ..
      "a:with({2, {}}, v) gives a new one, pg.stack joins rows",
      function(x) local h = pg.ones(3) h[1] = x[2] return h:sum() end)
  end)
  it("may not be left by a yield", function()
    local ok, err = coroutine.wrap(function()
      return pcall(pg.grad(function(x) coroutine.yield() return x:sum() end), pg.ones(2))
    end)()
    assert.is_false(ok)
    assert.equal("attempt to yield across a gradient", err)
  end)
end)

describe("value_and_grad", function()
  -- A net by hand, as pg.nn's are: one array of parameters, views of it by name.
  local function make(dtype)
    local net = {params = pg.random.new(3):uniform(-1, 1, 17):astype(dtype or "f64"), grads = pg.zeros(17,
      dtype or "f64")}
    local views = {params = {}, grads = {}}
    for which, t in pairs(views) do
      local a = net[which]
      t.w1, t.b1, t.w2, t.b2 = a:slice({1, 8}):reshape(2, 4), a:slice({9, 12}), a:slice({13, 16}), a:slice({17})
    end
    net.named = function(_, which) return views[which or "params"] end
    net.names = function() return {"w1", "b1", "w2", "b2"} end
    local p = views.params
    net.forward = function(x) return pg.tanh(x:dot(p.w1) + p.b1):dot(p.w2) + p.b2 end
    return net
  end
  local X, y = pg.array{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, pg.array{0, 1, 1, 0}
  local function loss(net) return pg.square(net.forward(X) - y):mean() end

  it("writes a net's gradient into net.grads", function()
    local net = make()
    local value, g = pg.value_and_grad(loss)(net)
    assert.is_true(rawequal(g, net.grads))
    assert.is_number(value)
    assert.is_true(pg.gradcheck(function(p) net.params:assign(p) return loss(net) end, g:copy(), net.params:copy()).ok)
    -- The same by the flat array, and by both.
    local decay = function(n) return (n.params * n.params):sum() end
    pg.value_and_grad(decay)(net)
    assert.is_true(pg.allclose(net.grads, 2 * net.params))
    local before = pg.grad(loss)(net):copy()
    pg.value_and_grad(function(n) return loss(n) + decay(n) end)(net)
    assert.is_true(pg.allclose(net.grads, before + 2 * net.params))
  end)
  it("trains a net", function()
    local net = make()
    local step, opt = pg.value_and_grad(loss), pg.optim.adam{lr = 0.05}
    local first = step(net)
    for _ = 1, 200 do
      local _, g = step(net)
      opt:step(net.params, g)
    end
    assert.is_true(step(net) < first / 100)
  end)
  it("differentiates a gradient by a net again", function()
    local net = make()
    local slope = pg.grad(loss)
    local function penalty(n) local g = slope(n) return (g * g):sum() end
    local g = pg.grad(penalty)(net):copy()
    local function plain(p) net.params:assign(p) return penalty(net) end
    assert.is_true(pg.gradcheck(plain, g, net.params:copy()).ok)
  end)
  it("says what of a net the loss leaves out", function()
    local net = make()
    local function half(n) return (n:named().w1 * 2):sum() end
    assert.equal('value_and_grad: the loss does not depend on b1, w2, b2; {unused = "zero"} gives them 0',
      message(pg.value_and_grad(half), net))
    local _, g = pg.value_and_grad(half, {unused = "zero"})(net)
    assert.equal(16.0, g:sum())
    assert.equal('value_and_grad: the loss does not depend on b; {unused = "zero"} gives it 0',
      message(pg.value_and_grad(function(p) return p.a:sum() end), {a = pg.ones(2), b = pg.ones(2)}))
    assert.equal('grad: the loss does not depend on a, b and 3 more; {unused = "zero"} gives them 0',
      message(pg.grad(function(p) return p.f:sum() end), {a = pg.ones(1), b = pg.ones(1), c = pg.ones(1),
        d = pg.ones(1),
        e = pg.ones(1), f = pg.ones(1)}))
  end)
  it("takes several arguments and hands on what else f returns", function()
    local f = pg.value_and_grad(function(a, b, c)
      return (a * b):sum() * c, b * 2, "more", a:sum() end, {argnums = {1, 2}})
    local v, ga, gb, extra, word, number = f(pg.array{1, 2}, pg.array{3, 4}, 2)
    assert.equal(22.0, v)
    assert.same({6, 8}, ga:totable())
    assert.same({2, 4}, gb:totable())
    assert.same({6, 8}, extra:totable())
    assert.equal("more", word)
    assert.equal(3.0, number)
    assert.equal(2.0, pg.grad(function(a, b) return a * b end, {argnums = {2}})(2, 5))
    assert.same({0, 0}, pg.grad(function() return 1 end, {unused = "zero"})(pg.ones(2)):totable())
  end)
  it("keeps dtypes, and gives arrays that are nobody else's", function()
    local x = pg.array({1, 2}, "f32")
    local g = pg.grad(function(v) return (v * pg.array{3, 4}):sum() end)(x)
    assert.equal("f32", g.dtype)
    local ga, gb = pg.grad(function(a, b) return (a + b):sum() end, {argnums = {1, 2}})(pg.ones(2), pg.ones(2))
    ga[1] = 5
    assert.same({1, 1}, gb:totable())
    g = pg.grad(function(v) return v:sum() end)(pg.ones(3))
    g[1] = 7
    assert.same({7, 1, 1}, g:totable())
  end)
  it("forgets everything afterwards", function()
    local kept
    pg.grad(function(v) kept = v * 2 return kept:sum() end)(pg.ones(3))
    kept[1] = 5
    assert.equal(0, pg._tape.node(kept))
    assert.equal(9.0, kept:sum())
  end)
  it("finds the first NaN with check", function()
    local f = pg.value_and_grad(function(p)
      local z = p.a * 1
      return (pg.log(z) * p.b):sum()
    end, {check = true})
    local err = message(f, {a = pg.array{-1, 1}, b = pg.ones(2)})
    local want = "^value_and_grad: the gradient of b is nan; the first nan came from 'log' at line %d+$"
    assert.is_truthy(err:match(want), err)
    assert.equal(0.0, (f{a = pg.array{1, 1}, b = pg.ones(2)}))
    local nn = pg.nn
    local net = nn.model({encoder = nn.linear(3, 2), decoder = nn.linear(3, 2)}, pg.random.new(1))
    local g = pg.value_and_grad(function(t)
      return pg.log(t.net.encoder(t.x) * 0):sum() + t.net.decoder(t.x):sum()
    end, {check = true})
    err = message(g, {net = net, x = pg.ones({4, 3}, "f32")})
    want = "the gradient of net.encoder.weight is nan; the first inf came from 'log' at line %d+$"
    assert.is_truthy(err:match(want), err)
    err = message(pg.value_and_grad(function(m) return pg.log(m.encoder(pg.ones({4, 3}, "f32")) * 0):sum() end,
      {check = true, unused = "zero"}), net)
    assert.is_truthy(err:match("the gradient of encoder.weight is nan"), err)
  end)
  it("names wrong arguments", function()
    local function check(want, ...) assert.equal(want, message(...)) end
    check("bad argument #2 to 'grad' (unknown option 'argnum'; did you mean 'argnums'?)", pg.grad, pg.sin, {argnum = 1})
    check('bad argument #2 to \'grad\' (unused: expected one of "error", "zero", got "no")', pg.grad, pg.sin,
      {unused = "no"})
    check("bad argument #2 to 'grad' (argnums: expected an integer of at least 1, got 0)", pg.grad, pg.sin,
      {argnums = 0})
    check("bad argument #1 to 'grad' (x: expected a number, an array, a table of them or a net, got \"a\")",
      pg.grad(pg.sin), "a")
    check("grad: there is no array in x", pg.grad(pg.sin), {})
  end)
end)

describe("vjp, jvp, jacobian, hessian and hvp", function()
  local x = pg.array{0.5, 1, 2}
  it("agree with formulas", function()
    local y, pull = pg.vjp(pg.sin, x)
    assert.is_true(pg.array_equal(y, pg.sin(x)))
    assert.is_true(pg.allclose(pull(pg.array{1, 2, 3}), pg.cos(x) * pg.array{1, 2, 3}, {rtol = 1e-15}))
    assert.equal(6.0, select(2, pg.vjp(function(v) return v * v end, 3))(1))
    local value, along = pg.jvp(pg.sin, x, pg.array{1, 2, 3})
    assert.is_true(pg.array_equal(value, pg.sin(x)))
    assert.is_true(pg.allclose(along, pg.cos(x) * pg.array{1, 2, 3}, {rtol = 1e-15}))
    local v, d = pg.jvp(function(a) return (a * a):sum() end, x, pg.array{1, 0, 1})
    assert.equal(5.25, v)
    assert.equal(5.0, d)
    assert.same({0, 0, 0}, select(2, pg.jvp(function() return pg.ones(3) end, x, x)):totable())
    assert.same({{1, 0.5, 0}, {0, 0, 4}}, pg.jacobian(function(a)
      return pg.stack{a[1] * a[2], a[3] ^ 2} end)(x):totable())
    assert.same({2, 2, 3}, {pg.jacobian(function(a) return a[{{1, 2}}]:expand_dims(1) * pg.ones(2, 1) end)(x):dims()})
    assert.same({{3, 1, 0}, {1, 6, 0}, {0, 0, 12}},
      pg.hessian(function(a) return (a ^ 3):sum() + a[1] * a[2] end)(x):totable())
    assert.same({3, 1, 0}, pg.hvp(function(a) return (a ^ 3):sum() + a[1] * a[2] end, x, pg.array{1, 0, 0}):totable())
    near(-math.sin(1), pg.hessian(pg.sin)(1))
    near(math.cos(1), pg.jacobian(pg.sin)(1))
  end)
  it("agree with differences, and Hessians are symmetric", function()
    local w = pg.random.new(5):uniform(-1, 1, 3, 3)
    local function f(a) return pg.exp(pg.tanh(w:dot(a)) * a):sum() end
    local H = pg.hessian(f)(x)
    assert.is_true(pg.allclose(H, H.T, {rtol = 0, atol = 1e-12}))
    local slope = pg.grad(f)
    for i = 1, 3 do
      assert.is_true(pg.gradcheck(function(a) return slope(a)[i] end, H[i]:copy(), x:copy()).ok)
    end
    local along = pg.array{0.3, -1, 0.2}
    local _, d = pg.jvp(slope, x, along)
    assert.is_true(pg.allclose(d, H:dot(along), {rtol = 1e-12}))
    assert.is_true(pg.allclose(pg.hvp(f, x, along), H:dot(along), {rtol = 1e-12}))
    assert.is_true(pg.allclose(pg.jacobian(slope)(x), H, {rtol = 1e-14}))
    -- Within another gradient.
    local trace = pg.grad(function(a) return pg.hessian(f)(a):trace() end)(x)
    assert.is_true(pg.gradcheck(function(a) return pg.hessian(f)(a):trace() end, trace, x:copy()).ok)
    local third = pg.grad(function(a) local _, v = pg.jvp(f, a, along) return v end)(x)
    assert.is_true(pg.allclose(third, H:dot(along), {rtol = 1e-12}))
    local pulled = pg.grad(function(a) local _, pull = pg.vjp(pg.sin, a) return (pull(along) * a):sum() end)(x)
    assert.is_true(pg.allclose(pulled, along * (pg.cos(x) - x * pg.sin(x)), {rtol = 1e-14}))
  end)
end)

describe("custom_vjp, checkpoint and detach", function()
  local x = pg.array{0.5, 1, 2}
  it("custom_vjp takes the derivative that it is given", function()
    local cube = pg.custom_vjp(function(a, b) return a * a * b, a end,
      function(g, saved, a, b) return g * 2 * saved * b, g * a * a end)
    assert.is_true(pg.allclose(pg.grad(function(a) return cube(a, a):sum() end)(x), 3 * x * x))
    assert.is_true(pg.array_equal(cube(x, x), x * x * x))
    local five = pg.custom_vjp(function(a) return a * 2 end, function(g) return g * 5 end)
    assert.equal(5.0, pg.grad(five)(1))
    near(6.0, pg.grad(pg.grad(function(a) return cube(a, a) end))(1))
    assert.equal("custom_vjp: backward gave 1 gradient for 2 arguments", message(pg.grad(function(a)
      return pg.custom_vjp(function(p, q) return p * q end, function(g) return g end)(a, 2):sum()
    end), x))
    assert.is_truthy(message(pg.grad(function(a)
      local w = a * 2
      return pg.custom_vjp(function(p) return p * w end, function(g) return g end)(a):sum()
    end), x):find("without being an argument", 1, true))
  end)
  it("custom_vjp's forward may take gradients of its own, but not use what is differentiated outside", function()
    local f = pg.custom_vjp(function(a)
      local g = pg.grad(function(v) return (v * v):sum() end)(a)
      return (g * g):sum()
    end, function(gy, _, a) return gy * a * 8 end)
    local at = pg.array{1, 3}
    assert.equal(40.0, f(at))
    assert.same({8, 24}, pg.grad(f)(at):totable())
    assert.is_true(pg.gradcheck(f, at).ok)
    local ok, err = pcall(pg.grad(function(v)
      return pg.custom_vjp(function(w) return (w * v):sum() end, function(gy, _, w) return gy * w end)(v)
    end), at)
    assert.is_false(ok)
    assert.truthy(err:find("is used without being an argument", 1, true), err)
  end)
  it("checkpoint gives the same gradient, of any order", function()
    local function f(a) return pg.exp(pg.sin(a)) * a end
    local function g(a) return pg.checkpoint(f, a):sum() end
    local function h(a) return f(a):sum() end
    assert.is_true(pg.array_equal(pg.grad(g)(x), pg.grad(h)(x)))
    assert.is_true(pg.allclose(pg.hessian(g)(x), pg.hessian(h)(x), {rtol = 1e-14}))
    local rng = pg.random.new(4)
    local noise = pg.random.new(4):standard_normal(3)
    assert.is_true(pg.array_equal(noise, pg.grad(function(a)
      return pg.checkpoint(function(b, r) return b * r:standard_normal(3) end, a, rng):sum()
    end)(x)))
    local again = pg.random.new(4)
    again:standard_normal(3)
    assert.equal(again:random(), rng:random())
    local two = pg.grad(function(a)
      local s, c = pg.checkpoint(function(b) return pg.sin(b), pg.cos(b):sum() end, a)
      return s:sum() * c
    end)(x)
    assert.is_true(pg.allclose(two, pg.cos(x) * pg.cos(x):sum() - pg.sin(x) * pg.sin(x):sum(), {rtol = 1e-14}))
  end)
  it("detach passes gradients straight through", function()
    local function hard(a) return a + (a:gt(0) - a):detach() end
    assert.same({1, 1, 1}, pg.grad(function(a) return hard(a):sum() end)(x):totable())
    assert.same({0.5, 1, 2}, pg.grad(function(a) return (pg.detach(a) * a):sum() end)(x):totable())
  end)
end)

describe("a gradient that fails", function()
  local x = pg.ones(3)
  local function works()
    assert.same({2, 2, 2}, pg.grad(function(a) return (a * a):sum() end)(x):totable())
    x[1] = 1
  end
  it("leaves nothing behind", function()
    local kept
    for _, f in ipairs{function(a) kept = a * 2 error("mine") end,
      function(a) kept = a * 2 return kept end,
      function(a) kept = a * 2 return pg.grad(function(b) return (b * kept):sum() + error("inner") end)(a) end,
      function(a) kept = a * 2 return pg.custom_vjp(pg.exp, function() error("backward") end)(kept):sum() end} do
      assert.is_false(pcall(pg.grad(f), x))
      assert.equal(0, pg._tape.node(kept))
      assert.equal(0, (pg._tape.open()))
      kept[1] = 3
      works()
    end
  end)
  it("goes on after an error that f caught", function()
    assert.same({2, 2, 2}, pg.grad(function(a)
      pcall(pg.grad(function(b) return b:sum() + error("inner") end), a)
      pcall(function() a[1] = 3 end)
      return (a * a):sum()
    end)(x):totable())
  end)
  it("may be taken in a coroutine, and a coroutine within it", function()
    local g = coroutine.wrap(function() return pg.grad(function(a) return (a * a):sum() end)(x) end)()
    assert.same({2, 2, 2}, g:totable())
    g = pg.grad(function(a)
      local each = coroutine.wrap(function() for k = 1, 3 do coroutine.yield(a[k] * k) end end)
      return each() + each() + each()
    end)(x)
    assert.same({1, 2, 3}, g:totable())
    local stuck = coroutine.create(function() return pg.grad(function() error("here") end)(x) end)
    assert.is_false((coroutine.resume(stuck)))
    works()
  end)
  it("may be interrupted anywhere, within f and within the backward pass", function()
    local f = pg.value_and_grad(function(p)
      local y = pg.tanh(p.a * p.b)
      return (y * y[1]):sum() + pg.grad(function(v) return (v * y):sum() end)(p.b):sum()
    end)
    local p = {a = pg.array{0.1, 0.2, 0.3}, b = pg.array{1, 2, 3}}
    local want, slope = f(p)
    local hook, mask, count = debug.gethook()
    local stopped, done = 0, false
    for n = 1, 100000, 3 do
      local ok, value, g = pcall(function()
        debug.sethook(function() debug.sethook() error("interrupted!") end, "", n)
        local v, s = f(p)
        debug.sethook()
        return v, s
      end)
      debug.sethook(hook, mask, count)
      assert.equal(0, (pg._tape.open()))
      if ok then
        assert.equal(want, value)
        assert.is_true(pg.array_equal(slope.a, g.a) and pg.array_equal(slope.b, g.b))
        done = true
        break
      end
      assert.is_truthy(value:find("interrupted!", 1, true), value)
      stopped = stopped + 1
      p.a[1] = 0.1
    end
    assert.is_true(done and stopped > 100)
    works()
  end)
  it("keeps memory flat", function()
    local f = pg.value_and_grad(function(a) return (pg.exp(a * a):sum() + a[1]) / 2 end)
    local a = pg.ones(200)
    local held
    for i = 1, 3000 do
      f(a)
      if i % 1000 == 0 then
        collectgarbage()
        collectgarbage()
        local now = collectgarbage("count")
        assert.is_true(held == nil or now < held + 20, held and now - held)
        held = now
      end
    end
  end)
end)

describe("inside a gradient", function()
  local x = pg.array{1.5, 2, 3}
  it("values can be looked at", function()
    local seen = {}
    pg.grad(function(a)
      local y = a * 2
      seen = {tostring(y), y:totable(), y:sum():item(), #y, y.shape, y:argmax(), y:gt(3):totable(), pg.tostring(y),
        y:allclose(y), "y " .. y:sum(), tostring(y:sum())}
      for _, v in ipairs(y) do seen[#seen + 1] = v:item() end
      return y:sum()
    end)(x)
    assert.equal(" 3  4  6\n[3 f64]", seen[1])
    assert.same({3, 4, 6}, seen[2])
    assert.equal(13.0, seen[3])
    assert.equal(3, seen[6])
    assert.same({0, 1, 1}, pg.array(seen[7]):totable())
    assert.equal(6.0, seen[14])
  end)
  it("an array that a gradient needs cannot be written by any function", function()
    local function refuses(f)
      local err = message(pg.grad(f), x)
      assert.is_truthy(err:find("^cannot write") or err:find("out:", 1, true) or err:find("no derivative", 1,
        true), err)
    end
    refuses(function(a) local y = a * 2 pg.add(pg.ones(3), 1, y) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.add(pg.ones(3), 1, h) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.ones(1, 3):sum(1, {out = h}) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.sort(pg.ones(3), {out = h}) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.random.new(1):shuffle(h) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.optim.sgd{lr = 1}:step(h, pg.ones(3))
      return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.optim.adam{lr = 1}:step(h, pg.ones(3))
      return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h pg.optim.clip_norm(h, 0.1) return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local y = a * h:flip() h[1] = 0 return y:sum() end)
    refuses(function(a) local h = pg.ones(3) local v = h:slice({1}) local y = a * h v[1] = 0 return y:sum() end)
    refuses(function(a) x[1] = 3 return a:sum() end)
    refuses(function(a) return pg.add(a, 1, pg.zeros(3)):sum() end)
    refuses(function(a) return pg.sum(a:expand_dims(1), 1, {out = pg.zeros(3)}):sum() end)
    refuses(function(a) return pg.dot(pg.eye(3), a, pg.zeros(3)):sum() end)
    refuses(function(a) return pg.random.new(1):shuffle(a * 2) end)
    assert.equal(1.5, x[1])
  end)
  it("numbers are asked for with their cure, and pictures show values", function()
    local function check(want, f) assert.is_truthy(message(pg.grad(f), x):find(want, 1, true)) end
    check("expected a number, got array () f64: inside a gradient a:item() is the value",
      function(a) return pg.full({2}, a:sum()) end)
    check("inside a gradient a:item() is the value", function(a) return a:sum() < 3 end)
    check("inside a gradient a:item() is the value", function(a) return string.format("%g", a:sum()) end)
    pg.grad(function(a)
      pg.plot.figure{}:line(a):heatmap(a:expand_dims(1))
      assert.equal(255, pg.image.collage(a:reshape(1, 1, 3)):max())
      return a:sum()
    end)(x)
  end)
  it("what has no derivative says so", function()
    local function refuses(what, f) assert.is_truthy(message(pg.grad(f), x):find(what, 1, true),
      message(pg.grad(f), x)) end
    refuses("unique has no derivative here", function(a) return pg.unique(a) end)
    refuses("histogram has no derivative here", function(a) return pg.histogram(a) end)
    refuses("linalg.cond has no derivative here", function(a) return pg.linalg.cond(pg.diag(a)) end)
    refuses("an array that a gradient is being taken of stands in a table", function(a)
      return pg.array{a[1], a[2]}:sum() end)
    refuses("has no derivative by argument 2", function(a) return pg.quantile(pg.ones(3), a[1] / 9) end)
  end)
end)
