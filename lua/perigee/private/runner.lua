-- SPDX-License-Identifier: MIT
-- pg._runner.main(words...) -> exit status: `perigee run`. Each script and setting is a job in a process of its own;
-- this starts them, a few at a time, and says how each ended.
--
-- A job gets one BLAS thread unless --threads gives more, as far as the cores go: so results do not depend on -j.
-- The budget of --memory is kept by the job's own allocator; behind it process.c ends a job whose session passes it by
-- 256 MB.
local pg = ...
local display = pg._display
local evidence = pg._evidence
local json = pg._json
local manifest = pg._manifest
local oom = pg._oom
local options = pg._options
local plain = pg._plain
local process = pg._process
local result = pg._result
local sweep = pg._sweep
local system = pg._system

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
  {name = "help", type = "flag", default = false, help = "these lines"},
}

local SIGNALS = {
  [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE",
  [9] = "SIGKILL", [11] = "SIGSEGV", [13] = "SIGPIPE", [15] = "SIGTERM", [24] = "SIGXCPU", [31] = "SIGSYS",
}

local HEADROOM = 256 << 20

local function tail_of(path)
  local text, size = system.read(path, 8192, true)
  if text == nil then return "" end
  if size > #text then text = text:gsub("^[^\n]*\n", "", 1) end -- it begins within a line
  return plain(text)
end

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
    tostring(context.opts.sandbox), tostring(context.threads), table.concat(job.arguments, "\0")}, "\0"))
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

-- ---- one job ---------------------------------------------------------------------------------

-- Removes what an earlier run of this job left, and nothing else.
local function clear(job)
  local before = result.read(job.dir)
  for _, record in ipairs(before and before.records or {}) do
    if record.kind == "figure" then os.remove(job.dir .. "/" .. record.file) end
  end
  for _, file in ipairs{"manifest.json", "metrics.json", "log.txt", ".reads"} do os.remove(job.dir .. "/" .. file) end
end

