-- SPDX-License-Identifier: MIT
--
-- pg.graph: undirected graphs whose edges follow their nodes' features,
--   e_ij ~ Bernoulli(sigmoid(a x_i.x_j + b)) for i < j.
--
-- A graph is {X = n x m, E = n x n}, the pickled pair {X, E}, or {X = n x m, edges = k x 2} with a
-- pair of node numbers a row. Before it is used it is checked and packed (bind_graph.c); `data`
-- joins a list of packed graphs, so that a fit packs once. The steps of a fit are in C, an epoch a
-- call; its loops are here.

local pg, core = ...
local args, tree = pg._args, pg._tree
local error, getmetatable, ipairs, math, setmetatable, string, table, type =
  error, getmetatable, ipairs, math, setmetatable, string, table, type

local graph = {}

local draw = args.named(core.draw, "sample", -2) -- its X is in opts, argument 3

local data_meta = {__name = "graph data"}

function data_meta:__tostring()
  return string.format("graph data: %d graphs, %d pairs, %d edges", #self.packed, self.pairs, self.edges)
end

function data_meta:__len() return #self.packed end

-- X, E and edges of one graph as a user writes it; nil where it is none.
local function parts_of(g)
  if type(g) ~= "table" or getmetatable(g) == data_meta then return nil end
  if args.is_array(g[1]) then return g[1], g[2], g.edges end
  if g.X ~= nil then return g.X, g.E, g.edges end
  return nil
end

local function pack(name, g, place)
  local X, E, edges = parts_of(g)
  if X == nil then
    args.fail(name, 1, string.format("%s: expected a graph {X = ..., E = ...}, got %s", place, args.got(g)))
  end
  if E == nil and edges == nil then
    args.fail(name, 1, place .. ": expected E, n x n, or edges, k x 2, beside X; there is neither")
  end
  local packer = args.named(core.pack, name, args.only(1), place == "g" and "" or place .. ": ")
  local packed, pairs, count = packer(X, E, edges) -- not a tail call: errors name the line that called here
  return packed, pairs, count
end

-- Graphs as packed data: one graph, a list of them, or data.
local function pack_all(name, list)
  if getmetatable(list) == data_meta then return list end
  local out = setmetatable({packed = {}, pairs = 0, edges = 0}, data_meta)
  local function add(g, place)
    local packed, pairs, edges = pack(name, g, place)
    out.packed[#out.packed + 1] = packed
    out.pairs, out.edges = out.pairs + pairs, out.edges + edges
  end
  if parts_of(list) then
    add(list, "g")
  else
    if type(list) ~= "table" or #list == 0 then
      args.fail(name, 1, "list: expected a graph {X = ..., E = ...} or a list of them, got "
        .. (type(list) == "table" and "an empty table" or args.got(list)))
    end
    for i, g in ipairs(list) do add(g, "graph " .. i) end
  end
  out.joined = core.join(out.packed)
  return out
end

--- pg.graph.data(list) -> data
-- Checks graphs and packs them, once for all; what takes a list of graphs, but gof, takes this as well,
-- and is then spared the checking.
-- @param list  a graph {X = n x m, E = n x n} or {X = n x m, edges = k x 2}, or a list of them
-- @return data  with pairs and edges, their numbers over all graphs
-- @error E that is not square, symmetric, 0/1 and 0 on its diagonal; X with another number of rows, or
--   not finite; an edge listed twice: the element is named
function graph.data(list)
  return (pack_all("graph.data", list))
end

--- pg.graph.pairs(g) -> s, e
-- The pairs i < j of a graph, row by row: their products x_i.x_j and their edges.
-- @param g  a graph {X = n x m, E = n x n}, or with edges = k x 2
-- @return s  n (n - 1) / 2 products
-- @return e  as many of 0 and 1
function graph.pairs(g)
  local packed = pack_all("graph.pairs", g)
  if #packed ~= 1 then args.fail("graph.pairs", 1, "g: expected one graph, got " .. #packed) end
  return core.pairs(packed.packed[1])
end

-- The data with its graphs in so many parts, each summed alone; `sum` adds up the parts.
local function cut(data, shards, sum)
  if shards == 1 then return data end
  local parts, count = {}, math.min(shards, #data.packed)
  for i = 1, count do
    local first, last = tree.range(#data.packed, count, i)
    parts[i] = core.join(table.move(data.packed, first, last, 1, {}))
  end
  return setmetatable({packed = data.packed, pairs = data.pairs, edges = data.edges, joined = data.joined,
    parts = parts, sum = sum}, data_meta)
end

local function sums(data, a, b)
  if not data.parts then return core.loglik(data.joined, a, b) end
  local total = data.sum(#data.parts, function(i) return pg.array{core.loglik(data.parts[i], a, b)} end)
  return table.unpack(total:totable())
end

local function finite(name, arg, what, v)
  if type(v) == "number" and v - v ~= 0 then
    args.fail(name, arg, string.format("%s: expected a finite number, got %s", what, v ~= v and "nan" or v))
  end
  return args.number(name, arg, what, v)
end

--- pg.graph.loglik(list, a, b [, opts]) -> loglik, gradient, hessian
-- The log-likelihood of graphs and its first two derivatives in a and b, in one pass over the pairs; at
-- any a and b, without ever making an n x n array.
-- @param list  a graph, a list of graphs, or pg.graph.data of them
-- @param a, b  numbers
-- @param opts.shards  integer: the list is summed in so many parts, which are added in a fixed tree; 1
-- @param opts.mpi  boolean: the ranks of pg.mpi share the shards; each gives the same list
-- @return loglik  number: sum over i < j of log sigmoid(+-(a x_i.x_j + b))
-- @return gradient  array of 2
-- @return hessian  array, 2 x 2
-- @example pg.graph.loglik({X = pg.eye(2), edges = {{1, 2}}}, 1, 0) --> -0.69314718055995
function graph.loglik(list, a, b, opts)
  local o = args.options("graph.loglik", 4, opts, {shards = args.any, mpi = args.any})
  local shards, sum = tree.shards("graph.loglik", 4, o)
  local x = args.is_array(a) and a.ndim == 0 and a:item() or a
  local y = args.is_array(b) and b.ndim == 0 and b:item() or b
  finite("graph.loglik", 2, "a", x)
  finite("graph.loglik", 3, "b", y)
  local data = cut(pack_all("graph.loglik", list), shards, sum)
  local L, ga, gb, haa, hab, hbb = sums(data, x, y)
  local slope, curvature = pg.array{ga, gb}, pg.array{{haa, hab}, {hab, hbb}}
  if rawequal(x, a) and rawequal(y, b) then return L, slope, curvature end
  local tape = pg._tape
  local function rule(g)
    local da, db = 0, 0
    if g[1] then
      local first = slope
      -- Within another gradient the slope is a function of a and b itself.
      if tape.recording() then first = select(2, graph.loglik(data, a, b)) end
      da, db = g[1] * first[1], g[1] * first[2]
    end
    if g[2] then
      if tape.recording() then
        error("graph.loglik has no third derivative here; a:detach() takes the value alone", 0)
      end
      da, db = da + (g[2] * curvature[1]):sum(), db + (g[2] * curvature[2]):sum()
    end
    return da, db
  end
  L, slope = tape.attach(rule, {}, {a, b}, L, slope)
  return L, slope, curvature
end

-- Raises where the likelihood has no maximum: with one product x_i.x_j a pair, that is where some
-- threshold on it tells edges from the rest.
local function check_separable(data)
  local low0, high0, low1, high1 = core.range(data.joined)
  local why
  if data.pairs == 0 then
    why = "there are no pairs of nodes"
  elseif data.edges == 0 then
    why = "there is no edge at all, so the likelihood rises for ever as b falls"
  elseif data.edges == data.pairs then
    why = "every pair has an edge, so the likelihood rises for ever with b"
  elseif math.min(low0, low1) == math.max(high0, high1) then
    why = "x_i.x_j is the same for all pairs, so a and b cannot be told apart"
  elseif low1 >= high0 then
    why = pg._format("the data are separable: every edge has x_i.x_j >= %g, every other pair <= %g, so the "
      .. "likelihood rises for ever with a", low1, high0)
  elseif high1 <= low0 then
    why = pg._format("the data are separable: every edge has x_i.x_j <= %g, every other pair >= %g, so the "
      .. "likelihood rises for ever as a falls", high1, low0)
  end
  return why
end

local function summary(m)
  local text = pg._format("graph model: p(edge) = sigmoid(a x_i.x_j + b), a = %.6g, b = %.6g", m.a, m.b)
  if m.stderr then
    text = pg._format("%s, standard errors %.3g, %.3g", text, m.stderr[1], m.stderr[2])
  end
  if m.loglik then
    text = pg._format("%s; log-likelihood %.6f, %s after %d iterations", text, m.loglik,
      m.converged and "converged" or "not converged", m.iterations)
  end
  return text
end

local class = pg._model.class("graph", {
  fields = {"a", "b", "loglik", "stderr", "iterations", "converged", "trace", "separable"},
  summary = summary,
  file = {{"a", "number"}, {"b", "number"}, {"loglik", "number", optional = true}, {"stderr", "2", optional = true},
    {"iterations", "integer", optional = true}, {"converged", "boolean", optional = true}},
  example = function() return graph.new{a = 1, b = 0} end,
})
local methods = class.methods
graph.load = class.load

--- pg.graph.new(opts) -> model
-- A model with given a and b.
-- @param opts.a, opts.b  numbers
function graph.new(opts)
  opts = args.options("graph.new", 1, opts, {a = args.any, b = args.any})
  return class.new{a = finite("graph.new", 1, "a", opts.a), b = finite("graph.new", 1, "b", opts.b)}
end

-- Standard errors: the roots of the diagonal of (-H)^-1.
local function stderr_of(haa, hab, hbb)
  local det = haa * hbb - hab * hab
  if det ~= det or det <= 0 then return nil end
  return pg.array{math.sqrt(-hbb / det), math.sqrt(-haa / det)}
end

local function newton(data, m, opts)
  local a, b = m.a, m.b
  local L, ga, gb, haa, hab, hbb = sums(data, a, b)
  local tol = opts.tol * math.max(1, data.pairs * 1e-6)
  for iteration = 0, opts.epochs do
    m.iterations = iteration
    m.trace[#m.trace + 1] = {epoch = iteration, a = a, b = b, loglik = L}
    if opts.on_epoch and iteration > 0 and opts.on_epoch(m.trace[#m.trace]) == false then break end
    if math.max(math.abs(ga), math.abs(gb)) <= tol then
      m.converged = true
      break
    end
    if iteration == opts.epochs then break end
    local det = haa * hbb - hab * hab
    local da, db
    if det > 1e-14 * haa * hbb then
      da, db = (hab * gb - hbb * ga) / det, (hab * ga - haa * gb) / det
    else -- too flat to solve with: go uphill
      local scale = 1 / (math.abs(haa) + math.abs(hbb) + 1e-300)
      da, db = ga * scale, gb * scale
    end
    local share, better, gain = 1, false, ga * da + gb * db
    for _ = 1, 60 do
      local l, g1, g2, h1, h2, h3 = sums(data, a + share * da, b + share * db)
      -- Near the top L is flat to its last digits, and a step that shrinks the gradient is progress.
      local level = l >= L - 1e-14 * math.abs(L) and math.abs(g1) + math.abs(g2) < math.abs(ga) + math.abs(gb)
      if l > L or level then
        a, b = a + share * da, b + share * db
        L, ga, gb, haa, hab, hbb = l, g1, g2, h1, h2, h3
        better = true
        break
      end
      if gain <= 1e-13 * math.abs(L) then break end
      share = share / 2
    end
    if not better then -- no digit left to gain
      m.converged = true
      break
    end
  end
  m.a, m.b, m.loglik, m.stderr = a, b, L, stderr_of(haa, hab, hbb)
end

local function ascend(data, m, opts)
  local a, b, lr = m.a, m.b, opts.lr
  local each = opts.update == "graph"
  local L, ga, gb
  if not each then L, ga, gb = sums(data, a, b) end
  for epoch = 1, opts.epochs do
    local last
    if each then
      a, b, last = core.ascend(data.joined, a, b, lr)
    else
      last = L
      local l, g1, g2
      repeat -- the rate is halved for good where a step would lead downhill
        l, g1, g2 = sums(data, a + lr * ga, b + lr * gb)
        local uphill = l >= L
        if not uphill then lr = lr / 2 end
      until uphill or lr < 1e-300
      if l >= L then a, b, L, ga, gb = a + lr * ga, b + lr * gb, l, g1, g2 end
    end
    local s = {epoch = epoch, a = a, b = b, last = last, lr = lr, loglik = each and sums(data, a, b) or L}
    m.trace[epoch] = s
    m.iterations = epoch
    if opts.on_epoch and opts.on_epoch(s) == false then break end
  end
  local haa, hab, hbb
  L, ga, gb, haa, hab, hbb = sums(data, a, b)
  m.a, m.b, m.loglik, m.stderr = a, b, L, stderr_of(haa, hab, hbb)
  m.converged = math.max(math.abs(ga), math.abs(gb)) <= opts.tol * math.max(1, data.pairs * 1e-6)
end

--- pg.graph.fit(list [, opts]) -> model
-- The a and b of greatest likelihood: by Newton's method with halved steps, or by gradient ascent.
-- @param list  a graph, a list of graphs, or pg.graph.data of them
-- @param opts.method  string: "newton" (default) or "gradient"
-- @param opts.update  string, for "gradient": "all" (default), a step on the sum over all graphs, whose
--   likelihood never falls as lr is halved where it would; or "graph", a step a graph in order
-- @param opts.lr  number, for "gradient": 0.01
-- @param opts.epochs  integer: passes over the data (20), Newton's steps at most (50)
-- @param opts.start  {a, b}: for "gradient" {0, 0}; for "newton" the best b at a = 0, the log-odds of an edge
-- @param opts.tol  number: converged where no component of the gradient is larger (1e-10; with more than a
--   million pairs so much larger as their rounding is)
-- @param opts.shards  integer: the list is summed in so many parts, which are added in a fixed tree; 1
-- @param opts.mpi  boolean: the ranks of pg.mpi share the shards; each gives the same list
-- @param opts.on_epoch  function(s) with s.epoch, s.a, s.b, s.loglik (of all data, at s.a and s.b), and for
--   "gradient" s.last (what the last update's data had before it); returns false to stop
-- @return model  a, b, loglik, stderr (2, from the Hessian), iterations, converged, trace (a list of the s)
-- @error Newton on data whose likelihood has no maximum (separable, no edges, all edges): said which; under
--   "gradient" the sentence is in model.separable
function graph.fit(list, opts)
  opts = args.options("graph.fit", 2, opts, {method = "newton", update = "all", lr = 0.01, epochs = args.any,
    start = args.any, tol = 1e-10, on_epoch = args.any, shards = args.any, mpi = args.any})
  args.choice("graph.fit", 2, "method", opts.method, {"newton", "gradient"})
  args.choice("graph.fit", 2, "update", opts.update, {"all", "graph"})
  args.callback("graph.fit", 2, "on_epoch", opts.on_epoch)
  if finite("graph.fit", 2, "lr", opts.lr) <= 0 then
    args.fail("graph.fit", 2, "lr: expected a number above 0, got " .. opts.lr)
  end
  args.number("graph.fit", 2, "tol", opts.tol, 0)
  opts.epochs = args.integer("graph.fit", 2, "epochs", opts.epochs or opts.method == "newton" and 50 or 20, 1)
  local shards, sum = tree.shards("graph.fit", 2, opts)
  if shards > 1 and opts.update == "graph" and opts.method == "gradient" then
    args.fail("graph.fit", 2, 'shards: update = "graph" takes a step a graph, in order')
  end
  local data = cut(pack_all("graph.fit", list), shards, sum)
  local m = {trace = {}, converged = false, iterations = 0}
  local why, start = check_separable(data), opts.start
  if start == nil then
    -- From (0, 0) Newton takes a step a unit of b, which few edges among many pairs put far off.
    start = {0, opts.method == "newton" and not why and math.log(data.edges / (data.pairs - data.edges)) or 0}
  elseif type(start) ~= "table" then
    args.fail("graph.fit", 2, "start: expected a table {a, b}, got " .. args.got(start))
  end
  m.a, m.b = finite("graph.fit", 2, "start[1]", start[1]), finite("graph.fit", 2, "start[2]", start[2])
  if opts.method == "newton" then
    if why then error("graph.fit: " .. why .. "; method = \"gradient\" stops after its epochs", 2) end
    newton(data, m, opts)
  else
    m.separable = why
    ascend(data, m, opts)
  end
  return class.new(m)
end

--- graph:sample(count, rng [, opts]) -> list
-- Draws graphs: features uniform in [-1, 1], then the edges, one uniform number a pair.
-- @param count  integer: how many
-- @param rng  generator
-- @param opts.n  integer: nodes (15)
-- @param opts.m  integer: features (3)
-- @param opts.X  array, n x m: these features in place of random ones
-- @return list  of {X = n x m, E = n x n}
function methods:sample(count, rng, opts)
  args.integer("sample", 1, "count", count, 0)
  args.rng("sample", 2, rng)
  opts = args.options("sample", 3, opts, {n = 15, m = 3, X = args.any})
  local n, m = args.integer("sample", 3, "n", opts.n, 1), args.integer("sample", 3, "m", opts.m, 1)
  if opts.X ~= nil then args.array("sample", 3, "X", opts.X, 2) end
  local list = {}
  for i = 1, count do
    local X = opts.X or rng:uniform(-1, 1, n, m)
    list[i] = {X = X, E = draw(X, self.a, self.b, rng)}
  end
  return list
end

--- graph:logprob(list) -> array
-- The log-likelihood of each graph under the model's a and b.
-- @param list  a graph, a list of graphs, or pg.graph.data of them
function methods:logprob(list)
  return core.logprob(pack_all("logprob", list).joined, self.a, self.b)
end

-- Edges, triangles and how many nodes have each degree, over a list of arrays E.
local function figures_of(list)
  local edges, triangles, degrees = 0, 0, {}
  for i = 1, #list do
    local k, t, d = core.count(list[i])
    edges, triangles = edges + k, triangles + t
    for _, degree in ipairs(d:totable()) do degrees[degree] = (degrees[degree] or 0) + 1 end
  end
  return {edges = edges, triangles = triangles, degrees = degrees}
end

local gof_meta = {__name = "graph gof"}

function gof_meta:__tostring()
  local lines = {string.format("%-12s %9s %11s %9s %9s %9s %7s", "statistic", "observed", "mean", "sd", "least",
    "greatest", "p")}
  for _, r in ipairs(self.rows) do
    lines[#lines + 1] = pg._format("%-12s %9d %11.2f %9.2f %9d %9d %7.3f", r[1], r[2], r[3], r[4], r[5], r[6], r[7])
  end
  return table.concat(lines, "\n")
end

--- pg.graph.gof(m, list, opts) -> gof
-- Goodness of fit by simulation: draws each graph again from the model, with its own features, and
-- compares edges, triangles and degrees, summed over the graphs, with what they are.
-- @param m  model
-- @param list  a graph {X = ..., E = ...} or a list of them
-- @param opts.rng  generator
-- @param opts.count  integer: how many times (100)
-- @return gof  rows and columns for a table: statistic, observed, and mean, sd, least, greatest of the
--   simulations, and p, twice the share of simulations at least as far on the observed side, at most 1
-- @source Hunter, Goodreau & Handcock 2008 (goodness of fit of ergm)
function graph.gof(m, list, opts)
  class.check("graph.gof", 1, "m", m)
  opts = args.options("graph.gof", 3, opts, {rng = args.any, count = 100})
  args.rng("graph.gof", 3, opts.rng)
  local count = args.integer("graph.gof", 3, "count", opts.count, 1)
  if parts_of(list) then list = {list} end
  if type(list) ~= "table" or getmetatable(list) == data_meta or #list == 0 then
    args.fail("graph.gof", 2, "list: expected a graph {X = ..., E = ...} or a list of them, got " .. args.got(list))
  end
  local X, E, most = {}, {}, 0
  for i, g in ipairs(list) do
    pack("graph.gof", g, "graph " .. i)
    X[i], E[i] = parts_of(g)
    if E[i] == nil then args.fail("graph.gof", 2, "graph " .. i .. ": expected E, n x n, got edges alone") end
  end
  local observed = figures_of(E)
  for degree in pairs(observed.degrees) do most = math.max(most, degree) end
  local drawn = {}
  for c = 1, count do
    local again = {}
    for i = 1, #X do again[i] = core.draw(X[i], m.a, m.b, opts.rng) end
    drawn[c] = figures_of(again)
    for degree in pairs(drawn[c].degrees) do most = math.max(most, degree) end
  end
  local rows = {}
  local function add(name, read)
    local seen = read(observed)
    local sum, squares, least, greatest, above, below = 0, 0, math.huge, -math.huge, 0, 0
    for c = 1, count do
      local v = read(drawn[c])
      sum, squares = sum + v, squares + v * v
      least, greatest = math.min(least, v), math.max(greatest, v)
      if v >= seen then above = above + 1 end
      if v <= seen then below = below + 1 end
    end
    local mean = sum / count
    local sd = count > 1 and math.sqrt(math.max(0, squares - sum * mean) / (count - 1)) or 0.0
    rows[#rows + 1] = {name, seen, mean, sd, least, greatest, math.min(1, 2 * math.min(above, below) / count)}
  end
  add("edges", function(f) return f.edges end)
  add("triangles", function(f) return f.triangles end)
  for degree = 0, math.tointeger(most) do
    add("degree " .. degree, function(f) return f.degrees[degree] or 0 end)
  end
  return setmetatable({columns = {"statistic", "observed", "mean", "sd", "least", "greatest", "p"}, rows = rows,
    count = count}, gof_meta)
end

-- n and the list of edges, k x 2, of E (n x n) or of a graph.
local function edges_of(name, g)
  local n, edges
  local X, E, list = parts_of(g)
  if args.is_array(g) then E = g end
  if E ~= nil then
    edges = args.named(core.edges, name)(E)
    n = #E
  elseif X ~= nil and list ~= nil then
    n = #X
    edges = args.named(core.check_edges, name)(list, n)
  else
    args.fail(name, 1, "E: expected an array, n x n, or a graph {X = ..., E = ...}, got " .. args.got(g))
  end
  return n, edges, X
end

--- pg.graph.edges(E) -> array
-- The edges of a graph as a list.
-- @param E  array, n x n, symmetric, of 0 and 1; or a graph
-- @return edges  k x 2: the numbers of two nodes a row, the lesser first
-- @example pg.graph.edges(pg.array{{0, 1}, {1, 0}}):totable()[1][2] --> 2.0
function graph.edges(E)
  local _, edges = edges_of("graph.edges", E)
  return edges
end

local GOLDEN = math.pi * (3 - math.sqrt(5))

--- pg.graph.layout(E [, opts]) -> array
-- Positions for drawing a graph: nodes push each other apart, edges pull, and all is drawn to the
-- middle, so that nodes without edges stay in the picture. The same input gives the same picture.
-- @param E  array, n x n, symmetric, of 0 and 1; or a graph
-- @param opts.rng  generator for where to start (default: a spiral, nothing random)
-- @param opts.iterations  integer: 500, fewer for more than 500 nodes
-- @return pos  n x 2, within [0, 1]
-- @source Fruchterman & Reingold 1991
function graph.layout(E, opts)
  opts = args.options("graph.layout", 2, opts, {rng = args.any, iterations = args.any})
  local n, edges = edges_of("graph.layout", E)
  local iterations = opts.iterations or math.max(30, math.min(500, math.floor(3e8 / (n * n + 1))))
  args.integer("graph.layout", 2, "iterations", iterations, 1, 1000000)
  if n == 0 then return pg.zeros(0, 2) end
  local start
  if opts.rng ~= nil then
    start = args.rng("graph.layout", 2, opts.rng):uniform(-0.5, 0.5, n, 2)
  else
    local rows = {}
    for i = 1, n do
      local r = 0.5 * math.sqrt((i - 0.5) / n)
      rows[i] = {r * math.cos(GOLDEN * i), r * math.sin(GOLDEN * i)}
    end
    start = pg.array(rows)
  end
  return core.layout(start, edges, iterations)
end

--- pg.graph.export(path, g)
-- Writes a graph in Graphviz's DOT language; with three features or more the first three colour a node,
-- x / 2 + 0.5 as red, green and blue.
-- @param path  ending in .dot
-- @param g  a graph {X = n x m, E = n x n}, or E alone
function graph.export(path, g)
  if type(path) ~= "string" or not path:find("%.dot$") then
    args.fail("graph.export", 1, "path: expected a file name that ends in .dot, got " .. args.got(path))
  end
  local n, edges, X = edges_of("graph.export", g)
  local out = {"graph {", "  node [shape=circle, style=filled];"}
  local colours = X and X.ndim == 2 and X.shape[2] >= 3
  for i = 1, n do
    if colours then
      local rgb = {}
      for c = 1, 3 do
        rgb[c] = math.floor(math.max(0, math.min(1, X(i, c) / 2 + 0.5)) * 255 + 0.5)
      end
      out[#out + 1] = string.format('  %d [fillcolor="#%02x%02x%02x"];', i, rgb[1], rgb[2], rgb[3])
    else
      out[#out + 1] = string.format("  %d;", i)
    end
  end
  for _, e in ipairs(edges:totable()) do out[#out + 1] = string.format("  %d -- %d;", e[1] // 1, e[2] // 1) end
  out[#out + 1] = "}\n"
  pg._system.write(path, table.concat(out, "\n"))
end

return graph
