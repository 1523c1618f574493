-- SPDX-License-Identifier: MIT
-- The examples, in their quick form: each runs, and what it records is right.
local pg = require "perigee"

local function metrics(name)
  local dir = os.tmpname()
  os.remove(dir)
  local program = os.getenv("PERIGEE") or "build/perigee"
  assert.is_true(os.execute(program .. " examples/" .. name .. ".lua --quick --out " .. dir .. " >/dev/null"))
  local m = pg.load(dir .. "/metrics.json").metrics
  os.execute("rm -r " .. dir)
  return m
end

describe("the example", function()
  it("hmc finds Laplace's posterior", function()
    local m = metrics("hmc")
    assert.is_true(m.accepted > 0.6 and m.accepted <= 1)
    -- 300 draws, of which neighbours are nearly independent: a mean is within 5 sd / sqrt(300) of its own
    assert.is_true(m["largest difference from the mode, in Laplace sds"] < 0.6)
    assert.is_true(m["largest ratio of sd to Laplace's"] < 1.4)
  end)
  it("fit_ode finds the parameters", function()
    local m = metrics("fit_ode")
    assert.is_true(m["loss at the end"] < 2e-3)
    assert.is_true(m["largest relative error of a parameter"] < 0.1)
  end)
  it("attention_by_hand learns to look", function()
    local m = metrics("attention_by_hand")
    assert.is_true(m["error on new sequences"] < m["first loss"] / 3)
    assert.is_true(m["mean largest weight"] > 0.5)
  end)
end)
