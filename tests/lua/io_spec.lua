-- SPDX-License-Identifier: MIT
-- pg.load and pg.save. The files in tests/fuzz/seeds were written by NumPy 1.24 (tests/fuzz/make_seeds.py).
local pg = require "perigee"

local SEEDS, SHARED = "tests/fuzz/seeds/", "../shared/data/"
local made = {}

local function exists(path)
  local f = io.open(path, "rb")
  if f then f:close() end
  return f ~= nil
end

-- A name for a file that is gone after the test.
local function temporary(suffix)
  local base = os.tmpname()
  made[#made + 1] = base
  made[#made + 1] = base .. suffix
  return base .. suffix
end

local function file(bytes, suffix)
  local path = temporary(suffix or ".bin")
  local f = assert(io.open(path, "wb"))
  f:write(bytes)
  f:close()
  return path
end

local function contents(path)
  local f = assert(io.open(path, "rb"))
  local bytes = f:read("a")
  f:close()
  return bytes
end

local message = require("tests.lua.helper").message

-- The message of a refused file without its path.
local function refused(bytes, options, suffix)
  local path = file(bytes, suffix)
  local text = message(pg.load, path, options)
  assert.equal(path .. ": ", text:sub(1, #path + 2))
  return text:sub(#path + 3)
end

local function text(a) return tostring(a.shape) .. " " .. a.dtype .. " " .. table.concat(a:reshape(-1):totable(),
  " ") end
local function load(bytes, options, suffix) return pg.load(file(bytes, suffix), options) end
local function seed(name, options) return pg.load(SEEDS .. name, options) end

local function python(code, ...)
  local script = file(code, ".py")
  local p = io.popen(("/usr/bin/python3 %s %s 2>&1"):format(script, table.concat({...}, " ")))
  local out = p:read("a")
  p:close()
  return out
end

local has_numpy = os.execute("/usr/bin/python3 -c 'import numpy' 2>/dev/null")

after_each(function()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end)

describe("npy", function()
  it("reads what NumPy writes", function()
    local values = "0.0 1.5 3.0 4.5 6.0 7.5"
    assert.equal("(2, 3) f64 " .. values, text(seed "npy/f8"))
    assert.equal("(2, 3) f64 " .. values, text(seed "npy/f8_fortran"))
    assert.equal("(2, 3) f32 " .. values, text(seed "npy/v2_f4"))
    assert.equal("(2, 3) f64 0.0 1.0 3.0 4.0 6.0 7.0", text(seed "npy/gz"))
    assert.equal("(3,) f64 1.0 9.007199254741e+15 7.0", text(seed "npy/v3_u8"))
    assert.equal("() bool 1.0", text(seed "npy/bool_0d"))
    assert.equal("(3,) f32 1.0 inf 5.9604644775391e-08", text(seed "npy/f2"))
    assert.equal("(2,) f64 1.0 2.0", text(seed "npy/python2"))
  end)
  it("takes another dtype", function()
    assert.equal("f32", seed("npy/f8", {dtype = "f32"}).dtype)
    assert.equal("f64", seed("npy/v2_f4", {dtype = "float64"}).dtype)
    assert.equal("bad argument #2 to 'load' (dtype: expected \"f64\", \"f32\", \"bool\" or \"u8\", got \"f16\")",
      message(pg.load, SEEDS .. "npy/f8", {dtype = "f16"}))
  end)
  it("keeps bytes and truth values, and makes them where they fit", function()
    local path = temporary(".npy")
    for _, dt in ipairs{"u8", "bool"} do
      local a = pg.array({{0, 1, 1}, {1, 0, 1}}, dt)
      for _, v in ipairs{a, a.T, a:slice({2, 1, -1})} do
        pg.save(path, v)
        assert.equal(text(v), text(pg.load(path)))
      end
      assert.matches(dt == "u8" and "'|u1'" or "'|b1'", contents(path))
      assert.equal("f64", pg.load(path, {dtype = "f64"}).dtype)
    end
    pg.save(path, pg.array{0, 7, 255})
    assert.equal("(3,) u8 0.0 7.0 255.0", text(pg.load(path, {dtype = "u8"})))
    local refusal = "element 2 is %s; a %s cannot hold it exactly, {exact=false} rounds it"
    local function why(values, dt)
      pg.save(path, pg.array(values))
      return (message(pg.load, path, {dtype = dt}):sub(#path + 3):gsub(" %(byte %d+%)$", ""))
    end
    assert.equal(refusal:format("256", "u8"), why({1, 256}, "u8"))
    assert.equal(refusal:format("-1", "u8"), why({1, -1}, "u8"))
    assert.equal(refusal:format("0.5", "u8"), why({1, 0.5}, "u8"))
    assert.equal(refusal:format("2", "bool"), why({1, 2}, "bool"))
    assert.matches("nan; a u8 cannot", why({1, 0 / 0}, "u8"))
    pg.save(path, pg.array{-3, 0.5, 1.5, 300, 0 / 0})
    assert.equal("(5,) u8 0.0 0.0 2.0 255.0 0.0", text(pg.load(path, {dtype = "u8", exact = false})))
    assert.equal("(3,) bool 0.0 1.0 1.0", text(load((contents(SEEDS .. "npy/v3_u8"):gsub("<u8", "|b1")
      :gsub("(\n).*$", "%1") .. "\0\1\7"))))
    for _, suffix in ipairs{".npz", ".safetensors"} do
      path = temporary(suffix)
      pg.save(path, {m = pg.array({1, 0}, "bool"), b = pg.array({9, 200}, "u8"), s = pg.array(1, "u8")})
      local t = pg.load(path)
      assert.equal("(2,) bool 1.0 0.0 (2,) u8 9.0 200.0 () u8 1.0", text(t.m) .. " " .. text(t.b) .. " " .. text(t.s))
    end
  end)
  it("refuses an integer that would be rounded, unless told to", function()
    local bytes = contents(SEEDS .. "npy/v3_u8"):gsub("\0\0\0\0\0\0\32\0", "\1\0\0\0\0\0\32\0")
    assert.equal("element 2 is 9007199254740993; an f64 cannot hold it exactly, {exact=false} rounds it (byte 136)",
      refused(bytes))
    assert.equal("(3,) f64 1.0 9.007199254741e+15 7.0", text(load(bytes, {exact = false})))
    assert.equal("element 2 is 9007199254740993; an f32 cannot hold it exactly, {exact=false} rounds it (byte 136)",
      refused(bytes, {dtype = "f32"}))
    -- in Fortran order and with two axes the index is the array's
    local head = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3), }"
    local wide = "\x93NUMPY\1\0" .. string.pack("<s2", head) .. string.pack("<i8i8i8i8i8i8", 1, 2, 3, -(2^53 | 0) - 1,
      5, 6)
    assert.matches("^element %(2, 2%) is %-9007199254740993;", refused(wide))
  end)
  it("warns of bytes after the array, as NumPy does not", function()
    local said = file("", ".txt")
    local script = file(([[local pg = require "perigee" warn("@on") pg.load(%q)]])
      :format(file(contents(SEEDS .. "npy/f8") .. "more", ".npy")), ".lua")
    local program = os.getenv("PERIGEE")
    if not program then return pending("PERIGEE is not set") end
    os.execute(("%s %s 2>%s"):format(program, script, said))
    assert.matches("%.npy: 4 bytes after the end of the content were not read %(byte 176%)", contents(said))
  end)
end)

describe("npz", function()
  it("reads stored and deflated members", function()
    local z = seed "npz/stored"
    assert.equal("(2, 3) f64 0.0 1.5 3.0 4.5 6.0 7.5", text(z.a))
    assert.equal("(3,) f64 0.0 1.0 2.0", text(z.b))
    z = seed "npz/deflated"
    assert.equal("(20, 20)", tostring(z.w.shape))
    assert.equal(2.5, z.x:item())
    assert.is_nil(next(seed "npz/empty"))
  end)
  it("goes through names in order", function()
    local path = temporary(".npz")
    local value, names = {}, {}
    for i = 1, 30 do value[("n%02d"):format(31 - i)] = pg.full({2}, i) end
    pg.save(path, value)
    for name, a in pairs(pg.load(path)) do
      names[#names + 1] = name
      assert.equal("array", getmetatable(a))
    end
    assert.equal(30, #names)
    local sorted = {table.unpack(names)}
    table.sort(sorted)
    assert.same(sorted, names)
  end)
  it("keeps a table's pairs true to its changes", function()
    local z = seed "npz/stored"
    z.c, z.a = 1, nil
    local names = {}
    for name in pairs(z) do names[#names + 1] = name end
    assert.same({"b", "c"}, names)
  end)
  it("saves and loads bit for bit, the same bytes each time", function()
    for _, compress in ipairs{false, true} do
      local one, two = temporary(".npz"), temporary(".npz")
      local a = pg.array{{2.385, -0.0, 0 / 0}, {1 / 0, 5e-324, 1}}
      local value = {a = a, ["b.bias"] = pg.array({1.5, 0.1}, "f32"), t = a.T, n = 7, z = pg.zeros(0, 3), l = {1, 2}}
      pg.save(one, value, {compress = compress})
      pg.save(two, value, {compress = compress})
      assert.equal(contents(one), contents(two))
      local back = pg.load(one)
      assert.equal(text(a), text(back.a))
      assert.equal(text(a.T), text(back.t))
      assert.equal("(2,) f32 1.5 0.10000000149012", text(back["b.bias"]))
      assert.equal(7.0, back.n:item())
      assert.equal("(0, 3)", tostring(back.z.shape))
      assert.equal("(2,) f64 1.0 2.0", text(back.l))
    end
  end)
  it("says what it cannot hold", function()
    local path = temporary(".npz")
    assert.equal("bad argument #2 to 'save' (value: expected a table of arrays by name, got array (2,) f64)",
      message(pg.save, path, pg.zeros(2)))
    assert.equal("bad argument #2 to 'save' (value: the arrays of an .npz have names, and one has the key number 1)",
      message(pg.save, path, {pg.zeros(2)}))
    assert.equal("bad argument #2 to 'save' (value: field 'a': expected array, got \"x\")",
      message(pg.save, path, {a = "x"}))
    assert.equal(path .. ": a name in an archive has 1 to 1020 bytes, not ", message(pg.save, path, {[""] = {1}}) ..
      " ")
    assert.is_false(exists(path))
  end)
end)

-- Opcodes for pickles made by hand.
local GLOBAL = "c%s\n%s\n"
local RECONSTRUCT = GLOBAL:format("numpy.core.multiarray", "_reconstruct") .. GLOBAL:format("numpy", "ndarray") ..
  "K\0\x85C\1b\x87R"
local function dtype(name, order)
  return GLOBAL:format("numpy", "dtype") .. "\x8c" .. string.pack("s1", name) .. "\x89\x88\x87R(K\3\x8c" ..
    string.pack("s1", order) .. "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
end
local function array(kind, n, data) return RECONSTRUCT .. "(K\1" .. "J" .. string.pack("<i4", n) .. "\x85" .. kind ..
  "\x89" .. data .. "tb" end
local function frombuffer(kind, n, data)
  return GLOBAL:format("numpy.core.numeric", "_frombuffer") .. "(" .. data .. kind .. "J" .. string.pack("<i4", n) ..
    "\x85\x8c\1CtR"
end
local function latin1(s) return (s:gsub("[\x80-\xff]", function(c) return utf8.char(c:byte()) end)) end

describe("pickle", function()
  it("reads every protocol alike", function()
    for protocol = 0, 5 do
      local v = seed("pickle/p" .. protocol)
      assert.equal("(2, 3) f64 0.0 1.5 3.0 4.5 6.0 7.5", text(v.w))
      assert.equal(7, v.n)
      assert.same({1, 2.5, "x", "y"}, v.t)
      assert.equal("integer", math.type(v.t[1]))
      assert.same({pg.none, true, -3, 2 ^ 40 | 0, "é整"}, v.l)
      assert.equal(1.5, v.s)
      assert.equal(-3, v.i)
      assert.equal("integer", math.type(v.i))
      assert.equal("(0, 4) f64 ", text(v.e))
      assert.equal("(2, 3) f64 0.0 1.0 3.0 4.0 6.0 7.0", text(v.f))
      assert.equal("() f64 2.5", text(v.z))
      local names = {}
      for name in pairs(v) do names[#names + 1] = name end
      assert.equal("e f i l n s t w z", table.concat(names, " "))
    end
    assert.equal(text(seed("pickle/p4").w), text(seed("pickle/gz").w))
  end)
  it("reads what Python 2 wrote", function()
    assert.equal("(2,) f32 1.0 2.0", text(seed "pickle/python2"))
    assert.same({["aA\n"] = {1, 2, 2.5, true, "xé"}}, seed "pickle/old_text")
  end)
  it("reads bytes and bytearrays as strings", function()
    assert.equal("abc", seed "pickle/bytearray")
    assert.same({"abc\xff", ""}, seed "pickle/bytearray2")
  end)
  it("keeps identity", function()
    local l = seed "pickle/recursive"
    assert.equal(l, l[1])
    local s = seed "pickle/shared"
    assert.equal(s[1], s[2])
    assert.equal(s[1], s[3][1])
  end)
  it("fills large arrays from every form of bytes", function()
    local n = 20000
    local doubles, singles, ints = {}, {}, {}
    for i = 1, n do
      doubles[i] = string.pack("<d", i * 2.385)
      singles[i] = string.pack(">f", i)
      ints[i] = string.pack("<i4", -i)
    end
    doubles, singles, ints = table.concat(doubles), table.concat(singles), table.concat(ints)
    local function check(a, dt, first, last)
      assert.equal(dt, a.dtype)
      assert.equal(n, #a)
      assert.equal(first, a[1])
      assert.equal(last, a[n])
    end
    for _, make in ipairs{
      function(kind, data) return array(kind, n, "B" .. string.pack("<s4", data)) end,
      function(kind, data) return array(kind, n, "\x8e" .. string.pack("<s8", data)) end,
      function(kind, data) return array(kind, n, "T" .. string.pack("<s4", data)) end,
      function(kind, data) -- text that becomes bytes, as protocols 0 to 2 have it
        return array(kind, n, GLOBAL:format("_codecs", "encode") .. "X" .. string.pack("<s4", latin1(data)) ..
          "X\6\0\0\0latin1\x86R")
      end,
      function(kind, data)
        return array(kind, n, GLOBAL:format("_codecs", "encode") .. "(V" .. latin1(data):gsub("[\\\n]", function(c)
          return ("\\u%04x"):format(c:byte()) end):gsub("[\xc2\xc3].",
            function(c) return string.char(utf8.codepoint(c)) end) ..
          "\nVlatin1\ntR")
      end,
      function(kind, data)
        return array(kind, n, "S'" .. data:gsub("[\\\n']", function(c) return ("\\x%02x"):format(c:byte()) end) ..
          "'\n")
      end,
      function(kind, data) return frombuffer(kind, n, "\x96" .. string.pack("<s8", data)) end,
      function(kind, data) return frombuffer(kind, n, "\x8e" .. string.pack("<s8", data)) end,
    } do
      check(load("\x80\5" .. make(dtype("f8", "<"), doubles) .. "."), "f64", 2.385, n * 2.385)
      check(load("\x80\5" .. make(dtype("f4", ">"), singles) .. "."), "f32", 1, n)
      check(load("\x80\5" .. make(dtype("i4", "<"), ints) .. "."), "f64", -1, -n)
      check(load("\x80\5" .. make(dtype("f8", "<"), doubles) .. ".", {dtype = "f32"}), "f32",
        string.unpack("f", string.pack("f", 2.385)), string.unpack("f", string.pack("f", n * 2.385)))
    end
  end)
  it("reads long text and bytes as strings, however deep", function()
    local long = ("é"):rep(50000)
    local v = load("\x80\4](X" .. string.pack("<s4", long) .. "\x94" .. "B" .. string.pack("<s4", long) ..
      "\x86h\0\x85e.")
    assert.same({{long, long}, {long}}, v)
  end)
  it("reads the bytes and truth values that NumPy pickles", function()
    for _, order in ipairs{"|", "=", "<"} do
      local values = text(load("\x80\3" .. array(dtype("u1", order), 3, "C\3\0\x80\xff") .. "."))
      assert.equal("0.0 128.0 255.0", (values:gsub("^%b() %w+ ", ""):gsub("(%d+)%f[ \0]", "%1.0"):gsub("%.0%.0", ".0")))
      values = text(load("\x80\3" .. array(dtype("b1", order), 3, "C\3\0\1\0") .. "."))
      assert.equal("0.0 1.0 0.0", (values:gsub("^%b() %w+ ", ""):gsub("(%d+)%f[ \0]", "%1.0"):gsub("%.0%.0", ".0")))
    end
    local many = ("\1\0\2\200"):rep(5000)
    assert.equal(5000 * 203, load("\x80\3" .. array(dtype("u1", "|"), 20000, "B" .. string.pack("<s4", many)) .. ".")
      :astype("f64"):sum())
  end)
  it("reads protocol 0 with the line ends of Windows", function()
    local lines = "(lp0\nI1\naL2L\naF2.5\naI01\naS'x'\np1\nag1\naVy\na."
    local expected = {1, 2, 2.5, true, "x", "x", "y"}
    assert.same(expected, load(lines))
    -- a text opcode takes its line as it is, so only the others may end so
    local windows = "(lp0\r\nI1\r\naL2L\r\naF2.5\r\naI01\r\naS'x'\np1\r\nag1\r\naVy\na."
    assert.same(expected, load(windows, {format = "pickle"}))
    local scalar = "cnumpy.core.multiarray\r\nscalar\r\n(" .. dtype("f8", "<") .. "U\8" ..
      string.pack("<d", 2.385) .. "tR."
    assert.equal(2.385, load("\x80\2" .. scalar))
  end)
  it("refuses what Python refuses", function()
    for _, bytes in ipairs{"S' ' \n.", 'S" " \n.', "S'a'\t\n.", "S'a'\r\r\n.", "S'a\n.", "S'a\"\n.", "Sa\n."} do
      assert.equal("the pickle is damaged: a string without quotes (byte 0)", refused(bytes, {format = "pickle"}))
    end
    assert.equal("a", load("S'a'\r\n.", {format = "pickle"}))
    for _, put in ipairs{"r\xff\xff\xff\xff", "r\16\0\0\0", "q\100", "p99\n", "p9223372036854775807\n"} do
      assert.matches("^the pickle is damaged: a place in its memory", refused("\x80\3X\1\0\0\0a" .. put .. "."))
    end
    for _, put in ipairs{"r\9\0\0\0", "q\7", "p3\n"} do assert.equal("a", load("\x80\3X\1\0\0\0a" .. put .. ".")) end
  end)
  it("refuses an array or dtype that is built twice, and extents that are none", function()
    local odd = "the description of an array is not one that NumPy writes"
    local function why(bytes) return (refused(bytes, {format = "pickle"}):gsub(" %(byte %d+%)$", "")) end
    local state = "(K\1K\2\x85" .. dtype("u1", "|") .. "\x89C\2abtb"
    assert.equal("the pickle sets the state of what is no new array",
      why("\x80\3" .. RECONSTRUCT .. state .. state .. "."))
    -- read into place, and then again
    local large = "(K\1M\0\4\x85" .. dtype("u1", "|") .. "\x89B\0\4\0\0" .. ("x"):rep(1024)
    assert.equal(odd, why("\x80\3" .. RECONSTRUCT .. "q\1" .. large .. "0Nt0h\1" .. large .. "tb."))
    local again = "(K\3\x8c\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    assert.equal(odd, why("\x80\4" .. array(dtype("u1", "|") .. again, 2, "C\2ab") .. "."))
    assert.equal(odd, why("\x80\4" .. array(dtype("f8", "<"), -1, "C\0") .. "."))
    assert.equal(odd, why("\x80\4" .. array(dtype("u1", "|"), -1, "C\1x") .. "."))
    assert.equal(odd, why("\x80\5" .. frombuffer(dtype("u1", "|"), -1, "C\1x") .. "."))
  end)
  it("refuses what is not data, and says which", function()
    assert.equal("only numbers, text, containers and NumPy arrays are read from a pickle, " ..
      "and this one asks for os.system (byte 0)",
      refused("cos\nsystem\n(S'id'\ntR."))
    assert.equal("only numbers, text, containers and NumPy arrays are read from a pickle, and this one asks for " ..
      "scipy.sparse.csr.csr_matrix (byte 2)", refused("\x80\2cscipy.sparse.csr\ncsr_matrix\n)\x81."))
    assert.equal("only numbers, text, containers and NumPy arrays are read from a pickle, " ..
      "and this one holds a set (byte 2)",
      refused("\x80\4\x8f."))
    assert.equal("the pickle holds a class or function as a value: numpy.ndarray (byte 15)",
      refused("cnumpy\nndarray\n."))
    assert.equal("a pickle of this protocol is not known: 6 (byte 0)", refused("\x80\6N.", {format = "pickle"}))
  end)
  it("says where a pickle is damaged", function()
    assert.equal("the file ends early (byte 4)", refused("\x80\4]("))
    assert.equal("a dict has the same key twice (byte 12)", refused("\x80\2}(U\1aK\1U\1aK\2u."):gsub("byte %d+",
      "byte 12"))
    assert.equal("an array's bytes do not fill its shape: 8 for 2 elements of 8 (byte 115)",
      refused(array(dtype("f8", "<"), 2, "C\8" .. ("x"):rep(8)) .. "."):gsub("byte %d+", "byte 115"))
  end)
end)

describe("gzip", function()
  it("is read by its content, member after member", function()
    assert.equal("hello", load("\x80\4X\5\0\0\0hello."))
    assert.equal("(2, 2) f64 1.0 2.0 3.0 4.0", text(seed("gzip/two", {format = "csv"})))
    assert.equal("(1, 2) f64 5.0 6.0", text(seed("gzip/padded", {format = "csv"})))
    assert.equal("(1, 2) f64 8.0 9.0", text(seed("gzip/named", {format = "csv"})))
  end)
end)

describe("idx", function()
  it("reads every type", function()
    assert.equal("(2, 3) u8 0.0 1.0 2.0 3.0 4.0 5.0", text(seed "idx/u1"))
    assert.equal("(2,) f64 -2.0 300.0", text(seed "idx/i2"))
    assert.equal("(1,) f64 -5.0", text(seed "idx/i4_gz"))
    assert.equal("(1,) f32 2.5", text(seed "idx/f4"))
    assert.equal("(1,) f64 2.5", text(seed "idx/f8"))
    assert.equal("(1, 1, 1) f64 -1.0", text(seed "idx/i1"))
  end)
  it("reads Fashion-MNIST as it comes", function()
    local path = "/usr/share/dataset-fashion-mnist/t10k-images-idx3-ubyte.gz"
    if not exists(path) then path = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz" end
    if not exists(path) then return pending("no " .. path) end
    local x = pg.load(path, {dtype = "f32"})
    assert.equal("(10000, 28, 28)", tostring(x.shape))
    local values = x[1]:reshape(-1):totable()
    table.sort(values)
    assert.equal(0, values[1])
    assert.equal(255, values[#values])
  end)
end)

describe("images", function()
  it("reads PNG of every kind as 0..255", function()
    assert.equal("(2, 3) u8 1.0 2.0 3.0 4.0 5.0 6.0", text(seed "image/grey8.png"))
    assert.equal("(2, 3) u8 255.0 0.0 255.0 0.0 255.0 0.0", text(seed "image/grey1.png"))
    assert.equal("(1, 1, 3) f64 255.0 127.50194552529 0.0038910505836576", text(seed "image/rgb16.png"))
    assert.equal("(1, 2, 4) u8 255.0 0.0 0.0 128.0 0.0 255.0 0.0 255.0", text(seed "image/rgba8.png"))
    assert.equal("(1, 1, 4) u8 16.0 16.0 16.0 128.0", text(seed "image/ga.png"))
    assert.equal("(1, 3, 4) u8 255.0 0.0 0.0 128.0 0.0 0.0 255.0 255.0 0.0 255.0 0.0 255.0",
      text(seed "image/palette.png"))
    local grid = seed "image/interlaced.png"
    for y = 1, 5 do for x = 1, 5 do assert.equal((y - 1) * 5 + x - 1, grid(y, x)) end end
    assert.equal("f32", seed("image/grey8.png", {dtype = "f32"}).dtype)
  end)
  it("reads JPEG, grey and colour, progressive too", function()
    local grey = seed "image/grey.jpg"
    assert.equal("(8, 8)", tostring(grey.shape))
    for y = 1, 8 do for x = 1, 8 do assert.is_true(math.abs(grey(y, x) - ((y - 1) * 20 + (x - 1) * 5)) <= 4) end end
    assert.equal("(7, 10, 3)", tostring(seed("image/rgb_progressive.jpg").shape))
    assert.equal("(9, 17, 3)", tostring(seed("image/rgb.jpg").shape))
  end)
  it("reads PGM and PPM of 8 and 16 bits", function()
    assert.equal("(2, 3) u8 0.0 1.0 2.0 3.0 4.0 255.0", text(seed "image/p5.pgm"))
    assert.equal("(1, 2) f64 255.0 127.50194552529", text(seed "image/p5_16.pgm"):gsub("127%.501%d+",
      "127.50194552529"))
    assert.equal("(1, 1, 3) f64 255.0 0.0 119.0", text(seed "image/p6.ppm"))
    assert.equal("(2, 2) f64 28.333333333333 56.666666666667 85.0 255.0", text(seed "image/p2.pgm"))
    assert.equal("(1, 1, 3) u8 255.0 0.0 9.0", text(seed "image/p3.ppm"))
  end)
  it("writes PNG that comes back, rounded and clamped", function()
    local path = temporary(".png")
    local a = pg.array{{-5, 0.5, 1.5, 254.4}, {300, 0 / 0, 1 / 0, -1 / 0}}
    pg.save(path, a)
    assert.equal("(2, 4) u8 0.0 0.0 2.0 254.0 255.0 0.0 255.0 0.0", text(pg.load(path)))
    local colour = pg.array{{{1, 2, 3}, {4, 5, 6}}}
    pg.save(path, colour)
    assert.equal("(1, 2, 3) u8 1.0 2.0 3.0 4.0 5.0 6.0", text(pg.load(path)))
    pg.save(path, pg.array({{0, 255}, {128, 7}}, "f32").T)
    assert.equal("(2, 2) u8 0.0 128.0 255.0 7.0", text(pg.load(path)))
    local clear = pg.array{{{10, 20, 30, 128}, {1, 2, 3, 0}, {4, 5, 6, 255}}}
    pg.save(path, clear)
    assert.equal("(1, 3, 4) u8 10.0 20.0 30.0 128.0 1.0 2.0 3.0 0.0 4.0 5.0 6.0 255.0", text(pg.load(path)))
    assert.equal("(1, 3, 4)", tostring(pg.image.read(path).shape))
    assert.equal(path .. ": an image is height x width, or height x width x 3 for colours",
      message(pg.save, path, pg.zeros(2, 2, 2)))
    assert.equal(path .. ": an image without pixels cannot be written: 0x5", message(pg.save, path, pg.zeros(0, 5)))
  end)
end)

describe("json", function()
  it("reads and writes, names in order", function()
    local path = temporary(".json")
    pg.save(path, {b = {1, 2.5, pg.none}, a = {x = true}, s = "é\n", m = pg.array{{1, 2}, {3, 4}}, e = {}})
    assert.equal('{\n  "a": {\n    "x": true\n  },\n  "b": [1, 2.5, null],\n' ..
      '  "e": {},\n  "m": [\n    [1.0, 2.0],\n    [3.0, 4.0]\n' ..
      '  ],\n  "s": "é\\n"\n}\n', contents(path))
    local v = pg.load(path)
    assert.equal(pg.none, v.b[3])
    assert.equal("é\n", v.s)
    assert.same({1, 2}, v.m[1])
    assert.same({1, {}}, {load('  [1, {"a": null}]', nil, ".dat")[1], {}})
  end)
  it("keeps NaN and infinity, and reads Python's words for them", function()
    local path = temporary(".json")
    pg.save(path, {loss = {0.5, 0 / 0, 1 / 0, -1 / 0}, a = pg.array{1, 1 / 0}})
    local t = pg.load(path)
    assert.equal("number number number number", type(t.loss[1]) .. " " .. type(t.loss[2]) .. " " .. type(t.loss[3]) ..
      " " .. type(t.loss[4]))
    assert.is_true(t.loss[2] ~= t.loss[2] and t.loss[3] == 1 / 0 and t.loss[4] == -1 / 0 and t.a[2] == 1 / 0)
    local v = load('[NaN, {"x": -Infinity}, Infinity]', nil, ".json")
    assert.is_true(v[1] ~= v[1] and v[2].x == -1 / 0 and v[3] == 1 / 0)
    for _, word in ipairs{"nan", "inf", "Inf", "+Infinity", "-NaN", "NaNs", "Infinit"} do
      assert.is_false(pcall(load, "[" .. word .. "]", nil, ".json"), word)
    end
    if has_numpy then
      assert.equal("{'a': [1.0, inf], 'loss': [0.5, nan, inf, -inf]}\n", python("import json, sys\n" ..
        "print(json.load(open(sys.argv[1])))", path))
    end
  end)
  it("holds whole numbers exactly, or refuses them", function()
    assert.same({1 << 62, -9223372036854775807 - 1, 0, 1e22, 2 ^ 64},
      load("[4611686018427387904, -9223372036854775808, -0, 10000000000000000000000, 18446744073709551616]",
        nil, ".json"))
    assert.equal("not JSON: 18446744073709551615 cannot be held exactly; {exact=false} rounds it (byte 2)",
      refused("[18446744073709551615]", nil, ".json"))
    assert.equal("not JSON: -9223372036854775809 cannot be held exactly; {exact=false} rounds it (byte 6)",
      refused('{"a":-9223372036854775809}', nil, ".json"))
    assert.same({2 ^ 64}, load("[18446744073709551615]", {exact = false}, ".json"))
    for _, n in ipairs{"1e400", "-1e400", ("9"):rep(400)} do
      assert.matches("^not JSON: a number beyond the range of a double %(byte 2%)", refused("[" .. n .. "]",
        {exact = false}, ".json"))
    end
  end)
  it("takes UTF-8 and nothing else, each name once", function()
    assert.same({1}, load("\xEF\xBB\xBF[1]", nil, ".json"))
    for _, bytes in ipairs{'["\xff"]', '["\xc3"]', '["\xed\xa0\x80"]', '{"\x80": 1}', '["\xf4\x90\x80\x80"]',
      "\xfe\xff"} do
      assert.matches("^not JSON: not UTF%-8 %(byte [123]%)", refused(bytes, nil, ".json"))
    end
    for _, bytes in ipairs{'["\\ud800"]', '["\\udc00\\ud800"]', '["\\ud83dx"]'} do
      assert.matches("half of a surrogate pair", refused(bytes, nil, ".json"))
    end
    assert.equal("not JSON: a name stands twice in one object (byte 10)", refused('{"a": 1, "a": null}', nil, ".json"))
    assert.equal("bad argument #2 to 'save' (value: a string that is not UTF-8 has no JSON form)",
      message(pg.save, temporary(".json"), {a = "\xff"}))
  end)
  it("is the same in every locale", function()
    local before = os.setlocale()
    if not (os.setlocale("de_DE.UTF-8") or os.setlocale("de_DE")) then return pending("no German locale") end
    local path = temporary(".json")
    pg.save(path, {x = 1.5, y = {1e-7, -2.25e300}})
    local bytes, back = contents(path), pg.load(path)
    os.setlocale(before)
    assert.equal('{\n  "x": 1.5,\n  "y": [1e-07, -2.25e+300]\n}\n', bytes)
    assert.equal(1.5, back.x)
    assert.same({1e-7, -2.25e300}, back.y)
  end)
  it("says what is wrong", function()
    assert.equal("not JSON: expected , or } (byte 9)", refused('{"a": 1 2}', nil, ".json"))
    local path = temporary(".json")
    assert.equal("bad argument #2 to 'save' (value: a function has no JSON form)", message(pg.save, path,
      {a = print}))
    assert.equal("bad argument #2 to 'save' (value: a list with gaps or names has no JSON form)",
      message(pg.save, path, {1, 2, a = 3}))
    local loop = {}
    loop.a = loop
    assert.equal("bad argument #2 to 'save' (value: a table nested more than 100 deep has no JSON form)",
      message(pg.save, path, loop))
    assert.is_false(exists(path))
  end)
end)

describe("load", function()
  it("says what it was given", function()
    assert.equal("/nonexistent/x.npy: cannot open: No such file or directory", message(pg.load, "/nonexistent/x.npy"))
    assert.equal("/tmp: cannot read: Is a directory", message(pg.load, "/tmp"))
    assert.equal("the file is empty", refused(""))
    assert.matches("^its content is none that load knows .*; it begins with hello%?%?! %(byte 0%)$",
      refused("hello??!"))
    assert.matches("unknown option 'dtpye'.*'dtype'", message(pg.load, "x", {dtpye = "f32"}))
    assert.matches("path", message(pg.load, "a\0b"))
    assert.matches("format", message(pg.load, SEEDS .. "npy/f8", {format = "nyp"}))
  end)
  it("reads what is not named by its suffix", function()
    assert.equal("(2,) f64 1.0 2.0", text(load(contents(SEEDS .. "npy/python2"), nil, ".png")))
  end)
  it("reads from a pipe", function()
    local path = temporary(".pipe")
    if not os.execute("mkfifo " .. path) then return pending("no mkfifo") end
    os.execute(("cat %snpy/gz >%s &"):format(SEEDS, path))
    assert.equal("(2, 3) f64 0.0 1.0 3.0 4.0 6.0 7.0", text(pg.load(path)))
    os.execute(("cat %snpz/deflated >%s &"):format(SEEDS, path))
    assert.equal(2.5, pg.load(path).x:item())
  end)
  it("keeps to max_bytes", function()
    assert.equal("the content is larger than max_bytes, 100", refused(contents(SEEDS .. "npy/f8"), {max_bytes = 100}))
    assert.matches("^the shape needs 8000000 bytes, more than max_bytes, 1000000 %(byte 128%)$", refused(
      contents(SEEDS .. "npy/f8"):gsub("%(2, 3%), }     ", "(1000, 1000), }", 1), {max_bytes = 1000000}))
    assert.equal("its arrays need more than max_bytes, 200",
      (refused(contents(SEEDS .. "idx/u1"):sub(1, 4) .. string.pack(">I4I4", 10, 10) .. ("x"):rep(100),
        {max_bytes = 200, dtype = "f64"})))
    assert.equal("(2, 3) f64 0.0 1.5 3.0 4.5 6.0 7.5", text(seed("npy/f8", {max_bytes = 176})))
    -- arrays of one file count together
    local path = temporary(".npz")
    pg.save(path, {a = pg.zeros(1000), b = pg.zeros(1000), c = pg.zeros(1000)}, {compress = true})
    assert.equal(path .. "[c]: its arrays need more than max_bytes, 23999", message(pg.load, path, {max_bytes = 23999}))
    assert.equal(0, pg.load(path, {max_bytes = 24000}).c:sum())
    local function graph(n) return array(dtype("u1", "|"), n, "B" .. string.pack("<s4", ("x"):rep(n))) end
    assert.matches("need more than max_bytes, 9000",
      (refused("\x80\3](" .. graph(400) .. graph(400) .. graph(400) .. "e.", {max_bytes = 9000, dtype = "f64"})))
  end)
end)

describe("save", function()
  it("writes npy as NumPy reads it", function()
    local path = temporary(".npy")
    pg.save(path, pg.array{{1, 2, 3}})
    assert.equal("\x93NUMPY\1\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }" .. (" "):rep(58) ..
      "\n" ..
      string.pack("<ddd", 1, 2, 3), contents(path))
    for _, a in ipairs{pg.array(2.5), pg.zeros(0, 3), pg.range(1, 7), pg.array({{1.5}, {-0.0}}, "f32"),
      pg.range(1, 24):reshape(2, 3, 4):transpose(3, 1, 2), pg.range(1, 9):slice({9, 1, -2})} do
      pg.save(path, a)
      assert.equal(text(a), text(pg.load(path)))
    end
    pg.save(path, 2.5)
    assert.equal("() f64 2.5", text(pg.load(path)))
    pg.save(path, {{1, 2}})
    assert.equal("(1, 2) f64 1.0 2.0", text(pg.load(path)))
  end)
  it("is read by NumPy bit for bit", function()
    if not has_numpy then return pending("no NumPy") end
    local npy, npz, deflated = temporary(".npy"), temporary(".npz"), temporary(".npz")
    local a = pg.array{{2.385, -0.0, 1 / 0}, {5e-324, 1e308, 0 / 0}}
    pg.save(npy, a.T)
    pg.save(npz, {a = a, ["é"] = pg.array({1, 2}, "f32")})
    pg.save(deflated, {a = a}, {compress = true})
    local hex = python([[
import sys, numpy as np
x = np.load(sys.argv[1]); z = np.load(sys.argv[2]); d = np.load(sys.argv[3])
print(x.shape, x.dtype.str,
  np.ascontiguousarray(x.T).tobytes().hex() == z['a'].tobytes().hex() == d['a'].tobytes().hex())
print(sorted(z.files), z['é'].dtype.str, z['é'].tolist(), z['a'].tobytes().hex())
]], npy, npz, deflated)
    assert.equal("(3, 2) <f8 True\n['a', 'é'] <f4 [1.0, 2.0] " ..
      string.pack("<dddddd", 2.385, -0.0, 1 / 0, 5e-324, 1e308, a(2, 3)):gsub(".", function(c)
        return ("%02x"):format(c:byte()) end) .. "\n", hex)
  end)
  it("says what it cannot write", function()
    assert.equal("/nonexistent/x.npy: cannot write: No such file or directory", message(pg.save, "/nonexistent/x.npy",
      {1}))
    assert.matches("^bad argument #1 to 'save' %(path: expected a name that ends in .npy", message(pg.save, "x.doc",
      {1}))
    assert.equal("bad argument #2 to 'save' (value: expected array, got nil)", message(pg.save, "x.npy", nil))
    assert.equal("bad argument #3 to 'save' (compress: an option of npz, and this is npy)",
      message(pg.save, "x.npy", {1}, {compress = true}))
    assert.equal("bad argument #3 to 'save' (columns: an option of csv, tsv, and this is npy)",
      message(pg.save, "x.npy", {1}, {columns = {"a"}}))
    assert.matches("unknown option 'colums'", message(pg.save, "x.npy", {1}, {colums = {"a"}}))
  end)
  it("follows links and keeps the old file when the disk is full", function()
    local link = temporary(".png")
    assert(os.execute("ln -s /dev/full " .. link))
    assert.equal(link .. ": cannot write: No space left on device", message(pg.save, link, pg.zeros(2, 2)))
    for _, format in ipairs{"npy", "csv", "json"} do
      assert.matches("No space left on device", message(pg.save, link, {1}, {format = format}))
    end
    assert.matches("No space left on device", message(pg.save, link, {a = {1}}, {format = "npz"}))
  end)
end)

describe("NumPy's files", function()
  it("give what EXPECTED.tsv says", function()
    local folder = SHARED .. "numpy_written/"
    if not exists(folder .. "EXPECTED.tsv") then return pending("no " .. folder) end
    local rows = 0
    for line in io.lines(folder .. "EXPECTED.tsv") do
      local name, expected = line:match("^(%S+)\t(.*)")
      local ok, v = pcall(pg.load, folder .. name)
      local shape, first, last, sum = expected:match("^shape=(%b()) dtype=%S+ first=(%S+) last=(%S+) sum=(%S+)$")
      if name == "file" then
        rows = rows - 1
      elseif name:find("^refuse_") or expected:find("^REFUSE") or name:find("bomb") then
        assert.is_false(ok, name)
        assert.equal(folder .. name .. ": ", v:sub(1, #folder + #name + 2))
        if expected:find("exact=false") then
          assert.equal(shape or expected:match("shape=(%b())"), tostring(pg.load(folder .. name,
            {exact = false}).shape))
        end
      elseif shape then
        assert.is_true(ok, v)
        assert.equal(shape, tostring(v.shape), name)
        local kind = expected:match("dtype=[<>|=]?(%a+%d*)")
        local kept = {f2 = "f32", f4 = "f32", float16 = "f32", float32 = "f32", u1 = "u8", uint8 = "u8", b1 = "bool",
          bool = "bool"}
        assert.equal(kept[kind] or "f64", v.dtype, name .. " " .. expected)
        local flat = v:reshape(-1)
        local number = {["True"] = 1, ["False"] = 0}
        if first ~= "-" then
          assert.equal(tostring((number[first] or tonumber(first) or 0 / 0) + 0.0), tostring(flat[1] + 0.0)
            :gsub("^%-nan", "nan"):gsub("^nan", tostring(0/0)), name)
          assert.equal(tostring((number[last] or tonumber(last) or 0 / 0) + 0.0), tostring(flat[#flat] + 0.0)
            :gsub("^%-nan", "nan"):gsub("^nan", tostring(0/0)), name)
        end
        if tonumber(sum) then
          local total = 0
          for _, x in ipairs(flat:totable()) do total = total + x end
          assert.equal(tonumber(sum), total, name)
        end
      else
        assert.is_true(ok, v)
        if name:find("scalars") then assert.same({1.5, 3, 1}, v) end
        if name:find("recursive") then assert.equal(v, v[1]) end
        if name:find("shared") then assert.equal(v[1], v[2]) end
        if name:find("unicode") then assert.equal(0.0, v["é整"][1]) end
        if name:find("cpts") then
          for i, t in ipairs(v) do
            assert.equal(i, t.ndim)
            local rest = t:reshape(-1, 2)
            for r = 1, #rest do assert.is_true(math.abs(rest(r, 1) + rest(r, 2) - 1) < 1e-9) end
          end
        end
      end
      rows = rows + 1
    end
    assert.is_true(rows > 80)
  end)
  it("include the homework's tables and graphs", function()
    if not exists(SHARED .. "classroom_graphs.pkl") then return pending("no " .. SHARED) end
    local g = pg.load(SHARED .. "classroom_graphs.pkl")
    assert.equal(100, #g)
    assert.equal("(15, 3)", tostring(g[1][1].shape))
    assert.equal("(15, 15)", tostring(g[100][2].shape))
  end)
end)
