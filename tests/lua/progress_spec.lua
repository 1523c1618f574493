-- SPDX-License-Identifier: MIT
local pg = require "perigee"

-- A bar on a device of `columns` (0: a log) whose clock moves a second a look.
local function watch(columns, tick)
  local out, now = {}, 0
  return out, {columns = columns, write = function(...) out[#out + 1] = table.concat({...}) end,
    clock = function()
      now = now + (tick or 1)
      return now
    end}
end

describe("pg.progress", function()
  it("writes a line every tenth in a log", function()
    local out, opts = watch(0)
    local sum = 0
    for i, bar in pg.progress(50, "training", opts) do
      sum = sum + i
      bar.loss = 1 / i
      bar.lr = 0.5
    end
    assert.equal(1275, sum)
    assert.equal(10, #out)
    assert.matches("^training  10%% 5/50 %d+ s left [%d.]+/s, loss 0.2, lr 0.5\n$", out[1])
    assert.matches("^training 100%% 50/50 in %d+ s [%d.]+/s, loss 0.02, lr 0.5\n$", out[10])
  end)

  it("draws one line again and again on a terminal", function()
    local out, opts = watch(200)
    for _, bar in pg.progress(4, nil, opts) do bar.n = 3 end
    for k, text in ipairs(out) do
      assert.equal("\r", text:sub(1, 1))
      assert.equal(k == #out, text:sub(-1) == "\n")
    end
    assert.matches("━━━━━··············· +25%% 1/4 ", out[2])
    assert.matches("━ 100%% 4/4 in %d+ s .*, n 3\27%[K\n$", out[#out])
  end)

  it("draws at most ten times a second", function()
    local out, opts = watch(80, 0.001)
    for _ in pg.progress(1000, nil, opts) do end
    assert.is_true(#out < 40, #out .. " drawings")
  end)

  it("cuts the line to the terminal", function()
    local out, opts = watch(40)
    for _, bar in pg.progress(3, "a label that is long enough", opts) do bar.metric = 1e-5 end
    for _, text in ipairs(out) do
      assert.is_true(utf8.len((text:gsub("[\r\n]", ""):gsub("\27%[K", ""))) <= 39)
    end
  end)

  it("counts by step, and reads its metrics", function()
    local out, opts = watch(0)
    local bar = pg.progress(20, "files", opts)
    bar.loss = 2
    assert.equal(2, bar.loss)
    assert.is_nil(bar.other)
    bar:step():step(9)
    assert.equal("progress 10/20", tostring(bar))
    assert.matches("^files  50%% 10/20", out[#out])
    bar:step(100)
    assert.matches("^files 100%% 20/20 in", out[#out])
    local lines = #out
    bar:step()
    bar:close()
    assert.equal(lines, #out)
  end)

  it("ends its line where a loop is left early", function()
    local out, opts = watch(80)
    for i in pg.progress(10, nil, opts) do
      if i == 3 then break end
    end
    assert.equal("\n", out[#out]:sub(-1))
    pcall(function()
      for _ in pg.progress(10, nil, opts) do error("stop") end
    end)
    assert.equal("\n", out[#out]:sub(-1))
  end)

  it("has nothing to do for 0", function()
    local out, opts = watch(0)
    for _ in pg.progress(0, "none", opts) do error("never") end
    assert.matches("^none 100%% 0/0", out[1])
  end)

  it("says what is wrong", function()
    local message = require("tests.lua.helper").message
    assert.matches("bad argument #1 to 'progress' %(n: expected an integer of at least 0, got %-1%)",
      message(pg.progress, -1))
    assert.matches("bad argument #1 to 'progress' %(n: expected an integer, got table%)", message(pg.progress, {}))
    assert.matches("bad argument #2 to 'progress' %(label: expected a string, got table%)", message(pg.progress, 3, {}))
    local bar = pg.progress(3)
    assert.matches("'step' is a method; give the metric another name", message(function() bar.step = 1 end))
    assert.matches("a metric's name is a string, got number 1", message(function() bar[1] = 1 end))
  end)
end)
