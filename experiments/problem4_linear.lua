-- SPDX-License-Identifier: MIT
-- Homework problem 4: the linear-Gaussian model. Proof, fit, p(y|x), and the estimates as data grow.
local pg = require "perigee"

local ex = pg.experiment{
  name = "problem4_linear",
  options = {
    n = pg.option{type = "integer", default = 60, help = "points of the figure"},
    intercept = pg.option{type = "number", default = 0.3, help = "of the line the data are drawn about"},
    slope = pg.option{type = "number", default = 0.9, help = "of the same"},
    sigma = pg.option{type = "number", default = 0.6, help = "standard deviation of the noise"},
    steps = pg.option{type = "integer", default = 1500, help = "of gradient ascent"},
    repeats = pg.option{type = "integer", default = 40, help = "data sets at each size"},
    sizes = {10, 32, 100, 316, 1000, 3162, 10000, 31623, 100000},
  },
  quick = {repeats = 10, sizes = {10, 100, 1000, 10000}},
}
local o = ex.options
local pi, log, sqrt = math.pi, math.log, math.sqrt

ex:note[[
**The maximum of the likelihood.** Given are n pairs of a vector x (here 1 and a number) and a number y, and the model
y = x.w + e with e ~ N(0, sigma2), so that

```
p(y | x; w, sigma2) = (2 pi sigma2)^(-1/2) exp(-(y - x.w)^2 / (2 sigma2))
L(w, sigma2) = -n/2 log(2 pi) - n/2 log sigma2 - 1/(2 sigma2) sum_i (y_i - x_i.w)^2
```

*For w.* Whatever sigma2 is, L is largest where the sum of squares is least.

```
dL/dw = 1/sigma2 sum_i x_i (y_i - x_i.w) = 1/sigma2 (sum_i x_i y_i - (sum_i x_i x_i^T) w)
```

This is 0 where (sum x x^T) w = sum x y. The second derivative, -1/sigma2 sum x x^T, is negative semidefinite, so L is
concave in w and the stationary point is the maximum; where the x span the space the matrix has an inverse:

```
w = (sum_i x_i x_i^T)^-1 sum_i x_i y_i
```

sum x x^T is a matrix: it cannot be divided by, only inverted, or better, solved with.

*For sigma2.* With RSS = sum (y_i - x_i.w)^2 at that w,

```
dL/dsigma2 = -n/(2 sigma2) + RSS/(2 sigma2^2) = n/(2 sigma2^2) (RSS/n - sigma2)
```

is positive below sigma2 = RSS/n, 0 there and negative above, so the maximum lies at

```
sigma2 = 1/n sum_i (y_i - x_i.w)^2
```
]]

-- ---- the data and the fit --------------------------------------------------------------------
local function draw(n, rng)
  local x = rng:uniform(-3, 3, n)
  return x, x * o.slope + o.intercept + rng:normal(0, o.sigma, n)
end
local x, y = draw(o.n, ex.rng)
local fit = pg.linear.fit(x, y, {intercept = true})
ex:metric("intercept", fit.intercept)
ex:metric("slope", fit.w[1])
ex:metric("sigma2", fit.sigma2)
ex:table("fit", {"", "estimate", "standard error", "drawn with"}, {
  {"intercept", fit.intercept, fit.intercept_stderr, o.intercept},
  {"slope", fit.w[1], fit.stderr[1], o.slope},
  {"sigma2 = RSS/n", fit.sigma2, fit.sigma2 * sqrt(2 / o.n), o.sigma ^ 2},
  {"RSS/(n - 2), unbiased", fit.s2, fit.s2 * sqrt(2 / (o.n - 2)), o.sigma ^ 2},
}, string.format("%d points; R2 = %.4f, log-likelihood %.4f.", o.n, fit.r2, fit.loglik))

local low, high = math.floor(math.min(-3, y:min())), math.ceil(math.max(3, y:max()))
local edge = 3.5
local at = pg.linspace(-edge, edge, 141)
local mean, sd = fit:predict(at:expand_dims(2))
local points = pg.plot.figure{title = "data and fitted line", xlabel = "x", ylabel = "y", width = 560, height = 480}
  :band(at, mean - sd * 2, mean + sd * 2, {color = "#9ecae1", label = "two standard deviations of a new y"})
  :line(at, mean, {color = "#08519c", width = 2, label = string.format("y = %.3f + %.3f x", fit.intercept, fit.w[1])})
  :scatter(x, y, {color = "#cb181d", size = 4, label = "data"})
  :limits{x = {-edge, edge}, y = {low, high}}
  :legend("lower right")

-- p(y|x) on a grid of the centres of cells
local cells = ex.quick and 80 or 240
local xs = pg.linspace(-edge + edge / cells, edge - edge / cells, cells)
local ys = pg.linspace(low + (high - low) / (2 * cells), high - (high - low) / (2 * cells), cells)
local centre = xs * fit.w[1] + fit.intercept
local density = pg.exp((ys:expand_dims(2) - centre):square() / (-2 * fit.sigma2)) / sqrt(2 * pi * fit.sigma2)
local heat = pg.plot.figure{title = "p(y|x)", xlabel = "x", ylabel = "y", width = 560, height = 480}
  :heatmap(density, {x = {-edge, edge}, y = {low, high}, cmap = "blues", label = "p(y|x)"})
  :scatter(x, y, {color = "#cb181d", size = 4})
