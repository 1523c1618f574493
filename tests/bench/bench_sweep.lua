-- SPDX-License-Identifier: MIT
-- The cases of sweep.txt over sizes, dtypes and layouts; README.md says which.
local pg = require "perigee"
local here = arg[0]:match("^.*/")
local bench = dofile(here .. "bench.lua")

local sizes, only = {}, os.getenv("CASES")
for n in (os.getenv("SIZES") or "1000 100000"):gmatch("%d+") do sizes[#sizes + 1] = math.tointeger(n) end

local function values(n, dtype)
  local k = pg.range(1, n)
  return ((pg.sin(k * 12.9898) * 43758.5453) % 1 * 0.9 + 0.05):astype(dtype)
end

-- layout -> a matrix of about n elements
local function matrices(n, dtype)
  local r = math.floor(math.sqrt(n))
  local function make(rows, columns) return values(rows * columns, dtype):reshape(rows, columns) end
  local short = math.min(10, r)
  return {
    A = make(r, n // r), T = make(n // r, r).T, wide = make(short, n // short), tall = make(n // short, short),
    S = make(2 * r, 2 * (n // r)):slice({1, 2 * r, 2}, {1, 2 * (n // r), 2}),
  }
end

local function run(kind, name, code, n, dtype, x, m)
  local function case(layout, env)
    local full = ("%s %s %s %d"):format(name, layout, dtype, n)
    if only and not full:find(only) then return end
    env.pg, env.n = pg, n
    bench.case(full, "local _ = " .. code, env)
  end
  if kind == "map" or kind == "all" then
    case("C", {x = x, z = x * 0})
    local strided = values(2 * n, dtype):slice({1, 2 * n, 2})
    case("S", {x = strided, z = (strided * 0)})
    case("T", {x = m.T, z = m.T * 0})
  elseif kind == "zip" then
    case("C.C", {x = x, y = values(n, dtype) * 0.9})
    case("C.k", {x = x, y = 2.385})
    case("T.T", {x = m.T, y = m.T * 0.9 + 0 * m.T})
    case("A.T", {x = m.A, y = (m.A.T:copy() * 0.9).T})
    case("A.row", {x = m.A, y = m.A[1]:copy()})
    case("A.col", {x = m.A, y = m.A:slice({}, {1, 1}):copy()})
  elseif kind == "axis" then
    local plain = code
    for _, layout in ipairs{"A", "T", "wide", "tall", "S"} do
      for axis = 1, 2 do
        code = plain:gsub("#", axis)
        case(layout .. axis, {x = m[layout], z = m[layout] * 0})
      end
    end
  else
    case("C", {x = x, y = x * 0.9, s = pg.sort(x), w = x:copy(), z = pg.floor(x * 2), h = x:gt(0.5),
      c = pg.floor(x:astype("f64") * 10) + 1, i = pg.floor(values(n, "f64") * n) + 1, rng = pg.random.new(1),
      other = dtype == "f64" and "f32" or "f64"})
  end
end

local lines = {}
for line in io.lines(here .. "sweep.txt") do
  local kind, name, code = line:match("^(%l+)\t([^\t]+)\t([^\t]+)")
  lines[#lines + 1] = kind and {kind, name, code}
end
for _, n in ipairs(sizes) do
  for _, dtype in ipairs{"f64", "f32"} do
    local x, m = values(n, dtype), matrices(n, dtype)
    for _, line in ipairs(lines) do run(line[1], line[2], line[3], n, dtype, x, m) end
  end
end
