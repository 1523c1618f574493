-- SPDX-License-Identifier: MIT
-- Homework 2, part 2: "feel your ELBO". A variational auto-encoder with one latent dimension, whose likelihood is an
-- integral that can be computed, beside its evidence lower bound; and a linear one, whose optimum is PPCA's.
local pg = require "perigee"
local nn = pg.nn

local ex = pg.experiment{
  name = "hw2_elbo",
  options = {
    draws = 200, hidden = 8, steps = 400,
    sigma = pg.option{type = "number", default = 0.35, help = "the decoder's standard deviation, not trained"},
    thetas = pg.option{type = "integer", default = 200, help = "values of theta in the figure"},
    grid = pg.option{type = "integer", default = 2001, help = "points of the integral over z"},
    rows = 2000, features = 10, d = 3,
  },
  quick = {steps = 150, thetas = 60, grid = 801},
}
local o, rng = ex.options, ex.rng

-- ---- the model: z ~ N(0, 1), x = f(z) + sigma e; q(z|x) = N(mu(x), s(x)^2) ------------------------------
-- Two bumps, so that no posterior is quite a Gaussian.
local x = pg.where(rng:random(o.draws, 1):lt(0.5), -1, 1) + rng:standard_normal(o.draws, 1) * 0.35
local vae = nn.model({
  f = nn.sequential{nn.linear(1, o.hidden), pg.tanh, nn.linear(o.hidden, 1)},
  q = nn.sequential{nn.linear(1, o.hidden), pg.tanh, nn.linear(o.hidden, 2)}, -- mu, log s
}, rng, {dtype = "f64"})

local HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
local function log_normal(u, log_sd) return -pg.square(u / pg.exp(log_sd)) / 2 - log_sd - HALF_LOG_2PI end

-- Nodes and weights of E[g(u)], u ~ N(0, 1): the eigenvalues of the Jacobi matrix of Hermite's polynomials and the
-- squares of its eigenvectors' first components (Golub & Welsch 1969). Exact for polynomials of degree 2 n - 1.
local function gauss_hermite(n)
  local J = pg.zeros(n, n)
  for k = 1, n - 1 do J[{k, k + 1}], J[{k + 1, k}] = math.sqrt(k), math.sqrt(k) end
  local nodes, vectors = pg.linalg.eigh(J)
  return nodes, vectors[1]:square()
end
local rough, fine = {gauss_hermite(40)}, {gauss_hermite(200)} -- to train, and to compare

-- log p(x|z) for x (n, 1) and z (n or 1, k), the decoder's output times theta.
local function log_px(m, theta, at, z)
  local fz = m.f(z:reshape(-1, 1)):reshape(z.shape)
  return log_normal(at - fz * theta, math.log(o.sigma))
end

-- E_q[log p(x|z)] - KL(q(z|x) || N(0, 1)), one an x: the expectation over the one z by Gauss-Hermite, KL exactly.
local function elbo(m, theta, q, rule)
  local nodes, weights = table.unpack(rule or fine)
  local out = q(x)
  local mu, log_s = out:slice({}, {1}), out:slice({}, {2})
  local expected = (log_px(m, theta, x, mu + pg.exp(log_s) * nodes) * weights):sum(2)
  local kl = (pg.exp(2 * log_s) + mu:square() - 1) / 2 - log_s
  return expected - kl:reshape(-1)
end

-- log p(x) = log of the integral of p(x|z) p(z) over z, by the trapezoid rule, which is exact to rounding here: the
-- integrand and all its derivatives vanish at the ends.
local z = pg.linspace(-9, 9, o.grid)
local log_prior, log_dz = log_normal(z, 0), math.log(18 / (o.grid - 1))
local function log_joint(m, theta) return log_px(m, theta, x, z:expand_dims(1)) + log_prior end
local function loglik(m, theta) return pg.logsumexp(log_joint(m, theta), 2) + log_dz end

-- Steps of L-BFGS on f(part) = minus the mean bound.
local function climb(part, f, steps)
  local value = pg.value_and_grad(f)
  local optimizer = pg.optim.lbfgs{}
  for _ = 1, steps do optimizer:step(part.params, function() return value(part) end) end
