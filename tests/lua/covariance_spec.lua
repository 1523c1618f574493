-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function flat(a)
  local out = {}
  for k, v in ipairs(a:copy():reshape(-1):totable()) do out[k] = v ~= v and "nan" or string.format("%.12g", v) end
  return table.concat(out, " ")
end

-- numpy.cov(X, rowvar=False) of the same matrix
local X = pg.array{{1, 2}, {3, 1}, {5, 6}, {7, 3}}

describe("cov and corrcoef", function()
  it("take observations from rows", function()
    assert.equal("6.66666666667 2.66666666667 2.66666666667 4.66666666667", flat(X:cov()))
    assert.equal("5 2 2 3.5", flat(X:cov{ddof = 0}))
    assert.equal("5 2 2 3.5", flat(X.T:copy().T:cov{ddof = 0}))
    assert.equal("5 2 2 3.5", flat(pg.cov(X:slice({}, 1), X:slice({}, 2), {ddof = 0})))
    assert.equal(5, pg.cov(X:slice({}, 1), {ddof = 0}))
    assert.equal("f32", X:astype("f32"):cov().dtype)
    assert.equal("1 0.478091443734 0.478091443734 1", flat(X:corrcoef()))
    assert.equal("1 nan nan nan", flat(pg.corrcoef(X:slice({}, 1), pg.ones(4))))
    assert.equal("nan", flat(pg.ones(1, 1):cov()))
    assert.equal("(0, 0)", tostring(pg.zeros(3, 0):cov().shape))
  end)
  it("say what is wrong", function()
    for call, want in pairs{
      [function() pg.cov(X, pg.ones(3)) end] =
        "bad argument #2 to 'cov' (Y: shape (3,) and X's (4, 2) differ in observations (rows))",
      [function() pg.cov(1) end] = "bad argument #1 to 'cov' (X: expected 1 or 2 axes, got shape ())",
      [function() X:cov{dof = 1} end] = "bad argument #1 to 'cov' (unknown option 'dof'; did you mean 'ddof'?)",
      [function() X:cov("x") end] = [[bad argument #1 to 'cov' (Y: expected array, got "x")]],
      [function() X:corrcoef{ddof = 1} end] = "bad argument #1 to 'corrcoef' (unknown option 'ddof'; there are: )",
    } do assert.equal(want, message(call)) end
  end)
end)
