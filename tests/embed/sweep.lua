-- SPDX-License-Identifier: MIT
-- Memory ends at every point of every call. Each function runs with its k-th request for memory failing, once and from
-- then on, for every k; and under a limit that is raised step by step until it succeeds. A request that fails once is
-- made again after a collection, so it may succeed; each failure must be the ordinary error, and leave nothing behind.
local pg = require "perigee"

local a = pg.random.new(1):standard_normal(40, 30)
local f = a:astype("f32")
local v = a:reshape(-1)
local z = a:gt(0)
local k = (a * 3):round()
local sorted = v:sort()
local s = a.T:dot(a) + pg.eye(30)

local bits = z:slice({1, 3}, {1, 5})
local bx, by = pg.lstm.shift(bits)
local tables = pg.cpt.estimate(bits)
local dense = pg.cpt.new{{0.5, 0.5}, {{1, 0}, {0.25, 0.75}}}
local graphs = pg.graph.new{a = 3, b = -3}:sample(3, pg.random.new(2), {n = 9})
local listed = {X = graphs[1].X, edges = pg.graph.edges(graphs[1].E)}
local function net()
  return pg.lstm.new{input_size = 1, hidden_size = 4, output_size = 1, rng = pg.random.new(1)}
end

local holes = pg.where(pg.random.new(3):random(40, 30):lt(0.1), 0 / 0, a)
local model = pg.ppca.fit(a, 2)
local line = pg.linear.fit(a, v:slice{1, 40})
local rng = pg.random.new(4)
local function temporary(suffix)
  local name = os.tmpname()
  os.remove(name)
  return name .. suffix
end
local npz, npz2, npz3, npz4, stored, svg = temporary ".npz", temporary ".npz", temporary ".npz", temporary ".npz",
  temporary ".npy", temporary ".svg"
local png, dot, npz5, text = temporary ".png", temporary ".dot", temporary ".npz", temporary ".txt"
local links = pg.graph.new{a = 1, b = 0}
pg.save(stored, a)
pg.save(png, a)

