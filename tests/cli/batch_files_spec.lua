-- SPDX-License-Identifier: MIT
-- luacheck: no max line length
-- What a batch reads that its jobs wrote: nothing in it takes the batch down or keeps it waiting; and what --resume looks
-- at before it keeps a result.
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

local function run(arguments)
  return tool.sh(("cd %s && %s run %s"):format(folder, program, arguments))
end

local function json(path)
  local text = assert(tool.read(folder .. "/" .. path), path)
  local ok, cjson = pcall(require, "cjson")
  if not ok then cjson = require("dkjson") end
  return cjson.decode(text)
end

-- A script that writes its own metrics.json.
local function forger(text)
  return ("local f = assert(io.open(os.getenv('PERIGEE_JOB') .. '/metrics.json', 'w')) f:write(%s) f:close()"):format(text)
end

local FORGED = {
  "{}", "5", "null", '"text"', "[1, 2", "[]", '{"skipped": {"a": 1}}', '{"skipped": 5}', '{"skipped": ["x"]}', '{"metrics": 5}',
  '{"metrics": {"a": {"b": 1}, "c": [1]}}', '{"records": 5}', '{"records": [5, null, "x", {}]}',
  '{"records": [{"kind": "metric"}], "metrics": {}}', '{"records": [{"kind": {}}]}', '{"records": {"kind": "note"}}',
  '{"records": [{"kind": "metric", "name": {"a": 1}, "report": [], "note": {}}]}',
  '{"records": [{"kind": "figure", "name": "x", "file": "../../../../etc/passwd"}, {"kind": "figure", "file": 5}]}',
  '{"records": [{"kind": "figure", "name": "x", "file": ".reads", "caption": [1]}]}',
  '{"records": [{"kind": "table", "columns": 5, "rows": 6}, {"kind": "table", "name": "t", "columns": ["a"], "rows": [5]}]}',
  '{"records": [{"kind": "table", "name": "t", "columns": ["a"], "rows": [[{}]], "report": "x"}, {"kind": "note", "text": {}}]}',
  '{"series": {"a": 5}, "records": [{"kind": "metric", "name": "a"}], "metrics": {"a": 1}}',
  '{"series": {"a": {"step": [1, 2], "value": [1]}}, "records": [{"kind": "metric", "name": "a"}], "metrics": {"a": 1}}',
  '{"series": {"a": {"step": [{}], "value": ["x"]}}, "options": {"a": {"b": {}}}, "seed": [], "quick": 5, "about": {}}',
  '{"options": [1], "name": {}, "data": 5}', '{"data": [5, {"path": {}}, {"path": "x", "sha256": []}]}',
  '{"data": [{"file": "x", "path": "/dev/zero", "sha256": "x"}]}', '{"data": [{"file": "x", "path": "pipe", "sha256": "x"}]}',
  '{"data": [{"file": "x", "path": "/", "sha256": "x"}]}', '{"data": [{"file": "x", "path": "a\\u0000b", "sha256": "x"}]}',
  '{"records": [{"kind": "metric", "name": "x"}], "metrics": {"x": "nan"}, "skipped": null}',
}

