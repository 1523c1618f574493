-- SPDX-License-Identifier: MIT
-- The sentences with a cure that the contract of arrays promises, one by one; and that a message
-- points to the line of the script.
local pg = require "perigee"

local a = pg.ones(2, 3)

local cases = {
  {function() a.sum() end, "bad argument #1 to 'sum' (a: expected array, got no value; write a:sum(), with a colon)"},
  {function() a.sort() end,
    "bad argument #1 to 'sort' (a: expected array, got no value; write a:sort(), with a colon)"},
  {function() a:sum(0) end, "bad argument #1 to 'sum' (axis: axes are 1..2: NumPy's axis=0 is 1 here)"},
  {function() pg.sum(a, 3) end, "bad argument #2 to 'sum' (axis: axes are 1..2, got 3)"},
  {function() return a * pg.ones(3, 4) end,
    "operands could not be broadcast together with shapes (2, 3) (3, 4); the matrix product is a:dot(b)"},
  {function() return a + pg.ones(2, 4) end, "operands could not be broadcast together with shapes (2, 3) (2, 4)"},
  {function() return a + "x" end, 'b: expected array or number, got "x"'},
  {function() return a:summ() end, "array has no field or method 'summ'; did you mean 'sum'?"},
  {function() return a.shap end, "array has no field or method 'shap'; did you mean 'shape'?"},
  {function() return pg.summ(a) end, "pg has no 'summ'; did you mean 'sum'?"},
  {function() return pg.linalg.slove(a, a) end, "pg.linalg has no 'slove'; did you mean 'solve'?"},
  {function() return pg.random.generator(1) end, "pg.random has no 'generator'"},
  {function() return pg.lstm.neww{} end, "pg.lstm has no 'neww'; did you mean 'new'?"},
  {function() a.x = 1 end, 'an array has no field "x" to set'},
  {function() return a < a end,
    "arrays have no order: a < b is written a:lt(b), a > b is a:gt(b), which give 0 and 1; "
    .. "any() or all() of that is a condition"},
  {function() return a <= a end,
    "arrays have no order: a <= b is written a:le(b), a >= b is a:ge(b), which give 0 and 1; "
    .. "any() or all() of that is a condition"},
  {function() return a[a] end, "an array cannot be an index: a:take(indices) takes elements by index, "
    .. "a:compress(mask) by a mask"},
  {function() return a[5] end, "index 5 is out of range on axis 1 of shape (2, 3)"},
  {function() return a[0] end, "index 0 is out of range on axis 1 of shape (2, 3): indices count from 1"},
  {function() return a(1) end, "expected 2 indices for shape (2, 3), got 1"},
  {function() a[1] = pg.ones(4) end, "cannot assign shape (4,) to shape (3,)"},
  {function() return a:reshape(4, 2) end,
    "bad argument #1 to 'reshape' (cannot reshape (2, 3) of 6 elements into (4, 2))"},
  {function() return a:item() end, "bad self in call to 'item' (a: expected one element, got array (2, 3) f64)"},
  {function() a:sum(1, {keepdim = true}) end,
    "bad argument #2 to 'sum' (unknown option 'keepdim'; did you mean 'keepdims'?)"},
  {function() a:sum(a) end,
    "bad argument #1 to 'sum' (axis: expected an integer or a table of them, got array (2, 3) f64)"},
  {function() a:sum(1, a) end, "bad argument #2 to 'sum' (options: expected a table, got array (2, 3) f64)"},
  {function() pg.add(a, a, pg.ones(3)) end,
    "bad argument #3 to 'add' (out: expected array (2, 3) f64, got array (3,) f64)"},
  {function() pg.add(a, a, a:astype("f32")) end,
    "bad argument #3 to 'add' (out: expected array (2, 3) f64, got array (2, 3) f32)"},
  {function() return pg.array{1, 2, dtype = "f32"} end,
    "bad argument #1 to 'array' (t: the dtype stands behind the table: {...}, \"f32\")"},
  {function() return pg.zeros{2, 3, dtype = "f32"} end,
    "bad argument #1 to 'zeros' (shape: the dtype stands behind the table: {...}, \"f32\")"},
  {function() return pg.range(1, math.huge) end, "bad argument #2 to 'range' (b: expected a finite number, got inf)"},
  {function() return a:assign() end,
    "bad argument #1 to 'assign' (v: expected a number, an array or a table, got no value)"},
  {function() return a:astype() end,
    "bad argument #1 to 'astype' (dtype: expected \"f64\", \"f32\", \"bool\" or \"u8\", got no value)"},
  {function() return a:slice({1, 2, 1, 1}) end,
    "slice of axis 1: expected {}, {k} or {j, k [, step]}, got a table of 4"},
  {function() return pg.bincount(pg.array{1e18}) end, "bad argument #1 to 'bincount' (x: element 1 is "
    .. "1000000000000000000, expected an integer of at least 1, and of at most 2^53)"},
  {function() return pg.zeros(0):max() end, "max: no element to choose from in an array of shape (0,)"},
  {function() pg.concat(a, a) end,
    "bad argument #1 to 'concat' (list: expected a table of arrays, got array (2, 3) f64; write {a, b}, in braces)"},
  {function() a:take(0) end,
    "bad argument #1 to 'take' (idx: 0 is no index of axis 1, which has 2: indices count from 1)"},
}

describe("an error", function()
  for _, case in ipairs(cases) do
    it("says: " .. case[2], function()
      local ok, err = pcall(case[1])
      assert.is_false(ok)
      local file, message = tostring(err):match("^(.-):%d+: (.*)$")
      assert.equal(case[2], message)
      assert.matches("errors_spec.lua$", file)
    end)
  end
  it("leaves the array as it was", function()
    assert.equal(6, a:sum())
    assert.equal("(2, 3)", tostring(a.shape))
  end)
end)
