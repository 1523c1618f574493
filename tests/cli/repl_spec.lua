-- SPDX-License-Identifier: MIT
-- The prompt, driven through a pseudo-terminal, with readline, with libedit and with neither.
local tool = dofile("tests/cli/tool.lua")

local home

setup(function() home = tool.folder() end)
teardown(function() tool.remove(home) end)

local function environment(editor, history)
  return ("HOME=%s PERIGEE_HISTORY=%s/%s PERIGEE_EDITOR=%s"):format(home, home, history or "history",
    editor or "readline")
end

local function drive(lines, ...)
  table.insert(lines, 1, "expect > ")
  lines[#lines + 1] = "send \\x04"
  lines[#lines + 1] = "end"
  local ok, text, words = tool.pty(lines, environment(...))
  assert(ok, words .. "\n" .. text)
  return text, words
end

-- Types a line, waits for what must come and for the next prompt.
local function say(list, text, ...)
  list[#list + 1] = "send " .. text .. "\\n"
  for _, want in ipairs{...} do list[#list + 1] = "expect " .. want end
  list[#list + 1] = "expect > "
  return list
end

local function session(...)
  local list = {}
  for _, line in ipairs{...} do say(list, table.unpack(line)) end
  return list
end

for _, editor in ipairs{"readline", "libedit", "none"} do
  describe("the prompt with " .. editor, function()
    it("prints results, keeps locals, suppresses with ; and remembers the last result", function()
      drive(session({"local x = 20", ""}, {"x * 2 + 1", "41"}, {"_ + 1", "42"}, {"local y <const>, z = 7", ""},
        {"y, z", "7\\tnil"}, {"local function f() return x end", ""}, {"x = 5", ""}, {"f()", "5"},
        {"'quiet' .. 'ly';", ""}, {"_", "quietly"}, {"{1, 2, b = {c = 'd'}}", '{1, 2, b = {c = "d"}}'}), editor)
    end)

    it("reads several lines until a statement is complete", function()
      local list = {"send for i = 1, 2 do\\n", "expect >> ", "send print('<' .. i .. '>')\\n", "expect >> ",
        "send end\\n", "expect <1>", "expect <2>", "expect > ", "send 1 +\\n", "expect >> ", "send 1\\n", "expect 2",
        "expect > "}
      drive(list, editor)
    end)

    it("comes back from an endless loop, a coroutine and a line half typed", function()
      local list = session({"k = 0", ""})
      for _, code in ipairs{"while true do k = k + 1 end", "coroutine.wrap(function() while true do end end)()",
          "string.gsub(string.rep('x', 1e6), 'x', function() while true do end end)"} do
        list[#list + 1] = "send " .. code .. "\\n"
        list[#list + 1] = "pause 0.2"
        list[#list + 1] = "within 0.5"
        list[#list + 1] = "send \\x03"
        list[#list + 1] = "expect interrupted!"
        list[#list + 1] = "expect > "
        list[#list + 1] = "within 10"
      end
      list[#list + 1] = "send half a li"
      list[#list + 1] = "expect half a li"
      list[#list + 1] = "send \\x03"
      list[#list + 1] = "expect > "
      say(list, "k > 100", "true")
      list[#list + 1] = "send for i = 1, 2 do\\n"
      list[#list + 1] = "expect >> "
      list[#list + 1] = "send \\x03"
      list[#list + 1] = "expect > "
      say(list, "'fine'", "fine")
      drive(list, editor)
    end)

    it("takes a block of 200 lines that is pasted", function()
      local lines = {"total = 0"}
      for i = 2, 199 do lines[i] = ("total = total + %d"):format(i) end
      lines[200] = "print('sum', total)"
      local paste = table.concat(lines, "\\n")
      local list = {editor == "readline" and "send \\e[200~" .. paste .. "\\e[201~\\r" or "send " .. paste .. "\\n",
        "expect sum\\t19899", "expect > "}
      drive(list, editor)
    end)
  end)
end

describe("the prompt", function()
  it("stops a product of 8,000 x 8,000, which takes many seconds, at once", function()
    local list = session({"pg.threads(1)", "1"}, {"local a = pg.ones(8000, 8000)", ""})
    for _, line in ipairs{"send local b = a:dot(a)\\n", "pause 0.6",
        "within 2", "send \\x03", "expect interrupted!",
        "within 10", "expect > "} do
      list[#list + 1] = line
    end
    drive(list)
  end)

  it("keeps history between sessions, several lines as one entry", function()
    local list = session({"'first' .. 'ly'", "firstly"})
    for _, line in ipairs{"send for i = 1, 2 do\\n", "expect >> ", "send print('m' .. i) end\\n", "expect m1",
        "expect m2", "expect > "} do
      list[#list + 1] = line
    end
    drive(list, "readline", "kept")
    assert.equal("'first' .. 'ly'\nfor i = 1, 2 do\\nprint('m' .. i) end\n", tool.read(home .. "/kept"))
    drive({"send \\e[A", "expect end", "send \\n", "expect m1", "expect m2", "expect > ", "send \\x12fir", "pause 0.2",
      "send \\r", "expect firstly", "expect > "}, "readline", "kept")
  end)

  it("completes names, fields, methods, options, files and help", function()
    tool.write(home .. "/faces-of-a-file.npy", "")
    drive({"send prin\\t", "expect print", "send ('in')\\n", "expect in", "expect > ",
      "send pg.linsp\\t", "expect pg.linspace", "send (0, 1, 2).size\\n", "expect 2", "expect > ",
      "send a = pg.ones(3)\\n", "expect > ",
      "send a:resh\\t", "expect a:reshape", "send (3, 1).ndim\\n", "expect 2", "expect > ",
      "send t = {velocity = 4}\\n", "expect > ", "send t.vel\\t\\n", "expect 4", "expect > ",
      "send for _ in pg.batches(a, {si\\t", "expect size = ", "send 2}) do end\\n", "expect > ",
      "send '" .. home .. "/faces-o\\t", "expect faces-of-a-file.npy", "send '\\n", "expect faces-of-a-file.npy",
      "expect > ",
      "send ?pg.linsp\\t", "expect ?pg.linspace", "send \\n", "expect arguments", "expect > ",
      "send :ti\\t", "expect :time", "send  1\\n", "expect us", "expect > "})
  end)

  it("shows help, and names what is near", function()
    drive(session({"?pg.zeros", "An array of zeros"}, {"zeros?", "An array of zeros"}, {"?zeross", "pg.zeros"},
      {"?", "help NAME"}, {":help", "Ctrl-D"}, {":tme 1", "did you mean :time?"}))
  end)

  it("has commands: time, memory, a shell, a file", function()
    tool.write(home .. "/script.lua", "#!/usr/bin/perigee\nlocal inside = 11\noutside = inside + 1\n")
    drive(session({":time 2 + 3", "5", "us"}, {":mem", "MB held"}, {"!echo sh''ell", "shell"}, {"!exit 3", "exit 3"},
      {":load " .. home .. "/script.lua", ""}, {"inside + outside", "23"},
      {":load " .. home .. "/none.lua", "No such file"}))
  end)

  it("gives hints for the habits of other languages", function()
    local list = {}
    for _, case in ipairs{{"1 != 2", "~="}, {"b = a[1:3]", "a:slice({1,3})"}, {"a[1,2]", "a(1,2)"},
        {"x += 1", "x = x + 1"}, {"x++", "x = x + 1"}, {"import numpy as np", "pg is there"},
        {"b = [1, 2]", "pg.array{1, 2, 3}"}, {"a && b", "and"}, {"f = lambda x: x", "function(x)"}, {"if a:", "then"},
        {"for i in range(3):", "for i = 1, n do"}, {"a @ b", "a:dot(b)"}, {"a'", "a.T"},
        {"def f(x):", "function name(x)"}, {"x = a[:,1]", "a:slice({}, 1)"}, {"None + 1", "None is nil"},
        {"len(a)", "#x"}} do
      say(list, case[1], "hint: ", case[2])
    end
    drive(list)
  end)

  it("shows a short traceback with the line", function()
    local text = drive(session({"local function f(t) return t.x.y end", ""},
      {"local function g() local r = f({}) return r end", ""}, {"g()", "attempt to index a nil value", "'f'"}))
    assert.falsy(text:find("repl.lua", 1, true))
    text = drive(session({"error('alone')", "stdin:1: alone"}))
    assert.falsy(text:find("main chunk", 1, true))
  end)

  it("keeps its variables however often Ctrl-C is pressed", function()
    for _, call in ipairs{
      -- No routine of LAPACK can be stopped, nor the match of a pattern.
      "U = pg.linalg.svd(A)", "w = pg.linalg.eigh(A:dot(A.T))",
      "s = ('a'):rep(21):find(('a?'):rep(21) .. ('a'):rep(21) .. 'b')",
      "while true do pcall(function() while true do end end) end",
      "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    } do
      local list = session({"pg.threads(1)", "1"}, {"A = pg.random.new(0):random(500, 500)", ""}, {"keep = 41", ""})
      for _, line in ipairs{"send " .. call .. "\\n", "pause 0.1", "send \\x03", "send \\x03", "again \\x03",
        "expect > ", "send keep + 1\\n", "expect 42", "expect > ", "send t = 0; for i = 1, 300000 do t = t + 1 end\\n",
        "expect > ", "send t\\n", "expect 300000", "refuse interrupted!", "expect > "} do
        list[#list + 1] = line
      end
      drive(list)
    end
  end)

  it("says that a function cannot be stopped, and ends with Ctrl-\\", function()
    local ok, text, words = tool.pty({"expect > ", "send ('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')\\n",
      "pause 0.3", "send \\x03", "pause 0.2", "send \\x03", "expect cannot be stopped", "send \\x1c", "end"},
      environment())
    assert(ok, words .. text)
    assert.truthy(text:find("ended by signal 3", 1, true), text)
  end)

  it("hears Ctrl-C while it waits for a pipe", function()
    local dir = tool.folder()
    tool.sh("mkfifo " .. dir .. "/pipe")
    for _, call in ipairs{"pg.load('%s/pipe')", "io.open('%s/pipe'):read('a')", "for r in pg.rows('%s/pipe') do end"} do
      local list = session({"keep = 41", ""})
      for _, line in ipairs{"send x = " .. call:gsub("^for", "1; for"):format(dir) .. "\\n", "pause 0.1", "send \\x03",
        "expect interrupted!", "expect > ", "send keep + 1\\n", "expect 42", "expect > "} do
        list[#list + 1] = line
      end
      drive(list)
    end
    tool.remove(dir)
  end)

  it("is stock Lua's where input is no terminal", function()
    local _, out, err = tool.sh(("printf '(6*2-6) -- ===\\na =\\n10\\nprint(a)\\na\\n=a+1\\nx+\\n' | %s -i"):format(
      tool.quote(tool.program)))
    assert.truthy(out:find("> 6\n", 1, true))
    assert.truthy(out:find("> >> > 10\n> 10\n> 11\n", 1, true))
    assert.truthy(err:find("stdin:1: syntax error near '+'", 1, true))
    _, out = tool.sh(("echo a = 2 | %s -e \"_PROMPT='alo'\" -i"):format(tool.quote(tool.program)))
    assert.truthy(out:find("alo.*alo"))
  end)
end)
