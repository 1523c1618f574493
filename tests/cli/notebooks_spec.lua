-- SPDX-License-Identifier: MIT
-- The notebooks of examples/notebooks, cell by cell in the prompt's environment, without Jupyter; and how a text's last
-- value is found.
local pg = require "perigee"

local function cells(path)
  local file = assert(io.open(path, "rb"))
  local notebook = pg._json.decode(file:read("a"))
  file:close()
  return notebook.cells
end

for _, name in ipairs{"arrays", "plots", "learning"} do
  it("runs " .. name .. ".ipynb, which keeps no output", function()
    local shown = 0
    rawset(pg, "_outlet", {show = function() shown = shown + 1 end, clear = function() end,
      line = function() return function() end end})
    finally(function() rawset(pg, "_outlet", nil) end)
    local environment = pg._repl.environment
    environment.pg = pg
    local print_before = print
    environment.print = function() end
    finally(function()
      rawset(pg, "_outlet", nil)
      environment.print = print_before
    end)
    for i, cell in ipairs(cells("examples/notebooks/" .. name .. ".ipynb")) do
      if cell.cell_type == "code" then
        assert.same(0, #cell.outputs)
        local text = table.concat(cell.source)
        local f, message = pg._repl.compile(pg._last_value(text) or text, ("=cell[%d]"):format(i))
        assert(f, message)
        local values = table.pack(f())
        for k = 1, values.n do pg._mime.bundle(values[k]) end
      end
    end
  end)
end

describe("the last value of a text", function()
  local cases = {
    {"y = y + 1; y", "y = y + 1; return y"}, {"x = 1\nx + 1", "x = 1\nreturn x + 1"}, {"x = 3 x", "x = 3 return x"},
    {"local a = 5\nfoo(a)", "local a = 5\nreturn foo(a)"}, {"x = f\n{1}"}, {"return\nf(x)"}, {"x = a\n(b)(c)"},
    {"for i=1,3 do end f(2)", "for i=1,3 do end return f(2)"}, {"x = [[\na\n]]\nx", "x = [[\na\n]]\nreturn x"},
    {"if x then return y end"}, {"a = function() return b end"}, {"x ="}, {"x = 1\n-x"}, {""}, {"-- y"},
    {"do local x = 5 end\npg.zeros(3,\n 4)", "do local x = 5 end\nreturn pg.zeros(3,\n 4)"},
    {"local x = 1 -- c\nx -- d", "local x = 1 -- c\nreturn x -- d"},
    {"x = 1\n{1, 2,\n 3}", "x = 1\nreturn {1, 2,\n 3}"}, {"print(1)\nprint(2);", "print(1)\nreturn print(2);"},
    {"a, b = 1, 2\na, b", "a, b = 1, 2\nreturn a, b"}, {"repeat x = 2 until x\nx", "repeat x = 2 until x\nreturn x"},
  }
  for _, case in ipairs(cases) do
    it(("of %q"):format(case[1]), function() assert.equal(case[2], (pg._last_value(case[1]))) end)
  end
end)

describe("what a notebook shows", function()
  local function html(value) return pg._mime.bundle(value)["text/html"] end

  it("is a table for arrays of one and two axes", function()
    assert.matches('<td style="text%-align:right">2.5</td>', html(pg.array{1, 2.5}))
    assert.matches("2x3 f64", html(pg.zeros(2, 3)))
    assert.is_nil(html(pg.zeros(2, 2, 2)))
    assert.is_nil(html(pg.zeros(0, 2)))
  end)

  it("is a table for rows and for columns, with what it holds as text", function()
    assert.matches("<td>&lt;b&gt;</td>", html{{a = 1, b = "<b>"}, {a = 2, b = "y"}})
    assert.matches("<th class=\"n\">a</th>", html{a = {1, 2}, b = pg.array{3, 4}})
    assert.matches("the first 60", html((function()
      local rows = {}
      for i = 1, 100 do rows[i] = {i, i * i} end
      return rows
    end)()))
  end)

  it("is text alone for anything else", function()
    for _, value in ipairs{3, "x", true, {1, 2}, {a = 1}, {{1}, 2}, {a = {1, 2}, b = {1}}, {{a = {}}, {a = 1}}} do
      assert.is_nil(html(value))
    end
  end)

  it("is a picture for figures", function()
    local data, about = pg._mime.bundle(pg.plot.figure{width = 90, height = 70}:line{1, 2})
    assert.equal("iVBOR", data["image/png"]:sub(1, 5))
    assert.same({width = 90, height = 70}, about["image/png"])
  end)
end)
