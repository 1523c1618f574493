-- SPDX-License-Identifier: MIT
-- pg._sweep: settings of a batch. `--set lr=0.1,0.01 --set seed=1..8 --set dims=[16,32],[64]` is the product of the
-- three lists, the first varying slowest. Also the names of the jobs' folders.
local pg = ...
local system = pg._system

local sweep = {}

local function bad(text, why)
  error(("--set %s: %s; write --set name=value,value or name=1..8, a list value in brackets"):format(text, why), 0)
end

-- The values of one setting: at commas outside brackets, with a..b counted out.
local function values_of(text, list)
  local values, depth, from = {}, 0, 1
  for at = 1, #list + 1 do
    local c = list:sub(at, at)
    if c == "[" then
      depth = depth + 1
    elseif c == "]" then
      depth = depth - 1
      if depth < 0 then bad(text, "a bracket is closed that was not opened") end
    elseif at > #list or (c == "," and depth == 0) then
      if depth > 0 then bad(text, "a bracket is not closed") end
      local value = list:sub(from, at - 1)
      local lo, hi = value:match("^(%-?%d+)%.%.(%-?%d+)$")
      if lo then
        lo, hi = math.tointeger(tonumber(lo)), math.tointeger(tonumber(hi))
        if lo == nil or hi == nil or hi < lo then bad(text, ("the range %s is empty"):format(value)) end
        if hi - lo >= 100000 then bad(text, ("the range %s is too long"):format(value)) end
        for v = lo, hi do values[#values + 1] = tostring(v) end
      elseif value:find("..", 1, true) and not value:find("[/%a]") then
        bad(text, ("'%s' is not a range of integers"):format(value))
      elseif value == "" then
        bad(text, "a value is empty")
      else
        values[#values + 1] = value
      end
      from = at + 1
    end
  end
  local met = {}
  for _, value in ipairs(values) do
    if met[value] then bad(text, ("the value %s comes twice"):format(value)) end
    met[value] = true
  end
  return values
end

-- Reads the texts of all --set. Returns a list of {name=, values=}.
function sweep.read(texts)
  local axes, met = {}, {}
  for _, text in ipairs(texts) do
    local name, list = text:match("^%-*([%a][%w_%-]*)=(.*)$")
    if name == nil then bad(text, "no name with a = after it") end
    name = name:gsub("-", "_")
    if met[name] then bad(text, ("%s is set twice"):format(name)) end
    met[name] = true
    axes[#axes + 1] = {name = name, values = values_of(text, list)}
  end
  return axes
end

-- Every combination, each a list of {name, value}.
function sweep.product(axes)
  local all = {{}}
  for _, axis in ipairs(axes) do
    local more = {}
    if #all * #axis.values > 1000000 then error("--set: more than a million combinations", 0) end
    for _, settings in ipairs(all) do
      for _, value in ipairs(axis.values) do
        local longer = table.move(settings, 1, #settings, 1, {})
        longer[#longer + 1] = {axis.name, value}
        more[#more + 1] = longer
      end
    end
    all = more
  end
  return all
end

-- The folder all paths share, with a / at its end, or "".
local function common(paths)
  local shared = paths[1]:match("^(.*/)") or ""
  for _, path in ipairs(paths) do
    while path:sub(1, #shared) ~= shared do
      shared = shared:match("^(.*/)[^/]*/$") or ""
    end
  end
  return shared
end

-- A job's folder for each script: its path relative to the folder that all share, without .lua.
function sweep.names(absolute)
  local shared = common(absolute)
  local names, met = {}, {}
  for i, path in ipairs(absolute) do
    local name = path:sub(#shared + 1):gsub("%.lua$", "")
    if met[name] then name = path:sub(#shared + 1) end
    met[name] = true
    names[i] = name
  end
  return names
end

-- What a job is called: the script's name, then the settings, fit to be a folder's name.
function sweep.job_name(script, settings)
  local parts = {}
  for _, setting in ipairs(settings) do
    parts[#parts + 1] = "," .. setting[1] .. "=" .. setting[2]
  end
  local tail = table.concat(parts)
  local clean = tail:gsub("[^%w%-_.,=%[%]+@ ]", "_")
  if clean ~= tail or #clean > 120 then
    clean = clean:sub(1, 110) .. "~" .. system.digest(tail):sub(1, 8)
  end
  return script .. clean
end

return sweep
