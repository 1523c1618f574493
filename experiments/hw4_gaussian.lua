-- SPDX-License-Identifier: MIT
-- Homework 4, the check: diffusion of a normal distribution, where the best denoiser is known and the sampler's whole
-- distribution can be computed.
--
--   x ~ N(mu, S),  z_t = sqrt(abar_t) x + sqrt(1 - abar_t) eps  =>  z_t ~ N(sqrt(abar_t) mu, S_t),
--   S_t = abar_t S + (1 - abar_t) I,      E[eps | z_t] = sqrt(1 - abar_t) S_t^-1 (z_t - sqrt(abar_t) mu),
--   mean squared error of that: 1 - (1 - abar_t) tr(S_t^-1) / d
--
-- With it each step of the sampler is z_{t-1} = A_t z_t + b_t + sqrt(beta_t) N(0, I), so that the samples are normal:
--   m_{t-1} = A_t m_t + b_t,   C_{t-1} = A_t C_t A_t' + beta_t I  (no noise at t = 1),   m_T = 0, C_T = I.
local pg = require "perigee"
local nn = pg.nn
local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")

local ex = pg.experiment{
  name = "hw4_gaussian",
  about = "DDPM of a Gaussian: the sampler against its closed form, and a trained net against the best one.",
  options = {
    T = pg.option{default = 1000, help = "steps of diffusion"},
    beta = pg.option{default = 0.01, help = "the last noise variance (of 1000 steps; fewer have more each)"},
    samples = pg.option{default = 50000, help = "draws by the closed form's denoiser"},
    net_samples = pg.option{default = 5000, help = "draws by the trained net"},
    steps = pg.option{default = 10000, help = "steps of training, in fifties"},
    batch = pg.option{default = 256, help = "draws in a step"},
    hidden = pg.option{default = 64, help = "units of the net's two hidden layers"},
    lr = pg.option{default = 5e-3, help = "first learning rate, which falls as a cosine"},
  },
  quick = {T = 50, samples = 20000, net_samples = 2000, steps = 1500},
}
local o = ex.options
local T, d = o.T, 3
local sample_rng, net_rng, train_rng = table.unpack(ex.rng:spawn(3))

local mu = pg.array{0.7, -1.1, 0.4}
local S = pg.array{{1.0, 0.55, -0.2}, {0.55, 0.5, 0.1}, {-0.2, 0.1, 0.3}}
local root, I = pg.linalg.cholesky(S), pg.eye(d)
local function data(n, rng) return rng:standard_normal(n, d):dot(root.T) + mu end

local beta = pg.linspace(1e-4, o.beta, T) * (1000 / T)
local log_abar = pg.log1p(-beta):cumsum()
local abar, rest = pg.exp(log_abar), -pg.expm1(log_abar) -- rest: 1 - abar

-- E[eps | z] of level t is z K' + c; at t = 0, where there is no noise, nothing is known of it.
local function best(t)
  if t == 0 then return pg.zeros(d, d), pg.zeros(d) end
  local K = pg.linalg.inv(S * abar[t] + I * rest[t]) * math.sqrt(rest[t])
  return K, -K:dot(mu) * math.sqrt(abar[t])
end

-- The steps z <- A z + b + sigma N(0, I) of a sampler that asks the best denoiser of level t at step t, and up to step
-- `off` that of level t - 1.
local function chain(off)
  local steps = {}
  for t = 1, T do
    local K, c = best(t <= off and t - 1 or t)
    local w = beta[t] / math.sqrt(rest[t])
    steps[t] = {A = (I - K * w) / math.sqrt(1 - beta[t]), b = c * (-w / math.sqrt(1 - beta[t])),
      sigma = t > 1 and math.sqrt(beta[t]) or 0}
  end
  return steps
end

-- Mean and covariance at the end of a chain that begins with m and C.
local function law(steps, m, C)
  for t = T, 1, -1 do
    local s = steps[t]
    m, C = s.A:dot(m) + s.b, s.A:dot(C):dot(s.A.T) + I * s.sigma ^ 2
  end
  return m, C
end

