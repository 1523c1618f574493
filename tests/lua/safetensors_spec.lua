-- SPDX-License-Identifier: MIT
-- .safetensors: what tests/fuzz/make_seeds.py wrote by the format's description, and files made here.
local pg = require "perigee"

local SEEDS = "tests/fuzz/seeds/safetensors/"
local made = {}
local function file(bytes, suffix)
  local base = os.tmpname()
  local path = base .. (suffix or ".safetensors")
  made[#made + 1], made[#made + 2] = base, path
  local f = assert(io.open(path, "wb"))
  f:write(bytes)
  f:close()
  return path
end
after_each(function()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end)

local function contents(path)
  local f = assert(io.open(path, "rb"))
  local bytes = f:read("a")
  f:close()
  return bytes
end

local function refused(path, options)
  local ok, err = pcall(pg.load, path, options)
  assert.is_false(ok)
  return (err:gsub("^" .. path:gsub("%p", "%%%0"), "FILE"))
end

local function st(header, data) return string.pack("<s8", header) .. (data or "") end
local function list(a) return table.concat(a:astype("f64"):reshape(-1):totable(), " ") end
local ONE = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'

describe("safetensors", function()
  it("reads every dtype", function()
    local t = pg.load(SEEDS .. "kinds")
    for _, kind in ipairs{"F64", "F32", "F16", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL"} do
      local a = t["x." .. kind]
      assert.equal("(1, 3)", tostring(a.shape))
      assert.equal("0.0 1.0 1.0", list(a))
    end
    assert.equal("f64 f32 f32 f64", ("%s %s %s %s"):format(t["x.F64"].dtype, t["x.F32"].dtype, t["x.F16"].dtype,
      t["x.I64"].dtype))
    assert.equal("f32", t["x.BF16"].dtype)
    assert.equal("2.5 inf", list(t["x.BF16"]))
    assert.equal("f64", pg.load(SEEDS .. "kinds", {dtype = "f64"})["x.F32"].dtype)
    assert.is_nil(t.__metadata__)
  end)
  it("reads names with escapes, scalars, and what has no elements", function()
    local name, a = next(pg.load(SEEDS .. "names"))
    assert.equal("é\u{1F600}\n", name)
    assert.equal(1, a:item())
    local t = pg.load(SEEDS .. "order")
    assert.equal("(0, 2)", tostring(t.a.shape))
    assert.equal(2.385, t.b:item())
    assert.is_nil(next(pg.load(SEEDS .. "empty", {format = "safetensors"})))
  end)
  it("takes some tensors alone, and leaves out what is no array of numbers", function()
    local t = pg.load(SEEDS .. "kinds", {only = {"x.U64", "x.F64"}})
    local names = {}
    for name in pairs(t) do names[#names + 1] = name end
    assert.same({"x.F64", "x.U64"}, names)
    local left
    t, left = pg.load(SEEDS .. "f8", {format = "safetensors"})
    assert.equal("3.0", list(t.b))
    assert.same({a = "its dtype cannot become an array of numbers: F8_E4M3"}, left)
    assert.matches("its dtype cannot become an array of numbers: F8_E4M3", refused(SEEDS .. "f8", {only = {"a"}}))
    assert.matches("^FILE: it has no array of that name %(there are: x.BF16, .* and 3 more%): y$",
      refused(SEEDS .. "kinds", {only = {"y"}}))
    -- only what is taken counts
    local path = file(st('{"a":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]},' ..
      '"b":{"dtype":"F32","shape":[1],"data_offsets":[100000,100004]}}', ("x"):rep(100000) .. string.pack("<f", 7)))
    assert.equal("7.0", list(pg.load(path, {only = {"b"}, max_bytes = 110000}).b))
    assert.matches("max_bytes", refused(path, {max_bytes = 110000, dtype = "f64"}))
  end)
  it("writes what it reads, aligned and the same each time", function()
    local path, other = file(""), file("")
    local value = {w = pg.array{{2.385, -0.0}, {1 / 0, 5e-324}}, ["b \"q\"\\\n"] = pg.array({1.5}, "f32"), s = 7,
      e = pg.zeros(0, 3), t = pg.range(1, 6):reshape(2, 3).T, ["é"] = pg.ones({1}, "f32")}
    pg.save(path, value)
    pg.save(other, value)
    assert.equal(contents(path), contents(other))
    local back = pg.load(path)
    for name, v in pairs(value) do
      local a = type(v) == "number" and pg.array(v) or v
      assert.equal(tostring(a.shape) .. a.dtype .. list(a), tostring(back[name].shape) .. back[name].dtype ..
        list(back[name]))
    end
    local header = string.unpack("<s8", contents(path))
    assert.equal(0, #header % 8)
    for from in header:gmatch('"F64".-%[(%d+),%d+%]}') do assert.equal(0, from % 8) end
    pg.save(path, {})
    assert.is_nil(next(pg.load(path)))
    local ok, err = pcall(pg.save, path, {["\xff"] = {1}})
    assert.is_false(ok)
    assert.matches("no safetensors can have the name \\xff$", err)
    assert.is_false(pcall(pg.save, path, {__metadata__ = {1}}))
    assert.matches("value: expected a table of arrays by name", select(2, pcall(pg.save, path, pg.ones(2))))
  end)
  it("is read by twenty lines of Python", function()
    if not os.execute("/usr/bin/python3 -c 'import numpy' 2>/dev/null") then return pending("no NumPy") end
    local path = file("")
    pg.save(path, {w = pg.array{{2.385, -0.0}, {1 / 0, 5e-324}}, ["b"] = pg.array({1.5, 2}, "f32"), e = pg.zeros(0, 3)})
    local script = file([==[
import json, struct, sys
import numpy as np
raw = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', raw[:8])
assert raw[8:9] == b'{' and n <= 100000000
def once(pairs):
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)
header = json.loads(raw[8:8 + n].decode(), object_pairs_hook=once)
assert all(isinstance(v, str) for v in header.pop('__metadata__', {}).values())
at = 0
for name, t in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
    begin, end = t['data_offsets']
    assert begin == at and set(t) == {'dtype', 'shape', 'data_offsets'}
    x = np.frombuffer(raw[8 + n + begin:8 + n + end], {'F64': '<f8', 'F32': '<f4'}[t['dtype']]).reshape(t['shape'])
    at = end
    print(name, x.dtype, x.shape, x.tolist())
assert 8 + n + at == len(raw)
]==], ".py")
    local p = io.popen(("/usr/bin/python3 %s %s 2>&1"):format(script, path))
    local out = p:read("a")
    p:close()
    assert.equal("e float64 (0, 3) []\nw float64 (2, 2) [[2.385, -0.0], [inf, 5e-324]]\nb float32 (2,) [1.5, 2.0]\n",
      out)
  end)
  it("refuses what lies", function()
    local header = "the header of the safetensors "
    for bytes, reason in pairs{
      [string.pack("<I8", 100) .. "{}"] = header .. "claims 100 bytes, more than the file has",
      [string.pack("<I8", 1 << 62) .. "{}"] = header .. "claims 4611686018427387904 bytes",
      [st("{ \"a\"")] = header .. "is damaged", [st("{}x")] = header .. "is damaged",
      [st('{"a":' .. ONE .. ',}', "abcd")] = header .. "is damaged",
      [st('{"a":' .. ONE .. ',"a":' .. ONE .. '}', "abcd")] = "two tensors are named a",
      [st('{"a":' .. ONE .. ',"b":' .. ONE .. '}', "abcd")] = "does not begin where the one before it ends: b",
      [st('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', "abcdefgh")] = "does not begin",
      [st('{"a":' .. ONE .. '}', "abc")] = "the tensors need 4 bytes, more than the file has",
      [st('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', "abcd")] = "do not fill its shape: a",
      [st('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}')] = "larger than any memory",
      [st('{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}}')] = "too large",
      [st('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', "abcd")] = "do not fill",
      [st('{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}', "abcd")] = "not known: F33",
      [st('{"a":{"dtype":"F32","shape":[1]}}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', "abcd")] = "is damaged",
      [st('{"__metadata__":{"a":1}}')] = "is damaged", [st('{"__metadata__":[]}')] = "is damaged",
      [st('{"\xff":' .. ONE .. '}', "abcd")] = "not UTF%-8", [st('{"\\ud800":' .. ONE .. '}', "abcd")] = "is damaged",
      [st('{"\\u0000":' .. ONE .. '}', "abcd")] = "is damaged", [st('{"a\nb":' .. ONE .. '}', "abcd")] = "is damaged",
      [st('{"a":{"dtype":"F32","shape":[' .. ("1,"):rep(32) .. '1],"data_offsets":[0,4]}}', "abcd")] = "32 axes",
    } do
      local why = refused(file(bytes), {format = "safetensors"})
      assert.matches(reason, why)
      assert.is_nil(why:find("\n"))
    end
  end)
end)
