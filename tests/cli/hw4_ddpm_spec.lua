-- SPDX-License-Identifier: MIT
-- The experiments of homework 4, in their quick form, killed and resumed too; the published nets and their weights.
local tool = dofile("tests/cli/tool.lua")
local pg = require "perigee"
local nets = dofile("experiments/lib/unet.lua")

local function run(name, dir)
  local status, _, err = tool.sh(("%s experiments/%s.lua --quick --out %s"):format(tool.quote(tool.program), name, dir))
  assert.equal(0, status, err)
  return pg.load(dir .. "/metrics.json")
end

describe("hw4_gaussian", function()
  it("draws what the closed form says", function()
    local dir = tool.folder()
    local m = run("hw4_gaussian", dir).metrics
    assert.is_true(m["closed form: mean, standard errors off"] < 4)
    assert.is_true(m["closed form: covariance, standard errors off"] < 4)
    assert.is_true(m["net: mean excess over the least error"] > 0)
    assert.is_true(m["net: mean excess over the least error"] < 0.01)
    local right = m["right schedule, from N(0, I): covariance off by"]
    assert.is_true(m["published schedule, one step off: covariance off by"] > 5 * right)
    tool.remove(dir)
  end)
end)

describe("hw4_ddpm", function()
  it("has the published nets, and reads their weights by any names", function()
    local rng = pg.random.new(3)
    local net = pg.nn.model(nets.course.noise(1000), rng)
    assert.equal(7966081, net.nparams)
    assert.equal(4739521, pg.nn.model(nets.course.label(1000, 48), rng).nparams)
    local folder = tool.folder()
    local renamed, names = {}, {down1 = "one", down2 = "two", down3 = "three", down4 = "four", up3 = "b3", up2 = "b2",
      up1 = "b1", last = "final"}
    for name, array in pairs(net:named()) do
      local part, rest = name:match("^(%w+)%.(.*)$")
      renamed[names[part] .. "." .. rest] = array
    end
    pg.save(folder .. "/weights.npz", renamed)
    local other = pg.nn.model(nets.course.noise(1000), pg.random.new(4))
    nets.course.read(other, folder .. "/weights.npz")
    assert.is_true(other.params:array_equal(net.params))
    pg.save(folder .. "/wrong.npz", {["one.0.weight"] = pg.zeros(2, 2)})
    assert.has_error(function() nets.course.read(other, folder .. "/wrong.npz") end, folder .. "/wrong.npz: no "
      .. "convolution of (64, 65, 3, 3); it is no file of the published U-Net")
    tool.remove(folder)
  end)

  it("ends in the same bytes killed and resumed as in one go", function()
    local folder = tool.folder()
    local whole = run("hw4_ddpm", folder .. "/whole")
    if whole.skipped then
      tool.remove(folder)
      return pending("no faces here")
    end
    -- killed once the first training has left its checkpoint
    tool.sh(("%s experiments/hw4_ddpm.lua --quick --out %s/killed & p=$!; while [ ! -f %s/killed/ddpm.json ] && "
      .. "kill -0 $p; do sleep 0.02; done; kill -9 $p"):format(tool.quote(tool.program), folder, folder))
    run("hw4_ddpm", folder .. "/killed")
    for _, name in ipairs{"metrics.json", "faces.png", "guided.png", "merged.png"} do
      assert.is_true(tool.read(folder .. "/whole/" .. name) == tool.read(folder .. "/killed/" .. name), name)
    end
    assert.is_true(whole.metrics["squared error of the noise"] < 0.3)
    assert.is_true(whole.metrics["regressor: the same with N(0, 1) on its output"]
      > whole.metrics["regressor: mean error on held-out faces"])
    tool.remove(folder)
  end)
end)
