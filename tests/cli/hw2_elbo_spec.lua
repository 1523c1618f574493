-- SPDX-License-Identifier: MIT
-- The experiment of homework 2, part 2, in its quick form: the bound lies under the likelihood, and the linear net ends
-- at PPCA's closed form.
local pg = require "perigee"

describe("hw2_elbo", function()
  it("keeps the ELBO under the log-likelihood and finds PPCA", function()
    local dir = os.tmpname()
    os.remove(dir)
    local program = os.getenv("PERIGEE") or "build/perigee"
    assert.is_true(os.execute(program .. " experiments/hw2_elbo.lua --quick --out " .. dir .. " >/dev/null"))
    local m = pg.load(dir .. "/metrics.json").metrics
    assert.is_true(m["largest ELBO - log-likelihood on the grid"] <= 0)
    assert.is_true(m["ELBO: largest third difference over theta"] < 1e-10)
    assert.is_true(m["gap less KL(q || p(z|x)): largest difference"] < 1e-6)
    assert.is_true(m["integral: change by twice the points"] < 1e-10)
    assert.is_true(m["trained: ELBO a draw"] < m["trained: log-likelihood a draw"])
    assert.is_true(math.abs(m["Bernoulli at mean 0.8: integral over x in 0..1"] - 0.6 / math.log(4)) < 1e-6)
    assert.is_true(m["linear VAE: relative difference in sigma2"] < 0.01)
    assert.is_true(m["linear VAE: relative difference in W W'"] < 0.01)
    assert.is_true(m["linear VAE: largest difference in W after the best rotation"] < 0.01)
    assert.is_true(m["linear VAE: log-likelihood of PPCA - ELBO, a row"] > -1e-9)
    assert.is_true(m["linear VAE: log-likelihood of PPCA - ELBO, a row"] < 1e-4)
    for _, name in ipairs{"elbo", "sampled", "linear"} do
      local picture = pg.load(dir .. "/" .. name .. ".png")
      assert.is_true(picture.size > 10000 and picture:min() < 100 and picture:max() > 200)
    end
    os.execute("rm -r " .. dir)
  end)
end)
