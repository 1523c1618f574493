-- SPDX-License-Identifier: MIT
-- What two ranks do wrong, by name: mpirun -n 2 perigee faults.lua NAME.
local pg = require "perigee"
local mpi = pg.mpi
local how = arg[1]:gsub("^%-%-how=", "")
local first = mpi.rank == 0

local function spin(seconds)
  local t = pg.clock()
  while pg.clock() - t < seconds do end
end

local faults = {}
function faults.size() mpi.allreduce(pg.zeros(first and 4 or 5)) end
function faults.dtype() mpi.allreduce(pg.zeros(4, first and "f64" or "f32")) end
function faults.op() mpi.allreduce(1, first and "sum" or "max") end
function faults.call() if first then mpi.allreduce(1) else mpi.bcast({1}) end end
function faults.error()
  if not first then error("here it breaks") end
  mpi.allreduce(1)
end
function faults.exit()
  if not first then os.exit(3) end
  mpi.allreduce(1)
end
function faults.leave() if first then mpi.allreduce(1) end end
function faults.quit()
  if not first then os.exit(0) end
  mpi.allreduce(1)
end
function faults.crash()
  if not first then os.execute("kill -SEGV " .. pg._system.pid()) end
  mpi.allreduce(1)
end
function faults.timeout()
  mpi.timeout(1)
  if not first then spin(3) end
  mpi.allreduce(1)
end
function faults.wait()
  local t = os.clock()
  if not first then spin(2) end
  mpi.barrier()
  if first then print(os.clock() - t < 0.5 and "the wait took little of the processor" or "it burnt") end
end
function faults.abort()
  if not first then mpi.abort("no more") end
  mpi.barrier()
end
function faults.caught()
  assert(not pcall(mpi.allreduce, pg.zeros(mpi.rank + 1)))
  print("then " .. mpi.allreduce(1))
end
function faults.slow() spin(60) end

-- Random calls from a common seed, of which one rank leaves one out: the ranks then differ, and never wait for ever.
-- What each round ends with is an error on both.
function faults.fuzz()
  mpi.timeout(5)
  local calls = {
    function() mpi.allreduce(1) end, function() mpi.allreduce(pg.zeros(3)) end, function() mpi.barrier() end,
    function() mpi.bcast(first and {1, 2} or nil) end, function() mpi.allgather(pg.zeros(2, 2)) end,
    function() mpi.allgather("x") end, function() mpi.map(4, function(i) return i end) end,
    function() mpi.scatter(first and pg.zeros(5) or nil) end, function() mpi.reduce(2) end,
  }
  local rng = pg.random.new(tonumber(arg[2]) or 1)
  for round = 1, 200 do
    local list = {}
    for k = 1, 8 do list[k] = rng:integers(1, #calls) end
    local skip = rng:integers(1, 7)
    -- So that the one left out is missed: what follows it is another call.
    while list[skip + 1] == list[skip] do list[skip + 1] = rng:integers(1, #calls) end
    local failed = false
    for k = 1, 8 do
      if first or k ~= skip then
        local ok, why = pcall(calls[list[k]])
        if not ok then
          assert(tostring(why):find("do not ask for the same", 1, true), why)
          failed = true
          break
        end
      end
    end
    assert(failed, "round " .. round .. " went through")
  end
  if first then print("each was an error") end
end

faults[how]()