describe("a job that writes what it likes into its folder", function()
  setup(function()
    for i, text in ipairs(FORGED) do write(("forged/%02d.lua"):format(i), forger(("%q"):format(text))) end
    write("forged/deep.lua", forger("('['):rep(1e6)"))
    write("forged/huge.lua", forger("'{\"about\": \"' .. ('x'):rep(33 << 20) .. '\"}'"))
    write("forged/sparse.lua", [[
for _, name in ipairs{"metrics.json", "log.txt", "x.png", ".reads"} do
  local path = os.getenv("PERIGEE_JOB") .. "/" .. name
  os.remove(path)
  local f = assert(io.open(path, "w"))
  f:seek("set", 3 << 30) f:write("x") f:close()
end]])
    write("forged/removes.lua", [[
for _, name in ipairs{"log.txt", "manifest.json", "metrics.json"} do os.remove(os.getenv("PERIGEE_JOB") .. "/" .. name) end]])
    write("forged/zz_good.lua", "require('perigee').experiment{}:metric('x', 1)")
    tool.sh("mkfifo " .. folder .. "/pipe")
  end)

  it("takes no other job down, nor the report, in a sandbox", function()
    for _ = 1, 2 do
      local status, out, err = run("--sandbox --resume --memory 300 -j 2 --out forged.out forged")
      assert.equal(0, status, out .. err)
      assert.equal("", err)
      local jobs = json("forged.out/summary.json").jobs
      assert.equal(#FORGED + 5, #jobs)
      for _, job in ipairs(jobs) do
        assert.equal("passed", job.state, job.name .. tostring(job.reason))
        if job.name == "zz_good" then assert.same({x = 1}, job.metrics) end
      end
      local page = tool.read(folder .. "/forged.out/index.html")
      assert.truthy(page:find("huge/metrics.json: more than 32 MB, left out", 1, true))
      assert.falsy(page:find("root:x:", 1, true))
      assert.truthy(#page < 4 << 20, #page)
      assert.truthy(tool.read(folder .. "/forged.out/junit.xml"):find('tests="' .. #jobs .. '"', 1, true))
    end
  end)

  it("waits for no pipe that stands where a file should, and writes over none", function()
    for _, name in ipairs{"metrics.json", "manifest.json", "log.txt", ".reads", "x.png"} do
      write("pipes/" .. name:gsub("%W", "_") .. ".lua",
        ("local p = os.getenv('PERIGEE_JOB') .. '/%s' os.remove(p) os.execute('mkfifo ' .. p)"):format(name))
      write("folders/" .. name:gsub("%W", "_") .. ".lua",
        ("local p = os.getenv('PERIGEE_JOB') .. '/%s' os.remove(p) os.execute('mkdir -p ' .. p .. '/deep')"):format(name))
    end
    for _ = 1, 2 do
      local status, out, err = run("-j 2 --resume --out pipes.out pipes")
      assert.equal(0, status, out .. err)
      run("-j 2 --resume --out folders.out folders")
      assert.equal(5, #json("folders.out/summary.json").jobs)
    end
    write("pipes.lua", "print(1)")
    local status, _, err = run("--out p.out pipe pipes.lua")
    assert.equal(2, status)
    assert.truthy(err:find("pipe: is no regular file", 1, true), err)
  end)

  it("writes notes of any form in a time that grows with their size", function()
    for name, piece in pairs{brackets = "[", links = "[a](", labels = "[x](y) ", ticks = "`", stars = "*", bold = "**",
      returns = "\\r", blanks = " ", lists = "- \\n", marks = "#", ends = "](", fences = "```\\n", backspaces = "x\\b"} do
      write("notes/" .. name .. ".lua", ("local n = ('%s'):rep(30000) require('perigee').experiment{}:note(n) print(n)")
        :format(piece))
    end
    local status, out, err = tool.sh(("cd %s && ulimit -t 60 && %s run -j 2 --out notes.out notes"):format(folder, program))
    assert.equal(0, status, out .. err)
  end)
end)

it("links of a note are links", function()
  write("link.lua", [==[require("perigee").experiment{}:note(
    "see [a](https://x.org/a) and [b [c](#job-1), [no](javascript:x) [d](http://y) [e] (f) ![g](https://z)")]==])
  assert.equal(0, (run("--out link.out link.lua")))
  local page = tool.read(folder .. "/link.out/index.html")
  for _, text in ipairs{'see <a href="https://x.org/a">a</a> and [b <a href="#job-1">c</a>, [no](javascript:x)',
    '<a href="http://y">d</a> [e] (f) !<a href="https://z">g</a>'} do
    assert.truthy(page:find(text, 1, true), page:match("<p>see.-</p>"))
  end
end)

describe("--resume", function()
  -- Runs twice without and once after a change; the last must run the job anew, the one before must not.
  local function expect(name, script, change, files)
    for file, text in pairs(files or {}) do write(file, text) end
    write(name .. ".lua", "io.open('" .. name .. ".runs', 'a'):write('x'):close()\n" .. script)
    local function runs() return #tool.read(folder .. "/" .. name .. ".runs") end
    local arguments = ("--resume --out %s.out %s.lua"):format(name, name)
    for _ = 1, 2 do
      local status, out, err = run(arguments)
      assert.equal(0, status, name .. out .. err)
    end
    assert.equal(1, runs(), name .. ": without a change")
    tool.sh("cd " .. folder .. " && sleep 0.02 && " .. change)
    assert.equal(0, (run(arguments)))
    assert.equal(2, runs(), name .. ": after " .. change)
    assert.equal(0, (run(arguments)))
    assert.equal(2, runs(), name .. ": without a further change")
  end
  local OPEN = "local pg = require 'perigee' local ex = pg.experiment{}\n"

  it("sees that a module changed, of whichever kind", function()
    expect("module", "require 'common'", "echo 'return 2' > common.lua", {["common.lua"] = "return 1"})
    expect("nested", "require 'lib.inner'", "echo 'return 2' > lib/inner.lua", {["lib/inner.lua"] = "return 1"})
    expect("init", "require 'pack'", "echo 'return 2' > pack/init.lua", {["pack/init.lua"] = "return 1"})
    expect("dofile", "dofile 'part.lua'", "echo 'return 2' > part.lua", {["part.lua"] = "return 1"})
    expect("shadow", "require 'low'", "echo 'return 2' > low.lua", {["low/init.lua"] = "return 1"})
    expect("pcalled", "pcall(require, 'maybe')", "echo 'return 2' > maybe.lua")
  end)

  it("sees that a file changed that was read in any way", function()
    expect("opened", "io.open('o.txt'):read('a')", "echo 2 > o.txt", {["o.txt"] = "1"})
    expect("lines", "for _ in io.lines('l.txt') do end", "echo 2 > l.txt", {["l.txt"] = "1"})
    expect("loaded", OPEN .. "pg.load('c.csv')", "echo 2,2 > c.csv", {["c.csv"] = "1,2\n"})
    expect("chunk", "loadfile('r.lua')", "echo 'return 2' > r.lua", {["r.lua"] = "return 1"})
    expect("gone", "io.open('g.txt')", "rm g.txt", {["g.txt"] = "1"})
    expect("came", "io.open('n.txt')", "echo 1 > n.txt")
  end)

  it("sees that optional data came, and that a file stands before another", function()
    expect("optional", OPEN .. "ex:data('extra.csv', {optional = true})", "echo 1,2 > extra.csv")
    expect("before", OPEN .. "ex:data('d.csv')", "echo 9,9 > d.csv", {["build/data/d.csv"] = "1,2\n"})
  end)

  it("sees that what was left is gone or cut short", function()
    local script = OPEN .. "ex:metric('v', 1) ex:figure('f', pg.zeros(4, 4)) pg.save(ex.dir .. '/deep.npy', pg.ones(3))"
    expect("metrics", script, "rm metrics.out/metrics/metrics.json")
    expect("figure", script, "rm figure.out/figure/f.png")
    expect("array", script, ": > array.out/array/deep.npy")
    expect("below", "os.execute('mkdir -p $PERIGEE_JOB/sub; echo 1 > $PERIGEE_JOB/sub/x')", "rm below.out/below/sub/x")
  end)

  it("is not misled by what a job writes and reads itself", function()
    expect("cache", [[
local f = io.open("cache.txt") if not f then f = io.open("cache.txt", "w") f:write("1") f:close() end
io.open("cache.txt"):close()]], "echo '-- edited' >> cache.lua")
    expect("state", OPEN .. "pcall(pg.load, 'state.npy') pg.save('state.npy', ex.rng:random(3))",
      "echo '-- edited' >> state.lua")
  end)
end)

it("hashes a data file once a batch", function()
  write("big.bin", ("x"):rep(1 << 20))
  for i = 1, 6 do write("once/job" .. i .. ".lua", "require('perigee').experiment{}:data('big.bin')") end
  assert.equal(0, (run("-j 1 --out once.out once")))
  local hashes = {}
  for i = 1, 6 do
    local manifest = json(("once.out/job%d/manifest.json"):format(i))
    hashes[manifest.data[1].sha256] = true
    assert.equal(64, #manifest.data[1].sha256)
  end
  assert.is_nil(next(hashes, next(hashes)))
  local status, out, err = tool.sh(("cd %s && strace -f -c -o /dev/null true 2>/dev/null || exit 99\n"
    .. "strace -f -e trace=read,openat -o trace %s run -j 1 --resume --out once.out once"):format(folder, program))
  if status == 99 or status == 127 then return end -- no strace here
  assert.equal(0, status, out .. err)
  local _, opened = tool.sh("grep -c 'big.bin' " .. folder .. "/trace")
  assert.equal(1, tonumber(opened))
end)
