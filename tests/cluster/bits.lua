-- SPDX-License-Identifier: MIT
-- One result for any number of ranks: least squares, PPCA, graphs, an LSTM and a net. Rank 0 prints a hash of the bits
-- of each. FILE is an array n x m as .npy; each rank reads its own rows of it. The last line is the plain way, whose
-- bits depend on the number of ranks.
local pg = require "perigee"
local mpi = pg.mpi
local path = arg[1]
local BLOCK = 4096

local function hash(...)
  local out = {}
  for _, v in ipairs{...} do
    for _, x in ipairs(type(v) == "number" and {v} or v:reshape(-1):totable()) do out[#out + 1] = ("%a"):format(x) end
  end
  return pg._system.digest(table.concat(out, " ")):sub(1, 12)
end
local function say(name, ...)
  if mpi.rank == 0 then print(("%-8s %s"):format(name, hash(...))) end
end

local n, shape = pg.rows.count(path)
local m = shape[2]
local first, last = mpi.range((n + BLOCK - 1) // BLOCK)
local rows = {(first - 1) * BLOCK + 1, math.min(last * BLOCK, n)}
local lin = pg.linear.accumulate{start = (first - 1) * BLOCK}
local ppca = pg.ppca.accumulate{start = (first - 1) * BLOCK}
if first <= last then
  for X in pg.rows(path, {rows = rows, size = 1000}) do
    lin:add(X:slice({}, {1, m - 1}), X:slice({}, m))
    ppca:add(X)
  end
end
say("linear", mpi.merge(lin):fit().w)
local model = mpi.merge(ppca):fit(3)
say("ppca", model.W, model.mu, model.sigma2)

local graphs = pg.graph.new{a = 1, b = -1}:sample(60, pg.random.new(5), {n = 12, m = 3})
local L, gradient, hessian = pg.graph.loglik(graphs, 0.7, -0.4, {shards = 16, mpi = true})
local fit = pg.graph.fit(graphs, {shards = 16, mpi = true})
say("graph", L, gradient, hessian, fit.a, fit.b, fit.loglik)

local rng = pg.random.new(1)
local lstm = pg.lstm.new{input_size = 1, hidden_size = 32, output_size = 1, rng = rng}
local x, y = pg.lstm.shift(rng:bernoulli(0.5, 150, 25))
lstm:fit(x, y, {epochs = 5, batch = 64, shards = 8, mpi = true, rng = rng, progress = false})
say("lstm", lstm.params)

local nn = pg.nn
rng = pg.random.new(2)
local net = nn.model(nn.sequential{nn.linear(20, 32), nn.relu, nn.dropout(0.2), nn.linear(32, 3)}, rng)
local X = rng:standard_normal({150, 20}, "f32")
local classes = rng:integers(1, 3, 150)
nn.fit(net, function(f, a, b, ctx) return nn.cross_entropy(f(a, ctx), b) end, {X, classes}, {epochs = 5, batch = 64,
  shards = 8, mpi = true, rng = rng, progress = false})
say("net", net.params)

local lo, hi = mpi.range(n)
local part = pg.zeros(m, m)
for Z in pg.rows(path, {rows = {lo, hi}, size = hi - lo + 1}) do part = Z.T:dot(Z) end
say("plain", mpi.allreduce(part))
