-- SPDX-License-Identifier: MIT
-- A training run that is killed and resumed from net:save, optimizer:save and rng:state ends in the bytes of one that
-- was not.
local tool = dofile("tests/cli/tool.lua")
local pg = require "perigee"
local nn = pg.nn

-- Trains for 6 epochs from where FOLDER stands, with a file for each state and a last one that names the epoch; says so
-- after each, and in epoch `stall`, after its third step, waits to be killed.
local SCRIPT = [[
local pg = require "perigee"
local nn, folder, stall = pg.nn, arg[1], tonumber(arg[2])
local rng = pg.random.new(7)
local X = pg.random.new(1):standard_normal(96, 6):astype("f32")
local classes = X:argmax(2)
local net = nn.model(nn.sequential{nn.linear(6, 16), nn.batch_norm(16), nn.relu, nn.dropout(0.3), nn.linear(16, 6)},
  rng)
local opt = pg.optim.adamw{lr = pg.optim.cosine(1e-2, 36), mask = pg.ones(net.nparams, "f32")}
local done = io.open(folder .. "/epoch")
local first = 1
if done then
  local epoch, state = done:read("n"), {}
  for key, value in done:read("a"):gmatch("(%S+)=(%S+)") do state[key] = value end
  net:load(folder .. "/net" .. epoch .. ".npz")
  opt:load(folder .. "/opt" .. epoch .. ".npz")
  rng:restore(state)
  first = epoch + 1
end
local step = pg.value_and_grad(function(m, x, c, ctx) return nn.cross_entropy(m(x, ctx), c) end)
for epoch = first, 6 do
  local count = 0
  for x, c in pg.batches(X, classes, {size = 16, rng = rng}) do
    local _, grads = step(net, x, c, {train = true, rng = rng})
    opt:step(net.params, grads)
    count = count + 1
    if epoch == stall and count == 3 then
      print("killed in " .. epoch)
      io.stdout:flush()
      os.execute("kill -9 $PPID")
    end
  end
  net:save(folder .. "/net" .. epoch .. ".npz")
  opt:save(folder .. "/opt" .. epoch .. ".npz")
  local file = assert(io.open(folder .. "/epoch.new", "w"))
  file:write(epoch)
  local state = rng:state()
  file:write(" generator=", state.generator, " words=", state.words)
  file:close()
  os.rename(folder .. "/epoch.new", folder .. "/epoch")
end
]]

-- The same by nn.fit alone, with batches in shards and the best net kept.
local FIT = [[
local pg = require "perigee"
local nn, folder, stall = pg.nn, arg[1], tonumber(arg[2])
local X = pg.random.new(1):standard_normal(96, 6):astype("f32")
local y = pg.tanh(X:dot(pg.random.new(2):standard_normal(6, 2):astype("f32")))
local layers = nn.sequential{nn.linear(6, 8), nn.batch_norm(8), nn.tanh, nn.dropout(0.1), nn.linear(8, 2)}
local net = nn.model(layers, pg.random.new(3))
local calls = 0
local function loss(m, x, t, ctx)
  calls = calls + 1
  if calls == stall then
    io.stdout:write("killed at call ", stall)
    io.stdout:flush()
    os.execute("kill -9 $PPID")
  end
  return nn.mse(m(x, ctx), t)
end
local history = nn.fit(net, loss, {X, y}, {epochs = 6, batch = 16, shards = 4, rng = pg.random.new(4), keep = "best",
  optimizer = pg.optim.adamw{lr = pg.optim.cosine(1e-2, 36)}, clip_norm = 1, validation = {X, y},
  checkpoint = folder .. "/fit.npz", resume = true})
net:save(folder .. "/net.npz")
pg.save(folder .. "/loss.npz", {loss = history.loss, validation = history.validation, best = pg.array(history.best)})
]]

describe("a training run", function()
  local folder
  setup(function()
    folder = tool.folder()
    tool.write(folder .. "/train.lua", SCRIPT)
  end)
  teardown(function() tool.remove(folder) end)

  local function train(into, stall)
    tool.sh("mkdir -p " .. folder .. "/" .. into)
    return tool.sh(("%s %s/train.lua %s/%s %s"):format(tool.quote(tool.program), folder, folder, into, stall or ""))
  end

  it("gives the same bytes killed and resumed as in one go", function()
    assert.equal(0, (train("whole")))
    for _, stall in ipairs{2, 4} do
      local status, out = train("killed", stall)
      assert.equal(137, status)
      assert.equal("killed in " .. stall .. "\n", out)
    end
    assert.equal(0, (train("killed")))
    for _, name in ipairs{"net6.npz", "opt6.npz", "epoch"} do
      assert.is_true(tool.read(folder .. "/whole/" .. name) == tool.read(folder .. "/killed/" .. name), name)
    end
  end)

  it("by nn.fit goes on from its checkpoint", function()
    tool.write(folder .. "/fit.lua", FIT)
    local function fit(into, stall)
      tool.sh("mkdir -p " .. folder .. "/" .. into)
      return tool.sh(("%s %s/fit.lua %s/%s %s"):format(tool.quote(tool.program), folder, folder, into, stall or ""))
    end
    assert.equal(0, (fit("at_once")))
    for _, stall in ipairs{5, 40, 70} do
      local status, out = fit("in_parts", stall)
      assert.equal(137, status)
      assert.equal("killed at call " .. stall, out)
    end
    assert.equal(0, (fit("in_parts")))
    for _, name in ipairs{"net.npz", "loss.npz", "fit.npz"} do
      assert.is_true(tool.read(folder .. "/at_once/" .. name) == tool.read(folder .. "/in_parts/" .. name), name)
    end
  end)

  it("by nn.fit goes on by hand", function()
    local X = pg.random.new(1):standard_normal(96, 6)
    local y = pg.tanh(X:dot(pg.random.new(2):standard_normal(6, 2)))
    local function loss(m, x, t, ctx) return nn.mse(m(x, ctx), t) end
    local layers = nn.sequential{nn.linear(6, 8), pg.tanh, nn.dropout(0.1), nn.linear(8, 2)}
    local function start()
      return nn.model(layers, pg.random.new(3), {dtype = "f64"}), pg.optim.adam{}, pg.random.new(4)
    end
    local function fit(net, opt, rng, epochs)
      return nn.fit(net, loss, {X, y}, {epochs = epochs, batch = 20, optimizer = opt, rng = rng, clip_norm = 1}).loss
    end
    local net, opt, rng = start()
    local losses = fit(net, opt, rng, 5)
    local part, part_opt, part_rng = start()
    local before = fit(part, part_opt, part_rng, 2)
    part:save(folder .. "/part.npz")
    part_opt:save(folder .. "/part_opt.npz")
    local state = part_rng:state()
    local again, again_rng = nn.load(layers, folder .. "/part.npz", {dtype = "f64"}), pg.random.new(99)
    again_rng:restore(state)
    local after = fit(again, pg.optim.adam{}:load(folder .. "/part_opt.npz"), again_rng, 3)
    assert.is_true(pg.concat{before, after}:array_equal(losses))
    assert.is_true(again.params:array_equal(net.params))
  end)
end)
