-- SPDX-License-Identifier: MIT
-- Every case of tests/golden/numpy_arrays_*.txt: the same expression in NumPy and here. The files and
-- what their fields mean: tests/golden/numpy_arrays.py.
local pg = require "perigee"

local SPECIALS = {0.0, -0.0, 1.0, -1.0, 0 / 0, 1 / 0, -1 / 0, 5e-324, 1e308, -1e-310, 0.5, -0.5,
  1.5, 2.5, -2.5, 3.0, 1e-45, -1e38, 88.8, -745.2, 709.7, 2.0 ^ 52 + 1, -7.25, 1e-8}

local function values(count, kind, seed)
  local x = seed * 2654435761 + 12345
  local function u()
    x = x * 6364136223846793005 + 1442695040888963407
    return (x >> 11) * 2.0 ^ -53
  end
  local make = {
    n = function() return (u() + u() + u() + u() - 2.0) * 2.0 end,
    p = function() return 0.1 + 3.0 * u() end,
    u = function() return 2.0 * u() - 1.0 end,
    i = function() return math.floor(9.0 * u()) - 4.0 end,
    z = function() return math.floor(2.0 * u()) end,
    e = function() local m = u() - 0.5 return m * 2.0 ^ (math.floor(40.0 * u()) - 20.0) end,
    s = function() return SPECIALS[math.floor(#SPECIALS * u()) + 1] end,
  }
  local out = {}
  for k = 1, count do out[k] = make[kind]() end
  return out
end

-- What is only stored, and how many values it has.
local stored = {bool = 2, u8 = 256}

local layouts = {
  C = function(a) return a end,
  T = function(a) return a.T:copy().T end,
  R = function(a) return a:flip():copy():flip() end,
}

-- a as a part of a larger array: in shape `wide`, at `items`.
local function inside(a, extent, item)
  if a.ndim == 0 then return a end
  local wide, items = {}, {}
  for k, n in ipairs{a:dims()} do wide[k], items[k] = extent(n), item(n) end
  local part = pg.full(wide, stored[a.dtype] and 1 or -99.5, a.dtype):slice(table.unpack(items))
  return part:assign(a)
end
function layouts.S(a)
  return inside(a, function(n) return 2 * n end, function() return {2, -1, 2} end)
end
function layouts.O(a)
  return inside(a, function(n) return n + 2 end, function(n) return {2, n + 1} end)
end

local function parse_shape(text)
  local shape, size = {}, 1
  for n in text:gmatch("%d+") do
    shape[#shape + 1] = math.tointeger(n)
    size = size * shape[#shape]
  end
  return shape, size
end

local function inputs(text)
  local env = {pg = pg}
  for name, dtype, dims, layout, kind, seed in text:gmatch("(%w+)=(%w+):([%dx]*):(%w):(%w):(%d+)") do
    local shape, size = parse_shape(dims)
    local list = values(size, kind, math.tointeger(seed))
    if stored[dtype] then
      for k, v in ipairs(list) do list[k] = math.floor(math.abs(v) * (kind == "z" and 1 or 40)) % stored[dtype] end
    end
    env[name] = layouts[layout](pg.array(list, dtype):reshape(shape))
  end
  return env
end

-- Numbers of a dtype as integers of the same order: their differences count units in the last place.
local function place(x, dtype)
  local k
  if dtype == "f32" then k = string.unpack("<i4", string.pack("<f", x))
  else k = string.unpack("<i8", string.pack("<d", x)) end
  if k >= 0 then return k end
  return (dtype == "f32" and -0x80000000 or math.mininteger) - k
end

local function read(text)
  if text == "nan" then return 0 / 0 end
  if text == "inf" then return 1 / 0 end
  if text == "-inf" then return -1 / 0 end
  return tonumber(text) * 1.0 -- keeps -0.0
end

local function differs(got, want, dtype, tolerance)
  if want ~= want then return got == got end
  if got ~= got then return true end
  if tolerance == "=" then return string.pack("<d", got) ~= string.pack("<d", want) end
  local what, bound = tolerance:sub(1, 1), tonumber(tolerance:sub(2))
  if got == want then return false end
  if what == "~" then return math.abs(got - want) > bound end
  local apart = place(got, dtype) - place(want, dtype)
  return math.abs(apart) > bound or apart == math.mininteger
end

local function check(got, text, tolerance)
  local dtype, dims, rest = text:match("^(%w+):([^:]*):?(.*)$")
  if dtype == "b" then return assert(got == (dims == "true"), "got " .. tostring(got)) end
  if dtype == "i" then
    local same = math.type(got) == "integer" and got == math.tointeger(dims)
    return assert(same, "got " .. tostring(got) .. ", want " .. dims)
  end
  if dtype == "n" then
    assert(math.type(got) == "float", "expected a float, got " .. tostring(got))
    -- NumPy's shortest text of an f32 stands for the f32
    return assert(not differs(got, read(dims), "f64", tolerance), string.format("got %.17g, want %s", got, dims))
  end
  assert(getmetatable(got) == "array", "expected an array, got " .. tostring(got))
  assert(got.dtype == dtype, "dtype " .. got.dtype .. ", want " .. dtype)
  local shape = table.concat({got:dims()}, "x")
  assert(shape == dims, "shape " .. shape .. ", want " .. dims)
  local list, k = got:copy():reshape(-1):totable(), 0
  for word in rest:gmatch("%S+") do
    k = k + 1
    local want = read(word)
    if dtype == "f32" then want = string.unpack("<f", string.pack("<f", want)) end
    if differs(list[k], want, dtype, tolerance) then
      error(string.format("element %d is %.17g, want %s, tolerance %s", k, list[k], word, tolerance), 0)
    end
  end
  assert(k == #list, "number of elements")
end

local function run(line)
  local made, expression, tolerance, results = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
  local env = inputs(made)
  local statement, value
  if not expression:find("function", 1, true) then statement, value = expression:match("^(.*) return (.*)$") end
  local code = statement and statement .. "\nreturn " .. value or "return " .. expression
  local got = table.pack(assert(load(code, "=case", "t", env))())
  local k = 0
  for text in (results .. ";"):gmatch("([^;]*);") do
    k = k + 1
    check(got[k], text, tolerance)
  end
  assert(k == got.n, "number of results")
end

local folder = debug.getinfo(1, "S").source:match("^@(.*)lua/[^/]*$") .. "golden/"
for _, family in ipairs{"binary", "unary", "reduce", "index", "rearrange", "sort", "overlap", "linalg", "stored"} do
  describe("NumPy's answers: " .. family, function()
    for line in io.lines(folder .. "numpy_arrays_" .. family .. ".txt") do
      if line:sub(1, 1) ~= "#" then
        it(line:sub(1, 160), function() run(line) end)
      end
    end
  end)
end
