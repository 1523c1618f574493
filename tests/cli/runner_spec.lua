-- SPDX-License-Identifier: MIT
-- `perigee run`: the ways in which jobs end, sweeps, resuming, and that nothing is left running.
local tool = dofile("tests/cli/tool.lua")

local folder, program

setup(function()
  folder = tool.folder()
  program = tool.quote(tool.program)
end)
teardown(function() tool.remove(folder) end)

local function script(name, text)
  tool.sh("mkdir -p " .. tool.quote(folder .. "/" .. (name:match("^(.*)/") or "")))
  tool.write(folder .. "/" .. name .. ".lua", text)
end

local function batch(arguments)
  -- A sanitizer would turn a job's signal into an exit status.
  return tool.sh(("cd %s && ASAN_OPTIONS=handle_segv=0 %s run %s"):format(folder, program, arguments))
end

-- JSON by a reader that is not ours.
local function json(path)
  local text = assert(tool.read(folder .. "/" .. path), path)
  local ok, cjson = pcall(require, "cjson")
  if not ok then cjson = require("dkjson") end
  return cjson.decode(text)
end

local function states(path)
  local map = {}
  for _, job in ipairs(json(path .. "/summary.json").jobs) do map[job.name] = job.state end
  return map
end

local TRIVIAL = [[
local pg = require "perigee"
local ex = pg.experiment{options = {lr = 0.5, dims = {1, 2}, word = "a"}}
ex:metric("loss", ex.options.lr * ex.seed)
ex:metric("draw", ex.rng:random())
]]

