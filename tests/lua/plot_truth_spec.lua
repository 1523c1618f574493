-- SPDX-License-Identifier: MIT
--
-- Pictures that must not mislead: what is drawn is what the data say.
local pg = require "perigee"
local figure = pg.plot.figure

-- How many pixels have nearly the colour {r, g, b}.
local function count(fig, r, g, b)
  local p = fig:pixels()
  local function near(k, v) return (p:slice({}, {}, k) - v):abs():lt(40) end
  return (near(1, r) & near(2, g) & near(3, b)):sum()
end

-- Rows of pixels with something red in them.
local function rows_with_red(fig)
  local p = fig:pixels()
  return ((p:slice({}, {}, 1):gt(200)) & (p:slice({}, {}, 2):lt(100))):any(2):sum()
end

describe("error bars", function()
  it("leave a point in the picture whatever its error", function()
    for _, err in ipairs({0 / 0, math.huge, -math.huge}) do
      local fig = figure():errorbar({1, 2}, {1, 2}, {0.1, 0.1}, {color = "blue"})
        :errorbar({3}, {30}, {err}, {color = "#ff0000"})
      assert.is_true(count(fig, 255, 0, 0) > 10, tostring(err))
    end
    local below = figure():errorbar({1, 2, 3}, {1, 2, 30}, {{0.1, 0.1, 0 / 0}, {0.1, 0.1, 0.1}}, {color = "#ff0000"})
    assert.is_true(rows_with_red(below) > 15)
  end)

  it("run out of a log axis where they reach 0", function()
    for _, err in ipairs({100, 200, 1e6}) do
      local fig = figure {yscale = "log"}:errorbar({1, 3}, {1000, 2000}, {100, 100}, {color = "#0000ff"})
        :errorbar({2}, {100}, {err}, {color = "#ff0000", size = 12})
      assert.is_true(count(fig, 255, 0, 0) > 150, tostring(err))
    end
  end)

  it("keep a point that is not above 0 off a log axis", function()
    local fig = figure {yscale = "log"}:errorbar({1, 2}, {10, -5}, {1, 1}, {color = "#ff0000"})
    local _, area = fig:_texts()
    assert.is_true(area.right > area.left)
  end)
end)

describe("colours of values", function()
  local map = pg.plot.colormap("viridis", 256) * 255
  local function share_of(rgb) return (((map - rgb) ^ 2):sum(2):argmin() - 1) / 255 end

  it("are those the bar shows, for one value too", function()
    for _, v in ipairs({0, 5, -5, 1e9, 1e-300, -1e300}) do
      local p = figure {width = 400, height = 300}:heatmap(pg.full({3, 3}, v)):pixels()
      assert.is_true(math.abs(share_of(p:slice(150, 150, {})) - 0.5) < 0.01, tostring(v))
    end
    -- and for values that differ only in their last digits
    local A = pg.array({{1e9, 1e9 + 1e-3}})
    local p = figure {width = 400, height = 300}:heatmap(A):pixels()
    assert.is_true(share_of(p:slice(150, 80, {})) < 0.01)
    assert.is_true(share_of(p:slice(150, 280, {})) > 0.99)
    local boxes = figure():heatmap(A):_texts()
    local note
    for _, box in ipairs(boxes) do note = box.what == "power" and box.text or note end
    assert.equal("+10⁹", note)
  end)

  it("by the logarithm stand where their logarithms do", function()
    for _, values in ipairs({{1, 10, 100}, {1e-3, 1, 1e3}, {2, 8, 32}}) do
      local p = figure {width = 400, height = 300}:heatmap(pg.array {values}, {log = true}):pixels()
      for k, share in ipairs({0, 0.5, 1}) do
        assert.is_true(math.abs(share_of(p:slice(150, 80 + (k - 1) * 110, {})) - share) < 0.01, k)
      end
    end
  end)

  it("of three and four points are values too", function()
    for n = 3, 5 do
      local x, list = {}, {}
      for k = 1, n do x[k], list[k] = k, k / (n + 1) end
      local a = figure():scatter(x, x, {color = list, size = 20}):pixels()
      local b = figure():scatter(x, x, {color = pg.array(list), size = 20}):pixels()
      assert.is_true(a:array_equal(b), n)
      for k = 1, n do list[k] = 10 * k end
      figure():scatter(x, x, {color = list}):pixels()
    end
    -- and one colour stays one where it cannot be values
    assert.is_true(count(figure():scatter({1, 2}, {1, 2}, {color = {1, 0, 0}, size = 20, alpha = 1}), 255, 0, 0) > 100)
  end)
end)

describe("small changes of large numbers", function()
  it("are drawn over the whole height, with an offset at the axis", function()
    for _, base in ipairs({1e9, -1e9, 1e12, 1}) do
      local step = math.abs(base) * 1e-12
      local fig = figure():line({1, 2, 3}, {base + step, base + 2 * step, base + 3 * step}, {color = "#ff0000"})
      assert.is_true(rows_with_red(fig) > 300, tostring(base))
    end
    local note
    for _, box in ipairs((figure():line(pg.linspace(1.7e9, 1.7e9 + 5, 6), {1, 2, 3, 4, 5, 6}):_texts())) do
      note = box.what == "power" and box.text or note
    end
    assert.equal("+1.7·10⁹", note)
  end)

  it("that doubles cannot tell apart are one value", function()
    assert.is_true(rows_with_red(figure():line({1, 2, 3}, {1, 1 + 2.2e-16, 1}, {color = "#ff0000"})) < 10)
  end)
end)

