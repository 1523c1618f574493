-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a)
  local out = {}
  for k, v in ipairs(a:copy():reshape(-1):totable()) do out[k] = string.format("%g", v) end
  return table.concat(out, " ")
end

local A = pg.array{{3, 1, 2}, {9, 7, 8}}

describe("histogram", function()
  it("counts in equal bins", function()
    local counts, edges = A:histogram(4)
    assert.equal("2 1 0 3", flat(counts))
    assert.equal("1 3 5 7 9", flat(edges))
    assert.equal(10, #A:histogram())
    assert.equal(10, #A:histogram{range = {0, 1}})
    assert.equal("1 2", flat((A:histogram(2, {range = {0, 4}}))))
    assert.equal("3 3", flat((A.T:histogram(2))))
    assert.equal("0 0", flat((pg.zeros(0):histogram(2))))
    assert.equal("0 3", flat((pg.full(3, 5):histogram(2))))
    assert.equal("1.5 1.5", flat((A:histogram(2, {weights = pg.full({2, 3}, 0.5)}))))
    assert.equal("0.125 0.125", flat((A:histogram(2, {density = true}))))
  end)
  it("counts between given edges", function()
    local counts, edges = A:histogram{0, 2, 9}
    assert.equal("1 5", flat(counts))
    assert.equal("0 2 9", flat(edges))
    assert.equal("1 5", flat((A:astype("f32"):histogram(pg.array{0, 2, 9}))))
  end)
  it("says what is wrong", function()
    local holes = pg.array{{1, 2}, {3, 1 / 0}}
    for call, want in pairs{
      [function() holes:histogram() end] = "bad self in call to 'histogram' (element (2, 2) of a is not finite)",
      [function() A:histogram(0) end] =
        "bad argument #1 to 'histogram' (bins: expected an integer in 1..1099511627776, got 0)",
      [function() A:histogram{1} end] = "bad argument #1 to 'histogram' (bins: expected at least 2 edges, got 1)",
      [function() A:histogram{1, 3, 2} end] =
        "bad argument #1 to 'histogram' (bins: edge 3 is 2, expected ascending edges)",
      [function() A:histogram(3, {range = {2, 1}}) end] =
        "bad argument #2 to 'histogram' (range: expected {lo, hi}, finite and ascending, got table)",
      [function() A:histogram({1, 2}, {range = {1, 2}}) end] =
        "bad argument #2 to 'histogram' (range: bins are edges already)",
      [function() A:histogram(3, {weights = pg.ones(2)}) end] =
        "bad argument #2 to 'histogram' (weights: expected an array of shape (2, 3), got array (2,) f64)",
    } do assert.equal(want, message(call)) end
  end)
end)

describe("bincount", function()
  it("counts integers", function()
    assert.equal("1 0 2", flat(pg.bincount{1, 3, 3}))
    assert.equal("1 1 1 0 0", flat(pg.bincount({0, 1, 2}, {first = 0, minlength = 5})))
    assert.equal("0.5 0 3", flat(pg.bincount({1, 3, 3}, {weights = pg.array{0.5, 1, 2}})))
    assert.equal(0, pg.bincount(pg.zeros(0)).size)
    assert.equal("bad argument #1 to 'bincount' (x: element 2 is 0, expected an integer of at least 1; {first = "
      .. "0} counts from 0)",
      message(pg.bincount, {1, 0}))
    assert.equal("bad argument #1 to 'bincount' (x: element 1 is 1.5, expected an integer of at least 1)",
      message(pg.bincount, {1.5}))
  end)
end)