end
climb(vae, function(m) return -elbo(m, 1, m.q, rough):mean() end, o.steps)
ex:metric("trained: log-likelihood a draw", loglik(vae, 1):mean())
ex:metric("trained: ELBO a draw", elbo(vae, 1, vae.q):mean())

-- ---- five phi, each the best encoder of one theta ----------------------------------------------------
local encoders = {}
for k, theta in ipairs{0, 0.5, 1, 1.5, 2} do
  local copy = vae:copy()
  climb(copy.q, function(q) return -elbo(vae, theta, q, rough):mean() end, o.steps)
  encoders[k] = {theta = theta, q = copy.q}
end

local thetas = pg.linspace(-0.5, 2.5, o.thetas)
local function over(f)
  local out = pg.zeros(o.thetas)
  for k = 1, o.thetas do out[k] = f(thetas[k]) end
  return out
end
local truth = over(function(theta) return loglik(vae, theta):mean() end)
local fig = pg.plot.figure{title = "ELBO and log-likelihood", xlabel = "theta: the decoder gives theta f(z)",
  ylabel = "nats a draw", ylim = {-6, -0.8}, width = 720, height = 520}
  :line(thetas, truth, {label = "log p(x)", color = "black", width = 2.5})
local highest, roughest = -math.huge, 0
for _, e in ipairs(encoders) do
  e.elbo = over(function(theta) return elbo(vae, theta, e.q):mean() end)
  fig:line(thetas, e.elbo, {label = string.format("ELBO, phi of theta = %g", e.theta)})
  highest = math.max(highest, (e.elbo - truth):max())
  roughest = math.max(roughest, pg.diff(pg.diff(pg.diff(e.elbo))):abs():max())
end
ex:metric("largest ELBO - log-likelihood on the grid", highest, {note = "never above 0"})
assert(highest <= 1e-9, "an ELBO lies above the log-likelihood")
ex:metric("ELBO: largest third difference over theta", roughest, {note = "log p(x|z) is quadratic in theta, so each "
  .. "ELBO is a parabola, whose third differences are 0"})
ex:figure("elbo", fig:legend(), string.format("The mean log-likelihood of %d draws, by integration over z, and the "
  .. "ELBO of five encoders, each trained at one theta until its bound was the best it can give there.", o.draws),
  {report = "the same kind of picture with a rough ELBO", note = "no draws are needed where the KL is a formula and "
  .. "the expectation one-dimensional"})

-- What is missing is KL(q(z|x) || p(z|x)), computed here by the integral alone.
local grid_error = 0
for _, e in ipairs(encoders) do
  local joint, out = log_joint(vae, e.theta), e.q(x)
  local log_q = log_normal(z - out:slice({}, {1}), out:slice({}, {2}))
  local missing = (pg.exp(log_q) * (log_q - joint)):sum(2) * math.exp(log_dz) + loglik(vae, e.theta)
  grid_error = math.max(grid_error, (loglik(vae, e.theta) - elbo(vae, e.theta, e.q) - missing):abs():max())
  ex:metric("log-likelihood - ELBO where phi was trained", missing:mean(), e.theta)
end
ex:metric("gap less KL(q || p(z|x)): largest difference", grid_error)
do
  local finer = pg.linspace(-9, 9, 2 * o.grid - 1)
  local joint = log_px(vae, 1, x, finer:expand_dims(1)) + log_normal(finer, 0)
  local change = pg.logsumexp(joint, 2) + log_dz - math.log(2) - loglik(vae, 1)
  ex:metric("integral: change by twice the points", change:abs():max())
end