describe("legends", function()
  local function names_of(n, place)
    local fig = figure()
    for i = 1, n do fig:line({0, 1}, {i, i + 1}, {label = "series number " .. i}) end
    if place then fig:legend(place) end
    local boxes, _, legend = fig:_texts()
    local names = {}
    for _, box in ipairs(boxes) do
      if box.what == "legend" then
        names[#names + 1] = box.text
        assert.is_true(box.top >= 0 and box.bottom <= 480 and box.left >= 0 and box.right <= 640, box.text)
      end
    end
    assert.is_true(legend.top >= 0 and legend.bottom <= 480)
    return names
  end

  it("show every entry, or say how many more there are", function()
    for _, place in ipairs({"auto", "right", "below", "upper right"}) do
      assert.equal(50, #names_of(50, place), place)
    end
    local many = names_of(400)
    assert.equal(("… and %d more"):format(400 - #many + 1), many[#many])
  end)
end)

describe("names of categories", function()
  local function labels_of(names)
    local heights = {}
    for i = 1, #names do heights[i] = i end
    local out = {}
    for _, box in ipairs((figure():bar(names, heights):_texts())) do
      if box.what == "tick" and box.text:find("%a") then out[#out + 1] = box end
    end
    return out
  end

  it("differ where they are cut", function()
    for _, form in ipairs({"a rather long category name that goes on and on %d",
      "%d of the long names of this list of names"}) do
      local names, seen = {}, {}
      for i = 1, 30 do names[i] = form:format(i) end
      for _, box in ipairs(labels_of(names)) do
        assert.is_nil(seen[box.text], box.text)
        seen[box.text] = true
      end
    end
  end)

  it("stand apart, however many", function()
    for _, n in ipairs({60, 200, 1000}) do
      local names = {}
      for i = 1, n do names[i] = "category " .. i end
      local boxes = labels_of(names)
      assert.is_true(#boxes >= 10)
      for k = 2, #boxes do assert.is_true(boxes[k].left >= boxes[k - 1].right - 1, n) end
    end
  end)
end)

describe("large matrices", function()
  it("stay small in an SVG, and can be wider than a picture", function()
    local path = os.tmpname() .. ".svg"
    figure():heatmap(pg.random.new(0):random(1500, 1500)):save(path)
    local file = assert(io.open(path))
    assert.is_true(file:seek("end") < 5e6)
    file:close()
    os.remove(path)
    assert.equal("(480, 640, 3)", tostring(figure():heatmap(pg.ones(2, 40000)):pixels().shape))
  end)
end)

describe("figures in space", function()
  local Z = pg.linspace(0, 1, 12):reshape(3, 4)

  it("have lines, surfaces and nets", function()
    assert.is_true(count(figure():line3({0, 1, 1}, {0, 0, 1}, {0, 1, 0}, {color = "#ff0000", shade = false}), 255, 0, 0)
      > 100)
    assert.is_true(count(figure():wireframe(Z, {color = "#ff0000", shade = false}), 255, 0, 0) > 100)
    assert.is_true(count(figure():surface(Z, {color = "#ff0000", edges = false}), 230, 0, 0) > 1000)
    -- by height, with a bar whose ends are its least and greatest value
    assert.is_true(count(figure():surface({1, 2, 3, 4}, {1, 2, 3}, Z), 253, 231, 37) > 100)
  end)

  it("leave open what is not finite, and take nothing at all", function()
    figure():line3({0, 0 / 0, 1}, {0, 1, 1}, {0, 1, 2}):pixels()
    figure():line3({}, {}, {}):pixels()
    local holes = Z:copy()
    holes[{2, 2}] = 0 / 0
    figure():surface(holes):wireframe(holes):pixels()
    figure():surface(pg.full({3, 3}, 0 / 0)):pixels()
    figure():surface(pg.ones(1, 1)):pixels()
  end)

  it("hide what lies behind", function()
    -- a point below a level surface seen from above
    local flat = pg.ones(2, 2)
    local function red(z)
      return count(figure():surface({0, 1}, {0, 1}, flat, {color = "#0000ff", elev = 80})
        :scatter3({0.5}, {0.5}, {z}, {color = "#ff0000", size = 20, alpha = 1, shade = false}), 255, 0, 0)
    end
    assert.is_true(red(2) > 100)
    assert.equal(0, red(-1))
  end)

  it("say what is wrong", function()
    local function refuses(message, f)
      local ok, got = pcall(f)
      assert.is_false(ok)
      assert.matches(message, got)
    end
    refuses("surface.*x: expected 4 values or a matrix 3 x 4, got 2", function()
      figure():surface({1, 2}, {1, 2, 3}, Z)
    end)
    refuses("surface.*Z: expected a matrix h x w, got array %(3,%) f64", function() figure():surface(pg.ones(3)) end)
    refuses("wireframe.*unknown option 'widht'; did you mean 'width'%?", function()
      figure():wireframe(Z, {widht = 1})
    end)
  end)
end)

describe("letters", function()
  it("that the font lacks are named, once", function()
    local said = {}
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write([[local pg = require "perigee"
      for _ = 1, 2 do pg.plot.figure {title = "\u{4E2D} and \u{1F9EA}, \u{3B1}"}:line({1, 2}):pixels() end]])
    file:close()
    local program = os.getenv("PERIGEE")
    if program then
      for line in io.popen(program .. " -W " .. path .. " 2>&1"):lines() do said[#said + 1] = line end
      assert.equal(1, #said)
      assert.matches("the font has no letter for 中 %(U%+4E2D%), 🧪 %(U%+1F9EA%); it is drawn as a box", said[1])
    end
    os.remove(path)
  end)
end)
