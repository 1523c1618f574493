-- SPDX-License-Identifier: MIT
-- Probabilistic PCA: 2,000 x 576 with a decaying and with a flat spectrum, d = 64, and 60,000 x 784
-- Fashion-MNIST where it is installed.
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local rng = pg.random.new(1)
local flat = rng:standard_normal(2000, 576)
local decaying = rng:standard_normal(2000, 576) / pg.range(1, 576)
for _, case in ipairs{{"decaying", decaying}, {"flat", flat}} do
  local fit = "pg.ppca.fit(X, 64)"
  bench.case("2000x576 " .. case[1] .. " fit / sklearn full", fit, {pg = pg, X = case[2]})
  bench.case("2000x576 " .. case[1] .. " fit / cov+eigh", fit, {pg = pg, X = case[2]})
end
local m = pg.ppca.fit(decaying, 16)
for _, peer in ipairs{"means", "draws"} do
  bench.case("encode 2000 / loop of " .. peer, "m:encode(X)", {m = m, X = decaying})
end

local path = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
local file = not os.getenv("QUICK") and io.open(path)
if file then
  file:close()
  local X = pg.load(path):reshape(60000, 784)
  local function once(names, f)
    collectgarbage()
    local start = pg.clock()
    f()
    local seconds = pg.clock() - start
    for _, name in ipairs(names) do print(string.format("%s\t%.9g", name, seconds)) end
  end
  once({"60000x784 fit / sklearn full", "60000x784 fit / sklearn randomized", "60000x784 fit / X'X+eigh",
    "60000x784 fit / dsyrk+dsyevr"}, function() pg.ppca.fit(X, 64) end)
  once({"60000x784 streamed / dsyrk+dsyevr"}, function()
    local acc = pg.ppca.accumulate()
    for first = 1, 60000, 5000 do acc:add(X:slice{first, first + 4999}) end
    acc:fit(64)
  end)
end
