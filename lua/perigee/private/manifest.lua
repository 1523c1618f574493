-- SPDX-License-Identifier: MIT
-- pg._manifest: what a result depends on and where and when it was made: script, data, options, seed, versions, BLAS,
-- threads, processor, times, memory.
local pg = ...
local system = pg._system
local json = pg._json

local manifest = {}

function manifest.time(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds))
end

local cpu

-- What holds for every job of this program on this machine.
function manifest.machine()
  local info = pg.info()
  cpu = cpu or system.cpu()
  return {
    versions = {perigee = info.perigee, lua = info.lua, blas = info.blas, zlib = info.zlib},
    blas_core = info.blas_core, cpu = cpu, isa = info.isa,
  }
end

-- What a job of several ranks says of them, for the manifest that its batch writes.
function manifest.leave_ranks(dir, mpi)
  system.write(dir .. "/.ranks", json.encode{ranks = mpi.size, mpi = mpi.library, hosts = json.list(mpi._hosts)})
end

-- The same, read and taken away; nothing where there is none.
function manifest.take_ranks(dir)
  local path = dir .. "/.ranks"
  local text = system.read(path, 1 << 20)
  os.remove(path)
  local ok, found = pcall(json.decode, text or "")
  if not ok or type(found) ~= "table" then return nil end
  return math.tointeger(found.ranks), type(found.mpi) == "string" and json.utf8(found.mpi) or nil,
    type(found.hosts) == "table" and json.list(found.hosts) or nil
end

-- That of an experiment that runs alone.
function manifest.of_experiment(ex, state)
  local values, seconds = {}, pg.clock() - state.clock
  for _, option in ipairs(state.declared) do
    if not option.builtin then values[option.name] = ex.options[option.name] end
  end
  local m = manifest.machine()
  m.name, m.seed, m.quick, m.options, m.data = ex.name, ex.seed, ex.quick, values, json.list(state.data)
  m.threads = pg.threads()
  local mpi = rawget(pg, "mpi")
  if mpi and mpi.library ~= "none" then m.ranks, m.mpi, m.hosts = mpi.size, mpi.library, json.list(mpi._hosts) end
  m.started, m.ended, m.seconds = manifest.time(state.started), manifest.time(state.started + seconds), seconds
  m.peak_mb = system.peak() / 2 ^ 20
  if system.kind(state.script) == "file" then
    m.script = {path = state.script, sha256 = system.hash(state.script)}
  end
  return m
end

function manifest.write(path, m)
  system.write(path, json.encode(m))
end

return manifest
