-- SPDX-License-Identifier: MIT
-- `perigee run --launcher`: batches that workers share, started by hand, and by shell scripts that stand in for Slurm
-- and give whatever answer a test wants. tests/cluster has the real one.
local tool = dofile("tests/cli/tool.lua")

local folder, program

setup(function()
  folder = tool.folder()
  program = tool.quote(tool.program)
end)
teardown(function() tool.remove(folder) end)

local function script(name, text) tool.write(folder .. "/" .. name .. ".lua", text) end

local function sh(command)
  return tool.sh(("cd %s && export PERIGEE_GRACE=1 P=%s ASAN_OPTIONS=handle_segv=0; %s"):format(folder, program,
    command))
end

local function json(path)
  local text = assert(tool.read(folder .. "/" .. path), path)
  local ok, cjson = pcall(require, "cjson")
  if not ok then cjson = require("dkjson") end
  return cjson.decode(text)
end

-- What a report says of each job, without what a machine and an hour make of it.
local function outcomes(path)
  local list = {}
  for i, job in ipairs(json(path .. "/summary.json").jobs) do
    list[i] = {job.name, job.state, job.exit, job.reason, job.metrics and job.metrics.x}
  end
  return list
end

local function states(path)
  local map = {}
  for _, job in ipairs(json(path .. "/summary.json").jobs) do map[job.name] = job.state end
  return map
end

local OK = [[
local pg = require "perigee"
local ex = pg.experiment{name = "ok", options = {x = 1, sleep = 0.0, word = ""}}
ex:metric("x", ex.options.x * 2)
io.open("runs", "a"):write(ex.options.x, "\n"):close()
local t = pg.clock()
while pg.clock() - t < ex.options.sleep do end
]]

