-- SPDX-License-Identifier: MIT
-- The experiment of problem 1(a): what it records, and what a bad file gets.
local pg = require "perigee"

local program = os.getenv("PERIGEE") or "build/perigee"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- Runs the experiment; its standard error is the result.
local function run(dir, options)
  local ok, _, status = os.execute(string.format("%s experiments/problem1_cpt.lua --out %s %s >%s.out 2>%s.err",
    program, dir, options, dir, dir))
  local text = read(dir .. ".err")
  os.remove(dir .. ".err")
  os.remove(dir .. ".out")
  return ok and 0 or status, text
end

describe("experiments/problem1_cpt.lua", function()
  local dir = os.tmpname()
  os.remove(dir)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("records the support, the entropy and pictures that are the same each time", function()
    assert.equal(0, (run(dir, "--quick")))
    local metrics = pg.load(dir .. "/metrics.json").metrics
    assert.equal(26, metrics["images in the support"])
    assert.is_true(math.abs(metrics["entropy, nats a pixel"] - math.log(26) / 25) < 1e-15)
    assert.equal(67108862, metrics["entries of dense tables"])
    assert.is_true(math.abs(metrics["smallest probability"] - 1 / 26) < 1e-17)
    -- Ink is black on white, 10 in a row with a line between and around: 10 * 5 + 11 pixels, scaled.
    local picture = pg.load(dir .. "/samples.png")
    assert.equal(61 * 8, picture.shape[1])
    assert.equal(61 * 8, picture.shape[2])
    assert.equal(0, picture:min())
    assert.equal(255, picture:max())
    assert.is_true(picture:mean() > 128)
    local first = read(dir .. "/samples.png")
    assert.equal(0, (run(dir, "--quick")))
    assert.equal(first, read(dir .. "/samples.png"))
  end)

  it("says in one line what is wrong with a file", function()
    local bad = os.tmpname()
    local file = assert(io.open(bad, "wb"))
    file:write("\x80\x04\x95\x05")
    file:close()
    for _, case in ipairs{{"--cpts " .. bad, bad}, {"--cpts no_such_file.pkl", "no_such_file.pkl"}} do
      local status, text = run(dir, case[1])
      assert.is_true(status ~= 0)
      assert.is_truthy(text:match("^[^\n]*"):find(case[2], 1, true), text)
      assert.is_nil(io.open(dir .. "/samples.png"))
    end
    os.remove(bad)
  end)
end)
