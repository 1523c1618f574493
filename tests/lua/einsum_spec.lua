-- SPDX-License-Identifier: MIT
-- Values are compared with NumPy's in numpy_spec.lua; here what is ours alone.
local pg = require "perigee"

local helper = require "tests.lua.helper"
local function message(...) return helper.message(pg.einsum, ...) end

describe("pg.einsum", function()
  local A, B = pg.range(1, 6):reshape(2, 3), pg.range(1, 12):reshape(3, 4)
  it("ignores blanks and orders letters as NumPy", function()
    assert.is_true(pg.array_equal(A:matmul(B), pg.einsum(" ij , jk -> ik ", A, B)))
    assert.is_true(pg.array_equal(A:matmul(B).T, pg.einsum("bz,za", A, B)))
    assert.equal(1 + 5, pg.einsum("ii->", A:slice({}, {1, 2})))
    assert.equal("f32", pg.einsum("ij,jk->ik", A:astype("f32"), B:astype("f32")).dtype)
  end)
  it("rounds no step to f32 where an operand is f64", function()
    local u, v, w = pg.array({1 / 3}, "f32"), pg.array({1 / 7}, "f32"), pg.array{1}
    assert.equal(u[1] * v[1], pg.einsum("i,j,k->", u, v, w))
    local S = pg.array({{1, 2 ^ -30}}, "f32") -- summed out before the product
    assert.equal(1 + 2 ^ -30, pg.einsum("ij,k->", S, w))
  end)
  it("gives a view where axes only change places, and sums of nothing", function()
    local C = A:copy()
    pg.einsum("ij->ji", C):assign(0)
    assert.equal(0, C(2, 3))
    pg.einsum("ij,i->ij", A, pg.ones(2)):assign(0)
    assert.equal(6, A(2, 3))
    assert.equal(0, pg.einsum("ij->", pg.zeros(0, 3)))
    assert.equal("(2, 4)", tostring(pg.einsum("ij,jk->ik", pg.ones(2, 0), pg.ones(0, 4)).shape))
    assert.equal(0, pg.einsum("ij,jk->ik", pg.ones(2, 0), pg.ones(0, 4)):sum())
  end)
  it("takes any number of operands", function()
    local u, v = pg.array{1, 2}, pg.array{1, 0, 2}
    assert.equal(39, pg.einsum("i,ij,j->", u, A, v)) -- [1 2] A [1 0 2]'
    local X = pg.range(1, 24):reshape(2, 3, 4)
    local all = pg.einsum("abc,ad,be,cf->def", X, pg.eye(2), pg.eye(3), pg.eye(4))
    assert.is_true(pg.array_equal(X, all))
    -- In the order written the first product would have 10^9 elements.
    local P, w = pg.ones(1000, 1000), pg.ones(1000)
    assert.equal(1000, pg.einsum("ia,ib,i->ab", P, P, w)(7, 9))
    assert.equal(1000, pg.einsum("i,ia,ib->ab", w, P, P)(7, 9))
  end)
  it("says what is wrong", function()
    for want, call in pairs{
      [ [[bad argument #1 to 'einsum' (subscripts: expected a string such as "ij,jk->ik", got number 3)]] ] = {3, B},
      ["bad argument #1 to 'einsum' (subscripts: 2 operands are named, 1 given)"] = {"ij,jk", A},
      ["bad argument #1 to 'einsum' (subscripts: 'k' of the result is in no operand)"] = {"ij->ik", A},
      ["bad argument #1 to 'einsum' (subscripts: 'i' is twice in the result)"] = {"ij->ii", A},
      ["bad argument #1 to 'einsum' (subscripts: '1' is no letter)"] = {"i1->i", A},
      [ [[bad argument #1 to 'einsum' (subscripts: the result has no "..." for the 1 axes without a letter)]] ] =
        {"...i->i", A},
      [ [[bad argument #1 to 'einsum' (subscripts: '.' is read as three, "...")]] ] = {"..i->i", A},
      [ [[bad argument #3 to 'einsum' (operand 2: axis 1 is 3 here and 2 before)]] ] = {"...i,...i->...", A, B},
      [ [[bad argument #2 to 'einsum' (operand 1: "ijk" names 3 axes, shape (2, 3) has 2)]] ] = {"ijk->i", A},
      ["bad argument #3 to 'einsum' (operand 2: 'j' is 2 here and 3 before)"] = {"ij,jk->ik", A, A},
      ["bad argument #3 to 'einsum' (operand 2: expected array, got number 3)"] = {"ij,j->i", A, 3},
      ["bad argument #2 to 'einsum' (a: expected array, got no value)"] = {"ij"},
    } do assert.equal(want, message(table.unpack(call))) end
  end)
end)
