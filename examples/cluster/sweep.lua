-- SPDX-License-Identifier: MIT
-- A sweep of 100 jobs: how the error of a Monte Carlo integral falls with the number of points. Each job is one
-- setting; Slurm runs them in one array of ten tasks that share them:
--   perigee run --launcher slurm --workers 10 --out out/sweep --set points=100,1000,10000,100000 --set seed=1..25 \
--     examples/cluster/sweep.lua
-- and without --launcher and --workers this machine does.
local pg = require "perigee"

local ex = pg.experiment{
  about = "The volume of a ball in five dimensions, from random points.",
  options = {points = 100000, dims = 5},
  quick = {points = 1000},
}
local o = ex.options
local exact = math.pi ^ (o.dims / 2) / math.exp(pg.lgamma(o.dims / 2 + 1))
local inside, done = 0, 0
while done < o.points do
  local n = math.min(10000, o.points - done)
  local x = ex.rng:uniform(-1, 1, n, o.dims)
  inside, done = inside + (x * x):sum(2):le(1):sum(), done + n
end
local volume = 2 ^ o.dims * inside / o.points
ex:metric("volume", volume)
ex:metric("error", math.abs(volume - exact))
-- The standard deviation of the estimate, to compare the error with.
local p = exact / 2 ^ o.dims
ex:metric("expected error", 2 ^ o.dims * math.sqrt(p * (1 - p) / o.points))
