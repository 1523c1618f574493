-- SPDX-License-Identifier: MIT
-- pg.random against NumPy's numbers: tests/golden/numpy_random.txt, made by the program beside it.
local pg = require "perigee"

local golden = {}
for line in io.lines("tests/golden/numpy_random.txt") do
  local name, rest = line:match("^([^# ]%S*) (.*)$")
  if name then
    golden[name] = {}
    for word in rest:gmatch("%S+") do table.insert(golden[name], tonumber(word)) end
  end
end

-- Whether an array, list or number is the golden line, with `shift` added to it.
local function same(name, got, shift)
  local want = assert(golden[name], name)
  if type(got) == "number" then got = {got} end
  if type(got) == "userdata" then got = got:reshape(-1):totable() end
  assert.equal(#want, #got, name)
  for i, v in ipairs(want) do
    assert.equal(v + (shift or 0), got[i], name .. "[" .. i .. "]")
  end
end

local function refused(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), "got: " .. tostring(message) .. "\nwanted: " .. text)
end

local new, legacy = pg.random.new, pg.random.legacy
local p = {0.1, 0.0, 0.3, 0.55, 0.05}

describe("pg.random.new", function()
  it("gives NumPy's very bits in the tail of the normal distribution too", function()
    assert.equal(-0x1.116535122898cp+2, pg.random.new(337203099):standard_normal(53389)[-1])
  end)
  it("is default_rng for any seed", function()
    for _, seed in ipairs{0, 1, 42, 12345, 4294967295, 4294967296, math.maxinteger} do
      same("pcg.random." .. seed, new(seed):random(5))
    end
    same("pcg.random.42", new(42.0):random(5))
    for _, seed in ipairs{"42", "18446744073709551623", "10000000000000000000000000000000000000000",
      "2037035976334486086268445688409378161051468393665936250636140449354381299763336706183397381"} do
      same("pcg.random." .. seed, new(seed):random(5))
    end
    same("pcg.random.42", new("0x2a"):random(5))
    same("pcg.random.list", new{1, 2 ^ 40, 0, 77, 5}:random(3))
    same("pcg.random.list", new{1, "0x10000000000", 0, 77, 5}:random(3))
  end)

  it("draws one number as it draws many", function()
    local one, many = new(42), new(42):standard_normal(4, 10)
    local list = {}
    for i = 1, 40 do list[i] = one:standard_normal() end
    same("pcg.normal", list)
    same("pcg.normal", many)
    assert.equal("(4, 10)", tostring(many.shape))
    assert.equal("(2, 3)", tostring(new(1):random({2, 3}).shape))
    assert.equal("(0,)", tostring(new(1):random(0).shape))
    same("pcg.uniform", new(5):uniform(-2.5, 4, 6))
    same("pcg.normal.scaled", new(5):normal(3, 0.25, 6))
    assert.equal(golden["pcg.uniform"][1], new(5):uniform(-2.5, 4))
  end)

  it("has NumPy's integers, both ends included", function()
    for _, r in ipairs{{0, 9}, {1, 6}, {-5, 5}, {0, 2147483648}, {0, 4294967295}, {0, 4294967296}, {7, 7},
      {-1099511627776, 4503599627370496}, {0, 4294967294}} do
      local name = string.format("pcg.integers.%d.%d", r[1], r[2])
      same(name, new(11):integers(r[1], r[2], 9))
      local rng, list = new(11), {}
      for i = 1, 9 do list[i] = rng:integers(r[1], r[2]) end
      same(name, list)
      assert.equal("integer", math.type(list[1]))
    end
    same("pcg.integers.full", new(11):integers(math.mininteger, math.maxinteger))
    local rng = new(21)
    local mixed = {rng:integers(0, 8), rng:random(), rng:integers(0, 8), rng:standard_normal()}
    local three = rng:integers(0, 8, 3)
    mixed[5] = three[1] + three[2] + three[3]
    same("pcg.mixed", mixed)
  end)

  it("permutes, shuffles and chooses as NumPy does", function()
    for _, n in ipairs{1, 2, 10, 33} do same("pcg.permutation." .. n, new(4):permutation(n), 1) end
    assert.equal("(0,)", tostring(new(4):permutation(0).shape))
    local a = pg.range(0, 23):reshape(6, 4)
    new(13):shuffle(a)
    same("pcg.shuffle", a)
    local rows = {}
    for i = 1, 10 do rows[i] = i end
    new(4):shuffle(rows)
    same("pcg.permutation.10", rows, 1)
    same("pcg.choice.10.4", new(2):choice(10, 4), 1)
    same("pcg.choice.10.10", new(2):choice(10, 10), 1)
    same("pcg.choice.replace", new(2):choice(10, 8, {replace = true}), 1)
    same("pcg.choice.p.replace", new(2):choice(5, 12, {replace = true, p = p}), 1)
    same("pcg.choice.p", new(2):choice(5, 4, {p = pg.array(p)}), 1)
    assert.equal("integer", math.type(new(2):choice(5)))
    assert.equal(golden["pcg.choice.p.replace"][1] + 1, new(2):choice(5, {p = p}))
    assert.equal("(0,)", tostring(new(2):choice(5, 0).shape))
  end)

  it("spawns as SeedSequence does", function()
    local rng = new(2024)
    local children = rng:spawn(3)
    for i = 1, 3 do same("pcg.spawn." .. i - 1, children[i]:random(3)) end
    same("pcg.spawn.later", rng:spawn(1)[1]:random(3))
    same("pcg.spawn.1.0", new(2024):spawn(2)[2]:spawn(1)[1]:random(3))
    assert.equal(new(2024):random(), rng:random()) -- spawning does not move the stream
    assert.equal(0, #rng:spawn(0))
  end)

  it("draws 0 and 1", function()
    local rng, u = new(3), new(3):random(1000)
    local x = rng:bernoulli(0.3, 1000)
    for i = 1, 1000 do assert.equal(u[i] < 0.3 and 1 or 0, x[i]) end
    assert.equal(1, rng:bernoulli(1))
    assert.equal(0, rng:bernoulli(0))
    local y = new(8):bernoulli(pg.array{{0, 1, 0.5}, {1, 0, 0.5}})
    assert.equal("(2, 3)", tostring(y.shape))
    assert.same({0, 1}, {y(1, 1), y(1, 2)})
    assert.equal(new(8):random(2, 3)(2, 3) < 0.5 and 1 or 0, y(2, 3))
  end)

  it("keeps and restores its state", function()
    for _, rng in ipairs{new(7), legacy(7)} do
      rng:standard_normal(3)
      rng:integers(1, 6)
      local s = rng:state()
      local function after() return {rng:integers(1, 1000), rng:standard_normal(), rng:random()} end
      local first = after()
      rng:restore(s)
      assert.same(first, after())
    end
    local rng = new(2024)
    rng:spawn(3)
    local other = new(0)
    other:restore(rng:state())
    same("pcg.spawn.later", other:spawn(1)[1]:random(3))
    refused("s: expected the state of a PCG64 generator, got MT19937", other.restore, other, legacy(1):state())
    refused("s: expected the table of rng:state(), got number 3", other.restore, other, 3)
    refused("s: expected the state of a PCG64 generator, got another table", other.restore, other, {})
    local s = rng:state()
    s.words = s.words:sub(2)
    refused("s.words: expected 128 hexadecimal digits", other.restore, other, s)
    s.words = ("0"):rep(128)
    refused("not the state of a PCG64", other.restore, other, s)
  end)
end)

describe("pg.random.legacy", function()
  it("is np.random.seed for any seed", function()
    for _, seed in ipairs{0, 1, 42, 4294967295} do same("mt.rand." .. seed, legacy(seed):rand(5)) end
    same("mt.rand.list", legacy{1, 2, 3}:rand(3))
    local rng, list = legacy(1), {}
    for i = 1, 5 do list[i] = rng:random() end
    same("mt.rand.1", list)
  end)

  it("keeps the second normal number", function()
    same("mt.randn", legacy(42):randn(9))
    local rng = legacy(8)
    same("mt.mixed", {rng:randn(), rng:rand(), rng:randn(), rng:randint(0, 100), rng:randn()})
    same("mt.uniform", legacy(5):uniform(-2.5, 4, 6))
    same("mt.normal", legacy(5):normal(3, 0.25, 6))
  end)

  it("has NumPy's randint, permutation, shuffle and choice", function()
    for _, r in ipairs{{0, 10}, {1, 7}, {-5, 6}, {0, 2147483649}, {0, 4294967296}, {0, 1099511627776}} do
      local name = string.format("mt.randint.%d.%d", r[1], r[2])
      same(name, legacy(11):randint(r[1], r[2], 9))
      same(name, legacy(11):integers(r[1], r[2] - 1, 9))
    end
    assert.equal(golden["mt.randint.0.10"][1], legacy(11):randint(10))
    for _, n in ipairs{1, 2, 10, 33} do same("mt.permutation." .. n, legacy(4):permutation(n), 1) end
    local a = pg.range(0, 23):reshape(6, 4)
    legacy(13):shuffle(a)
    same("mt.shuffle", a)
    same("mt.choice.10.4", legacy(2):choice(10, 4), 1)
    same("mt.choice.replace", legacy(2):choice(10, 8, {replace = true}), 1)
    same("mt.choice.p.replace", legacy(2):choice(5, 12, {replace = true, p = p}), 1)
    same("mt.choice.p", legacy(2):choice(5, 4, {p = p}), 1)
  end)
end)

describe("pg.random refuses", function()
  local rng = new(0)
  for _, case in ipairs{
    {"bad argument #1 to 'random.new' (seed: expected an integer of at least 0, got number -1)",
      function() new(-1) end},
    {"seed: expected an integer of at least 0, got number 1.5", function() new(1.5) end},
    {"seed: expected an integer of at least 0, got no value; a stream", function() new() end},
    {"seed: expected an integer of at least 0, or one in digits or after 0x, got", function() new("one") end},
    {"seed: expected an integer of at least 0, or a table of them", function() new{} end},
    {"seed: expected an integer of at least 0, got number -2", function() new{1, -2} end},
    {"bad argument #1 to 'random.legacy' (seed: expected an integer in 0..4294967295, got number 4294967296",
      function() legacy(4294967296) end},
    {"seed: expected an integer in 0..4294967295, got number -1", function() legacy(-1) end},
    {"seed: expected an integer in 0..4294967295, got number 4294967296", function() legacy{1, 4294967296} end},
    {"bad argument #1 to 'random' (shape: expected integers", function() rng:random("x") end},
    {"bad argument #2 to 'random' (shape: expected integers", function() rng:random(2, {3}) end},
    {"shape: expected an integer of at least 0, got number -1", function() rng:random(-1) end},
    {"bad argument #2 to 'uniform' (hi", function() rng:uniform(0) end},
    {"hi: expected a finite number, got inf", function() rng:uniform(0, math.huge) end},
    {"hi: the range", function() rng:uniform(-1e308, 1e308) end},
    {"bad argument #2 to 'normal' (sd: expected a standard deviation of at least 0, got -1",
      function() rng:normal(0, -1) end},
    {"bad argument #2 to 'integers' (hi: expected at least lo = 3, got 2)", function() rng:integers(3, 2) end},
    {"lo: expected an integer", function() rng:integers(0.5, 2) end},
    {"an array holds integers exactly only within -2^53..2^53", function() rng:integers(0, 1 << 60, 3) end},
    {"hi: expected more than lo = 3, got 3; hi is not included", function() legacy(1):randint(3, 3) end},
    {"bad argument #1 to 'bernoulli' (p: expected a probability in [0, 1], got 1.5",
      function() rng:bernoulli(1.5) end},
    {"p: expected a probability in [0, 1], got", function() rng:bernoulli(0 / 0) end},
    {"p: element 2 is -0.5, expected a probability", function() rng:bernoulli(pg.array{0, -0.5}) end},
    {"shape: an array of probabilities brings its own", function() rng:bernoulli(pg.array{0, 0.5}, 3) end},
    {"write a:take(rng:permutation(#a))", function() rng:permutation(pg.zeros(3)) end},
    {"a: expected an array or a table, got number 3", function() rng:shuffle(3) end},
    {"a: a number has nothing to shuffle", function() rng:shuffle(pg.array(3)) end},
    {"bad argument #2 to 'choice' (k: 11 of 10 without replacement; {replace=true}",
      function() rng:choice(10, 11) end},
    {"k: 2 without replacement, and only 1 have p > 0", function() rng:choice(2, 2, {p = {1, 0}}) end},
    {"p: expected n = 3 probabilities, got 2", function() rng:choice(3, 2, {p = {0.5, 0.5}}) end},
    {"p is 0.9, expected probabilities that sum to 1", function() rng:choice(2, 1, {p = {0.5, 0.4}}) end},
    {"element 2 of p is -0.5, expected a probability, at least 0",
      function() rng:choice(2, 1, {p = {1.5, -0.5}}) end},
    {"unknown option 'replaced'", function() rng:choice(2, 1, {replaced = true}) end},
    {"rng has no method 'randn'; write rng:standard_normal(...)", function() rng:randn(3) end},
    {"rng has no method 'spawn'; a legacy generator has no SeedSequence", function() legacy(1):spawn(2) end},
    {"rng has no method 'permutaton'; did you mean 'permutation'?", function() rng:permutaton(3) end},
    {"rng: expected a generator such as pg.random.new(seed), got number 3", function() rng.random(3) end},
  } do
    it(case[1]:sub(1, 60), function() refused(case[1], case[2]) end)
  end
end)
