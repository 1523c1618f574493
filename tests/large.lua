-- SPDX-License-Identifier: MIT
-- Arrays beyond 2^31 elements, where an int is too small: perigee tests/large.lua [FOLDER]. Bytes need 6 GB of memory
-- and 3 GB in FOLDER for a file, floats 20 GB, sorting 30 GB; says so where there are less. Not among the tests that
-- make test runs beside each other.
local pg = require "perigee"

local function available()
  for line in io.lines("/proc/meminfo") do
    local kilobytes = line:match("^MemAvailable:%s+(%d+)")
    if kilobytes then return kilobytes * 1024 end
  end
  return 0
end

local passed, failed = 0, 0
local function check(what, f)
  local started = os.clock()
  local fine, why = pcall(f)
  collectgarbage()
  collectgarbage()
  if fine then passed = passed + 1 else failed = failed + 1 end
  print(("%-6s %s, %.1f s%s"):format(fine and "ok" or "FAILED", what, os.clock() - started,
    fine and "" or ": " .. tostring(why)))
  io.stdout:flush()
end

local function equal(wanted_value, got)
  if wanted_value ~= got then error(("expected %s, got %s"):format(wanted_value, got), 2) end
end

local edge = 2^31 | 0
local n = edge + 11

local needed = {u8 = 6e9, f32 = 20e9}
for _, dtype in ipairs{"u8", "f32"} do
  if available() < needed[dtype] then
    print(("skipped: %s, which needs %.0f GB; %.0f GB are free"):format(dtype, needed[dtype] / 1e9, available() / 1e9))
    goto continue
  end
  local x = pg.zeros(n, dtype)
  x[1], x[edge], x[edge + 1], x[n] = 1, 2, 7, 3
  check(dtype .. ": elements", function()
    equal(n, x.size)
    equal(7, x[edge + 1])
    equal(3, x[-1])
    equal(0, x[n - 1])
  end)
  check(dtype .. ": reductions", function()
    equal(13, x:sum())
    equal(7, x:max())
    equal(edge + 1, x:argmax())
    equal(true, math.abs(x:mean() * n - 13) < 1e-6)
  end)
  check(dtype .. ": slices", function()
    equal(12, x:slice({edge - 5, n}):sum())
    equal(8, x:slice({1, n, 2}):sum() - x[n]) -- odd places: 1, edge + 1, n
    equal(3, x:slice({-1, 1, -1})[1])
    equal(11, x:slice({-1, 1, -1}):argmax())
  end)
  check(dtype .. ": copies", function()
    local y = x:slice({-1, 1, -1}):copy()
    equal(13, y:sum())
    equal(7, y[11])
    equal(edge + 1, x.shape[1] - y:argmax() + 1)
  end)
  if dtype == "u8" then
    check("npy by rows", function()
      local path = (arg[1] or "/tmp") .. "/perigee-large.npy"
      local whole = x:slice({1, n - n % 97}):reshape(-1, 97)
      pg.save(path, whole)
      local rows, sum, last = 0, 0, nil
      for part in pg.rows(path, {size = 4000000}) do
        rows = rows + part.shape[1]
        sum = sum + part:sum()
        last = part
      end
      os.remove(path)
      equal(whole.shape[1], rows)
      equal(whole:sum(), sum)
      equal(whole(-1, 97), last(-1, 97))
    end)
  end
  x = nil
  collectgarbage()
  ::continue::
end

-- The array, the sorted one and the passes' other half.
if available() >= 30e9 then
  check("sort", function()
    local x = pg.zeros(n, "f32")
    x[1], x[edge + 3] = 200, 100
    local y = x:sort()
    equal(200, y[n])
    equal(100, y[n - 1])
    equal(0, y[n - 2])
  end)
else
  print("skipped: sort, which needs 30 GB")
end

-- BLAS and LAPACK count in ints. A view over one element has the extent without the memory.
check("extents of BLAS and LAPACK", function()
  local long = pg.zeros(1, 1, "f32"):broadcast_to{n, 1}
  for _, name in ipairs{"svd", "qr"} do
    local fine, why = pcall(pg.linalg[name], long)
    equal(false, fine)
    if not tostring(why):find("is over 2147483647", 1, true) then error(name .. ": " .. tostring(why), 0) end
  end
end)

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
