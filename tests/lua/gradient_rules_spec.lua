-- SPDX-License-Identifier: MIT
--
-- The derivative of each function of pg against differences, over shapes, strides and dtypes, each
-- operand alone and both, and the derivative of each derivative.
local pg = require "perigee"
local rules = pg._rules

local rng = pg.random.new(20)

-- Weights that make a number of an array whose elements all matter otherwise.
local function weigh(y)
  if type(y) == "number" or y.ndim == 0 then return y * 1.3 end
  local k = pg.range(1, y.size):reshape(y.shape)
  return (y * (0.37 * k + pg.sin(k * k) * 0.21 + 0.5)):sum()
end

-- To 1e-7 of differences with the step that suits f best: a long one crosses kinks, a short one sees rounding.
local function check(name, f, x)
  local r, zero
  for _, step in ipairs{1e-3, 2e-4, 4e-3, 5e-5} do
    r = pg.gradcheck(function(v) return weigh(f(v)) end, x, {step = step, tol = 1e-7})
    -- Where the derivative is 0 everywhere only rounding is compared.
    zero = r.analytic and math.abs(r.analytic) + math.abs(r.numeric) < 1e-11
    if r.ok or zero then break end
  end
  assert.is_true(r.ok or zero, string.format("%s at %s: element %s is %s, by differences %s, %s", name,
    tostring(x.shape), r.worst, r.analytic, r.numeric, r.max_rel_error))
end

-- The gradient itself as a function, weighed so that it is a number.
local function check_second(name, f, x)
  local slope = pg.grad(function(v) return weigh(f(v)) end, {unused = "zero"})
  check(name .. ", second order", function(v) return slope(v) end, x)
end

-- An array of that shape with values in (lo, hi), far enough apart that no two are tied.
local function values(shape, lo, hi)
  local a = pg.full(shape, lo)
  if a.size == 0 then return a end
  local spread = (rng:permutation(a.size) - rng:uniform(0.2, 0.8, a.size)) / a.size
  return (lo + (hi - lo) * spread):reshape(shape)
end

