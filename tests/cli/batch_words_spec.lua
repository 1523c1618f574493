-- SPDX-License-Identifier: MIT
-- What people write on the command line of a batch, and what jobs print: empty paths, texts with commas, names in any
-- script, names that the batch needs itself, escape sequences.
local tool = dofile("tests/cli/tool.lua")

local folder, program

setup(function()
  folder = tool.folder()
  program = tool.quote(tool.program)
end)
teardown(function() tool.remove(folder) end)

local function write(name, text)
  tool.sh("mkdir -p " .. tool.quote(folder .. "/" .. (name:match("^(.*)/") or "")))
  tool.write(folder .. "/" .. name, text)
end

local function perigee(arguments)
  return tool.sh(("cd %s && %s %s"):format(folder, program, arguments))
end

local function json(path)
  local text = assert(tool.read(folder .. "/" .. path), path)
  local ok, cjson = pcall(require, "cjson")
  if not ok then cjson = require("dkjson") end
  return cjson.decode(text)
end

local ECHO = [[
local pg = require "perigee"
local ex = pg.experiment{options = {title = "x", city = "x", list = {"a"}}}
print("<" .. ex.options.title .. ">", "<" .. ex.options.city .. ">", #ex.options.list)
]]

describe("an empty path", function()
  it("is a usage error, for a batch and for a script alone", function()
    write("e/opt.lua", ECHO)
    write("e/file.lua", "require('perigee').experiment{options = {cpts = require('perigee').option{type = 'file'}}}")
    for arguments, why in pairs{
      ['run --out "" e/opt.lua'] = "--out: expected the path of a folder, got an empty text",
      ["run --out= e/opt.lua"] = "--out: expected the path of a folder, got an empty text",
      ['run --dry-run --out "$NOT_SET" e/opt.lua'] = "--out: expected the path of a folder",
      ['e/opt.lua --out ""'] = "--out: expected the path of a folder",
      ["e/opt.lua --out="] = "--out: expected the path of a folder",
      ['e/file.lua --cpts ""'] = "--cpts: expected the path of a file, got an empty text",
      ['run ""'] = ": No such file",
    } do
      local status, out, err = perigee(arguments)
      assert.equal(2, status, arguments .. out .. err)
      assert.truthy(err:find(why, 1, true), arguments .. " -> " .. err)
    end
  end)

  it("as PERIGEE_JOB is as if it were not set", function()
    local status, out, err = tool.sh(("cd %s && PERIGEE_JOB= %s e/opt.lua && PERIGEE_JOB= %s --sandbox e/opt.lua")
      :format(folder, program, program))
    assert.equal(0, status, out .. err)
    assert.not_nil(tool.read(folder .. "/out/opt/metrics.json"))
  end)
end)

it("limits take numbers in any form, and the least of them is a limit", function()
  for _, option in ipairs{"--memory 1e3", "--memory=1e3", "--timeout 1e1", "--timeout=1e1", "--memory 2E+3",
    "--timeout 1e300", "--memory 1e300"} do
    local status, out, err = perigee(option .. " -e 'print(6 * 7)'")
    assert.equal(0, status, option .. err)
    assert.equal("42\n", out)
  end
  for _, option in ipairs{"--memory 0.0000001", "--memory 1e-300", "--memory=4.9e-324"} do
    local status, _, err = perigee(option .. " -e 'x = (\"y\"):rep(1e8)'")
    assert.equal(1, status, option)
    assert.truthy(err:find("not enough memory", 1, true), option .. err)
  end
end)

describe("--set", function()
  setup(function() write("s/job.lua", ECHO) end)

  it("takes texts with commas, brackets, quotes, and none at all", function()
    for setting, printed in pairs{
      ["title=\"a,b\""] = "<a,b>", ["title='a,b'"] = "<a,b>", ["title=a\\,b"] = "<a,b>", ["title="] = "<>",
      ["title=\"\""] = "<>", ["title=[a,b]"] = "<[a,b]>", ["title=\"a]b\""] = "<a]b>", ["title=a\\]b"] = "<a]b>",
      ["title='it \"is\"'"] = "<it \"is\">", ["title=\"1..3\""] = "<1..3>", ["title=a\\\\b"] = "<a\\b>",
      ["title=\"x,y,title=z\""] = "<x,y,title=z>",
    } do
      local status, out, err = perigee("run --out set --set " .. tool.quote(setting) .. " s/job.lua")
      assert.equal(0, status, setting .. out .. err)
      local _, logs = tool.sh("cd " .. folder .. " && cat set/*/log.txt && rm -rf set")
      assert.equal(printed .. "\t<x>\t1\n", logs)
    end
  end)

  it("sweeps over them", function()
    local status, out, err = perigee([[run --out sweep --set 'title="a,b",c,""' --set 'list=[p,q],[r]' s/job.lua]])
    assert.equal(0, status, out .. err)
    local seen = {}
    for _, job in ipairs(json("sweep/summary.json").jobs) do
      seen[#seen + 1] = job.settings.title .. "|" .. job.settings.list
      assert.falsy(job.name:find("a,b", 1, true))
    end
    assert.same({"a,b|[p,q]", "a,b|[r]", "c|[p,q]", "c|[r]", "|[p,q]", "|[r]"}, seen)
  end)

  it("says what is wrong", function()
    for setting, why in pairs{
      ["title=\"a"] = "a quote is not closed", ["title=\"a\"b"] = "a value goes on after its quote",
      ["title=a,"] = "a value is empty", ["title=,a"] = "a value is empty", ["title='a',a"] = "the value a comes twice",
    } do
      local status, _, err = perigee("run --set " .. tool.quote(setting) .. " s/job.lua")
      assert.equal(2, status, setting)
      assert.truthy(err:find(why, 1, true), setting .. " -> " .. err)
    end
  end)
end)

describe("a job's folder", function()
  it("has the words of its settings, in any script", function()
    write("u/job.lua", ECHO)
    local cities = {"Zürich", "東京", "Kraków", "Αθήνα", "القاهرة", "साँची", "a/b", "a\u{202E}b", "x\u{200B}",
      "tab\tx", "\xff"}
    local status, out, err = perigee("run --out u.out --set " .. tool.quote("city=" .. table.concat(cities, ",")) ..
      " u/job.lua")
    assert.equal(0, status, out .. err)
    local jobs = json("u.out/summary.json").jobs
    for i = 1, 6 do
      assert.equal("job,city=" .. cities[i], jobs[i].name)
      assert.truthy(tool.read(folder .. "/u.out/" .. jobs[i].name .. "/log.txt"):find("<" .. cities[i] .. ">", 1, true))
      assert.truthy(tool.read(folder .. "/u.out/junit.xml"):find('name="job,city=' .. cities[i] .. '"', 1, true))
    end
    for i = 7, #cities do assert.truthy(jobs[i].name:find("^job,city=[%w_]+~%x+$"), jobs[i].name) end
  end)

  it("is cut at a whole character", function()
    for n = 28, 32 do
      local status, out, err = perigee(("run --out long --set city=%s%s u/job.lua"):format(("x"):rep(n), ("東"):rep(60)))
      assert.equal(0, status, out .. err)
      local name = json("long/summary.json").jobs[1].name
      assert.truthy(utf8.len(name) and #name < 140, name)
    end
  end)

  it("takes the place of nothing that the batch writes", function()
    for _, name in ipairs{"index.html", "summary.json", "junit.xml", "plain", "plain/metrics.json", "plain/log.txt",
      "plain/manifest.json", "plain/f.png", "index.html/deep", ".batch/x"} do
      write("t/" .. name .. ".lua", ECHO)
    end
    local status, out, err = perigee("run --out t.out t t/plain t/index.html t/.batch/x.lua")
    assert.equal(0, status, out .. err)
    assert.equal(10, #json("t.out/summary.json").jobs)
    assert.truthy(tool.read(folder .. "/t.out/index.html"):find("<html", 1, true))
    assert.truthy(tool.read(folder .. "/t.out/index.html.job/log.txt"))
  end)
end)

it("what jobs print and raise is shown without escape sequences", function()
  for name, text in pairs{
    colour = "\27[31mred\27[0m", title = "\27]0;a title\7red", link = "\27]8;;http://x\27\\red\27]8;;\27\\",
    set = "\27(Bred", cursor = "\27[2K\27[1Gred", c1 = "\u{9B}31mred", cut = "red\27[38;5", back = "rex\bd",
    line = "green\rred", wide = "東\bred",
  } do
    write("c/" .. name .. ".lua", ("io.write(%q, '\\n') error(%q, 0)"):format(text, text))
  end
  local status, out = perigee("run --out c.out c")
  assert.equal(1, status)
  for _, job in ipairs(json("c.out/summary.json").jobs) do
    assert.equal("red", job.reason, job.name)
  end
  assert.falsy(out:find("[^\n -~]"), out)
  local xml, page = tool.read(folder .. "/c.out/junit.xml"), tool.read(folder .. "/c.out/index.html")
  for _, residue in ipairs{"[31m", "31m", "a title", "http://x", "(Bred", "[2K", "[38;5", "rex", "green", "東"} do
    assert.falsy(xml:find(residue, 1, true), residue)
    assert.falsy(page:match("<section.*"):find(residue, 1, true), residue)
    assert.falsy(out:find(residue, 1, true), residue)
  end
end)

it("output that cannot be written is no success", function()
  for _, arguments in ipairs{"-e 'print(1)'", "-e 'print(1) os.exit(true)'", "-e 'io.write((\"x\"):rep(1e6))'",
    "help pg.zeros", "-v"} do
    local status, _, err = perigee(arguments .. " >/dev/full")
    assert.equal(1, status, arguments)
    assert.truthy(err:find("perigee: standard output: ", 1, true), arguments .. err)
  end
  for _, arguments in ipairs{"-e 'x = 1' >/dev/full", "-e 'x = 1' >&-",
    "-e 'io.write((\"x\\n\"):rep(1e5))' | head -n 1"} do
    local status, _, err = perigee(arguments)
    assert.equal(0, status, arguments .. err)
    assert.equal("", err)
  end
end)

it("a session that was copied with its marks runs as it was typed", function()
  local environment = "PERIGEE_EDITOR=readline PERIGEE_HISTORY= INPUTRC=/dev/null COLUMNS=200"
  for _, case in ipairs{
    {"> 1+1\\n2\\n> 3+4", {"2", "7"}},
    {"> for i = 1, 2 do\\n>> print(i * 21)\\n>> end\\n21\\n42\\n> x = 5\\n> x * 111", {"21", "42", "555"}},
    {"> local y = 6\\n> y * 7\\n42\\n> y + 100", {"42", "106"}},
    {"> ('a'):rep(3)\\naaa\\n> ('b'):rep(4)", {"aaa", "bbbb"}},
  } do
    local list = {"expect > ", "send \\e[200~" .. case[1] .. "\\e[201~\\r"}
    for k, result in ipairs(case[2]) do
      list[#list + 1] = (k == 1 and "expect 2004l\nexpect " or "expect ") .. result
    end
    list[#list + 1] = "refuse unexpected"
    list[#list + 1] = "expect > "
    local ok, text, words = tool.pty(list, environment)
    assert(ok, case[1] .. words .. text)
  end
end)
