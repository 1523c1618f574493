-- SPDX-License-Identifier: MIT
-- Numbers at the ends of the range and near 0, where a formula taken literally loses digits or
-- overflows. Values of logsumexp: mpmath, 50 digits.
local pg = require "perigee"

local huge, tiny = 1.7e308, 5e-324

local function list(a)
  return a:reshape(-1):totable()
end

local function near(want, got)
  assert.is_true(math.abs(got - want) <= 4e-16 * math.abs(want), string.format("got %.17g, want %.17g", got, want))
end

describe("logsumexp", function()
  it("keeps what one element outweighs", function()
    near(4.248354255291589e-18, pg.array{0, -40}:logsumexp())
    near(1.0000008756510763e-20, pg.array{1e-20, -60}:logsumexp())
    near(8.75651076269652e-27, pg.array{-60, 0}:logsumexp())
    near(math.exp(-50) * 3, pg.array{-50, 0, -50, -50}:logsumexp())
    local rows = pg.array{{0, -40}, {-40, 0}, {0, 0}}
    for _, got in ipairs{rows:logsumexp(2), rows.T:copy():logsumexp(1)} do
      near(4.248354255291589e-18, got[1])
      near(4.248354255291589e-18, got[2])
      near(math.log(2), got[3])
    end
    assert.equal(-math.huge, pg.array{-math.huge, -math.huge}:logsumexp())
    assert.equal(math.huge, pg.array{0, math.huge}:logsumexp())
  end)
end)

describe("means and spreads", function()
  it("stay in the range where their elements do", function()
    assert.equal(huge, pg.array{huge, huge}:mean())
    assert.equal(huge, pg.full({1000, 2}, huge):mean(1)[2])
    assert.equal(-huge, pg.full({3, 5}, -huge):mean())
    assert.equal(0.0, pg.array{-huge, huge, huge, -huge}:mean())
    assert.equal(1e200, pg.array{1e200, -1e200}:std())
    assert.equal(1e300, pg.array{{1e300}, {-1e300}}:std(1)[1])
    assert.equal(math.huge, pg.array{huge, -huge}:var())
    assert.equal(math.huge, pg.array{math.huge, 1}:mean())
    local x = pg.array{math.huge, 1}:std()
    assert.is_true(x ~= x)
  end)
end)

describe("linspace", function()
  it("counts steps that are no number of their own", function()
    assert.same({0, 0, tiny, tiny, 2 * tiny, 2 * tiny, 3 * tiny, 3 * tiny, 4 * tiny, 4 * tiny},
      list(pg.linspace(0, 4 * tiny, 10)))
    assert.same({-tiny, 0, tiny}, list(pg.linspace(-tiny, tiny, 3)))
  end)
  it("spans the whole range", function()
    assert.same({-huge, 0.0, huge}, list(pg.linspace(-huge, huge, 3)))
    assert.same({huge, -huge}, list(pg.linspace(huge, -huge, 2)))
    local x = pg.linspace(-huge, huge, 1001)
    assert.is_true(pg.diff(x):gt(0):all())
    assert.same({math.huge, math.huge, math.huge}, list(pg.linspace(math.huge, math.huge, 3)))
  end)
end)

describe("range", function()
  it("does not pass its end", function()
    local cases = {{0, 0.3, 0.1, 4}, {1.1, 1.4, 0.1, 4}, {0, 1, 0.1, 11}, {0.5, -0.4, -0.3, 4}, {0, 0.7, 0.1, 8}}
    for _, case in ipairs(cases) do
      local a, b, step, n = table.unpack(case)
      local x = pg.range(a, b, step)
      assert.equal(n, #x)
      assert.is_true(step > 0 and x[-1] <= b or step < 0 and x[-1] >= b)
      assert.is_true(math.abs(x[-1] - b) < 1e-15)
    end
  end)
  it("does not count an element that is not there", function()
    assert.equal(10, #pg.range(0, 1 - 1e-10, 0.1))
    assert.equal(3, #pg.range(0, 0.3 - 1e-12, 0.1))
    assert.equal(3, #pg.range(1, 3.999999999999, 1))
    assert.equal(4, #pg.range(-huge, huge, 1e308))
  end)
end)

describe("quantiles", function()
  it("cross the whole range", function()
    local x = pg.array{-huge, huge}
    assert.equal(0.0, x:quantile(0.5))
    near(-huge / 2, x:quantile(0.25))
    assert.equal(0.0, x:median())
    near(huge / 2, pg.array{huge, -huge}:quantile(0.75))
  end)
end)

describe("columns that do not vary", function()
  it("have no correlation and no variance", function()
    for _, value in ipairs{0.1, 2.7, -1e16 / 3} do
      local X = pg.concat({pg.full({3, 1}, value), pg.array{{1}, {2}, {4}}}, 2)
      local c, v = pg.corrcoef(X), pg.cov(X)
      assert.same({true, true, true}, {c(1, 1) ~= c(1, 1), c(1, 2) ~= c(1, 2), c(2, 1) ~= c(2, 1)})
      assert.equal(1.0, c(2, 2))
      assert.same({0.0, 0.0, 0.0}, {v(1, 1), v(1, 2), v(2, 1)})
    end
  end)
end)