local BAD = [[
local how = arg[1]:match("=(.*)")
if how == "error" then error("it broke") elseif how == "exit" then os.exit(7)
elseif how == "loop" then while true do end
elseif how == "crash" then os.execute("kill -SEGV $PPID")
elseif how == "fill" then local t = {} while true do t[#t + 1] = ("x"):rep(1e6) .. #t end
elseif how == "skip" then require "perigee".experiment{name = "s", options = {how = ""}}:skip("no data") end
]]

describe("--launcher files", function()
  setup(function()
    script("ok", OK)
    script("bad", BAD)
  end)

  it("has workers share the jobs, with the results of a local batch", function()
    assert.equal(0, (sh("$P run --out local --set x=1..6 ok.lua")))
    local status, out = sh("$P run --launcher files --detach --out two --set x=1..6 ok.lua")
    assert.equal(0, status)
    assert.truthy(out:find("run --worker --out two", 1, true) and out:find("--attach --out two", 1, true), out)
    assert.equal(0, (sh("$P run --worker --out two & $P run --worker --out two; s=$?; wait; exit $s")))
    assert.equal(0, (sh("$P run --attach --out two")))
    assert.same(outcomes("local"), outcomes("two"))
    local manifest = json("two/ok,x=1/manifest.json")
    assert.equal("files", manifest.launcher)
    assert.truthy(manifest.host and manifest.attempt and manifest.submitted)
    assert.equal(json("local/ok,x=1/manifest.json").key, manifest.key)
  end)

  it("ends jobs as a local batch does", function()
    local set = "--timeout 5 --memory 100 --set how=fine,error,exit,loop,crash,fill,skip bad.lua"
    assert.equal(1, (sh("$P run --out bad1 " .. set)))
    sh("$P run --launcher files --detach --out bad2 " .. set)
    assert.equal(0, (sh("$P run --worker --out bad2")))
    assert.equal(1, (sh("$P run --attach --out bad2")))
    assert.same(outcomes("bad1"), outcomes("bad2"))
    assert.equal(7, #outcomes("bad2"))
  end)

  it("gives back the job of a worker that is told to stop", function()
    sh("$P run --launcher files --detach --out stop --set sleep=2 ok.lua")
    local _, out = sh("$P run --worker --out stop & w=$!; sleep 1; kill -TERM $w; wait $w; echo rc $?; " ..
      "ls stop/.batch/todo")
    assert.truthy(out:find("given back: the batch got SIGTERM\nrc 1\n1\n", 1, true), out)
    assert.is_nil(tool.read(folder .. "/stop/ok,sleep=2/metrics.json"))
    assert.equal(0, (sh("$P run --worker --out stop && $P run --attach --out stop")))
  end)

  it("loses a worker that is killed, and says so", function()
    sh("$P run --launcher files --detach --out kill --set sleep=30 --set x=1,2 ok.lua")
    -- The program, the worker that it keeps, and that one's job, which dies with it.
    local _, out = sh("child() { cat /proc/$1/task/$1/children; }; $P run --worker --out kill >w & w=$!; sleep 1; " ..
      "v=$(child $w); j=$(child $v); kill -KILL $w $v; sleep 1; grep -q ' [RSD] ' /proc/$j/stat || echo gone; " ..
      "$P run --collect --out kill; echo rc $?; $P run --out kill ok.lua; echo rc $?")
    assert.truthy(out:find("gone\n", 1, true), out)
    assert.truthy(out:find("2 jobs: 2 interrupted", 1, true) and out:find("rc 1\n", 1, true), out)
    assert.equal("not finished yet", outcomes("kill")[1][4])
    assert.truthy(out:find("rc 2\n$"), out)
    _, out = sh("$P run --cancel --out kill")
    assert.truthy(out:find("left no result", 1, true), out)
    assert.same({"killed", "interrupted"}, {outcomes("kill")[1][2], outcomes("kill")[2][2]})
    assert.equal(0, (sh("$P run --out kill --resume --set sleep=0 --set x=1,2 ok.lua")))
  end)

  it("takes the attempt that ends first, and leaves the other aside", function()
    sh("$P run --launcher files --detach --out first --set sleep=2 ok.lua")
    local _, out = sh("$P run --worker --out first >a & sleep 1; mv first/.batch/taken/1@* first/.batch/todo/1; " ..
      "$P run --worker --out first >b & wait %1; j='first/ok,sleep=2'; cat $j/* | sha256sum; wait; " ..
      "cat $j/* | sha256sum; cat a b; ls first/.batch/attempts")
    local before, after = out:match("^(%x+) .-\n(%x+) ")
    assert.equal(before, after, out)
    assert.truthy(out:find("another attempt was first", 1, true) and out:find("1@", 1, true), out)
    assert.equal(0, (sh("$P run --attach --out first")))
  end)

  it("runs each of many small jobs once", function()
    sh("rm -f runs; $P run --launcher files --detach --out many --set x=1..60 ok.lua")
    local _, out = sh("for i in 1 2 3 4 5 6 7 8; do $P run --worker --out many >/dev/null & done; wait; " ..
      "sort -n runs | uniq -d | wc -l; wc -l <runs; ls many/.batch/todo | wc -l; ls many/.batch/done | wc -l; " ..
      "ls many/.batch/attempts | wc -l")
    assert.equal("0\n60\n0\n60\n0\n", (out:gsub(" ", "")))
  end)

  it("believes no result before it is whole", function()
    sh("$P run --launcher files --detach --out half ok.lua; printf '{\"state\": \"pas' >half/.batch/done/1.json")
    local status, out = sh("$P run --attach --out half & a=$!; sleep 1; $P run --worker --out half >w; wait $a")
    assert.equal(0, status, out)
    assert.equal("passed", states("half").ok)
  end)

  it("runs what was submitted, or nothing", function()
    script("edited", "print(1)")
    sh("cp $P prog; ./prog run --launcher files --detach --out edit edited.lua; ./prog run --launcher files " ..
      "--detach --out other edited.lua; echo 'print(2)' >edited.lua; ./prog run --worker --out edit; " ..
      "$P run --attach --out edit")
    assert.equal("edited.lua: changed since the batch was submitted", outcomes("edit")[1][4])
    sh("printf x >>prog; ./prog run --worker --out other; $P run --attach --out other; rm prog")
    assert.truthy(outcomes("other")[1][4]:find("another program than the one that submitted", 1, true))
  end)

  it("lets any number attach, collect and leave", function()
    sh("$P run --launcher files --detach --out att --set sleep=2 --set x=1,2 ok.lua")
    local status, out = sh("$P run --worker --out att >w & ($P run --attach --out att >a1; echo $? >>a1) & " ..
      "($P run --attach --out att >a2; echo $? >>a2) & sleep 1; $P run --collect --out att; wait; tail -n 1 a1 a2")
    assert.equal(0, status)
    assert.truthy(out:find("2 interrupted", 1, true) or out:find("1 passed, 1 interrupted", 1, true), out)
    assert.truthy(out:find("a1 <==\n0\n", 1, true) and out:find("a2 <==\n0", 1, true), out)
    sh("$P run --launcher files --detach --out ctrl ok.lua")
    status, out = sh("$P run --attach --out ctrl >c & a=$!; sleep 1; kill -INT $a; wait $a; echo rc $?; cat c")
    assert.equal(0, status)
    assert.truthy(out:find("rc 130", 1, true), out)
    assert.truthy(out:find("the batch goes on: perigee run --attach --out ctrl", 1, true), out)
    status, out = sh("$P run --cancel --out ctrl; ls ctrl/ok")
    assert.equal(0, status)
    assert.truthy(out:find("1 interrupted", 1, true) and out:find("it was not started", 1, true), out)
  end)

  it("refuses a folder whose batch goes on, and takes over one that is over", function()
    sh("$P run --launcher files --detach --out busy --set x=1,2 ok.lua")
    local status, _, err = sh("$P run --out busy ok.lua")
    assert.equal(2, status)
    assert.equal("perigee run: busy: its batch goes on still (0 of 2 jobs have ended); --attach waits for it, " ..
      "--cancel ends it\n", err)
    sh("$P run --worker --out busy")
    assert.equal(0, (sh("$P run --out busy ok.lua")))
    assert.is_nil(tool.read(folder .. "/busy/.batch/batch.json"))
  end)

  it("keeps with --resume what either way of running made", function()
    sh("rm -f runs; $P run --out res --set x=1,2 ok.lua; $P run --launcher files --detach --resume --out res " ..
      "--set x=1,2,3 ok.lua; $P run --worker --out res; $P run --attach --out res")
    assert.equal("1\n2\n3\n", (select(2, sh("sort runs"))))
    local _, out = sh("$P run --resume --out res --set x=1,2,3 ok.lua; sort runs")
    assert.truthy(out:find("3 passed", 1, true) and out:find("1\n2\n3\n$"), out)
  end)

  it("ends when the folder is taken away under it", function()
    sh("$P run --launcher files --detach --out away ok.lua")
    local status, out = sh("$P run --attach --out away & a=$!; sleep 1; rm -r away/.batch; wait $a")
    assert.equal(1, status)
    assert.truthy(out:find("it was not started", 1, true), out)
  end)

  it("takes names that shells trip over", function()
    sh([[$P run --launcher files --detach --out 'o d' --set "word=a b,it's,x\"y" ok.lua; $P run --worker --out 'o d']])
    assert.equal(0, (sh("$P run --attach --out 'o d'")))
    assert.equal(3, #outcomes("o d"))
  end)

  it("keeps a sandbox around each attempt", function()
    script("boxed", [[
local pg = require "perigee"
local ex = pg.experiment{name = "boxed"}
ex:metric("x", 1)
assert(not pcall(function() return pg._process end))
]])
    sh("$P run --launcher files --detach --sandbox --out box boxed.lua; $P run --worker --out box")
    local status, out = sh("$P run --attach --out box")
    assert.equal(0, status, out)
    assert.equal(1, outcomes("box")[1][5])
  end)

  it("says what it cannot do", function()
    for text, command in pairs{
      ["nowhere: no batch was submitted there"] = "--attach --out nowhere",
      ["nowhere2: no batch was submitted there"] = "--worker --out nowhere2",
      ["--attach: takes no script, the batch in --out has them; got 'ok.lua'"] = "--attach ok.lua",
      ["--attach and --cancel: give one of them"] = "--cancel --attach",
      ["--workers: belongs to --launcher slurm or files"] = "--workers 2 ok.lua",
      ["--detach: belongs to --launcher slurm or files"] = "--detach ok.lua",
      ["--slurm: belongs to --launcher slurm"] = "--launcher files --slurm a=b ok.lua",
      ["--slurm: expected an option of sbatch such as partition=long, got 'array=1-5'"] =
        "--launcher slurm --slurm array=1-5 ok.lua",
      ["--ranks: expected more than 0, got 0"] = "--ranks 0 ok.lua",
      ["--launcher: 'slrum' is not one of local, slurm, files; did you mean 'slurm'?"] = "--launcher slrum ok.lua",
    } do
      local status, _, err = sh("$P run " .. command)
      assert.equal(2, status)
      assert.equal("perigee run: " .. text .. "\n", err)
    end
  end)
end)

describe("--launcher slurm, with a stand-in", function()
  setup(function()
    script("ok", OK)
    tool.sh("mkdir -p " .. folder .. "/bin")
    local function bin(name, text)
      tool.write(folder .. "/bin/" .. name, "#!/bin/sh\ncd " .. folder .. "\n" .. text)
      tool.sh("chmod +x " .. folder .. "/bin/" .. name)
    end
    -- Each does what a file of its name says, or what a Slurm of this machine would.
    bin("sbatch", [[
for w; do echo "$w"; done >words; env >environment; echo x >>calls
[ ! -f say_sbatch ] || . ./say_sbatch
for w; do case $w in --array=1-*) n=${w#--array=1-}; n=${n%%%*} ;; esac; last=$w; done
: >queue; i=0
while [ $i -lt $n ]; do
  i=$((i + 1))
  (SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$i sh -c "$last"; touch ended.$i) >/dev/null 2>&1 </dev/null &
done
echo "${answer:-77}"
]])
    bin("squeue", [[
echo x >>polls
[ ! -f say_squeue ] || . ./say_squeue
case "$*" in *%F*) cat found 2>/dev/null; exit 0 ;; esac
for f in ended.*; do [ -f "$f" ] && printf '%-12s%-22s%-40s%-80s\n' "${f#ended.}" COMPLETED n1 None; done
exit 0
]])
    bin("scancel", 'echo "$@" >cancelled\n')
    bin("scontrol", '[ ! -f say_scontrol ] || . ./say_scontrol\necho "MaxArraySize            = 1001"\n')
  end)
  before_each(function()
    tool.sh(("cd %s && rm -rf out say_* calls polls words found cancelled ended.* runs"):format(folder))
  end)

  local function slurm(arguments, before)
    return sh(("export PATH=$PWD/bin:$PATH; %s $P run --launcher slurm --out out %s"):format(before or "", arguments))
  end
  local function say(name, text) tool.write(folder .. "/say_" .. name, text .. "\n") end
  local function lines(name)
    return select(2, (tool.read(folder .. "/" .. name) or ""):gsub("\n", ""))
  end

  it("submits one array and reports", function()
    local status, out = slurm("-j 2 --set x=1..3 ok.lua")
    assert.equal(0, status, out)
    local words = tool.read(folder .. "/words")
    for _, word in ipairs{"%-%-parsable", "%-%-array=1%-3%%2", "%-%-cpus%-per%-task=1", "%-%-job%-name=perigee%-%x+"} do
      assert.truthy(words:find("%f[^\n%z]" .. word .. "\n"), words)
    end
    assert.falsy(words:find("--mem", 1, true) or words:find("--time", 1, true))
    assert.truthy(out:find("submitted to Slurm: job 77, 3 workers for 3 jobs\n", 1, true), out)
    assert.equal("slurm", json("out/ok,x=1/manifest.json").launcher)
  end)

  it("reads its answer through what stands around it", function()
    say("sbatch", "echo 'sbatch: warning: slow' >&2; answer='77;cluster'")
    assert.equal(0, (slurm("ok.lua")))
    assert.equal("77", json("out/.batch/batch.json").slurm)
  end)

  it("passes on why it refuses, and leaves nothing", function()
    say("sbatch", "echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2; exit 1")
    local status, _, err = slurm("--slurm partition=none ok.lua")
    assert.equal(2, status)
    assert.truthy(err:find("Batch job submission failed: Invalid partition name specified", 1, true), err)
    assert.equal(1, lines("calls"))
    assert.is_nil(tool.read(folder .. "/out/.batch/batch.json"))
    say("sbatch", "echo 'Job violates accounting/QOS policy (job submit limit)' >&2; exit 1")
    _, _, err = slurm("ok.lua")
    assert.truthy(err:find("--workers N makes fewer tasks, which share the jobs", 1, true), err)
  end)

  it("names the package where Slurm is missing", function()
    local status, _, err = sh("mkdir -p none; for c in sh env timeout rm; do ln -sf $(command -v $c) none; done; " ..
      "PATH=$PWD/none $P run --launcher slurm --out out ok.lua")
    assert.equal(2, status)
    assert.truthy(err:find("needs Slurm's programs here (Debian: slurm-client)", 1, true), err)
  end)

  it("does not submit twice when the answer is lost", function()
    say("sbatch", "echo 77 >found; touch ended.1; echo 'sbatch: error: Socket timed out' >&2; exit 1")
    slurm("--detach ok.lua")
    assert.equal(1, lines("calls"))
    assert.equal("77", json("out/.batch/batch.json").slurm)
  end)

  it("waits through silence, and says so once", function()
    say("squeue", "[ $(wc -l <polls) -gt 2 ] || { echo 'slurm_load_jobs error: Unable to contact'; exit 1; }")
    local status, out = slurm("--set sleep=4 ok.lua")
    assert.equal(0, status, out)
    assert.equal(1, select(2, out:gsub("does not answer", "")), out)
  end)

  it("takes no empty answer and no unknown word for an end", function()
    say("squeue", "case $(wc -l <polls) in 1) exit 0 ;; 2) printf '%-12s%-22s%-40s%-80s\\n' 1 BREAKFAST n1 None; " ..
      "exit 0 ;; esac")
    local status, out = slurm("--set sleep=5 ok.lua")
    assert.equal(0, status, out)
  end)

  it("gives each job of a batch that Slurm forgot a state", function()
    say("sbatch", "echo 77; exit 0")
    say("squeue", "echo 'slurm_load_jobs error: Invalid job id specified'; exit 1")
    local status, out = slurm("--set x=1,2 ok.lua")
    assert.equal(1, status)
    assert.same({["ok,x=1"] = "interrupted", ["ok,x=2"] = "interrupted"}, states("out"))
    assert.truthy(out:find("it was not started", 1, true), out)
  end)

  it("names the state of a task that left no result", function()
    say("sbatch", "echo 77; mkdir -p out/.batch/log; exit 0")
    for i, row in ipairs{{"TIMEOUT", "timed_out"}, {"OUT_OF_MEMORY", "out_of_memory"}, {"CANCELLED", "interrupted"},
      {"NODE_FAIL", "killed"}} do
      say("squeue", ("printf '%%-12s%%-22s%%-40s%%-80s\\n' 1 %s n2 None; exit 0"):format(row[1]))
      tool.sh(("rm -rf %s/out"):format(folder))
      local status = slurm("ok.lua",
        "(for i in $(seq 600); do mv out/.batch/todo/1 'out/.batch/taken/1@77_1.0' && break; sleep 0.1; done) "
        .. ">/dev/null 2>&1 &")
      assert.equal(1, status)
      assert.equal(row[2], states("out").ok, i)
      assert.equal(("Slurm: task 77_1 is %s on n2"):format(row[1]), outcomes("out")[1][4])
    end
  end)

  it("shares more jobs than an array may have tasks", function()
    say("scontrol", "echo 'MaxArraySize            = 11'; exit 0")
    local status = slurm("--set x=1..25 ok.lua")
    assert.equal(0, status)
    assert.truthy(tool.read(folder .. "/words"):find("--array=1-10\n", 1, true))
    assert.equal(25, lines("runs"))
  end)

  it("hands down the environment without an allocation's", function()
    slurm("ok.lua", "export SLURM_JOB_ID=5 SBATCH_PARTITION=x PMI_RANK=0 OMPI_COMM_WORLD_RANK=1 SLURM_CONF=/c OTHER=1;")
    local environment = tool.read(folder .. "/environment")
    for _, name in ipairs{"SLURM_JOB_ID", "SBATCH_PARTITION", "PMI_RANK", "OMPI_COMM_WORLD_RANK"} do
      assert.falsy(environment:find("%f[^\n%z]" .. name .. "="), name)
    end
    assert.truthy(environment:find("SLURM_CONF=/c\n", 1, true) and environment:find("OTHER=1\n", 1, true))
  end)

  it("asks for the time and memory that workers need", function()
    for seconds, minutes in pairs{[20] = {2, 4}, [59] = {3, 7}, [60] = {3, 7}, [61] = {3, 7}} do
      for i, workers in ipairs{5, 1} do
        local _, out = slurm(("--dry-run --timeout %d --memory 100 --workers %d --set x=1..5 ok.lua"):format(seconds,
          workers))
        local wanted = math.ceil((5 / workers * (seconds + 5) + 90) / 60)
        assert.truthy(out:find(("--mem=420M --time=%d "):format(wanted), 1, true), out .. minutes[i])
      end
    end
    local _, out = slurm("--dry-run --timeout 60 --slurm time=7 ok.lua")
    assert.truthy(out:find("--time=7 ", 1, true) and not out:find("--time=3", 1, true), out)
    assert.is_nil(tool.read(folder .. "/out/.lock"))
  end)

  it("asks the less the longer it waits", function()
    -- The intervals of files.lua: 2 s, growing by a fifth up to 30 s.
    local every, at, polls = 2, 0, 0
    while at < 3600 do
      every, at, polls = math.min(30, every * 1.2), at + every, polls + 1
    end
    assert.truthy(polls <= 135, polls)
  end)

  it("ends a batch by its name and number", function()
    say("squeue", "exit 0")
    slurm("--detach --set sleep=20 ok.lua")
    local _, out = sh("sleep 1; PATH=$PWD/bin:$PATH $P run --cancel --out out; cat cancelled")
    assert.truthy(out:find("%-%-name=perigee%-%x+ 77\n"), out)
    assert.truthy(out:find("interrupted", 1, true) or out:find("killed", 1, true), out)
  end)
end)
