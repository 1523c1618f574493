-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a)
  local out = {}
  for k, v in ipairs(a:copy():reshape(-1):totable()) do out[k] = v ~= v and "nan" or string.format("%g", v) end
  return table.concat(out, " ")
end

local nan, inf = 0 / 0, math.huge
local A = pg.array{{3, 1, 2}, {9, 7, 8}}

describe("sort", function()
  it("sorts along any axis, NaN last", function()
    assert.equal("1 2 3 7 8 9", flat(A:sort()))
    assert.equal("3 1 2 9 7 8", flat(A:sort(1)))
    assert.equal("-inf -0 0 2 inf nan nan", flat(pg.sort{nan, 2, inf, -0.0, nan, -inf, 0}))
    assert.equal("7 8 9 1 2 3", flat(A:flip():sort(2)))
    assert.equal("f32", A:astype("f32"):sort().dtype)
    assert.equal(0, pg.zeros(0, 3):sort(1).size)
    assert.equal(5, pg.sort(5):item())
  end)
  it("keeps the order of equals in argsort", function()
    assert.equal("2 3 1 2 3 1", flat(A:argsort()))
    assert.equal("2 4 1 3 5", flat(pg.argsort({1, 0, 1, 0, nan})))
    local a = pg.zeros(1000)
    for k = 1, 1000 do a[k] = (k * 7919) % 10 end
    local order, last = a:argsort(), 0
    for k = 1, 1000 do
      local i = order[k]
      assert.is_true(k == 1 or a[i] > a[last] or (a[i] == a[last] and i > last))
      last = i
    end
  end)
  it("sorts in place through out=", function()
    local a = A:copy()
    assert.equal(a, a:sort{out = a})
    assert.equal("1 2 3 7 8 9", flat(a))
    a = A:copy()
    a:argsort(2, {out = a})
    assert.equal("2 3 1 2 3 1", flat(a))
    local wide = pg.zeros(2, 6)
    A:sort(2, {out = wide:slice({}, {2, -1, 2})})
    assert.equal("0 1 0 2 0 3 0 7 0 8 0 9", flat(wide))
  end)
  it("says what is wrong", function()
    for call, want in pairs{
      [function() pg.sort(A, 3) end] = "bad argument #2 to 'sort' (axis: axes are 1..2, got 3)",
      [function() A:sort(0) end] = "bad argument #1 to 'sort' (axis: axes are 1..2: NumPy's axis=0 is 1 here)",
      [function() A:sort("x") end] = [[bad argument #1 to 'sort' (axis: expected an integer, got "x")]],
      [function() pg.sort("x") end] = [[bad argument #1 to 'sort' (a: expected array, got "x")]],
      [function() A:sort{oit = A} end] = "bad argument #1 to 'sort' (unknown option 'oit'; did you mean 'out'?)",
      [function() A:argsort(1, {out = A:astype("f32")}) end] =
        "bad argument #2 to 'argsort' (out: expected array (2, 3) f64, got array (2, 3) f32)",
      [function() A:sort(1, A) end] = "bad argument #2 to 'sort' (options: expected a table, got array (2, 3) f64)",
    } do assert.equal(want, message(call)) end
  end)
end)

describe("searchsorted", function()
  it("finds the place", function()
    local a = pg.array{1, 2, 2, 5}
    assert.equal(2, a:searchsorted(2))
    assert.equal(4, a:searchsorted(2, {side = "right"}))
    assert.equal("integer", math.type(a:searchsorted(9)))
    assert.equal("1 2 4 5 5", flat(a:searchsorted{0, 2, 3, 6, nan}))
    assert.equal("(2, 1)", tostring(a:searchsorted({{1}, {2}}).shape))
    assert.equal(1, pg.searchsorted(pg.zeros(0), 3))
    assert.equal("bad argument #1 to 'searchsorted' (a: expected 1 axis, got shape (2, 3))",
      message(pg.searchsorted, A, 1))
    assert.equal([[bad argument #2 to 'searchsorted' (side: expected one of "left", "right", got "up")]],
      message(function() a:searchsorted(1, {side = "up"}) end))
  end)
end)

describe("unique", function()
  it("finds values", function()
    local values, counts, inverse, first = pg.unique(pg.array{{3, 1, nan}, {nan, 3, 3}})
    assert.equal("1 3 nan", flat(values))
    assert.equal("1 3 2", flat(counts))
    assert.equal("2 1 3 3 2 2", flat(inverse))
    assert.equal("(2, 3)", tostring(inverse.shape))
    assert.equal("2 1 3", flat(first))
    assert.equal(0, pg.unique(pg.zeros(0)).size)
    assert.equal("f32", pg.unique(pg.ones(3, "f32")).dtype)
  end)
  it("finds rows, columns and slices", function()
    local X = pg.array{{1, 0, 1}, {0, 1, 0}, {1, 0, 1}}
    local values, counts, inverse, first = X:unique(1)
    assert.equal("0 1 0 1 0 1", flat(values))
    assert.equal("1 2", flat(counts))
    assert.equal("2 1 2", flat(inverse))
    assert.equal("2 1", flat(first))
    assert.equal("0 1 1 0 0 1", flat((X:unique(2))))
    assert.equal("0 1 1 0 0 1", flat((X.T:unique(2))))
    assert.equal("(1, 2, 3)", tostring((pg.ones(4, 2, 3):unique(1)).shape))
    assert.equal("(4, 1, 3)", tostring((pg.ones(4, 2, 3):unique(2)).shape))
    assert.equal("(4, 2, 1)", tostring((pg.ones(4, 2, 3):unique(-1)).shape))
    assert.equal("(1, 0)", tostring((pg.zeros(3, 0):unique(1)).shape))
    assert.equal("bad argument #1 to 'unique' (axis: axes are 1..2, got 3)", message(function() X:unique(3) end))
  end)
end)
