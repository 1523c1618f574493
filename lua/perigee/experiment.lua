-- SPDX-License-Identifier: MIT
-- An experiment: a script with typed options, a seed, a folder for what it makes, and records for the report.
--
-- Everything it records goes to metrics.json in its folder, which holds no time and nothing of the machine, so that two
-- runs with one seed give the same bytes. What depends on the machine and the hour goes to manifest.json, which the
-- batch runner writes for its jobs and the experiment itself when it runs alone.
local pg = ...
local args = pg._args
local json = pg._json
local options = pg._options
local system = pg._system

local experiment = {}
experiment.__name = "experiment"

-- A number as JSON can hold it: what is not finite becomes a word.
local function plain(value)
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" end
  if value == -math.huge then return "-inf" end
  return value
end

-- Checks raise at the caller of the method that calls them.
local function fail(what, position, message, ...)
  args.fail(what, position, message:format(...))
end

local function check_text(what, position, name, value, optional)
  if type(value) ~= "string" and not (optional and value == nil) then
    fail(what, position, "%s: expected a string, got %s", name, args.got(value))
  end
end

-- A name that becomes a file's.
local function check_file_name(what, name)
  if type(name) ~= "string" then fail(what, 1, "name: expected a string, got %s", args.got(name)) end
  if name == "" or name:find("[/%c]") or name:find("^%.") or #name > 200 then
    fail(what, 1, "name: '%s' cannot be a file's name; use letters, digits, - and _", name)
  end
end

local function scalar(what, position, name, value)
  if args.is_array(value) and value.size == 1 then value = value:item() end
  if type(value) ~= "number" then
    fail(what, position, "%s: expected a number, got %s", name, args.got(value))
  end
  return value
end

