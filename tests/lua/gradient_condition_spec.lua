-- SPDX-License-Identifier: MIT
--
-- Gradients through linear algebra at condition number 1e6, against differences with 120 digits
-- (tests/golden/mpmath_linalg.py). Rounding of the matrix alone, 1.1e-16, moves its inverse by 1e6 times that.
local pg = require "perigee"
local linalg = pg.linalg

-- The largest error beside the gradient's largest element, in units of 1e6 * 1.1e-16.
local LOSS = 4
local cases = {
  inv = linalg.inv, det = linalg.det, solve = linalg.solve,
  slogdet = function(a) return select(2, linalg.slogdet(a)) end,
  solve_triangular = function(a, b) return linalg.solve_triangular(a, b, {lower = false}) end,
  cholesky = function(a) return linalg.cholesky((a + a.T) / 2) end,
  eigvals = function(a) return (linalg.eigh((a + a.T) / 2)) end,
  eigvecs = function(a) return pg.square((select(2, linalg.eigh((a + a.T) / 2)))) end,
  svdvals = function(a) return (select(2, linalg.svd(a))) end,
  svdvecs = function(a) return pg.square(select(3, linalg.svd(a)).T) end,
  qr = function(a) return pg.square((select(2, linalg.qr(a)))) end,
  lstsq = function(a, b) return (linalg.lstsq(a, b)) end, pinv = linalg.pinv,
  nuclear = function(a) return linalg.norm(a, "nuc") end,
}

describe("at condition number 1e6 the gradient of", function()
  for _, case in ipairs(pg.load("tests/golden/mpmath_linalg.json")) do
    local f = cases[case.name]
    it(case.name .. " has its digits but for the condition's", function()
      local weights, operands = pg.array(case.weights), {}
      for k, a in ipairs(case.operands) do operands[k] = pg.array(a) end
      for k, g in ipairs(case.gradients) do
        local want = pg.array(g)
        local got = pg.grad(function(v)
          local given = {table.unpack(operands)}
          given[k] = v
          local y = f(table.unpack(given))
          return ((y.ndim == 1 and y:expand_dims(2) or y) * weights):sum()
        end)(operands[k])
        local lost = pg.abs(got - want):max() / pg.abs(want):max() / (1e6 * 0x1p-53)
        assert.is_true(lost < LOSS, string.format("by operand %d: %.3g", k, lost))
      end
    end)
  end
end)