-- ---- as published: the expectation by draws, a new one for each theta ---------------------------------
local tight = encoders[3]
local sampled = over(function(theta)
  local out = tight.q(x)
  local log_s = out:slice({}, {2})
  local draw = out:slice({}, {1}) + pg.exp(log_s) * rng:standard_normal(o.draws, 1)
  local log_q = log_normal(draw - out:slice({}, {1}), log_s)
  return (log_px(vae, theta, x, draw) + log_normal(draw, 0) - log_q):mean()
end)
ex:metric("ELBO by draws: values above the log-likelihood", sampled:gt(truth):sum())
ex:metric("ELBO by draws: sd of its error", (sampled - tight.elbo):std())
ex:figure("sampled", pg.plot.figure{title = "ELBO by draws and by formula", xlabel = "theta", ylabel = "nats a draw",
  width = 720, height = 440}:line(thetas, truth, {label = "log p(x)", color = "black", width = 2})
  :line(thetas, sampled, {label = "ELBO, one draw of z an x", alpha = 0.7})
  :line(thetas, tight.elbo, {label = "ELBO, KL exact, Gauss-Hermite", width = 2}):legend(),
  "One encoder's bound with z drawn anew at each theta, and without draws.")

-- The published likelihood is Bernoulli's, theta^x (1 - theta)^(1 - x), for an x between 0 and 1. That is no density:
-- over x it integrates to (2 theta - 1) / log(theta / (1 - theta)).
local u = pg.linspace(0, 1, 2001)
local p = pg.exp(u * math.log(0.8) + (1 - u) * math.log(0.2))
ex:metric("Bernoulli at mean 0.8: integral over x in 0..1", (p:sum() - (p[1] + p[-1]) / 2) / 2000,
  {note = "(2 theta - 1) / log(theta / (1 - theta)) = 0.4328; a density has 1"})

