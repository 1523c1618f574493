-- SPDX-License-Identifier: MIT
local pg = require "perigee"

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return (tostring(err):gsub("^[^:]+:%d+: ", ""))
end

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
    assert.equal("bad argument #2 to 'rows' (unknown option 'rows'; there are: size, dtype)",
      message(pg.rows, path, {rows = 3}))
  end)
end)
