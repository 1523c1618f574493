-- SPDX-License-Identifier: MIT
--
-- Random programs of twelve operations with writes in between: the gradient is that of differences, or an
-- error was raised; never a wrong number. PROGRAMS=100000 runs more of them, FIRST=5001 others.
local pg = require "perigee"

local unary = {"sin", "cos", "tanh", "sigmoid", "square", "exp", "softplus", "neg", "copy", "flip", "cumsum"}
local binary = {"add", "sub", "mul", "maximum", "minimum"}
-- Functions of more than elements; each of a vector, and gives one.
local wider = {
  function(a) return a - a:mean() end,
  function(a) return a * a:sum() end,
  function(a) return a:softmax() end,
  function(a) return a:cumprod() end,
  function(a) return a / (1 + a:norm()) end,
  function(a) return pg.outer(a, a):sum(1) end,
  function(a) return pg.outer(a, a).T[1] end,
  function(a) return a:dot(a) * a end,
  function(a) return a:reshape(-1, 1).T:reshape(-1) end,
  function(a) return a:roll(1) + a:flip() end,
  function(a) return pg.stack{a, a * a}:reshape(-1) end,
  function(a) return pg.where(pg.gt(pg.range(1, a.size), 2), a, pg.sin(a)) end,
  function(a) return a:repeat_(2):slice({1, a.size}) end,
  function(a) return pg.checkpoint(function(v) return pg.sin(v) * v end, a) end,
  function(a) return pg.grad(function(v) return (pg.sin(v) * v * v):sum() end)(a) end,
  function(a) return pg.logsumexp(a) * a end,
}

-- The program of a seed, on x (4) and a plain array that it may write to: it draws the same choices
-- whatever the values. Returns a number, and whether something was written.
local function run(seed, x)
  local r = pg.random.new(seed)
  local plain, wrote = pg.range(1, 4) / 3, false
  local pool = {x, plain, plain:slice({2, 3}), x * 0.5}
  local function pick(length)
    local some = {}
    for _, a in ipairs(pool) do
      if not length or a.ndim == 1 and a.size == length then some[#some + 1] = a end
    end
    return some[r:integers(1, math.max(1, #some))]
  end
  for _ = 1, 12 do
    local kind = r:random()
    local a = pick() or x
    if kind < 0.35 then
      pool[#pool + 1] = pg[unary[r:integers(1, #unary)]](pg.tanh(a))
    elseif kind < 0.6 then
      local b = pick(a.size) or a
      pool[#pool + 1] = pg[binary[r:integers(1, #binary)]](a, b)
    elseif kind < 0.7 then
      local k = r:integers(1, a.size)
      pool[#pool + 1] = a:slice({k, a.size})
    elseif kind < 0.75 then
      pool[#pool + 1] = pg.concat{a, pick() or a}
    elseif kind < 0.8 then
      pool[#pool + 1] = a:take(pg.array{1, a.size, 1})
    elseif kind < 0.85 then
      pool[#pool + 1] = a:with({{1}}, pick(1) or 0.3)
    elseif kind < 0.86 then
      pool[#pool + 1] = a[{{1, 1}}] * a
    elseif kind < 0.9 then
      pool[#pool + 1] = wider[r:integers(1, #wider)](pg.tanh(a))
    else -- a write, of one of seven kinds
      local how = r:integers(1, 7)
      wrote = true
      if how == 1 then a[1] = 0.7
      elseif how == 2 then a:assign(0.2)
      elseif how == 3 then a[{{1, a.size}}] = 0.4
      elseif how == 4 then pg.add(pg.ones(a.size), 0.1, a)
      elseif how == 5 then pg.sin(pg.ones(a.size), a)
      elseif how == 6 and a.size == 4 then pg.optim.sgd{lr = 0.1}:step(a, pg.ones(a.size))
      else r:shuffle(a) end
    end
  end
  local total = 0
  for k, a in ipairs(pool) do total = total + (pg.tanh(a) * k):sum() end
  return total, wrote
end

describe("random programs", function()
  it("have the gradient of differences, or are refused", function()
    local count, first = tonumber(os.getenv("PROGRAMS")) or 400, tonumber(os.getenv("FIRST")) or 1
    local refused, right, written = 0, 0, 0
    for seed = first, first + count - 1 do
      local x = pg.random.new(seed + 10 ^ 6):uniform(-0.9, 0.9, 4)
      local before = x:copy()
      local ok, g = pcall(pg.grad(function(v) return (run(seed, v)) end, {unused = "zero"}), x)
      assert.is_true(pg.array_equal(x, before), "program " .. seed .. " changed what it was differentiated by")
      if not ok then
        local known = g:find("cannot write", 1, true) or g:find("no derivative", 1, true) or g:find("out:", 1, true)
          or g:find("expected a contiguous", 1, true)
        assert.is_truthy(known, g)
        refused = refused + 1
      else
        -- The program works on a copy, since a write may reach what it is given.
        local _, wrote = run(seed, x:copy())
        -- A difference across a kink of maximum is none, and a short one sees rounding: one of several decides.
        local report
        for _, step in ipairs{1e-4, 2e-5, 4e-6, 3e-7} do
          report = pg.gradcheck(function(v) return (run(seed, v:copy())) end, g, x:copy(),
            {step = step, tol = math.max(1e-5, 3e-11 / step)})
          if report.ok then break end
        end
        assert.is_true(report.ok, string.format("program %d: element %s is %s, by differences %s", seed,
          report.worst, report.analytic, report.numeric))
        right = right + 1
        written = written + (wrote and 1 or 0)
      end
    end
    assert.is_true(count < 100 or refused > count / 20 and right > count / 5 and written > 0)
  end)
end)