-- How many standard errors the mean and covariance of draws are from m and C, at most.
local function sigmas(Z, m, C)
  local v = pg.diag(C)
  local mean = ((Z:mean(1) - m) / (v / #Z):sqrt()):abs():max()
  local covariance = ((pg.cov(Z) - C) / ((pg.outer(v, v) + C:square()) / #Z):sqrt()):abs():max()
  return mean, covariance
end

-- ---- the sampler against its own law -------------------------------------------------------------------
local steps = chain(0)
local m, C = law(steps, pg.zeros(d), I)
local Z = sample_rng:standard_normal(o.samples, d)
for t = T, 1, -1 do
  local s = steps[t]
  Z = Z:dot(s.A.T) + s.b
  if s.sigma > 0 then Z = Z + sample_rng:standard_normal(o.samples, d) * s.sigma end
end
local off_mean, off_cov = sigmas(Z, m, C)
ex:metric("closed form: mean, standard errors off", off_mean)
ex:metric("closed form: covariance, standard errors off", off_cov)

-- ---- what is left of x ~ N(mu, S) -------------------------------------------------------------------------
local function gap(name, mean, cov)
  return {name, (mean - mu):abs():max(), (cov - S):abs():max()}
end
local exact_m, exact_C = law(steps, mu * math.sqrt(abar[T]), S * abar[T] + I * rest[T])
local shifted_m, shifted_C = law(chain(T), pg.zeros(d), I)
local last_m, last_C = law(chain(1), pg.zeros(d), I)
local rows = {gap("right schedule, from N(0, I)", m, C), gap("right schedule, from z_T's own law", exact_m, exact_C),
  gap("published schedule, one step off", shifted_m, shifted_C),
  gap("one off in the last step alone", last_m, last_C)}
for _, row in ipairs(rows) do
  ex:metric(row[1] .. ": covariance off by", row[3])
end

-- ---- a net --------------------------------------------------------------------------------------------------
local function features(t)
  local angle = (t:astype("f64") / T):expand_dims(2) * (pg.exp(pg.linspace(0, math.log(100), 8)) * math.pi / 2)
  return pg.concat({pg.sin(angle), pg.cos(angle)}, 2):astype("f32")
end
local net = nn.model(nn.sequential{nn.linear(d + 16, o.hidden), nn.silu, nn.linear(o.hidden, o.hidden), nn.silu,
  nn.linear(o.hidden, d)}, net_rng)
local function tell(n, z, t) return n(pg.concat({z, features(t)}, 2)) end
local function noised(x, t, noise)
  return (x * abar:take(t):sqrt():expand_dims(2) + noise * rest:take(t):sqrt():expand_dims(2)):astype("f32")
end
local loss = pg.value_and_grad(function(n, z, t, noise) return nn.mse(tell(n, z, t), noise) end)
local opt = pg.optim.adam{lr = pg.optim.cosine(o.lr, o.steps)}
course.train(ex, "net", math.max(1, o.steps // 50), {net = net, opt = opt, rng = train_rng}, function()
  local sum = 0
  for _ = 1, 50 do
    local t, noise = train_rng:integers(1, T, o.batch), train_rng:standard_normal(o.batch, d)
    local value, grads = loss(net, noised(data(o.batch, train_rng), t, noise), t, noise:astype("f32"))
    opt:step(net.params, grads)
    sum = sum + value
  end
  return {["squared error of the noise"] = sum / 50}
end)

-- Its error by t against the least possible, and its distance from the best denoiser.
local at, floor, error_of, excess = {}, {}, {}, {}
for k = 1, 20 do
  local t = math.max(1, k * T // 20)
  local when, noise = pg.full({4000}, t), sample_rng:standard_normal(4000, d)
  local z = noised(data(4000, sample_rng), when, noise)
  local K, c = best(t)
  local told, ideal = tell(net, z, when):astype("f64"), z:astype("f64"):dot(K.T) + c
  at[k], floor[k] = t, 1 - rest[t] * pg.linalg.inv(S * abar[t] + I * rest[t]):trace() / d
  error_of[k], excess[k] = (told - noise):square():mean(), (told - ideal):square():mean()
end
ex:metric("net: mean excess over the least error", pg.array(excess):mean())
local z = sample_rng:standard_normal(o.net_samples, d)
for t = T, 1, -1 do
  local told = tell(net, z:astype("f32"), pg.full({#z}, t)):astype("f64")
  z = (z - told * (beta[t] / math.sqrt(rest[t]))) / math.sqrt(1 - beta[t])
  if t > 1 then z = z + sample_rng:standard_normal(#z, d) * math.sqrt(beta[t]) end
end
local net_mean, net_cov = sigmas(z, m, C)
ex:metric("net: mean, standard errors off", net_mean)
ex:metric("net: covariance, standard errors off", net_cov)
rows[5] = gap(("a trained net, %d draws"):format(o.net_samples), z:mean(1), pg.cov(z))
ex:table("laws", {"sampler", "mean off by at most", "covariance off by at most"}, rows,
  "Against N(mu, S). All but the last are exact; that one has the noise of its draws.")

ex:figure("error", pg.plot.figure{title = "squared error of the noise", xlabel = "t"}
  :line(at, floor, {label = "the least possible"}):scatter(at, error_of, {label = "the net"}):legend(),
  "1 - (1 - abar) tr(S^-1) / d, and what the net was trained to.")
local shown, true_x = z:slice{1, math.min(#z, 1500)}, data(math.min(#z, 1500), sample_rng)
ex:figure("draws", pg.plot.figure{title = "first two of three numbers", aspect = "equal"}
  :scatter(true_x:slice({}, 1), true_x:slice({}, 2), {size = 3, alpha = 0.5, label = "x ~ N(mu, S)"})
  :scatter(shown:slice({}, 1), shown:slice({}, 2), {size = 3, alpha = 0.5, label = "by the trained net"}):legend(),
  "Draws of the distribution, and of the net's sampler.")
ex:note(string.format([[
**The check.** With the best denoiser the sampler is a chain of affine maps and normal noise, so that its mean and
covariance follow from a recursion without any draw. %d draws lie at most %.1f standard errors from it. What separates
this law from N(mu, S) is not the denoiser but the sampler: it begins with N(0, I) where abar_T = %.4f is not 0, and its
steps are finite. The covariance is off by %.4f, and by %.4f from the right start.

**One step off.** In the published schedule z_t has the noise of level t - 1 in training, and sampling counts it as
level t. The best net for that takes too little noise away at each step, and none at the last, where x is all it was
ever shown: the covariance is off by %.4f, and by %.4f where the last step alone is one off.]],
  o.samples, math.max(off_mean, off_cov), abar[T],
  rows[1][3], rows[2][3], rows[3][3], rows[4][3]))
