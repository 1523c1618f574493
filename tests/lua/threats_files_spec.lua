-- SPDX-License-Identifier: MIT
-- Hostile files: each must be refused in one sentence with path and place, within 100 ms, without memory that the
-- file does not pay for, and the state goes on as if nothing had been.
local pg = require "perigee"

local made = {}

local function file(bytes, suffix)
  local base = os.tmpname()
  local path = base .. (suffix or ".bin")
  made[#made + 1], made[#made + 2] = base, path
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

local function seed(name) return contents("tests/fuzz/seeds/" .. name) end

local function exists(path)
  local f = io.open(path, "rb")
  if f then f:close() end
  return f ~= nil
end

-- What the load of these bytes says, without the path; it must be refused, quickly and cheaply.
local function refuse(bytes, options, suffix)
  local path = file(bytes, suffix)
  collectgarbage()
  local before, start = collectgarbage("count"), os.clock()
  local ok, err = pcall(pg.load, path, options)
  local seconds, kilobytes = os.clock() - start, collectgarbage("count") - before
  assert.is_false(ok, ("it was loaded: %q"):format(bytes))
  assert.equal("string", type(err))
  assert.equal(path, err:sub(1, #path))
  assert.is_nil(err:find("\n"))
  assert.is_true(seconds < (os.getenv("SANITIZED") and 2 or 0.1), err .. ": " .. seconds .. " s")
  assert.is_true(kilobytes < 2048 + 2 * #bytes / 1024 * 8, err .. ": " .. kilobytes .. " KB")
  assert.equal(1.5, pg.array{1.5}[1])
  return (err:sub(#path + 1):gsub("^: ", ""))
end

local function pickle(bytes, options)
  options = options or {}
  options.format = "pickle"
  return refuse(bytes, options)
end

after_each(function()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end)

local function dtype(name, order)
  return "cnumpy\ndtype\nU" .. string.pack("s1", name) .. "K\0K\1\x87R(K\3U" .. string.pack("s1", order or "<") ..
    "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
end
local NEW = "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
local function array(state) return "\x80\2" .. NEW .. "(" .. state .. "tb." end
local EIGHT = "U\8" .. ("x"):rep(8)

describe("pickle", function()
  it("P1 calls nothing", function()
    local canary = os.tmpname()
    os.remove(canary)
    for _, bytes in ipairs{
      "cos\nsystem\n(S'touch CANARY'\ntR.", "c__builtin__\neval\n(S'1'\ntR.", "(S'touch CANARY'\nios\nsystem\n.",
      "\x80\4\x8c\2os\x8c\6system\x93\x8c\14touch CANARY\x85R.", "(cos\nsystem\nS'touch CANARY'\no.",
      "\x80\2cposix\nsystem\nU\2id\x81.", "\x80\4cnumpy\nndarray\n)\x81.", "\x80\4cnumpy\nndarray\n)}\x92.",
      "c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR.", "cbuiltins\nexec\n(Vx\ntR.",
      "coperator\nitemgetter\n(K\0tR.", "cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(tS'b'\ntR.",
      "cnumpy\nload\n(S'x'\ntR.", "cnumpy.testing._private.utils\nrunstring\n(S'1'\nS'2'\ntR.",
      "c_codecs\ndecode\n(S'x'\nS'latin1'\ntR.",
        "ccopy_reg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
      "cnumpy\nndarray\n(K\1tR.", "ctorch._utils\n_rebuild_tensor_v2\n(tR.", "c\n\n.", "cnumpy.core.multiarray\n\n.",
      "]cos\nsystem\na.", "}S'a'\ncos\nsystem\ns.", "cnumpy\ndtype\n}b.", NEW .. "}b.",
    } do
      assert.matches("%(byte %d+%)$", pickle((bytes:gsub("CANARY", canary))))
    end
    assert.is_false(exists(canary))
  end)
  it("P2 stops at the first end and says what follows", function()
    assert.equal(1, pg.load(file("\x80\2K\1.cos\nsystem\n(S'id'\ntR."), {format = "pickle"}))
  end)
  it("P3 keeps what is mentioned a billion times once", function()
    local bytes = "\x80\2K\1" .. ("22\x87"):rep(40) .. "." -- 3^40 leaves
    collectgarbage()
    local before, start = collectgarbage("count"), os.clock()
    local v = pg.load(file(bytes))
    assert.is_true(os.clock() - start < 0.1)
    assert.is_true(collectgarbage("count") - before < 1024)
    local depth = 0
    while type(v) == "table" do
      assert.is_true(v[1] == v[2] and v[2] == v[3] and #v == 3)
      v, depth = v[1], depth + 1
    end
    assert.equal(40, depth)
    local lists = "\x80\2]q\0" .. ("]" .. ("h\0"):rep(9):gsub("h\0", "h%%0a") .. "q\0"):gsub("%%0", "\0"):rep(9) ..
      "."
    assert.matches("ends in the middle", pickle(lists))
    pickle("ccollections\nOrderedDict\n((tR.")
  end)
  it("P4 has a sparse memory", function()
    assert.equal(0, #pg.load(file("]r\2\0\0\0.")))
    for _, put in ipairs{"r\x65\x70\x61\x6c", "r\xff\xff\xff\xff", "p-1\n",
      "p99999999999999999999\n", "p\n", "pa\n", "g7\n", "h\7", "j\7\7\7\7"} do
      pickle("]" .. put .. ".")
    end
  end)
  it("P5 believes no length", function()
    for _, op in ipairs{"\x8e", "\x8d", "\x96", "\x95"} do
      for _, n in ipairs{math.mininteger, math.maxinteger, (1 << 32) + 4, 0xffffffff, -1} do
        pickle("\x80\5" .. op .. string.pack("<i8", n) .. "abc.")
      end
    end
    for _, op in ipairs{"T", "B", "X", "\x8b"} do
      for _, n in ipairs{0x7fffffff, 0x80000000, 0xffffffff} do pickle("\x80\2" .. op .. string.pack("<I4", n) ..
        "abc.") end
    end
    assert.equal("a string of the pickle claims 9223372036854775807 bytes, more than max_bytes, 1000000 (byte 11)",
      (pickle("\x80\5\x8e" .. string.pack("<i8", math.maxinteger) .. "abc.", {max_bytes = 1000000})))
    assert.equal("a string of the pickle claims 1000 bytes, more than the file has (byte 7)",
      pickle("\x80\2B" .. string.pack("<I4", 1000) .. "abc."))
  end)
  it("P6 refuses a stack, a mark, an end and a quote that are wrong", function()
    local count = 0
    for _, bytes in ipairs{ -- the stack lacks something
      ".", "0", "1", "2", "(2", "R", ")R", "a", "Na", "(Na", "b", "Nb", "(Nb", "d", "e", "(e", "ibuiltins\nlist\n",
        "l",
      "o", "(o", "p1\n", "q\0", "r\0\0\0\0", "s", "Ns", "(Ns", "NNs", "(NNs", "t", "u", "(u", "}(Nu", "\x81", ")\x81",
      "\x85", "\x86", "N\x86", "\x87", "N\x87", "NN\x87", "\x90", "(\x90", "\x91", "\x92", ")}\x92", "\x93",
        "Vlist\n\x93",
      "\x94", -- a mark is in the way
      "N(.", "N(2", "cbuiltins\nlist\n)(R", "cbuiltins\nlist\n()R", "]N(a", "cbuiltins\nValueError\n)R}(b",
      "cbuiltins\nValueError\n)R(}b", "(Nd", "N(p1\n", "N(q\0", "N(r\0\0\0\0", "}NN(s", "}N(Ns", "}(NNs", "}((u",
      "cbuiltins\nlist\n)(\x81", "cbuiltins\nlist\n()\x81", "N(\x85", "NN(\x86", "N(N\x86", "NNN(\x87", "NN(N\x87",
      "N(NN\x87", "]((\x90", "cbuiltins\nlist\n)}(\x92", "cbuiltins\nlist\n)(}\x92", "cbuiltins\nlist\n()}\x92",
      "Vbuiltins\n(Vlist\n\x93", "Vbuiltins\nVlist\n(\x93", "N(\x94", "](N.", "](N(e.", "(](Ne", -- other ends
      "", "N", "B", "B\3\0\0", "B\3\0\0\0", "B\3\0\0\0ab", "C", "C\3", "C\3ab", "F", "F0.0", "F0.00", "G",
        "G\0\0\0\0\0\0\0",
      "I", "I0", "J", "J\0\0\0", "K", "L", "L0", "L10", "L0L", "L10L", "M", "M\0", "S", "S'abc'", "T", "T\3\0\0",
      "T\3\0\0\0", "T\3\0\0\0ab", "U", "U\3", "U\3ab", "V", "Vabc", "X", "X\3\0\0", "X\3\0\0\0", "X\3\0\0\0ab", "(c",
      "(cbuiltins", "(cbuiltins\n", "(cbuiltins\nlist", "Ng", "Ng0", "(i", "(ibuiltins", "(ibuiltins\n",
        "(ibuiltins\nlist",
      "Nh", "Nj", "Nj\0\0\0", "Np", "Np0", "Nq", "Nr", "Nr\0\0\0", "\x80", "\x82", "\x83", "\x84\1", "\x84", "\x8a",
      "\x8b", "\x8b\0\0\0", "\x8c", "\x8c\3", "\x8c\3ab", "\x8d", "\x8d\3\0\0\0\0\0\0", "\x8d\3\0\0\0\0\0\0\0",
      "\x8d\3\0\0\0\0\0\0\0ab", "\x8e", "\x8e\3\0\0\0\0\0\0", "\x8e\3\0\0\0\0\0\0\0", "\x8e\3\0\0\0\0\0\0\0ab",
        "\x96",
      "\x96\3\0\0\0\0\0\0", "\x96\3\0\0\0\0\0\0\0", "\x96\3\0\0\0\0\0\0\0ab", "\x95", "\x95\2\0\0\0\0\0\0",
      "\x95\2\0\0\0\0\0\0\0", "\x95\2\0\0\0\0\0\0\0N", -- quotes
      "S\n.", "Sx\n.", "S'\n.", "S\"\n.", "S'x\n.", "Sx'\n.", "S'x\"\n.", "S\"x'\n.", "Sab\n.", "S'\\x1'\n.",
        "S'\\xg1'\n.",
      "S'a'b\n.", "S'abc\\'\n.", "V\\u12\n.", "V\\U00110000\n.", "V\\ud8\n.", "X\1\0\0\0\xff.", "X\2\0\0\0\xc3(.",
      "I1x\n.", "I\n.", "L\n.", "L-L\n.", "F\n.", "Fx\n.", "F0x10\n.", "F1e999\n.", "I1 \n.", "\xff.", "\0.",
    } do
      pickle(bytes)
      count = count + 1
    end
    assert.is_true(count > 180)
    for _, bytes in ipairs{"]N(a0.", "}NN(s0.", "NN(\x860.", "N(\x85.", "N(q\0" .. "0.",
      "N(2" .. "00."} do pickle(bytes) end
    assert.matches("^the pickle is damaged: an escape in a string", pickle("V\\u12\n."))
    assert.matches("^the pickle is damaged: an escape in a string", pickle("S'\\x1'\n."))
  end)
  it("P7 keeps what contains itself", function()
    for _, bytes in ipairs{"(lp0\ng0\na.", "]q\0h\0a.", "\x80\4]\x94h\0a."} do
      local v = pg.load(file(bytes), {format = "pickle"})
      assert.equal(v, v[1])
    end
    local d = pg.load(file("\x80\2}q\0K\1h\0s."))
    assert.equal(d, d[1])
    local t = pg.load(file("\x80\2]q\0h\0\x85a.")) -- a list in a tuple in the list
    assert.equal(t, t[1][1])
  end)
  it("P8 does not recurse", function()
    local n = 30000
    for _, bytes in ipairs{("("):rep(n), ("]"):rep(n), ("]"):rep(n) .. ("a"):rep(n - 1) .. ".", "(" .. ("]"):rep(n) ..
      ("a"):rep(n),
      ")" .. ("\x85"):rep(n) .. ".", "N" .. ("\x85"):rep(n) .. "."} do
      assert.matches("10000 levels", pickle("\x80\2" .. bytes))
    end
    assert.equal("table", type(pg.load(file("\x80\2N" .. ("\x85"):rep(9999) .. "."))))
  end)
  it("P9 takes an array only as NumPy describes it", function()
    local f8 = dtype("f8")
    assert.equal("(1,)", tostring(pg.load(file(array("K\1K\1\x85" .. f8 .. "\x89" .. EIGHT))).shape))
    for _, state in ipairs{
      "K\1K\2\x85" .. f8 .. "\x89" .. EIGHT, "K\1K\0\x85" .. f8 .. "\x89" .. EIGHT, "K\1K\1\x85" .. dtype("f8",
        "Z") .. "\x89" .. EIGHT,
      "K\1K\1\x85cnumpy\ndtype\nU\2O8K\0K\1\x87R\x89" .. EIGHT, "K\1K\1\x85cnumpy\ndtype\nU\3V16K\0K\1\x87R\x89" ..
        EIGHT,
      "K\9K\1\x85" .. f8 .. "\x89" .. EIGHT, "K\1J\xff\xff\xff\xff\x85" .. f8 .. "\x89" .. EIGHT,
      "K\1\x8a\8" .. string.pack("<i8", 1 << 62) .. "K\4\x86" .. f8 .. "\x89" .. EIGHT, "K\1K\1\x85" .. f8 .. "\x89",
      "K\1K\1\x85" .. f8 .. "\x89" .. EIGHT .. "N", "K\1N" .. f8 .. "\x89" .. EIGHT, "K\1K\1\x85N\x89" .. EIGHT,
      "K\1K\1\x85" .. f8 .. "K\2" .. EIGHT, "K\1K\1\x85" .. f8 .. "\x89N", "K\1U\1a\x85" .. f8 .. "\x89" .. EIGHT,
      "K\1(" .. ("K\1"):rep(33) .. "t" .. f8 .. "\x89" .. EIGHT, "K\1K\1\x85" .. f8 .. "\x89" .. "]",
      "K\1(\x8a\8" .. string.pack("<i8", 1 << 61) .. "K\0t" .. f8 .. "\x89U\0",
    } do
      pickle(array(state))
    end
    local good = "(K\1K\1\x85" .. f8 .. "\x89" .. EIGHT .. "tb"
    pickle("\x80\2" .. NEW .. good .. good .. ".") -- BUILD twice
    pickle("\x80\2" .. NEW:gsub("ndarray", "dtype") .. good .. ".") -- of something else
    pickle("\x80\2" .. NEW .. ".") -- and not at all
    pickle(array("K\1K\1\x85" .. f8 .. "(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89" .. EIGHT))
    pickle("\x80\2cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\0\x85U\1b\x87R.")
    pickle("\x80\2cnumpy\ndtype\nU\2f8K\0K\1\x87R(K\3U\1<NNNJ\xfe\xff\xff\xffJ\xff\xff\xff\xffK\0tb.") -- itemsize -2
    pickle("\x80\2cnumpy\ndtype\nU\2f8K\0K\1\x87R(K\3U\1<NU\1a}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb.") -- fields
    pickle("\x80\2cnumpy.core.multiarray\nscalar\n" .. f8 .. "U\4abcd\x86R.")
    pickle("\x80\5cnumpy.core.numeric\n_frombuffer\n(" .. EIGHT .. f8 .. "K\2\x85U\1CtR.")
    pickle("\x80\5cnumpy.core.numeric\n_frombuffer\n(" .. EIGHT .. f8 .. "K\1\x85U\1XtR.")
    -- bytes that have become an array are not bytes any more
    local large = "B" .. string.pack("<s4", ("x"):rep(80000)) .. "q\7"
    pickle("\x80\2]" .. NEW .. "(K\1M\x10\x27\x85" .. f8 .. "\x89" .. large .. "tbah\7a.")
    pickle("\x80\2]cnumpy.core.numeric\n_frombuffer\n(" .. large .. f8 .. "M\x10\x27\x85U\1CtRah\7a.")
  end)
  it("P10 takes no long dtype and no other encoding", function()
    pickle("\x80\2cnumpy\ndtype\nX" .. string.pack("<s4", ("f"):rep(1000000)) .. "K\0K\1\x87R.")
    pickle("c_codecs\nencode\n(Vx\nVrot13\ntR.")
    pickle("c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.")
    pickle("c_codecs\nencode\n(NVlatin1\ntR.")
  end)
  it("P11 makes no key that a table cannot have", function()
    for key, reason in pairs{["N"] = "None", ["G\x7f\xf8\0\0\0\0\0\0"] = "nan", ["]"] = "key", ["}"] = "key",
      [")"] = "tuple"} do
      assert.matches(reason, pickle("\x80\2}" .. key .. "K\1s."))
    end
    assert.matches("same key twice", pickle("\x80\2}(U\1aK\1U\1aK\2u."))
    assert.matches("same key twice", pickle("\x80\2}(K\1K\1G\x3f\xf0\0\0\0\0\0\0K\2u."))
  end)
  it("P12 wraps no integer", function()
    assert.equal(math.maxinteger, pg.load(file("\x80\2\x8a\8" .. string.pack("<i8", math.maxinteger) .. ".")))
    assert.equal(math.mininteger, pg.load(file("\x80\2\x8a\9" .. string.pack("<i8", math.mininteger) .. "\xff.")))
    assert.equal(-1, pg.load(file("\x80\2\x8a\1\xff.")))
    assert.equal(0, pg.load(file("\x80\2\x8a\0.")))
    for _, bytes in ipairs{"\x8a\9" .. ("\xff"):rep(8) .. "\0.", "\x8a\xff" .. ("\1"):rep(255) .. ".",
      "\x8b\xff\xff\xff\xff.",
      "\x8b\xff\xff\xff\x7f.", "I9223372036854775808\n.", "L-9223372036854775809L\n.", "L" .. ("9"):rep(100000) ..
        "L\n.",
      "cnumpy.core.multiarray\nscalar\n" .. dtype("u8") .. "U\8" .. ("\xff"):rep(8) .. "\x86R."} do
      pickle("\x80\2" .. bytes)
    end
  end)
  it("P13 asks for nothing from outside", function()
    for _, bytes in ipairs{"Px\n.", "NQ.", "\x82\1.", "\x83\1\1.", "\x84\1\1\1\1.", "\x80\5\x97.",
      "\x80\5C\1a\x98."} do
      pickle(bytes)
    end
  end)
  it("P14 names the class that it does not read", function()
    for module, name in pairs{["scipy.sparse.csr"] = "csr_matrix", collections = "defaultdict",
      ["joblib.numpy_pickle"] = "NumpyArrayWrapper", ["numpy.random._pickle"] = "__generator_ctor"} do
      assert.matches("asks for " .. module:gsub("%.", "%%.") .. "%." .. name,
        pickle(("\x80\2c%s\n%s\n)\x81."):format(module, name)))
    end
    -- a name that would fill the screen is cut, and cannot move the cursor
    local named = pickle("c" .. ("\1"):rep(1000) .. "\nx\n."):match("asks for (.*) %(byte")
    assert.matches("^\\x01\\x01.*%.%.%.%.x$", named)
    assert.is_true(#named < 120)
  end)
  it("P15 reads arrays of Python 2", function()
    local a = pg.load("tests/fuzz/seeds/pickle/python2")
    assert.equal("f32", a.dtype)
    assert.equal(2, a[2])
  end)
  it("P16 streams what is larger than it looks", function()
    local path = "../shared/data/image_cpts.pkl.gz"
    local program = os.getenv("PERIGEE")
    if not exists(path) or not program or os.getenv("SANITIZED") then return pending("no " .. path) end
    local script = file(([[local pg = require "perigee"
      local t = pg.load(%q)
      assert(#t == 25 and t[25].ndim == 25)
      for line in io.lines("/proc/self/status") do print(line:match("^VmHWM:%%s*(%%d+)")) end]]):format(path), ".lua")
    local p = io.popen(program .. " " .. script)
    local kilobytes = tonumber(p:read("a"):match("%d+"))
    p:close()
    assert.is_true(kilobytes * 1024 < 1.1 * 536872578 + 64e6, kilobytes .. " kB")
  end)
end)

describe("gzip", function()
  local good = seed "gzip/one"
  it("G1 stops at max_bytes", function()
    local bomb = seed "gzip/long" -- 300,000 bytes out of 300 odd
    local head = seed "npy/f8":sub(1, 128):gsub("%(2, 3%), }     ", "(3000000,), }  ", 1)
    assert.equal("the content is larger than max_bytes, 100000", refuse(bomb, {format = "csv", max_bytes = 100000},
      ".csv.gz")
      :gsub("a field is longer.*", "the content is larger than max_bytes, 100000"))
    assert.matches("more than the file has", refuse(head))
    local path = "../shared/data/numpy_written/gz_bomb_64MiB_zeros.gz"
    if exists(path) then
      assert.matches("max_bytes, 1000000", refuse(contents(path), {format = "json", max_bytes = 1000000}))
    end
  end)
  it("G2 checks every part", function()
    local n = #good
    local function change(at, with) return good:sub(1, at - 1) .. with .. good:sub(at + #with) end
    for _, bytes in ipairs{
      change(n - 7, "\0\0\0\0"), change(n - 3, "\1\2\3\4"), change(4, "\xe0"), change(3, "\7"), good .. "x", good ..
        "\0\0x",
      good .. good:sub(1, 10), good:sub(1, 9), good:sub(1, n - 1), good:sub(1, n - 8), change(4, "\4") .. "\xff\xff",
      "\x1f\x8b\8\8\0\0\0\0\0\xff" .. ("n"):rep(1000), "\x1f\x8b\8\2\0\0\0\0\0\xff\0\0" .. good:sub(11), "\x1f\x8b",
    } do
      refuse(bytes, {format = "json"})
    end
    assert.matches("^there are other bytes after the gzip data", refuse(good .. "x", {format = "json"}))
    assert.matches("^there are other bytes after the gzip data", refuse(good .. "\0" .. good, {format = "json"}))
    -- a wrong sum is refused though the pickle inside was whole
    local p = seed "pickle/gz"
    assert.matches("^damaged gzip data: incorrect data check", refuse(p:sub(1, -9) .. "\0\0\0\0" .. p:sub(-4)))
    assert.matches("^damaged gzip data: incorrect length check", refuse(p:sub(1, -5) .. "\0\0\0\0"))
    -- and in a member longer than one piece
    local long = seed "gzip/long"
    assert.matches("incorrect data check", refuse(long:sub(1, -9) .. "\0\0\0\0" .. long:sub(-4), {format = "json"}))
    assert.matches("incorrect length check", refuse(long:sub(1, -5) .. "\0\0\0\0", {format = "json"}))
  end)
end)

describe("npz", function()
  local good = seed "npz/stored"
  -- The directory's first entry and the local header of the first member.
  local central, entry = good:find("PK\1\2", 1, true), good:find("PK\3\4", 1, true)
  local function change(bytes, at, with) return bytes:sub(1, at - 1) .. with .. bytes:sub(at + #with) end
  it("Z1 trusts no directory", function()
    local eocd = #good - 21
    for _, bytes in ipairs{
      change(good, central + 20, string.pack("<I4", 10)), change(good, central + 20, string.pack("<I4", 1 << 30)),
      change(good, central + 24, string.pack("<I4", 1 << 30)), change(good, central + 42, string.pack("<I4",
        1 << 20)),
      change(good, central + 42, string.pack("<I4", 100)), change(good, central + 8, "\1"), change(good, central + 10,
        "\99"),
      change(good, central + 16, "abcd"), change(good, central + 28, string.pack("<I2", 60000)),
      change(good, eocd + 10, string.pack("<I2", 3)), change(good, eocd + 16, string.pack("<I4", 1 << 24)),
      change(good, eocd + 12, string.pack("<I4", 1 << 24)), change(good, entry + 8,
        "\8"),
      change(good, entry + 26, string.pack("<I2", 60000)),
      change(good, central + 20, string.pack("<I4I4", 0xffffffff, 0xffffffff)), good:sub(1, -2), good:sub(1,
        central - 1),
      good:gsub("b%.npy", "a.npy"), good:gsub("a%.npy", "\0.npy"), "PK\3\4", "PK\5\6" .. ("\0"):rep(17),
    } do
      refuse(bytes)
    end
    local last = good:find("PK\3\4", 2, true) - 1 -- of the first member's data
    assert.matches("the checksum of a member does not match: a.npy$", refuse(change(good, last, "\7")))
    -- two entries of one member
    local first = good:sub(central, good:find("PK\1\2", central + 4, true) - 1)
    local twice = good:sub(1, central - 1) .. first .. first:gsub("a%.npy", "c.npy")
    twice = twice .. "PK\5\6\0\0\0\0\2\0\2\0" .. string.pack("<I4I4I2", 2 * #first, central - 1, 0)
    assert.matches("overlap", refuse(twice))
    -- names are keys and no paths
    local evil = good:gsub("a%.npy", "/.npy")
    assert.equal("array", getmetatable(pg.load(file(evil))["/"]))
  end)
  it("Z2 keeps a header inside its member", function()
    local at = good:find("\x93NUMPY", 1, true)
    refuse(change(good, at + 8, "\xff\xff"))
    refuse(change(good, at + 8, "\x40\0"))
    refuse((good:gsub("%(2, 3%)", "(9, 9)", 1)))
  end)
end)

describe("npy", function()
  local function npy(header, data, version)
    version = version or 1
    return "\x93NUMPY" .. string.char(version) .. "\0" .. string.pack(version == 1 and "<s2" or "<s4", header) ..
      (data or "")
  end
  local function with(descr, shape,
    data) return npy(("{'descr': %s, 'fortran_order': False, 'shape': %s, }"):format(descr, shape), data) end
  it("Y1 caps the header", function()
    refuse("\x93NUMPY\2\0" .. string.pack("<I4", 0xfffffff0))
    refuse("\x93NUMPY\2\0" .. string.pack("<I4", 65537) .. (" "):rep(65537))
    refuse("\x93NUMPY\1\0\xff\xff")
    local long = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }" .. (" "):rep(70000)
    assert.matches("^the header of the .npy claims 70055 bytes; at most 65536 are read",
      refuse(npy(long, ("x"):rep(8), 2)))
  end)
  it("Y2 multiplies with care", function()
    for _, shape in ipairs{"(4294967296, 4294967296)", "(2305843009213693953,)",
      "(0, 9223372036854775807, 9223372036854775807)",
      "(-1, 3)", "(" .. ("1, "):rep(65) .. ")", "(2.0,)", "6", "(6)", "(18446744073709551617,)", "(2,,3)", "(,)",
        "(2 3)", "(2,3",
      "(0x2,)", "(2**3,)", "((2,),)", "[2]", "None", "(True,)"} do
      refuse(with("'<f8'", shape, ("x"):rep(48)))
    end
  end)
  it("Y3 compares the claim with the file", function()
    assert.matches("^the shape needs %d+ bytes, more than", refuse(with("'<f8'", "(137438953472,)", ("x"):rep(48))))
    assert.equal("the shape needs 56 bytes, more than the file has (byte 73)",
      refuse(with("'<f8'", "(7,)", ("x"):rep(48))):gsub("byte %d+", "byte 73"))
  end)
  it("Y4 evaluates nothing", function()
    for _, descr in ipairs{"'<ixy'", "''", "'<f3'", "'|O'", "[('a', '<f8')]", "'<f99999999999999999999'",
      ("["):rep(9000),
      "__import__('os').system('id')", "'<f8", "f8", "8", "'<c16'", "'<f8' 'x'", "('<f8', (2,))", "'<S8'",
        "'<f8\\x00'"} do
      refuse(with(descr, "(1,)", ("x"):rep(8)))
    end
    for _, header in ipairs{"", "{}", "{'descr': '<f8'}", "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x",
      "[]",
      "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
      "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "{'descr' '<f8'}", "{descr: 1}",
        "{'descr",
      "{'descr': '<f8' 'fortran_order': False 'shape': (1,)}"} do
      refuse(npy(header, ("x"):rep(8)))
    end
    refuse("\x93NUMPY\4\0\0\0")
    refuse("\x93NUMPY\1\1\0\0")
  end)
  it("Y5 reads what is odd and valid", function()
    local data = string.pack("<i4i4", 1, 2)
    for _, header in ipairs{"{'shape': (2,), 'descr': '<i4', 'fortran_order': False}",
      '{"descr":"<i4","fortran_order":False,"shape":(2,)}',
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2L,), }\n",
        "  { 'descr' : '<i4' , 'fortran_order' : True , 'shape' : ( 2 , ) , }  "} do
      for version = 1, 3 do
        local a = pg.load(file(npy(header, data, version)))
        assert.equal("(2,)", tostring(a.shape))
        assert.equal(2, a[2])
      end
    end
    assert.equal(1.5, pg.load(file(with("'>f8'", "()", string.pack(">d", 1.5)))):item())
    assert.equal("(0, 7)", tostring(pg.load(file(with("'<f8'", "(0, 7)"))).shape))
  end)
end)

describe("IDX", function()
  it("I1 checks the header against the file", function()
    local good = seed "idx/u1"
    for _, bytes in ipairs{"\1" .. good:sub(2), "\0\1" .. good:sub(3), "\0\0\10" .. good:sub(4), "\0\0\8\0" ..
      good:sub(5),
      "\0\0\8\xff" .. good:sub(5), "\0\0\8\2" .. ("\xff"):rep(8) .. good:sub(13), good:sub(1, -2), good:sub(1, 7),
      "\0\0\x0e\2" .. ("\xff"):rep(8)} do
      refuse(bytes, {format = "idx"})
    end
    assert.equal("(2, 3)", tostring(pg.load(file(good .. "more")).shape)) -- with a warning
  end)
end)

describe("CSV", function()
  it("C1 reads numbers and nothing else", function()
    for bytes, reason in pairs{
      ["1,2\n3,x\n"] = "line 2, column 2", ['1,"2\n'] = "quoted field does not end %(line 1, column 2",
      ["1,\0,3\n"] = "NUL byte %(line 1, column 2", ["1,2\n\0,3\n"] = "\\x00 %(line 2, column 1",
        ["1e999\n"] = "1e999 %(line 1", ["1\n1e999\n"] = "line 2",
        ["1\n0x10\n"] = "0x10 %(line 2",
      ["1;5\n2,5\n"] = "2,5 %(line 2, column 1", ["1,2,\n3,4,\n"] = "line 1, column 3", ["1\n--1\n"] = "line 2",
      ["1\n1e\n"] = "line 2", ["1\n.\n"] = "line 2", ["1\nnan(5)\n"] = "line 2", ["1 2\n3\n"] = "shorter",
      ["1,2\n3,4 5\n"] = "4 5 %(line 2, column 2", ['1,"2"x\n'] = "follows a quoted field",
      ["1\n" .. ("9"):rep(500) .. "\n"] = "line 2", ["1\n" .. ("9"):rep(100000) ..
        "\n"] = "longer than 65536 bytes %(line 2",
      ["#\n"] = "no rows",
    } do
      assert.matches(reason, refuse(bytes, nil, ".csv"))
    end
    assert.equal("(2, 2)", tostring(pg.load(file("\xef\xbb\xbf1,2\r3,4\r", ".csv")).shape))
    local wide = pg.load(file(("1,"):rep(999999) .. "2\n", ".csv"))
    assert.equal("(1, 1000000)", tostring(wide.shape))
    assert.equal(2, wide(1, 1000000))
    local before = os.setlocale()
    os.setlocale("de_DE.UTF-8")
    assert.equal(1.5, pg.load(file("1.5,2\n", ".csv"))(1, 1))
    os.setlocale(before)
  end)
end)

describe("images", function()
  local function chunk(kind, data) -- with a sum that the reader is to refuse only where it is wrong
    local crc = 0xffffffff
    for c in (kind .. data):gmatch(".") do
      crc = crc ~ c:byte()
      for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xedb88320 or crc >> 1 end
    end
    return string.pack(">I4", #data) .. kind .. data .. string.pack(">I4", crc ~ 0xffffffff)
  end
  local SIGN, END = "\x89PNG\r\n\x1a\n", chunk("IEND", "")
  local function head(w, h, depth, kind, interlace)
    return SIGN .. chunk("IHDR", string.pack(">I4I4BBBBB", w, h, depth, kind, 0, 0, interlace or 0))
  end
  local grey = seed "image/grey8.png"
  local data = grey:match("IDAT.*"):sub(5, -17)
  it("M1 refuses a PNG before it takes memory for it", function()
    for _, bytes in ipairs{
      head(2 ^ 31 - 1 | 0, 2 ^ 31 - 1 | 0, 8, 6) .. chunk("IDAT", data) .. END, head(100000, 100000, 8, 0) ..
        chunk("IDAT", data) .. END,
      head(20000, 20000, 8, 0) .. chunk("IDAT", data) .. END, head(0, 3, 8, 0) .. chunk("IDAT", data) .. END,
      head(3, 2, 8, 0) .. END, head(3, 2, 3, 0) .. chunk("IDAT", data) .. END, head(3, 2, 8, 5) .. chunk("IDAT",
        data) .. END,
      head(3, 2, 8, 3) .. chunk("IDAT", data) .. END, -- no palette
      head(3, 2, 8, 3) .. chunk("PLTE", ("x"):rep(6)) .. chunk("IDAT", data) .. END, -- an index out of it
      head(3, 3, 8, 0) .. chunk("IDAT", data) .. END, head(3, 2, 8, 0) .. chunk("IDAT", data:sub(1, -6)) .. END,
      head(3, 2, 8, 0) .. chunk("IDAT", "y" .. data:sub(2)) .. END, grey:gsub("IEND", "JEND"), grey:sub(1, -13), SIGN,
      grey:gsub("IDAT(.)", "IDAT\1"), head(3, 2, 8, 0, 2) .. chunk("IDAT", data) .. END, grey:sub(1, 40),
      head(3, 2, 8, 0) .. head(3, 2, 8, 0):sub(9) .. chunk("IDAT", data) .. END, grey:gsub("\r\n", "\n", 1) .. "",
    } do
      refuse(bytes, {format = "png"})
    end
    -- a profile that unfolds to gigabytes is passed over unread
    local bomb = head(3, 2, 8, 0) .. chunk("iCCP", "x\0\0" .. ("\0"):rep(1000)) .. chunk("zTXt", "k\0\0junk") ..
      chunk("IDAT", data) .. END
    assert.equal("(2, 3)", tostring(pg.load(file(bomb)).shape))
  end)
  it("M1 refuses a JPEG that is damaged or larger than its bytes can be", function()
    local jpeg = seed "image/rgb.jpg"
    local at = jpeg:find("\xff\xc0", 1, true)
    local function change(offset, with) return jpeg:sub(1, at + offset - 1) .. with ..
      jpeg:sub(at + offset + #with) end
    -- libjpeg would go on after these with a warning
    assert.matches("^damaged JPEG: ", refuse(jpeg:sub(1, -40) .. "\xff\xd9"))
    assert.matches("^damaged JPEG: ", refuse(jpeg:sub(1, -3) .. ("x"):rep(50) .. "\xff\xd9"))
    for _, bytes in ipairs{change(5, "\xff\xff\xff\xff"), change(5, "\0\0"), change(7, "\0\0"), jpeg:sub(1, -30),
      jpeg:sub(1, 100),
      "\xff\xd8\xff\xd9", "\xff\xd8\xff\xe0", change(9, "\4"), change(4, "\12")} do
      refuse(bytes)
    end
  end)
  it("M2 reads PGM and PPM of 16 bits, and refuses what is none", function()
    assert.equal(255, pg.load("tests/fuzz/seeds/image/p5_16.pgm")(1, 1))
    assert.equal("(1, 2)", tostring(pg.load(file("P5 # a comment\n2\n#another\n1 255\nab")).shape))
    for _, bytes in ipairs{"P5 46341 46341 255\nab", "P5 -1 5 255\nab", "P5 2 1 0\nab", "P5 2 1 70000\nabcd",
      "P5 2 1 255\na",
      "P5 0 5 255\n", "P5 2 1 255", "P5 2 1 255ab", "P6 2 1 255\nabcde", "P2 2 1 9 1", "P2 2 1 9 1 10",
        "P2 2 1 9 1 x", "P5 2 1 65535\nabc",
      "P5 99999999999999999999 1 255\n", "P5 2 1 100\n\xff\xff", "P5 2147483647 2147483647 65535\n"} do
      refuse(bytes)
    end
  end)
end)

describe("writers", function()
  local function gone(suffix)
    local base = os.tmpname()
    made[#made + 1], made[#made + 2] = base, base .. suffix
    return base .. suffix
  end
  local function message(f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    return err
  end
  it("W2 notices a full disk, and writes no image without pixels", function()
    local path = gone ".png"
    assert(os.execute("ln -s /dev/full " .. path))
    assert.equal(path .. ": cannot write: No space left on device", message(pg.save, path, pg.zeros(3, 3)))
    assert.matches("without pixels", message(pg.save, gone ".png", pg.zeros(0, 5)))
    assert.matches("without pixels", message(pg.save, gone ".png", pg.zeros(0, 0)))
  end)
  it("W4 leaves the old file where a new one cannot be", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local path = folder .. "/a.npy"
    pg.save(path, {1, 2})
    local before = contents(path)
    assert.matches("Is a directory$", message(pg.save, folder, {1}, {format = "npy"}))
    assert.matches("No such file or directory$", message(pg.save, folder .. "/no/a.npy", {1}))
    assert.matches("Not a directory$", message(pg.save, path .. "/a.npy", {1}))
    assert.matches("File name too long$", message(pg.save, folder .. "/" .. ("n"):rep(300) .. ".npy", {1}))
    assert.equal(before, contents(path))
    -- a closed pipe is an error and no signal
    assert(os.execute("mkfifo " .. folder .. "/pipe.npy"))
    os.execute("head -c 1 " .. folder .. "/pipe.npy >/dev/null &")
    local ok, err = pcall(pg.save, folder .. "/pipe.npy", pg.zeros(1000000))
    assert.is_false(ok)
    assert.matches("Broken pipe$", err)
    local names = io.popen("ls -A " .. folder):read("a")
    assert.equal("a.npy\npipe.npy\n", names)
    os.execute("rm -r " .. folder)
  end)
  it("W5 writes the same bytes whatever is in the matrix", function()
    local one, two = gone ".png", gone ".png"
    local a = pg.array{{0 / 0, 1 / 0, -1 / 0}, {-3, 1e300, 127.5}}
    pg.save(one, a)
    pg.save(two, a:copy())
    assert.equal(contents(one), contents(two))
    assert.equal("0.0 255.0 0.0 0.0 255.0 128.0", table.concat(pg.load(one):reshape(-1):totable(), " "))
  end)
end)
