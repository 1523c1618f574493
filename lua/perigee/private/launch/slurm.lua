-- SPDX-License-Identifier: MIT
-- pg["_launch/slurm"]: Slurm as what starts the workers of a batch (files.lua): one job array, whose tasks are
-- `perigee run --worker`. Slurm is asked whether a task may still come, and never for a result: its answers are late,
-- lost with its controller, and forgotten after minutes; sacct may not be there at all.
local pg = ...
local process, system = pg._process, pg._system

local slurm = {name = "Slurm"}

local function shell(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- What a command prints, and whether it went well: Slurm's clients may wait long for a controller that is away.
local function output(words, seconds)
  local line = {}
  for i, word in ipairs(words) do line[i] = shell(word) end
  local f = io.popen(("exec 2>&1; timeout -k 5 %d %s"):format(seconds, table.concat(line, " ")), "r")
  if f == nil then return "cannot start " .. words[1], false end
  local text = f:read("a") or ""
  local ok, _, code = f:close()
  if code == 127 then
    text = ("%s: not found; --launcher slurm needs Slurm's programs here (Debian: slurm-client)"):format(words[1])
  elseif code == 124 or code == 137 then
    text = ("%s: no answer within %d s"):format(words[1], seconds)
  end
  return text, ok == true, code
end

local function last_line(text) return text:match("([^\n]*%S)%s*$") or "" end

local function name_of(batch) return "perigee-" .. batch.id end

-- An array's index is bounded by MaxArraySize, the count is not.
function slurm.most_workers()
  local text = output({"scontrol", "show", "config"}, 30)
  return math.max(1, (math.tointeger(tonumber(text:match("MaxArraySize%s*=%s*(%d+)"))) or 1001) - 1)
end

-- Within an allocation its own variables would become the new job's.
local function scrub()
  local words = {"env"}
  for _, entry in ipairs(process.environment()) do
    local name = entry:match("^[^=]*")
    if (name:find("^SLURM_") and name ~= "SLURM_CONF") or name:find("^SBATCH_") or name:find("^PMI")
      or name:find("^OMPI_") and not name:find("^OMPI_ALLOW") then
      words[#words + 1] = "-u"
      words[#words + 1] = name
    end
  end
  return words
end

-- The words of sbatch for a batch of `jobs` jobs.
function slurm.words(batch, context)
  local opts = context.opts
  local out = system.kind(opts.out) and system.absolute(opts.out) or opts.out
  local words, given = {}, {}
  for _, setting in ipairs(opts.slurm or {}) do given[setting:match("^[^=]*")] = true end
  local function add(name, value) if not given[name] then words[#words + 1] = ("--%s=%s"):format(name, value) end end
  words[1], words[2] = "sbatch", "--parsable"
  add("job-name", name_of(batch))
  add("open-mode", "append")
  add("output", out .. "/.batch/log/%a.out")
  add("export", "ALL")
  if opts.ranks then add("ntasks", opts.ranks) end
  add("cpus-per-task", context.threads)
  add("array", ("1-%d%s"):format(batch.workers, opts.jobs and "%" .. opts.jobs or ""))
  if opts.memory then add("mem", ("%dM"):format((opts.memory + 320) * (opts.ranks or 1))) end
  if opts.timeout then
    local each = math.ceil(#batch.waiting / batch.workers)
    add("time", ("%d"):format(math.ceil((each * (opts.timeout + 5) + 90) / 60)))
  end
  for _, setting in ipairs(opts.slurm or {}) do words[#words + 1] = "--" .. setting end
  words[#words + 1] = "--wrap"
  words[#words + 1] = ("exec env PERIGEE_TASK=$SLURM_ARRAY_JOB_ID %s run --worker --out %s"):format(
    shell(context.program), shell(out))
  return words
end

-- Submits; gives the job's number.
function slurm.submit(batch, context)
  local words = scrub()
  table.move(slurm.words(batch, context), 1, 1 << 10, #words + 1, words)
  local text, ok, code
  for attempt = 1, 4 do
    text, ok, code = output(words, 60)
    local number = ok and text:match("%f[%d](%d+);?%S*%s*$")
    if number then return number end
    if code == 127 then
      if not text:find("not found;", 1, true) then text = "sbatch: " .. text end
      error((text:gsub("^env:", "sbatch:")), 0)
    end
    local lost = ok or code == 124 or code == 137 or text:find("[Tt]imed out") or text:find("Unable to contact")
      or text:find("temporarily")
    if not lost then break end
    -- It may have been taken although the answer was lost.
    local found, answered = output({"squeue", "-h", "-o", "%F", "--name=" .. name_of(batch)}, 30)
    if answered and found:match("^%d+") then return found:match("^%d+") end
    if attempt < 4 then process.wait({}, 2 ^ attempt) end
  end
  local line = last_line(text)
  if line:find("QOS") or line:find("MaxSubmit") or line:find("job limit") then
    line = line .. "; --workers N makes fewer tasks, which share the jobs"
  end
  error(line:find("^sbatch") and line or "sbatch: " .. line, 0)
end

local ACTIVE = {}
for word in ("PENDING CONFIGURING RUNNING COMPLETING SUSPENDED STOPPED SIGNALING STAGE_OUT REQUEUED REQUEUE_FED " ..
  "REQUEUE_HOLD RESIZING SPECIAL_EXIT RESV_DEL_HOLD"):gmatch("%S+") do ACTIVE[word] = true end

local ENDED = {TIMEOUT = "timed_out", DEADLINE = "timed_out", OUT_OF_MEMORY = "out_of_memory",
  CANCELLED = "interrupted", PREEMPTED = "interrupted", REVOKED = "interrupted", NODE_FAIL = "killed",
  BOOT_FAIL = "killed", FAILED = "killed", COMPLETED = "killed"}

-- The tasks that Slurm knows by their numbers, {state =, node =, reason =}, then nil and whether one may still come;
-- nil and why when it does not answer. said: what was told already.
function slurm.ask(batch, said)
  local text, ok = output({"squeue", "-h", "-r", "-t", "all", "-j", batch.slurm, "--name=" .. name_of(batch), "-O",
    "ArrayTaskID:12,State:22,NodeList:40,Reason:80"}, 30)
  if not ok and not text:find("Invalid job id") then return nil, last_line(text), true end
  local tasks, active = {}, false
  for line in (ok and text or ""):gmatch("[^\n]+") do
    local function column(from, to) return line:sub(from, to):match("^%s*(.-)%s*$") end
    local number, state = math.tointeger(tonumber(column(1, 12))), column(13, 34):match("%S*")
    if number then
      local task = {state = state, node = column(35, 74), reason = column(75, 200)}
      tasks[number] = task
      -- A word that is not known may well be a state of a task that goes on.
      if ACTIVE[state] or not ENDED[state] then active = true end
      if task.reason:lower():find("held", 1, true) and not said[number] then
        said[number] = true
        print(("task %s_%d is held by Slurm: %s; scontrol release %s_%d lets it go on"):format(batch.slurm, number,
          task.reason, batch.slurm, number))
      elseif state == "PENDING" and not said.pending and task.reason ~= "None" and task.reason ~= "Priority"
        and task.reason ~= "Resources" and task.reason ~= "JobArrayTaskLimit" and task.reason ~= "BeginTime" then
        said.pending = true
        print(("task %s_%d waits: %s"):format(batch.slurm, number, task.reason))
      end
    end
  end
  -- One empty answer may be a controller that has just started.
  if next(tasks) == nil and not said.empty then
    said.empty = true
    return tasks, nil, true
  end
  return tasks, nil, active
end

-- The state of job n, which left no result, and the reason, from what Slurm says of the task that took it.
function slurm.judge(batch, n, worker, tasks)
  local task = worker and math.tointeger(tonumber(worker:match("^%d+_(%d+)%.")))
  if task == nil and batch.workers == #batch.waiting then
    for k, i in ipairs(batch.waiting) do
      if i == n then task = k end
    end
  end
  local fact = task and tasks and tasks[task]
  local log = task and system.read(("%s/log/%d.out"):format(batch.dir, task), 4096, true) or ""
  local where = fact and fact.node ~= "" and " on " .. fact.node or ""
  local text = fact and ("Slurm: task %s_%d is %s%s"):format(batch.slurm, task, fact.state, where)
  if fact and (fact.state == "OUT_OF_MEMORY" or log:find("memory limit", 1, true) or log:find("oom", 1, true)) then
    return "out_of_memory", text
  end
  if worker == nil and (fact == nil or ENDED[fact.state] == "interrupted" or ENDED[fact.state] == "killed") then
    return "interrupted", "it was not started" .. (text and "; " .. text or "")
  end
  if fact == nil then
    return "killed", ("its worker %s left no result and Slurm no longer knows it"):format(worker)
  end
  return ENDED[fact.state] or "killed", text
end

-- Whether a task of the batch may still come; true when Slurm does not answer.
function slurm.lives(batch)
  local tasks, _, active = slurm.ask(batch, {empty = true})
  return tasks == nil or active
end

function slurm.cancel(batch)
  local text, ok = output({"scancel", "--name=" .. name_of(batch), batch.slurm}, 60)
  if not ok and not text:find("Invalid job id") then error("scancel: " .. last_line(text), 0) end
end

return slurm
