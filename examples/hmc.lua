-- SPDX-License-Identifier: MIT
-- Bayesian logistic regression by Hamiltonian Monte Carlo (Neal 2011): any log-density in plain Lua, its
-- gradient by pg.grad, and Laplace's approximation through pg.hessian.
--
--   perigee examples/hmc.lua [--quick] [--draws 2000] [--data FILE.csv]     the file's last column is 0 or 1
local pg = require "perigee"
local ex = pg.experiment{name = "hmc", quick = {draws = 300}, options = {draws = 2000, eps = 0.15, leaps = 20,
  data = pg.option{type = "string", help = "numbers in columns, the last 0 or 1; default: a table that is drawn"}}}
local o, rng = ex.options, ex.rng

-- 200 people, 4 properties, of which the last does not matter; or a file's.
local X, y
if o.data then
  local A = pg.load(ex:data(o.data))
  X, y = A:slice({}, {1, -2}), A:slice({}, -1)
else
  X = rng:standard_normal(200, 4)
  y = rng:bernoulli(pg.sigmoid(X:dot(pg.array{1, -2, 0.5, 0}) - 0.5))
end
X = pg.concat({pg.ones(#X, 1), (X - X:mean(1)) / X:std(1)}, 2)

-- log p(w | y) + const: w ~ N(0, I), y ~ Bernoulli(sigmoid(Xw)).
local function log_density(w)
  local z = X:dot(w)
  return (y * z - pg.softplus(z)):sum() - pg.square(w):sum() / 2
end
local slope, curvature = pg.value_and_grad(log_density), pg.hessian(log_density)

-- The mode by Newton's method, and what a Gaussian there would say.
local w = pg.zeros(X.shape[2])
for _ = 1, 8 do
  local _, g = slope(w)
  w = w - pg.linalg.solve(curvature(w), g)
end
local mode, laplace = w, pg.sqrt(pg.diag(pg.linalg.inv(-curvature(w))))

-- One trajectory: leapfrog steps of the energy -log p(w) + |p|^2 / 2, accepted or not.
local function trajectory(from, lp0, g0)
  local p = rng:standard_normal(#from)
  local start, w1, lp1, g1 = lp0 - p:dot(p) / 2, from, lp0, g0
  p = p + o.eps / 2 * g1
  for i = 1, o.leaps do
    w1 = w1 + o.eps * p
    lp1, g1 = slope(w1)
    p = p + (i < o.leaps and o.eps or o.eps / 2) * g1
  end
  if math.log(rng:random()) < lp1 - p:dot(p) / 2 - start then return true, w1, lp1, g1 end
  return false, from, lp0, g0
end

local draws, accepted = {}, 0
local lp, g = slope(w)
for i = 1, o.draws do
  local yes
  yes, w, lp, g = trajectory(w, lp, g)
  draws[i], accepted = w, accepted + (yes and 1 or 0)
end
local W = pg.stack(draws)
ex:metric("accepted", accepted / o.draws)
ex:metric("largest difference from the mode, in Laplace sds", (pg.abs(W:mean(1) - mode) / laplace):max())
ex:metric("largest ratio of sd to Laplace's", (W:std(1) / laplace):max())
ex:table("posterior", {"weight", "mean", "sd", "mode", "Laplace sd", "5 %", "95 %"},
  pg.stack({pg.range(0, #laplace - 1), W:mean(1), W:std(1), mode, laplace, W:quantile(0.05, 1),
    W:quantile(0.95, 1)}, 2))
