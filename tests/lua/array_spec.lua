-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a) return table.concat(a:reshape(-1):totable(), " ") end

describe("creation", function()
  it("takes nested tables, numbers, arrays and rows that are arrays", function()
    local a = pg.array{{1, 2, 3}, {4, 5, 6}}
    assert.equal("(2, 3)", tostring(a.shape))
    assert.equal("f64", a.dtype)
    assert.equal("1.0 2.0 3.0 4.0 5.0 6.0", flat(a))
    assert.equal(0, pg.array(2.385).ndim)
    assert.equal(2.385, pg.array(2.385):item())
    assert.equal("1.0 2.0 3.0 4.0 5.0 6.0", flat(pg.array{a[1], a[2]}))
    assert.equal("1.0 0.0", flat(pg.array{true, false}))
    assert.equal("(2, 0)", tostring(pg.array{{}, {}}.shape))
  end)
  it("rounds to f32 and keeps what it is given", function()
    assert.equal(0.10000000149011612, pg.array({0.1}, "f32")[1])
    assert.equal("f32", pg.array(pg.zeros(2, "float32")).dtype)
    assert.equal("f64", pg.zeros(2, "f32"):astype("float64").dtype)
  end)
  it("names a ragged or foreign element", function()
    assert.equal("bad argument #1 to 'array' (t: ragged table: element [2] is a table of 1, expected a table of 2)",
      message(pg.array, {{1, 2}, {3}}))
    assert.equal([[bad argument #1 to 'array' (t: element [2][1] is "x", expected a number)]],
      message(pg.array, {{1, 2}, {"x", 3}}))
    assert.equal("bad argument #1 to 'array' (t: expected a table of numbers, got nil)", message(pg.array, nil))
  end)
  it("fills and counts", function()
    assert.equal("0.0 0.0", flat(pg.zeros(2)))
    assert.equal("1.0 1.0", flat(pg.ones{2}))
    assert.equal("2.5 2.5", flat(pg.full(2, 2.5)))
    assert.equal("1.0 0.0 0.0 1.0", flat(pg.eye(2)))
    assert.equal("1.0 1.5 2.0", flat(pg.range(1, 2, 0.5)))
    assert.equal("3.0 2.0 1.0", flat(pg.range(3, 1, -1)))
    assert.equal(0, pg.range(2, 1).size)
    assert.equal(1.0, pg.linspace(0, 1, 7)[7])
    assert.equal("(2, 3)", tostring(pg.zeros_like(pg.ones(2, 3)).shape))
  end)
  it("refuses sizes that cannot be", function()
    assert.equal("bad argument #1 to 'zeros' (shape: expected an integer of at least 0, got number -1)",
      message(pg.zeros, -1))
    assert.equal("bad argument #1 to 'zeros' (shape: expected an integer of at least 0, got number 1.5)",
      message(pg.zeros, 1.5))
    assert.matches("^bad argument #2 to 'zeros' %(shape: expected an integer of at least 0, got number %-?nan%)$",
      message(pg.zeros, 2, 0 / 0))
    assert.equal([[bad argument #1 to 'zeros' (shape: expected integers or a table of them, got "3")]],
      message(pg.zeros, "3"))
    assert.equal("zeros: array (2147483648, 2147483648) f64 needs 3.6893488147419e+19 bytes: "
      .. "no memory holds that many", message(pg.zeros, 2^31, 2^31))
    assert.equal("bad argument #1 to 'zeros' (shape: expected an integer of at least 0, got number "
      .. math.mininteger .. ")", message(pg.zeros, math.mininteger))
    assert.matches("^zeros: array %(1099511627776,%) f64 needs 8796093022208 bytes: ", message(pg.zeros, 2^40))
  end)
end)

describe("indexing", function()
  local a
  before_each(function() a = pg.range(1, 6):reshape(2, 3) end)

  it("reads rows, elements and from the end", function()
    assert.equal("4.0 5.0 6.0", flat(a[2]))
    assert.equal(6.0, a[2][3])
    assert.equal(6.0, a(2, 3))
    assert.equal(4.0, a(-1, 1))
    assert.equal(5.0, a:get(2, 2))
    assert.is_nil(a[3])
    local rows = 0
    for i, row in ipairs(a) do
      rows = i
      assert.equal(3, #row)
    end
    assert.equal(2, rows)
  end)
  it("slices as string.sub clips", function()
    assert.equal("2.0 5.0", flat(a:slice({}, 2)))
    assert.equal("(2, 1)", tostring(a[{{}, {2}}].shape))
    assert.equal("3.0 2.0 1.0", flat(a[1]:slice{3, 1, -1}))
    assert.equal("3.0 2.0 1.0", flat(a[1]:slice{nil, nil, -1}))
    assert.equal("2.0 3.0", flat(a[1]:slice{2, 99}))
    assert.equal("2.0 3.0", flat(a[1]:slice{-2, -1}))
    assert.equal(0, a[1]:slice{3, 2}.size)
    assert.equal("1.0 3.0", flat(a[1]:slice{1, -1, 2}))
    assert.equal(6.0, a[{2, 3}])
    assert.equal("1.0", flat(a[1]:slice{1, 3, math.maxinteger}))
    assert.equal("3.0", flat(a[1]:slice{3, 1, math.mininteger}))
  end)
  it("shares memory through views and writes through them", function()
    a[2][1] = 9
    assert.equal(9.0, a(2, 1))
    a[{{}, {2, 3}}] = 0
    assert.equal("1.0 0.0 0.0 9.0 0.0 0.0", flat(a))
    a[1] = {7, 8, 9}
    a:set(2, -1, 5)
    assert.equal("7.0 8.0 9.0 9.0 0.0 5.0", flat(a))
    a.T[1] = pg.array{-1, -2}
    assert.equal("-1.0 8.0 9.0 -2.0 0.0 5.0", flat(a))
  end)
  it("gives overlapping assignment what distinct memory would give", function()
    local v = pg.range(1, 5)
    v[{{2, 5}}] = v:slice{1, 4}
    assert.equal("1.0 1.0 2.0 3.0 4.0", flat(v))
    v[{{}}] = v:slice{5, 1, -1}
    assert.equal("4.0 3.0 2.0 1.0 1.0", flat(v))
  end)
  it("says what is out of range and how to write it", function()
    assert.equal("index 4 is out of range on axis 1 of shape (2, 3)", message(function() return a[4] end))
    assert.equal("index 0 is out of range on axis 1 of shape (2, 3): indices count from 1",
      message(function() return a[0] end))
    assert.equal("expected 2 indices for shape (2, 3), got 1", message(function() return a(1) end))
    assert.equal("an array cannot be an index: a:take(indices) takes elements by index, a:compress(mask) by a mask",
      message(function() return a[a] end))
    assert.equal("an array cannot be an index: pg.where(mask, v, a) chooses by a mask",
      message(function() a[a] = 1 end))
    assert.equal("cannot assign shape (2,) to shape (3,)", message(function() a[1] = {1, 2} end))
    assert.equal("array has no field or method 'shap'; did you mean 'shape'?", message(function() return a.shap end))
    assert.equal("3 indices for shape (2, 3)", message(function() return a[{1, 1, 1}] end))
    assert.equal("slice of axis 1: the step is 0", message(function() return a:slice{1, 2, 0} end))
    assert.equal("bad argument #1 to 'copy' (a: expected array, got no value; write a:copy(), with a colon)",
      message(function() a.copy() end))
    assert.equal([[cannot assign "x" to an array: expected a number, an array or a table]],
      message(function() a[1] = "x" end))
    assert.equal("the array has no axes, so no length", message(function() return #pg.array(1) end))
  end)
end)

describe("shape", function()
  it("is a fresh sequence that prints and compares", function()
    local a = pg.zeros(3, 4)
    assert.equal("(3, 4)", tostring(a.shape))
    assert.equal("(3,)", tostring(pg.zeros(3).shape))
    assert.equal("()", tostring(pg.array(1).shape))
    assert.is_true(a.shape == pg.ones(3, 4).shape)
    assert.is_false(a.shape == a.T.shape)
    assert.equal("shape (3, 4)", "shape " .. a.shape)
    a.shape[1] = 99
    assert.equal(3, a.shape[1])
    assert.same({3, 4}, {a:dims()})
  end)
  it("changes without a copy where memory allows it", function()
    local a = pg.range(1, 24):reshape(2, 3, 4)
    local v = a:reshape(6, -1)
    v[1][1] = -1
    assert.equal(-1.0, a(1, 1, 1))
    assert.equal("(4, 3, 2)", tostring(a.T.shape))
    assert.equal("(4, 2, 3)", tostring(a:transpose(3, 1, 2).shape))
    assert.equal("(4, 2, 3)", tostring(a:transpose{3, 1, 2}.shape))
    -- A transposed array has no such strides: its reshape is a copy.
    local t = a.T:reshape(24)
    t[1] = 77
    assert.equal(-1.0, a(1, 1, 1))
    -- Axes that stay apart can be cut without a copy.
    local s = a:slice({}, {1, 2}):reshape(2, 2, 2, 2)
    s:set(2, 2, 2, 2, 55)
    assert.equal(55.0, a(2, 2, 4))
    assert.equal("(2, 1, 3, 4)", tostring(a:expand_dims(2).shape))
    assert.equal("(2, 3, 4, 1)", tostring(a:expand_dims(-1).shape))
    assert.equal("(2, 3, 4)", tostring(a:expand_dims(1):squeeze().shape))
  end)
  it("is checked", function()
    local a = pg.zeros(2, 3)
    assert.equal("bad argument #1 to 'reshape' (cannot reshape (2, 3) of 6 elements into (4, 2))",
      message(function() a:reshape(4, 2) end))
    assert.equal("bad argument #1 to 'transpose' (axes: axes are 1..2: NumPy's axis=0 is 1 here)",
      message(function() a:transpose(0, 1) end))
    assert.equal("bad argument #2 to 'transpose' (axes: axis 1 is there twice)",
      message(function() a:transpose(1, 1) end))
    assert.equal("bad argument #1 to 'squeeze' (axis: axis 1 of shape (2, 3) has more than one element)",
      message(function() a:squeeze(1) end))
  end)
  it("holds for 32 axes and empty arrays", function()
    local shape = {}
    for k = 1, 32 do shape[k] = 1 end
    shape[32] = 3
    assert.equal(32, pg.zeros(shape).ndim)
    assert.equal(3, pg.zeros(shape).T:reshape(3).size)
    shape[33] = 1
    assert.equal("bad argument #1 to 'zeros' (shape: more than 32 axes)", message(pg.zeros, shape))
    assert.equal("(0, 5)", tostring(pg.zeros(5, 0).T.shape))
    assert.equal("(3, 0)", tostring(pg.zeros(0, 2):reshape(3, 0).shape))
  end)
end)

describe("memory", function()
  it("stays within bounds in a loop of temporaries", function()
    collectgarbage()
    local most = 0
    for _ = 1, 1000 do
      local _ = pg.zeros(1000, 1000)
      most = math.max(most, (pg.memory()))
    end
    assert.is_true(most < 200e6, most)
  end)
  it("cannot be fooled by a metatable set through debug", function()
    assert.equal("array", getmetatable(pg.ones(1)))
    assert.is_false(pcall(setmetatable, pg.ones(1), {}))
    local file = assert(io.open("/dev/null"))
    local meta = debug.getmetatable(file)
    debug.setmetatable(file, debug.getmetatable(pg.ones(1)))
    assert.is_false(pcall(function() return file.shape end))
    assert.is_false(pcall(pg.copy, file))
    debug.setmetatable(file, meta)
    file:close()
  end)
end)
