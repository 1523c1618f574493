-- SPDX-License-Identifier: MIT
-- Timing for bench_*.lua; see README.md. Load it with dofile(arg[0]:match("^.*/") .. "bench.lua").
local pg = require "perigee"

local bench = {}

local quick = os.getenv("QUICK") ~= nil
local SPAN, REPETITIONS = quick and 0.002 or 0.02, quick and 1 or 3

local row = os.getenv("ROW")

-- Whether what has this name is to be run: it holds $ROW, or $ROW holds it.
function bench.wants(name)
  return row == nil or name:find(row, 1, true) ~= nil or row:find(name, 1, true) ~= nil
end

-- The most memory that the process had, in MB.
local function peak()
  local f = io.open("/proc/self/status")
  local kilobytes = f and f:read("a"):match("VmHWM:%s*(%d+)") or 0
  if f then f:close() end
  return kilobytes / 1024
end
local loaded = peak()

-- Prints the seconds of one run of `code`, a chunk in which the fields of `environment` are locals.
-- Each repetition runs it as often as fills 20 ms (once where one run takes longer).
function bench.case(name, code, environment)
  if not bench.wants(name) then return end
  local names, values = {}, {}
  for k in pairs(environment) do names[#names + 1] = k end
  table.sort(names)
  for i, k in ipairs(names) do values[i] = environment[k] end
  local head = #names > 0 and "local " .. table.concat(names, ", ") .. " = ... " or ""
  local make = assert(load(head .. "return function(n) for _ = 1, n do " .. code .. " end end", "=" .. name))
  local run = make(table.unpack(values, 1, #names))
  collectgarbage()
  local count, seconds = 1
  while true do
    local start = pg.clock()
    run(count)
    seconds = pg.clock() - start
    if seconds >= SPAN / 4 then break end
    count = count * 4
  end
  count = math.max(1, math.floor(count * SPAN / seconds))
  for _ = 1, REPETITIONS do
    local start = pg.clock()
    run(count)
    print(string.format("%s\t%.9g", name, (pg.clock() - start) / count))
  end
  if row then print(string.format("memory of %s\t%.4g\tMB", name, peak() - loaded)) end
end

return bench
