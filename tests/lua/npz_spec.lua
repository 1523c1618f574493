-- SPDX-License-Identifier: MIT
-- Archives that are unlike those that pg.save writes. The zip writer here is one of its own.
local pg = require "perigee"

local made = {}
local function file(bytes, suffix)
  local base = os.tmpname()
  local path = base .. (suffix or ".npz")
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

local function message(path, options)
  local ok, err = pcall(pg.load, path, options)
  assert.is_false(ok)
  return (err:gsub("^" .. path:gsub("%p", "%%%0"), "FILE"))
end

local function crc32(s)
  local c = 0xFFFFFFFF
  for i = 1, #s do
    c = c ~ s:byte(i)
    for _ = 1, 8 do c = (c >> 1) ~ ((c & 1) * 0xEDB88320) end
  end
  return ~c & 0xFFFFFFFF
end

local function npy(descr, shape, data)
  local head = ("{'descr': %s, 'fortran_order': False, 'shape': %s, }"):format(descr, shape)
  return "\x93NUMPY\1\0" .. string.pack("<s2", head .. (" "):rep(117 - #head) .. "\n") .. data
end
local A = npy("'<f8'", "(3,)", string.pack("<ddd", 0.5, 1, 2))

-- members: {name, bytes [, zip64 = which fields of the directory are in its extra field]}; the sizes of the local
-- header are there with it. end64: with ZIP64's end records.
local function zip(members, options)
  options = options or {}
  local out, directory, n = options.before or "", "", #members
  for _, m in ipairs(members) do
    local name, data, at = m[1], m[2], #out
    local sum, size, wide = crc32(data), #data, m.zip64 ~= nil
    local extra = wide and string.pack("<I2I2I8I8", 1, 16, size, size) or ""
    extra = (m.padding and string.pack("<I2s2", 0xCAFE, m.padding) or "") .. extra
    out = out .. string.pack("<I4I2I2I2I2I2I4I4I4I2I2", 0x04034b50, 45, 0, 0, 0, 33, sum,
      wide and 0xFFFFFFFF or size, wide and 0xFFFFFFFF or size, #(m.alias or name), #extra) ..
      (m.alias or name) .. extra .. data
    local fields, values = m.zip64 or "", {size = size, packed = size, at = at}
    local words = {}
    extra = ""
    for _, field in ipairs{"size", "packed", "at"} do
      words[field] = fields:find(field) and 0xFFFFFFFF or values[field]
      if fields:find(field) then extra = extra .. string.pack("<I8", values[field]) end
    end
    if extra ~= "" then extra = string.pack("<I2s2", 1, extra) end
    extra = (m.padding and string.pack("<I2s2", 0xCAFE, m.padding) or "") .. extra
    directory = directory .. string.pack("<I4I2I2I2I2I2I2I4I4I4I2I2I2I2I2I4I4", 0x02014b50, 45, 45, 0, 0, 0, 33, sum,
      words.packed, words.size, #name, #extra, #(m.note or ""), 0, 0, 0, words.at) .. name .. extra .. (m.note or "")
  end
  local at = #out
  out = out .. directory
  if options.end64 then
    local place = #out
    out = out .. string.pack("<I4I8I2I2I4I4I8I8I8I8", 0x06064b50, 44, 45, 45, 0, 0, n, n, #directory, at) ..
      string.pack("<I4I4I8I4", 0x07064b50, 0, options.place or place, 1)
    return out .. string.pack("<I4I2I2I2I2I4I4s2", 0x06054b50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF,
      options.comment or "")
  end
  return out .. string.pack("<I4I2I2I2I2I4I4s2", 0x06054b50, 0, 0, n, n, #directory, at, options.comment or "") ..
    (options.after or "")
end

local function list(a) return table.concat(a:reshape(-1):totable(), " ") end

describe("npz", function()
  it("reads ZIP64 in each place it may be", function()
    for _, fields in ipairs{"size", "packed", "at", "size packed", "packed at", "size packed at", ""} do
      for _, end64 in ipairs{false, true} do
        local z = pg.load(file(zip({{"x.npy", A, zip64 = fields}, {"a.npy", A, zip64 = fields, padding = "abc"}},
          {end64 = end64})))
        assert.equal("0.5 1.0 2.0", list(z.a))
        assert.equal("0.5 1.0 2.0", list(z.x))
      end
    end
  end)
  it("reads notes, and finds the end behind one", function()
    for _, comment in ipairs{"a", "PK\5\6 is no end", ("x"):rep(65535)} do
      for _, end64 in ipairs{false, true} do
        local z = pg.load(file(zip({{"a.npy", A, note = "a note"}}, {comment = comment, end64 = end64})))
        assert.equal(3, #z.a)
      end
    end
  end)
  it("refuses what other readers take for one thing or another", function()
    for what, bytes in pairs{
      ["its local header has another name"] = zip{{"a.npy", A, alias = "b.npy"}},
      ["bytes before it"] = zip({{"a.npy", A}}, {before = "PK\3\4 and more"}):gsub("PK\5\6.*", function(e)
        return e:sub(1, 16) .. string.pack("<I4", string.unpack("<I4", e, 17) - 12) .. e:sub(21)
      end),
      ["bytes after it"] = zip({{"a.npy", A}}, {after = "more"}),
      ["ZIP64's end elsewhere"] = zip({{"a.npy", A}}, {end64 = true, place = 1}),
      ["ZIP64's end behind the file"] = zip({{"a.npy", A}}, {end64 = true, place = 1 << 40}),
      ["ZIP64's end at no place"] = zip({{"a.npy", A}}, {end64 = true, place = -1}),
    } do
      assert.is_false(pcall(pg.load, file(bytes)), what)
    end
  end)
  it("leaves out what is no array of numbers, and says so", function()
    local text = npy("'<U1'", "(2,)", string.pack("<I4I4", 120, 121))
    local records = npy("[('a', '<f8')]", "(1,)", ("x"):rep(8))
    local path = file(zip{{"README.txt", "hi"}, {"d/", ""}, {"d/a.npy", A}, {"names.npy", text}, {"a.npy", A},
      {"r.npy", records}, {"empty", ""}})
    local z, left = pg.load(path)
    local names = {}
    for name in pairs(z) do names[#names + 1] = name end
    assert.same({"a", "d/a"}, names)
    assert.same({["README.txt"] = "it is no .npy", empty = "it is no .npy",
      names = "its dtype cannot become an array of numbers: <U1",
      r = "a structured dtype cannot become an array of numbers"}, left)
    assert.is_nil(select(2, pg.load(file(zip{{"a.npy", A}}))))
    assert.equal("FILE: none of its members is an array of numbers: README.txt, names",
      message(file(zip{{"README.txt", "hi"}, {"names.npy", text}})))
    local program = os.getenv("PERIGEE")
    if not program then return end
    local script = file(([[local pg = require "perigee" warn("@on") pg.load(%q)]]):format(path), ".lua")
    local p = io.popen(("%s %s 2>&1"):format(program, script))
    assert.matches("%.npz: left out, as no arrays of numbers: README%.txt, empty, names, r\n$", p:read("a"))
    p:close()
  end)
  it("takes some of the members alone", function()
    local broken = A:sub(1, -2) .. "\255"
    local bytes = zip{{"README.txt", "hi"}, {"a.npy", A}, {"b.npy", A}, {"c.npy", A}}
    local at = select(2, bytes:find("b%.npy")) + #A
    bytes = bytes:sub(1, at - 1) .. broken:sub(-1) .. bytes:sub(at + 1)
    local path = file(bytes)
    assert.matches("^FILE%[b%]: the checksum of a member does not match: b%.npy", message(path))
    local z, left = pg.load(path, {only = {"c", "a"}})
    assert.equal("0.5 1.0 2.0", list(z.a))
    assert.is_nil(z.b)
    assert.is_nil(left)
    assert.equal(3, #z.c)
    assert.equal("FILE: it has no array of that name (there are: README.txt, a, b, c): d",
      message(path, {only = {"a", "d"}}))
    assert.equal("FILE[README.txt]: it is no .npy", message(path, {only = {"README.txt"}}))
    assert.matches("%(only: expected a table of names, got \"a\"%)$", message(path, {only = "a"}))
    assert.matches("only: expected names, got number 1", message(path, {only = {1}}))
    assert.matches("only: an option of npz", message(file("x\n1\n", ".csv"), {only = {"a"}}))
  end)
  it("refuses two members of one name, taken or not", function()
    assert.matches("two members of the archive are named a$", message(file(zip{{"a.npy", A}, {"a.npy", A}})))
    assert.matches("two members of the archive are named a$", message(file(zip{{"a.npy", A}, {"b.npy", A},
      {"b.npy", A}, {"a", A}}), {only = {"a"}}):gsub("named b", "named a"))
  end)
  it("saves many arrays and names of any letters", function()
    local value = {}
    for i = 1, 3000 do value["é" .. i] = pg.full({2}, i) end
    local path = file("", ".npz")
    pg.save(path, value)
    local z = pg.load(path)
    for i = 1, 3000, 371 do assert.equal(i, z["é" .. i][1]) end
    local wide = {[("n"):rep(1020)] = {1}}
    pg.save(path, wide)
    assert.equal(1, pg.load(path)[("n"):rep(1020)][1])
    pg.save(path, {})
    assert.is_nil(next(pg.load(path)))
  end)
end)
