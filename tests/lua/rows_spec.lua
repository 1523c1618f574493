-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

describe("pg.rows", function()
  local path
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. ".npy"
  end)
  after_each(function() os.remove(path) end)

  it("gives the rows of a file, some at a time", function()
    local X = pg.range(1, 30):reshape(10, 3)
    pg.save(path, X)
    local parts, sizes = {}, {}
    for part in pg.rows(path, {size = 4}) do
      parts[#parts + 1] = part
      sizes[#sizes + 1] = #part
    end
    assert.same({4, 4, 2}, sizes)
    assert.is_true(pg.array_equal(pg.concat(parts, 1), X))
    for part in pg.rows(path, {dtype = "f32"}) do assert.equal("f32", part.dtype) end
  end)
  it("closes the file when the loop is left", function()
    -- Descriptors are counted by a child, as /proc/self would be its own; nothing may be left to the collector.
    local function descriptors()
      local p = io.popen("ls /proc/$PPID/fd | wc -l")
      local n = tonumber(p:read("a"))
      p:close()
      return n
    end
    pg.save(path, pg.ones(10, 2))
    if not descriptors() then return pending("no /proc") end
    collectgarbage()
    collectgarbage("stop")
    local before = descriptors()
    for k = 1, 20 do
      for part in pg.rows(path, {size = 1}) do
        if #part == 1 then break end
      end
      pcall(function()
        for _ in pg.rows(path, {size = 3}) do error(k) end
      end)
      for _ in pg.rows(path, {size = 4}) do end
    end
    local after = descriptors()
    collectgarbage("restart")
    assert.is_true(after - before < 10) -- of 60; the test's own runner opens files, too
  end)
  it("gives a part of the rows, read where they are", function()
    local X = pg.range(1, 30000):reshape(10000, 3)
    pg.save(path, X)
    local packed = path .. ".gz"
    os.execute(("gzip -k %s"):format(path))
    for _, file in ipairs{path, packed} do
      for _, part in ipairs{{1, 10000}, {9999, 10000}, {17, 17}, {4097, 9000}, {1, 1}, {-3, -1}, {5, 4}, {1, 0}} do
        local got = {}
        for a in pg.rows(file, {rows = part, size = 1000}) do got[#got + 1] = a end
        local lo, hi = part[1] < 0 and 10001 + part[1] or part[1], part[2] < 0 and 10001 + part[2] or part[2]
        if hi < lo then
          assert.equal(0, #got)
        else
          assert.is_true(pg.array_equal(pg.concat(got, 1), X:slice({lo, hi})))
          assert.equal(math.min(1000, hi - lo + 1), #got[1])
        end
      end
    end
    os.remove(packed)
    for _, part in ipairs{{0, 3}, {1, 10001}, {7, 3}, {-10001, 2}} do
      assert.matches("bad argument #2 to 'rows' %(rows: {%-?%d+, %d+} is not within 1..10000%)", message(pg.rows, path,
        {rows = part}))
    end
    assert.matches("rows: expected {first, last}, got number 3", message(pg.rows, path, {rows = 3}))
    assert.matches("rows: expected whole numbers, got number 1.5", message(pg.rows, path, {rows = {1.5, 2}}))
  end)
  it("counts by the header alone", function()
    pg.save(path, pg.zeros({7, 3, 2}, "f32"))
    local n, shape, dt = pg.rows.count(path)
    assert.equal("7 (7, 3, 2) f32", ("%d %s %s"):format(n, shape, dt))
    assert.equal(pg.zeros(7, 3, 2).shape, shape)
    n, shape, dt = pg.rows.count("tests/fuzz/seeds/idx/i2")
    assert.equal("2 (2,) f64", ("%d %s %s"):format(n, shape, dt))
    assert.matches("bad argument #1 to 'rows.count' %(path", message(pg.rows.count, {}))
    assert.matches("No such file", message(pg.rows.count, path .. "x"))
  end)
  it("feeds an accumulator as one fit would be fed", function()
    local X = pg.random.new(1):standard_normal(300, 6)
    pg.save(path, X)
    local acc = pg.ppca.accumulate()
    for part in pg.rows(path, {size = 70}) do acc:add(part) end
    assert.is_true(math.abs(acc:fit(2).sigma2 / pg.ppca.fit(X, 2).sigma2 - 1) < 1e-10)
  end)
  it("says what it cannot read", function()
    assert.matches("No such file or directory", message(pg.rows, path))
    local file = assert(io.open(path, "wb"))
    file:write("1,2,3\n")
    file:close()
    assert.equal("rows: " .. path .. ": only .npy and IDX files can be read by rows", message(pg.rows, path))
    pg.save(path, pg.array(1))
    assert.equal("rows: " .. path .. ": its array has no axes, so no rows", message(pg.rows, path))
    pg.save(path, pg.ones(9, 2))
    local bytes = assert(io.open(path, "rb")):read("a")
    file = assert(io.open(path, "wb"))
    file:write(bytes:sub(1, -9))
    file:close()
    assert.matches("the shape needs 144 bytes, more than the file has", message(pg.rows, path))
    assert.equal("bad argument #2 to 'rows' (unknown option 'row'; did you mean 'rows'?)",
      message(pg.rows, path, {row = 3}))
    -- Arguments are counted as pg.load counts them.
    for _, call in ipairs{{}, {3}, {"a\0b"}, {path, 3}, {path, {dtype = "f16"}}} do
      local rows, load = message(pg.rows, table.unpack(call)), message(pg.load, table.unpack(call))
      assert.equal(load, (rows:gsub("'rows'", "'load'")))
    end
  end)
end)
