-- SPDX-License-Identifier: MIT
-- The experiment of homework 2, part 1, in its quick form, and that a training of the course which is killed goes on.
local tool = dofile("tests/cli/tool.lua")
local pg = require "perigee"

-- Pictures of 25 x 25 in place of the faces, which not every machine has: a disc each, of its own place and size.
local function discs(path)
  local at, rng = pg.range(1, 25), pg.random.new(1)
  local function each(low, high) return rng:uniform(low, high, 80, 1, 1) end
  local dx, dy = at - each(8, 17), at:expand_dims(2) - each(8, 17)
  pg.save(path, pg.exp(-(dx:square() + dy:square()) / each(10, 60)))
end

describe("hw2_vae", function()
  local folder, m
  setup(function()
    folder = tool.folder()
    discs(folder .. "/faces.npy")
    local status, out, err = tool.sh(("%s experiments/hw2_vae.lua --quick --faces %s/faces.npy --out %s/out"):format(
      tool.quote(tool.program), folder, folder))
    assert.equal(0, status, out .. err)
    m = pg.load(folder .. "/out/metrics.json")
  end)
  teardown(function() tool.remove(folder) end)

  it("has the published sizes, and learns", function()
    assert.equal(297985, m.metrics["VAE: parameters"])
    assert.equal(261089, m.metrics["AE: parameters"])
    for _, name in ipairs{"VAE", "AE"} do
      local loss = m.series[name .. ": loss"].value
      assert.is_true(loss[#loss] < loss[1])
    end
  end)
  it("draws what the second sigmoid leaves", function()
    assert.is_true(m.metrics["sigmoid twice: least pixel"] >= 0.5)
    assert.is_true(m.metrics["sigmoid twice: greatest pixel"] <= 1 / (1 + math.exp(-1)) + 1e-6)
  end)
  it("freezes batch norm after the second epoch and not before", function()
    local right, frozen = m.series["VAE: loss"].value, m.series["VAE frozen: loss"].value
    for epoch = 1, 2 do assert.equal(right[epoch], frozen[epoch]) end
    assert.are_not.equal(right[3], frozen[3])
  end)
  it("lays PPCA's line straight and even", function()
    -- The decoded line is f32.
    assert.is_true(math.abs(m.metrics["PPCA: longest step over shortest"] - 1) < 1e-3)
    assert.is_true(math.abs(m.metrics["PPCA: way over distance"] - 1) < 1e-6)
    assert.is_true(m.metrics["VAE: way over distance"] >= 1)
  end)
  it("refuses what are no grey images", function()
    pg.save(folder .. "/colour.npy", pg.zeros(4, 8, 8, 3))
    local status, _, err = tool.sh(("%s experiments/hw2_vae.lua --quick --faces %s/colour.npy --out %s/no"):format(
      tool.quote(tool.program), folder, folder))
    assert.equal(1, status)
    assert.truthy(err:find("colour.npy: expected grey images, n x h x w, got (4, 8, 8, 3)", 1, true), err)
  end)
  it("draws its pictures", function()
    for _, name in ipairs{"loss", "vae_faces", "ae_faces", "latents", "line", "line_projected"} do
      local picture = pg.load(folder .. "/out/" .. name .. ".png")
      assert.is_true(picture.size > 10000 and picture:max() > 200, name)
    end
  end)
end)

-- Trains a small net with a checkpoint after each epoch; in epoch `stall` it is killed.
local SCRIPT = [[
local pg = require "perigee"
local nn, course = pg.nn, dofile("experiments/lib/course.lua")
local ex = pg.experiment{name = "small"}
local stall = tonumber(os.getenv("STALL") or 0)
course.every = 0
local X = pg.random.new(1):standard_normal(64, 5, "f32")
local net = nn.model(nn.sequential{nn.linear(5, 8), nn.batch_norm(8), nn.relu, nn.linear(8, 5)}, ex.rng)
local optimizer = pg.optim.adam{}
local step = pg.value_and_grad(function(m, x) return nn.mse(m(x, {train = true}), x) end)
local curves = course.train(ex, "small", 6, {net = net, optimizer = optimizer, rng = ex.rng, sum = X:sum()},
  function(epoch)
    local sum = 0
    for x in pg.batches(X, {size = 16, rng = ex.rng}) do
      local loss, grads = step(net, x)
      optimizer:step(net.params, grads)
      sum = sum + loss
      if epoch == stall then os.execute("kill -9 $PPID") end
    end
    return {loss = sum / 4}
  end)
ex:metric("sum of parameters", net.params:sum())
ex:metric("least loss", curves.loss:min())
]]

describe("a training of the course", function()
  it("that is killed ends in the bytes of one that was not", function()
    local folder = tool.folder()
    tool.write(folder .. "/small.lua", SCRIPT)
    local function run(out, stall)
      return (tool.sh(("STALL=%d %s %s/small.lua --out %s/%s"):format(stall or 0, tool.quote(tool.program), folder,
        folder, out)))
    end
    assert.equal(0, run("whole"))
    assert.equal(137, run("killed", 2))
    assert.equal(137, run("killed", 5))
    assert.equal(0, run("killed"))
    for _, name in ipairs{"metrics.json", "small.json", "small.net.6.npz", "small.optimizer.6.npz"} do
      local whole = assert(tool.read(folder .. "/whole/" .. name), name)
      assert.is_true(whole == tool.read(folder .. "/killed/" .. name), name)
    end
    -- Only the last is kept.
    assert.is_nil(tool.read(folder .. "/killed/small.net.4.npz"))
    tool.remove(folder)
  end)
end)
