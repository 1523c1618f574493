-- SPDX-License-Identifier: MIT
-- pg.graph against NumPy and scikit-learn; tests/golden/numpy_graph.py prints the numbers.
local pg = require "perigee"

local function refused(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), "got: " .. tostring(message) .. "\nwanted: " .. text)
end

local function near(want, got, tol)
  assert.is_true(math.abs(got - want) <= tol, string.format("%.17g is not near %.17g", got, want))
end

local graphs = pg.graph.new{a = 3, b = -3.5}:sample(20, pg.random.legacy(7), {n = 12})

-- The same graphs with their edges listed.
local function listed()
  local out = {}
  for i, g in ipairs(graphs) do out[i] = {X = g.X, edges = pg.graph.edges(g.E)} end
  return out
end

describe("pg.graph.loglik", function()
  it("is NumPy's number on NumPy's graphs", function()
    local data = pg.graph.data(graphs)
    assert.equal(101, data.edges)
    assert.equal(20 * 66, data.pairs)
    assert.equal("graph data: 20 graphs, 1320 pairs, 101 edges", tostring(data))
    near(-262.6507142507985, pg.graph.loglik(data, 3, -3.5), 1e-10)
    near(-262.6507142507985, pg.graph.loglik(graphs, 3, -3.5), 1e-10)
    assert.equal(pg.graph.loglik(graphs, 3, -3.5), (pg.graph.loglik(listed(), 3, -3.5)))
    local sum = 0
    for _, l in ipairs(pg.graph.new{a = 3, b = -3.5}:logprob(graphs):totable()) do sum = sum + l end
    near(-262.6507142507985, sum, 1e-10)
  end)

  it("takes a graph in each of its forms", function()
    local g = graphs[1]
    local want = pg.graph.loglik(g, 1, -1)
    assert.equal(want, (pg.graph.loglik({g.X, g.E}, 1, -1)))
    assert.equal(want, (pg.graph.loglik({g}, 1, -1)))
    assert.equal(want, (pg.graph.loglik({{g.X, g.E}}, 1, -1)))
    assert.equal(want, (pg.graph.loglik({X = g.X, E = g.E:astype("f32")}, 1, -1)))
    assert.equal(want, (pg.graph.loglik({X = g.X, E = g.E.T}, 1, -1)))
  end)

  it("has the gradient and the Hessian of the sum", function()
    local data = pg.graph.data(graphs)
    local _, gradient, hessian = pg.graph.loglik(data, 2.385, -1.7)
    local h = 1e-5
    for k = 1, 2 do
      local up, down = {2.385, -1.7}, {2.385, -1.7}
      up[k], down[k] = up[k] + h, down[k] - h
      local lu, gu = pg.graph.loglik(data, up[1], up[2])
      local ld, gd = pg.graph.loglik(data, down[1], down[2])
      near((lu - ld) / (2 * h), gradient[k], 1e-5)
      for j = 1, 2 do near((gu[j] - gd[j]) / (2 * h), hessian(k, j), 1e-5) end
    end
  end)

  it("is stable anywhere", function()
    for _, at in ipairs{{1e3, 1e3}, {-1e5, 7}, {0, -1e300}} do
      local L, g = pg.graph.loglik(graphs, at[1], at[2])
      assert.is_true(L <= 0 and L - L == 0 and g[1] - g[1] == 0 and g[2] - g[2] == 0)
    end
  end)

  it("agrees with its definition over the pairs", function()
    local s, e = pg.graph.pairs(graphs[3])
    assert.equal(66, #s)
    local L = 0
    for i = 1, 66 do
      local p = 1 / (1 + math.exp(-(1.1 * s[i] - 0.3)))
      L = L + (e[i] == 1 and math.log(p) or math.log(1 - p))
    end
    near(L, pg.graph.loglik(graphs[3], 1.1, -0.3), 1e-12)
    local x = graphs[3].X
    near(x(1, 1) * x(2, 1) + x(1, 2) * x(2, 2) + x(1, 3) * x(2, 3), s[1], 1e-15)
  end)
end)

describe("pg.graph.fit", function()
  it("finds what scikit-learn finds, in under 10 steps, to a gradient below 1e-10", function()
    local m = pg.graph.fit(graphs)
    near(2.8655020220851477, m.a, 1e-4)
    near(-3.5264241419060136, m.b, 1e-4)
    assert.is_true(m.converged and m.iterations < 10)
    local _, g, h = pg.graph.loglik(graphs, m.a, m.b)
    assert.is_true(math.abs(g[1]) < 1e-10 and math.abs(g[2]) < 1e-10)
    local det = h(1, 1) * h(2, 2) - h(1, 2) ^ 2
    near(math.sqrt(-h(2, 2) / det), m.stderr[1], 1e-12)
    near(math.sqrt(-h(1, 1) / det), m.stderr[2], 1e-12)
    for i = 2, #m.trace do assert.is_true(m.trace[i].loglik >= m.trace[i - 1].loglik - 1e-12) end
    local far = pg.graph.fit(graphs, {start = {40, 25}})
    near(m.a, far.a, 1e-9)
    assert.is_truthy(tostring(m):find("graph model: p(edge) = sigmoid(a x_i.x_j + b), a = 2.865", 1, true))
  end)

  it("needs no more steps where edges are few", function()
    local few = pg.graph.new{a = 1, b = -7}:sample(1, pg.random.new(2), {n = 600, m = 4})
    local m = pg.graph.fit(few)
    assert.is_true(m.converged and m.iterations < 10)
    local data = pg.graph.data(few)
    assert.equal(0, m.trace[1].a)
    near(math.log(data.edges / (data.pairs - data.edges)), m.trace[1].b, 1e-12)
    local again = pg.graph.fit(few, {start = {0, 0}})
    near(m.a, again.a, 1e-8)
    near(m.b, again.b, 1e-8)
    assert.same({0, 0}, {again.trace[1].a, again.trace[1].b})
  end)

  it("goes up graph by graph as the report does, with the right gradient", function()
    local m = pg.graph.fit(graphs, {method = "gradient", update = "graph", lr = 0.01, epochs = 20, start = {0.5, 0.5}})
    near(2.690372914734383, m.a, 1e-10)
    near(-3.442731885031836, m.b, 1e-10)
    near(-262.33518892180297, m.loglik, 1e-9)
    assert.equal(20, #m.trace)
    assert.equal(m.a, m.trace[20].a)
    assert.is_false(m.converged)
  end)

  it("never goes down on the whole sum", function()
    for _, lr in ipairs{0.01, 1, 1000} do
      local m = pg.graph.fit(graphs, {method = "gradient", lr = lr, epochs = 60, start = {0.5, 0.5}})
      for i = 2, 60 do assert.is_true(m.trace[i].loglik >= m.trace[i - 1].loglik) end
      assert.is_true(m.loglik > -275)
    end
  end)

  it("calls on_epoch and stops where it says so", function()
    local seen = {}
    local m = pg.graph.fit(graphs, {method = "gradient", epochs = 9, on_epoch = function(s)
      seen[#seen + 1] = s.epoch
      return s.epoch < 4
    end})
    assert.same({1, 2, 3, 4}, seen)
    assert.equal(4, m.iterations)
  end)

  it("says when the likelihood has no maximum", function()
    local X = pg.array{{1, 0}, {1, 0.1}, {-1, 0.2}}
    local function g(edges) return {X = X, edges = edges} end
    refused("every edge has x_i.x_j >= 1, every other pair <= -0.98, so the likelihood rises for ever with a",
      pg.graph.fit, g{{1, 2}})
    refused("every edge has x_i.x_j <= -0.98, every other pair >= 1", pg.graph.fit, g{{1, 3}, {2, 3}})
    refused("every pair has an edge", pg.graph.fit, g{{1, 2}, {1, 3}, {2, 3}})
    refused("there is no edge at all", pg.graph.fit, {X = X, E = pg.zeros(3, 3)})
    refused("there are no pairs of nodes", pg.graph.fit, {X = pg.ones(1, 2), E = pg.zeros(1, 1)})
    refused("x_i.x_j is the same for all pairs, so a and b cannot be told apart", pg.graph.fit,
      {X = pg.ones(3, 2), edges = {{1, 2}}})
    local m = pg.graph.fit(g{{1, 2}}, {method = "gradient", epochs = 5})
    assert.is_truthy(m.separable:find("separable", 1, true))
    assert.is_false(m.converged)
    assert.is_nil(pg.graph.fit(graphs, {method = "gradient", epochs = 1}).separable)
  end)

  it("recovers a and b within four standard errors", function()
    local m = pg.graph.fit(pg.graph.new{a = -1.5, b = 0.4}:sample(60, pg.random.new(5), {n = 20, m = 2}))
    assert.is_true(math.abs(m.a + 1.5) < 4 * m.stderr[1] and math.abs(m.b - 0.4) < 4 * m.stderr[2])
  end)

  it("saves and loads", function()
    if not pcall(function() return pg.save end) then return pending("pg.save is not there") end
    local path = os.tmpname() .. ".npz"
    local m = pg.graph.fit(graphs)
    m:save(path)
    assert.equal(tostring(m), tostring(pg.graph.load(path)))
    pg.graph.new{a = 1, b = 2}:save(path)
    assert.equal(2, pg.graph.load(path).b)
    pg.save(path, {x = pg.zeros(3)})
    refused("not a graph model: it has no array 'a'", pg.graph.load, path)
    os.remove(path)
  end)

  it("gives the homework's numbers", function()
    local path = "../shared/data/classroom_graphs.pkl"
    local file = io.open(path)
    if not file then return pending("no " .. path) end
    file:close()
    if not pcall(function() return pg.load end) then return pending("pg.load is not there") end
    local list = pg.load(path)
    local m = pg.graph.fit(list)
    near(2.9313069786700154, m.a, 1e-8)
    near(-3.5703576784400974, m.b, 1e-8)
    local up = pg.graph.fit(list, {method = "gradient", update = "graph", start = {0.5, 0.5}})
    near(2.116, up.trace[1].a, 5e-4)
    near(-3.163, up.trace[1].b, 5e-4)
    near(2.893, up.a, 5e-4)
    near(-3.671, up.b, 5e-4)
    near(-2009.3346, up.loglik, 5e-5)
  end)
end)

describe("pg.graph", function()
  it("samples the same graphs from the same stream", function()
    local m = pg.graph.new{a = 3, b = -3.5}
    local a, b = m:sample(2, pg.random.new(1)), m:sample(2, pg.random.new(1))
    assert.equal("(15, 3)", tostring(a[1].X.shape))
    assert.same(a[2].E:totable(), b[2].E:totable())
    assert.same(a[1].E:totable(), a[1].E.T:totable())
    local given = m:sample(3, pg.random.new(2), {X = a[1].X})
    assert.equal("(15, 15)", tostring(given[3].E.shape))
    assert.equal(a[1].X, given[1].X)
    assert.equal(0, #m:sample(0, pg.random.new(1)))
  end)

  it("measures goodness of fit", function()
    local m = pg.graph.fit(graphs)
    local gof = pg.graph.gof(m, graphs, {rng = pg.random.new(3), count = 50})
    assert.equal("edges", gof.rows[1][1])
    assert.equal(101, gof.rows[1][2])
    near(101, gof.rows[1][3], 4 * gof.rows[1][4])
    local nodes = 0
    for i = 3, #gof.rows do nodes = nodes + gof.rows[i][2] end
    assert.equal(240, nodes)
    assert.is_truthy(tostring(gof):find("statistic", 1, true))
    -- A model that is wrong is seen to be.
    local wrong = pg.graph.gof(pg.graph.new{a = 3, b = -1}, graphs, {rng = pg.random.new(3), count = 50})
    assert.equal(0, wrong.rows[1][7])
    local again = pg.graph.gof(m, graphs, {rng = pg.random.new(3), count = 50})
    assert.equal(tostring(gof), tostring(again))
  end)

  it("keeps the graphs of its data whatever a script takes out of the table", function()
    local data = pg.graph.data(pg.graph.new{a = 1, b = -1}:sample(3, pg.random.new(1), {n = 40}))
    local before = pg.graph.loglik(data, 1, -1)
    for i = 3, 1, -1 do data.packed[i] = nil end
    collectgarbage()
    local other = {}
    for i = 1, 2000 do other[i] = pg.ones(1000 + i) end -- would be written where they were
    assert.equal(before, (pg.graph.loglik(data, 1, -1)))
    assert.equal(2000, #other)
  end)

  it("lays graphs out, nodes without edges too, the same each time", function()
    local E = pg.zeros(8, 8)
    for i = 1, 4 do E[{i, i + 1}], E[{i + 1, i}] = 1, 1 end
    local pos = pg.graph.layout(E)
    assert.equal("(8, 2)", tostring(pos.shape))
    assert.same(pos:totable(), pg.graph.layout(E):totable())
    assert.same(pos:totable(), pg.graph.layout{X = pg.zeros(8, 1), edges = pg.graph.edges(E)}:totable())
    local a = pg.graph.layout(E, {rng = pg.random.new(1)})
    assert.same(a:totable(), pg.graph.layout(E, {rng = pg.random.new(1)}):totable())
    for i = 1, 8 do
      for k = 1, 2 do assert.is_true(pos(i, k) >= 0 and pos(i, k) <= 1) end
      for j = i + 1, 8 do
        assert.is_true((pos(i, 1) - pos(j, 1)) ^ 2 + (pos(i, 2) - pos(j, 2)) ^ 2 > 0.01)
      end
    end
    assert.equal("(0, 2)", tostring(pg.graph.layout(pg.zeros(0, 0)).shape))
    assert.equal("(1, 2)", tostring(pg.graph.layout(pg.zeros(1, 1)).shape))
    assert.equal("(3, 2)", tostring(pg.graph.layout(pg.zeros(3, 3), {iterations = 1}).shape))
  end)

  it("writes DOT", function()
    local path = os.tmpname() .. ".dot"
    pg.graph.export(path, {X = pg.array{{1, 0, -1}, {0, 0, 0}, {-1, 1, 2}}, edges = {{3, 1}, {2, 3}}})
    local file = io.open(path)
    assert.equal('graph {\n  node [shape=circle, style=filled];\n  1 [fillcolor="#ff8000"];\n'
      .. '  2 [fillcolor="#808080"];\n  3 [fillcolor="#00ffff"];\n  3 -- 1;\n  2 -- 3;\n}\n', file:read("a"))
    file:close()
    pg.graph.export(path, pg.array{{0, 1}, {1, 0}})
    file = io.open(path)
    assert.equal("graph {\n  node [shape=circle, style=filled];\n  1;\n  2;\n  1 -- 2;\n}\n", file:read("a"))
    file:close()
    os.remove(path)
    refused("path: expected a file name that ends in .dot", pg.graph.export, "x.png", graphs[1])
  end)
end)

describe("pg.graph refuses", function()
  local X = pg.array{{1, 0}, {0, 1}, {1, 1}}
  local function with(i, j, v, both)
    local E = pg.array{{0, 1, 0}, {1, 0, 0}, {0, 0, 0}}
    E[{i, j}] = v
    if both then E[{j, i}] = v end
    return {X = X, E = E}
  end
  local m = pg.graph.new{a = 1, b = 0}
  for _, case in ipairs{
    {"bad argument #1 to 'graph.loglik' (E: expected n x n, got shape (3, 2))",
      function() pg.graph.loglik({X = X, E = pg.zeros(3, 2)}, 1, 0) end},
    {"element (3, 1) of E is 0.0, expected the same as across the diagonal: E is symmetric",
      function() pg.graph.loglik(with(1, 3, 1), 1, 0) end},
    {"element (1, 2) of E is 2.0, expected 0 or 1", function() pg.graph.loglik(with(1, 2, 2, true), 1, 0) end},
    {"element (2, 2) of E is 1.0, expected 0: no node is its own neighbour",
      function() pg.graph.loglik(with(2, 2, 1), 1, 0) end},
    {"element (1, 2) of E", function() pg.graph.loglik(with(1, 2, 0 / 0, true), 1, 0) end},
    {"E: expected 3 x 3, as X has 3 rows, got shape (2, 2)",
      function() pg.graph.loglik({X = X, E = pg.zeros(2, 2)}, 1, 0) end},
    {"graph 2: E: expected 3 x 3, as X has 3 rows, got shape (2, 2)",
      function() pg.graph.fit{with(1, 2, 1), {X = X, E = pg.zeros(2, 2)}} end},
    {"graph 2: expected a graph {X = ..., E = ...}, got number 3", function() pg.graph.fit{with(1, 2, 1), 3} end},
    {"graph 1: expected E, n x n, or edges, k x 2, beside X", function() pg.graph.fit{{X = X}} end},
    {"X: expected at least one feature a node, got shape (3, 0)",
      function() pg.graph.loglik({X = pg.zeros(3, 0), E = pg.zeros(3, 3)}, 1, 0) end},
    {"element (2, 1) of X is not finite",
      function() pg.graph.loglik({X = pg.array{{1}, {0 / 0}}, E = pg.zeros(2, 2)}, 1, 0) end},
    {"element (2, 2) of edges is 4.0, expected the number of a node, 1 to n",
      function() pg.graph.loglik({X = X, edges = {{1, 2}, {3, 4}}}, 1, 0) end},
    {"element (2, 2) of edges is 3.0, expected another node",
      function() pg.graph.loglik({X = X, edges = {{1, 2}, {3, 3}}}, 1, 0) end},
    {"element (2, 1) of edges is 2.0, expected an edge that is not listed before",
      function() pg.graph.loglik({X = X, edges = {{1, 2}, {2, 1}}}, 1, 0) end},
    {"edges: expected k x 2, a pair of nodes a row, got shape (1, 3)",
      function() pg.graph.loglik({X = X, edges = {{1, 2, 3}}}, 1, 0) end},
    {"list: expected a graph {X = ..., E = ...} or a list of them, got an empty table",
      function() pg.graph.loglik({}, 1, 0) end},
    {"list: expected a graph {X = ..., E = ...} or a list of them, got number 3",
      function() pg.graph.fit(3) end},
    {"bad argument #2 to 'graph.loglik' (a: expected a", function() pg.graph.loglik(graphs, 0 / 0, 0) end},
    {"bad argument #3 to 'graph.loglik' (b: expected a finite number, got inf",
      function() pg.graph.loglik(graphs, 0, math.huge) end},
    {"bad argument #3 to 'graph.loglik' (b: expected a finite number, got nan)",
      function() pg.graph.loglik(graphs, 0, 0 / 0) end},
    {"start: expected a table {a, b}, got number 3", function() pg.graph.fit(graphs, {start = 3}) end},
    {"start[2]: expected a number, got no value", function() pg.graph.fit(graphs, {start = {1}}) end},
    {"bad argument #3 to 'sample' (element (2, 1) of X is not finite)",
      function() m:sample(1, pg.random.new(1), {X = pg.array{{1}, {0 / 0}}}) end},
    {'method: expected one of "newton", "gradient"', function() pg.graph.fit(graphs, {method = "newto"}) end},
    {"unknown option 'learning_rate'", function() pg.graph.fit(graphs, {learning_rate = 1}) end},
    {"lr: expected a number above 0, got -1", function() pg.graph.fit(graphs, {lr = -1}) end},
    {"epochs: expected an integer of at least 1", function() pg.graph.fit(graphs, {epochs = 0}) end},
    {"a: expected a number", function() pg.graph.new{b = 1} end},
    {"g: expected one graph, got 20", function() pg.graph.pairs(graphs) end},
    {"rng: expected a generator", function() m:sample(2) end},
    {"rng: expected a generator", function() pg.graph.gof(m, graphs) end},
    {"m: expected a graph model, got table", function() pg.graph.gof({}, graphs) end},
    {"graph 1: expected E, n x n, got edges alone",
      function() pg.graph.gof(m, {X = X, edges = {{1, 2}}}, {rng = pg.random.new(0)}) end},
    {"E: expected an array, n x n, or a graph", function() pg.graph.layout(3) end},
    {"bad argument #1 to 'graph.layout' (E: expected n x n", function() pg.graph.layout(pg.zeros(2, 3)) end},
    {"iterations: expected an integer", function() pg.graph.layout(pg.zeros(2, 2), {iterations = 0}) end},
    {"a graph model has no 'logprop'; did you mean 'logprob'?", function() return m.logprop end},
    {"bad self in call to 'sample' (expected a graph model", function() m.sample(2, pg.random.new(1)) end},
  } do
    it(case[1]:sub(1, 70), function() refused(case[1], case[2]) end)
  end

  it("at the line of the script, however deep the check is", function()
    for _, f in ipairs{
      function() return (pg.graph.loglik({X = X, E = pg.zeros(3, 2)}, 1, 0)) end,
      function() return (pg.graph.fit{{X = X}}) end,
      function() return (pg.graph.fit(graphs, {start = {1}})) end,
      function() return (pg.graph.gof(m, {X = X, E = pg.ones(3, 3)}, {rng = pg.random.new(0)})) end,
      function() return (pg.graph.loglik(graphs, 1)) end,
      function() return (m:sample(1, pg.random.new(1), {X = pg.full({2, 1}, 0 / 0)})) end,
    } do
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.matches("graph_spec%.lua:" .. debug.getinfo(f, "S").linedefined .. ": bad argument", message)
    end
  end)
end)

describe("pg.graph by shards", function()
  local list = pg.graph.new{a = 1.5, b = -1}:sample(13, pg.random.new(4), {n = 9})

  it("sums the same, and the same bits however the shards are joined", function()
    local L, g, H = pg.graph.loglik(list, 0.7, -0.3)
    for _, shards in ipairs{1, 2, 4, 13, 40} do
      local l, dl, d2 = pg.graph.loglik(list, 0.7, -0.3, {shards = shards})
      assert.is_true(math.abs(l - L) < 1e-12)
      assert.is_true((dl - g):abs():max() < 1e-12 and (d2 - H):abs():max() < 1e-12)
    end
    -- Four parts as two processes would add them: each its own half, then the two sums.
    local function part(lo, hi) return pg.graph.loglik(table.move(list, lo, hi, 1, {}), 0.7, -0.3) end
    local four = pg.graph.loglik(list, 0.7, -0.3, {shards = 4})
    assert.equal(four, (part(1, 3) + part(4, 6)) + (part(7, 9) + part(10, 13)))
  end)

  it("fits the same", function()
    local data = pg.graph.data(list)
    local m = pg.graph.fit(data)
    for _, opts in ipairs{{shards = 4}, {shards = 4, method = "gradient", epochs = 3000, lr = 0.01}} do
      local s = pg.graph.fit(data, opts)
      assert.is_true(math.abs(s.a - m.a) < 1e-5 and math.abs(s.b - m.b) < 1e-5)
    end
    local ok, err = pcall(pg.graph.fit, data, {shards = 2, method = "gradient", update = "graph"})
    assert.is_false(ok)
    assert.matches('shards: update = "graph" takes a step a graph, in order', err)
    assert.matches("shards: expected an integer of at least 1, got 0",
      select(2, pcall(pg.graph.loglik, data, 1, 1, {shards = 0})))
  end)
end)
