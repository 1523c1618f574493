-- SPDX-License-Identifier: MIT
-- bool and u8, which only store: what they hold, what refuses, and what arithmetic makes of them.
-- Their values against NumPy's: numpy_spec, family "stored".
local pg = require "perigee"

local function flat(a)
  local list = a:reshape(-1):totable()
  for k, v in ipairs(list) do list[k] = string.format("%g", v) end
  return table.concat(list, " ")
end

local message = require("tests.lua.helper").message

describe("a stored dtype", function()
  it("is made, printed and named", function()
    local u = pg.array({0, 128, 255}, "u8")
    assert.equal("u8", u.dtype)
    assert.equal("   0  128  255\n[3 u8]", tostring(u))
    assert.equal(" 1  0\n[2 bool]", tostring(pg.array({true, false}, "bool")))
    assert.equal("bool", pg.zeros(2, "boolean").dtype)
    assert.equal("u8", pg.full({2}, 7, "uint8").dtype)
    assert.equal("u8", pg.zeros_like(u).dtype)
    assert.equal("u8", pg.ones(2, 2, "u8"):slice({1, 1}).dtype)
    assert.equal("1 0 0 1", flat(pg.eye(2, "bool")))
  end)
  it("holds what fits and refuses the rest", function()
    local u, m = pg.zeros(2, 2, "u8"), pg.zeros(3, "bool")
    u[1] = 255
    u:set(2, 1, 7)
    m[2] = 1
    u[2] = pg.array{3, 4}
    assert.equal("255 255 3 4", flat(u))
    assert.equal("0 1 0", flat(m))
    local a12, c10 = pg.array{1, 2}, pg.array{1, 0}
    local refusals = {
      {function() u:set(1, 1, 256) end,
        "cannot assign 256 to an array of u8, which takes a whole number in 0..255"},
      {function() u:set(1, 1, -1) end, "cannot assign %-1 to"},
      {function() u:set(1, 1, 1.5) end, "cannot assign 1.5 to"},
      {function() u:set(1, 1, 0 / 0) end, "cannot assign %-?nan to"},
      {function() m[1] = 2 end, "cannot assign 2 to an array of bool, which takes 0 or 1"},
      {function() u:assign(pg.array{{1, 2}, {3, 300}}) end, "v: element %(2, 2%) is 300, and a u8 is"},
      {function() u[{1}] = pg.array{0.5, 1} end, "v: element 1 is 0.5"},
      {function() pg.array({1, {2}}, "u8") end, "element %[2%] is table, expected a number"},
      {function() pg.array({{1, 2}, {3, -4}}, "u8") end,
        "element %[2%]%[2%] is %-4, and a u8 is a whole number in 0..255"},
      {function() pg.full({2}, 0.5, "bool") end, "v: expected 0 or 1, as the dtype is bool, got 0.5"},
      {function() a12:astype("bool") end, "element 2 is 2, and a bool is 0 or 1; a:ne%(0%) makes a mask"},
      {function() pg.where(c10, pg.zeros(2, "u8"), 0.5) end,
        "b: expected a whole number in 0..255, as the dtype"},
      {function() pg.zeros(2, "i8") end, 'dtype: expected "f64", "f32", "bool" or "u8", got "i8"'},
    }
    for _, case in ipairs(refusals) do assert.matches(case[2], message(case[1])) end
    assert.equal("255 255 3 4", flat(u))
  end)
  it("computes in f64, or in f32 with f32", function()
    local u = pg.array({250, 10}, "u8")
    assert.equal("500 20", flat(u + u))
    assert.equal("f64", (u + 1).dtype)
    assert.equal("f64", (-u:gt(20)).dtype)
    assert.equal("f32", (u * pg.ones(2, "f32")).dtype)
    assert.equal("f64", u:sqrt().dtype)
    assert.equal("f64", u:dot(u:reshape(2, 1)).dtype)
    assert.equal("f64", u:sort().dtype)
    assert.equal(62600.0, u:dot(u))
    assert.equal(130.0, u:median())
    assert.equal(170.0, pg.round(pg.std(u, {ddof = 1})) + 0.0)
  end)
  it("counts exactly", function()
    assert.equal(255e6, pg.full({1000, 1000}, 255, "u8"):sum())
    assert.equal(3e5, pg.ones(1000, 300, "bool"):sum(1):sum())
  end)
  it("is compared with numbers it cannot be", function()
    local u = pg.array({0, 1, 255}, "u8")
    assert.equal("0 0 0", flat(u:eq(256)))
    assert.equal("1 1 1", flat(u:gt(-1)))
    assert.equal("0 1 1", flat(u:ge(0.5)))
    assert.equal("0 0 0", flat(u:gt(0):eq(2)))
  end)
  it("keeps masks through logic, and takes them where masks go", function()
    local a = pg.array{3, -1, 0, 2}
    local m = a:gt(0)
    assert.equal("bool", (m & a:lt(3)).dtype)
    assert.equal("0 0 0 1", flat(m & a:lt(3)))
    assert.equal("0 1 1 0", flat(~m))
    assert.equal("1 1 1 1", flat(m | ~m))
    assert.equal("1 0 1 0", flat(m ~ pg.array{0, 0, 1, 1}))
    assert.equal("3 2", flat(a:compress(m)))
    assert.equal("1 4", flat(m:nonzero()))
    assert.equal("3 9 9 2", flat(pg.where(m, a, 9)))
    assert.is_true(m:any())
    assert.is_false(m:all())
    assert.equal("bool", pg.ones(2, 3):any(1).dtype)
  end)
  it("meets others in what holds both", function()
    local u, m, f = pg.ones(1, "u8"), pg.ones(1, "bool"), pg.ones(1, "f32")
    assert.equal("u8", pg.concat{u, m}.dtype)
    assert.equal("bool", pg.stack{m, m}.dtype)
    assert.equal("f32", pg.concat{m, f}.dtype)
    assert.equal("f64", pg.concat{m, f, pg.ones(1)}.dtype)
    assert.equal("u8", pg.where(m, u, m).dtype)
  end)
  it("may be written to numbers where a mask is the result", function()
    local out = pg.zeros(2)
    assert.equal(out, pg.array{1, 2}:lt(2, out))
    assert.equal("1 0", flat(out))
  end)
end)

describe("functions of the table", function()
  it("know what is left out", function()
    local x = pg.array{-2, 4}
    assert.equal("-0.02 4", flat(x:leaky_relu()))
    assert.equal("-1 4", flat(x:leaky_relu(0.5)))
    assert.equal("-1 4", flat(x:clip(-1)))
    assert.equal("-2 3", flat(x:clip(nil, 3)))
    assert.matches("slope: expected array or number, got \"x\"", message(x.leaky_relu, x, "x"))
    assert.is_true(pg.allclose(x:elu(2), {2 * pg.expm1(-2), 4}))
    assert.is_true(pg.allclose(x:silu(), {-2 * pg.sigmoid(-2), 4 * pg.sigmoid(4)}))
    assert.is_true(pg.allclose(x:gelu(), {-0.04550026389635842, 3.9998733150320966}))
    assert.equal("0 4", flat(x:relu()))
  end)
  it("are operators and functions alike", function()
    local x = pg.array{0, 2}
    assert.equal(flat(-x), flat(x:neg()))
    assert.equal(flat(~x), flat(x:logical_not()))
    assert.equal(flat(x & 1), flat(pg.logical_and(x, 1)))
    assert.equal("5 13", flat(pg.hypot({3, 5}, {4, 12})))
    assert.equal("3 -2", flat(pg.cbrt{27, -8}))
  end)
end)