-- ---- a linear VAE ends at PPCA (Lucas et al. 2019) ----------------------------------------------------
-- x = W z + mu + sigma e, q(z|x) = N(V (x - mu), diag D). The ELBO is a formula of the data's covariance S:
--   E log p(x|z) = -m/2 log(2 pi sigma2) - (tr((I - W V) S (I - W V)') + tr(W D W')) / (2 sigma2)
--   KL           = (tr(V S V') + sum(D - 1 - log D)) / 2
local m, d = o.features, o.d
local A = rng:standard_normal(m, d) * pg.linspace(1, 0.5, d)
local X = rng:standard_normal(o.rows, d):dot(A.T) + rng:standard_normal(o.rows, m) + pg.range(1, m)
local centred = X - X:mean(1)
local S = centred.T:dot(centred) / o.rows
local linear = nn.model({W = nn.param({m, d}, nn.init.normal(0, 0.3)), V = nn.param({d, m}, nn.init.normal(0, 0.3)),
  log_D = nn.param({d}), log_sigma2 = nn.param({1})}, rng, {dtype = "f64"})
local function missed(v)
  local R = pg.eye(m) - v.W:dot(v.V)
  local D, sigma2 = pg.exp(v.log_D), pg.exp(v.log_sigma2)
  local squares = (R:dot(S) * R):sum() + (v.W:square() * D):sum()
  local expected = -(v.log_sigma2 + 2 * HALF_LOG_2PI) * (m / 2) - squares / (2 * sigma2)
  local kl = ((v.V:dot(S) * v.V):sum() + (D - 1 - v.log_D):sum()) / 2
  return -(expected:sum() - kl)
end
local ppca = pg.ppca.fit(X, d)
local best = ppca:loglik(X) / o.rows
local WWt = ppca.W:dot(ppca.W.T)
local value, optimizer, trace = pg.value_and_grad(missed), pg.optim.lbfgs{}, {{}, {}, {}}
for step = 1, o.steps do
  local loss = optimizer:step(linear.params, function() return value(linear) end)
  trace[1][step] = best + loss
  trace[2][step] = math.abs(math.exp(linear.log_sigma2[1]) / ppca.sigma2 - 1)
  trace[3][step] = pg.linalg.norm(linear.W:dot(linear.W.T) - WWt) / pg.linalg.norm(WWt)
end
ex:metric("linear VAE: sigma2", math.exp(linear.log_sigma2[1]))
ex:metric("PPCA: sigma2", ppca.sigma2)
ex:metric("linear VAE: relative difference in sigma2", trace[2][o.steps])
ex:metric("linear VAE: relative difference in W W'", trace[3][o.steps])
ex:metric("linear VAE: log-likelihood of PPCA - ELBO, a row", trace[1][o.steps])
-- The rotation that takes its W to PPCA's: U V' of the singular value decomposition of W' W_ppca (Procrustes).
local U, _, Vt = pg.linalg.svd(linear.W.T:dot(ppca.W))
local turned = linear.W:dot(U:dot(Vt))
ex:metric("linear VAE: largest difference in W after the best rotation", (turned - ppca.W):abs():max())
local WtW = linear.W.T:dot(linear.W)
ex:metric("linear VAE: largest |cosine| of two columns of W",
  (WtW / pg.outer(pg.diag(WtW), pg.diag(WtW)):sqrt() - pg.eye(d)):abs():max(),
  {note = "q has a diagonal covariance, so of all rotations that PPCA leaves open only orthogonal columns are best"})
local plot = pg.plot.figure{title = "linear VAE on its way to PPCA", xlabel = "step of L-BFGS", yscale = "log",
  width = 720, height = 440}
for k, label in ipairs{"log-likelihood of PPCA - ELBO, nats a row", "sigma2, relative difference",
  "W W', relative difference"} do
  plot:line(pg.array(trace[k]), {label = label})
end
ex:figure("linear", plot:legend(), string.format("%d rows of %d features, %d latents: the ELBO's maximum is PPCA's "
  .. "closed form.", o.rows, m, d))

ex:table("theirs beside ours", {"", "published", "here"}, {
  {"data", "200 draws of N(0.8, 0.05)", string.format("%d draws of two bumps at -1 and 1", o.draws)},
  {"net", "1-8-1", string.format("1-%d-1", o.hidden)},
  {"p(x|z)", "Bernoulli, of a continuous x", string.format("N(f(z), %g^2)", o.sigma)},
  {"log p(x)", "trapezoid, 100 points of [-10, 10]", string.format("trapezoid, %d points of [-9, 9]", o.grid)},
  {"E log p(x|z)", "200 draws at each theta", "Gauss-Hermite, 200 nodes"},
  {"KL", "by the same draws", "the formula"},
  {"thetas, phis", "200, 5", string.format("%d, %d", o.thetas, #encoders)},
  {"ELBO above log p(x)", "not said", string.format("nowhere; nearest %.1e below", -highest)},
}, "theirs beside ours")
ex:note(string.format([[
**2-2.** For every theta and every phi log p(x) = ELBO + KL(q(z|x) || p(z|x)), so each encoder gives a curve that lies
under the log-likelihood everywhere and comes nearest where its q is nearest to the posteriors of that theta. At
theta = 0 the decoder does not look at z, the posterior is the prior, and that encoder's curve touches. Elsewhere a gap
stays (%.3f nats a draw at theta = 1 after training both): f takes about half of the z to each bump, so a posterior is
nearly one half of the prior, and q a whole Gaussian. The curves fall fast away from their own theta, so the top of one
is no top of the log-likelihood; training has to move theta and phi by turns or together. It ends at theta = 1, beside
the maximum of log p(x) at %.2f and not on it: the ELBO prefers a decoder whose posteriors are easy for q.

**With a linear decoder the gap closes.** The posterior is then Gaussian, and the bound's maximum is PPCA's closed form:
sigma2 differs by %.1e, W W' by %.1e, and the ELBO ends %.1e nats a row under PPCA's log-likelihood. What PPCA
leaves open, the rotation of z, the diagonal covariance of q fixes: the columns of W come out orthogonal (Lucas et al.
2019, *Don't blame the ELBO*).

**Three things in the published solution.** A Bernoulli "likelihood" of a continuous x does not integrate to 1, so it
compares thetas by a rule that is no probability. Draws make the curve rough, most of all far from the encoder's own
theta, where few of them matter. The KL of two Gaussians is a formula, and the expectation is over one dimension.]],
  loglik(vae, 1):mean() - elbo(vae, 1, vae.q):mean(), thetas[truth:argmax()], trace[2][o.steps], trace[3][o.steps],
  trace[1][o.steps]))
