-- SPDX-License-Identifier: MIT
-- PERIGEE_ISA caps the level of instructions of a whole process.
local tool = dofile("tests/cli/tool.lua")

local LEVELS = {"base", "avx2", "avx512"}

local function run(level, code)
  return tool.sh(("PERIGEE_ISA=%s %s -e %s"):format(level, tool.program, tool.quote(code)))
end

describe("PERIGEE_ISA", function()
  it("caps the level, and does not raise it", function()
    local _, own = run("", "print(require('perigee').info().isa)")
    own = own:gsub("\n", "")
    local below = true
    for _, level in ipairs(LEVELS) do
      local status, out = run(level, "print(require('perigee').info().isa)")
      assert.equal(0, status)
      assert.equal((below and level or own) .. "\n", out)
      if level == own then below = false end
    end
    assert.is_false(below)
  end)

  it("stands in the manifest", function()
    local folder = tool.folder()
    tool.write(folder .. "/x.lua", "require('perigee').experiment{name = 'x'}:metric('m', 1)")
    assert.equal(0, (tool.sh(("cd %s && PERIGEE_ISA=base %s x.lua"):format(folder, tool.program))))
    assert.matches('"isa":%s*"base"', tool.read(folder .. "/out/x/manifest.json"))
    tool.remove(folder)
  end)

  it("refuses another word", function()
    local status, _, err = run("avx", "require 'perigee'")
    assert.equal(1, status)
    assert.matches("PERIGEE_ISA: expected base, avx2 or avx512, got 'avx'", err, 1, true)
  end)
end)
