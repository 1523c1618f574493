-- SPDX-License-Identifier: MIT
--
-- One picture of each kind the library draws.

local pg = require "perigee"

local ex = pg.experiment {
  name = "gallery",
  about = "Draws one figure of each kind, and all of them on one page.",
  options = {
    width = pg.option {default = 640, help = "pixels of a figure"},
    height = pg.option {default = 480, help = "pixels of a figure"},
  },
}
local rng = ex.rng
local figures = {}

local function figure(opts)
  opts.width, opts.height = ex.options.width, ex.options.height
  return pg.plot.figure(opts)
end

local function show(name, caption, f)
  figures[#figures + 1] = f
  ex:figure(name, f, caption)
end

-- Two curves with a bound.
local epochs = pg.range(1, 400)
local loss = 0.13 + 0.55 * (epochs * -0.012):exp()
show("line", "Lines: a noisy curve, its trend, and a bound; the legend finds a free place.",
  figure {title = "Training", xlabel = "epoch", ylabel = "loss (nats a pixel)"}
    :line(epochs, loss + 0.03 * rng:standard_normal(400), {label = "last batch", width = 1})
    :line(epochs, loss, {label = "trend", width = 2})
    :hline(math.log(26) / 25, {label = "entropy"}))

-- A mean with its uncertainty.
local x = pg.linspace(-3, 3, 60)
local mean, sd = x:sin(), 0.15 + 0.1 * x * x / 9
local at = rng:uniform(-3, 3, 40)
show("band", "A band of two standard deviations, a mean, and the data.",
  figure {title = "Prediction", xlabel = "x", ylabel = "y"}
    :band(x, mean - 2 * sd, mean + 2 * sd, {label = "± 2 sd", color = 1})
    :line(x, mean, {label = "mean", color = 1})
    :scatter(at, at:sin() + 0.2 * rng:standard_normal(40), {label = "data", color = "black", size = 4}))

-- Latent codes in two and three dimensions.
local z = rng:standard_normal(2000, 3)
local z1, z2, z3 = z:slice({}, 1), z:slice({}, 2), z:slice({}, 3)
show("scatter", "Points, coloured by a third value.",
  figure {title = "Latent space, d = 2", xlabel = "Principal Component 1", ylabel = "Principal Component 2",
    aspect = "equal"}
    :scatter(z1, z2, {color = (z1 * z1 + z2 * z2):sqrt(), clabel = "distance from 0"}))
show("scatter3", "Points in space, the far ones fainter.",
  figure {title = "Latent space, d = 3", xlabel = "Principal Component 1", ylabel = "Principal Component 2",
    zlabel = "Principal Component 3"}
    :scatter3(z1, z2, z3))

-- A conditional density under its data.
local gx, gy = pg.meshgrid(pg.linspace(-2.95, 2.95, 60), pg.linspace(-3.95, 3.95, 80))
local density = ((gy - 0.8 * gx) ^ 2 * -1.4):exp() * math.sqrt(1.4 / math.pi)
local px = rng:uniform(-2.9, 2.9, 60)
show("heatmap", "A matrix as colours, with a bar, and points over it.",
  figure {title = "p(y | x) and data", xlabel = "x", ylabel = "y"}
    :heatmap(density, {x = {-3, 3}, y = {-4, 4}, cmap = "blues", label = "density"})
    :scatter(px, 0.8 * px + 0.6 * rng:standard_normal(60), {color = "red", size = 4, alpha = 1, label = "data"}))

show("histogram", "Histograms of two samples.",
  figure {title = "Two samples", xlabel = "value", ylabel = "density"}
    :hist(rng:standard_normal(2000), {density = true, label = "N(0, 1)"})
    :hist(rng:normal(1.5, 0.5, 1000), {density = true, label = "N(1.5, 0.25)", alpha = 0.6}))

show("bar", "Bars that stand on their names.",
  figure {title = "Share of variance", ylabel = "share"}
    :bar({"first", "second", "third", "fourth", "fifth"}, {0.41, 0.22, 0.13, 0.08, 0.05}))

local d = pg.array {1, 2, 4, 8, 16, 32, 64}
show("errorbar", "Error bars, on a logarithmic axis.",
  figure {title = "Quality and dimension", xlabel = "latent dimensions", ylabel = "error", xscale = "log"}
    :line(d, 2 / (1 + d:log()), {label = "expected", dash = "dashed", color = "grey"})
    :errorbar(d, 2 / (1 + d:log()) + 0.08 * rng:standard_normal(7), 0.08 + 0.15 / d, {label = "measured ± se"}))

local steps = pg.range(1, 1000)
show("log", "Both axes logarithmic.",
  figure {title = "Convergence", xlabel = "steps", ylabel = "error", xscale = "log", yscale = "log"}
    :line(steps, 1 / steps, {label = "1 / n"})
    :line(steps, 1 / steps:sqrt(), {label = "1 / √n"})
    :line(steps, 1 / (steps * steps), {label = "1 / n²"}))

-- Who likes whom: nodes coloured by three features, edges where they agree.
local features = rng:uniform(-1, 1, 15, 3)
local E = (4 * features:dot(features.T) - 1):sigmoid():gt(rng:random(15, 15)):triu(1)
show("graph", "A graph, its nodes coloured by their features.",
  figure {title = "A sampled class"}
    :graph(E, nil, {color = features / 2 + 0.5, labels = true}))

-- Rings, as a sheet of small images.
local u, v = pg.meshgrid(pg.linspace(-1, 1, 24), pg.linspace(-1, 1, 24))
local rings = {}
for k = 1, 15 do rings[k] = ((u * u + v * v):sqrt() * (2 * k)):cos() end
show("image", "Images in rows and columns.",
  figure {title = "A collage"}:image(pg.image.collage(pg.stack(rings), {rows = 3, cols = 5, gap = 2})))

show("text", "Words, rules and marks.",
  figure {title = "Marks", xlabel = "x", ylabel = "y", xlim = {0, 4}, ylim = {0, 3}}
    :vline(2):hline(1.5)
    :scatter({0.5, 1.2, 1.7}, {2.2, 2.6, 2}, {marker = "triangle", size = 9})
    :scatter({2.4, 3, 3.6}, {2.1, 2.6, 2.2}, {marker = "square", size = 9})
    :scatter({0.5, 1.1, 1.6}, {0.5, 1, 0.4}, {marker = "diamond", size = 9})
    :scatter({2.4, 3, 3.6}, {0.5, 1, 0.4}, {marker = "ring", size = 9})
    :text(2.06, 1.56, "the middle"))

-- A surface by its level lines.
local hx, hy = pg.linspace(-3, 3, 80), pg.linspace(-2, 2, 60)
local mx, my = pg.meshgrid(hx, hy)
local hills = (mx - mx ^ 3 / 9 + my ^ 3 / 3 * mx) * (-(mx ^ 2 + my ^ 2) / 2.5):exp()
show("contour", "Areas between level lines, and the lines.",
  figure {title = "Hills", xlabel = "x", ylabel = "y"}
    :contourf(hx, hy, hills, {cmap = "magma", label = "height"})
    :contour(hx, hy, hills, {color = "white", width = 0.8}))

show("boxplot", "Groups by their quartiles.",
  figure {title = "Three methods", ylabel = "error"}
    :boxplot({rng:gamma(3, 1, 200), rng:gamma(5, 0.8, 200), rng:normal(3, 0.7, 200)},
      {names = {"first", "second", "third"}}))

show("violin", "Groups by their density.",
  figure {title = "Three methods", ylabel = "error"}
    :violin({rng:gamma(3, 1, 400), rng:gamma(5, 0.8, 400),
      pg.concat({rng:normal(2, 0.4, 200), rng:normal(4, 0.4, 200)})}, {names = {"first", "second", "third"}}))

local fx, fy = pg.meshgrid(pg.linspace(-2, 2, 15), pg.linspace(-2, 2, 12))
show("quiver", "A field of vectors.",
  figure {title = "A swirl", xlabel = "x", ylabel = "y"}
    :quiver(fx, fy, -fy, fx - 0.3 * fy, {color = 1}))

local tx = pg.linspace(0, 10, 60)
local events = rng:exponential(0.8, 12):cumsum()
show("step", "Steps, and an area down to 0.",
  figure {title = "Events", xlabel = "time", ylabel = "count"}
    :fill_between(tx, tx / 0.8, {label = "expected"})
    :step(events, pg.range(1, 12), {label = "events", width = 2}))

ex:figure("all", pg.plot.grid(figures, 3, 6, {width = 6 * 320, height = 3 * 240}), "All of them on one page.")
ex:metric("figures", #figures)
