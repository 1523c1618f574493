-- SPDX-License-Identifier: MIT
-- pg["_launch/files"]: a batch as a folder that any number of workers share, on any number of machines.
--
-- The folder is the truth. DIR/.batch holds batch.json (what to run), todo/N (a token for each job that nobody took),
-- taken/N@WORKER, attempts/N@WORKER/ (where a running attempt writes), prize/N (who takes it publishes job N) and
-- done/N.json (how it ended). rename(2) gives a token to one taker, whoever asks at the same time. An attempt that has
-- ended takes the prize and becomes the job's folder by rename; a later one finds none and is left aside. So a
-- task that is started twice, after a lost node or a preemption, does no harm.
--
-- An engine (slurm.lua, or hands) only starts workers, and is asked one thing: may one still come?
local pg = ...
local json, system, process, manifest = pg._json, pg._system, pg._process, pg._manifest
local result = pg._result
local watch = pg["_launch/local"]

local files = {}

-- Seconds between two marks of a living worker, after which it is taken for dead, and for which a job without a worker
-- may still show up on a file system that keeps what a folder held.
local BEAT, DEAD = 10, 60
local GRACE = tonumber(os.getenv("PERIGEE_GRACE")) or 60

local function shell(word)
  return word:find("^[%w%-_./=,+:@%%]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end
files.shell = shell

function files.remove(path) os.execute("rm -rf -- " .. shell(path)) end

-- Puts a folder in the place of another.
local function move(from, to)
  system.mkdirs(to)
  files.remove(to)
  local ok, why = os.rename(from, to)
  if not ok then error(why, 0) end
end

function files.dir(out) return out .. "/.batch" end

local function names_in(dir)
  local ok, list = pcall(system.list, dir)
  if not ok then return {} end
  table.sort(list)
  return list
end

local function read_json(path)
  local value = result.json(path)
  return type(value) == "table" and value or nil
end

-- ---- the batch -------------------------------------------------------------------------------

-- What was submitted to `out`; nil where nothing was.
function files.read_batch(out)
  local batch = read_json(files.dir(out) .. "/batch.json")
  if batch == nil or type(batch.jobs) ~= "table" or type(batch.waiting) ~= "table" then return nil end
  batch.dir, batch.out = files.dir(out), out
  return batch
end

-- The tokens that workers took: {n =, worker =}.
local function taken(batch)
  local list = {}
  for _, name in ipairs(names_in(batch.dir .. "/taken")) do
    local n, worker = name:match("^(%d+)@(.*)$")
    if n then list[#list + 1] = {n = math.tointeger(tonumber(n)), worker = worker, name = name} end
  end
  table.sort(list, function(a, b) return a.n < b.n end)
  return list
end

local function ended(batch, n) return system.kind(("%s/done/%d.json"):format(batch.dir, n)) ~= nil end

function files.open_jobs(batch)
  local open = {}
  for _, n in ipairs(batch.waiting) do
    if not ended(batch, n) then open[#open + 1] = n end
  end
  return open
end

-- Whether a worker lives: by the mark that it renews, and on its own machine by its process.
local function lives(batch, worker)
  local host, pid = worker:match("^(.*)%-(%d+)$")
  if host == system.host() and system.kind("/proc/" .. pid) == nil then return false end
  local _, _, changed = system.stat(batch.dir .. "/alive/" .. worker)
  return changed ~= nil and system.now() - changed < DEAD
end

-- Whether a job of a batch that hands started may still end.
function files.may_come(batch)
  if system.kind(batch.dir .. "/cancel") == nil and #names_in(batch.dir .. "/todo") > 0 then return true end
  for _, worker in ipairs(names_in(batch.dir .. "/alive")) do
    if lives(batch, worker) then return true end
  end
  return false
end

-- Writes the batch; engine: whoever starts its workers, or nil.
function files.submit(waiting, jobs, context, engine)
  local opts = context.opts
  local dir = files.dir(opts.out)
  files.remove(dir)
  for _, name in ipairs{"todo", "taken", "prize", "done", "log", "attempts", "alive"} do
    system.mkdirs(dir .. "/" .. name)
  end
  local batch = {
    id = system.digest(("%s %s %d"):format(system.now(), system.absolute(opts.out), system.pid())):sub(1, 12),
    jobs = json.list(), waiting = json.list(), launcher = opts.launcher,
    workers = math.min(opts.workers or #waiting, #waiting, engine and engine.most_workers() or math.huge),
    program = {path = context.program, sha256 = context.program_sha256}, submitted = manifest.time(system.now()),
    options = {timeout = opts.timeout, memory = opts.memory, sandbox = opts.sandbox, threads = context.threads,
      ranks = opts.ranks, fail_fast = opts.fail_fast},
  }
  local index = {}
  for i, job in ipairs(jobs) do
    batch.jobs[i] = {path = system.absolute(job.script), script = job.script, name = job.name, settings = job.settings,
      order = json.list(job.order), sha256 = job.sha256, arguments = json.list(job.arguments), key = job.key}
    index[job] = i
  end
  for i, job in ipairs(waiting) do batch.waiting[i] = index[job] end
  system.write(dir .. "/batch.json", json.encode(batch))
  for _, n in ipairs(batch.waiting) do
    system.write(("%s/prize/%d"):format(dir, n), "")
    system.write(("%s/todo/%d"):format(dir, n), "")
  end
  if engine then
    batch.dir = system.absolute(dir)
    local ok, number = pcall(engine.submit, batch, context)
    if not ok then
      files.remove(dir)
      error(number, 0)
    end
    batch.slurm, batch.dir = number, nil
    system.write(dir .. "/batch.json", json.encode(batch))
  end
  return files.read_batch(opts.out)
end

-- The jobs of a batch as the runner has them.
function files.jobs_of(batch)
  local jobs = {}
  for i, entry in ipairs(batch.jobs) do
    jobs[i] = {script = entry.script, path = entry.path, name = entry.name, settings = entry.settings,
      order = entry.order, sha256 = entry.sha256, arguments = entry.arguments, key = entry.key,
      dir = batch.out .. "/" .. entry.name}
  end
  return jobs
end

-- ---- worker ----------------------------------------------------------------------------------

-- Who this worker is: {id =, task = its number in the array or nil}.
local function myself()
  local job, task = os.getenv("SLURM_ARRAY_JOB_ID"), os.getenv("SLURM_ARRAY_TASK_ID")
  -- Steps of srun within a task are workers started by hand.
  if job and task and os.getenv("PERIGEE_TASK") == job then
    return {id = ("%s_%s.%s"):format(job, task, os.getenv("SLURM_RESTART_COUNT") or "0"),
      task = math.tointeger(tonumber(task))}
  end
  return {id = ("%s-%d"):format(system.host(), system.pid())}
end

-- Takes a token for this worker: the number of its job, or nil when none is left.
local function take(batch, me)
  local dir = batch.dir
  local function grab(from, n) return (os.rename(dir .. "/" .. from, ("%s/taken/%d@%s"):format(dir, n, me.id))) end
  if me.task then
    -- What an earlier start of this very task took is its to do again.
    local mine = me.id:match("^(.-)%.")
    for _, t in ipairs(taken(batch)) do
      if t.worker ~= me.id and t.worker:match("^(.-)%.") == mine and not ended(batch, t.n)
        and grab("taken/" .. t.name, t.n) then
        return t.n
      end
    end
  end
  if me.task and batch.workers == #batch.waiting then
    local n = batch.waiting[me.task]
    return n and grab("todo/" .. n, n) and n or nil
  end
  -- The folder is listed again only when all of the last list are gone, since it may hold a hundred thousand.
  while true do
    while me.list and me.at < #me.list do
      me.at = me.at + 1
      local n = me.list[me.at]
      if grab("todo/" .. n, n) then return n end
    end
    me.list, me.at = {}, 0
    for _, name in ipairs(names_in(dir .. "/todo")) do me.list[#me.list + 1] = math.tointeger(tonumber(name)) end
    table.sort(me.list)
    if #me.list == 0 then return nil end
  end
end

-- Publishes an attempt that has ended; false where another was first.
local function publish(batch, n, job, me)
  local prize = ("%s/prize/%d"):format(batch.dir, n)
  if not os.rename(prize, prize .. "@" .. me.id) then return false end
  move(job.dir, batch.out .. "/" .. job.name)
  system.write(("%s/done/%d.json"):format(batch.dir, n), json.encode{name = job.name, state = job.state,
    exit = job.exit, seconds = job.seconds, peak_mb = job.peak_mb, reason = job.reason, clipped = job.clipped,
    worker = me.id, host = system.host()})
  return true
end

-- perigee run --worker: takes jobs until none is left. Returns the exit status.
function files.work(opts)
  local batch = files.read_batch(opts.out)
  if batch == nil then
    local slurm = os.getenv("SLURM_ARRAY_JOB_ID")
    error(slurm and ("--launcher slurm: %s is not shared between machines (found on node %s: no %s/batch.json)"):format(
      opts.out, os.getenv("SLURMD_NODENAME") or system.host(), files.dir(opts.out)) or
      opts.out .. ": no batch was submitted there", 0)
  end
  local me, program = myself(), process.program()
  local o = batch.options
  process.watch(true)
  local program_sha256 = system.hash(program)
  local alive, beaten = ("%s/alive/%s"):format(batch.dir, me.id), 0
  local function beat()
    if system.now() - beaten < BEAT then return end
    beaten = system.now()
    pcall(system.write, alive, "")
  end
  local context = {
    opts = {timeout = o.timeout, memory = o.memory, sandbox = o.sandbox, ranks = o.ranks, out = opts.out},
    slots = 1, threads = o.threads, program = program, program_sha256 = program_sha256,
    environment = watch.environment(o.threads, true),
    about = {host = system.host(), launcher = batch.launcher, submitted = batch.submitted, attempt = me.id},
    stopping = function()
      beat()
      return system.kind(batch.dir .. "/cancel") and "the batch was cancelled" or nil
    end,
  }
  local function say(text, ...)
    io.stdout:write(manifest.time(system.now()), " ", system.host(), " ", text:format(...), "\n")
    io.stdout:flush()
  end
  local stopped
  local jobs = files.jobs_of(batch)
  beat()
  while not stopped and system.kind(batch.dir .. "/cancel") == nil do
    local n = take(batch, me)
    if n == nil then break end
    local job = jobs[n]
    job.dir = ("%s/attempts/%d@%s"):format(batch.dir, n, me.id)
    -- By the name it was submitted with, where that leads to it from here.
    local seen, path = pcall(system.absolute, job.script)
    if not seen or path ~= job.path then job.script, job.shown = job.path, job.script end
    say("%s", job.name)
    -- What was submitted is what is run.
    local ok, hash = pcall(system.hash, job.path)
    if program_sha256 ~= batch.program.sha256 then
      job.reason = ("%s on %s: another program than the one that submitted"):format(program, system.host())
    elseif not ok then
      job.reason = hash
    elseif hash ~= job.sha256 then
      job.reason = (job.shown or job.script) .. ": changed since the batch was submitted"
    end
    if job.reason then
      job.state, job.exit, job.seconds, job.peak_mb, job.started = "failed", 127, 0, 0, system.now()
      system.mkdirs(job.dir)
      watch.write_manifest(job, context)
    else
      local view = {live = false, counts = {}, ended = function() end, running = function() end}
      stopped = watch.run_all({job}, context, view)
      -- An engine ends all processes of a task at once: the job may die of it before the signal reaches its worker.
      if not stopped and job.state == "killed" and (job.exit == 15 or job.exit == 9)
        and process.wait({}, 1) == nil then
        stopped = "the worker was told to stop"
      end
    end
    if stopped then
      -- Whoever told it to stop knows whether its task comes back; by hand the job goes to the next worker.
      if not me.task then
        os.rename(("%s/taken/%d@%s"):format(batch.dir, n, me.id), ("%s/todo/%d"):format(batch.dir, n))
      end
      say("%s: given back: %s", job.name, stopped)
    elseif publish(batch, n, job, me) then
      say("%s: %s", job.name, job.state)
    else
      say("%s: another attempt was first", job.name)
    end
  end
  process.sweep()
  os.remove(alive)
  return stopped and 1 or 0
end

-- ---- waiting ---------------------------------------------------------------------------------

local function settle(job, fact)
  job.state, job.exit, job.seconds, job.peak_mb = fact.state, fact.exit, fact.seconds, fact.peak_mb
  job.reason, job.clipped, job.host = fact.reason, fact.clipped, fact.host
  job.tail = watch.tail_of(job.dir .. "/log.txt")
  job.result, job.remark = result.read(job.dir)
end

-- A job that ended without a result: what its last attempt wrote is shown.
local function give_up(batch, job, n, context, engine, tasks)
  local worker
  for _, t in ipairs(taken(batch)) do
    if t.n == n then worker = t.worker end
  end
  local attempt = worker and ("%s/attempts/%d@%s"):format(batch.dir, n, worker)
  if attempt and system.kind(attempt) == "folder" then
    move(attempt, job.dir)
    job.result, job.remark = result.read(job.dir)
  else
    files.remove(job.dir)
    system.mkdirs(job.dir)
  end
  job.exit, job.seconds, job.peak_mb, job.started = -1, 0, 0, system.now()
  job.tail = watch.tail_of(job.dir .. "/log.txt")
  if engine then
    job.state, job.reason = engine.judge(batch, n, worker, tasks)
  elseif worker then
    job.state, job.reason = "killed", ("its worker %s left no result"):format(worker)
  else
    job.state, job.reason = "interrupted", "it was not started"
  end
  watch.write_manifest(job, context)
end

-- Waits for the jobs of a batch and shows them as they end. Returns why it ended early, or nil. opts.collect: only
-- looks.
function files.wait(batch, jobs, context, view, engine)
  local opts = context.opts
  local open, left, pause, quiet, asked, said = {}, 0, 0.1, nil, -math.huge, {}
  local every, tasks = 2, nil
  context.about = {launcher = batch.launcher, submitted = batch.submitted}
  for _, n in ipairs(batch.waiting) do open[n], left = true, left + 1 end
  local function look()
    local news = false
    for _, name in ipairs(names_in(batch.dir .. "/done")) do
      local n = math.tointeger(tonumber(name:match("^(%d+)%.json$")))
      local fact = n and open[n] and read_json(batch.dir .. "/done/" .. name)
      if fact and type(fact.state) == "string" and jobs[n] then
        open[n], left, news = nil, left - 1, true
        settle(jobs[n], fact)
        view:ended(jobs[n])
        if batch.options.fail_fast and not said.failed and jobs[n].state ~= "passed" and jobs[n].state ~= "skipped" then
          said.failed = true
          files.cancel(batch, engine)
        end
      end
    end
    return news
  end
  local function rest(f)
    for _, n in ipairs(batch.waiting) do
      if open[n] then f(n, jobs[n]) end
    end
  end
  while true do
    local news = look()
    if left == 0 then return nil end
    if opts.collect then
      rest(function(_, job)
        job.state, job.exit, job.seconds, job.peak_mb, job.reason = "interrupted", -1, 0, 0, "not finished yet"
        view.counts.interrupted = (view.counts.interrupted or 0) + 1
      end)
      return "not finished yet"
    end
    local now = pg.clock()
    if now - asked >= every then
      asked, every = now, math.min(30, every * 1.2)
      local may_come
      if engine then
        local why
        tasks, why, may_come = engine.ask(batch, said)
        if tasks == nil then
          if not said.away then
            print(("%s does not answer, so the batch waits: %s"):format(engine.name, why))
            said.away = true
          end
          may_come = true
        else
          said.away = nil
        end
      else
        may_come = files.may_come(batch)
      end
      if may_come then quiet = nil else quiet = quiet or now end
    end
    local cancelled = said.failed or opts.cancel
    if quiet and now - quiet >= (cancelled and math.min(2, GRACE) or GRACE) then
      look()
      rest(function(n, job)
        give_up(batch, job, n, context, engine, tasks)
        view:ended(job)
      end)
      return nil
    end
    if quiet then every = 2 end
    local count, signal = process.wait({}, pause)
    if count == nil then
      view:close()
      print(("got %s; the batch goes on: perigee run --attach --out %s"):format(watch.SIGNALS[signal] or "a signal",
        shell(batch.out)))
      os.exit(128 + (signal or 2), true)
    end
    pause = news and 0.1 or math.min(pause * 1.5, 2)
  end
end

-- Ends the batch; what has ended keeps its result.
function files.cancel(batch, engine)
  system.write(batch.dir .. "/cancel", "")
  if engine then engine.cancel(batch) end
end

return files
