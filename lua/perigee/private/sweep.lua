-- SPDX-License-Identifier: MIT
-- pg._sweep: settings of a batch. `--set lr=0.1,0.01 --set seed=1..8 --set dims=[16,32],[64]` is the product of the
-- three lists, the first varying slowest. Also the names of the jobs' folders.
local pg = ...
local system = pg._system

local sweep = {}

local function bad(text, why)
  error(("--set %s: %s; write --set name=value,value or name=1..8, a list value in brackets, a text with commas in " ..
    "quotes"):format(text, why), 0)
end

-- The pieces of a list at its commas: {text, literal}. Within brackets a comma separates nothing. A piece in quotes is
-- taken as it is; a backslash does so for the character after it.
local function pieces_of(text, list)
  local pieces, at = {}, 1
  while true do
    local quote = list:match("^[\"']", at)
    local stop = quote and list:find(quote, at + 1, true)
    if quote and not stop then bad(text, "a quote is not closed") end
    if quote and (stop == #list or list:sub(stop + 1, stop + 1) == ",") then
      pieces[#pieces + 1] = {list:sub(at + 1, stop - 1), true}
      at = stop + 1
    elseif quote then
      bad(text, "a value goes on after its quote")
    else
      local parts, depth, literal = {}, 0, false
      while at <= #list do
        local c = list:sub(at, at)
        if c == "\\" and at < #list then
          at = at + 1
          c, literal = list:sub(at, at), true
        elseif c == "[" then
          depth = depth + 1
        elseif c == "]" then
          depth = depth - 1
          if depth < 0 then bad(text, "a bracket is closed that was not opened") end
        elseif c == "," and depth == 0 then
          break
        end
        parts[#parts + 1] = c
        at = at + 1
      end
      if depth > 0 then bad(text, "a bracket is not closed") end
      pieces[#pieces + 1] = {table.concat(parts), literal}
    end
    if at > #list then return pieces end
    at = at + 1 -- over the comma
    if at > #list then
      pieces[#pieces + 1] = {"", false}
      return pieces
    end
  end
end

-- The values of one setting, with a..b counted out.
local function values_of(text, list)
  local pieces, values = pieces_of(text, list), {}
  for _, piece in ipairs(pieces) do
    local value, literal = piece[1], piece[2]
    local lo, hi = value:match("^(%-?%d+)%.%.(%-?%d+)$")
    if literal or (value == "" and #pieces == 1) then
      values[#values + 1] = value
    elseif lo then
      lo, hi = math.tointeger(tonumber(lo)), math.tointeger(tonumber(hi))
      if lo == nil or hi == nil or hi < lo then bad(text, ("the range %s is empty"):format(value)) end
      if hi - lo >= 100000 then bad(text, ("the range %s is too long"):format(value)) end
      for v = lo, hi do values[#values + 1] = tostring(v) end
    elseif value:find("..", 1, true) and not value:find("[/%a]") then
      bad(text, ("'%s' is not a range of integers"):format(value))
    elseif value == "" then
      bad(text, "a value is empty (\"\" is the empty text)")
    else
      values[#values + 1] = value
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
    names[i] = sweep.free(name)
  end
  return names
end

-- What a batch, or the job of a folder above, writes itself.
local TAKEN = {["index.html"] = true, ["summary.json"] = true, ["junit.xml"] = true, ["metrics.csv"] = true,
  ["metrics.json"] = true, ["manifest.json"] = true, ["log.txt"] = true}

-- A script's name as folders that take the place of nothing else.
function sweep.free(name)
  return (name:gsub("[^/]+", function(part)
    return (TAKEN[part] or part:find("^%.") or part:find("%.png$")) and part:gsub("^%.", "_") .. ".job" or nil
  end))
end

-- Whether a character beyond ASCII may stand in a folder's name: none that is invisible or turns the line around.
local function visible(code)
  return code > 0xA0 and code ~= 0xAD and code ~= 0x61C and not (code >= 0x2000 and code <= 0x200F) and
    not (code >= 0x2028 and code <= 0x202F) and not (code >= 0x205F and code <= 0x206F) and code ~= 0x3000 and
    code ~= 0xFEFF and not (code >= 0xD800 and code <= 0xF8FF) and not (code >= 0xFFF0 and code <= 0xFFFF) and
    code < 0xE0000
end

-- At most so many bytes, whole characters.
local function cut(text, most)
  if #text <= most then return text end
  return text:sub(1, (utf8.offset(text, 0, most + 1) or 1) - 1)
end

-- The text with what a folder's name should not hold replaced.
local function clean(text)
  if not utf8.len(text) then return (text:gsub("[^%w%-_.=%[%]+@ ]", "_")) end
  return (text:gsub(utf8.charpattern, function(c)
    if #c == 1 then return c:find("^[%w%-_.,=%[%]+@ ]") and c or "_" end
    return visible(utf8.codepoint(c)) and c or "_"
  end))
end

-- What a job is called: the script's name, then the settings, fit to be a folder's name.
function sweep.job_name(script, settings)
  local parts, raw = {}, {}
  for _, setting in ipairs(settings) do
    local text = clean(setting[2])
    -- A comma outside of brackets would look like the next setting.
    if text:gsub("%b[]", ""):find(",", 1, true) then text = text:gsub(",", "_") end
    parts[#parts + 1] = "," .. setting[1] .. "=" .. text
    raw[#raw + 1] = "," .. setting[1] .. "=" .. setting[2]
  end
  local name, tail = table.concat(parts), table.concat(raw)
  if name ~= tail or #name > 120 then name = cut(name, 110) .. "~" .. system.digest(tail):sub(1, 8) end
  return script .. name
end

-- Settings as values: numbers where they are ones.
function sweep.values(settings)
  local values = {}
  for key, text in pairs(settings) do
    local x = text:find("^%s*[-+]?[%d.]") and not text:find("[xX]") and tonumber(text)
    values[key] = x and x - x == 0 and x or text == "true" or (text ~= "false" and text)
  end
  return values
end

return sweep
