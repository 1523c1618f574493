-- SPDX-License-Identifier: MIT
-- The same script, seed and number of threads give the same bytes, wherever the system puts the program in memory.
local tool = dofile("tests/cli/tool.lua")

local SCRIPT = [[
  local pg = require "perigee"
  pg.threads(2)
  local rng = pg.random.new(tonumber(arg[1]))
  local X = rng:standard_normal(300, 6):dot(rng:standard_normal(6, 20))
  local holes = pg.where(rng:random(300, 20):lt(0.1), 0 / 0, X)
  local model, part = pg.ppca.fit(X, 3), pg.ppca.fit(holes, 3, {max_iter = 20})
  print(model, part, part:loglik(holes), X:sum(), pg.linalg.svd(X))
  local bits = rng:random(40, 12):gt(0.4)
  local x, y = pg.lstm.shift(bits)
  local net = pg.lstm.new{input_size = 1, hidden_size = 8, output_size = 1, rng = rng}
  net:fit(x, y, {epochs = 3, batch = 10, rng = rng, progress = false})
  print(net, net:loss(x, y), pg.cpt.estimate(bits):entropy(), pg.linear.fit(X, X:slice({}, 1)))
  local graphs = pg.graph.new{a = 3, b = -3}:sample(3, rng, {n = 9})
  print(pg.graph.fit(graphs))
  local big = rng:random(900, 900)
  print(big:dot(big):sum(), big:sum(), big:sort():mean())
  pg.save("x.npy", X) pg.save("big.npy", big:dot(big.T))
  pg.save("all.npz", {a = X, c = model.W, b = holes}) pg.save("n.json", {n = 1, a = {1, 2}, m = "x"})
  net:save("net.npz") model:save("model.npz") pg.save("x.csv", X) pg.save("image.png", X * 10)
  local figure = pg.plot.figure{title = "latent"}:scatter(model:encode(X):slice({}, 1), X:slice({}, 2))
  for _, suffix in ipairs{".png", ".svg", ".pdf"} do figure:save("figure" .. suffix) end
  pg.plot.figure{}:graph(graphs[1].E, pg.graph.layout(graphs[1])):save("graph.png")
]]

describe("determinism", function()
  local dir
  setup(function() dir = tool.folder() end)
  teardown(function() tool.remove(dir) end)

  -- Runs it in a folder of its own; returns what it printed and the digest of each file it wrote.
  local function run(name, seed)
    tool.write(dir .. "/script.lua", SCRIPT)
    local status, out, err = tool.sh(("mkdir %s/%s && cd %s/%s && OPENBLAS_NUM_THREADS=2 %s ../script.lua %s")
      :format(dir, name, dir, name, tool.program, seed))
    assert.equal("", err)
    assert.equal(0, status)
    local _, digests = tool.sh(("cd %s/%s && sha256sum *"):format(dir, name))
    return out, digests
  end

  it("gives the same output and files twice, at other addresses", function()
    local addresses = {}
    for k = 1, 2 do
      local _, out = tool.sh(tool.program .. " -e 'print(print, {})'")
      addresses[k] = out
    end
    assert.not_equal(addresses[1], addresses[2])
    local out, digests = run("one", 5)
    local again, digests_again = run("two", 5)
    assert.equal(out, again)
    assert.equal(digests, digests_again)
    assert.equal(12, select(2, digests:gsub("\n", "")))
    local other, digests_other = run("three", 6)
    assert.not_equal(out, other)
    assert.not_equal(digests, digests_other)
  end)
end)
