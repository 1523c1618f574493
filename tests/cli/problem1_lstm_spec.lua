-- SPDX-License-Identifier: MIT
-- The experiment of problem 1(b), in its quick form: what it records must stand where theory puts it.
local pg = require "perigee"

describe("problem1_lstm", function()
  it("trains to near the floor and draws letters", function()
    local dir = os.tmpname()
    os.remove(dir)
    local program = os.getenv("PERIGEE") or "build/perigee"
    assert.is_true(os.execute(program .. " experiments/problem1_lstm.lua --quick --out " .. dir .. " >/dev/null 2>&1"))
    local m = pg.load(dir .. "/metrics.json").metrics
    assert.equal(26, m["images found by sampling the tables"])
    assert.equal(12961, m.parameters)
    assert.equal(67108862, m["entries of dense tables"])
    local floor = math.log(26) / 25
    assert.is_true(math.abs(m["floor: entropy, nats a pixel"] - floor) < 1e-12)
    local loss = m["to the floor: loss over all images"]
    assert.is_true(loss > floor and loss < floor + 0.02)
    assert.is_true(m["samples that are one of the images, to the floor"] > 0.7)
    assert.is_true(m["its p-value, 25 degrees of freedom"] > 1e-4)
    for _, name in ipairs{"report_training", "floor_training", "thresholded", "samples", "frequencies"} do
      local picture = pg.load(dir .. "/" .. name .. ".png")
      assert.is_true(picture.size > 10000 and picture:min() < 100 and picture:max() > 200)
    end
    os.execute("rm -r " .. dir)
  end)
end)
