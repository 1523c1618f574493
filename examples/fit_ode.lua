-- SPDX-License-Identifier: MIT
-- The parameters of a differential equation from noisy observations: Lotka and Volterra's hares and lynxes,
--     x' = a x - b x y,   y' = c x y - d y,
-- integrated by Runge and Kutta's method in a Lua loop, through which the squared error is differentiated.
--
--   perigee examples/fit_ode.lua [--quick] [--steps 300]
local pg = require "perigee"
local ex = pg.experiment{name = "fit_ode", quick = {steps = 100}, options = {steps = 400, lr = 0.03, noise = 0.02}}
local o, rng = ex.options, ex.rng

local T, dt = 60, 0.1
local start = pg.array{1, 0.5}

-- The path from start, T x 2. theta holds the logarithms of a, b, c, d, so that they stay above 0.
local function path(theta)
  local p = pg.exp(theta)
  local function field(s)
    local x, y = s[1], s[2]
    return pg.stack{p[1] * x - p[2] * x * y, p[3] * x * y - p[4] * y}
  end
  local s, states = start, {}
  for t = 1, T do
    local k1 = field(s)
    local k2 = field(s + dt / 2 * k1)
    local k3 = field(s + dt / 2 * k2)
    local k4 = field(s + dt * k3)
    s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    states[t] = s
  end
  return pg.stack(states)
end

local truth = pg.log(pg.array{1.5, 1, 0.8, 1.2})
local seen = path(truth) + o.noise * rng:standard_normal(T, 2)

local step = pg.value_and_grad(function(theta) return pg.square(path(theta) - seen):mean() end)
local theta, opt, losses = truth + 0.3 * rng:uniform(-1, 1, 4), pg.optim.adam{lr = o.lr}, {}
for i, bar in pg.progress(o.steps, "fit") do
  local loss, g = step(theta)
  opt:step(theta, g)
  losses[i], bar.loss = loss, loss
end

ex:metric("loss at the end", losses[#losses])
ex:metric("largest relative error of a parameter", pg.abs(pg.exp(theta - truth) - 1):max())
ex:table("parameters", {"", "true", "found"}, {{"a", math.exp(truth[1]), math.exp(theta[1])},
  {"b", math.exp(truth[2]), math.exp(theta[2])}, {"c", math.exp(truth[3]), math.exp(theta[3])},
  {"d", math.exp(truth[4]), math.exp(theta[4])}})
local times, found = pg.range(1, T) * dt, path(theta)
ex:figure("path", pg.plot.figure{title = "hares and lynxes", xlabel = "t"}
  :scatter(times, seen:slice({}, 1), {label = "hares"}):line(times, found:slice({}, 1))
  :scatter(times, seen:slice({}, 2), {label = "lynxes"}):line(times, found:slice({}, 2)):legend(),
  "observed and fitted")
