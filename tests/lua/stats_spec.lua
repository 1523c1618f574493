-- SPDX-License-Identifier: MIT
local pg = require "perigee"

describe("pg.stats.chi2_sf", function()
  it("takes numbers and arrays", function()
    -- mpmath.gammainc(0.5, 1.92, mpmath.inf, regularized=True)
    assert.is_true(math.abs(pg.stats.chi2_sf(3.84, 1) / 0.050043521248705103189 - 1) < 1e-13)
    local a = pg.stats.chi2_sf(pg.array{{0, 3.84}, {-1, 1 / 0}}, 1)
    assert.equal("(2, 2)", tostring(a.shape))
    assert.equal(1, a(1, 1))
    assert.equal(pg.stats.chi2_sf(3.84, 1), a(1, 2))
    assert.equal(0, a(2, 2))
    assert.equal("f32", pg.stats.chi2_sf(pg.ones(2, "f32"), 3).dtype)
  end)
  it("refuses degrees of freedom that cannot be", function()
    local ok, err = pcall(pg.stats.chi2_sf, 1, 0)
    assert.is_false(ok)
    assert.matches("bad argument #2 to 'stats.chi2_sf' %(df: expected a number above 0, got 0%)$", err)
  end)
end)

describe("pg.clock", function()
  it("counts wall seconds", function()
    local start = pg.clock()
    local cpu = os.clock()
    while os.clock() - cpu < 0.02 do end
    local passed = pg.clock() - start
    assert.is_true(passed > 0 and passed < 10)
  end)
end)
