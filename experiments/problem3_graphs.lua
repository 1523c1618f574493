-- SPDX-License-Identifier: MIT
-- Homework problem 3: graphs of students whose edges follow their features. The gradient, the
-- ascent, what goes wrong with a pair of parentheses missing, and the right answer.
local pg = require "perigee"

local ex = pg.experiment{
  name = "problem3_graphs",
  about = "Fits e_ij ~ Bernoulli(sigmoid(a x_i.x_j + b)) to graphs, by the report's rule and by the right one.",
  options = {
    graphs = pg.option{type = "file", help = "a list of pairs X, E such as classroom_graphs.pkl (default: drawn)"},
    a = 3.0,
    b = -3.5,
    count = pg.option{type = "integer", default = 100, help = "graphs to draw, where no file is given"},
    start = {0.5, 0.5},
    lr = 0.01,
    epochs = 20,
    draws = pg.option{type = "integer", default = 30, help = "data sets drawn to see how far the rules' ends spread"},
    gof = pg.option{type = "integer", default = 100, help = "simulations for the goodness of fit"},
  },
  quick = {draws = 3, gof = 10},
}
local o = ex.options
local truth = pg.graph.new{a = o.a, b = o.b}

local graphs = o.graphs and pg.load(o.graphs) or truth:sample(o.count, ex.rng)
for i, g in ipairs(graphs) do graphs[i] = {X = g.X or g[1], E = g.E or g[2]} end
local data = pg.graph.data(graphs)
print(data)

-- ---- 3(a): the gradient ------------------------------------------------------------------------
ex:note([[
**3(a), the gradient.** With s = σ(z), z = a x_i·x_j + b, the log-likelihood of a graph is
L(a, b) = Σ_{i<j} e log s + (1 − e) log(1 − s). As dσ/dz = s (1 − s),

- d/dz log s = 1 − s and d/dz log(1 − s) = −s, so
  d/dz [e log s + (1 − e) log(1 − s)] = e (1 − s) − (1 − e) s = **e − s**;
- dz/da = x_i·x_j and dz/db = 1, so by the chain rule

dL/da = Σ_{i<j} (e − s) x_i·x_j   and   dL/db = Σ_{i<j} (e − s).

The report has `e - s * xx` for dL/da: with the parentheses lost, the product belongs to s alone. The second derivatives
are −Σ s (1 − s) (x_i·x_j)², −Σ s (1 − s) x_i·x_j and −Σ s (1 − s): L is concave, so an ascent with the right gradient
and small steps rises to the one maximum.]])

-- Both rules, on the pairs of one graph: s holds x_i.x_j, e the edges.
local function right_rule(s, e, a, b)
  local p = (a * s + b):sigmoid()
  return ((e - p) * s):sum(), (e - p):sum()
end

local function report_rule(s, e, a, b)
  local p = (a * s + b):sigmoid()
  return (e - p * s):sum(), (e - p):sum()
end

local pairs_of = {}
for i, g in ipairs(graphs) do
  local s, e = pg.graph.pairs(g)
  pairs_of[i] = {s = s, e = e}
end

local function gradient_of(rule)
  return function(x)
    local ga, gb = 0, 0
    for _, p in ipairs(pairs_of) do
      local da, db = rule(p.s, p.e, x[1], x[2])
      ga, gb = ga + da, gb + db
    end
    return pg.array{ga, gb}
  end
end

local function loglik(x) return (pg.graph.loglik(data, x[1], x[2])) end

