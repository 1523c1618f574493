-- SPDX-License-Identifier: MIT
-- pg.mpi in one process; tests/cluster has it in several.
local pg = require "perigee"
local mpi = pg.mpi
local unlaunched = pg._system.announced() == 0

describe("pg.mpi alone", function()
  it("is rank 0 of 1 and opens no library", function()
    assert.equal(0, mpi.rank)
    assert.equal(1, mpi.size)
    if unlaunched then assert.equal("none", mpi.library) end
  end)

  it("gives back what a collective is given", function()
    local a = pg.array{1, 2, 3}
    assert.equal(a, mpi.allreduce(a))
    assert.equal(4, mpi.allreduce(4))
    assert.equal(4, mpi.reduce(4, "max"))
    assert.equal(a, mpi.bcast(a))
    assert.same({x = {1, 2}}, mpi.bcast({x = {1, 2}}))
    assert.is_true(pg.array_equal(a, mpi.allgather(a)))
    assert.is_true(pg.array_equal(a, mpi.gather(a)))
    assert.is_true(pg.array_equal(a, mpi.scatter(a)))
    assert.same({{1, "a", true}}, mpi.allgather{1, "a", true})
    mpi.barrier()
    mpi.timeout(5)
    mpi.timeout(0)
  end)

  it("sends arrays and nested tables as they are", function()
    local value = {1, 2.5, "a\0b", [10] = "hole", deep = {er = {false}}, a = pg.eye(2):astype("f32").T}
    local back = mpi.allgather(value)[1]
    assert.equal("integer", math.type(back[1]))
    assert.equal(2.5, back[2])
    assert.equal("a\0b", back[3])
    assert.equal("hole", back[10])
    assert.is_false(back.deep.er[1])
    assert.equal("f32", back.a.dtype)
    assert.equal(1, back.a(2, 2))
  end)

  it("sums in the tree of the library", function()
    local parts, alone = {}, {}
    for i = 1, 13 do parts[i] = pg.random.new(i):standard_normal(50) end
    local first = parts[1]:copy()
    local sum = mpi.sum(parts, 13)
    assert.is_true(pg.array_equal(first, parts[1]))
    local tree = pg._tree.sum(13, function(i) return parts[i]:copy() end)
    assert.is_true(pg.array_equal(tree, sum))
    local keep = pg.zeros(50)
    local mapped = mpi.map(13, function(i)
      keep:assign(parts[i]) -- the same array each time
      alone[i] = i
      return keep
    end)
    assert.is_true(pg.array_equal(sum, mapped))
    assert.equal(13, #alone)
    local a, b = mpi.map(3, function(i) return i, pg.full({2}, i) end)
    assert.equal(6, a)
    assert.equal(6, b[2])
  end)

  it("gives each shard its own stream", function()
    local list, spawned = mpi.rng(5, 3), pg.random.new(5):spawn(3)
    for i = 1, 3 do assert.equal(spawned[i]:random(), list[i]:random()) end
  end)

  it("merges accumulators", function()
    local X = pg.random.new(1):standard_normal(50, 3)
    local acc = pg.ppca.accumulate{block = 8}:add(X)
    assert.is_true(pg.array_equal(acc:fit(1).W, mpi.merge(acc):fit(1).W))
    local lin = pg.linear.accumulate{block = 8}:add(X:slice({}, {1, 2}), X:slice({}, 3))
    assert.is_true(pg.array_equal(lin:fit().w, mpi.merge(lin):fit().w))
  end)

  it("shares the shards of a fit, whose bits are those without it", function()
    local function lstm(opts)
      local rng = pg.random.new(1)
      local net = pg.lstm.new{input_size = 1, hidden_size = 4, output_size = 1, rng = rng}
      local x, y = pg.lstm.shift(rng:bernoulli(0.5, 11, 5))
      opts.epochs, opts.batch, opts.rng, opts.progress = 3, 4, rng, false
      net:fit(x, y, opts)
      return net.params
    end
    assert.is_true(pg.array_equal(lstm{shards = 4}, lstm{shards = 4, mpi = true}))
    local function net(opts)
      local rng = pg.random.new(2)
      local nn = pg.nn
      local f = nn.model(nn.sequential{nn.linear(3, 4), nn.relu, nn.dropout(0.5), nn.linear(4, 1)}, rng,
        {dtype = "f64"})
      local x = rng:standard_normal(11, 3)
      opts.epochs, opts.batch, opts.rng, opts.progress = 3, 4, rng, false
      nn.fit(f, function(g, a, ctx) return nn.mse(g(a, ctx), a:sum(2, {keepdims = true})) end, x, opts)
      return f.params
    end
    assert.is_true(pg.array_equal(net{shards = 2}, net{shards = 2, mpi = true}))
    assert.is_false(pg.array_equal(net{shards = 2}, net{shards = 4}))
    local graphs = pg.graph.new{a = 1, b = -1}:sample(5, pg.random.new(5), {n = 8})
    assert.equal(pg.graph.fit(graphs, {shards = 16}).a, pg.graph.fit(graphs, {shards = 16, mpi = true}).a)
    local alone = pg.graph.loglik(graphs, 1, 0, {shards = 2})
    assert.equal(alone, (pg.graph.loglik(graphs, 1, 0, {shards = 2, mpi = true})))
    for text, f in pairs{
      ["mpi: give shards too, into how many parts each batch is cut"] = function() lstm{mpi = true} end,
      ["mpi: expected a boolean, got number 1"] = function() net{mpi = 1, shards = 2} end,
      ["shards: expected a number that divides the batch of 4, got 3"] = function() net{shards = 3} end,
      ["mpi: give shards too, into how many parts the list is cut"] = function() pg.graph.fit(graphs, {mpi = true}) end,
    } do
      local ok, why = pcall(f)
      assert.is_false(ok)
      assert.is_truthy(why:find(text, 1, true), text .. " / " .. why)
    end
  end)

  it("says what it was given", function()
    for text, f in pairs{
      ["give a:copy"] = function() mpi.allreduce(pg.zeros(3, 4).T) end,
      ["expected f64 or f32"] = function() mpi.allreduce(pg.zeros(3, "u8")) end,
      ['op: expected "sum", "prod", "min" or "max", got "mean"'] = function() mpi.allreduce(1, "mean") end,
      ["there is one rank"] = function() mpi.send(1, 0) end,
      ["to: there is one rank, so none"] = function() mpi.send(pg.zeros(2), 1) end,
      ["root: expected an integer"] = function() mpi.bcast(1, 1) end,
      ["rank 0 holds 1 of 3 parts, expected 3 (mpi.range(3) is 1, 3)"] = function() mpi.sum({1}, 3) end,
      ["part 2: expected (2,) f64 as the first, got array (3,) f64"] = function()
        mpi.sum({pg.zeros(2), pg.zeros(3)}, 2)
      end,
      ["part 1: expected a number or an array of f64 or f32, got boolean"] = function() mpi.sum({true}, 1) end,
      ["f(2) gave 2 values, expected 1"] = function() mpi.map(2, function(i) return table.unpack({1, 1}, 1, i) end) end,
      ["f(1) gave 0 values, expected one or more"] = function() mpi.map(2, function() end) end,
      ["v.f.g: numbers, strings"] = function() mpi.allgather{f = {g = print}} end,
      ["holds itself"] = function()
        local t = {}
        t.t = t
        mpi.allgather(t)
      end,
      ["expected an accumulator of pg.ppca or pg.linear, got table"] = function() mpi.merge({}) end,
      ["expected a number of at least 0"] = function() mpi.timeout(-1) end,
      ["n: expected an integer"] = function() mpi.range(-1) end,
    } do
      local ok, why = pcall(f)
      assert.is_false(ok)
      assert.is_truthy(why:find(text, 1, true), text .. " / " .. why)
    end
  end)
end)