describe("a batch of which half goes wrong", function()
  local status, out, err

  setup(function()
    for i = 1, 5 do script("bad/good" .. i, TRIVIAL) end
    script("bad/plain", "print('a plain script')")
    script("bad/raises", "print('before')\nerror('no such luck')")
    script("bad/fills", "local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end")
    -- Memory that the state's allocator does not see: a child's.
    script("bad/swells", [[os.execute("echo $$ > bad/swells.pid; exec perl -e '$x = q(x) x 900_000_000; sleep 100'")]])
    script("bad/crashes", "os.execute('kill -SEGV $PPID') while true do end")
    script("bad/forks", "os.execute('sleep 7777 & echo $! > bad/forks.pid')\nprint('the parent is done')")
    script("bad/floods", "local line = ('y'):rep(65535) .. '\\n'\n" ..
      "for i = 1, 2^14 do io.write(line) end print('an end')")
    status, out, err = batch("-j 2 --memory 150 --out bad.out bad")
  end)

  it("names each state, and the others finish", function()
    assert.equal(1, status, out .. err)
    assert.same({
      good1 = "passed", good2 = "passed", good3 = "passed", good4 = "passed", good5 = "passed", plain = "passed",
      raises = "failed", fills = "out_of_memory", swells = "out_of_memory", crashes = "killed",
      forks = "passed", floods = "passed",
    }, states("bad.out"))
  end)

  it("says why the moment a job fails, and at the end how many", function()
    assert.truthy(out:find("raises.-\n    bad/raises.lua:2: no such luck\n    | before\n"), out)
    assert.truthy(out:find("crashes.-\n    by SIGSEGV\n"), out)
    assert.truthy(out:find("swells.-\n    used %d+ MB; the budget is 150 MB and 256 MB more\n"), out)
    assert.truthy(out:find("12 jobs: 8 passed, 1 failed, 1 killed, 2 out of memory", 1, true), out)
    assert.truthy(out:find("bad.out/index.html\n$"))
  end)

  it("leaves nothing running", function()
    for _, name in ipairs{"swells", "forks"} do
      local pid = tonumber(tool.read(folder .. "/bad/" .. name .. ".pid"))
      assert.not_equal(0, (tool.sh("kill -0 " .. pid)), name)
    end
  end)

  it("caps the log with a note, and keeps its end", function()
    local log = tool.read(folder .. "/bad.out/floods/log.txt")
    assert.truthy(#log < 1.2 * 2 ^ 20, #log)
    assert.truthy(log:find("\n%[perigee: %d+ bytes of output left out here%]\n"))
    assert.truthy(log:find("an end\n$"))
    local kept = tool.read(folder .. "/bad.out/forks/log.txt")
    assert.truthy(kept:find("the parent is done\n\n[perigee: killed 1 process left behind]", 1, true), kept)
  end)

  it("writes JSON and XML that other programs read", function()
    local summary = json("bad.out/summary.json")
    assert.equal(12, #summary.jobs)
    for _, job in ipairs(summary.jobs) do
      for _, field in ipairs{"name", "script", "settings", "state", "exit", "seconds", "peak_mb", "metrics"} do
        assert.not_nil(job[field], job.name .. " " .. field)
      end
    end
    local code, _, why = tool.sh(("cd %s && /usr/bin/python3 -c '%s'"):format(folder, [[
import xml.etree.ElementTree as e
r = e.parse("bad.out/junit.xml").getroot()
assert (r.get("tests"), r.get("failures"), r.get("errors")) == ("12", "1", "3"), r.attrib
assert len(r.findall(".//testcase")) == 12 and len(r.findall(".//failure")) == 1
]]))
    if code ~= 127 then assert.equal(0, code, why) end
    local manifest = json("bad.out/good1/manifest.json")
    assert.equal("passed", manifest.state)
    assert.equal(64, #manifest.script.sha256)
    assert.equal(1, manifest.threads)
    for _, field in ipairs{"versions", "blas_core", "cpu", "seed", "started", "ended", "peak_mb", "options", "data"} do
      assert.not_nil(manifest[field], field)
    end
  end)

  it("makes a page that holds everything and fetches nothing", function()
    local page = tool.read(folder .. "/bad.out/index.html")
    for _, text in ipairs{"no such luck", "out of memory", "by SIGSEGV", "good5"} do
      assert.truthy(page:find(text, 1, true), text)
    end
    assert.falsy(page:find('src="[^d]'))
    assert.falsy(page:find("https?://"))
  end)
end)

it("keeps the end of a log while the job runs", function()
  script("log/floods", [[
local line = ("y"):rep(1023) .. "\n"
for round = 1, 3 do
  for i = 1, 1500 do io.write(line) end
  print("round " .. round)
  -- The log says so before the job goes on.
  while not io.open(os.getenv("PERIGEE_JOB") .. "/log.txt"):read("a"):find("round " .. round, 1, true) do end
end
print("the very end")]])
  local status, out, err = batch("--out log.out log")
  assert.equal(0, status, out .. err)
  local text = tool.read(folder .. "/log.out/floods/log.txt")
  assert.truthy(text:find("y\nround 3\nthe very end\n$"))
  assert.equal(1, select(2, text:gsub("bytes of output left out here", "")))
  assert.truthy(#text < (1 << 20) + (1 << 16) + 200, #text)
end)

it("goes on where the file system knows no locks, and says so", function()
  if os.getenv("SANITIZED") then return end
  tool.write(folder .. "/noflock.c", "#include <errno.h>\n#include <stdlib.h>\nint flock(int fd, int how) " ..
    '{ (void)fd, (void)how; errno = atoi(getenv("FLOCK_ERRNO")); return -1; }\n')
  local compile = ("cd %s && %s -shared -fPIC -o noflock.so noflock.c"):format(folder, os.getenv("CC") or "cc")
  assert.equal(0, (tool.sh(compile)))
  script("nolock/one", TRIVIAL)
  -- ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL; and EWOULDBLOCK, which is another batch.
  for number, wanted in pairs{[38] = 0, [95] = 0, [37] = 0, [22] = 0, [11] = 2} do
    local status, _, err = tool.sh(("cd %s && FLOCK_ERRNO=%d LD_PRELOAD=./noflock.so %s run --out nolock.out nolock")
      :format(folder, number, program))
    assert.equal(wanted, status, number .. err)
    assert.truthy(err:find(wanted == 0 and "this file system has no locks" or "another batch runs there", 1, true), err)
  end
end)

it("ends a job that runs too long, whatever it does about it", function()
  script("slow/loops", "print('looping') while true do end")
  script("slow/deaf", "os.execute(\"trap '' TERM; echo deaf; while :; do sleep 1; done\")")
  script("slow/catches", "while true do pcall(function() while true do end end) end")
  local status, out = batch("-j 3 --timeout 1 --out slow.out slow")
  assert.equal(1, status, out)
  assert.same({loops = "timed_out", deaf = "timed_out", catches = "timed_out"}, states("slow.out"))
  assert.truthy(out:find("loops.-\n    ran longer than 1.0 s\n    | looping\n"), out)
end)

describe("a batch that is killed by SIGKILL", function()
  -- Its jobs have started what left their session.
  local function is_over(name, pick)
    script("kept/" .. name, ([[
os.execute("setsid sleep 987 & echo $! > kept/%s.setsid; sleep 987 & echo $! > kept/%s.plain")
os.execute("sleep 987")]]):format(name, name))
    local status, out, err = tool.sh(("cd %s && { %s run --out %s.out kept/%s.lua & pid=$!; %s; }"):format(folder,
      program, name, name, ("until [ -s kept/%s.plain ]; do sleep 0.02; done; %s; wait $pid"):format(name, pick)))
    for _, kind in ipairs{"setsid", "plain"} do
      local pid = tonumber(tool.read(folder .. "/kept/" .. name .. "." .. kind))
      -- It is dead, or about to be: what was killed has at most to be waited for.
      local left = tool.sh(("for i in $(seq 500); do kill -0 %d || exit 0; sleep 0.02; done 2>/dev/null; exit 1")
        :format(pid))
      assert.equal(0, left, kind .. out .. err)
    end
    return status
  end

  it("leaves nothing running", function()
    local inner = "kill -KILL $(cat /proc/$pid/task/$pid/children)"
    assert.equal(128 + 9, is_over("inner", inner))
    is_over("outer", "kill -KILL $pid")
  end)
end)

describe("a sweep", function()
  setup(function() script("s/one", TRIVIAL) end)

  it("runs every combination in a folder of its own", function()
    local status, out = batch("-j 2 --out sweep --set lr=0.1,0.01 --set seed=1..3 --set dims=[1,2],[3] s/one.lua")
    assert.equal(0, status, out)
    local summary = json("sweep/summary.json")
    assert.equal(12, #summary.jobs)
    local job = summary.jobs[2]
    assert.equal("one,lr=0.1,seed=1,dims=[3]", job.name)
    assert.same({lr = 0.1, seed = 1, dims = "[3]"}, job.settings)
    assert.same({3}, json("sweep/" .. job.name .. "/metrics.json").options.dims)
    assert.equal(0.1, job.metrics.loss)
    local page = tool.read(folder .. "/sweep/index.html")
    assert.truthy(page:find("<h3>Sweep</h3>", 1, true))
    assert.truthy(page:find('<svg class="chart"', 1, true))
    -- The best run by its settings, a row that leads to its job, the mean over seeds, curves, the folded jobs behind.
    local at = 1
    for _, text in ipairs{'<a href="#sweep-1">', "<h3>Sweep</h3>", "<h3>Least and greatest</h3>", '<td>loss</td>',
      '<a href="#job-1">lr=0.1, seed=1, dims=[1,2]</a>', "over seeds</h3>", '<td class="n">3</td>',
      '<table class="sorts runs" data-runs="1">', '<td class="n" data-v="0.1', '<details class="all">',
      'id="job-1"'} do
      local first, last = page:find(text, at, true)
      assert(first, text)
      at = last
    end
    local csv = tool.read(folder .. "/sweep/metrics.csv")
    assert.equal("job,script,state,seconds,peak_mb,lr,seed,dims,loss,draw", csv:match("^[^\n]*"))
    assert.matches('\n"one,lr=0.1,seed=1,dims=%[3%]",s/one.lua,passed,[%d.e+-]+,[%d.e+-]+,0.1,1,%[3%],0.1', csv)
  end)

  it("gives the same numbers with -j 1, -j 2 and twice", function()
    for name, jobs in pairs{j1 = 1, j2 = 2, again = 2} do
      assert.equal(0, (batch(("-j %d --seed 7 --set lr=1,2 --out %s s/one.lua"):format(jobs, name))))
    end
    for _, job in ipairs{"one,lr=1", "one,lr=2"} do
      local text = tool.read(folder .. "/j1/" .. job .. "/metrics.json")
      assert.equal(text, tool.read(folder .. "/j2/" .. job .. "/metrics.json"))
      assert.equal(text, tool.read(folder .. "/again/" .. job .. "/metrics.json"))
    end
  end)

  it("says what would run, and makes nothing", function()
    local status, out = batch("--dry-run --set word='a b',c --seed 3 --out dry s/one.lua")
    assert.equal(0, status)
    assert.truthy(out:find("run   dry/one,word=a b: perigee s/one.lua --seed=3 '--word=a b'\n", 1, true), out)
    assert.is_nil(tool.read(folder .. "/dry/.lock"))
  end)

  it("passes --quick to the scripts that --quick-for names", function()
    script("s/two", TRIVIAL)
    local status, out = batch("--dry-run --quick-for ./s/two.lua --out dry s/one.lua s/two.lua")
    assert.equal(0, status)
    assert.truthy(out:find("perigee s/one.lua\n", 1, true), out)
    assert.truthy(out:find("perigee s/two.lua --quick\n", 1, true), out)
    local _, _, err = batch("--dry-run --quick-for s/two.lua --out dry s/one.lua")
    assert.truthy(err:find("--quick-for s/two.lua: it is not among the scripts", 1, true), err)
  end)

  it("keeps two scripts of one name apart", function()
    script("s/deep/one", TRIVIAL)
    assert.equal(0, (batch("--out apart s/one.lua s/deep/one.lua")))
    assert.same({one = "passed", ["deep/one"] = "passed"}, states("apart"))
  end)
end)

describe("--resume", function()
  it("runs what did not pass or has changed, and nothing else", function()
    local note = folder .. "/runs"
    local function text(i) return ("io.open(%q, 'a'):write('%d '):close()\n%s"):format(note, i, TRIVIAL) end
    for i = 1, 3 do script("r/job" .. i, text(i)) end
    script("r/job4", "io.open('" .. note .. "', 'a'):write('4 '):close() error('not yet')")
    assert.equal(1, (batch("-j 1 --out resume r")))
    assert.equal("1 2 3 4 ", tool.read(note))
    script("r/job2", text(2) .. "-- edited\n")
    assert.equal(1, (batch("-j 1 --resume --out resume r")))
    assert.equal("1 2 3 4 2 4 ", tool.read(note))
    script("r/job4", text(4))
    assert.equal(0, (batch("-j 1 --resume --out resume r")))
    assert.equal("1 2 3 4 2 4 4 ", tool.read(note))
    local status, out = batch("-j 1 --resume --out resume r")
    assert.equal(0, status)
    assert.equal("1 2 3 4 2 4 4 ", tool.read(note))
    assert.truthy(out:find("4 jobs: 4 passed", 1, true))
    assert.equal(0, (batch("-j 1 --resume --seed 9 --out resume r/job1.lua")))
    assert.equal("1 2 3 4 2 4 4 1 ", tool.read(note))
  end)

  it("notices changed data", function()
    script("d/reads", [[
local pg = require "perigee"
local ex = pg.experiment{}
local f = io.open(ex:data("numbers.txt")) ex:metric("size", #f:read("a")) f:close()
]])
    tool.write(folder .. "/d/numbers.txt", "1 2 3")
    assert.equal(0, (batch("--out data d")))
    tool.write(folder .. "/d/numbers.txt", "1 2 3 4")
    assert.equal(0, (batch("--resume --out data d")))
    assert.equal(7, json("data/summary.json").jobs[1].metrics.size)
  end)

  for _, signal in ipairs{"TERM", "INT"} do
    it("goes on after SIG" .. signal .. " has ended the batch and all its jobs", function()
      local dir, note = "i" .. signal, folder .. "/ran" .. signal
      for i = 1, 4 do
        script(dir .. "/job" .. i, ("io.open(%q, 'a'):write('%d '):close()\n"):format(note, i) ..
          (i > 1 and "if not io.open('go') then os.execute('echo $$ >>" .. dir .. ".pids; exec sleep 6666') end" or
            ""))
      end
      local started = os.time()
      local status, out = tool.sh(("cd %s && rm -f go && { %s run -j 2 --out %s.out %s & pid=$!; %s; }"):format(folder,
        program, dir, dir, ("until grep -q '2.*3\\|3.*2' %s; do sleep 0.05; done 2>/dev/null; kill -%s $pid; wait $pid")
          :format(note, signal)))
      assert.equal(1, status, out)
      assert.truthy(os.time() - started < 60) -- the jobs sleep for longer
      for pid in (tool.read(folder .. "/" .. dir .. ".pids") or ""):gmatch("%d+") do
        assert.not_equal(0, (tool.sh("kill -0 " .. pid)))
      end
      assert.same({job1 = "passed", job2 = "interrupted", job3 = "interrupted", job4 = "interrupted"},
        states(dir .. ".out"))
      tool.write(folder .. "/go", "")
      assert.equal(0, (batch("-j 1 --resume --out " .. dir .. ".out " .. dir)))
      local ran = {}
      for word in tool.read(note):gmatch("%d") do ran[#ran + 1] = word end
      table.sort(ran)
      assert.equal("1 2 2 3 3 4", table.concat(ran, " "))
    end)
  end
end)

describe("bad input", function()
  it("is refused before anything runs, with status 2 and the reason", function()
    script("b/fine", TRIVIAL)
    tool.write(folder .. "/file", "")
    for arguments, why in pairs{
      ["--timeot 3 b"] = "unknown option --timeot; did you mean --timeout?",
      ["b/none.lua"] = "b/none.lua: No such file",
      [""] = "name at least one script",
      ["--set lr b"] = "--set lr: no name with a = after it",
      ["--set lr=1,,2 b"] = "a value is empty",
      ["--set lr=[1,2 b"] = "a bracket is not closed",
      ["--set lr=1] b"] = "a bracket is closed that was not opened",
      ["--set seed=5..1 b"] = "the range 5..1 is empty",
      ["--set lr=1,1 b"] = "the value 1 comes twice",
      ["--set lr=1 --set lr=2 b"] = "lr is set twice",
      ["--jobs x b"] = "--jobs: expected an integer, got 'x'",
      ["-j 0 b"] = "--jobs: expected more than 0, got 0",
      ["--timeout"] = "--timeout: a value is missing",
      ["--out file b"] = "file: Not a directory",
      ["--out /proc/nowhere b"] = "/proc/nowhere: ",
    } do
      local status, out, err = batch(arguments)
      assert.equal(2, status, arguments .. out)
      assert.truthy(err:find(why, 1, true), arguments .. " -> " .. err)
      assert.equal("perigee run: ", err:sub(1, 13))
    end
  end)

  it("fails the job alone when the job is at fault", function()
    script("b/syntax", "x = = 1")
    script("b/option", "require('perigee').experiment{options = {epochs = 3}}")
    local status = batch("--out faults --set epoch=1 b/syntax.lua b/option.lua")
    assert.equal(1, status)
    local reasons = {}
    for _, job in ipairs(json("faults/summary.json").jobs) do
      assert.equal("failed", job.state)
      reasons[job.script] = job.reason
    end
    assert.truthy(reasons["b/syntax.lua"]:find("unexpected symbol near '='", 1, true))
    assert.truthy(reasons["b/option.lua"]:find("unknown option --epoch; did you mean --epochs?", 1, true))
  end)

  it("refuses a folder in which another batch runs", function()
    script("b/slow", "os.execute('sleep 1.2')")
    local run = program .. " run --out locked "
    local status, _, err = tool.sh(("cd %s && { %s b/slow.lua >/dev/null & sleep 0.5; %s b/fine.lua; }"):format(folder,
      run, run))
    assert.equal(2, status)
    assert.truthy(err:find("locked: another batch runs there (process ", 1, true), err)
  end)

  it("stops at the first failure with --fail-fast", function()
    script("f/a", "error('first')")
    script("f/b", "os.execute('sleep 5555')")
    script("f/c", "print('never')")
    assert.equal(1, (batch("-j 2 --fail-fast --out fast f")))
    assert.same({a = "failed", b = "interrupted", c = "interrupted"}, states("fast"))
  end)
end)

it("goes on when nobody reads its progress any more", function()
  for i = 1, 4 do script("p/job" .. i, "os.execute('sleep 0.2')") end
  tool.sh(("cd %s && { %s run -j 1 --out pipe p; echo $? >status; } | head -n 1; %s"):format(folder, program,
    "until [ -s status ]; do sleep 0.05; done"))
  assert.equal("0\n", tool.read(folder .. "/status"))
  assert.equal(4, #json("pipe/summary.json").jobs)
end)

it("takes less than 20 ms of the processor for a trivial job", function()
  for i = 1, 500 do script(("many/job%03d"):format(i), "return") end
  local function of_children() -- seconds; the clock on the wall tells of other programs too
    local fields = {}
    for field in tool.read("/proc/self/stat"):gsub("^.*%) ", ""):gmatch("%S+") do fields[#fields + 1] = field end
    return (fields[14] + fields[15]) / 100
  end
  local before = of_children()
  local status, out = batch("-j 2 --out many.out many")
  local seconds = of_children() - before
  assert.equal(0, status)
  assert.truthy(seconds > 0 and seconds < (os.getenv("SANITIZED") and 40 or 10), seconds .. " s")
  assert.truthy(out:find("500 jobs: 500 passed", 1, true))
end)

it("closes the jobs of --sandbox, which write their records all the same", function()
  script("x/closed", [[
local pg = require "perigee"
local ex = pg.experiment{}
ex:metric("program", os.execute and 1 or 0)
ex:metric("processes", pcall(function() return pg._process.start end) and 1 or 0)
ex:metric("password", pcall(pg._system.hash, "/etc/passwd") and 1 or 0)
ex:metric("outside", pcall(pg._system.write, "/tmp/perigee-outside", "") and 1 or 0)
ex:metric("elsewhere", pcall(pg._system.mkdirs, "../elsewhere") and 1 or 0)
]])
  local status, out = batch("--sandbox --out closed x")
  assert.equal(0, status, out)
  assert.same({program = 0, processes = 0, password = 0, outside = 0, elsewhere = 0},
    json("closed/summary.json").jobs[1].metrics)
end)

it("lets skipped jobs pass, and shows help", function()
  script("k/skips", "require('perigee').experiment{}:skip('no data here')")
  local status, out = batch("--out skip k")
  assert.equal(0, status)
  assert.truthy(out:find("no data here", 1, true))
  assert.same({skips = "skipped"}, states("skip"))
  status, out = batch("--help")
  assert.equal(0, status)
  assert.truthy(out:find("--[no-]", 1, true) == nil and out:find("-j, --jobs N", 1, true))
end)
