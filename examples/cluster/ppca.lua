-- SPDX-License-Identifier: MIT
-- PPCA of a file that need not fit into memory, over any number of ranks:
--   perigee run --ranks 4 examples/cluster/ppca.lua
--   mpirun -n 4 perigee examples/cluster/ppca.lua --file data.npy --d 10
-- Each rank reads its own blocks of rows and nothing else; what they gathered is merged in one fixed tree, so the
-- result has the same bits for every number of ranks. Without --file rank 0 makes one.
local pg = require "perigee"
local mpi = pg.mpi

local ex = pg.experiment{
  about = "PPCA of the rows of a .npy file, shared by ranks.",
  options = {file = pg.option{type = "string", help = "a .npy file of rows"}, rows = 200000, columns = 100, d = 3},
  quick = {rows = 9000, columns = 10},
}
local o = ex.options
local path = o.file or ex.dir .. "/rows.npy"
if o.file == nil and mpi.rank == 0 then
  local W = ex.rng:standard_normal(o.columns, o.d)
  pg.save(path, ex.rng:standard_normal(o.rows, o.d):dot(W.T) + ex.rng:normal(1, 0.1, o.rows, o.columns))
end
mpi.barrier()

local BLOCK = 4096
local n, shape = pg.rows.count(path)
local first, last = mpi.range((n + BLOCK - 1) // BLOCK)
local clock = pg.clock()
local acc = pg.ppca.accumulate{block = BLOCK, start = (first - 1) * BLOCK}
if first <= last then
  for X in pg.rows(path, {rows = {(first - 1) * BLOCK + 1, math.min(last * BLOCK, n)}, size = BLOCK}) do acc:add(X) end
end
local model = mpi.merge(acc):fit(o.d)
ex:metric("sigma2", model.sigma2)
ex:metric("explained", model:explained():sum())
print(model)
print(("%d rows of %d numbers in %.2f s on %d rank%s"):format(n, shape[2], pg.clock() - clock, mpi.size,
  mpi.size == 1 and "" or "s"))
