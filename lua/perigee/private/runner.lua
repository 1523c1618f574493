-- SPDX-License-Identifier: MIT
-- pg._runner.main(words...) -> exit status: `perigee run`. Each script and setting is a job in a process of its own;
-- this says what they are, has them run by a launcher (private/launch) and reports how each ended.
--
-- A job gets one BLAS thread unless --threads gives more, as far as the cores go: so results do not depend on -j.
local pg = ...
local display = pg._display
local evidence = pg._evidence
local files = pg["_launch/files"]
local json = pg._json
local manifest = pg._manifest
local options = pg._options
local process = pg._process
local result = pg._result
local sweep = pg._sweep
local system = pg._system
local watch = pg["_launch/local"]

local DECLARED = {
  {name = "jobs", short = "j", type = "integer", placeholder = "N", help = "how many run at a time (default: cores)"},
  {name = "out", type = "folder", default = "out", help = "where everything is written"},
  {name = "timeout", type = "number", placeholder = "S", help = "end a job that runs longer than S seconds"},
  {name = "memory", type = "integer", placeholder = "MB", help = "the budget of each job for Lua and arrays"},
  {name = "threads", type = "integer", default = 1, placeholder = "N",
    help = "BLAS threads of each job, as far as the cores go"},
  {name = "seed", type = "integer", placeholder = "N", help = "passed to every job"},
  {name = "quick", type = "flag", default = false, help = "passed to every job"},
  {name = "quick_for", type = "string", many = true, placeholder = "SCRIPT",
    help = "--quick for the jobs of this script; once for each"},
  {name = "set", type = "string", many = true, placeholder = "K=V[,V]",
    help = "a setting; several values are a sweep: lr=0.1,0.01 or seed=1..8"},
  {name = "resume", type = "flag", default = false, help = "run only what did not pass or has changed"},
  {name = "fail_fast", type = "flag", default = false, help = "stop at the first job that fails"},
  {name = "dry_run", type = "flag", default = false, help = "say what would run"},
  {name = "sandbox", type = "flag", default = false, help = "run each job without access to files and programs"},
  {name = "ranks", type = "integer", placeholder = "N", help = "each job is one program of N processes, see pg.mpi"},
  {name = "launcher", type = "string", default = "local", choices = {"local", "slurm", "files"},
    help = "who runs the jobs: this machine, Slurm, or workers that you start"},
  {name = "workers", type = "integer", placeholder = "N",
    help = "start N workers that share the jobs (default: one a job)"},
  {name = "slurm", type = "string", many = true, placeholder = "K=V", help = "an option of sbatch: partition=long"},
  {name = "detach", type = "flag", default = false, help = "submit the batch and leave it"},
  {name = "attach", type = "flag", default = false, help = "wait for the batch in --out and report"},
  {name = "collect", type = "flag", default = false, help = "report what the batch in --out has so far"},
  {name = "cancel", type = "flag", default = false, help = "end the batch in --out and report"},
  {name = "worker", type = "flag", default = false, help = "take jobs of the batch in --out until none is left"},
  {name = "help", type = "flag", default = false, help = "these lines"},
}

-- ---- what to run -----------------------------------------------------------------------------