ex:figure("linear", pg.plot.grid({points, heat}, 1, 2),
  "Left: the points with the fitted line. Right: the density p(y|x) of the fitted model, whose ridge is the line and "
  .. "whose width sigma is the same at every x.")
-- Each column of the heat map is a density: it must integrate to 1 where the picture holds nearly all of it.
ex:metric("p(y|x): integral over y at x = 0", density:slice({}, cells // 2):sum() * (high - low) / cells)

-- ---- three ways to the maximum -----------------------------------------------------------------
local X = pg.stack({pg.ones(o.n), x}, 2)

-- The log-likelihood at t = (w, sigma2), and its gradient.
local function loglik(t)
  local r = y - X:dot(t:slice{1, 2})
  return -0.5 * o.n * log(2 * pi * t[3]) - r:dot(r) / (2 * t[3])
end
local function gradient(t)
  local r = y - X:dot(t:slice{1, 2})
  local s = t[3]
  return pg.concat({X.T:dot(r) / s, pg.array{-0.5 * o.n / s + r:dot(r) / (2 * s * s)}}, 1)
end

local normal = pg.linalg.solve(X.T:dot(X), X.T:dot(y))
local closed = pg.concat({normal, pg.array{(y - X:dot(normal)):square():mean()}}, 1)
local qr = pg.array{fit.intercept, fit.w[1], fit.sigma2}

-- Ascent in (w, log sigma2), so that sigma2 stays positive: dL/dlog sigma2 = sigma2 dL/dsigma2. The step is
-- halved until the likelihood does not fall.
local t = pg.array{0, 0, y:square():mean()}
local curve, rate = {loglik(t)}, 0.5 / o.n
for _ = 1, o.steps do
  local g, now = gradient(t), curve[#curve]
  local nudge = rate
  local next_t, value
  repeat
    next_t = pg.concat({t:slice{1, 2} + g:slice{1, 2} * nudge, pg.array{t[3] * math.exp(nudge * t[3] * g[3])}}, 1)
    value = loglik(next_t)
    nudge = nudge / 2
  until value >= now or nudge < 1e-16
  if value < now then break end
  t = next_t
  curve[#curve + 1] = value
  if value == now then break end
end
for k = 2, #curve do assert(curve[k] >= curve[k - 1], "the log-likelihood fell") end

local function row(name, v)
  return {name, v[1], v[2], v[3], loglik(v), gradient(v):abs():max(), (v - qr):abs():max()}
end
ex:table("methods", {"", "intercept", "slope", "sigma2", "log-likelihood", "largest |gradient|",
  "difference from QR"}, {
  row("closed form, (sum x x^T) w = sum x y", closed),
  row("QR, refined (pg.linear.fit)", qr),
  row(string.format("gradient ascent, %d steps", #curve - 1), t),
}, "Three ways to one maximum; the gradient there is 0 but for rounding.")
ex:metric("closed form: difference from QR", (closed - qr):abs():max())
ex:metric("gradient ascent: difference from QR", (t - qr):abs():max())
ex:metric("gradient at the solution", gradient(qr):abs():max())
assert((closed - qr):abs():max() < 1e-10 and (t - qr):abs():max() < 1e-5, "the three ways do not agree")

local away = qr + pg.array{0.1, -0.2, 0.3}
local checked = pg.gradcheck(loglik, gradient, away)
local difference = pg.zeros(3)
for j = 1, 3 do
  local up, down = qr:copy(), qr:copy()
  up[j], down[j] = up[j] + 1e-4, down[j] - 1e-4
  difference[j] = (loglik(up) - loglik(down)) / 2e-4
end
ex:metric("gradcheck: largest relative error", checked.max_rel_error)
ex:metric("differences at the solution", difference:abs():max())
assert(checked.ok, "the gradient is not that of the log-likelihood")

-- From step 0; a distance of 0 has no logarithm and is left out.
local gap = pg.array(curve) * -1 + fit.loglik
ex:figure("ascent", pg.plot.figure{title = "gradient ascent", xlabel = "step", yscale = "log", width = 560,
    height = 360, ylabel = "log-likelihood below its maximum"}
  :line(pg.range(0, #curve - 1), pg.where(gap:gt(1e-13), gap, 0 / 0), {marker = "circle", size = 3}),
  "How far the log-likelihood is below its maximum after each step of ascent: never farther than before, for L is "
  .. "concave in w and a step too long is halved.")

-- ---- w and sigma2 as n grows -------------------------------------------------------------------
local truth = {o.intercept, o.slope, o.sigma ^ 2}
local names = {"intercept", "slope", "sigma2"}
local errors = pg.zeros(#o.sizes, 3)
for k, n in ipairs(o.sizes) do
  local rng = ex.rng:spawn(1)[1]
  for _ = 1, o.repeats do
    local xn, yn = draw(n, rng)
    local m = pg.linear.fit(xn, yn, {intercept = true})
    for j, estimate in ipairs{m.intercept, m.w[1], m.sigma2} do
      errors:set(k, j, errors(k, j) + (estimate - truth[j]) ^ 2)
    end
  end
end
errors = (errors / o.repeats):sqrt()
local n = pg.array(o.sizes)
-- The spread that theory gives: x is uniform on [-3, 3], with mean 0 and variance 3.
local theory = {o.sigma, o.sigma / sqrt(3), o.sigma ^ 2 * sqrt(2)}
local growth = pg.plot.figure{title = "error of the estimates", xlabel = "n", ylabel = "root mean squared error",
  xscale = "log", yscale = "log", width = 640, height = 480}
local rows = {}
for j = 1, 3 do
  growth:scatter(n, errors:slice({}, j), {label = names[j], color = j, size = 5})
  growth:line(n, n:sqrt():pow(-1) * theory[j], {color = j, dash = "dashed", width = 1})
  local slope = pg.linear.fit(n:log(), errors:slice({}, j):log(), {intercept = true})
  ex:metric(names[j] .. ": slope of log error over log n", slope.w[1])
  rows[j] = {names[j], errors(1, j), errors(-1, j), theory[j] / sqrt(o.sizes[#o.sizes]), slope.w[1]}
end
growth:line(n, n:sqrt():pow(-1) * 3, {color = "#555555", width = 1.5, label = "3/sqrt(n)"}):legend("lower left")
ex:figure("growth", growth, string.format(
  "Root mean squared error over %d data sets of each size. All fall along 1/sqrt(n); the dashed lines are what theory "
  .. "says: sigma/sqrt(n) for the intercept, sigma/sqrt(3 n) for the slope, sigma2 sqrt(2/n) for sigma2.", o.repeats))
ex:table("growth", {"", "error at n = " .. o.sizes[1], "error at n = " .. o.sizes[#o.sizes], "theory there",
  "slope in the log-log plot"}, rows)

-- ---- the normalising constant ------------------------------------------------------------------
local constants = {}
for _, sigma in ipairs{0.25, 0.5, 1, 2, o.sigma} do
  local grid = pg.linspace(-12 * sigma, 12 * sigma, 4801)
  local bell = pg.exp(grid:square() / (-2 * sigma ^ 2))
  local area = bell:sum() * 24 * sigma / 4800
  constants[#constants + 1] = {sigma, area / sqrt(2 * pi * sigma ^ 2), area / (sqrt(2 * pi) * sigma ^ 2), 1 / sigma}
end
ex:table("normaliser", {"sigma", "1/sqrt(2 pi sigma^2) integrates to",
  "the report's 1/(sqrt(2 pi) sigma^2) integrates to", "1/sigma"}, constants,
  "The density must integrate to 1 for every sigma.")
ex:metric("right normaliser: integral", constants[#constants][2])
ex:metric("report's normaliser: integral", constants[#constants][3])
local half = fit.rss / (2 * o.n)
ex:note(string.format([[
**The report's normalising constant.** It writes p(y|x) with 1/(sqrt(2 pi) sigma^2), which integrates to 1/sigma: a
density at sigma = 1 only. Taken at its word, its likelihood is L = -n log sigma2 - RSS/(2 sigma2) + constant, whose
maximum is at sigma2 = RSS/(2n) = %.4f here, half of the right %.4f. The report arrives at RSS/n all the same because a
line later it goes on with (2 pi sigma^2)^(-1/2), the right constant. Its derivative in sigma then carries factors 4 pi
that cancel, and w is written as one sum divided by another, where a matrix must be inverted.]], half, fit.sigma2))

-- ---- why QR ------------------------------------------------------------------------------------
-- Wampler's polynomial: y = 1 + x + ... + x^5 at x = 0..20, so that every coefficient is exactly 1.
local nodes = pg.range(0, 20)
local powers = {pg.ones(21)}
for d = 1, 5 do powers[d + 1] = powers[d] * nodes end
local P = pg.stack(powers, 2)
local exact = P:sum(2)
local function digits(w)
  local off = (w - 1):abs():max()
  return off < 1e-16 and 16 or -log(off, 10)
end
local by_normal = pg.linalg.solve(P.T:dot(P), P.T:dot(exact))
local Q, R = pg.linalg.qr(P)
local by_qr = pg.linalg.solve_triangular(R, Q.T:dot(exact))
local refined = pg.linear.fit(P, exact)
ex:table("digits", {"", "correct digits of the worst coefficient"}, {
  {"normal equations, (sum x x^T) w = sum x y", digits(by_normal)},
  {"QR", digits(by_qr)},
  {"QR, refined with double-double residuals (pg.linear.fit)", digits(refined.w)},
}, string.format("NIST's Wampler1, a polynomial of degree 5 whose coefficients are all 1; condition %.1e. The closed "
  .. "form squares the condition; QR does not.", refined.cond))
ex:metric("digits: normal equations", digits(by_normal))
ex:metric("digits: QR refined", digits(refined.w))
