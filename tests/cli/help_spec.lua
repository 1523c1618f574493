-- SPDX-License-Identifier: MIT
-- The manual: every function has an entry, every example gives what it says, and the forms made from it are whole.
local tool = dofile("tests/cli/tool.lua")
local docs = dofile("tests/docs.lua")

local function help(words)
  return tool.sh(tool.quote(tool.program) .. " help " .. words)
end

describe("the manual", function()
  it("has an entry for every function a user can reach", function()
    assert.same({}, docs.uncovered())
  end)

  it("has examples that give what they say", function()
    local wrong, count = docs.wrong_examples()
    assert.same({}, wrong)
    assert.truthy(count > 100)
  end)

  it("would notice a missing entry and a wrong example", function()
    local pg = require "perigee"
    rawset(pg, "undescribed", function() end)
    table.insert(pg._help.entries(), {name = "broken", params = {}, examples = {{code = "1 + 1", gives = "3"}}})
    local uncovered, wrong = docs.uncovered(), docs.wrong_examples()
    rawset(pg, "undescribed", nil)
    table.remove(pg._help.entries())
    assert.same({"pg.undescribed"}, uncovered)
    assert.same({"broken: 1 + 1 gives 2, not 3"}, wrong)
  end)
end)

describe("perigee help", function()
  it("finds a name however it is written", function()
    local status, text = help("pg.zeros")
    assert.equal(0, status)
    assert.truthy(text:find("^pg.zeros%(.-%) %-> array\n\nAn array of zeros.\n\narguments\n  n "))
    for _, name in ipairs{"zeros", "array:zeros", "'zeros()'"} do
      local _, same = help(name)
      assert.equal(text, same, name)
    end
    local _, method = help("ppca:encode")
    assert.truthy(method:find("^ppca:encode%("))
  end)

  it("lists what lies under a name, and all without one", function()
    local _, text = help("linalg")
    assert.truthy(text:find("\n  pg.linalg.svd ", 1, true))
    local status, all = help("")
    assert.equal(0, status)
    assert.truthy(all:find("\npg: [^\n]*abs acos add "))
  end)

  it("names what is near, with status 1", function()
    local status, _, err = help("zeross")
    assert.equal(1, status)
    assert.equal("perigee help: no entry for 'zeross'; near it: pg.nn.init.zeros, pg.zeros\n", err)
    status, _, err = help("qqqqqqqq")
    assert.equal(1, status)
    assert.equal("perigee help: no entry for 'qqqqqqqq'; help without a name lists all\n", err)
  end)

  it("makes definitions for editors that are Lua", function()
    local status, text = help("--luals")
    assert.equal(0, status)
    assert(load(text, "=definitions"))
    assert.truthy(text:find("^%-%-%-@meta perigee\n"))
    for _, want in ipairs{"---@class perigee.array\n", "---@operator add(perigee.array|number): perigee.array",
        "function pg.zeros(n, m, ...) end", "function array:sum(", "---@class perigee.ppca\n", "function ppca:encode(",
        "---@field epochs? integer", "---@return perigee.ppca"} do
      assert.truthy(text:find(want, 1, true), want)
    end
  end)

  it("writes what an example gives in the lines in which it is printed", function()
    local pg = require "perigee"
    for _, example in ipairs{"pg.range(1, 6):reshape(2, 3)", "pg.range(1, 3)", "pg.range(1, 3):reshape(3, 1)",
      "pg.array{-1.5, 20}"} do
      local text = tostring(load("return " .. example, "=e", "t", {pg = pg})())
      assert.equal(text, pg._help.lines((text:gsub("%s+", " "):gsub("^ ", ""))))
    end
    for _, text in ipairs{"3.0", "(2, 3)", "1 2 ... 9 [2x9 f64]", "x y [2 f64] z", "[0x3 f64]"} do
      assert.equal(text, pg._help.lines(text))
    end
  end)

  it("makes a page with an anchor for every entry, which fetches nothing", function()
    local status, text = help("--html")
    assert.equal(0, status)
    for _, entry in ipairs(require("perigee")._help.entries()) do
      assert.truthy(text:find('<section id="' .. entry.name .. '"', 1, true), entry.name)
    end
    assert.falsy(text:find('src="', 1, true))
  end)
end)