local function scripts_of(words)
  local paths, absolute, met = {}, {}, {}
  local function add(path)
    local full = system.absolute(path)
    if not met[full] then
      met[full] = true
      paths[#paths + 1], absolute[#absolute + 1] = path, full
    end
  end
  for _, word in ipairs(words) do
    local kind = system.kind(word)
    if kind == nil then error(word .. ": No such file", 0) end
    if kind == "other" then error(word .. ": is no regular file, and a job reads its script anew", 0) end
    if kind == "folder" then
      local names = system.list(word)
      table.sort(names)
      local before = #paths
      for _, name in ipairs(names) do
        local path = word:gsub("/+$", "") .. "/" .. name
        if name:find("%.lua$") and system.kind(path) == "file" then add(path) end
      end
      if #paths == before then error(word .. ": no .lua file in this folder", 0) end
    else
      add(word)
    end
  end
  return paths, absolute
end

-- Of the scripts at absolute paths, those that --quick-for names.
local function quick_ones(words, absolute)
  local scripts, quick = {}, {}
  for _, path in ipairs(absolute) do scripts[path] = true end
  for _, word in ipairs(words) do
    local path = system.absolute(word)
    if not scripts[path] then error(("--quick-for %s: it is not among the scripts"):format(word), 0) end
    quick[path] = true
  end
  return quick
end

local function jobs_of(opts, words)
  local paths, absolute = scripts_of(words)
  local names = sweep.names(absolute)
  local all = sweep.product(sweep.read(opts.set or {}))
  local jobs, met = {}, {}
  local quick = quick_ones(opts.quick_for or {}, absolute)
  for i, path in ipairs(paths) do
    local hash = system.hash(path)
    for _, settings in ipairs(all) do
      local job = {script = path, name = sweep.job_name(names[i], settings), settings = {}, order = {}, sha256 = hash}
      local arguments, seeded = {}, false
      for _, setting in ipairs(settings) do
        job.settings[setting[1]] = setting[2]
        table.insert(job.order, setting[1])
        table.insert(arguments, "--" .. setting[1] .. "=" .. setting[2])
        seeded = seeded or setting[1] == "seed"
      end
      if opts.seed and not seeded then table.insert(arguments, 1, "--seed=" .. opts.seed) end
      if opts.quick or quick[absolute[i]] then table.insert(arguments, "--quick") end
      job.arguments = arguments
      if met[job.name] then error(("two jobs would share the folder %s"):format(job.name), 0) end
      met[job.name] = true
      job.dir = opts.out .. "/" .. job.name
      jobs[#jobs + 1] = job
    end
  end
  return jobs
end

-- What a job's result depends on besides its data, as one hash.
local function key_of(job, context)
  return system.digest(table.concat({job.sha256, context.program_sha256, tostring(context.opts.memory),
    tostring(context.opts.sandbox), tostring(context.threads), table.concat(job.arguments, "\0"),
    context.opts.ranks and "ranks " .. context.opts.ranks}, "\0"))
end

-- Whether an earlier run's result still holds; then it is taken over.
local function take_over(job)
  local before = result.json(job.dir .. "/manifest.json")
  if before == nil or before.state ~= "passed" or before.key ~= job.key then return false end
  if not evidence.holds(before, job.dir) then return false end
  job.state, job.exit = "passed", 0
  job.seconds, job.peak_mb = tonumber(before.seconds) or 0, tonumber(before.peak_mb) or 0
  job.kept = true
  job.result, job.remark = result.read(job.dir)
  return true
end

local function summary_of(batch)
  local jobs = json.list()
  for i, job in ipairs(batch.jobs) do
    jobs[i] = {
      name = job.name, script = job.script, settings = sweep.values(job.settings), state = job.state, exit = job.exit,
      seconds = job.seconds, peak_mb = job.peak_mb, metrics = job.result and job.result.metrics or {},
      reason = job.reason, kept = job.kept,
    }
  end
  return {jobs = jobs, counts = batch.counts, started = batch.started, seconds = batch.seconds}
end

local function say_plan(jobs, context)
  for _, job in ipairs(jobs) do
    local words = {}
    for i, word in ipairs{job.script, table.unpack(job.arguments)} do words[i] = files.shell(word) end
    print(("%s  %s: perigee %s"):format(job.state == "passed" and "keep" or "run ", job.dir, table.concat(words, " ")))
  end
  print(("%d job%s, %d at a time"):format(#jobs, #jobs == 1 and "" or "s", context.slots))
end

local function usage_error(why)
  io.stderr:write("perigee run: ", why, "\n")
  return 2
end

-- Makes the folder and locks it; nil when that cannot be, which it says.
local function take_folder(dir)
  local ok, lock, holder, without = pcall(function()
    system.mkdirs(dir)
    return system.lock(dir .. "/.lock")
  end)
  if not ok then
    usage_error(tostring(lock))
  elseif lock == nil then
    usage_error(("%s: another batch runs there (process %d)"):format(dir, holder))
  else
    if without then
      io.stderr:write(("perigee run: %s: this file system has no locks; take care that no other batch runs there\n")
        :format(dir))
    end
    return lock
  end
end

local WHATS = {"attach", "collect", "cancel", "worker"}

local function check(opts)
  for _, name in ipairs{"jobs", "timeout", "memory", "threads", "workers", "ranks"} do
    if opts[name] and opts[name] <= 0 then error(("--%s: expected more than 0, got %s"):format(name, opts[name]), 0) end
  end
  if opts.memory and opts.memory > 1 << 40 then error("--memory: no machine has so much, got " .. opts.memory, 0) end
  if opts.seed and opts.seed < 0 then error("--seed: expected an integer of at least 0, got " .. opts.seed, 0) end
  local what
  for _, name in ipairs(WHATS) do
    if opts[name] and what then error(("--%s and --%s: give one of them"):format(what, name), 0) end
    what = opts[name] and name or what
  end
  if opts.launcher == "local" and not what then
    for _, name in ipairs{"workers", "slurm", "detach"} do
      if opts[name] then error(("--%s: belongs to --launcher slurm or files"):format(name), 0) end
    end
  end
  if opts.slurm and opts.launcher ~= "slurm" then error("--slurm: belongs to --launcher slurm", 0) end
  for _, setting in ipairs(opts.slurm or {}) do
    if not setting:find("^[%a][%w%-]*=?") or setting:find("^wrap") or setting:find("^array") then
      error(("--slurm: expected an option of sbatch such as partition=long, got '%s'"):format(setting), 0)
    end
  end
  return what
end

local function prepare(words)
  local opts, rest = options.parse(DECLARED, words)
  for _, option in ipairs(DECLARED) do
    if opts[option.name] == nil then opts[option.name] = option.default end
  end
  if opts.help then return opts end
  local what = check(opts)
  opts.out = #opts.out > 1 and opts.out:gsub("/+$", "") or opts.out
  if what then
    if #rest > 0 then
      error(("--%s: takes no script, the batch in --out has them; got '%s'"):format(what, rest[1]), 0)
    end
    return opts, nil, what
  end
  if #rest == 0 then error("name at least one script; --help lists the options", 0) end
  return opts, jobs_of(opts, rest)
end

-- Who starts the workers of a batch: nil where hands do.
local function engine_of(launcher) return launcher == "slurm" and pg["_launch/slurm"] or nil end

-- Raises where a batch that was submitted to the folder is not over.
local function check_free(out)
  local batch = files.read_batch(out)
  if batch == nil then return end
  local open = #files.open_jobs(batch)
  if open == 0 then return end
  local engine = engine_of(batch.launcher)
  if engine and batch.slurm and engine.lives(batch) then
    error(("%s: its batch is in Slurm still (job %s); --attach waits for it, --cancel ends it"):format(out,
      batch.slurm), 0)
  elseif not engine and files.may_come(batch) then
    error(("%s: its batch goes on still (%d of %d jobs have ended); --attach waits for it, --cancel ends it")
      :format(out, #batch.waiting - open, #batch.waiting), 0)
  end
end

-- The reports; returns the exit status.
local function report(batch, total)
  local written, why = pcall(function()
    system.write(batch.out .. "/summary.json", json.encode(summary_of(batch)))
    system.write(batch.out .. "/junit.xml", pg._junit(batch))
    system.write(batch.out .. "/metrics.csv", pg._report_runs.csv(batch))
    system.write(batch.out .. "/index.html", pg._report(batch))
  end)
  local parts, good = {}, 0
  for _, state in ipairs{"passed", "skipped", "failed", "timed_out", "killed", "out_of_memory", "interrupted"} do
    local n = batch.counts[state]
    if n then parts[#parts + 1] = ("%d %s"):format(n, (state:gsub("_", " "))) end
    if state == "passed" or state == "skipped" then good = good + (n or 0) end
  end
  print(("%d job%s: %s (%s)"):format(total, total == 1 and "" or "s", table.concat(parts, ", "),
    display.duration(batch.seconds)))
  if not written then
    io.stderr:write("perigee run: ", tostring(why), "\n")
    return 1
  end
  print(batch.out .. "/index.html")
  return good == total and 0 or 1
end

-- Waits for a batch that was submitted, or looks at it, and reports.
local function attend(batch, jobs, context, view)
  local clock, started = pg.clock(), system.now()
  local engine = engine_of(batch.launcher)
  if context.opts.cancel then files.cancel(batch, engine) end
  local ok, why = pcall(files.wait, batch, jobs, context, view, engine)
  view:close()
  if not ok then error(why, 0) end
  return report({jobs = jobs, counts = view.counts, started = batch.submitted or manifest.time(started),
    seconds = pg.clock() - clock, slots = batch.workers, threads = batch.options.threads, out = batch.out}, #jobs)
end

local function say_submitted(batch, context)
  local out = files.shell(batch.out)
  local n = ("%d worker%s for %d job%s"):format(batch.workers, batch.workers == 1 and "" or "s", #batch.waiting,
    #batch.waiting == 1 and "" or "s")
  if batch.slurm then
    print(("submitted to Slurm: job %s, %s"):format(batch.slurm, n))
  else
    print(("start workers where this folder is seen: %s run --worker --out %s"):format(files.shell(context.program),
      out))
  end
  if not context.opts.detach then return end
  for what, word in ("wait for it: --attach,look at it:  --collect,end it:      --cancel,"):gmatch("(.-)(%-%-%a+),") do
    print(("%sperigee run %s --out %s"):format(what, word, out))
  end
  if batch.slurm then
    print(("a report when all is over: sbatch -d afterany:%s --wrap %s"):format(batch.slurm,
      files.shell(("%s run --attach --out %s"):format(files.shell(context.program), out))))
  end
end

local runner = {}

function runner.main(...)
  local ok, opts, jobs, what = pcall(prepare, {...})
  if not ok then return usage_error(tostring(opts)) end
  if opts.help then
    print("usage: perigee run [options] script...\n\nRuns each script, with each setting, in a process of its own " ..
      "and writes one report.\n\noptions:\n" .. options.lines(DECLARED))
    return 0
  end
  if what == "worker" then
    local fine, status = pcall(files.work, opts)
    return fine and status or usage_error(tostring(status))
  end
  if what then
    local batch = files.read_batch(opts.out)
    if batch == nil then return usage_error(opts.out .. ": no batch was submitted there") end
    process.watch(true)
    jobs = files.jobs_of(batch)
    local waits, view = {}, display.new(#jobs)
    for _, n in ipairs(batch.waiting) do waits[n] = true end
    for n, job in ipairs(jobs) do
      if not waits[n] then
        take_over(job)
        if job.kept then view:ended(job) end
      end
    end
    local o = batch.options
    opts.timeout, opts.memory, opts.sandbox = o.timeout, o.memory, o.sandbox
    local fine, status = pcall(attend, batch, jobs, {opts = opts, threads = o.threads, program = batch.program.path,
      program_sha256 = batch.program.sha256}, view)
    return fine and status or usage_error(tostring(status))
  end
  local away = opts.launcher ~= "local"
  local ranks = opts.ranks or 1
  local slots = math.min(opts.jobs or math.max(1, system.cores() // ranks), #jobs)
  local threads = away and opts.threads or math.max(1, math.min(opts.threads, system.cores() // (slots * ranks)))
  local program = process.program()
  process.watch(true) -- until the program ends
  local context = {opts = opts, slots = slots, threads = threads, program = program,
    program_sha256 = system.hash(program), environment = watch.environment(threads)}
  for _, job in ipairs(jobs) do job.key = key_of(job, context) end

  local lock <close> = not opts.dry_run and take_folder(opts.out)
  if lock == nil then return 2 end
  if not opts.dry_run then
    local free, why = pcall(check_free, opts.out)
    if not free then return usage_error(tostring(why)) end
  end
  local waiting, view = {}, display.new(#jobs)
  for _, job in ipairs(jobs) do
    if not (opts.resume and take_over(job)) then waiting[#waiting + 1] = job end
  end
  local engine = engine_of(opts.launcher)
  if opts.dry_run then
    say_plan(jobs, context)
    if engine and #waiting > 0 then
      local words = engine.words({id = "ID", waiting = waiting,
        workers = math.min(opts.workers or #waiting, #waiting, engine.most_workers())}, context)
      for i, word in ipairs(words) do words[i] = files.shell(word) end
      print(table.concat(words, " "))
    end
    return 0
  end

  local started, clock = system.now(), pg.clock()
  for _, job in ipairs(jobs) do
    if job.kept then view:ended(job) end
  end
  if away and #waiting > 0 then
    local fine, batch = pcall(files.submit, waiting, jobs, context, engine)
    if not fine then return usage_error(tostring(batch)) end
    say_submitted(batch, context)
    if opts.detach then return 0 end
    local good, status = pcall(attend, batch, jobs, context, view)
    return good and status or usage_error(tostring(status))
  end
  if system.kind(files.dir(opts.out)) then files.remove(files.dir(opts.out)) end -- of a batch that is over
  local done, stop = pcall(watch.run_all, waiting, context, view)
  process.sweep()
  view:close()
  if not done then error(stop, 0) end
  return report({jobs = jobs, counts = view.counts, started = manifest.time(started), seconds = pg.clock() - clock,
    slots = slots, threads = threads, out = opts.out}, #jobs)
end

return runner
