-- SPDX-License-Identifier: MIT
local pg = require "perigee"

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return (tostring(err):gsub("^[^:]+:%d+: ", ""))
end

describe("pg.pad", function()
  local a = pg.range(1, 6):reshape(2, 3)
  it("puts an array into a larger one", function()
    local y = pg.pad(a, {{1, 0}, {0, 2}})
    assert.same({{0, 0, 0, 0, 0}, {1, 2, 3, 0, 0}, {4, 5, 6, 0, 0}}, y:totable())
    assert.same({{7, 1, 2, 3}, {7, 4, 5, 6}}, a:pad({{0, 0}, {1, 0}}, {value = 7}):totable())
    assert.is_true(a.T:pad({{1, 1}}):slice({2, 4}):array_equal(a.T))
    assert.equal("(3, 3)", tostring(a:pad({{1, 0}}).shape))
    assert.equal("u8", a:astype("u8"):pad({{1, 0}}, {value = 255}).dtype)
    assert.equal("(2, 0)", tostring(pg.zeros(0, 0):pad({{1, 1}}).shape))
    assert.is_true(a:pad({}):array_equal(a))
  end)
  it("has the inner part as its derivative", function()
    local g = pg.grad(function(v) return (pg.pad(v, {{1, 0}, {0, 2}}) * pg.range(1, 15):reshape(3, 5)):sum() end)(a)
    assert.same({{6, 7, 8}, {11, 12, 13}}, g:totable())
    assert.is_true(pg.gradcheck(function(v) return pg.square(pg.pad(v, {{2, 1}}, {value = 3})):sum() end, a).ok)
  end)
  it("says what is wrong", function()
    for call, want in pairs {
      [function() pg.pad(3, {}) end] = "bad argument #1 to 'pad' (a: expected array, got number 3)",
      [function() a:pad(1) end] =
        "bad argument #1 to 'pad' (widths: expected a list of pairs {before, after}, got number 1)",
      [function() a:pad({1, 2}) end] =
        "bad argument #1 to 'pad' (widths: axis 1: expected {before, after}, got number 1)",
      [function() a:pad({{1, -1}}) end] =
        "bad argument #1 to 'pad' (widths: axis 1: expected an integer of at least 0, got number -1)",
      [function() a:pad({{0, 0}, {0, 0}, {0, 0}}) end] = "bad argument #1 to 'pad' (widths: 3 pairs for 2 axes)",
      [function() a:astype("u8"):pad({{1, 0}}, {value = -1}) end] =
        "bad argument #2 to 'pad' (value: u8 does not hold -1)",
    } do assert.equal(want, message(call)) end
  end)
end)