local calls = {
  "pg.zeros(40, 30)", "pg.ones(40, 30)", "pg.full({40, 30}, 2)", "pg.eye(40)", "pg.range(1, 1000)",
  "pg.linspace(0, 1, 1000)", "pg.array(a:totable())", "a:copy()", "a.T:copy()", 'a:astype("f32")',
  "a:totable()", "a:slice({1, -1, 2})", "a.T:reshape(-1)", "a:transpose()", "a:flip()", "a:expand_dims(1)",
  "tostring(a)", "a[3]", "a.shape", "a + 1", "a * a.T:copy().T", "a + f", "pg.exp(f)", "pg.where(z, a, f)",
  "a:clip(-1, 1)", "-a", "a:eq(a)", "a:sum()", "a:sum(1)", "a:mean{1, 2}", "a:var(2, {keepdims = true})",
  "a:argmax(1)", "a:cumsum(1)", "a:softmax(2)", "a:logsumexp(1)", "a:any(1)", "a:norm(2)", "a:prod(1)",
  "pg.concat({a, f}, 2)", "pg.stack{a, a}", "a:tile(2, 2)", "a:repeat_(2)", "a:repeat_(pg.ones(30), 2)",
  "a:take({1, 2}, 2)", "a:take({{1, 2}})", "a:compress(z)", "a:compress(pg.ones(40))", "z:nonzero()",
  "a:roll(3)", "a:roll(1, 2)", "a:diff{n = 3}", "a:tril()", "a:triu(1)", "pg.diag(v:slice({1, 50}))",
  "a:diag()", "v:outer(pg.ones(3))", "pg.meshgrid(v, pg.ones(2))", "a.T:sort()", "f:sort(1)", "a:argsort()",
  "v:argsort()", "v:sort()", "sorted:searchsorted(a)", "k:unique()", "k:unique(1)", "a:median()",
  "a:median(1)", "a:quantile({0.1, 0.9}, 2)", "a.T:histogram(20)", "pg.bincount(k:abs() + 1)", "a:cov()",
  "a:corrcoef()", "pg.cov(f, a)", "pg.stats.chi2_sf(a:abs(), 3)", "pg.batches(a, {size = 7})()",
  "pg.image.collage(pg.ones(4, 9, 9))", "pg.image.resize(a, 20, 20)", "pg.image._png(a)",
  'pg.image.collage(pg.ones(2, 9, 9), {row_labels = {"a"}})',
  "net()", "net():named()", "tostring(net())", "net():forward(bx)", "net():loss(bx, by, {lengths = {5, 1, 2}})",
  "net():loss_grad(bx, by)", "net():logprob(bits)", "net():sample(3, pg.random.new(1), {steps = 4})",
  "net():fit(bx, by, {epochs = 2, batch = 1, rng = pg.random.new(1), progress = false})",
  "pg.grad(function(x) return (pg.exp(x) * x[1]):sum() end)(v)",
  "pg.value_and_grad(function(n) return n:loss(bx, by) end)(net())",
  "pg.grad(function(p) return pg.tanh(p.w:dot(p.b) + 1):sum() end){w = a, b = v:slice{1, 30}}",
  "pg.hessian(function(x) return pg.square(x:slice{1, 3}):sum() * x[2] end)(v:slice{1, 5})",
  "pg.jvp(pg.sin, v, v)", "pg.grad(function(x) return pg.checkpoint(pg.sin, x):sum() end)(v)",
  "pg.lstm.shift(bits)", "pg.optim.adam{}:step(v:copy(), v)", "pg.optim.sgd{momentum = 0.9}:step(v:copy(), v)",
  "pg.gradcheck(function(x) return x:sum() end, pg.ones(3), pg.ones(3))",
  "pg.plot.figure{width = 64, height = 64}:line(v):_texts()",
  "pg.plot.figure{width = 64, height = 64}:scatter(v, v, {color = v}):pixels()",
  "a:dot(a.T)", "a:slice({1, -1, 2}, {1, -1, 2}):dot(f.T:slice({1, -1, 2}))", "s:dot(s, s:copy())",
  "pg.linalg.solve(s, v:slice{1, 30})", "pg.linalg.inv(s)", "pg.linalg.det(s)", "pg.linalg.slogdet(s)",
  "pg.linalg.cholesky(s)", "pg.linalg.qr(a.T)", "pg.linalg.svd(a)", "pg.linalg.eigh(s)",
  "pg.linalg.eig(s)", "pg.linalg.lu(a)", "pg.kron({1, 2}, {3})", "pg.round(a, 1)",
  "pg.linalg.pinv(a)",
  "pg.linalg.rank(a)", "pg.linalg.norm(a.T, 2)", "pg.linalg.cond(s, 1)", "pg.linalg.lstsq(f, f)",
  "pg.linalg.solve_triangular(s, s, {lower = true})", "pg.linear.fit(a, v:slice{1, 40}, {intercept = true}):predict(a)",
  "pg.linear.accumulate():add(a, f):fit()",
  "pg.random.new{1, 2}:random(20, 30)", "pg.random.legacy{1, 2}:randn(500)", "pg.random.new(1):spawn(3)",
  "pg.random.new(1):choice(500, 40)", "pg.random.new(1):choice(30, 9, {p = pg.full({30}, 1 / 30)})",
  "pg.random.new(1):permutation(500)", "pg.random.new(1):bernoulli(z * 0.5)", "pg.random.legacy(1):state()",
  "pg.cpt.estimate(bits)", "tables:sample(50, pg.random.new(1))", "tables:logprob(bits)", "tables:support()",
  "tables:entropy()", "tables:conditional{0, 1}", "pg.cpt.new{{0.5, 0.5}}", "dense:support()",
  "dense:sample(50, pg.random.new(1))", "tostring(tables)", "pg.graph.data(graphs)", "pg.graph.data(listed)",
  "pg.graph.loglik(graphs, 1, 2)", "pg.graph.fit(graphs)", "pg.graph.pairs(listed)", "pg.graph.layout(listed)",
  "pg.graph.new{a = 1, b = 0}:sample(2, pg.random.new(1))", "pg.graph.edges(graphs[1].E)",
  "pg.graph.new{a = 1, b = 0}:logprob(graphs)",
  'pg.graph.fit(graphs, {method = "gradient", update = "graph", epochs = 2})',
  "pg.graph.gof(pg.graph.new{a = 1, b = 0}, graphs, {rng = pg.random.new(1), count = 2})",
  'pg.save(file, a, {format = "npy", sync = false})', 'pg.save(file, a.T, {format = "csv", sync = false})',
  'pg.save(file, a, {format = "png", sync = false})',
  'pg.save(file, {a = a, f = f}, {format = "npz", compress = true, sync = false})',
  "pg.ppca.fit(a, 2)", "pg.ppca.fit(holes, 2, {max_iter = 3})", "model:encode(a)",
  "model:posterior(a)", "model:decode(model:encode(a))", "model:reconstruct(a)", "model:sample(20, pg.random.new(1))",
  "model:logprob(a)", "model:impute(holes)", "model:explained()", "tostring(model)",
  "pg.ppca.accumulate():add(a):fit(2)",
  "model:save(npz)", "pg.ppca.load(npz)", "net():save(npz2)", "pg.lstm.load(npz2)",
  "tables:save(npz3)", "pg.cpt.load(npz3)", "line:save(npz4)", "pg.linear.load(npz4)",
  "pg.einsum('ij,kj->ik', a, f)", "pg.einsum('ij,jk,kl->il', a, a.T, a)", "pg.einsum('ii->', s)", "a:matmul(a.T)",
  "a:trace()", "a:std(1)", "a:min(1)", "a:argmin(2)", "a:all(1)", "z:any()", "a:allclose(f)", "pg.array_equal(a, a)",
  "a:reshape(1, 40, 30):squeeze(1)", "pg.ones_like(a)", "pg.tostring(a, {precision = 3})", "pg.info()",
  "pg.maximum(a, f)", "pg.minimum(a, 0)", "pg.atan2(a, f)", "pg.mod(a, 2)", "pg.idiv(a, 2)", "pg.pow(k, 2)",
  "z & z", "z | z", "z ~ z", "~z", "a:lt(f)", "a:le(0)", "a:ge(f)", "a:ne(0)", "'text ' .. a", "a(2, 3)",
  "a:sigmoid()", "a:tanh()", "f:lgamma()", "f:round()", "a:isnan()", "a:floor()", "a:erf()",
  "rng:integers(1, 9, 40)", "rng:normal(0, 1, 30)", "rng:shuffle(pg.range(1, 90))", "rng:restore(rng:state())",
  "tostring(rng)", "pg.rows(stored)()", "pg.image._range(a)", "pg.image.read(png)", "pg.optim.clip_norm(v:copy(), 1)",
  "pg.graph.export(dot, listed)", "links:save(npz5)", "pg.graph.load(npz5)",
  "pg.plot.grid({pg.plot.figure{}:line(v), pg.plot.figure{}:hist(v)}, 2, 1, {width = 64, height = 99}):pixels()",
  "pg.plot.figure{width = 64, height = 64}:bar({1, 2}, {3, 4}):image(a):pixels()",
  "pg.plot.figure{width = 64, height = 64}:graph(graphs[1].E):pixels()",
  "pg.plot.figure{width = 64, height = 64}:band({1, 2}, {3, 4}, {5, 6}):errorbar({1, 2}, {3, 4}, {5, 6}):pixels()",
  "pg.plot.figure{width = 64, height = 64}:hline(1):vline(2):text(1, 1, 'x'):pixels()",
  'pg.plot.figure{width = 64, height = 64}:line({1, 2}, {label = "l"}):legend():save(svg)',
  "pg.plot.colormap('viridis')", "pg._html.table({'x', 'y'}, {{1, 2}, {3, 'four'}})",
  "pg._html.markdown('# a\\n\\n- b *c* `d`')", "pg._help.text('linalg.svd')",
  "pg._complete({pg = pg}, 'a = pg.linalg.s', 4, 15)", "pg._hints.syntax('x != 1')",
  "pg._lexer.keep_locals('local x = 1')",
  "pg._pretty({1, {a = 2}, 'b'})", "pg._system.hash(stored)", "pg._system.list('tests/fuzz')",
  "pg._system.base64(('x'):rep(999))", "pg._system.digest(('x'):rep(999))", "pg._system.write(text, 'text')",
  "pg._sweep.product(pg._sweep.read{'n=1,2,3', 'm=4..6'})", "pg._options.declare({lr = 1, n = 3})",
  "pg._junit{jobs = {}, counts = {}, seconds = 1, started = 'x'}", "pg._args.nearest('lstq', {'lstsq', 'solve'})",
  'pg.save(file, {n = 1, l = {1, 2, {x = a[1]}}}, {format = "json", sync = false})', 'pg.load(file)',
}
for _, seed in ipairs{"npy/f8_fortran", "npy/gz", "npz/stored", "npz/deflated", "pickle/p0", "pickle/p2", "pickle/p4",
  "pickle/p5", "pickle/gz", "pickle/shared", "pickle/python2", "idx/u1", "idx/i4_gz", "image/rgb16.png",
  "image/interlaced.png",
  "image/palette.png", "image/p5_16.pgm", "image/p3.ppm"} do
  calls[#calls + 1] = ("pg.load(%q)"):format("tests/fuzz/seeds/" .. seed)
end
calls[#calls + 1] = 'pg.load("tests/fuzz/seeds/csv/header", {format = "csv"})'

-- A pickle of text and bytes so long that they are read in another way.
local large = "\x80\2](X" .. string.pack("<s4", ("e"):rep(70000)) .. "B" .. string.pack("<s4", ("b"):rep(70000)) .. "e."
local file, pickled = os.tmpname(), os.tmpname()
local out = assert(io.open(pickled, "wb"))
out:write(large)
out:close()
calls[#calls + 1] = "pg.load(pickled)"

-- Until nothing more goes: a cycle gives back half of the records of calls that are free.
local function collect()
  local held
  repeat
    held = pg.memory()
    collectgarbage()
  until pg.memory() == held
  return held
end

local env = setmetatable({pg = pg, a = a, f = f, v = v, z = z, k = k, sorted = sorted,
  file = file, pickled = pickled, bits = bits, bx = bx, by = by, net = net, s = s,
  holes = holes, model = model, line = line, rng = rng, npz = npz, npz2 = npz2, npz3 = npz3, npz4 = npz4,
  stored = stored, svg = svg, png = png, dot = dot, npz5 = npz5, text = text, links = links,
  tables = tables, dense = dense, graphs = graphs, listed = listed}, {__index = _G})
local failures, points, refusals = 0, 0, 0

local function check(ok, err, call)
  err = tostring(err)
  assert(ok or err:find("not enough memory", 1, true) or err:find("memory limit", 1, true), call .. ": " .. err)
end

-- Runs the call with its k-th request failing for k = 1, 2, ... until there are no more; returns how many failed.
local function sweep(call, run, for_good)
  for at = 1, 1e5 do
    fail(at, for_good)
    local ok, err = pcall(run)
    if fail() < at then
      assert(ok, err)
      return at - 1
    end
    check(ok, err, call)
    assert(not (ok and for_good and at == 1), call .. ": its first request was not needed")
  end
  error(call .. " never succeeds")
end

-- Lets the call fail at each request and under each limit; returns failures, refusals and the bytes left behind.
local function torment(call, run)
  local held, room, refused = collect(), 0, 0
  local failed = sweep(call, run, false) + sweep(call, run, true)
  while true do
    limit(collect() + room)
    local ok, err = pcall(run)
    limit(0)
    if ok then break end
    check(ok, err, call)
    refused = refused + 1
    room = room + 4096
    assert(room < 1e6, call .. " never succeeds")
  end
  return failed, refused, collect() - held
end

for _, call in ipairs(calls) do
  local run = assert(load("local _ = " .. call, "=" .. call, "t", env))
  run() -- opens what is opened at the first use
  local failed, refused, left = torment(call, run)
  points, refusals = points + failed, refusals + refused
  -- The interpreter's stack, strings and caches may grow a few times; what leaks grows each time.
  for _ = 1, 4 do
    if left > 0 then left = select(3, torment(call, run)) end
  end
  if left > 0 then
    failures = failures + 1
    print(call .. " leaves " .. left .. " bytes")
  end
end
for _, name in ipairs{file, pickled, npz, npz2, npz3, npz4, npz5, stored, svg, png, dot, text} do os.remove(name) end
print(("allocation points of %d calls: %d survived, and %d refusals of a limit; %d leaks"):format(#calls, points,
  refusals, failures))
assert(failures == 0 and points > 20000)
