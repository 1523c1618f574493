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
  it("cluster/sweep estimates a volume", function()
    local m = metrics("cluster/sweep")
    assert.is_true(m.error < 5 * m["expected error"])
  end)
  it("cluster/ppca finds the noise", function()
    local m = metrics("cluster/ppca")
    assert.is_true(math.abs(m.sigma2 - 0.01) < 0.001 and m.explained > 0.9)
  end)
  it("cluster/net learns in shards", function()
    assert.is_true(metrics("cluster/net").accuracy > 0.85)
  end)
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
  it("mlp tells ten places apart", function()
    local m = metrics("mlp")
    assert.is_true(m["test accuracy"] > 0.95)
    assert.is_true(m["test loss"] < 0.6)
  end)
  it("vae keeps more of an image than the mean of all does", function()
    -- the cross-entropy of the test images to the mean image is 250 nats
    assert.is_true(metrics("vae")["test -ELBO"] < 220)
  end)
  it("gpt learns to count in words", function()
    -- 17 characters: ln 17 is 2.83 nats, their frequencies alone give 2.2
    assert.is_true(metrics("gpt")["loss on new text, nats a character"] < 1)
  end)
  it("resnet tells directions apart", function()
    assert.is_true(metrics("resnet")["test accuracy"] > 0.9)
  end)
  it("lstm_lm is the same fused and by cells", function()
    local m = metrics("lstm_lm")
    assert.is_true(m["loss on new text, nats a character"] < 0.3)
    -- f32, and five steps of Adam, which enlarge rounding where a gradient is nearly 0
    assert.is_true(m["largest difference of the two losses"] < 1e-3)
  end)
end)
