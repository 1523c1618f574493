-- SPDX-License-Identifier: MIT
-- The experiment of problem 4, in its quick form: what it records must stand where theory puts it.
local pg = require "perigee"

describe("problem4_linear", function()
  it("finds the maximum by three ways and the errors fall like 1/sqrt(n)", function()
    local dir = os.tmpname()
    os.remove(dir)
    local program = os.getenv("PERIGEE") or "build/perigee"
    assert.is_true(os.execute(program .. " experiments/problem4_linear.lua --quick --out " .. dir .. " >/dev/null"))
    local m = pg.load(dir .. "/metrics.json").metrics
    assert.is_true(m["closed form: difference from QR"] < 1e-12)
    assert.is_true(m["gradient ascent: difference from QR"] < 1e-6)
    assert.is_true(m["gradient at the solution"] < 1e-10)
    assert.is_true(m["gradcheck: largest relative error"] < 1e-8)
    assert.is_true(math.abs(m["p(y|x): integral over y at x = 0"] - 1) < 1e-4)
    assert.is_true(math.abs(m["right normaliser: integral"] - 1) < 1e-12)
    assert.is_true(math.abs(m["report's normaliser: integral"] - 1 / 0.6) < 1e-12)
    -- 10 data sets a size: a log error has a spread of about 0.22, the slope over three decades one of about 0.1
    for _, name in ipairs{"intercept", "slope", "sigma2"} do
      assert.is_true(math.abs(m[name .. ": slope of log error over log n"] + 0.5) < 0.3)
    end
    assert.is_true(m["digits: QR refined"] >= 15)
    assert.is_true(m["digits: normal equations"] < 9)
    for _, name in ipairs{"linear", "growth", "ascent"} do
      local picture = pg.load(dir .. "/" .. name .. ".png")
      assert.is_true(picture.size > 10000 and picture:min() < 100 and picture:max() > 200)
    end
    os.execute("rm -r " .. dir)
  end)
end)
