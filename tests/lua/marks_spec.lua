-- SPDX-License-Identifier: MIT
--
-- Level lines, boxes, violins, arrows, steps and areas: what is drawn is what the data say.
local pg = require "perigee"
local helper = require "tests.lua.helper"

local function layer(fig) return fig.layers[#fig.layers] end

-- How many pixels have nearly the colour {r, g, b}.
local function count(fig, r, g, b)
  local p = fig:pixels()
  local function near(k, v) return (p:slice({}, {}, k) - v):abs():lt(40) end
  return (near(1, r) & near(2, g) & near(3, b)):sum()
end

local x, y = pg.linspace(-2, 2, 81), pg.linspace(-1.5, 1.5, 61)
local mx, my = pg.meshgrid(x, y)

describe("contour", function()
  it("follows circles, closed and in one piece", function()
    local l = layer(pg.plot.figure{}:contour(x, y, mx * mx + my * my, {levels = {0.25, 1}}))
    for k, radius in ipairs{0.5, 1} do
      local u, v = l.lines[k].x, l.lines[k].y
      local good = u:isfinite()
      assert.equal(#u - 1, good:sum())
      local a, b = u:compress(good), v:compress(good)
      assert.is_true(((a * a + b * b):sqrt() - radius):abs():max() < 2e-3)
      assert.equal(a[1], a[#a])
      assert.equal(b[1], b[#b])
      -- all the way round: the length of the line is that of the circle
      local n = #a
      local length = pg.hypot(a:slice({2, n}) - a:slice({1, n - 1}), b:slice({2, n}) - b:slice({1, n - 1})):sum()
      assert.is_true(math.abs(length / (2 * math.pi * radius) - 1) < 2e-3)
    end
  end)

  it("runs from edge to edge, and keeps the sides of a saddle apart", function()
    local l = layer(pg.plot.figure{}:contour(x, y, mx + 0 * my, {levels = {0.01}}))
    local u = l.lines[1].x
    assert.is_true((u:compress(u:isfinite()) - 0.01):abs():max() < 1e-12)
    assert.equal(61, u:isfinite():sum())
    l = layer(pg.plot.figure{}:contour(x, y, mx * my, {levels = {0.1}}))
    u = l.lines[1].x
    assert.equal(2, (1 - u:isfinite()):sum()) -- two branches
    local v = l.lines[1].y
    local a, b = u:compress(u:isfinite()), v:compress(v:isfinite())
    assert.is_true((a * b - 0.1):abs():max() < 2e-3)
  end)

  it("leaves gaps where values are NaN, and takes levels that nothing reaches", function()
    local Z = pg.where(mx:gt(0), pg.nan, mx * mx + my * my)
    local l = layer(pg.plot.figure{}:contour(x, y, Z, {levels = {1, 50}}))
    local u = l.lines[1].x
    assert.is_true(u:compress(u:isfinite()):max() <= 0)
    assert.is_nil(l.lines[2])
    assert.is_true(pg.plot.figure{}:contour(pg.full({3, 3}, pg.nan)):pixels().size > 0)
    assert.is_true(pg.plot.figure{}:contourf(pg.zeros(3, 3)):pixels().size > 0)
  end)

  it("chooses round levels, and places of rows and columns", function()
    local l = layer(pg.plot.figure{}:contour(mx, {levels = 8}))
    assert.same({-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2}, l.levels)
    assert.equal("1 81 1 61", ("%g %g %g %g"):format(l:bounds()))
    l = layer(pg.plot.figure{}:contourf({-2, 2}, {0, 1}, mx, {levels = 3}))
    assert.equal("-2 2 0 1", ("%g %g %g %g"):format(l:bounds()))
  end)

  it("fills areas in the colour of their middles", function()
    -- three areas of x: a sixth, two thirds and a sixth of the width
    local fig = pg.plot.figure{width = 400, height = 300}:contourf(x, y, mx, {levels = {-2, -1, 1, 2},
      cmap = {"#ff0000", "#00ff00", "#0000ff"}, colorbar = false})
    local _, area = fig:_texts()
    local all = (area.right - area.left) * (area.bottom - area.top)
    assert.is_true(math.abs(count(fig, 0, 255, 0) / all - 0.5) < 0.02)
    assert.is_true(math.abs(count(fig, 191, 64, 0) / all - 0.25) < 0.02)
    assert.is_true(math.abs(count(fig, 0, 64, 191) / all - 0.25) < 0.02)
    -- the same on a logarithmic axis: 1..10 is half of 1..100
    local lx = 10 ^ pg.linspace(0, 2, 50)
    fig = pg.plot.figure{width = 400, height = 300, xscale = "log"}:contourf(lx, {0, 1},
      pg.broadcast_to(lx, 5, 50), {levels = {1, 10, 100}, cmap = {"#ff0000", "#0000ff"}, colorbar = false})
    local red, blue = count(fig, 242, 0, 13), count(fig, 115, 0, 140)
    assert.is_true(red > 0 or blue > 0)
  end)

  it("says what is wrong", function()
    local f = pg.plot.figure{}
    for _, case in ipairs{
      {"bad argument #3 to 'contour' (Z: expected a matrix h x w, got number 3)", f.contour, f, x, y, 3},
      {"bad argument #4 to 'contour' (x: expected 81 numbers or {lo, hi}, got 61)", f.contour, f, y, y, mx},
      {"bad argument #2 to 'contour' (levels: expected ascending numbers, element 2 is not above the one before)",
        f.contour, f, mx, {levels = {1, 1}}},
      {"bad argument #2 to 'contourf' (unknown option 'level'; did you mean 'levels'?)", f.contourf, f, mx,
        {level = 3}},
    } do assert.equal(case[1], helper.message(table.unpack(case, 2))) end
  end)
end)

describe("boxplot", function()
  it("has quartiles, whiskers and what lies beyond", function()
    local v = pg.concat({pg.range(1, 9), pg.array{30, pg.nan}})
    local l = layer(pg.plot.figure{}:boxplot({v, {5}, pg.zeros(0)}, {names = {"a", "b", "c"}}))
    local g = l.groups[1]
    assert.same({3.25, 5.5, 7.75}, g.quartiles)
    assert.equal("1 9 1", ("%g %g %d"):format(g.low, g.high, #g.beyond))
    assert.equal(30, g.beyond[1])
    assert.is_nil(l.groups[3].lo)
    assert.equal(30, select(4, l:bounds()))
    assert.is_true(pg.plot.figure{}:boxplot(pg.ones(4, 3)):pixels().size > 0)
    assert.is_true(pg.plot.figure{}:boxplot({}):pixels().size > 0)
  end)
  it("says what is wrong", function()
    local f = pg.plot.figure{}
    assert.equal("bad argument #2 to 'boxplot' (names: expected 1 texts, got 2)",
      helper.message(f.boxplot, f, {{1, 2}}, {names = {"a", "b"}}))
    assert.equal("bad argument #1 to 'violin' (groups: expected a list of arrays, a matrix or an array, got number 3)",
      helper.message(f.violin, f, 3))
  end)
end)

describe("violin", function()
  it("is widest where the values are", function()
    local v = pg.random.new(1):normal(4, 1, 3000)
    local g = layer(pg.plot.figure{}:violin(v)).groups[1]
    local share = pg.array(g.share)
    assert.equal(1, share:max())
    assert.is_true(math.abs(g.at[share:argmax()] - 4) < 0.3)
    -- the density of a normal is 1 / e^(1/2) of its highest one standard deviation away
    local one = pg.interp(5, g.at, g.share)
    assert.is_true(math.abs(one - math.exp(-0.5)) < 0.08)
    assert.is_true(pg.plot.figure{}:violin({{1, 1, 1}, {2}, pg.zeros(0)}):pixels().size > 0)
  end)
end)

describe("quiver", function()
  it("points where the vectors do", function()
    local l = layer(pg.plot.figure{}:quiver({0, 1}, {0, 1}, {1, 0}, {0, 2}, {scale = 0.5}))
    assert.same({0.5, 1}, l.to_x:totable())
    assert.same({0, 2}, l.to_y:totable())
    assert.equal("0 1 0 2", ("%g %g %g %g"):format(l:bounds()))
    -- by itself: the longest arrow reaches as far as they stand apart
    l = layer(pg.plot.figure{}:quiver(mx, my, -my, mx))
    local longest = pg.hypot(l.to_x - l.x, l.to_y - l.y):max()
    assert.is_true(math.abs(longest - 0.9 * math.sqrt(12 / mx.size)) < 1e-12)
    assert.equal(1, #layer(pg.plot.figure{}:quiver({0, 1}, {0, 1}, {pg.nan, 1}, {0, 0})).x)
    assert.is_true(pg.plot.figure{}:quiver({}, {}, {}, {}):quiver({1}, {1}, {0}, {0}):pixels().size > 0)
  end)
end)

describe("step and fill_between", function()
  it("go where they say", function()
    local function corners(where)
      local l = layer(pg.plot.figure{}:step({1, 2, 4}, {10, 20, 30}, {where = where}))
      return l.x:totable(), l.y:totable()
    end
    local a, b = corners("post")
    assert.same({{1, 2, 2, 4, 4}, {10, 10, 20, 20, 30}}, {a, b})
    a, b = corners("pre")
    assert.same({{1, 1, 2, 2, 4}, {10, 20, 20, 30, 30}}, {a, b})
    a, b = corners("mid")
    assert.same({{1, 1.5, 1.5, 3, 3, 4}, {10, 10, 20, 20, 30, 30}}, {a, b})
    local l = layer(pg.plot.figure{}:fill_between({1, 2}, {3, 4}))
    assert.same({{3, 4}, {0, 0}}, {l.lo:totable(), l.hi:totable()})
    l = layer(pg.plot.figure{}:fill_between({1, 2}, 1, {3, 4}, {alpha = 0.5}))
    assert.same({{1, 1}, {3, 4}, 0.5}, {l.lo:totable(), l.hi:totable(), l.alpha})
  end)
end)

describe("the maps of colours", function()
  it("go from dark to light, but for those that need not", function()
    for _, name in ipairs{"viridis", "magma", "inferno", "plasma", "cubehelix", "grey"} do
      local map = pg.plot.colormap(name)
      local light = map:dot(pg.array{0.299, 0.587, 0.114})
      assert.is_true(light:diff():min() > -2e-3, name)
    end
    local ends = pg.plot.colormap("twilight")
    assert.is_true(pg.allclose(ends[1], ends[256]))
    -- Green's own end points
    assert.is_true(pg.allclose(pg.plot.colormap("cubehelix")[1], 0))
    assert.is_true(pg.allclose(pg.plot.colormap("cubehelix")[256], 1))
  end)
end)
