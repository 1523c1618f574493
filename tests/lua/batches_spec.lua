-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

describe("pg.batches", function()
  local x, y = pg.range(1, 10):reshape(5, 2), pg.range(1, 5)
  it("goes through the rows in order, as views", function()
    local sizes = {}
    for xb, yb in pg.batches(x, y, {size = 2}) do
      sizes[#sizes + 1] = #xb
      assert.equal(2 * yb[1] - 1, xb(1, 1))
      assert.equal(#xb, #yb)
    end
    assert.equal("2 2 1", table.concat(sizes, " "))
    local z = x:copy()
    for zb in pg.batches(z) do zb:assign(0) end
    assert.equal(0, z(5, 2))
    for xb, yb in pg.batches(x, {size = 5}) do
      assert.equal(5, #xb)
      assert.is_nil(yb)
    end
    assert.is_nil(pg.batches(pg.zeros(0, 2))())
  end)
  it("shuffles with a generator", function()
    -- what a generator of pg.random gives: 1..n in some order
    local rng = setmetatable({permutation = function(_, n) return pg.range(n, 1, -1) end}, {__name = "rng"})
    rng.__index = rng
    local seen = {}
    for xb, yb in pg.batches(x, y, {size = 2, rng = rng}) do
      for k = 1, #yb do
        seen[#seen + 1] = math.tointeger(yb[k])
        assert.equal(2 * yb[k] - 1, xb(k, 1))
      end
    end
    assert.equal("5 4 3 2 1", table.concat(seen, " "))
  end)
  it("takes any number of arrays, drops the last few rows, and converts", function()
    local z, seen = pg.range(1, 5) * 10, 0
    for xb, yb, zb in pg.batches(x, y, z, {size = 2, drop_last = true, dtype = "f32"}) do
      assert.equal(10 * yb[1], zb[1])
      assert.equal("f32", xb.dtype)
      seen = seen + #xb
    end
    assert.equal(4, seen)
  end)
  it("gathers rows from a stream", function()
    local pieces, k = {x:slice{1, 3}, x:slice{4, 4}, x:slice{5, 5}}, 0
    local function stream()
      k = k + 1
      return pieces[k]
    end
    local sizes, rows = {}, {}
    for xb in pg.batches(stream, {size = 2}) do
      sizes[#sizes + 1] = #xb
      rows[#rows + 1] = xb
    end
    assert.same({2, 2, 1}, sizes)
    assert.is_true(pg.concat(rows, 1):array_equal(x))
  end)
  it("says what is wrong", function()
    for call, want in pairs{
      [function() pg.batches(3) end] = "bad argument #1 to 'batches' (x: expected array, got number 3)",
      [function() pg.batches(x, pg.ones(4)) end] =
        "bad argument #2 to 'batches' (y: shape (4,) and x's (5, 2) differ in rows)",
      [function() pg.batches(x, {size = 0}) end] =
        "bad argument #2 to 'batches' (size: expected an integer of at least 1, got 0)",
      [function() pg.batches(x, y, {rng = 1}) end] =
        "bad argument #3 to 'batches' (rng: expected a generator such as pg.random.new(seed), got number 1)",
      [function() pg.batches(x, y, {sise = 1}) end] =
        "bad argument #3 to 'batches' (unknown option 'sise'; did you mean 'size'?)",
      [function() pg.batches(pg.array(1)) end] =
        "bad argument #1 to 'batches' (x: expected at least 1 axis, got shape ())",
    } do assert.equal(want, message(call)) end
  end)
end)