do
  local rows, most, least = {}, 0, math.huge
  for _, at in ipairs{{0.5, 0.5}, {o.a, o.b}, {7, -6.4}} do
    local x = pg.array(at)
    local right = pg.gradcheck(loglik, gradient_of(right_rule), x)
    local wrong = pg.gradcheck(loglik, gradient_of(report_rule), x)
    rows[#rows + 1] = {at[1], at[2], right.max_rel_error, wrong.max_rel_error}
    assert(right.ok, "the gradient differs from finite differences")
    most, least = math.max(most, right.max_rel_error), math.min(least, wrong.max_rel_error)
  end
  ex:metric("gradcheck: largest relative error of the right gradient", most)
  ex:metric("gradcheck: smallest of the report's", least)
  ex:table("gradcheck", {"a", "b", "right gradient", "report's"}, rows,
    "relative error against central differences of the log-likelihood over all data")
end

-- ---- 3(b): gradient ascent, an update a graph in order -----------------------------------------
local function ascend(list, rule)
  local a, b, trace = o.start[1], o.start[2], {}
  for epoch = 1, o.epochs do
    local last
    for i, p in ipairs(list) do
      if i == #list then -- what the report prints: the last graph's likelihood, before its update
        local z = a * p.s + b
        last = (p.e * z - z:softplus()):sum()
      end
      local da, db = rule(p.s, p.e, a, b)
      a, b = a + o.lr * da, b + o.lr * db
    end
    trace[epoch] = {epoch, last, a, b}
  end
  return trace
end

local report = {
  {1, -16.875125, 3.091292, -3.415255}, {2, -16.382760, 4.082604, -4.117396}, {3, -16.585647, 4.668903, -4.558403},
  {4, -16.877045, 5.075740, -4.871851}, {5, -17.158169, 5.379587, -5.109087}, {6, -17.408950, 5.616377, -5.295545},
  {7, -17.627445, 5.806081, -5.445814}, {8, -17.816378, 5.961030, -5.569086}, {9, -17.979464, 6.089399, -5.671549},
  {10, -18.120317, 6.196902, -5.757579}, {11, -18.242143, 6.287691, -5.830385}, {12, -18.347694, 6.364883, -5.892390},
  {13, -18.439306, 6.430870, -5.945468}, {14, -18.518955, 6.487533, -5.991099}, {15, -18.588310, 6.536369, -6.030464},
  {16, -18.648785, 6.578590, -6.064524}, {17, -18.701584, 6.615187, -6.094069}, {18, -18.747732, 6.646980, -6.119750},
  {19, -18.788106, 6.674652, -6.142113}, {20, -18.823459, 6.698775, -6.161617},
}
local wrong, right = ascend(pairs_of, report_rule), ascend(pairs_of, right_rule)

local function total(trace)
  local out = {}
  for i, row in ipairs(trace) do out[i] = loglik{row[3], row[4]} end
  return out
end
local wrong_total, right_total = total(wrong), total(right)

local rows = {}
for i = 1, o.epochs do
  local r = report[i] or {}
  rows[i] = {i, r[2], r[3], r[4], wrong[i][2], wrong[i][3], wrong[i][4], right[i][2], right[i][3], right[i][4]}
end
ex:table("epochs", {"epoch", "report: L", "a", "b", "its rule here: L", "a", "b", "right rule: L", "a", "b"}, rows,
  string.format("The report's table, its rule on these data, and the right rule on them: %d epochs of %d graphs, an "
    .. "update a graph in order, learning rate %g, start (%g, %g). L is the log-likelihood of the last graph before "
    .. "its update, as the report prints it.", o.epochs, #graphs, o.lr, o.start[1], o.start[2]))

local ours, theirs = right[o.epochs], wrong[o.epochs]
ex:metric("report's rule: a at the end", theirs[3], {report = 6.698775, note = "the report's data are lost"})
ex:metric("report's rule: b at the end", theirs[4], {report = -6.161617})
ex:metric("report's rule: log-likelihood, all data", wrong_total[o.epochs])
ex:metric("right rule: a at the end", ours[3])
ex:metric("right rule: b at the end", ours[4])
ex:metric("right rule: log-likelihood, all data", right_total[o.epochs])

-- ---- the whole sum at a time, and Newton --------------------------------------------------------
local whole = pg.graph.fit(data, {method = "gradient", lr = o.lr, epochs = o.epochs, start = o.start})
for i = 2, #whole.trace do
  assert(whole.trace[i].loglik >= whole.trace[i - 1].loglik, "an ascent on the whole sum fell")
end
local best = pg.graph.fit(data)
print(best)
ex:metric("Newton: a", best.a, {note = string.format("standard error %.4f", best.stderr[1])})
ex:metric("Newton: b", best.b, {note = string.format("standard error %.4f", best.stderr[2])})
ex:metric("Newton: log-likelihood, all data", best.loglik)
ex:metric("Newton: iterations", best.iterations)
ex:metric("whole sum: log-likelihood after the epochs", whole.loglik)

-- Six decimals, as the report's table has them: the last changes are small.
local last = {}
for i = math.max(1, o.epochs - 9), o.epochs do
  last[#last + 1] = {i}
  for k, v in ipairs{right_total[i], right[i][3], right[i][4], whole.trace[i].loglik, wrong_total[i], wrong[i][3],
    wrong[i][4]} do last[#last][k + 1] = string.format("%.6f", v) end
end
ex:table("last ten", {"epoch", "right rule: L, all data", "a", "b", "right rule, the whole sum: L",
  "report's rule: L, all data", "a", "b"}, last,
  "3(b): the last ten iterations, with the log-likelihood of all graphs. On the whole sum it never falls; with an "
  .. "update a graph it comes to rest beside the maximum, and may fall by thousandths on the way there.")

local ends = {
  {"report's rule, an update a graph", theirs[3], theirs[4], wrong_total[o.epochs]},
  {"right rule, an update a graph", ours[3], ours[4], right_total[o.epochs]},
  {"right rule, the whole sum, steps halved", whole.a, whole.b, whole.loglik},
  {string.format("Newton (standard errors %.3f, %.3f)", best.stderr[1], best.stderr[2]), best.a, best.b, best.loglik},
}
if not o.graphs then ends[#ends + 1] = {"what the graphs were drawn with", o.a, o.b, loglik{o.a, o.b}} end
ex:table("ends", {"method", "a", "b", "log-likelihood, all data"}, ends, "where each method ends")

local epochs = pg.range(1, o.epochs)
local function column(trace, k)
  local out = {}
  for i, row in ipairs(trace) do out[i] = row[k] end
  return pg.array(out)
end
local curves = pg.plot.figure{title = "a and b, epoch by epoch", xlabel = "epoch", ylabel = "a (above), b (below)"}
for k = 3, 4 do
  curves:line(epochs, column(wrong, k), {color = 2, label = k == 3 and "report's rule" or nil})
  curves:line(epochs, column(right, k), {color = 1, label = k == 3 and "right rule" or nil})
  if o.epochs == #report then
    curves:scatter(epochs, column(report, k),
      {color = "grey", size = 3, label = k == 3 and "the report's table" or nil})
  end
end
curves:hline(best.a, {label = "greatest likelihood"}):hline(best.b):legend()
ex:figure("parameters", curves, "a and b under both rules; the report's printed values beside them")

local rise = pg.plot.figure{title = "log-likelihood of all graphs", xlabel = "epoch", ylabel = "L"}
rise:line(epochs, pg.array(wrong_total), {color = 2, label = "report's rule"})
rise:line(epochs, pg.array(right_total), {color = 1, label = "right rule, a graph at a time"})
local whole_total = {}
for i, s in ipairs(whole.trace) do whole_total[i] = s.loglik end
rise:line(epochs, pg.array(whole_total), {color = 3, label = "right rule, the whole sum"})
rise:hline(best.loglik, {label = "its greatest value"}):legend()
local low = math.min(pg.array(wrong_total):min(), pg.array(right_total):min())
rise:limits{y = {best.loglik - 1.1 * (best.loglik - low), best.loglik + 0.1 * (best.loglik - low)}}
ex:figure("loglik", rise, string.format("The likelihood rises under the right rule and falls under the report's. A "
  .. "graph at a time it comes to rest %.1f below its greatest value: the last graphs of an epoch pull last. On the "
  .. "whole sum it climbs from %.0f, with the learning rate halved to %g, and reaches it.",
  best.loglik - right_total[o.epochs], whole.trace[1].loglik, whole.trace[o.epochs].lr))

-- ---- how far the ends spread, and what the report's table can tell -------------------------------
local function ends_over(model, draws, rng, rule)
  local a, b = {}, {}
  for i = 1, draws do
    local list = {}
    for k, g in ipairs(model:sample(o.count, rng)) do
      local s, e = pg.graph.pairs(g)
      list[k] = {s = s, e = e}
    end
    local trace = ascend(list, rule)
    a[i], b[i] = trace[#trace][3], trace[#trace][4]
  end
  return pg.array(a), pg.array(b)
end

local function mean_sd(v) return v:mean(), #v > 1 and v:std({ddof = 1}) or 0 end

do
  local streams = ex.rng:spawn(2)
  local a, b = ends_over(truth, o.draws, streams[1], report_rule)
  local ma, sa = mean_sd(a)
  local mb, sb = mean_sd(b)
  local c, d = ends_over(truth, o.draws, streams[2], right_rule)
  local mc, sc = mean_sd(c)
  local md, sd = mean_sd(d)
  ex:table("spread", {"rule", "a, mean", "sd", "b, mean", "sd"},
    {{"report's", ma, sa, mb, sb}, {"right", mc, sc, md, sd},
      {"the report's printed end", report[20][3], "", report[20][4], ""}},
    string.format("the ends over %d data sets drawn with a = %g, b = %g; the report's printed end lies %.1f (a) and "
      .. "%.1f (b) standard deviations from the mean of its rule's", o.draws, o.a, o.b,
      math.abs(report[20][3] - ma) / sa, math.abs(report[20][4] - mb) / sb))
  ex:metric("report's rule over many draws: a, mean", ma, {report = 6.698775})
  ex:metric("report's rule over many draws: a, sd", sa)
  ex:metric("report's rule over many draws: b, mean", mb, {report = -6.161617})
  ex:metric("report's rule over many draws: b, sd", sb)
end

-- The share of edges a model gives on average, and the b that gives a wanted share with another a.
local products = pg.graph.pairs(pg.graph.new{a = 0, b = 0}:sample(1, pg.random.new(ex.seed), {n = 400})[1])
local function density(a, b) return (a * products + b):sigmoid():mean() end
local function b_for(a, share)
  local lo, hi = -30, 30
  for _ = 1, 60 do
    local mid = (lo + hi) / 2
    if density(a, mid) < share then lo = mid else hi = mid end
  end
  return (lo + hi) / 2
end

do
  local share, table_rows = density(o.a, o.b), {}
  for _, a in ipairs{0, 1.5, 3, 5} do
    local b = b_for(a, share)
    local other = pg.graph.new{a = a, b = b}
    local stream = pg.random.new(ex.seed + 1)
    local wa, wb = ends_over(other, math.max(1, o.draws // 10), stream, report_rule)
    local ra, rb = ends_over(other, math.max(1, o.draws // 10), stream, right_rule)
    table_rows[#table_rows + 1] = {a, b, share, wa:mean(), wb:mean(), ra:mean(), rb:mean()}
  end
  ex:table("same density", {"drawn with a", "b", "share of edges", "report's rule: a", "b", "right rule: a", "b"},
    table_rows, "Graphs with the same share of edges, drawn with other parameters")
  ex:note([[
**Why the report's table cannot tell what its graphs were drawn with.** In its rule the edges stand only in Σ e: both
components see how many edges there are, not between whom. So any a and b with the same share of edges retrace the
same table (above), and an end near a = 7, b = −6.4 says nothing about the students; the right rule tells the four
apart. The rule rests only where Σ s = Σ e and Σ s x_i·x_j = Σ e at once, which is no property of the likelihood.]])
end

-- ---- 3(c): generated graphs ---------------------------------------------------------------------
local five, panels = best:sample(5, ex.rng, {n = 15, m = 3}), {}
for i, g in ipairs(five) do
  local colours = g.X / 2 + 0.5
  local edges = pg.graph.edges(g.E)
  panels[i] = pg.plot.figure{title = string.format("graph %d, %d edges", i, #edges), width = 420, height = 420}
  panels[i]:graph(g.E, pg.graph.layout(g.E), {color = colours, labels = true})
  if i == 1 then pg.graph.export(ex.dir .. "/graph1.dot", g) end
end
ex:figure("generated", pg.plot.grid(panels, 2, 3),
  "3(c): five graphs of 15 students with features uniform in [-1, 1], coloured x/2 + 0.5 as red, green and blue", {
    report = "five pictures in which few or no edges are to be seen", note = "edges are drawn grey, nodes are numbered",
  })

-- ---- goodness of fit ----------------------------------------------------------------------------
local gof = pg.graph.gof(best, graphs, {rng = ex.rng, count = o.gof})
print(gof)
ex:table("goodness of fit", gof.columns, gof.rows,
  string.format("the data against %d simulations of them with the fitted a and b, summed over all graphs", gof.count))
