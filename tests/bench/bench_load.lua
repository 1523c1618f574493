-- SPDX-License-Identifier: MIT
-- The homework's tables (537 MB of f64 in 25 arrays), as the gzipped pickle they ship as and plain.
local pg = require "perigee"
local bench = dofile(arg[0]:match("^.*/") .. "bench.lua")

local gzipped = "../shared/data/image_cpts.pkl.gz"
local plain = os.tmpname()
assert(os.execute(("gunzip -c %s >%s"):format(gzipped, plain)))

local function peak()
  for line in io.lines("/proc/self/status") do
    local kb = line:match("^VmHWM:%s*(%d+) kB")
    if kb then return kb * 1024 / 1e6 end
  end
end

pg.load(gzipped)
print(("peak of a load\t%.1f\tMB"):format(peak()))
bench.case("load gzipped pickle 537 MB", "pg.load(path) collectgarbage()", {pg = pg, path = gzipped})
bench.case("load plain pickle 537 MB", "pg.load(path) collectgarbage()", {pg = pg, path = plain})
os.remove(plain)
