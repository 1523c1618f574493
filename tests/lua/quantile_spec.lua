-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a)
  local out = {}
  for k, v in ipairs(a:copy():reshape(-1):totable()) do out[k] = v ~= v and "nan" or string.format("%g", v) end
  return table.concat(out, " ")
end

local A = pg.array{{3, 1, 2}, {9, 7, 8}}

describe("median and quantile", function()
  it("reduce over axes", function()
    assert.equal(5, pg.median(A))
    assert.equal("6 4 5", flat(A:median(1)))
    assert.equal("2 8", flat(A.T:median(-2)))
    assert.equal("(2, 1)", tostring(A:median(2, {keepdims = true}).shape))
    assert.equal("(1, 1)", tostring(A:median({keepdims = true}).shape))
    assert.equal(5, A:median{1, 2})
    assert.equal("f32", A:astype("f32"):median(1).dtype)
    assert.equal("nan 2", flat(pg.array{{1, 0 / 0}, {2, 2}}:median(2)))
    assert.is_true(pg.median(pg.zeros(0)) ~= pg.median(pg.zeros(0)))
    assert.equal(0, pg.zeros(0, 3):median(2).size)
    local out = pg.zeros(3)
    assert.equal(out, A:median(1, {out = out}))
    assert.equal("6 4 5", flat(out))
  end)
  it("interpolate linearly", function()
    assert.equal(2.25, A:quantile(0.25))
    assert.equal("1 7 2 8 3 9", flat(A:quantile({0, 0.5, 1}, 2)))
    assert.equal("(3, 2)", tostring(A:quantile({0, 0.5, 1}, 2).shape))
    assert.equal("(3, 2, 1)", tostring(A:quantile(pg.array{0, 0.5, 1}, 2, {keepdims = true}).shape))
    assert.equal("(0,)", tostring(A:quantile(pg.zeros(0)).shape))
    assert.equal("1", flat(A:quantile(pg.array{0})))
  end)
  it("say what is wrong", function()
    for call, want in pairs{
      [function() A:quantile(50) end] =
        "bad argument #1 to 'quantile' (q: expected a number in [0, 1], got 50: a fraction, not percent)",
      [function() A:quantile({0.5, -1}) end] =
        "bad argument #1 to 'quantile' (q: element 2 is -1, expected a number in [0, 1])",
      [function() A:quantile() end] =
        "bad argument #1 to 'quantile' (q: expected a number in [0, 1] or an array of them, got no value)",
      [function() A:median(3) end] = "bad argument #1 to 'median' (axis: axes are 1..2, got 3)",
      [function() A:median{1, 1} end] = "bad argument #1 to 'median' (axis: 1 is given twice)",
      [function() A:median(1, {keepdim = true}) end] =
        "bad argument #2 to 'median' (unknown option 'keepdim'; did you mean 'keepdims'?)",
      [function() A:median(1, {out = A}) end] =
        "bad argument #2 to 'median' (out: expected array (3,) f64, got array (2, 3) f64)",
      [function() A:median(1, {keepdims = 1}) end] =
        "bad argument #2 to 'median' (keepdims: expected true or false, got number 1)",
    } do assert.equal(want, message(call)) end
  end)
end)