local function start(job, context)
  local opts = context.opts
  job.started, job.oom = system.now(), oom()
  local ok, why = pcall(function()
    system.mkdirs(job.dir)
    clear(job)
    local argv = {context.program}
    if opts.sandbox then argv[#argv + 1] = "--sandbox" end
    if opts.memory then table.move({"--memory", tostring(opts.memory)}, 1, 2, #argv + 1, argv) end
    argv[#argv + 1] = job.script
    table.move(job.arguments, 1, #job.arguments, #argv + 1, argv)
    local environment = table.move(context.environment, 1, #context.environment, 1, {})
    table.insert(environment, "PERIGEE_JOB=" .. job.dir)
    table.insert(environment, "PERIGEE_HASHES=" .. evidence.known())
    job.process = process.start(argv, environment, job.dir .. "/log.txt", opts.timeout or 0,
      opts.memory and (opts.memory << 20) + HEADROOM or 0)
  end)
  if not ok then
    job.state, job.exit, job.seconds, job.peak_mb, job.reason = "failed", 127, 0, 0, tostring(why)
  end
  return ok
end

-- The sentence of an error in a log: what stands before the traceback, else the last line.
local function reason_in(log)
  local before = log:match("^(.*)\nstack traceback:")
  local last
  for line in ((before or log) .. "\n"):gmatch("([^\r\n]*)[\r\n]") do
    if line:find("%S") and not line:find("^%[perigee: ") then last = line end
  end
  return last and last:gsub("^perigee: ", "")
end

local function judge(job, opts)
  local word, code = job.process:state()
  local clipped, lost = job.process:log()
  job.exit, job.seconds, job.peak_mb = code, job.process:seconds(), job.process:peak() / 2 ^ 20
  job.tail = tail_of(job.dir .. "/log.txt")
  job.clipped = clipped
  job.result, job.remark = result.read(job.dir)
  if word == "exited" and code == 0 then
    local skipped = job.result and job.result.skipped
    job.state, job.reason = skipped and "skipped" or "passed", skipped and plain(skipped)
    if lost then job.state, job.reason = "failed", job.dir .. "/log.txt: the log could not be written whole" end
  elseif word == "exited" then
    job.state = job.tail:find("not enough memory", 1, true) and "out_of_memory" or "failed"
    job.reason = reason_in(job.tail) or ("exit status %d"):format(code)
  elseif word == "killed" and code == 9 and job.oom and (oom() or 0) > job.oom then
    job.state, job.reason = "out_of_memory", "killed by the system: the memory of its control group is used up"
  elseif word == "killed" then
    job.state, job.reason = "killed", "by " .. (SIGNALS[code] or "signal " .. code)
  elseif word == "timed_out" then
    job.state, job.reason = "timed_out", ("ran longer than %s"):format(display.duration(opts.timeout))
  elseif word == "too_large" then
    job.state, job.reason = "out_of_memory", ("used %.0f MB; the budget is %d MB and 256 MB more"):format(job.peak_mb,
      opts.memory)
  else
    job.state, job.reason = "interrupted", job.reason or "the batch was stopped"
  end
  job.process:free()
  job.process = nil
end

local function write_manifest(job, context)
  local found = job.result or {}
  local m = manifest.machine()
  m.job, m.name, m.key = job.name, found.name, job.key
  m.script = {path = job.script, sha256 = job.sha256}
  m.program = {path = context.program, sha256 = context.program_sha256}
  m.arguments, m.settings = json.list(job.arguments), job.settings
  m.options, m.seed, m.quick = found.options, found.seed, found.quick
  m.data = json.list(found.data or {})
  m.ranks, m.mpi, m.hosts = manifest.take_ranks(job.dir)
  -- What a job says of itself is taken as known where it could do what it likes in any case.
  for _, entry in ipairs(context.opts.sandbox and {} or m.data) do evidence.learn(entry.path, entry.sha256) end
  if job.state == "passed" then
    m.reads, m.files = evidence.of(job.dir, job.script, job.started)
  else
    os.remove(job.dir .. "/.reads")
  end
  m.threads, m.memory_mb, m.timeout, m.sandbox = context.threads, context.opts.memory, context.opts.timeout,
    context.opts.sandbox
  m.state, m.exit, m.reason, m.seconds, m.peak_mb = job.state, job.exit, job.reason, job.seconds, job.peak_mb
  m.started, m.ended = manifest.time(job.started), manifest.time(job.started + job.seconds)
  local path = job.dir .. "/manifest.json"
  os.remove(path) -- were it a pipe, writing would wait for a reader
  pcall(manifest.write, path, m)
end

-- ---- the batch -------------------------------------------------------------------------------

local function never_started(job, reason)
  job.state, job.exit, job.seconds, job.peak_mb, job.reason = "interrupted", -1, 0, 0, reason
end

-- Runs the waiting jobs. Returns why it stopped early, or nil.
local function run_all(waiting, context, view)
  local opts, running, next_one, stop = context.opts, {}, 1, nil
  local function ended(job)
    write_manifest(job, context)
    view:ended(job)
    if opts.fail_fast and not stop and job.state ~= "passed" and job.state ~= "skipped" then
      stop = "an earlier job failed"
      for _, other in ipairs(running) do
        other.reason = stop
        other.process:stop(2)
      end
    end
  end
  if process.wait({}, 0) == nil then stop = "the batch was stopped" end
  while #running > 0 or (next_one <= #waiting and not stop) do
    while #running < context.slots and next_one <= #waiting and not stop do
      local job = waiting[next_one]
      next_one = next_one + 1
      if start(job, context) then running[#running + 1] = job else ended(job) end
    end
    local processes = {}
    for i, job in ipairs(running) do processes[i] = job.process end
    local count, signal = process.wait(processes, view.live and 0.1 or 1)
    if count == nil then
      local grace = stop and 0 or 2
      stop = stop or ("the batch got %s"):format(SIGNALS[signal] or "a signal")
      for _, job in ipairs(running) do
        job.reason = stop
        job.process:stop(grace)
      end
    elseif count > 0 then
      local still = {}
      local done = {}
      for _, job in ipairs(running) do
        local list = job.process:state() == "running" and still or done
        list[#list + 1] = job
      end
      running = still
      for _, job in ipairs(done) do
        judge(job, opts)
        ended(job)
      end
    end
    view:running(running)
  end
  for i = next_one, #waiting do
    never_started(waiting[i], stop)
    view.counts.interrupted = (view.counts.interrupted or 0) + 1
  end
  return stop
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

local function shell(word)
  return word:find("^[%w%-_./=,+:@%%]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

local function say_plan(jobs, context)
  for _, job in ipairs(jobs) do
    local words = {}
    for i, word in ipairs{job.script, table.unpack(job.arguments)} do words[i] = shell(word) end
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

local function environment(threads)
  local list, own = {}, {OPENBLAS_NUM_THREADS = threads, OMP_NUM_THREADS = threads, GOTO_NUM_THREADS = threads}
  for _, entry in ipairs(process.environment()) do
    local name = entry:match("^[^=]*")
    if own[name] == nil and name ~= "PERIGEE_JOB" and name ~= "PERIGEE_HASHES" then list[#list + 1] = entry end
  end
  for _, name in ipairs{"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS"} do
    list[#list + 1] = name .. "=" .. own[name]
  end
  return list
end

local function check(opts)
  for _, name in ipairs{"jobs", "timeout", "memory", "threads"} do
    if opts[name] and opts[name] <= 0 then error(("--%s: expected more than 0, got %s"):format(name, opts[name]), 0) end
  end
  if opts.memory and opts.memory > 1 << 40 then error("--memory: no machine has so much, got " .. opts.memory, 0) end
  if opts.seed and opts.seed < 0 then error("--seed: expected an integer of at least 0, got " .. opts.seed, 0) end
end

local function prepare(words)
  local opts, rest = options.parse(DECLARED, words)
  for _, option in ipairs(DECLARED) do
    if opts[option.name] == nil then opts[option.name] = option.default end
  end
  if opts.help then return opts end
  check(opts)
  if #rest == 0 then error("name at least one script; --help lists the options", 0) end
  opts.out = #opts.out > 1 and opts.out:gsub("/+$", "") or opts.out
  return opts, jobs_of(opts, rest)
end

local runner = {}

function runner.main(...)
  local ok, opts, jobs = pcall(prepare, {...})
  if not ok then return usage_error(tostring(opts)) end
  if opts.help then
    print("usage: perigee run [options] script...\n\nRuns each script, with each setting, in a process of its own " ..
      "and writes one report.\n\noptions:\n" .. options.lines(DECLARED))
    return 0
  end
  local slots = math.min(opts.jobs or system.cores(), #jobs)
  local threads = math.max(1, math.min(opts.threads, system.cores() // slots))
  local program = process.program()
  process.watch(true) -- until the program ends
  local context = {opts = opts, slots = slots, threads = threads, program = program,
    program_sha256 = system.hash(program), environment = environment(threads)}
  for _, job in ipairs(jobs) do job.key = key_of(job, context) end

  local lock <close> = not opts.dry_run and take_folder(opts.out)
  if lock == nil then return 2 end
  local waiting, view = {}, display.new(#jobs)
  for _, job in ipairs(jobs) do
    if not (opts.resume and take_over(job)) then waiting[#waiting + 1] = job end
  end
  if opts.dry_run then
    say_plan(jobs, context)
    return 0
  end

  local started, clock = system.now(), pg.clock()
  for _, job in ipairs(jobs) do
    if job.kept then view:ended(job) end
  end
  local done, stop = pcall(run_all, waiting, context, view)
  process.sweep()
  view:close()
  if not done then error(stop, 0) end

  local batch = {jobs = jobs, counts = view.counts, started = manifest.time(started), seconds = pg.clock() - clock,
    slots = slots, threads = threads, out = opts.out}
  local written, why = pcall(function()
    system.write(opts.out .. "/summary.json", json.encode(summary_of(batch)))
    system.write(opts.out .. "/junit.xml", pg._junit(batch))
    system.write(opts.out .. "/metrics.csv", pg._report_runs.csv(batch))
    system.write(opts.out .. "/index.html", pg._report(batch))
  end)
  local parts, good = {}, 0
  for _, state in ipairs{"passed", "skipped", "failed", "timed_out", "killed", "out_of_memory", "interrupted"} do
    local n = batch.counts[state]
    if n then parts[#parts + 1] = ("%d %s"):format(n, (state:gsub("_", " "))) end
    if state == "passed" or state == "skipped" then good = good + (n or 0) end
  end
  print(("%d job%s: %s (%s)"):format(#jobs, #jobs == 1 and "" or "s", table.concat(parts, ", "),
    display.duration(batch.seconds)))
  if not written then
    io.stderr:write("perigee run: ", tostring(why), "\n")
    return 1
  end
  print(opts.out .. "/index.html")
  return good == #jobs and 0 or 1
end

return runner
