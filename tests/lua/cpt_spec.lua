-- SPDX-License-Identifier: MIT
local pg = require "perigee"

local function refused(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), "got: " .. tostring(message) .. "\nwanted: " .. text)
end

local function letters()
  local rows, pixels = {}, {}
  for line in io.lines("experiments/data/letters.txt") do
    if #line == 5 then
      for c in line:gmatch(".") do pixels[#pixels + 1] = c == "#" and 1 or 0 end
    end
    if #pixels == 25 then rows[#rows + 1], pixels = pixels, {} end
  end
  return pg.array(rows)
end

-- Dense tables by counting.
local function tables_of(X, alpha)
  local n, d = X:dims()
  local tables = {}
  for k = 1, d do
    local counts = {}
    for i = 1, 2 ^ k do counts[i] = 0 end
    for i = 1, n do
      local at = 0
      for j = 1, k do at = 2 * at + math.tointeger(X(i, j)) end
      counts[at + 1] = counts[at + 1] + 1
    end
    for i = 1, #counts, 2 do
      local total = counts[i] + counts[i + 1]
      for v = 0, 1 do
        counts[i + v] = total + alpha > 0 and (counts[i + v] + alpha) / (total + 2 * alpha) or 0.5
      end
    end
    local shape = {}
    for j = 1, k do shape[j] = 2 end
    tables[k] = pg.array(counts):reshape(shape)
  end
  return tables
end

local X = pg.array{{0, 1, 1}, {0, 0, 1}, {1, 1, 0}, {0, 1, 1}, {0, 1, 0}}

describe("pg.cpt", function()
  it("is the same model from tables and from images", function()
    for _, alpha in ipairs{0, 0.385} do
      local dense, compact = pg.cpt.new(tables_of(X, alpha)), pg.cpt.estimate(X, {alpha = alpha})
      local a = dense:sample(200, pg.random.new(3)):totable()
      assert.same(a, compact:sample(200, pg.random.new(3)):totable())
      assert.is_true(math.abs(dense:entropy() - compact:entropy()) < 1e-14)
      local sa, pa = dense:support()
      local sb, pb = compact:support()
      assert.same(sa:totable(), sb:totable())
      assert.equal(alpha == 0 and 4 or 8, #pa)
      local la, lb, sum = dense:logprob(sa), compact:logprob(sa), 0
      for i = 1, #pa do
        assert.is_true(math.abs(pa[i] - pb[i]) < 1e-15)
        assert.is_true(math.abs(la[i] - math.log(pa[i])) < 1e-14)
        assert.is_true(math.abs(la[i] - lb[i]) < 1e-14)
        sum = sum + pa[i]
      end
      assert.is_true(math.abs(sum - 1) < 1e-15)
      for _, prefix in ipairs{{}, {0}, {1}, {0, 1}, {1, 0}} do
        assert.equal(dense:conditional(prefix), compact:conditional(prefix))
      end
      assert.equal(14, dense.entries)
      assert.equal(7, dense.free)
      assert.equal(14, dense.stored)
      assert.equal(14, compact.entries)
      assert.equal(12, compact.stored) -- the prefixes "", 0, 1, 00, 01, 11
      assert.equal(3, dense.d)
    end
  end)

  it("gives 0.5 after a prefix that was not seen", function()
    assert.equal(0.5, pg.cpt.estimate(X):conditional{1, 0})
    assert.equal(-math.huge, pg.cpt.estimate(X):logprob{1, 0, 0})
  end)

  it("draws NumPy's images under np.random.seed", function()
    local m = pg.cpt.estimate(letters())
    assert.equal(26, m.images)
    assert.equal(67108862, m.entries)
    assert.equal(33554431, m.free)
    assert.is_true(math.abs(m:entropy() / 25 - math.log(26) / 25) < 1e-15)
    local lines = 0
    for line in io.lines("tests/golden/numpy_cpt.txt") do
      local words = {}
      for word in line:gmatch("%d+") do words[#words + 1] = math.tointeger(tonumber(word)) end
      local drawn = m:sample(8, pg.random.legacy(words[1]))
      for i = 1, 8 do
        local number = 0
        for k = 1, 25 do number = 2 * number + math.tointeger(drawn(i, k)) end
        assert.equal(words[i + 1], number)
      end
      lines = lines + 1
    end
    assert.equal(4, lines)
    local images, p = m:support()
    assert.equal("(26, 25)", tostring(images.shape))
    for i = 1, 26 do assert.equal(1 / 26, p[i]) end
  end)

  it("does not copy the tables", function()
    local tables = {pg.array{0.25, 0.75}}
    local m = pg.cpt.new(tables)
    tables[1][1], tables[1][2] = 1, 0
    assert.equal(0, m:conditional{})
    assert.equal(0.75, pg.cpt.new{pg.array({0.25, 0.75}, "f32")}:conditional{})
  end)

  it("takes images of any size, and of 784 pixels", function()
    local rng = pg.random.new(1)
    local images = rng:bernoulli(0.4, 60, 28, 28)
    local m = pg.cpt.estimate(images)
    assert.equal(784, m.d)
    assert.equal(60, m.images)
    assert.equal(2.0 ^ 785 - 2, m.entries)
    assert.is_true(math.abs(m:entropy() - math.log(60)) < 1e-12)
    local lp = m:logprob(m:sample(20, rng))
    for i = 1, 20 do assert.is_true(math.abs(lp[i] + math.log(60)) < 1e-12) end
    assert.is_truthy(tostring(m):find("cpt model: 784 pixels, 60 images of 60 observations, alpha = 0", 1, true))
    assert.is_truthy(tostring(pg.cpt.new{{0.5, 0.5}}):find("cpt model: 1 pixels, dense tables with 2 entries", 1, true))
  end)

  it("saves and loads", function()
    if not pcall(function() return pg.save end) then return pending("pg.save is not there") end
    local path = os.tmpname() .. ".npz"
    for _, m in ipairs{pg.cpt.estimate(X, {alpha = 0.5}), pg.cpt.new(tables_of(X, 0))} do
      m:save(path)
      local back = pg.cpt.load(path)
      assert.equal(tostring(m), tostring(back))
      assert.same(m:sample(50, pg.random.new(1)):totable(), back:sample(50, pg.random.new(1)):totable())
    end
    pg.save(path, {x = pg.zeros(3)})
    refused("not a cpt model: it has neither table_1 nor images, counts and alpha", pg.cpt.load, path)
    os.remove(path)
  end)

  it("reads the homework's tables", function()
    local path = "../shared/data/image_cpts.pkl.gz"
    local file = io.open(path)
    if not file then return pending("no " .. path) end
    file:close()
    if not pcall(function() return pg.load end) then return pending("pg.load is not there") end
    local m = pg.cpt.new(pg.load(path))
    assert.equal(25, m.d)
    assert.equal(67108862, m.stored)
    assert.is_true(math.abs(m:entropy() - math.log(26)) < 1e-13)
    local images = m:support()
    assert.same(pg.cpt.estimate(letters()):support():totable(), images:totable())
    assert.same(pg.cpt.estimate(letters()):sample(100, pg.random.legacy(0)):totable(),
      m:sample(100, pg.random.legacy(0)):totable())
  end)
end)

describe("pg.cpt refuses", function()
  local m = pg.cpt.estimate(X)
  local rng = pg.random.new(0)
  for _, case in ipairs{
    {"bad argument #1 to 'cpt.new' (tables: expected a sequence of arrays, got number 3)",
      function() pg.cpt.new(3) end},
    {"tables: expected a sequence of arrays, got an empty table", function() pg.cpt.new{} end},
    {"tables[2]: expected array, got number 3", function() pg.cpt.new{{0.5, 0.5}, 3} end},
    {"tables[2]: expected shape (2, 2), got (2,)", function() pg.cpt.new{{0.5, 0.5}, {0.5, 0.5}} end},
    {"tables[1]: expected shape (2,), got (3,)", function() pg.cpt.new{{0.5, 0.25, 0.25}} end},
    {"tables[2][2]: 0.2 and 0.7 sum to 0.9, expected 1 within 1e-6",
      function() pg.cpt.new{{0.5, 0.5}, {{1, 0}, {0.2, 0.7}}} end},
    {"tables[2][2][2] is 1.7, expected a probability in [0, 1]",
      function() pg.cpt.new{{0.5, 0.5}, {{1, 0}, {0.2, 1.7}}} end},
    {"tables[3][2][1][1] is", function()
      pg.cpt.new{{0.5, 0.5}, {{1, 0}, {0, 1}}, {{{1, 0}, {1, 0}}, {{0 / 0, 1}, {1, 0}}}}
    end},
    {"bad argument #1 to 'cpt.estimate' (X: expected array, got number 3)", function() pg.cpt.estimate(3) end},
    {"element (2, 1) of X is 2.0, expected a pixel, 0 or 1", function() pg.cpt.estimate{{0, 1}, {2, 1}} end},
    {"X: expected images as rows, n x d, got shape (3,)", function() pg.cpt.estimate{0, 1, 1} end},
    {"X: expected at least one image of at least one pixel, got shape (0, 3)",
      function() pg.cpt.estimate(pg.zeros(0, 3)) end},
    {"alpha: expected a number in [0, inf], got -1", function() pg.cpt.estimate(X, {alpha = -1}) end},
    {"alpha: expected a finite number of at least 0, got inf",
      function() pg.cpt.estimate(X, {alpha = math.huge}) end},
    {"unknown option 'apha'; did you mean 'alpha'?", function() pg.cpt.estimate(X, {apha = 1}) end},
    {"bad argument #2 to 'sample' (rng: expected a generator such as pg.random.new(seed), got no value)",
      function() m:sample(3) end},
    {"bad argument #1 to 'sample' (n: expected an integer", function() m:sample(-1, rng) end},
    {"bad self in call to 'sample' (expected a cpt model, got number 3; write m:sample(...), with a colon)",
      function() m.sample(3, rng) end},
    {"bad argument #1 to 'logprob' (X: expected images as rows, n x 3, got shape (2, 2))",
      function() m:logprob{{0, 1}, {1, 1}} end},
    {"element (1, 2) of X is 0.5, expected a pixel", function() m:logprob{0, 0.5, 1} end},
    {"bad argument #1 to 'conditional' (prefix: expected fewer than d = 3 pixels, got 3)",
      function() m:conditional{0, 1, 1} end},
    {"prefix: element 2 is 2.0, expected a pixel, 0 or 1", function() m:conditional{0, 2} end},
    {"prefix: expected an array or a table of pixels, got nil", function() m:conditional() end},
    {"support: more than 3 images have positive probability; raise opts.max", function() m:support{max = 3} end},
    {"a cpt model has no 'entrpy'; did you mean 'entropy'?", function() return m.entrpy end},
    {"the model's table 1 was changed", function()
      local broken = pg.cpt.new{{0.5, 0.5}}
      broken.tables[1] = pg.zeros(1)
      broken:entropy()
    end},
  } do
    it(case[1]:sub(1, 70), function() refused(case[1], case[2]) end)
  end

  it("with the place in the script", function()
    local ok, message = pcall(function() pg.cpt.new{{0.5, 0.6}} end)
    assert.is_false(ok)
    assert.is_truthy(message:find("^tests/lua/cpt_spec.lua:%d+: "))
  end)
end)
