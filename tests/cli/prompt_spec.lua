-- SPDX-License-Identifier: MIT
-- What the prompt does for people, driven through a pseudo-terminal.
local tool = dofile("tests/cli/tool.lua")

local home

setup(function() home = tool.folder() end)
teardown(function() tool.remove(home) end)

-- Runs a session: each case is what is typed and what must come before the next prompt; a text that begins with ! must
-- not come. words: further environment. Returns all that came.
local function session(words, ...)
  local list = {"expect > "}
  for _, case in ipairs{...} do
    list[#list + 1] = "send " .. case[1] .. "\\n"
    for k = 2, #case do
      list[#list + 1] = (case[k]:sub(1, 1) == "!" and "refuse " .. case[k]:sub(2) or "expect " .. case[k])
    end
    list[#list + 1] = "expect > "
  end
  list[#list + 1] = "send \\x04"
  list[#list + 1] = "end"
  local ok, text, why = tool.pty(list, ("HOME=%s PERIGEE_HISTORY= PERIGEE_EDITOR=none NO_COLOR=1 %s"):format(home,
    words))
  assert(ok, why .. "\n" .. text)
  return text
end

describe("the prompt", function()
  it("names its help and the way out", function()
    local text = session("", {"1", "1"})
    assert.truthy(text:find("?name explains a function, :help the prompt, Ctrl-D leaves", 1, true))
  end)

  it("shows the value of a last expression, and of a last call", function()
    session("", {"y = 1", "!1.0"}, {"y = y + 1; y", "2"}, {"z = 3; y + z;", "!5"}, {"_", "5"},
      {"x = 20; pg.sum({x, 1})", "21.0"}, {"local w = 4; w * 10", "40"}, {"w + 1", "5"},
      {"for i = 1, 2 do y = y + i end; y * 100", "500"}, {"a = pg.ones(2); a:assign(7);", "![2 f64]"},
      {"a[1] + 1", "8.0"},
      {"y = 2; print('only ' .. y)", "only 2"})
  end)

  it("runs a block that ends in an expression", function()
    local list = {"expect > ", "send \\e[200~t = 0\\nfor k = 1, 3 do\\n  t = t + k\\nend\\nt + 100\\e[201~\\r",
      "expect 106", "expect > ", "send \\x04", "end"}
    local ok, text, why = tool.pty(list, ("HOME=%s PERIGEE_HISTORY= PERIGEE_EDITOR=readline"):format(home))
    assert(ok, why .. "\n" .. text)
  end)

  it("loads a script afresh each time and leaves its locals", function()
    tool.write(home .. "/part.lua", "return {n = 1}\n")
    tool.write(home .. "/again.lua", ("package.path = '%s/?.lua'\nlocal part = require 'part'\npart.n = part.n + 1\n" ..
      "assert(counter == nil)\ncounter = 1\nlocal seen = part.n\n"):format(home))
    session("", {":load " .. home .. "/again.lua", "!assert"}, {"seen * 10 + counter", "21"},
      {":load " .. home .. "/again.lua", "!assert"}, {"seen * 10 + counter", "21"}, {"mine = 5", "!x"},
      {":load " .. home .. "/again.lua", "!assert"})
    tool.write(home .. "/wrong.lua", "x = 1\nx += 1\n")
    session("", {":load " .. home .. "/wrong.lua", "hint: x += 1 is written x = x + 1"})
  end)

  it("keeps the locals of a script run with -i", function()
    tool.write(home .. "/kept.lua", "local inside = 41\nprint('script ran')\n")
    local ok, text, why = tool.pty({"expect script ran", "expect > ", "send inside + 1\\n", "expect 42", "expect > ",
      "send \\x04", "end"}, ("HOME=%s PERIGEE_HISTORY= PERIGEE_EDITOR=none"):format(home),
      "-i " .. home .. "/kept.lua")
    assert(ok, why .. "\n" .. text)
  end)

  it("shows a figure once", function()
    local text = session("TERM=vt100 COLORTERM=", {"f = pg.plot.figure{width = 64, height = 64}:line{1, 2}", "!saved"},
      {"f:show()", "saved to"}, {"f", "saved to"}, {"f:show();", "saved to"})
    assert.equal(3, select(2, text:gsub("saved to ", "")))
  end)

  it("shows a vector whole, and wide arrays as wide as the terminal", function()
    local text = session("", {"pg.range(1, 30) * 1000", " 1000 ", " 30000"})
    assert.falsy(text:find("...", 1, true))
    session("", {"pg.range(1, 3000)", "..."})
  end)

  it("shows pg as a list of its modules", function()
    session("", {"pg", "Perigee's modules: cpt, graph, image, linalg,", "?NAME explains one"})
  end)

  it("says that a name is not there", function()
    session("", {"undefined_thing", "there is no variable 'undefined_thing'"}, {"x = nil", "!there"},
      {"prnt", "there is no variable 'prnt'; did you mean 'print'?"}, {"linspace", "hint: write pg.linspace"},
      {"None", "hint: None is nil here"}, {"local q", "!there"}, {"q", "nil"})
  end)

  it("times by repeating what is quick", function()
    session("", {":time 1 + 1", "2", "at best", "of 7 rounds of"}, {":time error('no')", "no"},
      {":time local t = pg.clock() while pg.clock() < t + 0.3 do end", "0.3"})
  end)

  it("colours errors and hints unless NO_COLOR says otherwise", function()
    local function shown(words)
      local ok, text, why = tool.pty({"expect > ", "send None + 1\\n", "expect None is nil", "expect > ", "send \\x04",
        "end"}, ("HOME=%s PERIGEE_HISTORY= PERIGEE_EDITOR=none TERM=xterm %s"):format(home, words))
      assert(ok, why .. "\n" .. text)
      return text
    end
    local text = shown("")
    assert.truthy(text:find("\27[31mstdin:1: attempt to perform", 1, true), text)
    assert.truthy(text:find("\27[33mhint: None is nil here\27[0m", 1, true), text)
    assert.falsy(shown("NO_COLOR=1"):find("\27[3", 1, true))
  end)

  it("answers exit, quit and help as other prompts do", function()
    for _, word in ipairs{"exit", "quit()", "exit()"} do
      local ok, text, why = tool.pty({"expect > ", "send " .. word .. "\\n", "end"},
        ("HOME=%s PERIGEE_HISTORY= PERIGEE_EDITOR=none"):format(home))
      assert(ok, why .. "\n" .. text)
      assert.truthy(text:find("ended 0", 1, true), text)
    end
    session("", {"help", ":time expr"}, {"help(zeros)", "An array of zeros"}, {"help zeros", "An array of zeros"},
      {"quit = 3", "!x"}, {"quit", "3"})
  end)

  it("leaves its own frames out of a trace", function()
    local text = session("", {"function g() local r = pg.ppca.fit(pg.ones(3)) return r end", "!x"},
      {"local x = g()", "bad argument #1 to 'fit'"})
    assert.falsy(text:find("perigee/", 1, true), text)
  end)
end)

describe("a picture", function()
  local pg = require "perigee"
  it("is shown in 256 colours", function()
    local a = pg.array{{{255, 0, 0}, {0, 0, 255}}, {{128, 128, 128}, {255, 255, 255}}}
    assert.equal("\27[38;5;196;48;5;244m▀\27[38;5;21;48;5;231m▀\27[0m\n", pg.image._encode["256"](a, 80))
  end)
  it("is shown as sixels", function()
    local text = pg.image._encode.sixel(pg.array{{{255, 0, 0}, {255, 0, 0}, {255, 0, 0}, {255, 0, 0}, {0, 0, 255}}})
    assert.truthy(text:find('^\27Pq"1;1;5;1#0;2;0;0;0'))
    assert.truthy(text:find("#180;2;100;0;0", 1, true))
    assert.truthy(text:find("#5!4?@$#180!4@?$-", 1, true))
    assert.equal("\27\\\n", text:sub(-3))
    assert.is_true(#pg.image._encode.sixel(pg.random.new(0):random(20, 30) * 255) > 500)
  end)
end)

describe("an experiment's words", function()
  it("go to the options that have a position", function()
    local script = home .. "/words.lua"
    tool.write(script, [[
local pg = require "perigee"
local ex = pg.experiment{name = "words", options = {
  input = pg.option{type = "string", position = 1},
  sizes = pg.option{default = {1, 2}, position = 2},
}}
print(ex.options.input, table.concat(ex.options.sizes, "+"))
]])
    local function run(words)
      local status, out, err = tool.sh(("cd %s && %s %s %s"):format(home, tool.quote(tool.program), script, words))
      return status, out, err
    end
    local _, out = run("data.csv 3 4,5 --seed 1")
    assert.truthy(out:find("data.csv\t3+4+5", 1, true), out)
    _, out = run("--sizes 7 data.csv")
    assert.truthy(out:find("data.csv\t7", 1, true), out)
    local status, _, err = run("a --input b")
    assert.equal(2, status)
    assert.truthy(err:find("'a' and --input are the same option", 1, true), err)
    status, _, err = run("a x")
    assert.equal(2, status)
    assert.truthy(err:find("--sizes: expected an integer, got 'x'", 1, true), err)
    _, out = run("--help")
    assert.truthy(out:find("or as word 1", 1, true), out)
  end)
end)
