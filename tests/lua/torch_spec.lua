-- SPDX-License-Identifier: MIT
-- Checkpoints that PyTorch 1.13 wrote (tests/golden/torch_checkpoint.py), and hostile ones made here.
local pg = require "perigee"

local GOLDEN = "tests/golden/"
local made = {}
local function file(bytes, suffix)
  local base = os.tmpname()
  local path = base .. (suffix or ".pt")
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

local function golden(name, options) return pg.load(GOLDEN .. "torch_" .. name .. ".pt", options) end
local function list(a) return table.concat(a:astype("f64"):reshape(-1):totable(), " ") end

local function crc32(s)
  local c = 0xFFFFFFFF
  for i = 1, #s do
    c = c ~ s:byte(i)
    for _ = 1, 8 do c = (c >> 1) ~ ((c & 1) * 0xEDB88320) end
  end
  return ~c & 0xFFFFFFFF
end

local function zip(members)
  local out, directory = "", ""
  for _, m in ipairs(members) do
    local head = string.pack("<I2I2I2I2I2I4I4I4I2I2", 20, 0, 0, 0, 33, crc32(m[2]), #m[2], #m[2], #m[1], 0)
    directory = directory .. "PK\1\2\20\0" .. head .. string.pack("<I2I2I2I4I4", 0, 0, 0, 0, #out) .. m[1]
    out = out .. "PK\3\4" .. head .. m[1] .. m[2]
  end
  return out .. directory .. "PK\5\6\0\0\0\0" .. string.pack("<I2I2I4I4I2", #members, #members, #directory, #out, 0)
end

-- Pickles by hand.
local function str(s) return "X" .. string.pack("<s4", s) end
local function ints(...)
  local out = "("
  for _, i in ipairs{...} do out = out .. "J" .. string.pack("<i4", i) end
  return out .. "t"
end
local function storage(kind, key, n) return "(" .. str "storage" .. "ctorch\n" .. kind .. "Storage\n" .. str(key) ..
  str "cpu" .. "J" .. string.pack("<i4", n) .. "tQ" end
local HOOKS = "ccollections\nOrderedDict\n)R"
local function tensor(s, offset, shape, stride) return "ctorch._utils\n_rebuild_tensor_v2\n(" .. s .. "J" ..
  string.pack("<i4", offset) .. shape .. stride .. "\x89" .. HOOKS .. "tR" end
local function pt(pickle, members)
  local all = {{"x/data.pkl", "\x80\2" .. pickle .. "."}}
  for _, m in ipairs(members or {{"x/data/0", string.pack("<ffffff", 1, 2, 3, 4, 5, 6)}}) do all[#all + 1] = m end
  return zip(all)
end
local SIX = storage("Float", "0", 6)

local function refused(bytes, options)
  local path = file(bytes)
  local ok, err = pcall(pg.load, path, options)
  assert.is_false(ok)
  assert.equal(path, err:sub(1, #path))
  return err:sub(#path + 1)
end

describe("a checkpoint", function()
  it("gives what PyTorch put into it", function()
    local rows, cache = 0, {}
    for line in io.lines(GOLDEN .. "torch_checkpoint.txt") do
      local name, path, shape, values = line:match("^(%S+) (%S+) (%S+) ?(.*)$")
      cache[name] = cache[name] or golden(name)
      local v = cache[name]
      -- keys have points themselves: the longest that fits is the one
      while path ~= "-" do
        local key, rest = path, nil
        while v[key] == nil and v[math.tointeger(key)] == nil do
          key = assert(key:match("^(.*)%.[^.]*$"), line)
          rest = path:sub(#key + 2)
        end
        v = v[key] or v[math.tointeger(key)]
        path = rest or "-"
      end
      local extents = {}
      for n in shape:gmatch("%d+") do extents[#extents + 1] = math.tointeger(n) end
      assert.same(extents, {v:dims()}, line)
      local expected = {}
      for n in values:gmatch("%S+") do expected[#expected + 1] = tonumber(n) end
      local got = v:astype("f64"):copy():reshape(-1):totable()
      assert.equal(#expected, #got)
      for i, x in ipairs(expected) do assert.equal(x, got[i], line) end
      rows = rows + 1
    end
    assert.is_true(rows > 40)
    local t = cache.training
    assert.same({3, 0.5, "é", pg.none}, {t.epoch, t.loss, t.name, t.none})
    assert.same({3, 4}, t.size)
    assert.same({0, 1, 2, 3}, t.optimiser.param_groups[1].params)
    assert.same({0.9, 0.999}, t.optimiser.param_groups[1].betas)
    for name, dt in pairs{f16 = "f32", bf16 = "f32", f64 = "f64", i64 = "f64"} do
      assert.equal(dt, cache.kinds[name].dtype)
    end
    assert.equal("f64", golden("state", {dtype = "f64"})["0.bias"].dtype)
  end)
  it("gives some of it by name", function()
    local t = golden("training", {only = {"model.0.weight", "optimiser.state.0", "best", "epoch"}})
    local names = {}
    for name in pairs(t) do names[#names + 1] = name end
    assert.same({"best", "epoch", "model.0.weight", "optimiser.state.0"}, names)
    assert.equal("(2, 3)", tostring(t["model.0.weight"].shape))
    assert.equal("(2, 3)", tostring(t["optimiser.state.0"].exp_avg.shape))
    assert.equal(3, t.epoch)
    local ok, err = pcall(golden, "training", {only = {"model.7.weight"}})
    assert.is_false(ok)
    assert.matches("it has no array of that name %(there are: best, epoch, .*%): model.7.weight", err)
    -- what is not taken is not read
    local path = file(pt("}(" .. str "a" .. tensor(SIX, 0, ints(6), ints(1)) .. str "b" ..
      tensor(storage("Byte", "1", 1000000), 0, ints(1000000), ints(1)) .. "u",
      {{"x/data/0", string.pack("<ffffff", 1, 2, 3, 4, 5, 6)}, {"x/data/1", ("x"):rep(1000000)}}))
    assert.equal("1.0 2.0 3.0 4.0 5.0 6.0", list(pg.load(path, {only = {"a"}, max_bytes = 100000}).a))
    assert.is_false(pcall(pg.load, path, {max_bytes = 100000}))
  end)
  it("keeps what is one, and shares memory where the tensors did", function()
    local l = pg.load(file(pt("](" .. tensor(SIX, 0, ints(2, 3), ints(3, 1)) .. "q\1h\1" ..
      tensor(SIX, 2, ints(2), ints(3)) .. "e")))
    assert.equal(l[1], l[2])
    l[1]:set(1, 3, 30)
    assert.equal("30.0 6.0", list(l[3]))
    assert.equal("0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 10.0 11.0", list(golden("one")))
  end)
  it("leaves out complex tensors, and says so", function()
    local t, left = golden("complex")
    assert.is_nil(t.c)
    assert.equal(12, t.a.size)
    assert.same({c = "complex numbers cannot become an array"}, left)
  end)
  it("reads big-endian ones", function()
    local t = pg.load(file(pt("}" .. str "a" .. tensor(SIX, 0, ints(6), ints(1)) .. "s",
      {{"x/data/0", string.pack(">ffffff", 1, 2, 3, 4, 5, 6)}, {"x/byteorder", "big"}})))
    assert.equal("1.0 2.0 3.0 4.0 5.0 6.0", list(t.a))
  end)
  it("says the cure for what is not read", function()
    local ok, err = pcall(golden, "legacy")
    assert.is_false(ok)
    assert.matches("old layout is not read; in PyTorch this writes it anew: " ..
      "torch.save%(torch.load%(path%), path%)$", err)
    ok, err = pcall(golden, "module")
    assert.is_false(ok)
    assert.matches("torch.save%(model.state_dict%(%), path%)%), and this one asks for " ..
      "torch.nn.modules.container.Sequential", err)
    -- PyTorch's names mean nothing in a plain pickle
    ok, err = pcall(pg.load, file("\x80\2" .. HOOKS .. ".", ".pkl"))
    assert.is_false(ok)
    assert.matches("asks for collections.OrderedDict", err)
  end)
  it("refuses what lies", function()
    local one = tensor(SIX, 0, ints(6), ints(1))
    local odd, beyond = "the description of a tensor is not one that PyTorch writes", "reaches beyond its storage"
    for pickle, reason in pairs{
      [tensor(SIX, 0, ints(7), ints(1))] = beyond, [tensor(SIX, 1, ints(6), ints(1))] = beyond,
      [tensor(SIX, 0, ints(2, 3), ints(4, 1))] = beyond, [tensor(SIX, 7, ints(0), ints(1))] = beyond,
      [tensor(SIX, 0, ints(2, 2), ints(2147483647, 2147483647))] = beyond,
      [tensor(SIX, -1, ints(6), ints(1))] = odd, [tensor(SIX, 0, ints(-1), ints(1))] = odd,
      [tensor(SIX, 5, ints(2), ints(-1))] = odd, [tensor(SIX, 0, ints(6), ints(1, 1))] = odd,
      [tensor(SIX, 0, "(" .. str "6" .. "t", ints(1))] = odd, [tensor("K\0", 0, ints(6), ints(1))] = odd,
      [tensor(storage("Float", "0", -6), 0, ints(6), ints(1))] = odd,
      [tensor(SIX, 0, "(" .. ("K\1"):rep(33) .. "t", "(" .. ("K\1"):rep(33) .. "t")] = odd,
      [tensor(SIX, 0, ints(2147483647, 2147483647, 2147483647), ints(0, 0, 0))] = "larger than any memory",
      [tensor(storage("Float", "1", 6), 0, ints(6), ints(1))] = "lacks storage 1",
      [tensor(storage("Float", "../data.pkl", 6), 0, ints(6), ints(1))] = "lacks storage ../data.pkl",
      [tensor(storage("Float", "0", 5), 0, ints(5), ints(1))] = "not as many as its elements need: 0",
      [tensor(storage("Double", "0", 6), 0, ints(6), ints(1))] = "not as many as its elements need: 0",
      [tensor(storage("Float", "0", 2147483647), 0, ints(6), ints(1))] = "not as many",
      ["(" .. one .. tensor(storage("Float", "0", 3), 0, ints(3), ints(1)) .. "t"] = "two sizes for storage 0",
      [SIX] = "a storage that is no tensor", ["}" .. one .. "K\1s"] = "a key that Python cannot have",
      ["(K\1tQ"] = odd, ["K\1Q"] = odd, ["(" .. str "module" .. "ctorch\nFloatStorage\n" .. str "0" .. str "cpu" ..
        "K\6tQ"] = odd, ["P0\n"] = "a persistent id",
      ["ccollections\nOrderedDict\n(](K\1K\2ee\x85tR"] = "",
        ["ccollections\nOrderedDict\n]\x85R"] = "a dict of something",
      ["cos\nsystem\n(S'id'\ntR"] = "asks for os.system", ["ctorch._utils\n_rebuild_tensor_v2\n"] = "as a value",
      ["ctorch\nload\n"] = "asks for torch.load", ["ctorch._utils\n_rebuild_parameter\n(K\1\x89NtR"] = odd,
      ["ctorch\nFloatStorage\n)R"] = odd, ["ctorch.storage\n_load_from_bytes\n"] = "_load_from_bytes",
    } do
      assert.matches(reason:gsub("%.%./", "%%.%%./"), refused(pt(pickle)), pickle)
    end
    assert.matches("the checksum of a member does not match: x/data/0",
      refused((pt(one):gsub(string.pack("<f", 3), string.pack("<f", 4), 1))))
    -- deep and wide ones cost nothing
    local deep = ("]"):rep(5000) .. one .. ("a"):rep(5000)
    assert.is_table(pg.load(file(pt(deep))))
    local laugh = one .. "q\0000"
    for i = 1, 30 do laugh = laugh .. "](" .. ("h" .. string.char(i - 1)):rep(10) .. "eq" .. string.char(i) .. "0" end
    local t = pg.load(file(pt(laugh .. "h\30")))
    for _ = 1, 29 do t = t[10] end
    assert.equal(t[1], t[10])
    assert.equal(6, t[1].size)
  end)
end)
