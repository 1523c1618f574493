-- SPDX-License-Identifier: MIT
-- What a script's author reads when a habit of another language stops it: the hint, and a traceback of the script's own
-- frames.
local tool = dofile("tests/cli/tool.lua")

local home
setup(function() home = tool.folder() end)
teardown(function() tool.remove(home) end)

local function run(text)
  tool.write(home .. "/script.lua", text)
  local status, _, err = tool.sh(tool.quote(tool.program) .. " " .. home .. "/script.lua")
  assert.not_equal(0, status)
  return err
end

describe("a script", function()
  it("that does not compile is told what is written here", function()
    for _, case in ipairs{{"a += 1", "a += 1 is written a = a + 1"}, {"if a != 1 then end", "~="},
        {"b = a[1:3]", "a[1:3] is written a:slice({1,3})"}, {"b = a ** 2", "a power is written ^"},
        {"c = a @ b", "the matrix product a @ b is written a:dot(b)"}, {"import numpy as np", "no import is needed"},
        {"for i in range(3):", "for i = 1, n do ... end"}, {"x = [1, 2]", "pg.array{1, 2, 3}"}} do
      local err = run("local pg = require 'perigee'\n-- ** @ += in a comment\n" .. case[1] .. "\n")
      assert.truthy(err:find("script.lua:[34]: "), err)
      assert.truthy(err:find("\nhint: [^\n]*" .. case[2]:gsub("%p", "%%%0")), err)
    end
    assert.falsy(run("local x = = 3\n"):find("hint", 1, true))
    local _, _, err = tool.sh(tool.quote(tool.program) .. " -e 'x += 1'")
    assert.truthy(err:find("hint: x += 1 is written x = x + 1", 1, true), err)
  end)

  it("that uses a global of another language is told what it is here", function()
    assert.truthy(run("print(len({1}))"):find("\nhint: the length of x is #x\nstack traceback:", 1, true))
    assert.truthy(run("linspace(0, 1, 3)"):find("\nhint: write pg.linspace\n", 1, true))
    assert.truthy(run("pg.zeros(3)"):find('\nhint: write local pg = require "perigee" before it\n', 1, true))
    assert.truthy(run("np.zeros(3)"):find("\nhint: pg has what np has", 1, true))
    assert.truthy(run("local pg = require 'perigee'\npg.ones(3).size()"):find("\nhint: a.size is a field", 1, true))
    local _, _, err = tool.sh(tool.quote(tool.program) .. " -e 'x = pg.ones(3)'")
    assert.truthy(err:find('hint: write local pg = require "perigee"', 1, true), err)
    assert.falsy(run("local t = nil; t.x = 1"):find("hint", 1, true))
    assert.falsy(run("error('plain')"):find("hint", 1, true))
  end)

  it("has a traceback of its own frames alone", function()
    local err = run("local pg = require 'perigee'\n" ..
      "local function f() local r = pg.ppca.fit(pg.ones(3)) return r end\nf()\n")
    assert.truthy(err:find("script.lua:2: bad argument #1 to 'fit'", 1, true), err)
    assert.truthy(err:find("script.lua:3: in main chunk", 1, true), err)
    assert.falsy(err:find("perigee/", 1, true), err)
    assert.falsy(err:find("'error'", 1, true), err)
  end)
end)
