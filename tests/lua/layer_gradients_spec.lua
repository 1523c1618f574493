-- SPDX-License-Identifier: MIT
--
-- Gradients through convolutions, pooling, norms, attention and dense layers against differences.
local pg = require "perigee"

local rng = pg.random.new(17)
local function N(...) return rng:standard_normal(...) end

-- Checks the gradient by each array of the list of sum(sin(f(...))).
local function check(f, ...)
  local operands = {...}
  for k = 1, #operands do
    local function loss(v)
      local given = {table.unpack(operands)}
      given[k] = v
      return pg.sin(f(table.unpack(given))):sum()
    end
    local r = pg.gradcheck(loss, pg.grad(loss)(operands[k]), operands[k])
    assert.is_true(r.ok, "operand " .. k)
  end
end

describe("a gradient goes through", function()
  local x, w, b = N(2, 4, 6, 5), N(6, 2, 3, 2), N(6)
  it("conv2d, also by its bias, and twice", function()
    local o = {groups = 2, stride = {2, 1}, padding = {1, 0}, dilation = {1, 2}}
    check(function(p, q, c)
      return pg.conv2d(p, q, {bias = c, groups = 2, stride = {2, 1}, padding = {1, 0}, dilation = {1, 2}})
    end, x, w, b)
    check(function(p, q) return p:conv2d(q, {groups = 2}) end, x, w)
    local function penalty(p, q)
      return pg.grad(function(v) return pg.sin(v:conv2d(q, o)):sum() end)(p)
    end
    check(penalty, x, w)
    check(function(q) return pg.grad(function(v) return pg.sin(x:conv2d(v, o)):sum() end)(q) end, w)
    local none = pg.grad(function(v) return (x:conv2d(v, {groups = 2, bias = b})):sum() end)(w)
    assert.equal("(6, 2, 3, 2)", tostring(none.shape))
  end)
  it("conv1d and conv_transpose2d", function()
    local function along(p, q, c) return pg.conv1d(p, q, {bias = c, stride = 2, padding = 1}) end
    check(along, N(2, 3, 7), N(4, 3, 3), N(4))
    local function up(p, q, c)
      return p:conv_transpose2d(q, {bias = c, stride = 2, padding = 1, output_padding = {1, 0}})
    end
    check(up, N(2, 3, 3, 4), N(3, 2, 3, 2), N(2))
    check(function(p, q) return pg.grad(function(v) return pg.sin(up(v, q)):sum() end)(p) end,
      N(1, 2, 3, 2), N(2, 2, 3, 2))
  end)
  it("pooling and upsampling", function()
    check(function(p) return p:max_pool2d(2) end, x)
    check(function(p) return p:avg_pool2d({3, 2}, {stride = 2, padding = 1, count_include_pad = false}) end, x)
    check(function(p) return p:upsample2d(2) end, x)
    check(function(p) return p:upsample2d({9, 7}, {mode = "bilinear", align_corners = true}) end, x)
    check(function(p) return pg.grad(function(v) return pg.square(v:avg_pool2d(2)):sum() end)(p) end, x)
    check(function(p) return pg.grad(function(v) return pg.square(v:upsample2d(2)):sum() end)(p) end, x)
  end)
  it("norms and attention", function()
    check(function(p, q, c) return pg.layer_norm(p, q, c, {eps = 1e-3}) end, N(3, 4, 5), N(5), N(5))
    check(function(p) return p:layer_norm() end, N(3, 5))
    check(function(p, q, c) return pg.group_norm(p, 2, q, c) end, x, N(4), N(4))
    check(function(q, k, v) return q:attention(k, v, {causal = true}) end, N(2, 4, 3), N(2, 4, 3), N(2, 4, 2))
  end)
  it("what layers are made of", function()
    check(pg._layer.linear, N(2, 3, 4), N(5, 4), N(5))
    check(function(p) return pg._layer.cross_entropy(p, pg.array{1, 4, 2}, {smoothing = 0.1}) end, N(3, 4))
  end)
end)
