-- SPDX-License-Identifier: MIT
-- pg["_launch/local"]: jobs on this machine, a few at a time, each in a process of its own that is watched here; how
-- each ended is judged here too. `perigee run` without a launcher is this, and so is a worker on a node (files.lua).
--
-- The budget of --memory is kept by the job's own allocator; behind it process.c ends a job whose processes pass it by
-- 256 MB.
local pg = ...
local display = pg._display
local evidence = pg._evidence
local json = pg._json
local manifest = pg._manifest
local oom = pg._oom
local plain = pg._plain
local process = pg._process
local result = pg._result
local system = pg._system

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

-- ---- one job ---------------------------------------------------------------------------------

-- Removes what an earlier run of this job left, and nothing else.
local function clear(job)
  local before = result.read(job.dir)
  for _, record in ipairs(before and before.records or {}) do
    if record.kind == "figure" then os.remove(job.dir .. "/" .. record.file) end
  end
  for _, file in ipairs{"manifest.json", "metrics.json", "log.txt", ".reads"} do os.remove(job.dir .. "/" .. file) end
end

-- The words before a program of several ranks: whichever of mpirun and srun there is. PERIGEE_MPIRUN names one.
local ranks_by
local function launcher_of(ranks)
  if ranks_by == nil then
    local f = io.popen([[p=$(command -v "${PERIGEE_MPIRUN:-mpirun}" || command -v mpiexec || command -v srun) &&
      echo "$p" && "$p" --version 2>&1 | head -n 3]])
    local path, version = f:read("l", "a")
    f:close()
    if path == nil or path == "" then
      error("--ranks: there is neither mpirun nor srun here; install openmpi-bin or mpich, or name one in " ..
        "PERIGEE_MPIRUN", 0)
    end
    ranks_by = {path = path}
    -- Pinned to cores, the jobs of a machine would all share the first.
    if version:find("Open MPI", 1, true) or version:find("OpenRTE", 1, true) then
      ranks_by.words = {"--oversubscribe", "--bind-to", "none"}
    elseif version:find("slurm", 1, true) then
      ranks_by.words = {"--mpi=pmi2", "--overlap"}
    else
      ranks_by.words = {"-bind-to", "none"}
    end
  end
  local words = {ranks_by.path, "-n", tostring(ranks)}
  return table.move(ranks_by.words, 1, #ranks_by.words, #words + 1, words)
end

local function start(job, context)
  local opts = context.opts
  job.started, job.oom = system.now(), oom()
  local ok, why = pcall(function()
    system.mkdirs(job.dir)
    clear(job)
    local argv = opts.ranks and launcher_of(opts.ranks) or {}
    argv[#argv + 1] = context.program
    if opts.sandbox then argv[#argv + 1] = "--sandbox" end
    if opts.memory then table.move({"--memory", tostring(opts.memory)}, 1, 2, #argv + 1, argv) end
    argv[#argv + 1] = job.script
    table.move(job.arguments, 1, #job.arguments, #argv + 1, argv)
    local environment = table.move(context.environment, 1, #context.environment, 1, {})
    table.insert(environment, "PERIGEE_JOB=" .. job.dir)
    if opts.ranks then -- a container's only user is often root, whom Open MPI warns
      table.insert(environment, "OMPI_ALLOW_RUN_AS_ROOT=1")
      table.insert(environment, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
    end
    table.insert(environment, "PERIGEE_HASHES=" .. evidence.known())
    job.process = process.start(argv, environment, job.dir .. "/log.txt", opts.timeout or 0,
      opts.memory and ((opts.memory << 20) + HEADROOM) * (opts.ranks or 1) or 0)
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
  m.script = {path = job.shown or job.script, sha256 = job.sha256}
  m.program = {path = context.program, sha256 = context.program_sha256}
  m.arguments, m.settings = json.list(job.arguments), job.settings
  m.options, m.seed, m.quick = found.options, found.seed, found.quick
  m.data = json.list(found.data or {})
  m.ranks, m.mpi, m.hosts = manifest.take_ranks(job.dir)
  -- Of a job that a launcher started.
  local about = context.about or {}
  m.host, m.launcher, m.attempt, m.submitted = job.host or about.host, about.launcher, about.attempt, about.submitted
  -- What a job says of itself is taken as known where it could do what it likes in any case.
  for _, entry in ipairs(context.opts.sandbox and {} or m.data) do evidence.learn(entry.path, entry.sha256) end
  if job.state == "passed" then
    m.reads, m.files = evidence.of(job.dir, job.script, job.started, context.opts.ranks)
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
    local why = not stop and context.stopping and context.stopping()
    if why then
      stop = why
      for _, job in ipairs(running) do
        job.reason = stop
        job.process:stop(2)
      end
    end
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

-- What a launcher said to the process that started this one does not hold for its jobs.
local LAUNCHED = {SLURM_STEP_ID = true, SLURM_STEP_NUM_TASKS = true, SLURM_PROCID = true, SLURM_LOCALID = true,
  PERIGEE_TASK = true, MPI_LOCALRANKID = true, MPI_LOCALNRANKS = true, PALS_RANKID = true, PERIGEE_JOB = true,
  PERIGEE_HASHES = true}

local function environment(threads)
  local list, own = {}, {OPENBLAS_NUM_THREADS = threads, OMP_NUM_THREADS = threads, GOTO_NUM_THREADS = threads}
  for _, entry in ipairs(process.environment()) do
    local name = entry:match("^[^=]*")
    if own[name] == nil and not LAUNCHED[name] and not name:find("^PMIX?_") and not name:find("^OMPI_COMM_WORLD") then
      list[#list + 1] = entry
    end
  end
  for _, name in ipairs{"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS"} do
    list[#list + 1] = name .. "=" .. own[name]
  end
  return list
end

return {run_all = run_all, write_manifest = write_manifest, tail_of = tail_of, environment = environment,
  SIGNALS = SIGNALS}
