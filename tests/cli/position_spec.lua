-- SPDX-License-Identifier: MIT
-- The position before a message is that of the user's line, whatever the script is called.
local tool = dofile("tests/cli/tool.lua")
local bare = require("tests.lua.helper").bare
local program = tool.quote(tool.program)

local calls = {
  {"pg.ones(2):sum(3)", "bad argument #1 to 'sum' (axis: axes are 1..1, got 3)"},
  {"pg.lstm.new{rgn = 1}", "bad argument #1 to 'lstm.new' (unknown option 'rgn'; did you mean 'rng'?)"},
  {"pg.ones(2):sum(nil, {uot = 1})", "bad argument #2 to 'sum' (unknown option 'uot'; did you mean 'out'?)"},
  {"return pg.ones(2) + pg.ones(3)", "operands could not be broadcast together with shapes (2,) (3,)"},
}

describe("the position of an error", function()
  local folder
  setup(function() folder = tool.folder() end)
  teardown(function() tool.remove(folder) end)

  for _, name in ipairs{"exp (1).lua", "a:3: b.lua", "100% [x].lua", "-e.lua", "=x.lua", "@x.lua", "ü b.lua"} do
    it("is that of " .. name, function()
      for _, case in ipairs(calls) do
        tool.write(folder .. "/" .. name, 'local pg = require "perigee"\n\n' .. case[1] .. "\n")
        local status, _, err = tool.sh(("cd %s; %s %s"):format(folder, program, tool.quote("./" .. name)))
        local first = err:match("^perigee: ([^\n]*)")
        assert.equal(1, status)
        assert.equal("./" .. name .. ":3: ", first:sub(1, #name + 6))
        assert.matches(case[2], first, 1, true)
        if not name:find(":", 1, true) then assert.equal(case[2], bare(first):sub(1, #case[2])) end
      end
    end)
  end

  it("is that of -e", function()
    for _, case in ipairs(calls) do
      local status, _, err = tool.sh(program .. " -e " .. tool.quote('local pg = require "perigee"; ' .. case[1]))
      local first = err:match("^perigee: ([^\n]*)")
      assert.equal(1, status)
      assert.matches("^%(command line%):1: ", first)
      assert.equal(case[2], bare(first):sub(1, #case[2]))
    end
  end)
end)
