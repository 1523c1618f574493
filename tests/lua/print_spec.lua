-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function shows(a, ...)
  assert.equal(table.concat({...}, "\n"), tostring(a))
end

local nan, inf = 0 / 0, math.huge

describe("printing", function()
  it("aligns columns and ends with shape and dtype", function()
    shows(pg.range(1, 8):reshape(2, 4), " 1  2  3  4", " 5  6  7  8", "[2x4 f64]")
    shows(pg.array{{1.5, 2}, {-1000, 3.25}}, "     1.50      2.00", " -1000.00      3.25", "[2x2 f64]")
    shows(pg.array({0.1, 1 / 3}, "f32"), " 0.10000  0.33333", "[2 f32]")
    shows(pg.array{1, nan, inf, -inf, -0.0}, "    1   nan   inf  -inf    -0", "[5 f64]")
    assert.equal("x 1  1\n[2 f64]", "x" .. pg.ones(2))
  end)
  it("shows f32 numbers without the digits they do not have", function()
    shows(pg.array({0.1}, "f32"), " 0.1", "[1 f32]")
    shows(pg.array({16777216}, "f32"), " 16777216", "[1 f32]")
  end)
  it("takes exponents where numbers are far apart or far from 1", function()
    shows(pg.array{1e-10, 1, 1e10}, " 1e-10  1e+00  1e+10", "[3 f64]")
    shows(pg.array{1e300, -1e-300}, "  1e+300  -1e-300", "[2 f64]")
    shows(pg.full(1, -123456.789e10), " -1.23457e+15", "[1 f64]")
    shows(pg.array{5e-324, 1.7976931348623157e308}, " 4.94066e-324  1.79769e+308", "[2 f64]")
  end)
  it("shows arrays with no elements, no axes, or many axes", function()
    shows(pg.zeros(0), "[0 f64]")
    shows(pg.zeros(0, 3), "[0x3 f64]")
    shows(pg.zeros(3, 0), "[3x0 f64]")
    shows(pg.array(3.5), " 3.5", "[scalar f64]")
    shows(pg.range(1, 8):reshape(2, 2, 2), "[1, :, :]", " 1  2", " 3  4", "[2, :, :]", " 5  6", " 7  8", "[2x2x2 f64]")
    local ones = {}
    for k = 1, 32 do ones[k] = 1 end
    local text = tostring(pg.full(ones, 7))
    assert.matches("^%[1, 1, .*, :, :%]\n 7\n%[1x1x", text)
    assert.matches("x1 f64%]$", text)
  end)
  it("summarises beyond 3 + 3 rows and columns", function()
    shows(pg.range(1, 1e6), "       1        2        3  ...   999998   999999  1000000", "[1000000 f64]")
    local lines = {}
    local large = pg.range(1, 6000 * 784):reshape(6000, 784)
    for line in tostring(large):gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(8, #lines)
    assert.equal("       1        2        3  ...      782      783      784", lines[1])
    assert.equal(" ...", lines[4])
    assert.matches("^ 4703217 .* 4704000$", lines[7]:gsub("^ +", " "))
    assert.equal("[6000x784 f64]", lines[8])
    assert.matches("\n%.%.%.\n", tostring(pg.ones(10, 20, 10)))
    -- a short row that is not wide is shown whole
    assert.equal(7, select(2, tostring(pg.ones(7, 7)):gsub("\n", "\n")))
  end)
  it("stays within about 80 columns whatever the numbers", function()
    for _, a in ipairs{
      pg.range(1, 40) / 7, pg.range(1, 300):reshape(10, 30) * 1e7, pg.range(1, 12) * 1e-200,
      pg.array{{1e10, 1e-10, nan, 1, 2, 3, 4, 5, 6, 7, 8}}, pg.full({3, 9}, -1 / 3),
      pg.range(-40, 40) / 7e12, pg.range(-8, 8):expand_dims(1) * 1e11, pg.range(1, 7) / -7e12, pg.range(1, 14) / 0.7,
    } do
      for line in tostring(a):gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
    end
    for line in pg.tostring(pg.range(1, 20), {width = 30}):gmatch("[^\n]+") do assert.is_true(#line <= 30) end
  end)
  it("gives up digits, then no more of them, in rows of 3 + 3 that are too wide", function()
    local row = pg.range(-4, 4):expand_dims(1)
    shows(row * 1e-12 / 3, " -1.333e-12  -1.000e-12  -6.667e-13  ...   6.667e-13   1.000e-12   1.333e-12", "[1x9 f64]")
    shows(row * 1e12, " -4e+12  -3e+12  -2e+12  ...   2e+12   3e+12   4e+12", "[1x9 f64]")
    assert.matches("%-1%.33e%-12", pg.tostring(row * 1e-12 / 3, {width = 40}))
    assert.matches("%-1%.33333e%-12", pg.tostring(row * 1e-12 / 3, {precision = 6}))
  end)
  it("continues a vector of up to 200 numbers in the next line", function()
    assert.equal("  1   2   3   4   5\n  6   7   8   9  10\n 11  12\n[12 f64]", pg.tostring(pg.range(1, 12),
      {width = 20}))
    assert.is_nil(tostring(pg.range(1, 200)):find("...", 1, true))
    assert.truthy(tostring(pg.range(1, 201)):find("...", 1, true))
  end)
  it("takes precision, threshold and width", function()
    assert.equal(" 0.33  0.67\n[2 f64]", pg.tostring(pg.array{1 / 3, 2 / 3}, {precision = 3}))
    assert.equal("  1   2   3  ...   8   9  10\n[10 f64]", pg.tostring(pg.range(1, 10), {threshold = 5}))
    assert.is_nil(pg.tostring(pg.range(1, 3000), {threshold = 5000, width = 100000}):find("...", 1, true))
    assert.equal(" 1.3333333333333333\n[1 f64]", pg.tostring(pg.array{4 / 3}, {precision = 17}))
    assert.equal("bad argument #2 to 'tostring' (unknown option 'precison'; did you mean 'precision'?)",
      message(pg.tostring, pg.ones(1), {precison = 3}))
    assert.equal("bad argument #2 to 'tostring' (precision: expected an integer in 1..17, got 0)",
      message(pg.tostring, pg.ones(1), {precision = 0}))
  end)
  it("reads only what it shows", function()
    local a = pg.ones({2 ^ 22}, "f32")
    local start = pg.clock()
    local text = tostring(a)
    local shown = pg.clock() - start
    start = pg.clock()
    a:copy()
    local copied = pg.clock() - start
    assert.matches("%[4194304 f32%]$", text)
    assert.is_true(shown < copied / 4)
  end)
  it("shows views as their elements", function()
    local a = pg.range(1, 6):reshape(2, 3)
    shows(a.T, " 1  4", " 2  5", " 3  6", "[3x2 f64]")
    shows(a:flip(2), " 3  2  1", " 6  5  4", "[2x3 f64]")
  end)
  it("prints shapes", function()
    assert.equal("(3, 4)", tostring(pg.zeros(3, 4).shape))
    assert.equal("(3,)", tostring(pg.zeros(3).shape))
    assert.equal("()", tostring(pg.array(1).shape))
  end)
end)
