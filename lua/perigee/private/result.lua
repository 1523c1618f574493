-- SPDX-License-Identifier: MIT
-- pg._result.read(dir) -> what a job recorded in its metrics.json, or nil; and a remark when there is one that cannot
-- be taken. A job may write that file itself, so nothing in it is believed: each part has the form that an experiment
-- writes, or is left out.
local pg = ...
local json = pg._json
local system = pg._system

local result = {}

local MOST_BYTES, MOST_RECORDS, MOST_ROWS = 32 << 20, 5000, 100000

local function is_text(v) return type(v) == "string" end
local function is_scalar(v) return type(v) == "string" or type(v) == "number" or type(v) == "boolean" end
local function is_value(v) return type(v) == "string" or type(v) == "number" end

local function text(v) return is_text(v) and v or nil end

-- A list all of whose items pass; nil for anything else.
local function list_of(v, check, most)
  if type(v) ~= "table" then return nil end
  local list = json.list()
  for i = 1, math.min(#v, most or #v) do
    if not check(v[i]) then return nil end
    list[i] = v[i]
  end
  return list
end

local function rows(v, width)
  if type(v) ~= "table" then return nil end
  local list = json.list()
  for i = 1, math.min(#v, MOST_ROWS) do
    local row = list_of(v[i], is_scalar, width)
    if row == nil then return nil end
    list[i] = row
  end
  return list
end

local read = {}

function read.metric(r)
  return is_text(r.name) and {name = r.name, report = is_value(r.report) and r.report or nil, note = text(r.note)}
end

function read.figure(r)
  if not (is_text(r.name) and is_text(r.file)) or r.file:find("[/%z]") or r.file:find("^%.") then return nil end
  return {name = r.name, file = r.file, caption = text(r.caption), report = text(r.report), note = text(r.note),
    plot = r.plot == true or nil}
end

function read.table(r)
  local columns = list_of(r.columns, is_text, 1000)
  local cells = columns and rows(r.rows, #columns)
  return is_text(r.name) and cells and {name = r.name, columns = columns, rows = cells, caption = text(r.caption),
    report = rows(r.report, #columns), note = text(r.note)}
end

function read.note(r)
  return is_text(r.text) and {text = r.text}
end

local function records(v)
  local list = json.list()
  for _, r in ipairs(type(v) == "table" and v or {}) do
    local reader = type(r) == "table" and is_text(r.kind) and read[r.kind]
    local record = reader and reader(r)
    if record then
      record.kind = r.kind
      list[#list + 1] = record
      if #list == MOST_RECORDS then break end
    end
  end
  return list
end

-- Fields whose value passes.
local function map(v, check)
  local t = {}
  if type(v) ~= "table" then return t end
  for name, value in next, v do
    if is_text(name) then t[name] = check(value) end
  end
  return t
end

local function curve(v)
  if type(v) ~= "table" then return nil end
  local step, value = list_of(v.step, is_value), list_of(v.value, is_value)
  return step and value and #step == #value and {step = step, value = value} or nil
end

function result.clean(v)
  return {
    name = text(v.name), about = text(v.about), skipped = text(v.skipped), quick = v.quick == true,
    seed = math.type(v.seed) == "integer" and v.seed or nil, metrics = map(v.metrics, function(m)
      return is_value(m) and m or nil
    end),
    options = map(v.options, function(o)
      if is_scalar(o) then return o end
      return list_of(o, is_scalar)
    end),
    series = map(v.series, curve), records = records(v.records),
    data = list_of(v.data, function(d)
      return type(d) == "table" and is_text(d.path) and is_text(d.sha256) and is_text(d.file)
    end) or json.list(),
  }
end

-- The value of a JSON file, a table; nil and why.
function result.json(path)
  if system.kind(path) == nil then return nil end
  local bytes, size = system.read(path, MOST_BYTES)
  if bytes == nil then return nil, ("%s: %s"):format(path, size) end
  if size > MOST_BYTES then return nil, ("%s: more than %d MB, left out"):format(path, MOST_BYTES >> 20) end
  local ok, value = pcall(json.decode, bytes)
  if not ok then return nil, ("%s: %s"):format(path, value) end
  if type(value) ~= "table" then return nil, path .. ": no object" end
  return value
end

function result.read(dir)
  local value, why = result.json(dir .. "/metrics.json")
  if value == nil then return nil, why end
  return result.clean(value)
end

return result
