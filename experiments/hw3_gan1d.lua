-- SPDX-License-Identifier: MIT
-- Homework 3, part 2: a generative adversarial net of one number (Goodfellow et al. 2014), watched while it trains.
--
--   D maximises E[log D(x)] + E[log(1 - D(G(z)))], best at D*(x) = p_data(x) / (p_data(x) + p_G(x)), where that is
--   2 JSD(p_data, p_G) - log 4;   G maximises E[log D(G(z))].
local pg = require "perigee"
local nn = pg.nn
local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")

local ex = pg.experiment{
  name = "hw3_gan1d",
  about = "A GAN of numbers: ten graphs of both histograms and the discriminator, and the Wasserstein distance.",
  options = {
    data = pg.option{default = "sine", choices = {"sine", "mixture"},
      help = "sin(U(-pi, pi)), or N(-1.5, 0.3) and N(1, 0.5) one time in three and two in three"},
    hidden = pg.option{default = 128, help = "units of the two hidden layers of each net (published: 2048)"},
    steps = pg.option{default = 5000, help = "steps of training"},
    batch = pg.option{default = 128, help = "numbers in a step"},
    lr = pg.option{default = 5e-4, help = "learning rate of both"},
    beta1 = pg.option{default = 0.5, help = "of Adam; 0.9 is its usual value"},
    judge_steps = pg.option{default = 3000, help = "steps of a discriminator alone"},
    draws = pg.option{default = 20000, help = "draws for histograms and distances"},
  },
  quick = {hidden = 64, steps = 1500, judge_steps = 800, draws = 5000},
}
local o = ex.options
local net_rng, train_rng, draw_rng = table.unpack(ex.rng:spawn(3))

-- ---- the data: draws, density, and the numbers below which a share q of them lies -----------------------
local function bell(x, m, s) return pg.exp(pg.square((x - m) / s) * -0.5) / (s * math.sqrt(2 * math.pi)) end
local laws = {
  sine = {lo = -1.6, hi = 1.6, draw = function(n, rng) return pg.sin(rng:uniform(-math.pi, math.pi, n)) end,
    density = function(x) return pg.where(x:abs():lt(1), 1 / (math.pi * pg.sqrt(pg.maximum(1 - x * x, 1e-9))), 0) end},
  mixture = {lo = -3.5, hi = 3.5, draw = function(n, rng)
    local first, e = rng:bernoulli(1 / 3, n), rng:standard_normal(n)
    return pg.where(first, e * 0.3 - 1.5, e * 0.5 + 1)
  end, density = function(x) return bell(x, -1.5, 0.3) / 3 + bell(x, 1, 0.5) * 2 / 3 end},
}
local law = laws[o.data]
local function column(a) return a:reshape(-1, 1):astype("f32") end

-- ---- the nets -------------------------------------------------------------------------------------------
local function mlp()
  return nn.model(nn.sequential{nn.linear(1, o.hidden), nn.relu, nn.linear(o.hidden, o.hidden), nn.relu,
    nn.linear(o.hidden, 1)}, net_rng)
end
local G, D = mlp(), mlp() -- D gives a logit: D(x) = sigmoid of it
local one, zero = pg.ones(o.batch, 1, "f32"), pg.zeros(o.batch, 1, "f32")
local function latent(n, rng) return rng:standard_normal({n, 1}, "f32") end
local step_d = pg.value_and_grad(function(m, x, made)
  return nn.bce_with_logits(m(x), one) + nn.bce_with_logits(m(made), zero)
end)
local step_g = pg.value_and_grad(function(m, z) return nn.bce_with_logits(D(m(z)), one) end)
local function adam() return pg.optim.adam{lr = o.lr, betas = {o.beta1, 0.999}} end
local opt_d, opt_g = adam(), adam()
ex:metric("parameters of each net", G.nparams)

