-- SPDX-License-Identifier: MIT
local pg = require "perigee"

local nan, inf = 0 / 0, 1 / 0

local message = require("tests.lua.helper").raised

-- Figures of each kind, and of each kind of trouble, in one size.
local function figures(width, height)
  local rng = pg.random.new(3)
  local function F(o)
    o.width, o.height = width, height
    return pg.plot.figure(o)
  end
  local x = pg.linspace(0, 400, 200)
  local z = rng:standard_normal(300, 3)
  local z1, z2, z3 = z:slice({}, 1), z:slice({}, 2), z:slice({}, 3)
  local long = "a label that is very long and needs two lines, or even three, at least where the picture is small"
  local words = {"alphabet", "borders", "catastrophe", "dinosaur", "elephant", "foxtrot", "gondola", "horizon"}
  local none = pg.zeros(0)
  return {
    line = F {title = "Loss of each epoch", xlabel = "epoch", ylabel = "cross-entropy (nats)"}
      :line(x, (x * -0.01):exp(), {label = "last batch"}):hline(0.13, {label = "entropy"}),
    scatter = F {title = "Latent", xlabel = "Principal Component 1", ylabel = "Principal Component 2", aspect = "equal"}
      :scatter(z1, z2),
    colours = F {title = "Values", xlabel = "x", ylabel = "y"}
      :scatter(z1, z2, {color = z1 * 1e6, clabel = "first component"}),
    space = F {title = "Latent space", xlabel = "Principal Component 1", ylabel = "Principal Component 2",
      zlabel = "Principal Component 3"}:scatter3(z1, z2, z3, {label = "codes"}),
    space_colours = F {xlabel = "x", ylabel = "y", zlabel = "z"}
      :scatter3(z1, z2, z3, {color = z1, clabel = "first", azim = 30, elev = 60}),
    space_below = F {xlabel = "x", ylabel = "y", zlabel = "z"}:scatter3(z1, z2, z3, {azim = 130, elev = -20}),
    hist = F {title = "Histogram", xlabel = "value", ylabel = "count"}
      :hist(z1, {label = "a"}):hist(z2 + 2, {label = "b"}),
    bar = F {title = "Words", ylabel = "share"}:bar(words, pg.range(1, 8)),
    heatmap = F {title = "p(y|x)", xlabel = "x", ylabel = "y"}
      :heatmap(pg.random.new(1):random(30, 40), {x = {-3, 3}, y = {-3, 4}, label = "density"})
      :scatter({0, 1}, {0, 1}, {label = "data"}),
    cells = F {title = "Cells"}:heatmap(pg.array {{1, 2, 3}, {4, nan, 6}}),
    log = F {title = "Log", xlabel = "steps", ylabel = "error", xscale = "log", yscale = "log"}
      :line(pg.range(1, 1000), 1 / pg.range(1, 1000), {label = "1/n"}),
    decade = F {yscale = "log", ylabel = "error"}:line({1, 2, 3}, {2, 3.5, 8}),
    decades = F {yscale = "log", ylabel = "error"}:line({1, 2, 3}, {1e-300, 1, 1e300}),
    large = F {xlabel = "count", ylabel = "log-likelihood", title = "Large"}
      :line({0, 1e5, 2.5e5}, {-2.5e6, -1e6, -9e5}),
    small = F {xlabel = "count", ylabel = "rate"}:line({0, 1e-5, 2.5e-5}, {1e-9, 2e-9, 8e-9}),
    offset = F {xlabel = "count", ylabel = "rate"}:line({1, 2, 3}, {1000000.01, 1000000.02, 1000000.025}),
    errorbar = F {title = "Errors", xlabel = "d", ylabel = "logprob"}
      :errorbar({1, 2, 3, 4}, {5, 3, 4, 6}, {0.5, 0.3, 0.8, 1}, {label = "mean ± sd"}),
    graph = F {title = "Class"}:graph(pg.eye(15), nil, {labels = true, color = pg.random.new(1):random(15, 3)}),
    image = F {title = "Picture"}:image(pg.random.new(1):random(40, 30) * 255),
    band = F {title = "Band", xlabel = "x", ylabel = "y"}
      :band(x, x - 1, x + 1, {label = "2 sd"}):text(400, 400, "a far note"),
    crowd = F {xlabel = "x", ylabel = "y"}:scatter(z1, z2, {label = "first"}):scatter(z2, z1, {label = "second"}),
    crowd_long = F {xlabel = "x", ylabel = "y"}
      :scatter(rng:random(2000), rng:random(2000), {label = "a long name of a set"})
      :scatter(z2, z1, {label = long}):line(x, x, {label = "third"}),
    long = F {title = long .. ", " .. long .. ", " .. long, xlabel = long, ylabel = long}:line({1, 2, 3}, {1, 2, 1}),
    word = F {title = ("w"):rep(300), xlabel = ("w"):rep(300), ylabel = ("w"):rep(300)}:line({1, 2, 3}, {1, 2, 1}),
    empty = F {title = "Empty", xlabel = "x", ylabel = "y"}:line(none, none):scatter(none, none):hist(none),
    nan = F {title = "NaN"}:line({1, 2}, {nan, nan}):scatter({nan}, {1}):hist({nan}):bar({1, 2}, {nan, nan}),
    infinite = F {title = "Infinite"}:line({1, 2, 3}, {1, inf, -inf}):bar({1, 2}, {inf, 1}),
    one = F {title = "One"}:line({1}, {5}):scatter({1}, {5}):hist({5}),
    constant = F {title = "Constant"}:line({1, 2, 3}, {7, 7, 7}):hline(7),
    below = F {title = "Log of nothing", xscale = "log", yscale = "log"}:line({1, 2, 3}, {-1, 0, -3})
      :scatter({-1}, {1}):hline(-1):vline(0):bar({1, 2}, {-1, 0}):errorbar({1}, {1}, 2):text(-1, 1, "nowhere"),
    widest = F {title = "Extremes"}:line({-1.7e308, 1.7e308}, {-1.7e308, 1.7e308}),
    tiniest = F {title = "Subnormal"}:line({0, 5e-324}, {0, 5e-324}),
    far = F {xlim = {1e300, 1.7e308}, ylim = {-5e-324, 5e-324}}:line({1, 2}, {1, 2}):vline(1e299),
    close = F {xlim = {1, 1 + 2e-16}, yscale = "log", ylim = {5e-324, 1e-323}}:line({1, 2}, {1, 2}),
    one_in_space = F {title = "One"}:scatter3({1}, {2}, {3}),
    none_in_space = F {xlabel = "x"}:scatter3({nan}, {1}, {inf}),
    nothing = F {},
  }
