-- SPDX-License-Identifier: MIT
-- What is printed and written is the same where the decimal point is a comma.
-- The locale is made here, where localedef is.
local tool = dofile("tests/cli/tool.lua")

local script = [[
local pg = require "perigee"
if arg[1] == "comma" then
  assert(os.setlocale("de_DE.UTF-8"))
  assert(string.format("%.1f", 1.5) == "1,5")
end
local rng = pg.random.new(0)
local function say(...) io.write(table.concat({...}, " "), "\n") end
local function try(...) say(select(2, pcall(...))) end
say(tostring(pg.array{{1.5, 1e-7}, {3, 0.25}}), pg.tostring(pg.array{0.5}))
try(pg.range, 0, 1, -0.0) try(pg.zeros, 2.5) try(pg.quantile, pg.ones(3), 1.5)
try(rng.bernoulli, rng, 1.25, 3)
try(pg.cpt.estimate, pg.ones(2, 2), {alpha = -1.5}) try(pg.graph.new, {a = 0.5, b = 1 / 0})
say(tostring(pg.cpt.estimate(pg.array{{0, 1}}, {alpha = 0.5})))
say(tostring(pg.ppca.fit(rng:standard_normal(9, 3), 1)))
say(tostring(pg.linear.fit(rng:random(9, 2), rng:random(9))), tostring(pg.optim.adam{}),
  tostring(pg.optim.sgd{lr = 0.5}))
pg.save("a.csv", pg.array{{1.5, 2.25}})
pg.save("a.json", {x = 1.5, y = {0.125}})
pg.plot.figure{title = "t"}:line({0.5, 1.5, 2.5}, {0.25, 0.75, 1.5}):save("a.svg")
pg.plot.figure{yscale = "log"}:line({1, 2}, {0.01, 20}):save("b.svg")
assert(pg.load("a.csv")(1, 2) == 2.25 and pg.load("a.json").x == 1.5)
for _, name in ipairs{"a.csv", "a.json", "a.svg", "b.svg"} do say(name, io.open(name):read("a")) end
]]

describe("a locale with a decimal comma", function()
  it("changes nothing that is printed or written", function()
    local folder = tool.folder()
    tool.write(folder .. "/locale.lua", script)
    local function run(word)
      return tool.sh(("cd %s; LOCPATH=%s %s locale.lua %s"):format(folder, folder, tool.quote(tool.program), word))
    end
    if tool.sh("localedef -i de_DE -f UTF-8 " .. folder .. "/de_DE.UTF-8") ~= 0 then
      tool.remove(folder)
      return pending("no localedef, or no German locale")
    end
    local status, want, err = run("")
    assert.equal("", err)
    assert.equal(0, status)
    local _, got, wrong = run("comma")
    assert.equal("", wrong)
    assert.equal(want, got)
    tool.remove(folder)
  end)
end)