-- ---- what is watched ---------------------------------------------------------------------------------
local bins = 64
local width = (law.hi - law.lo) / bins
local middle = pg.linspace(law.lo + width / 2, law.hi - width / 2, bins)
local fine = pg.linspace(law.lo, law.hi, 321)
local function share(x) return (pg.histogram(x, bins, {range = {law.lo, law.hi}})) / (#x * width) end
local real = law.draw(o.draws, draw_rng)
local p, sorted, z = share(real), real:sort(), latent(o.draws, draw_rng)

-- The Wasserstein distance in one dimension: the mean distance of numbers of equal rank.
local function wasserstein(x) return (x:sort() - sorted):abs():mean() end
local floor = wasserstein(law.draw(o.draws, draw_rng))
local function best(q) return p / pg.maximum(p + q, 1e-12) end
-- The share of the data where G puts less than a tenth of what there is.
local function uncovered(q) return pg.where(q:lt(p / 10), p, 0):sum() * width end
local function logit(x) return D(column(x)):reshape(-1):astype("f64") end
local slope = pg.grad(function(x) return D(x):sum() end) -- of the logit, at each x

-- ---- training, a hundredth at a time -------------------------------------------------------------------
local function file(k) return ("%s/graph%d.npz"):format(ex.dir, k) end
local part, times, drawn_at = math.max(1, o.steps // 100), {1, 2, 4, 7, 12, 20, 35, 50, 75, 100}, {}
for k, at in ipairs(times) do drawn_at[at] = k end
local curves = course.train(ex, "gan1d", o.steps // part, {G = G, D = D, opt_d = opt_d, opt_g = opt_g, rng = train_rng},
  function(epoch)
    local loss_d, loss_g = 0, 0
    for _ = 1, part do
      local made = G(latent(o.batch, train_rng))
      local value, grads = step_d(D, column(law.draw(o.batch, train_rng)), made)
      opt_d:step(D.params, grads)
      loss_d = loss_d + value / part
      value, grads = step_g(G, latent(o.batch, train_rng))
      opt_g:step(G.params, grads)
      loss_g = loss_g + value / part
    end
    local x = G(z):reshape(-1):astype("f64")
    local q = share(x)
    if drawn_at[epoch] then -- kept in a file, as the run may be resumed after it
      pg.save(file(drawn_at[epoch]), {q = q, logit = logit(fine), at_bins = logit(middle),
        slope = slope(column(middle))})
    end
    return {["loss of D"] = loss_d, ["loss of G"] = loss_g, ["Wasserstein distance"] = wasserstein(x),
      ["data that G leaves out"] = uncovered(q)}
  end)

-- ---- the ten graphs -----------------------------------------------------------------------------------
local figures, rows = {}, {}
for k, at in ipairs(times) do
  local g = pg.load(file(k))
  figures[k] = pg.plot.figure{title = ("step %d"):format(at * part), width = 480, height = 320, xlim = {law.lo, law.hi},
    ylim = {0, 1.5}}
    :bar(middle, pg.minimum(p, 1.5), {label = "data", alpha = 0.45, width = 1})
    :bar(middle, pg.minimum(g.q, 1.5), {label = "G", alpha = 0.45, width = 1})
    :line(fine, pg.sigmoid(g.logit), {label = "D", color = "black", width = 2})
    :line(middle, pg.where((p + g.q):gt(0.02), best(g.q), 0 / 0), {label = "D best", color = "black", dash = "dashed"})
  if k == 1 then figures[k]:legend("upper left") end
  local x = g.q * width
  rows[k] = {at * part, curves["Wasserstein distance"][at], curves["data that G leaves out"][at],
    curves["loss of D"][at] / math.log(4),
    (x * pg.abs(g.slope:reshape(-1):astype("f64")) * (1 - pg.sigmoid(g.at_bins))):sum()}
end
ex:figure("graphs", pg.plot.grid(figures, 5, 2), "3-2(c): densities of the data and of G's numbers, the "
  .. "discriminator, and the best one for them, p / (p + p_G).", {report = "10 graphs"})
ex:table("graphs", {"step", "Wasserstein distance", "data left out", "loss of D / log 4",
  "mean |d log D / dx| at G's numbers"}, rows, "A D that can tell nothing has a loss of log 4; the last column is what "
  .. "G has to learn from.")
local at = pg.range(1, #curves["loss of D"]) * part
ex:figure("distance", pg.plot.figure{title = "Wasserstein distance of G from the data", xlabel = "step", yscale = "log"}
  :line(at, curves["Wasserstein distance"]):hline(floor, {label = "of two samples of the data", color = "black",
    dash = "dashed"}):legend(), "3-2(c): the distance over training.")
ex:figure("losses", pg.plot.figure{title = "losses", xlabel = "step"}:line(at, curves["loss of D"], {label = "D"})
  :line(at, curves["loss of G"], {label = "G"}):hline(math.log(4), {label = "log 4", color = "black", dash = "dashed"})
  :legend(), "Neither loss tells that G grows better: both sides do.")
ex:metric("Wasserstein distance of two samples of the data", floor)

-- ---- 3-2(a): what D is, against the closed form -------------------------------------------------------
-- A discriminator alone, of the mixture and a G whose numbers are N(0.2, 0.8).
local mixture = laws.mixture
local judge = nn.model(nn.sequential{nn.linear(1, 64), nn.silu, nn.linear(64, 64), nn.silu, nn.linear(64, 1)}, net_rng)
local opt = pg.optim.adam{lr = pg.optim.cosine(5e-3, o.judge_steps)}
local ones = pg.ones(256, 1, "f32")
local step = pg.value_and_grad(function(m, x, made)
  return nn.bce_with_logits(m(x), ones) + nn.bce_with_logits(m(made), ones * 0)
end)
for _ = 1, o.judge_steps do
  local _, grads = step(judge, column(mixture.draw(256, draw_rng)), column(draw_rng:normal(0.2, 0.8, 256)))
  opt:step(judge.params, grads)
end
local x = pg.linspace(-2.5, 2.5, 501)
local data, made = mixture.density(x), bell(x, 0.2, 0.8)
local ideal, told = data / (data + made), pg.sigmoid(judge(column(x))):reshape(-1):astype("f64")
local weight = (data + made) / (data + made):sum()
ex:metric("D alone: mean difference from p_data / (p_data + p_G)", ((told - ideal):abs() * weight):sum())
local places, d_slope = {}, pg.grad(function(v) return judge(v):sum() end)(column(x)):reshape(-1)
local figure = pg.plot.figure{title = "a discriminator at its best", xlabel = "x", ylim = {0, 1.05}}
  :line(x, data, {label = "p_data"}):line(x, made, {label = "p_G"})
  :line(x, told, {label = "D", color = "black", width = 2})
  :line(x, ideal, {label = "p_data / (p_data + p_G)", color = "red", dash = "dashed"})
for j, value in ipairs{0.5, 0.2, 0.6, 0.9} do
  local i = ((told - value):abs() - (data + made) / 100):argmin()
  places[j] = {value, x[i], data[i], made[i], ideal[i], told[i], d_slope[i] * (1 - told[i])}
end
ex:figure("best", figure:legend("upper left"), "3-2(a): trained alone, D is the share of the data in all numbers at x.")
ex:table("places", {"D wanted", "x", "p_data", "p_G", "p_data / (p_data + p_G)", "D(x)", "d log D / dx"}, places,
  "3-2(a): places where D has the homework's four values.")
ex:note(string.format([[
**3-2(a).** D is p_data / (p_data + p_G) where it is trained well: 0.5 where the two densities are equal, 0.2 where G
puts four times as many numbers as there are, 0.6 where it puts two thirds, 0.9 where it puts a ninth. Trained alone it
is %.3f away from that in the mean. Where neither has numbers D is free: there it is what the net happens to continue.
In the ten graphs D stays far flatter than the best one (dashed): G moves before D has learnt where it is.

**3-2(b).** G moves its numbers by the slope of D where they lie: d log D / dx. It can learn a region that it does not
cover if D rises towards it from where G's numbers are. Where D is flat there is no gradient and G stays, however bad
its numbers are: a D that is sure of everything teaches nothing.

**3-2(c).** The Wasserstein distance ends at %.4f; two samples of the data of this size are %.4f apart. It is the
measure to watch: the losses stay near log 4 and log 2 however good G is.]], ((told - ideal):abs() * weight):sum(),
  curves["Wasserstein distance"][-1], floor))