end

local function sorted(t)
  local names = {}
  for k in pairs(t) do names[#names + 1] = k end
  table.sort(names)
  return names
end

-- Whether two boxes, each four corners, have a point in common: no side of either keeps them apart.
local function meet(a, b)
  for _, pair in ipairs({{a, b}, {b, a}}) do
    local p, q = pair[1], pair[2]
    for k = 1, 4 do
      local u, v = p[k], p[k % 4 + 1]
      local nx, ny = v[2] - u[2], u[1] - v[1]
      local inner, outer = -inf, inf
      for n = 1, 4 do
        inner = math.max(inner, (p[n][1] - u[1]) * nx + (p[n][2] - u[2]) * ny)
        outer = math.min(outer, (q[n][1] - u[1]) * nx + (q[n][2] - u[2]) * ny)
      end
      local least = inf
      for n = 1, 4 do least = math.min(least, (p[n][1] - u[1]) * nx + (p[n][2] - u[2]) * ny) end
      local most = -inf
      for n = 1, 4 do most = math.max(most, (q[n][1] - u[1]) * nx + (q[n][2] - u[2]) * ny) end
      if outer >= inner or most <= least then return false end
    end
  end
  return true
end

local outside = {tick = true, xlabel = true, ylabel = true, title = true, power = true, barlabel = true}

-- Every text on the canvas, outside of the plot area where it belongs there, and apart from all others.
local function check_texts(name, figure, width, height)
  local boxes, area, legend = figure:_texts()
  local function meets(box, other)
    return box.left < other.right and box.right > other.left and box.top < other.bottom and box.bottom > other.top
  end
  for i, box in ipairs(boxes) do
    local what = ("%s: %s %q"):format(name, box.what, box.text)
    assert.is_true(box.left >= 0 and box.top >= 0 and box.right <= width and box.bottom <= height,
      what .. " leaves the canvas")
    if outside[box.what] and not figure.solid then
      assert.is_false(meets(box, area), what .. " lies in the plot area")
    end
    for j = i + 1, #boxes do
      assert.is_false(box.what ~= "text" and meet(box, boxes[j]),
        ("%s meets %s %q"):format(what, boxes[j].what, boxes[j].text))
    end
    if legend and box.what ~= "legend" then assert.is_false(meets(box, legend), what .. " meets the legend") end
  end
  assert.is_true(area.right > area.left and area.bottom > area.top, name .. " has no area")
  if legend then
    assert.is_true(legend.left >= 0 and legend.top >= 0 and legend.right <= width and legend.bottom <= height,
      name .. ": the legend leaves the canvas")
  end
end

-- The figures of experiments/gallery.lua in another size, without its files.
local function gallery(width, height)
  local out = {}
  local ex = {options = {width = width, height = height}, rng = pg.random.new(0), metric = function() end}
  function ex.figure(_, name, figure) out[name] = figure end
  local library = setmetatable({experiment = function() return ex end}, {__index = pg})
  local env = setmetatable({require = function() return library end}, {__index = _G})
  assert(loadfile("experiments/gallery.lua", "t", env))()
  out.all = nil
  return out
end

describe("the layout of a figure", function()
  for _, size in ipairs({{400, 300}, {640, 480}, {1600, 1200}, {300, 900}, {200, 150}}) do
    it(("keeps every text on the canvas and apart at %d x %d"):format(size[1], size[2]), function()
      local all = figures(size[1], size[2])
      for _, name in ipairs(sorted(all)) do check_texts(name, all[name], size[1], size[2]) end
    end)
  end

  for _, size in ipairs({{400, 300}, {1600, 1200}}) do
    it(("holds for the gallery at %d x %d"):format(size[1], size[2]), function()
      local all = gallery(size[1], size[2])
      assert.equal(17, #sorted(all))
      for _, name in ipairs(sorted(all)) do check_texts(name, all[name], size[1], size[2]) end
    end)
  end

  it("puts the legend where it hides nothing", function()
    -- data in three corners leave the fourth
    local corners = {{0.1, 0.1}, {0.1, 0.9}, {0.9, 0.1}, {0.9, 0.9}}
    for free = 1, 4 do
      local xs, ys = {0, 1}, {0, 1}
      for k, c in ipairs(corners) do
        if k ~= free then
          for i = 0, 9 do
            xs[#xs + 1], ys[#ys + 1] = c[1] + (i - 4.5) / 60, c[2] + (i - 4.5) / 60
          end
        end
      end
      local _, area, legend = pg.plot.figure {xlim = {0, 1}, ylim = {0, 1}}:scatter(xs, ys, {label = "data"}):_texts()
      local x = ((legend.left + legend.right) / 2 - area.left) / (area.right - area.left)
      local y = 1 - ((legend.top + legend.bottom) / 2 - area.top) / (area.bottom - area.top)
      assert.equal(corners[free][1] > 0.5, x > 0.5)
      assert.equal(corners[free][2] > 0.5, y > 0.5)
    end
    -- a line that crosses corners without a point in them
    local _, area, legend = pg.plot.figure {}:line({0, 1, 1}, {1, 1, 0}, {label = "bent"}):_texts()
    assert.is_true(legend.right < (area.left + area.right) / 2 and legend.top > (area.top + area.bottom) / 2)
    -- nothing free: outside
    local rng = pg.random.new(1)
    local f = pg.plot.figure {}:scatter(rng:random(3000), rng:random(3000), {label = "many"})
    _, area, legend = f:_texts()
    assert.is_true(legend.left > area.right)
    f:legend("below")
    _, area, legend = f:_texts()
    assert.is_true(legend.top > area.bottom)
    f:legend("lower left")
    _, area, legend = f:_texts()
    assert.is_true(legend.left > area.left and legend.right < (area.left + area.right) / 2)
    assert.is_true(legend.bottom < area.bottom)
    f:legend("none")
    _, _, legend = f:_texts()
    assert.is_nil(legend)
  end)
end)

describe("ticks", function()
  local ticks = pg._plot_ticks

  it("are steps of 1, 2 or 5", function()
    assert.same({"0", "2", "4", "6", "8", "10"}, ticks.linear(0, 10, 5).labels)
    assert.same({"0.0", "0.5", "1.0"}, ticks.linear(0, 1, 3).labels)
    assert.same({"−0.2", "−0.1", "0.0", "0.1", "0.2"}, ticks.linear(-0.21, 0.21, 5).labels)
    assert.same({"0.001", "0.002", "0.003"}, ticks.linear(0.0008, 0.0031, 3).labels)
  end)

  it("share a power of ten", function()
    local set = ticks.linear(0, 2.5e6, 5)
    assert.same({"0.0", "0.5", "1.0", "1.5", "2.0", "2.5"}, set.labels)
    assert.equal("×10⁶", set.note)
    assert.equal("10⁻¹²", ticks.power(-12))
    set = ticks.linear(1e6, 1e6 + 0.02, 2)
    assert.equal("+10⁶", set.note)
    assert.same({"0.00", "0.01", "0.02"}, set.labels)
    set = ticks.linear(-1234567.5003, -1234567.5, 3)
    assert.equal("×10⁻⁴ −1234567.5", set.note)
    assert.same({"−3", "−2", "−1", "0"}, set.labels)
  end)

  it("are decades on a log axis, and 1, 2, 5 where there are few", function()
    local function place(v) return 100 * math.log(v, 10) end
    local function extent(label) return 10 * #label end
    assert.same({"10⁰", "10¹", "10²", "10³"}, ticks.fit(1, 1000, true, 9, place, extent, 5).labels)
    assert.same({"1", "2", "5", "10", "20", "50"}, ticks.fit(1, 64, true, 9, place, function() return 10 end, 5).labels)
    assert.same({"3.0", "3.2", "3.4"}, ticks.fit(2.9, 3.5, true, 4, function(v) return 1000 * v end, extent, 5).labels)
  end)

  it("are those the user gave", function()
    assert.same({"a", "b"}, ticks.given({{1, 2, 9}, {"a", "b", "c"}}, 0, 3).labels)
    assert.same({"1.5", "−2"}, ticks.given({1.5, -2, 7}, -3, 3).labels)
  end)
end)

describe("a figure", function()
  it("shows where the data are", function()
    -- one black square mark in the middle of a plot area without axes
    local f = pg.plot.figure {width = 201, height = 101, axes = false, xlim = {0, 2}, ylim = {0, 2}}
      :scatter({1}, {1}, {marker = "square", color = "black", alpha = 1, size = 10})
    local a = f:pixels()
    assert.same({0, 0, 0}, a:slice(51, 101, {}):totable())
    assert.same({255, 255, 255}, a:slice(51, 121, {}):totable())
    assert.same({255, 255, 255}, a:slice(30, 101, {}):totable())
  end)

  it("draws row 1 of a heat map on top, or below where y says so", function()
    local A = pg.array {{0, 0}, {1, 1}}
    local function levels(opts)
      opts.colorbar, opts.cmap = false, "grey"
      local a = pg.plot.figure {width = 100, height = 100, axes = false}:heatmap(A, opts):pixels()
      return a(30, 50, 1), a(70, 50, 1)
    end
    local top, bottom = levels {}
    assert.is_true(top < bottom)
    top, bottom = levels {y = {0, 1}}
    assert.is_true(top > bottom)
    top, bottom = levels {y = {0, 1}, origin = "upper"}
    assert.is_true(top < bottom)
    top, bottom = levels {origin = "lower"}
    assert.is_true(top > bottom)
  end)

  it("breaks a line at NaN", function()
    local f = pg.plot.figure {width = 120, height = 80, axes = false, xlim = {0, 6}, ylim = {-1, 1}}
      :line({0, 2, 3, 4, 6}, {0, 0, nan, 0, 0}, {color = "black", width = 3})
    local a = f:pixels():slice(40, {}, 1)
    assert.is_true(a(20) < 128 and a(100) < 128)
    assert.equal(255, a(60))
  end)

  it("takes lists, arrays, f32, columns and rows, and y alone", function()
    local function bytes(...) return pg.image._png(pg.plot.figure {width = 100, height = 80}:line(...):pixels()) end
    local want = bytes({1, 2, 3}, {4, 5, 4})
    assert.equal(want, bytes(pg.array {1, 2, 3}, pg.array {4, 5, 4}))
    assert.equal(want, bytes(pg.array({1, 2, 3}, "f32"), pg.array {{4}, {5}, {4}}))
    assert.equal(want, bytes({4, 5, 4}))
    assert.equal(want, bytes(pg.array {4, 5, 4}, {width = 1.5}))
    assert.equal(want, bytes(pg.array {{1, 0}, {2, 0}, {3, 0}}:slice({}, 1), {4, 5, 4}))
  end)

  it("says what it is", function()
    assert.equal("figure 640x480, 2 layers: both", tostring(pg.plot.figure {title = "both"}:line({1}):line({2})))
    local grid = pg.plot.grid({pg.plot.figure {}, pg.plot.figure {}})
    assert.equal("grid of 2 figures, 1 rows of 2, 1280x480", tostring(grid))
  end)

  it("has colours a colour-blind reader can tell, and viridis", function()
    local map = pg.plot.colormap("viridis"):totable()
    assert.equal(256, #map)
    for k = 1, 3 do
      assert.near(({68, 1, 84})[k] / 255, map[1][k], 1e-9)
      assert.near(({253, 231, 37})[k] / 255, map[256][k], 1e-9)
      -- the middle of matplotlib's table: 127.5 lies between (33, 144, 140) and (32, 144, 140)
      assert.near(({33, 145, 140})[k] / 255, map[129][k], 1.5 / 255)
    end
    -- it gets lighter all the way
    local last = -1
    for _, c in ipairs(map) do
      local light = pg._plot_color.lightness(c)
      assert.is_true(light > last)
      last = light
    end
  end)
end)

describe("a figure refuses", function()
  local f = pg.plot.figure {}
  local function refuses(pattern, ...)
    local m = message(...)
    assert.matches(pattern, m)
  end

  it("x and y of different lengths", function()
    refuses("bad argument #2 to 'line' %(x has 3 values and y has 2%)", f.line, f, {1, 2, 3}, {1, 2})
    refuses("bad argument #2 to 'line' %(x has 3 values and y has 0%)", f.line, f, {1, 2, 3}, {})
    refuses("bad argument #2 to 'scatter' %(x has 3 values and y has 2%)", f.scatter, f, {1, 2, 3}, {1, 2})
    refuses("bad argument #2 to 'bar' %(x has 3 values and heights has 2%)", f.bar, f, {1, 2, 3}, {1, 2})
    refuses("bad argument #3 to 'scatter3' %(x has 1 value and z has 2%)", f.scatter3, f, {1}, {2}, {1, 2})
    refuses("bad argument #3 to 'band' %(x has 2 values and hi has 1%)", f.band, f, {1, 2}, {1, 2}, {1})
    refuses("bad argument #3 to 'errorbar' %(x has 2 values and error has 1%)", f.errorbar, f, {1, 2}, {1, 2}, {1})
  end)

  it("what is not data", function()
    refuses("bad argument #1 to 'scatter' %(x: expected an array or a list of numbers, got \"a\"%)",
      f.scatter, f, "a", {1})
    refuses("y: expected 1 axis, got shape %(3, 2%)", f.line, f, {1, 2, 3}, pg.zeros(3, 2))
    refuses("A: expected a matrix h x w, got array %(3,%) f64", f.heatmap, f, pg.zeros(3))
    refuses("a: expected h x w or h x w x 3, got array %(3, 3, 2%) f64", f.image, f, pg.zeros(3, 3, 2))
    refuses("E: expected a matrix n x n, got array %(3, 2%) f64", f.graph, f, pg.zeros(3, 2))
    refuses("pos: expected 3 x 2, got array %(2, 2%) f64", f.graph, f, pg.zeros(3, 3), pg.zeros(2, 2))
    refuses("y: expected a number, got no value", f.hline, f)
    refuses("x: expected a number, got \"a\"", f.vline, f, "a")
    refuses("bad argument #3 to 'text' %(text: expected a string, got no value%)", f.text, f, 1, 2)
    refuses("x: expected ascending values, element 3 is not above the one before", f.bar, f, {1, 3, 2}, {1, 1, 1})
  end)

  it("options it does not know, and values that are none", function()
    refuses("bad argument #3 to 'line' %(unknown option 'colour'; did you mean 'color'%?%)",
      f.line, f, {1}, {1}, {colour = 1})
    refuses("bad argument #1 to 'figure' %(unknown option 'xlable'; did you mean 'xlabel'%?%)",
      pg.plot.figure, {xlable = "x"})
    refuses('color: expected a name, "#rrggbb", {r, g, b} in 0..1 or a number of the cycle, got "mauvish"',
      f.line, f, {1}, {1}, {color = "mauvish"})
    refuses("width: expected a number above 0, got number %-1", f.line, f, {1}, {1}, {width = -1})
    refuses("alpha: expected a number in %[0, 1%], got number 2", f.line, f, {1}, {1}, {alpha = 2})
    refuses('dash: expected "solid", "dashed", "dotted", "dashdot" or a list of points, got "wavy"',
      f.line, f, {1}, {1}, {dash = "wavy"})
    refuses('marker: expected one of "circle", "square", .*, got "star"', f.scatter, f, {1}, {1}, {marker = "star"})
    refuses('cmap: expected one of "blues", "cubehelix", .*"viridis", got "jet"',
      f.heatmap, f, pg.zeros(2, 2), {cmap = "jet"})
    refuses("range: expected {lo, hi} with lo < hi", f.heatmap, f, pg.zeros(2, 2), {range = {1, 1}})
    refuses("color: 2 points take 2 values or colours 2 x 3, got shape %(3,%)",
      f.scatter, f, {1, 2}, {1, 2}, {color = pg.zeros(3)})
    refuses("size has 3 values for 2 points", f.scatter, f, {1, 2}, {1, 2}, {size = {1, 2, 3}})
    refuses('xscale: expected one of "linear", "log", got "sqrt"', pg.plot.figure, {xscale = "sqrt"})
    refuses("width: expected an integer in 64..16384, got 3", pg.plot.figure, {width = 3})
    refuses("ylim: expected {lo, hi}, got number 3", pg.plot.figure, {ylim = 3})
    refuses("ylim: a log axis is above 0, got {0, 1}", pg.plot.figure, {yscale = "log", ylim = {0, 1}})
    refuses('place: expected one of "auto", .*, got "top"', f.legend, f, "top")
    refuses("labels: expected true or a list of 2, got table", f.graph, f, pg.zeros(2, 2), nil, {labels = {1}})
    refuses("options: expected a table, got array %(2,%) f64", f.line, f, {1}, {1}, pg.zeros(2))
  end)

  it("methods it does not have", function()
    refuses("a figure has no 'lin'; did you mean 'line'%?", function() f:lin({1}) end)
    refuses("a figure has no 'plot'; write fig:line%(x, y%)", function() f:plot({1}) end)
  end)

  it("space and plane in one", function()
    local space = pg.plot.figure {}:scatter3({1}, {1}, {1})
    refuses("line: a figure with line3, scatter3, surface, wireframe takes nothing else", space.line, space, {1}, {1})
    local plane = pg.plot.figure {}:line({1}, {1})
    refuses("scatter3: a figure with marks in the plane takes nothing else", plane.scatter3, plane, {1}, {1}, {1})
    local log = pg.plot.figure {xscale = "log"}
    refuses("scatter3: axes in space are linear", log.scatter3, log, {1}, {1}, {1})
  end)

  it("grids of what is no figure", function()
    refuses("figures: expected a list of figures, got table", pg.plot.grid, {})
    refuses("figures: element 2 is number 3, not a figure", pg.plot.grid, {f, 3})
    refuses("3 figures do not fit 1 rows of 2", pg.plot.grid, {f, f, f}, 1, 2)
  end)

  it("with the line of the caller", function()
    for _, call in ipairs({
      function() f:line({1, 2}, {1}) end, function() f:line({1}, {1}, {colour = 1}) end,
      function() f:scatter("x", {1}) end, function() f:scatter({1}, {1}, {color = "mauvish"}) end,
      function() f:heatmap(3) end, function() f:legend("top") end, function() f:lines() end,
      function() f:heatmap(pg.zeros(2, 2), {cmap = "jet"}) end, function() pg.plot.figure {width = 3} end,
      function() pg.plot.figure {xscale = "sqrt"} end, function() f:save("a.jpg") end,
      function() f:hline("a") end, function() f:limits {w = 3} end, function() pg.plot.colormap("jet") end,
    }) do
      assert.matches("^tests/lua/plot_spec.lua:%d+: ", message(call))
    end
  end)
end)

describe("figure:save", function()
  local f = pg.plot.figure {title = "σ² → α"}:line({1, 2, 3}, {3, 1, 2}, {label = "x"})
  local name = os.tmpname()
  after_each(function()
    for _, suffix in ipairs({"", ".png", ".svg", ".pdf", ".PNG"}) do os.remove(name .. suffix) end
  end)

  local function bytes(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
  end

  it("writes what the suffix says", function()
    assert.equal(f, f:save(name .. ".png"))
    assert.equal("\x89PNG\r\n", bytes(name .. ".png"):sub(1, 6))
    f:save(name .. ".PNG")
    assert.equal(bytes(name .. ".png"), bytes(name .. ".PNG"))
    f:save(name .. ".svg")
    assert.equal("<?xml", bytes(name .. ".svg"):sub(1, 5))
    f:save(name .. ".pdf")
    assert.equal("%PDF-", bytes(name .. ".pdf"):sub(1, 5))
    assert.is_nil(bytes(name .. ".pdf"):find("D:" .. os.date("%Y"), 1, true))
  end)

  it("refuses other suffixes and no path", function()
    assert.matches("bad argument #1 to 'save' %(path: expected a name that ends in .png, .svg or .pdf, got \"a.jpg\"%)",
      message(f.save, f, "a.jpg"))
    assert.matches("got \"png\"", message(f.save, f, "png"))
    assert.matches("path: expected a string, got no value", message(f.save, f))
  end)

  it("says what the system says", function()
    for _, suffix in ipairs({".png", ".svg", ".pdf"}) do
      local path = "/nowhere/at/all" .. suffix
      assert.matches(path .. ": No such file or directory", message(f.save, f, path))
      os.execute(("ln -sf /dev/full %s%s"):format(name, suffix))
      assert.matches(suffix .. ": No space left on device", message(f.save, f, name .. suffix))
    end
  end)

  it("keeps the svg of 100,000 points small", function()
    local rng = pg.random.new(5)
    pg.plot.figure {}:scatter(rng:standard_normal(100000), rng:standard_normal(100000)):save(name .. ".svg")
    assert.is_true(#bytes(name .. ".svg") < 2e6)
    -- and text is still text of its own
    assert.matches("<use ", bytes(name .. ".svg"))
  end)

  it("writes a grid", function()
    local grid = pg.plot.grid({f, f, f}, 2, 2, {title = "Three", width = 600, height = 500})
    assert.equal(grid, grid:save(name .. ".png"))
    assert.equal("(500, 600, 3)", tostring(grid:pixels().shape))
    for _, box in ipairs((grid:_texts())) do
      assert.is_true(box.left >= 0 and box.top >= 0 and box.right <= 600 and box.bottom <= 500, box.text)
    end
  end)
end)
