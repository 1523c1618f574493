-- SPDX-License-Identifier: MIT
-- The experiments of homework 3, in their quick form, and the measures of made images.
local tool = dofile("tests/cli/tool.lua")
local pg = require "perigee"
local measures = dofile("experiments/lib/measures.lua")

local function run(name)
  local dir = tool.folder()
  local status, _, err = tool.sh(("%s experiments/%s.lua --quick --out %s"):format(tool.quote(tool.program), name, dir))
  assert.equal(0, status, err)
  local found = pg.load(dir .. "/metrics.json")
  for _, record in ipairs(found.records) do
    if record.kind == "figure" then
      local picture = pg.load(dir .. "/" .. record.file)
      assert.is_true(picture:min() < 100 and picture:max() > 150, record.name)
    end
  end
  tool.remove(dir)
  return found.metrics, found
end

describe("hw3_gan1d", function()
  it("brings G near the data and D alone to its closed form", function()
    local m = run("hw3_gan1d")
    -- N(0, 1) put through an untrained net is 0.6 away
    assert.is_true(m["Wasserstein distance"] < 0.2)
    -- 5,000 draws of an arcsine law, twice: the mean distance of the ranks is near 0.9 / sqrt(5000)
    assert.is_true(m["Wasserstein distance of two samples of the data"] < 0.04)
    assert.is_true(m["D alone: mean difference from p_data / (p_data + p_G)"] < 0.03)
    assert.is_true(math.abs(m["loss of D"] - math.log(4)) < 0.15)
  end)
end)

describe("hw3_gan", function()
  it("has the published nets, and moves the decoder only where it is trained", function()
    local m, found = run("hw3_gan")
    if found.skipped then return pending("no faces here") end
    assert.equal(284353, m["parameters of G"])
    assert.equal(137153, m["parameters of D"])
    assert.equal(0, m["published: largest change of a parameter of G"])
    assert.is_true(m["trained: largest change of a parameter of G"] > 0)
    assert.equal(m["VAE: Frechet distance of PPCA's latent means"],
      m["GAN from the decoder, published: Frechet distance of PPCA's latent means"])
  end)
end)

describe("measures", function()
  local rng = pg.random.new(5)
  it("give the Frechet distance of normal distributions", function()
    -- of samples moved by v: |v|^2; of samples twice as wide with mean 0: tr C (1 - 2)^2
    local A = rng:standard_normal(400, 3):dot(pg.array{{1, 0.4, 0}, {0, 0.7, 0.2}, {0, 0, 1.3}})
    assert.is_true(math.abs(measures.frechet(A, A)) < 1e-9)
    assert.is_true(math.abs(measures.frechet(A, A + pg.array{1, 2, -0.5}) - 5.25) < 1e-9)
    local centred = A - A:mean(1)
    assert.is_true(math.abs(measures.frechet(centred, centred * 2) - pg.cov(A):trace()) < 1e-9)
  end)
  it("know neighbours", function()
    local real = pg.array{{0, 0}, {0, 3}, {4, 0}, {4, 3}}
    local distance, which = measures.nearest(pg.array{{0, 1}, {4, 3}}, real)
    assert.is_true(pg.allclose(distance, pg.array{1 / math.sqrt(2), 0}))
    assert.is_true(which:array_equal(pg.array{1, 4}))
    assert.is_true(math.abs(measures.spread(real) - (3 + 4 + 5) / 3 / math.sqrt(2)) < 1e-12)
    assert.equal(0.75, measures.coverage(real, pg.array{{0, 0}}, 2)) -- 5 away from the last, whose second is 4 away
    assert.equal(1, measures.coverage(real, real))
  end)
end)