-- Rows as lists of cells that JSON can hold.
local function cells(what, position, name, rows, width)
  if args.is_array(rows) and rows.ndim == 2 then rows = rows:totable() end
  if type(rows) ~= "table" then
    args.fail(what, position, ("%s: expected a list of rows or a 2-d array, got %s"):format(name, args.got(rows)))
  end
  local out = json.list()
  for i, row in ipairs(rows) do
    if args.is_array(row) and row.ndim == 1 then row = row:totable() end
    if type(row) ~= "table" then
      args.fail(what, position, ("%s: row %d: expected a list, got %s"):format(name, i, args.got(row)))
    end
    if #row > width then
      args.fail(what, position, ("%s: row %d has %d cells, there are %d columns"):format(name, i, #row, width))
    end
    local line = {}
    for j = 1, width do
      local cell = row[j]
      if args.is_array(cell) and cell.size == 1 then cell = cell:item() end
      if type(cell) == "number" then
        cell = plain(cell)
      elseif cell == nil then
        cell = ""
      elseif type(cell) ~= "boolean" and type(cell) ~= "string" then
        args.fail(what, position, ("%s: row %d, column %d: expected a number, a text or a boolean, got %s%s"):format(
          name, i, j, args.got(cell), type(cell) == "function" and "; call it" or ""))
      end
      line[j] = cell
    end
    out[i] = line
  end
  return out
end

-- Adds a record, keeping the order in which they came.
function experiment:_record(record)
  if self._state.silent then return record end
  table.insert(self._state.records, record)
  self._state.dirty = true
  self:_flush(false)
  return record
end

-- Writes metrics.json when something is new: at once at the end, else five times a second at most and ever more seldom
-- as the run goes on, down to every ten seconds, since a thousand jobs may share one file system.
function experiment:_flush(final)
  local state = self._state
  local now = pg.clock()
  local pause = math.max(0.2, math.min(10, (now - state.clock) / 50))
  if state.silent or not state.dirty or (not final and now - state.written < pause) then return end
  local metrics, series = {}, {}
  for _, name in ipairs(state.metric_names) do
    local m = state.metrics[name]
    metrics[name] = plain(m.value)
    if #m.values > 0 then series[name] = {step = m.steps, value = m.values} end
  end
  local given = {}
  for _, option in ipairs(state.declared) do
    if not option.builtin then given[option.name] = self.options[option.name] end
  end
  system.write(self.dir .. "/metrics.json", json.encode{
    name = self.name, about = state.about, seed = self.seed, quick = self.quick, options = given, metrics = metrics,
    series = series, records = state.records, data = state.data, skipped = state.skipped,
  })
  state.dirty, state.written = false, now
end

--- experiment:metric(name, value [, step_or_opts])
-- Records a number for the report; the last value of a name is its headline. With a step it adds a point to a curve.
-- @param name  string
-- @param value  number, or an array with one element
-- @param step_or_opts  number: the step this value belongs to (an epoch, a setting), or a table of the options below
-- @param opts.step  number: as above
-- @param opts.report  number or string: the value in a report this is compared with; shown beside ours
-- @param opts.note  string: why the two differ, or what the number means
function experiment:metric(name, value, opts)
  check_text("metric", 1, "name", name)
  value = scalar("metric", 2, "value", value)
  if type(opts) == "number" then opts = {step = opts} end
  opts = args.options("metric", 3, opts, {step = args.any, report = args.any, note = args.any})
  check_text("metric", 3, "note", opts.note, true)
  local state = self._state
  local m = state.metrics[name]
  if m == nil then
    m = {steps = {}, values = {}, record = {kind = "metric", name = name}}
    state.metrics[name] = m
    table.insert(state.metric_names, name)
    table.insert(state.records, m.record)
  end
  m.value = value
  if opts.step ~= nil then
    table.insert(m.steps, plain(scalar("metric", 3, "step", opts.step)))
    table.insert(m.values, plain(value))
  end
  if opts.report ~= nil then
    m.record.report = type(opts.report) == "number" and plain(opts.report) or tostring(opts.report)
  end
  m.record.note = opts.note or m.record.note
  state.dirty = true
  self:_flush(false)
end

--- experiment:figure(name, figure [, caption [, opts]]) -> path
-- Saves a figure, or an image (h x w or h x w x 3, 0..255), as NAME.png in the experiment's folder and shows it in the
-- report.
-- @param name  string: the file's name without .png
-- @param figure  a figure of pg.plot, or an array as pg.save takes
-- @param caption  string: the line below it
-- @param opts.report  string: what a report's figure shows, in words; stands beside ours
-- @param opts.note  string: where ours differs on purpose
-- @return path  of the file written
function experiment:figure(name, figure, caption, opts)
  check_file_name("figure", name)
  check_text("figure", 3, "caption", caption, true)
  opts = args.options("figure", 4, opts, {report = args.any, note = args.any})
  check_text("figure", 4, "report", opts.report, true)
  check_text("figure", 4, "note", opts.note, true)
  local file = name .. ".png"
  local path = self.dir .. "/" .. file
  if self._state.silent then return path end
  if args.is_array(figure) then
    pg.save(path, figure)
  elseif type(figure) == "table" and figure.save then
    figure:save(path)
  else
    args.fail("figure", 2, "figure: expected a figure or an image, got " .. args.got(figure))
  end
  for i, record in ipairs(self._state.records) do
    if record.kind == "figure" and record.name == name then
      table.remove(self._state.records, i)
      break
    end
  end
  self:_record{kind = "figure", name = name, file = file, caption = caption, report = opts.report, note = opts.note,
    plot = type(figure) == "table" and figure._is_ink and figure:_is_ink() or nil}
  return path
end

--- experiment:table(name, columns, rows [, caption [, opts]])
-- Records a table for the report.
-- @param name  string
-- @param columns  list of strings: the headings
-- @param rows  list of rows, each a list of numbers, texts and booleans; or a 2-d array
-- @param caption  string: the line below it
-- @param opts.report  list of rows or 2-d array: the same table in a report, shown beside ours
-- @param opts.note  string: why the two differ
function experiment:table(name, columns, rows, caption, opts)
  check_text("table", 1, "name", name)
  check_text("table", 4, "caption", caption, true)
  opts = args.options("table", 5, opts, {report = args.any, note = args.any})
  if type(columns) ~= "table" or #columns == 0 then
    args.fail("table", 2, "columns: expected a list of headings, got " .. args.got(columns))
  end
  local heads = {}
  for i, head in ipairs(columns) do heads[i] = tostring(head) end
  self:_record{
    kind = "table", name = name, columns = heads, rows = cells("table", 3, "rows", rows, #heads), caption = caption,
    report = opts.report and cells("table", 5, "report", opts.report, #heads), note = opts.note,
  }
end

--- experiment:note(text)
-- Records a remark for the report, in Markdown: paragraphs, lists, **bold**, *italic*, `code`, headings, links.
-- @param text  string
function experiment:note(text)
  check_text("note", 1, "text", text)
  self:_record{kind = "note", text = text}
end

--- experiment:data(file [, opts]) -> path
-- Finds a data file: as given, beside the script, then in build/data. Its hash goes into the manifest.
-- @param file  string: the file's name
-- @param opts.get  string: the line that says how to get it when it is missing
-- @param opts.optional  boolean: give nil instead of an error when it is missing
-- @return path  to be read with pg.load
-- @error the file is in none of these places
function experiment:data(file, opts)
  check_text("data", 1, "file", file)
  opts = args.options("data", 2, opts, {get = "vendor/datasets.sh brings what system packages hold", optional = false})
  local places = {file}
  if not file:find("^/") then
    places = {self._state.folder .. file, "build/data/" .. file, self._state.folder .. "../build/data/" .. file, file}
  end
  for _, path in ipairs(places) do
    -- Looking outside a sandbox is an error; the file is not there then.
    local seen, kind = pcall(system.kind, path)
    if seen and kind == "file" then
      self:_uses(path)
      return path
    end
  end
  if opts.optional then return nil end
  error(("%s: not found beside the script nor in build/data; %s"):format(file, opts.get), 2)
end

-- Notes that the results depend on this file.
function experiment:_uses(path)
  if self._state.silent then return end
  local name = path:match("[^/]*$")
  for _, entry in ipairs(self._state.data) do
    if entry.path == path then return end
  end
  table.insert(self._state.data, {file = name, path = path, sha256 = pg._evidence.sha256(path)})
  self._state.dirty = true
end

--- experiment:skip(reason)
-- Ends the experiment here, as skipped and not as failed.
-- @param reason  string: shown in the report
function experiment:skip(reason)
  check_text("skip", 1, "reason", reason)
  self._state.skipped = reason
  self._state.dirty = true
  self:_finish()
  if self._state.hosted then
    error(setmetatable({skipped = reason}, {__tostring = function(e) return "skipped: " .. e.skipped end}), 0)
  end
  if not self._state.silent then print("skipped: " .. reason) end
  os.exit(0, true)
end

-- Writes what is still to be written; called once, by skip or when the state closes.
function experiment:_finish()
  local state = self._state
  if state.finished or state.silent then return end
  state.finished = true
  self:_flush(true)
  if not state.hosted and (os.getenv("PERIGEE_JOB") or "") == "" then
    pg._manifest.write(self.dir .. "/manifest.json", pg._manifest.of_experiment(self, state))
    pg._alone(self, state)
  end
end

function experiment.__index(self, key)
  local method = experiment[key]
  if method ~= nil and key ~= "__index" then return method end
  if key == "rng" then
    local rng = pg.random.new(self.seed)
    rawset(self, "rng", rng)
    return rng
  end
  local known = {"data", "dir", "figure", "metric", "name", "note", "options", "quick", "rng", "seed", "skip", "table"}
  args.missing("an experiment has no field", "experiment", tostring(key), known)
end

function experiment.__tostring(self)
  return ("experiment %s (seed %d%s) -> %s"):format(self.name, self.seed, self.quick and ", quick" or "", self.dir)
end

local BUILTIN = {
  {name = "seed", type = "integer", default = 0, builtin = true, help = "seed of ex.rng"},
  {name = "quick", type = "flag", default = false, builtin = true,
    help = "a small run that shows that everything works"},
  {name = "out", type = "folder", builtin = true, help = "the folder to write to"},
  {name = "help", type = "flag", default = false, builtin = true, help = "these lines"},
}

-- The options of a spec and the builtin ones, checked.
local function declare(spec, where)
  local declared = options.declare(spec.options or {}, where)
  for _, builtin in ipairs(BUILTIN) do
    for _, option in ipairs(declared) do
      if option.name == builtin.name then
        error(("%s: every experiment has --%s already; give the option another name"):format(where, option.name), 0)
      end
    end
  end
  local names = {}
  for i, option in ipairs(declared) do names[i] = option.name end
  for _, key in ipairs(args.sorted_keys(spec.quick or {})) do
    local found = false
    for _, name in ipairs(names) do found = found or name == key end
    if not found then
      local near = args.nearest(key, names)
      error(("%s: quick names the option '%s', which there is not%s"):format(where, key,
        near and "; did you mean '" .. near .. "'?" or ""), 0)
    end
  end
  table.move(BUILTIN, 1, #BUILTIN, #declared + 1, declared)
  return declared
end

local function resolve(declared, given, quick)
  local known, values = {}, {}
  for _, option in ipairs(declared) do
    if not option.builtin then
      local value = given[option.name]
      if value == nil and given.quick then value = (quick or {})[option.name] end
      if value == nil then value = option.default end
      known[#known + 1] = option.name
      values[option.name] = value
    end
  end
  return setmetatable(values, {
    __index = function(_, key)
      for _, name in ipairs(known) do
        if name == key then return nil end
      end
      local near = args.nearest(tostring(key), known)
      error(("this experiment has no option '%s'%s"):format(tostring(key),
        near and "; did you mean '" .. near .. "'?" or ""), 2)
    end,
  })
end

local function usage(spec, declared, program)
  return ("usage: %s [options]\n%s\noptions:\n%s"):format(program, spec.about and "\n" .. spec.about .. "\n" or "",
    options.lines(declared, spec.quick))
end

local current

pg._model.register("experiment", {example = function() return setmetatable({}, experiment) end})

--- pg.experiment(spec) -> experiment
-- Begins an experiment: reads the options its script was called with, makes its folder and makes the script strict.
-- Of several ranks (pg.mpi) the first alone writes records and prints. Every experiment also knows --seed, --quick,
-- --out and --help.
-- @param spec.name  string: its name and, when it runs alone, that of its folder out/NAME (default: the script's)
-- @param spec.about  string: what --help says first
-- @param spec.options  table: name = default; the default gives the type, pg.option{...} says more
-- @param spec.quick  table: the defaults under --quick
-- @param spec.args  list of strings: read instead of the script's; errors are then raised and do not end the program
-- @param spec.strict  boolean: make undeclared globals an error (default true)
-- @return experiment  with options, rng (pg.random.new(seed)), seed, quick, dir, name and the methods data, metric,
--   figure, table, note, skip
-- @example pg.experiment{name = "doc", options = {lr = 0.1}, args = {"--out=/tmp/doc"}}.options.lr --> 0.1
return function(spec)
  if type(spec) ~= "table" then
    args.fail("experiment", 1, "expected a table such as {name = \"...\", options = {...}}, got " .. args.got(spec))
  end
  args.options("experiment", 1, spec, {
    name = "", about = "", options = {}, quick = {}, args = {}, strict = true,
  })
  local words = spec.args or rawget(_G, "arg") or {}
  local script = not spec.args and words[0] or ""
  local name = spec.name or script:match("([^/]*)%.lua$") or script:match("[^/]+$") or "experiment"
  check_file_name("experiment", name)
  local hosted = spec.args ~= nil
  if current and not hosted then
    error("experiment: this script has begun one already; a second one needs a script of its own", 2)
  end

  local fine, declared = pcall(declare, spec, "experiment")
  if not fine then error(declared, 2) end
  local ok, given, rest = pcall(options.parse, declared, words)
  local problem = not ok and tostring(given)
  if ok then
    local placed, why = pcall(options.place, declared, given, rest)
    if not placed then problem = why end
  end
  if ok and given.seed and given.seed < 0 then
    problem = "--seed: expected an integer of at least 0, got " .. given.seed
  end
  if problem and hosted then error(problem, 2) end
  if problem then
    io.stderr:write(name, ": ", problem, "\n")
    os.exit(2, true)
  end
  if given.help and not hosted then
    print(usage(spec, declared, "perigee " .. (script ~= "" and script or name .. ".lua")))
    os.exit(0, true)
  end

  local job = not hosted and os.getenv("PERIGEE_JOB") or ""
  local dir = given.out or (job ~= "" and job) or "out/" .. name
  dir = #dir > 1 and dir:gsub("/+$", "") or dir
  -- Of several ranks the first alone writes and speaks.
  local mpi = not hosted and system.announced() > 0 and pg.mpi or nil
  local silent = mpi ~= nil and mpi.rank > 0
  if not silent then system.mkdirs(dir) end
  if mpi and mpi.size > 1 then dir = mpi.bcast(dir) end
  if silent then rawset(_G, "print", function() end) end
  if mpi and job ~= "" and not silent then pg._manifest.leave_ranks(dir, mpi) end
  local ex = {
    name = name, options = resolve(declared, given, spec.quick), seed = given.seed or 0, quick = given.quick or false,
    dir = dir,
    _state = {
      declared = declared, hosted = hosted, script = script, folder = script:match("^(.*/)") or "",
      started = system.now(), clock = pg.clock(), about = spec.about,
      silent = silent, metric_names = {}, metrics = {}, records = json.list(), data = json.list(), dirty = true,
      written = 0,
    },
  }
  setmetatable(ex, experiment)
  for _, option in ipairs(declared) do
    local value = not option.builtin and option.type == "file" and ex.options[option.name]
    if value then ex:_uses(value) end
  end
  ex:_flush(true)
  -- What is still unwritten goes out when the state closes, after an error too.
  ex._state.guard = setmetatable({}, {__gc = function()
    local done, why = pcall(ex._finish, ex)
    if not done then
      io.stderr:write("perigee: ", tostring(why), "\n")
      if not hosted then os.exit(1) end
    end
  end})
  if not hosted then current = ex end
  if spec.strict ~= false then pg.strict() end
  return ex
end