-- The same values in memory of another order.
local function kinds(a)
  local list = {a}
  if a.size == 0 then return list end
  local wide = pg.zeros(a.size, 2)
  wide[{{}, 1}] = a:reshape(-1)
  if a.ndim == 1 then
    list[#list + 1] = wide:slice({}, 1)
    list[#list + 1] = a:flip():copy():flip()
  elseif a.ndim > 1 then
    list[#list + 1] = a.T:copy().T
  end
  return list
end

local shapes = {{}, {1}, {5}, {3, 4}, {2, 3, 4}, {0, 3}}

describe("the derivative of", function()
  -- name, range
  for _, row in ipairs{{"exp", -1, 1}, {"expm1", -1, 1}, {"log", 0.3, 2}, {"log1p", -0.5, 2}, {"log2", 0.3, 2},
    {"log10", 0.3, 2}, {"sqrt", 0.3, 2}, {"square", -2, 2}, {"sin", -2, 2}, {"cos", -2, 2}, {"tan", -1, 1},
    {"asin", -0.9, 0.9}, {"acos", -0.9, 0.9}, {"atan", -2, 2},
    {"sinh", -2, 2}, {"cosh", -2, 2}, {"tanh", -2, 2}, {"sigmoid", -3, 3}, {"log_sigmoid", -3, 3}, {"softplus", -3, 3},
    {"logit", 0.1, 0.9}, {"erf", -1.5, 1.5}, {"lgamma", 0.6, 3}, {"digamma", 0.6, 3}, {"abs", 0.5, 2}, {"cbrt", 0.3, 2},
    {"silu", -2, 2}, {"gelu", -2, 2}, {"neg", -1, 1}} do
    local name, range = row[1], {row[2], row[3]}
    it(name, function()
      for _, shape in ipairs(shapes) do
        for _, x in ipairs(kinds(values(shape, range[1], range[2]))) do check(name, pg[name], x) end
      end
      check_second(name, pg[name], values({3, 2}, range[1], range[2]))
      -- f32 as f64 to its digits
      local x = values({3, 4}, range[1], range[2]):astype("f32")
      local function slope(v) return pg.grad(function(w) return weigh(pg[name](w)) end)(v) end
      local single, double = slope(x), slope(x:astype("f64"))
      assert.equal("f32", single.dtype)
      assert.is_true(pg.allclose(single, double, {rtol = 2e-5, atol = 2e-5}), name)
    end)
  end
  it("relu, leaky_relu and elu", function()
    local x = values({3, 4}, -2, 2)
    for _, name in ipairs{"relu", "leaky_relu", "elu"} do check(name, pg[name], x) end
    check("leaky_relu", function(v) return pg.leaky_relu(v, 0.3) end, x)
    check("leaky_relu", function(v) return pg.leaky_relu(x, v) end, values({4}, 0.1, 0.5))
    check("elu", function(v) return pg.elu(v, 0.7) end, x)
    check("elu", function(v) return pg.elu(x, v) end, values({4}, 0.5, 2))
    check_second("elu", pg.elu, x)
    assert.same({0, 1, 0}, pg.grad(function(v) return pg.relu(v):sum() end)(pg.array{0, 2, -1}):totable())
  end)
  it("gelu with tanh", function()
    local function f(v) return v:gelu{approximate = "tanh"} end
    local x = values({3, 4}, -2, 2)
    for _, k in ipairs(kinds(x)) do check("gelu", f, k) end
    check_second("gelu", f, x)
    local inner = math.sqrt(2 / math.pi) * (0.7 + 0.044715 * 0.343)
    assert.is_true(math.abs(pg.gelu(0.7, {approximate = "tanh"}) - 0.35 * (1 + pg.tanh(inner))) < 1e-15)
    assert.is_true(pg.array_equal(pg.gelu(x, {approximate = "none"}), pg.gelu(x)))
    assert.has_error(function() pg.gelu(x, {approximate = "tan"}) end)
  end)
  it("polygamma", function() check("polygamma", function(x) return pg.polygamma(x, 2) end, values({3, 2}, 1, 3)) end)

  local pairs_of_shapes = {{{}, {}}, {{5}, {5}}, {{3, 4}, {3, 4}}, {{1, 4}, {3, 1}}, {{4}, {2, 3, 4}}, {{2, 3, 4},
    {3, 1}},
    {{}, {3}}, {{3}, {1}}, {{0, 3}, {1, 3}}}
  for _, row in ipairs{{"add", -2, 2}, {"sub", -2, 2}, {"mul", -2, 2}, {"div", 0.5, 2}, {"pow", 0.5, 2},
    {"atan2", 0.5, 2}, {"hypot", 0.5, 2}, {"minimum", -2, 2}, {"maximum", -2, 2}, {"mod", 0.6, 0.9}} do
    local name, range = row[1], {row[2], row[3]}
    local smooth = name ~= "minimum" and name ~= "maximum" and name ~= "mod"
    it(name, function()
      for _, two in ipairs(pairs_of_shapes) do
        local all = values({2, 60}, range[1], range[2])
        local function take(line, shape)
          local n = 1
          for _, e in ipairs(shape) do n = n * e end
          return all:slice(line, n == 0 and {2, 1} or {1, n}):reshape(shape)
        end
        local a, b = take(1, two[1]), take(2, two[2])
        if name == "mod" then b = b * 0.31 + 1.3 end
        for _, x in ipairs(kinds(a)) do check(name, function(v) return pg[name](v, b) end, x) end
        for _, x in ipairs(kinds(b)) do check(name, function(v) return pg[name](a, v) end, x) end
      end
      local a, b = values({3, 2}, range[1], range[2]), values({2}, range[1], range[2]) + 0.013
      if smooth then
        check(name, function(v) return pg[name](v, v) end, a)
        check_second(name, function(v) return pg[name](v, b) end, a)
        check_second(name, function(v) return pg[name](a, v) end, b)
      end
      check(name, function(v) return pg[name](v, 1.1) end, a)
      check(name, function(v) return pg[name](1.1, v) end, a)
      if smooth then
        check(name, function(v) return pg[name](v, {{0.7, 1.2}, {0.9, 1.4}, {1.31, 1.6}}) end, a)
      end
    end)
  end
  it("pow at 0, and of whole numbers", function()
    assert.same({0, 1}, pg.grad(function(x) return (x ^ 1):sum() * 0 + x[2] end)(pg.array{0, 0}):totable())
    assert.same({0, 0}, pg.grad(function(x) return (x ^ 2):sum() end)(pg.array{0, 0}):totable())
    assert.same({0, 0}, pg.grad(function(x) return (x ^ 0):sum() end)(pg.array{0, 3}):totable())
    assert.same({0, 0}, pg.grad(function(b) return (pg.array{0, 0} ^ b):sum() end)(pg.array{0, 3}):totable())
    for _, n in ipairs{1, 2, 3, -1, 0.5} do
      check("pow", function(x) return x ^ n end, values({4}, 0.5, 2))
      check_second("pow", function(x) return x ^ n end, values({4}, 0.5, 2))
    end
    check("pow", function(x) return (-x) ^ pg.array{2, 3} end, values({2}, 0.5, 2))
  end)
  it("minus, where and clip", function()
    local x, c = values({3, 4}, -2, 2), rng:random(3, 4):gt(0.5)
    check("minus", function(v) return -v end, x)
    check("where", function(v) return pg.where(c, v, 2 * v) end, x)
    check("where", function(v) return pg.where(c, 1, v[1]) end, x)
    check("clip", function(v) return pg.clip(v, -1, 1) end, x)
    check("clip", function(v) return pg.clip(v, nil, 0.5) end, x)
    check("clip", function(v) return pg.clip(x, v, v + 0.3) end, values({4}, -1, 1))
    assert.same({1, 1}, pg.grad(function(v) return pg.clip(v, 0, 1):sum() end)(pg.array{0, 1}):totable())
    assert.same({0.5, 0}, pg.grad(function(v) return pg.maximum(v, 0):sum() end)(pg.array{0, -1}):totable())
    assert.same({0}, pg.grad(function(v) return pg.abs(v):sum() end)(pg.array{0}):totable())
  end)

  local axes = {{}, {1}, {-1}, {{1, 2}}, {{2, 1}}, {1, {keepdims = true}}, {{-1}, {keepdims = true}},
    {{keepdims = true}}}
  for _, name in ipairs{"sum", "mean", "var", "std", "norm", "max", "min", "prod", "logsumexp", "median"} do
    it(name, function()
      for _, a in ipairs(axes) do
        for _, shape in ipairs{{3, 4}, {2, 3, 4}} do
          for _, x in ipairs(kinds(values(shape, 0.4, 2))) do
            check(name, function(v) return pg[name](v, table.unpack(a)) end, x)
          end
        end
      end
      check_second(name, function(v) return pg[name](v, -1) end, values({2, 3}, 0.4, 2))
      check(name, function(v) return pg[name](v) end, values({5}, 0.4, 2))
    end)
  end
  it("var and std with ddof, norm and std at 0", function()
    local x = values({3, 4}, 0.4, 2)
    check("var", function(v) return v:var(2, {ddof = 1}) end, x)
    check("std", function(v) return v:std{ddof = 1} end, x)
    assert.same({0, 0}, pg.grad(function(v) return v:norm() end)(pg.zeros(2)):totable())
    assert.same({0, 0}, pg.grad(function(v) return v:std() end)(pg.zeros(2)):totable())
  end)
  it("prod with zeros", function()
    local x = pg.array{{2, 0, 3}, {0, 0, 5}, {1, 2, 4}}
    check("prod", function(v) return v:prod(2) end, x)
    check("prod", function(v) return v:prod(1) end, x)
    check("prod", function(v) return v:prod() end, pg.array{{0, 2}, {3, 4}})
    check_second("prod", function(v) return v:prod(2) end, x)
  end)
  it("max and min where elements are tied", function()
    assert.same({{0.5, 0.5, 0}}, pg.grad(function(v) return v:max() end)(pg.array{{2, 2, 1}}):totable())
    assert.same({0, 1}, pg.grad(function(v) return v:min() end)(pg.array{2, 1}):totable())
  end)
  it("softmax and cumsum", function()
    for _, a in ipairs{{}, {1}, {-1}, {{1, 2}}} do
      check("softmax", function(v) return v:softmax(table.unpack(a)) end, values({3, 4}, -1, 1))
    end
    check_second("softmax", function(v) return v:softmax(2) end, values({2, 3}, -1, 1))
    for _, a in ipairs{{}, {1}, {2}, {-1}} do
      check("cumsum", function(v) return v:cumsum(table.unpack(a)) end, values({3, 4}, -1, 1))
    end
    check_second("cumsum", function(v) return pg.square(v):cumsum(1) end, values({3}, -1, 1))
  end)
  it("log_softmax, cumprod, cov and corrcoef", function()
    for _, a in ipairs{{}, {1}, {-1}} do
      check("log_softmax", function(v) return v:log_softmax(table.unpack(a)) end, values({3, 4}, -1, 1))
      check("cumprod", function(v) return v:cumprod(table.unpack(a)) end, values({3, 4}, 0.5, 2))
      check("cumprod", function(v) return v:cumprod(table.unpack(a)) end, pg.array{{2, 0, 3}, {0, 0, 5}})
    end
    check_second("cumprod", function(v) return v:cumprod() end, values({3}, 0.5, 2))
    check_second("cumprod", function(v) return v:cumprod() end, pg.array{2, 0, 3})
    local X, y = values({6, 3}, -1, 1), values({6}, -1, 1)
    for _, name in ipairs{"cov", "corrcoef"} do
      check(name, function(v) return pg[name](v) end, X)
      check(name, function(v) return pg[name](X, v) end, y)
      assert.is_true(pg.allclose(pg[name](X, y), rules[name](X, y), {rtol = 1e-13}))
    end
    check("cov", function(v) return pg.cov(v, {ddof = 0}) end, y)
  end)
  it("what chooses by position", function()
    local x = values({4, 5}, -2, 2)
    check("sort", function(v) return v:sort() end, x)
    check("sort", function(v) return v:sort(1) end, x)
    check("quantile", function(v) return v:quantile(0.3) end, x)
    check("quantile", function(v) return v:quantile({0, 0.25, 1}, 1) end, x)
    check("quantile", function(v) return v:quantile(pg.array{0.1, 0.9}, {2}, {keepdims = true}) end, x)
    check("take", function(v) return v:take({3, 1, 3}) end, x)
    check("take", function(v) return v:take(pg.array{{1, 2}, {2, 5}}, 2) end, x)
    check("take", function(v) return v:take(-1, 2) end, x)
    check("compress", function(v) return v:compress({1, 0, 1, 1}) end, x)
    check("compress", function(v) return v:compress(pg.array(x:gt(0))) end, x)
    check("scatter_add", function(v) return v:scatter_add(v:take({2, 2}), {1, 4}) end, x)
    check_second("take", function(v) return pg.square(v:take({3, 1, 3})) end, values({3}, -1, 1))
  end)
  it("what rearranges", function()
    local x = values({2, 3, 4}, -2, 2)
    local m, row = values({3, 4}, -2, 2), values({4}, -2, 2)
    for _, f in ipairs{
      function(v) return v:reshape(4, -1) end, function(v) return v.T:reshape(6, 4) end, function(v) return v.T end,
      function(v) return v:transpose(3, 1, 2) end, function(v) return v:transpose({2, 3, 1}) end,
      function(v) return v:transpose() end, function(v) return v:expand_dims(2) end,
      function(v) return v:slice({}, {1}):squeeze() end, function(v) return v:slice({}, {1}):squeeze(2) end,
      function(v) return v:flip() end, function(v) return v:flip(2) end, function(v) return v:flip{1, -1} end,
      function(v) return v:roll(2) end, function(v) return v:roll(-1, 3) end, function(v) return v:tile(2) end,
      function(v) return v:tile(2, 1, 3) end, function(v) return v:tile(2, 1, 1, 1) end,
      function(v) return v:repeat_(2) end, function(v) return v:repeat_(2, 2) end,
      function(v) return v:repeat_({1, 0, 2}, 2) end, function(v) return v:tril() end, function(v) return v:triu(1) end,
      function(v) return v:diff() end, function(v) return v:diff(2) end, function(v) return v:diff(3, {n = 2}) end,
      function(v) return v:copy() end, function(v) return v:astype("f64") end, function(v) return pg.array(v) end,
      function(v) return pg.broadcast_to(v, 5, 2, 3, 4) end,
      function(v) return v[1] end, function(v) return v[-1][2] end, function(v) return v[1][2][3] end,
      function(v) return v(1, 2, 3) + v:get(2, -1, 1) end, function(v) return v[{{}, {2, 3}}] end,
      function(v) return v[{1, {}, {1, -1, 2}}] end, function(v) return v:slice({}, {}, {4, 1, -2}) end,
      function(v) return v[{2, 3, 4}] * v[{2, 3, {}}] end, function(v) return v[{{}, {3, 2}}] end,
      function(v) return v:with({1, {2, 3}}, v[{2, {1, 2}}] * 2) end, function(v) return v:with(2, 3) end,
      function(v) return pg.zeros(2, 3, 4):with({2, 3}, v[{1, 1}]) end,
      function(v) return pg.concat{v, v * 2} end, function(v) return pg.concat({v[1], pg.ones(3, 2), v[2]}, 2) end,
      function(v) return pg.concat({v, v:slice({}, {}, {2})}, -1) end,
      function(v) return pg.stack{v[1], v[2], m} end, function(v) return pg.stack({v[1], v[2]}, -1) end,
      function(v) return pg.stack{v(1, 1, 1), v(2, 2, 2)} end, function(v) return v + row end,
    } do
      check("rearranged", f, x)
      for _, k in ipairs(kinds(x)) do check("rearranged", f, k) end
    end
    check("diag", function(v) return v:diag() end, m)
    check("diag", function(v) return v:diag(1) end, m)
    check("diag", function(v) return v:diag(-1) end, row)
    check("trace", function(v) return v:trace() end, m)
    check_second("slice", function(v) return pg.square(v[{{2, 3}}]) * v[1] end, row)
    check_second("with", function(v) return pg.square(v:with({{1, 2}}, v[{{3, 4}}] ^ 3)) end, row)
    check_second("concat", function(v) return pg.square(pg.concat{v, v * v}) end, row)
  end)
  it("products", function()
    local cases = {{{4}, {4}}, {{3, 4}, {4}}, {{3}, {3, 4}}, {{3, 4}, {4, 2}}, {{2, 3, 4}, {4, 5}}, {{2, 3, 4}, {2,
      4, 5}},
      {{2, 3, 4}, {4}}, {{3, 4}, {2, 4, 5}}, {{4}, {2, 4, 3}}, {{2, 1, 3, 4}, {5, 4, 2}}, {{1, 4}, {4, 1}}}
    for _, two in ipairs(cases) do
      local a, b = values(two[1], -1, 1), values(two[2], -1, 1)
      for _, x in ipairs(kinds(a)) do check("dot", function(v) return v:dot(b) end, x) end
      for _, x in ipairs(kinds(b)) do check("dot", function(v) return pg.matmul(a, v) end, x) end
    end
    local m = values({3, 3}, -1, 1)
    check("dot", function(v) return v:dot(v) end, m)
    check_second("dot", function(v) return v:dot(v.T) end, m)
    check("outer", function(v) return pg.outer(v, v[2]) end, values({2, 3}, -1, 1))
    check("einsum", function(v) return pg.einsum("ij,jk,k->i", v, m, v[1]) end, m:copy())
    check("einsum", function(v) return pg.einsum("ii", v) end, m)
    check("einsum", function(v) return pg.einsum("ij->j", v) end, m)
    check("einsum", function(v) return pg.einsum("i,i", v[1], v[2]) end, m)
  end)
end)

describe("the derivative of linalg.", function()
  local linalg = pg.linalg
  local m = values({3, 3}, -1, 1) + 3 * pg.eye(3)
  local stack = pg.stack{m, m.T + 0.3}
  local tall = values({5, 3}, -1, 1)
  local function sym(v) return v + v:transpose(table.unpack(v.ndim == 2 and {2, 1} or {1, 3, 2})) end
  local function positive(v) return v:dot(v:transpose(table.unpack(v.ndim == 2 and {2, 1} or {1, 3,
    2}))) + pg.eye(3) end
  it("inv, solve, det and slogdet", function()
    for _, x in ipairs{m, stack} do
      check("inv", linalg.inv, x)
      check("det", linalg.det, x)
      check("slogdet", function(v) return select(2, linalg.slogdet(v)) end, x)
    end
    check_second("inv", linalg.inv, m)
    check_second("det", linalg.det, m)
    local b, c = values({3}, -1, 1), values({3, 2}, -1, 1)
    for _, right in ipairs{b, c} do
      check("solve", function(v) return linalg.solve(v, right) end, m)
      check("solve", function(v) return linalg.solve(m, v) end, right)
      check_second("solve", function(v) return linalg.solve(v, right) end, m)
    end
    check("solve", function(v) return linalg.solve(v, v) end, stack)
  end)
  it("solve_triangular", function()
    local b, c = values({3}, -1, 1), values({3, 2}, -1, 1)
    for _, o in ipairs{{lower = false}, {lower = true}, {lower = false, trans = true}, {lower = true, trans = true},
      {lower = false, unit = true}} do
      for _, right in ipairs{b, c} do
        check("solve_triangular", function(v) return linalg.solve_triangular(v, right, o) end, m)
        check("solve_triangular", function(v) return linalg.solve_triangular(m, v, o) end, right)
      end
      check_second("solve_triangular", function(v) return linalg.solve_triangular(v, c, o) end, m)
    end
  end)
  it("cholesky", function()
    check("cholesky", function(v) return linalg.cholesky(positive(v)) end, m)
    check("cholesky", function(v) return linalg.cholesky(positive(v)) end, stack)
    check_second("cholesky", function(v) return linalg.cholesky(positive(v)) end, m)
  end)
  it("eigh", function()
    check("eigh", function(v) return (linalg.eigh(sym(v))) end, m)
    check("eigh", function(v) return pg.square(select(2, linalg.eigh(sym(v)))) end, m)
    check("eigh", function(v) local w, V = linalg.eigh(sym(v)) return pg.square(V) * w end, m)
    check("eigh", function(v) return (linalg.eigh(sym(v))) end, stack)
    check_second("eigh", function(v) return (linalg.eigh(sym(v))) end, m)
  end)
  it("svd", function()
    for _, x in ipairs{tall, tall.T, m} do
      check("svd", function(v) return select(2, linalg.svd(v)) end, x)
      check("svd", function(v)
        local U, s, Vt = linalg.svd(v)
        return pg.square((U * s):dot(pg.square(Vt)))
      end, x)
      check("svd", function(v) local U = linalg.svd(v) return pg.square(U) end, x)
      check("svd", function(v) local _, _, Vt = linalg.svd(v) return pg.square(Vt) end, x)
    end
    check_second("svd", function(v) return select(2, linalg.svd(v)) end, m)
  end)
  it("qr", function()
    for _, x in ipairs{tall, m} do
      check("qr", function(v) return (linalg.qr(v)) end, x)
      check("qr", function(v) return select(2, linalg.qr(v)) end, x)
      check("qr", function(v) local Q, R = linalg.qr(v) return Q:dot(pg.square(R)) end, x)
    end
    check_second("qr", function(v) return select(2, linalg.qr(v)) end, m)
  end)
  it("lstsq, pinv and norm", function()
    local b, c = values({5}, -1, 1), values({5, 2}, -1, 1)
    for _, right in ipairs{b, c} do
      check("lstsq", function(v) return (linalg.lstsq(v, right)) end, tall)
      check("lstsq", function(v) return select(2, linalg.lstsq(v, right)) end, tall)
      check("lstsq", function(v) return (linalg.lstsq(tall, v)) end, right)
      check("lstsq", function(v) return select(2, linalg.lstsq(tall, v)) end, right)
    end
    for _, x in ipairs{tall, tall.T, m} do check("pinv", linalg.pinv, x) end
    check_second("pinv", linalg.pinv, tall)
    for _, ord in ipairs{"fro", "nuc", 1, 2, math.huge, -1, -2, -math.huge} do
      check("norm", function(v) return linalg.norm(v, ord) end, m)
    end
    for _, ord in ipairs{1, 2, 3, 0.5, math.huge, -math.huge} do
      check("norm", function(v) return linalg.norm(v, ord) end, values({4}, 0.4, 2))
    end
    check("norm", function(v) return linalg.norm(v) end, m)
  end)
end)

describe("the derivative of a layer:", function()
  local x, bias = values({2, 4, 5, 6}, -1, 1), values({6}, -1, 1)
  it("conv2d, conv1d and conv_transpose2d", function()
    local w = values({6, 4, 3, 2}, -1, 1)
    for _, o in ipairs{{}, {stride = 2, padding = 1}, {dilation = {2, 1}, padding = {1, 0}},
      {groups = 2, bias = bias}} do
      local kernel = o.groups and w:slice({}, {1, 2}) or w
      check("conv2d", function(v) return pg.conv2d(v, kernel, o) end, x)
      check("conv2d", function(v) return pg.conv2d(x, v, o) end, kernel:copy())
    end
    check("conv2d", function(v) return pg.conv2d(x, w, {bias = v, stride = 2}) end, bias)
    check("conv1d", function(v) return pg.conv1d(v, w[{{}, {}, {}, 1}], {stride = 2, padding = 1}) end,
      x[{{}, {}, {}, 1}]:copy())
    check("conv1d", function(v) return pg.conv1d(x[{{}, {}, {}, 1}], v, {bias = bias}) end, w[{{}, {}, {}, 1}]:copy())
    local back = values({4, 6, 3, 2}, -1, 1)
    for _, o in ipairs{{}, {stride = 2, padding = 1, output_padding = 1}, {bias = bias}} do
      check("conv_transpose2d", function(v) return pg.conv_transpose2d(v, back, o) end, x)
      check("conv_transpose2d", function(v) return pg.conv_transpose2d(x, v, o) end, back)
    end
    check("conv_transpose2d", function(v) return pg.conv_transpose2d(x, back, {bias = v}) end, bias)
    local small, few = values({1, 2, 4, 5}, -1, 1), values({2, 2, 3, 2}, -1, 1)
    for _, o in ipairs{{}, {stride = 2, padding = 1}} do
      check_second("conv2d", function(v) return pg.square(pg.conv2d(v, few, o)) end, small)
      check_second("conv2d", function(v) return pg.square(pg.conv2d(small, v, o)) end, few)
      check_second("conv2d", function(v) return pg.conv2d(v * small, few * v:sum(), o) end, small:copy())
    end
  end)
  it("pooling and upsampling", function()
    check("max_pool2d", function(v) return pg.max_pool2d(v, 2) end, x)
    check("max_pool2d", function(v) return pg.max_pool2d(v, 3, {stride = 1, padding = 1}) end, x)
    check_second("max_pool2d", function(v) return pg.max_pool2d(v, 2) ^ 3 end, values({1, 2, 4, 5}, -2, 2))
    check_second("max_pool2d", function(v) return pg.max_pool2d(v, 3, {stride = 2, padding = 1}) ^ 3 end,
      values({1, 2, 4, 5}, -2, 2))
    check("avg_pool2d", function(v) return pg.avg_pool2d(v, {2, 3}, {stride = 1}) end, x)
    check("upsample2d", function(v) return pg.upsample2d(v, 2) end, x)
    check("upsample2d", function(v) return pg.upsample2d(v, {7, 9}, {mode = "bilinear"}) end, x)
  end)
  it("layer_norm, group_norm and attention", function()
    local w, b = values({6}, 0.5, 2), values({6}, -1, 1)
    check("layer_norm", function(v) return pg.layer_norm(v, w, b) end, x)
    check("layer_norm", function(v) return pg.layer_norm(x, v, b) end, w)
    check("layer_norm", function(v) return pg.layer_norm(x, w, v, {eps = 0.1}) end, b)
    check("layer_norm", function(v) return pg.layer_norm(v) end, x)
    check_second("layer_norm", function(v) return pg.layer_norm(v, w, b) end, values({2, 6}, -1, 1))
    local c = values({4}, 0.5, 2)
    check("group_norm", function(v) return pg.group_norm(v, 2, c, c) end, x)
    check("group_norm", function(v) return pg.group_norm(x, 2, v, c) end, c:copy())
    check("group_norm", function(v) return pg.group_norm(x, 2, c, v) end, c:copy())
    check_second("group_norm", function(v) return pg.group_norm(v, 2, c, v[{1, {}, 1}]) end, values({2, 4, 2}, -1, 1))
    local q, k, v3 = values({2, 3, 4}, -1, 1), values({2, 5, 4}, -1, 1), values({2, 5, 2}, -1, 1)
    check("attention", function(v) return pg.attention(v, k, v3) end, q)
    check("attention", function(v) return pg.attention(q, v, v3) end, k)
    check("attention", function(v) return pg.attention(q, k, v) end, v3)
    check("attention", function(v) return pg.attention(v, v, v, {causal = true}) end, k)
    check_second("attention", function(v) return pg.attention(v, k, v3) end, q)
    -- a query that meets no key; fewer queries than keys, and more
    local mask = pg.array{{1, 0, 1, 1, 0}, {0, 0, 0, 0, 0}, {1, 1, 1, 0, 1}}
    for _, o in ipairs{{causal = true}, {mask = mask}, {mask = mask, causal = true, scale = 0.7}} do
      check_second("attention", function(v) return pg.sin(pg.attention(v, k, v3, o)) end, q)
      check_second("attention", function(v) return pg.sin(pg.attention(q, v, v3, o)) end, k)
      check_second("attention", function(v) return pg.sin(pg.attention(q, k, v, o)) end, v3)
    end
    check_second("attention", function(v) return pg.sin(pg.attention(k, v, v, {causal = true})) end, q)
  end)
end)

describe("the second derivative of an LSTM", function()
  it("is that of differences, by its input, state and parameters, also through hvp", function()
    for layers = 1, 2 do
      local net = pg.lstm.new{input_size = 2, hidden_size = 3, num_layers = layers, output_size = 2, dtype = "f64",
        rng = rng}
      local X, Y = values({2, 3, 2}, -1, 1), rng:bernoulli(0.5, 2, 3, 2)
      local function by_input(v) return pg.sin((net:forward(v))):sum() end
      check_second("lstm:forward", by_input, X)
      check_second("lstm:loss", function(v) return net:loss(v, Y) end, X)
      check_second("lstm:forward", function(v)
        local z, state = net:forward(X, {h = v, c = v * v})
        return pg.sin(z):sum() + (state.h * state.c):sum()
      end, values({layers, 2, 3}, -1, 1))
      local v = values(X.shape, -1, 1)
      local hv = pg.grad(function(a) return (pg.grad(by_input)(a) * v):sum() end)(X)
      assert.is_true(pg.allclose(pg.hvp(by_input, X, v), hv, {rtol = 1e-12}))
      for _, lengths in ipairs{false, {3, 2}} do
        local slope = pg.grad(function(n) return n:loss(X, Y, {lengths = lengths or nil}) end)
        local start, way = net.params:copy(), values({net.nparams}, -1, 1)
        local curved = pg.grad(function(n) return (slope(n) * way):sum() end)(net):copy()
        local function at(t)
          net.params:assign(start + way * t)
          return slope(net):copy()
        end
        local h = 1e-3
        local differences = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h)
        net.params:assign(start)
        assert.is_true((curved - differences):norm() < 1e-9 * differences:norm())
      end
    end
  end)
end)

describe("the rules", function()
  it("are those that the table of functions names", function()
    local rows = pg._tape.rows()
    for name in pairs(rows) do assert.is_truthy(rules[name], name .. " has no rule") end
    for name in pairs(rules) do assert.is_truthy(rows[name], name .. " has no row") end
  end)
end)
