-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

describe("gradcheck", function()
  local function f(x) return (pg.sin(x) * pg.range(1, x.size):reshape(x.shape)):sum() end
  local function df(x) return pg.cos(x) * pg.range(1, x.size):reshape(x.shape) end
  it("accepts a right gradient, as an array or a function, and puts x back", function()
    local x = pg.random.new(2):standard_normal(3, 2)
    local before = x:copy()
    local r = pg.gradcheck(f, df, x)
    assert.is_true(r.ok and r.max_rel_error < 1e-10)
    assert.is_true(pg.gradcheck(f, df(x), x).ok)
    assert.is_true(pg.array_equal(x, before))
    -- A strided view is changed in place as well.
    assert.is_true(pg.gradcheck(f, df(x.T), x.T).ok)
    assert.equal(0.0, pg.gradcheck(function() return 1 end, pg.zeros(2), pg.ones(2)).max_rel_error)
  end)
  it("names the worst element of a wrong one", function()
    local x = pg.random.new(2):standard_normal(6)
    local g = df(x)
    g[5] = g[5] * 1.001
    local r = pg.gradcheck(f, g, x)
    assert.is_false(r.ok)
    assert.equal(5, r.worst)
    assert.is_true(math.abs(r.max_rel_error - 0.001 / 2.001) < 1e-8)
    assert.equal(g[5], r.analytic)
    assert.is_true(math.abs(r.numeric * 1.001 - g[5]) < 1e-9)
    assert.is_true(pg.gradcheck(f, g, x, {indices = {1, 2, 3, 4, 6}}).ok)
    assert.is_true(pg.gradcheck(f, g, x, {tol = 0.01}).ok)
    g[5] = 0 / 0
    assert.equal(math.huge, pg.gradcheck(f, g, x).max_rel_error)
  end)
  it("names what is wrong", function()
    local x = pg.ones(2)
    local function check(want, ...) assert.equal(want, message(pg.gradcheck, ...)) end
    check("bad argument #1 to 'gradcheck' (f: expected a function, got no value)", nil, x, x)
    check("bad argument #3 to 'gradcheck' (x: expected f64, got f32: differences need the digits)", f, x,
      pg.ones(2, "f32"))
    check("bad argument #2 to 'gradcheck' (grad: expected x's shape (2,), got (3,))", f, pg.ones(3), x)
    check("bad argument #4 to 'gradcheck' (unknown option 'tolerance'; there are: floor, indices, step, tol)", f, x, x,
      {tolerance = 1})
    check("bad argument #4 to 'gradcheck' (indices: expected an integer in 1..2, got 3)", f, x, x, {indices = {3}})
    check("bad argument #1 to 'gradcheck' (f: returned \"x\", expected a number)", function() return "x" end, x, x)
    assert.same({1, 1}, x:totable())
  end)
end)
