-- SPDX-License-Identifier: MIT
-- A net trained by several ranks, which share each batch:
--   perigee run --ranks 4 examples/cluster/net.lua
-- A batch is cut in eight shards, whatever the number of ranks, and the gradients of the shards are added in one fixed
-- tree: so the net has the same bits on 1, 2, 3 or 8 ranks.
local pg = require "perigee"
local nn, mpi = pg.nn, pg.mpi

local ex = pg.experiment{
  about = "Which of ten directions a noisy vector comes from.",
  options = {n = 20000, hidden = 128, epochs = 5, batch = 256, shards = 8},
  quick = {n = 1000, hidden = 16, epochs = 3, batch = 64},
}
local o = ex.options
-- The same on every rank: the seed is.
local centres = ex.rng:standard_normal({10, 32}, "f32")
local y = ex.rng:integers(1, 10, o.n)
local X = centres:take(y) + ex.rng:standard_normal({o.n, 32}, "f32")
local net = nn.model(nn.sequential{nn.linear(32, o.hidden), nn.relu, nn.dropout(0.1), nn.linear(o.hidden, 10)}, ex.rng)
local clock = pg.clock()
local history = nn.fit(net, function(f, a, b, ctx) return nn.cross_entropy(f(a, ctx), b) end, {X, y}, {
  epochs = o.epochs, batch = o.batch, rng = ex.rng, shards = o.shards, mpi = true, optimizer = pg.optim.adam{lr = 3e-3},
})
for epoch, loss in ipairs(history.loss) do ex:metric("loss", loss, epoch) end
ex:metric("accuracy", net(X):argmax(2):eq(y):sum() / o.n)
ex:metric("first parameter", net.params[1])
print(("%.2f s on %d rank%s"):format(pg.clock() - clock, mpi.size, mpi.size == 1 and "" or "s"))
