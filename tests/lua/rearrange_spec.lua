-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a)
  local out = {}
  for k, v in ipairs(a:copy():reshape(-1):totable()) do out[k] = string.format("%g", v) end
  return table.concat(out, " ")
end

local A = pg.array{{11, 12, 13}, {21, 22, 23}}
local big = pg.array({{0, 11, 0, 12, 0, 13}, {0, 21, 0, 22, 0, 23}}, "f32")
local strided = big:slice({}, {2, -1, 2}) -- A's values, every second element
local turned = A.T:copy().T

describe("joining", function()
  it("concatenates along any axis, any strides", function()
    for _, a in ipairs{A, strided, turned} do
      assert.equal("11 12 13 21 22 23 11 12 13 21 22 23", flat(pg.concat{a, A}))
      assert.equal("11 12 13 11 12 13 21 22 23 21 22 23", flat(pg.concat({A, a}, 2)))
      assert.equal("11 12 13 11 12 13 21 22 23 21 22 23", flat(pg.concat({A, a}, -1)))
    end
    assert.equal("f32", pg.concat({strided, strided}).dtype)
    assert.equal("f64", pg.concat({strided, A}).dtype)
    assert.equal("(2, 3)", tostring(pg.concat({A, pg.zeros(0, 3)}).shape))
    assert.equal("(0, 3)", tostring(pg.concat({pg.zeros(0, 3)}).shape))
  end)
  it("stacks along a new axis", function()
    assert.equal("11 12 13 21 22 23 1 1 1 1 1 1", flat(pg.stack{A, pg.ones(2, 3)}))
    assert.equal("11 1 12 1 13 1 21 1 22 1 23 1", flat(pg.stack({turned, pg.ones(2, 3)}, -1)))
    assert.equal("(2, 2, 3)", tostring(pg.stack({A, A}, 2).shape))
    assert.equal("1 2", flat(pg.stack{pg.array(1), pg.array(2)}))
  end)
  it("writes into out=, which may be a part of what is joined", function()
    local whole = pg.zeros(4, 3)
    assert.equal(whole, pg.concat({A, A}, 1, {out = whole}))
    assert.equal("11 12 13 21 22 23 11 12 13 21 22 23", flat(whole))
    pg.concat({whole:slice({2, 4}), whole:slice({1, 1})}, {out = whole})
    assert.equal("21 22 23 11 12 13 21 22 23 11 12 13", flat(whole))
    local pair = pg.stack{pg.array{1, 2}, pg.array{3, 4}}
    pg.stack({pair[2], pair[1]}, {out = pair})
    assert.equal("3 4 1 2", flat(pair))
  end)
  it("names what does not fit", function()
    for call, want in pairs{
      [function() pg.concat(A, A) end] = "bad argument #1 to 'concat' (list: expected a table of arrays, "
        .. "got array (2, 3) f64; write {a, b}, in braces)",
      [function() pg.concat{} end] =
        "bad argument #1 to 'concat' (list: expected at least one array, got an empty table)",
      [function() pg.concat{A, pg.ones(2, 2)} end] = "bad argument #1 to 'concat' (list: element 2 has shape (2, 2), "
        .. "element 1 (2, 3): all but axis 1 must agree)",
      [function() pg.concat{A, "x"} end] = [[bad argument #1 to 'concat' (list: element 2 is "x", expected array)]],
      [function() pg.concat({A}, 0) end] =
        "bad argument #2 to 'concat' (axis: axes are 1..2: NumPy's axis=0 is 1 here)",
      [function() pg.concat({pg.array(1)}) end] =
        "bad argument #1 to 'concat' (list: element 1 has no axes; stack joins such)",
      [function() pg.concat({A}, 1, {out = pg.ones(2)}) end] =
        "bad argument #3 to 'concat' (out: expected array (2, 3) f64, got array (2,) f64)",
      [function() pg.stack{A, pg.ones(3)} end] =
        "bad argument #1 to 'stack' (list: element 2 has shape (3,), element 1 (2, 3): all must agree)",
      [function() pg.stack({A}, 4) end] = "bad argument #2 to 'stack' (axis: axes are 1..3, got 4)",
      [function() pg.stack({A}, {ouh = A}) end] =
        "bad argument #2 to 'stack' (unknown option 'ouh'; did you mean 'out'?)",
    } do assert.equal(want, message(call)) end
    local deep = pg.array(1):reshape((function() local t = {} for k = 1, 32 do t[k] = 1 end return t end)())
    assert.equal("bad argument #1 to 'stack' (list: element 1 has 32 axes already)", message(pg.stack, {deep}))
  end)
end)

describe("repeating", function()
  it("tiles", function()
    assert.equal("1 2 1 2 1 2", flat(pg.tile(pg.array{1, 2}, 3)))
    assert.equal("11 12 13 11 12 13 21 22 23 21 22 23", flat(turned:tile(2)))
    assert.equal("(2, 2, 3)", tostring(A:tile(2, 1, 1).shape))
    assert.equal("(4, 3)", tostring(A:tile({2, 1}).shape))
    assert.equal("(0, 3)", tostring(A:tile(0, 1).shape))
    assert.equal("bad argument #1 to 'tile' (times: expected an integer or a table of integers, got no value)",
      message(function() A:tile() end))
  end)
  it("repeats elements or slices", function()
    assert.equal("11 11 12 12 13 13 21 21 22 22 23 23", flat(strided:repeat_(2)))
    assert.equal("11 12 13 11 12 13 21 22 23 21 22 23", flat(A:repeat_(2, 1)))
    assert.equal("11 13 13 21 23 23", flat(turned:repeat_({1, 0, 2}, 2)))
    assert.equal("1 1", flat(pg["repeat"](pg.array{1}, 2)))
    assert.equal(0, A:repeat_(0).size)
    for call, want in pairs{
      [function() pg.repeat_(A, -1) end] =
        "bad argument #2 to 'repeat_' (times: expected an integer in 0..2147483647, got -1)",
      [function() A:repeat_({1, 2}, 2) end] =
        "bad argument #1 to 'repeat_' (times: expected 3, one for each slice, got 2)",
      [function() A:repeat_({1, 0.5, 1}, 2) end] =
        "bad argument #1 to 'repeat_' (times: element 2 is 0.5, expected an integer of at least 0)",
      [function() A:repeat_(1, 3) end] = "bad argument #2 to 'repeat_' (axis: axes are 1..2, got 3)",
    } do assert.equal(want, message(call)) end
    assert.matches("^tile: array %(9223372036854775808, .*: no memory holds that many$",
      message(function() pg.tile(A, 2^62, 2^62) end))
  end)
end)

describe("selecting", function()
  it("takes slices, from the end too", function()
    for _, a in ipairs{A, strided, turned} do
      assert.equal("21 22 23 11 12 13", flat(a:take{2, 1}))
      assert.equal("13 11 23 21", flat(a:take({-1, 1}, 2)))
      assert.equal("12 22", flat(a:take(2, 2)))
      assert.equal("(2, 2, 2)", tostring(a:take({{1, 2}, {3, 3}}, 2).shape))
      assert.equal("11 12 13 13 21 22 23 23", flat(a:take({{1, 2}, {3, 3}}, 2)))
    end
    assert.equal(20, pg.take({10, 20, 30}, 2))
    assert.equal("(0, 3)", tostring(A:take(pg.zeros(0)).shape))
    local out = pg.zeros(2, 3)
    assert.equal(out, A:take({2, 2}, {out = out}))
    assert.equal("21 22 23 21 22 23", flat(out))
    out:take({2, 1}, 1, {out = out})
    A:take({{1, 1}}, 2, {out = pg.zeros(2, 1, 2)})
  end)
  it("keeps what a mask marks", function()
    assert.equal("21 22 23", flat(A:compress{0, 1}))
    assert.equal("11 13 21 23", flat(turned:compress({1, 0, 0 / 0}, 2)))
    assert.equal("12 21", flat(strided:compress(pg.array{{0, 1, 0}, {1, 0, 0}})))
    assert.equal("1 3", flat(pg.compress({1, 2, 3}, {1, 0, 1})))
    assert.equal(0, pg.zeros(0):compress(pg.zeros(0)).size)
  end)
  it("finds what is not 0", function()
    local i, j = pg.array{{0, 5, 0}, {7, 0, 0 / 0}}:nonzero()
    assert.equal("1 2 2", flat(i))
    assert.equal("2 1 3", flat(j))
    assert.equal(0, pg.zeros(3):nonzero().size)
  end)
  it("names the index and the axis", function()
    for call, want in pairs{
      [function() A:take(7) end] = "bad argument #1 to 'take' (idx: 7 is no index of axis 1, which has 2)",
      [function() A:take({1, 0}) end] =
        "bad argument #1 to 'take' (idx: element 2 is 0, no index of axis 1, which has 2: indices count from 1)",
      [function() A:take({1.5}, 2) end] =
        "bad argument #1 to 'take' (idx: element 1 is 1.5, no index of axis 2, which has 3)",
      [function() A:take("x") end] = [[bad argument #1 to 'take' (idx: expected array, got "x")]],
      [function() A:take(1, 3) end] = "bad argument #2 to 'take' (axis: axes are 1..2, got 3)",
      [function() pg.array(1):take(1) end] = "bad self in call to 'take' (a: expected at least 1 axis, got shape ())",
      [function() A:compress{1, 0, 1} end] =
        "bad argument #1 to 'compress' (mask: shape (3,) does not fit axis 1 of shape (2, 3))",
      [function() pg.nonzero(3) end] = "bad argument #1 to 'nonzero' (a: expected at least 1 axis, got shape ())",
    } do assert.equal(want, message(call)) end
    assert.matches("^bad argument #1 to 'take' %(a: expected array, got no value; write a:take%(%), with a colon%)$",
      message(function() A.take() end))
  end)
end)

describe("shifting", function()
  it("rolls", function()
    assert.equal("13 11 12 23 21 22", flat(strided:roll(1, 2)))
    assert.equal("23 11 12 13 21 22", flat(turned:roll(1)))
    assert.equal("21 22 23 11 12 13", flat(A:roll(-5, 1)))
    assert.equal("13 11 12 23 21 22", flat(A:roll(math.maxinteger, 2))) -- 2^63 - 1 = 1 modulo 3
    local a = A:copy()
    assert.equal(a, a:roll(1, {out = a}))
    assert.equal("23 11 12 13 21 22", flat(a))
    a:roll(-1, 2, {out = a})
    assert.equal("11 12 23 21 22 13", flat(a))
    assert.equal("2 3 1", flat(pg.roll(pg.array{1, 2, 3}, -1, {out = pg.zeros(6):slice({1, -1, 2})})))
    assert.equal(0, pg.zeros(0):roll(3).size)
    assert.equal("bad argument #1 to 'roll' (shift: expected an integer, got number 0.5)",
      message(function() A:roll(0.5) end))
  end)
  it("flips as a view", function()
    local a = A:copy()
    local f = a:flip(2)
    assert.equal("13 12 11 23 22 21", flat(f))
    f:set(1, 1, 99)
    assert.equal(99, a(1, 3))
    assert.equal("23 22 21 13 12 11", flat(A:flip()))
    assert.equal("23 22 21 13 12 11", flat(A:flip{1, 2}))
    assert.equal("21 22 23 11 12 13", flat(A:flip(-2)))
    assert.equal(0, pg.zeros(0, 2):flip().size)
    assert.equal("bad argument #1 to 'flip' (axis: 1 is given twice)", message(function() A:flip{1, -2} end))
  end)
  it("takes differences", function()
    assert.equal("1 1 1 1", flat(strided:diff()))
    assert.equal("10 10 10", flat(turned:diff(1)))
    assert.equal("2", flat(pg.diff({1, 4, 9}, {n = 2})))
    assert.equal("1 4 9", flat(pg.diff({1, 4, 9}, {n = 0})))
    assert.equal(0, pg.diff({1, 4, 9}, 1, {n = 5}).size)
    assert.equal("bad argument #1 to 'diff' (a: expected at least 1 axis, got shape ())", message(pg.diff, 1))
  end)
end)

describe("matrices", function()
  it("keeps triangles", function()
    assert.equal("11 0 0 21 22 0", flat(A:tril()))
    assert.equal("11 12 13 0 22 23", flat(turned:triu()))
    assert.equal("11 12 0 21 22 23", flat(strided:tril(1)))
    assert.equal("0 0 13 0 0 0", flat(A:triu(2)))
    local a = A:copy()
    assert.equal(a, a:triu({out = a}))
    assert.equal("11 12 13 0 22 23", flat(a))
    assert.equal("1 0 1 1 1 0 1 1", flat(pg.ones(2, 2, 2):tril()))
    assert.equal("bad argument #1 to 'tril' (a: expected at least 2 axes, got shape (3,))",
      message(pg.tril, pg.ones(3)))
    assert.equal("bad argument #1 to 'triu' (k: expected an integer, got number 0.5)",
      message(function() A:triu(0.5) end))
  end)
  it("makes and reads diagonals", function()
    assert.equal("1 0 0 2", flat(pg.diag{1, 2}))
    assert.equal("0 1 0 0 0 2 0 0 0", flat(pg.diag({1, 2}, 1)))
    assert.equal("(3, 3)", tostring(pg.diag({1, 2}, -1).shape))
    assert.equal("11 22", flat(A:diag()))
    assert.equal("12 23", flat(turned:diag(1)))
    assert.equal("21", flat(A:diag(-1)))
    assert.equal(0, A:diag(3).size)
    local a = A:copy()
    a:diag():assign(0)
    assert.equal("0 12 13 21 0 23", flat(a))
    assert.equal(33, A:trace())
    assert.equal("bad argument #1 to 'diag' (a: expected 1 or 2 axes, got shape ())", message(pg.diag, 1))
    assert.equal("bad argument #1 to 'trace' (a: expected 2 axes, got shape (3,))", message(pg.trace, pg.ones(3)))
  end)
  it("multiplies all by all", function()
    assert.equal("3 4 6 8", flat(pg.outer({1, 2}, {3, 4})))
    assert.equal("(6, 2)", tostring(turned:outer(pg.ones(2)).shape))
    assert.equal("f32", strided:outer(strided).dtype)
    assert.equal("f64", strided:outer(A).dtype)
    local a = pg.array{{1, 2}, {3, 4}}
    pg.outer(a[1], a[2], a)
    assert.equal("3 4 6 8", flat(a))
    assert.equal("bad argument #3 to 'outer' (out: expected array (2, 2) f64, got array (3,) f64)",
      message(pg.outer, {1, 2}, {1, 2}, pg.ones(3)))
  end)
  it("spans grids", function()
    local X, Y = pg.meshgrid({1, 2, 3}, {5, 6})
    assert.equal("1 2 3 1 2 3", flat(X))
    assert.equal("5 5 5 6 6 6", flat(Y))
    X, Y = pg.meshgrid(pg.array{1, 2, 3}, pg.array{5, 6}, {indexing = "ij"})
    assert.equal("1 1 2 2 3 3", flat(X))
    assert.equal("5 6 5 6 5 6", flat(Y))
    assert.equal("(2, 1, 3)", tostring((pg.meshgrid(pg.ones(1), pg.ones(2), pg.ones(3))).shape))
    assert.equal([[bad argument #2 to 'meshgrid' (indexing: expected one of "xy", "ij", got "yx")]],
      message(pg.meshgrid, {1}, {indexing = "yx"}))
    assert.equal("bad argument #1 to 'meshgrid' (x: expected 1 axis, got shape (2, 3))", message(pg.meshgrid, A))
  end)
end)
