-- SPDX-License-Identifier: MIT
-- The experiment of problem 3: both rules, on the homework's graphs where they are there.
local pg = require "perigee"

local program = os.getenv("PERIGEE") or "build/perigee"

local function run(dir, options)
  assert.is_true(os.execute(string.format("%s experiments/problem3_graphs.lua --quick --out %s %s >/dev/null", program,
    dir, options)))
  return pg.load(dir .. "/metrics.json").metrics
end

describe("experiments/problem3_graphs.lua", function()
  local dir = os.tmpname()
  os.remove(dir)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("finds what its graphs were drawn with, and the report's rule does not", function()
    local metrics = run(dir, "")
    assert.is_true(math.abs(metrics["Newton: a"] - 3) < 4 * 0.1)
    assert.is_true(math.abs(metrics["Newton: b"] + 3.5) < 4 * 0.07)
    assert.is_true(metrics["report's rule: a at the end"] > 5)
    local greatest = metrics["Newton: log-likelihood, all data"]
    assert.is_true(metrics["report's rule: log-likelihood, all data"] < greatest - 100)
    assert.is_true(metrics["right rule: log-likelihood, all data"] <= greatest)
    assert.is_true(metrics["gradcheck: largest relative error of the right gradient"] < 1e-8)
    assert.is_true(metrics["gradcheck: smallest of the report's"] > 0.1)
    -- The last ten iterations, to as many digits as it takes to see the likelihood rise, and fall.
    local rows
    for _, record in ipairs(pg.load(dir .. "/metrics.json").records) do
      if record.name == "last ten" then rows = record.rows end
    end
    assert.equal(10, #rows)
    assert.is_true(tonumber(rows[10][2]) > tonumber(rows[1][2]))
    for i = 2, 10 do
      assert.is_true(tonumber(rows[i][2]) >= tonumber(rows[i - 1][2]))
      assert.is_true(tonumber(rows[i][5]) >= tonumber(rows[i - 1][5]))
      assert.is_true(tonumber(rows[i][6]) < tonumber(rows[i - 1][6]))
    end
    for _, name in ipairs{"parameters", "loglik", "generated"} do
      local file = assert(io.open(dir .. "/" .. name .. ".png"))
      file:close()
    end
  end)

  it("gives NumPy's numbers on the homework's graphs", function()
    local path = "../shared/data/classroom_graphs.pkl"
    local file = io.open(path)
    if not file then return pending("no " .. path) end
    file:close()
    local metrics = run(dir, "--graphs " .. path)
    local function near(name, want, tol) assert.is_true(math.abs(metrics[name] - want) < tol, name) end
    near("report's rule: a at the end", 7.159, 5e-4)
    near("report's rule: b at the end", -6.830, 5e-4)
    near("report's rule: log-likelihood, all data", -2586.2935, 5e-5)
    near("right rule: a at the end", 2.893, 5e-4)
    near("right rule: b at the end", -3.671, 5e-4)
    near("right rule: log-likelihood, all data", -2009.3346, 5e-5)
    near("Newton: a", 2.93130697867, 1e-8)
    near("Newton: b", -3.57035767844, 1e-8)
  end)
end)
