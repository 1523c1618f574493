-- SPDX-License-Identifier: MIT
-- pg._evidence: what a job's result rests on: the files it read, those it looked for in vain, and what it left. Taken
-- when a job has ended (of), and looked at again by --resume (holds).
local pg = ...
local json = pg._json
local system = pg._system

local evidence = {}

-- A file is hashed once a batch, however many jobs read it: by what tells one state of it from the next.
local known, order = {}, {}

-- Takes over a hash that is known already.
function evidence.learn(path, sha256)
  local _, state = system.stat(path)
  if state and not known[state] then
    known[state] = sha256
    order[#order + 1] = state
  end
end

local function hash_of(path)
  local _, state = system.stat(path)
  if state == nil then return nil end
  if known[state] == nil then
    local ok, sha256 = pcall(system.hash, path)
    if not ok then return nil end
    evidence.learn(path, sha256)
    return sha256
  end
  return known[state]
end

-- The known hashes as text for a job, which need not make them again; at most so many.
function evidence.known()
  local parts = {}
  for i = math.max(1, #order - 199), #order do parts[#parts + 1] = order[i] .. "=" .. known[order[i]] end
  return table.concat(parts, "\n")
end

local handed

-- The hash of a file, as the batch has it already or made here.
function evidence.sha256(path)
  if handed == nil then
    handed = {}
    for state, sha256 in (os.getenv("PERIGEE_HASHES") or ""):gmatch("([%d:]+)=(%x+)") do handed[state] = sha256 end
  end
  local _, state = system.stat(path)
  return state and handed[state] or system.hash(path)
end

-- The files below a folder, without those of jobs whose folders lie in it, as relative paths in order.
local function files_below(folder, prefix, list)
  local names = system.list(folder)
  table.sort(names)
  for _, name in ipairs(names) do
    local path = folder .. "/" .. name
    local kind, size = system.kind(path)
    if #list >= 10000 then break end
    if kind == "file" and not (prefix == "" and (name == "manifest.json" or name == "log.txt")) then
      list[#list + 1] = {file = json.utf8(prefix .. name), size = size}
    elseif kind == "folder" and select(2, prefix:gsub("/", "")) < 8 and not system.kind(path .. "/manifest.json") then
      files_below(path, prefix .. name .. "/", list)
    end
  end
  return list
end

-- What a job that has ended read and left. started: seconds since 1970; ranks: how many processes it was, or nil.
function evidence.of(dir, script, started, ranks)
  local paths, reads, met = {}, json.list(), {}
  for rank = 0, (ranks or 1) - 1 do
    local file = dir .. "/.reads" .. (rank > 0 and "-" .. rank or "")
    for path in (system.read(file, 1 << 22) or ""):gmatch("[^%z]+") do
      if not met[path] then paths[#paths + 1], met[path] = path, true end
    end
    os.remove(file)
  end
  table.sort(paths)
  for _, path in ipairs(paths) do
    local kind = system.kind(path)
    if kind == nil then
      reads[#reads + 1] = {path = json.utf8(path), absent = true}
    elseif kind == "file" and path ~= script then
      local _, _, changed = system.stat(path)
      local same = changed and changed <= started
      reads[#reads + 1] = {path = json.utf8(path), sha256 = same and hash_of(path) or "changed while the job ran"}
    end
  end
  local ok, files = pcall(files_below, dir, "", json.list())
  return reads, ok and files or json.list()
end

-- Whether all that a manifest names is still as it says.
function evidence.holds(before, dir)
  local function each(list, check)
    if list == nil then return true end
    if type(list) ~= "table" then return false end
    for _, entry in ipairs(list) do
      if type(entry) ~= "table" or not check(entry) then return false end
    end
    return true
  end
  local function same(entry)
    if type(entry.path) ~= "string" or entry.path:find("%z") then return false end
    if entry.absent then return system.kind(entry.path) == nil end
    return type(entry.sha256) == "string" and hash_of(entry.path) == entry.sha256
  end
  return each(before.data, same) and each(before.reads, same) and each(before.files, function(entry)
    if type(entry.file) ~= "string" or entry.file:find("%z") then return false end
    local kind, size = system.kind(dir .. "/" .. entry.file)
    return kind == "file" and size == entry.size
  end)
end

return evidence
