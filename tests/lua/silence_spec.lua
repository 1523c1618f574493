-- SPDX-License-Identifier: MIT
--
-- What looks right and is not: each is said, where it would give a wrong result in silence.
local pg = require "perigee"

local function refuses(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(message, got)
end

describe("options where a shape stands", function()
  it("are refused", function()
    local rng = pg.random.new(0)
    for _, draw in ipairs({rng.random, rng.standard_normal}) do
      refuses("got a table with 'size'; write the extents themselves", draw, rng, {size = 3})
    end
    refuses("got a table with 'size'", rng.normal, rng, 0, 1, {size = 3})
    refuses("got a table with 'size'", rng.integers, rng, 1, 6, {size = {2, 2}})
    for _, make in ipairs({pg.zeros, pg.ones}) do refuses("got a table with 'shape'", make, {shape = {2, 2}}) end
    refuses("got a table with 'n'", pg.full, {n = 3}, 1)
  end)
  it("are no extents", function()
    assert.equal("(2, 3)", tostring(pg.zeros({2, 3}).shape))
    assert.equal("()", tostring(pg.zeros({}).shape))
  end)
end)

describe("a table of names", function()
  it("is no list of numbers", function()
    refuses("got a table with 'x'", pg.array, {x = 1})
    assert.equal(0, pg.array({}).size)
  end)
end)

describe("a shape", function()
  it("counts from 1, or from its end", function()
    local shape = pg.zeros(2, 3, 4).shape
    refuses("a shape counts from 1: a.shape%[1%] is the first extent", function() return shape[0] end)
    assert.equal(4, shape[-1])
    assert.equal(2, shape[-3])
    assert.is_nil(shape[4])
    assert.is_nil(shape[-4])
    local seen = {}
    for _, e in ipairs(shape) do seen[#seen + 1] = e end
    assert.same({2, 3, 4}, seen)
  end)
end)

describe("solve_triangular", function()
  local A = pg.array {{4, 2, 1}, {2, 5, 3}, {1, 3, 6}}
  local b = pg.array {1, -2, 3}
  local L = pg.linalg.cholesky(A)
  it("reads the triangle that is there", function()
    local x = pg.linalg.solve_triangular(L.T, pg.linalg.solve_triangular(L, b))
    assert.is_true(pg.allclose(A:dot(x), b, {rtol = 1e-12, atol = 1e-12}))
    assert.is_true(pg.linalg.solve_triangular(pg.eye(3) * 2, b):array_equal(b / 2))
  end)
  it("asks which, where both are there", function()
    refuses("elements on both sides of the diagonal; {lower = true} or false says which", pg.linalg.solve_triangular,
      A, b)
    local lower = pg.linalg.solve_triangular(A, b, {lower = true})
    assert.is_true(pg.allclose(pg.tril(A):dot(lower), b))
  end)
end)

describe("gradcheck", function()
  it("keeps the gradient of a function that writes it into one buffer", function()
    local x, buffer = pg.array {1, 2, 3}, pg.zeros(3)
    local function both(v)
      buffer:assign(v * 2)
      return pg.square(v):sum()
    end
    assert.is_true(pg.gradcheck(both, function(v)
      both(v)
      return buffer
    end, x).ok)
  end)
end)

describe("a table of an experiment", function()
  it("takes numbers, texts and booleans", function()
    local dir = os.tmpname()
    os.remove(dir)
    local ex = pg.experiment {name = "t", args = {"--out=" .. dir}, strict = false}
    refuses("rows: row 1, column 2: expected a number, a text or a boolean, got function; call it", function()
      ex:table("t", {"x", "y"}, {{1, print}})
    end)
    ex:table("t", {"x", "y", "z"}, {{1, "a", true}, {pg.array(2), "b"}})
    os.execute("rm -rf " .. dir)
  end)
end)
