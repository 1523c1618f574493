-- SPDX-License-Identifier: MIT
--
-- Figures beside pictures that were looked at, and the same bytes whenever they are drawn.
local pg = require "perigee"

local build = dofile("tests/golden/plot.lua")

-- How far the cell of a figure is from the golden one: the mean difference of a level (0..255), and
-- how many of 10,000 pixels are far off. Another version of Cairo or FreeType may move a level here and there.
local function distance(grid, golden, k, w, h)
  local top, left = (k - 1) // 3 * h, (k - 1) % 3 * w
  local function cell(a) return a:slice({top + 1, top + h}, {left + 1, left + w}, {}) end
  local difference = (cell(grid) - cell(golden)):abs()
  return difference:mean(), difference:max(3):gt(80):mean() * 1e4
end

local function looks_the_same(mean, far) return mean < 0.5 and far < 15 end

describe("golden pictures", function()
  local golden = pg.image.read("tests/golden/plot.png")
  local grid, names, w, h = build()
  local drawn = grid:pixels()

  for k, name in ipairs(names) do
    it("show " .. name .. " as it was looked at", function()
      local mean, far = distance(drawn, golden, k, w, h)
      assert.is_true(looks_the_same(mean, far), ("differs by %.2f a level, much in %.0f of 10000"):format(mean, far))
    end)
  end

  -- What the comparison must see: without these it could pass anything.
  for _, change in ipairs({
    {"line", "a moved axis", {ylim = {-1.08, 1.12}}}, {"line", "no legend", {legend = "none"}},
    {"line", "another title", {title = "Line"}}, {"line", "another colour", {color = "purple"}},
    {"line", "another dash", {dash = "dotted"}}, {"scatter", "colours turned around", {sign = -1}},
    {"scatter", "larger marks", {size = 5.5}}, {"space", "a turned view", {azim = -57}},
    {"heatmap", "no colour bar", {colorbar = false}}, {"heatmap", "another map", {cmap = "grey"}},
    {"bars", "one bar higher", {first = 1300}}, {"graph", "an edge less", {edge = 0}},
    {"graph", "no names", {labels = false}},
  }) do
    it(("tell %s of %s"):format(change[2], change[1]), function()
      local other = build({[change[1]] = change[3]}):pixels()
      for k, name in ipairs(names) do
        assert.equal(name ~= change[1], looks_the_same(distance(other, golden, k, w, h)), name)
      end
    end)
  end
end)

describe("the bytes of a figure", function()
  local path = os.tmpname()
  teardown(function()
    for _, suffix in ipairs({"", ".png", ".svg", ".pdf"}) do os.remove(path .. suffix) end
  end)

  local function bytes(suffix)
    build():save(path .. suffix)
    local file <close> = assert(io.open(path .. suffix, "rb"))
    return file:read("a")
  end

  for _, suffix in ipairs({".png", ".svg", ".pdf"}) do
    it("are the same twice in " .. suffix, function()
      local first = bytes(suffix)
      pg.plot.figure {}:line({1, 2}):save(path .. ".svg")
      assert.is_true(first == bytes(suffix))
    end)
  end

  it("are the same in another process", function()
    local program = os.getenv("PERIGEE")
    if not program then return pending("PERIGEE is not set") end
    for _, suffix in ipairs({".png", ".svg", ".pdf"}) do
      local here = bytes(suffix)
      local script = "local build = dofile('tests/golden/plot.lua') local pg = require 'perigee' "
        .. "pg.plot.figure {}:scatter({1}, {2}):pixels() build():save('%s')"
      assert.is_true(os.execute(("%s -e \"%s\""):format(program, script:format(path .. suffix))))
      local file <close> = assert(io.open(path .. suffix, "rb"))
      assert.is_true(here == file:read("a"), suffix)
    end
  end)
end)
