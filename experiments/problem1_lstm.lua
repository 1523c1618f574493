-- SPDX-License-Identifier: MIT
-- Homework problem 1(b): a 2-layer LSTM in place of the tables, trained as the report did and then to the floor; and
-- 1(c), why its loss never reaches 0.
local pg = require "perigee"

local ex = pg.experiment{
  name = "problem1_lstm",
  about = "Trains an LSTM on the images that conditional probability tables give, and samples it.",
  options = {
    cpts = pg.option{type = "file", help = "the tables, image_cpts.pkl or .pkl.gz (default: from the glyphs)"},
    glyphs = pg.option{type = "string", default = "data/letters.txt", help = "the images to make tables of, # for ink"},
    hidden = pg.option{type = "integer", default = 32, help = "hidden units of each layer"},
    layers = pg.option{type = "integer", default = 2, help = "layers"},
    epochs = pg.option{type = "integer", default = 400, help = "epochs in the report's setting, one image a step"},
    lr = pg.option{type = "number", default = 1e-3, help = "its learning rate"},
    floor_epochs = pg.option{type = "integer", default = 1500, help = "steps of the second training, all images each"},
    floor_lr = pg.option{type = "number", default = 1e-2, help = "its first learning rate, which falls as a cosine"},
    samples = pg.option{type = "integer", default = 1000, help = "images to draw from the net"},
  },
  quick = {epochs = 40, floor_epochs = 600},
}
local o = ex.options
local sampling_rng, report_rng, floor_rng, draw_rng = table.unpack(ex.rng:spawn(4))

-- Glyphs as in letters.txt: a line with the name, then rows of # and dots.
local function read_glyphs(path)
  local images, rows = {}, {}
  for line in io.lines(path) do
    if line:find("^[#.]+$") then
      local row = {}
      for pixel in line:gmatch(".") do row[#row + 1] = pixel == "#" and 1 or 0 end
      rows[#rows + 1] = row
      if #rows == #row then images[#images + 1], rows = rows, {} end
    end
  end
  return pg.array(images)
end

local tables
if o.cpts then
  tables = pg.cpt.new(pg.load(o.cpts))
else
  tables = pg.cpt.estimate(read_glyphs(ex:data(o.glyphs)))
end

-- The images by sampling the tables, 100 at a time, until none of their support is missing.
local support, share = tables:support()
local images, draws = pg.unique(tables:sample(100, sampling_rng), 1), 100
while #images < #support do
  images = pg.unique(pg.concat({images, tables:sample(100, sampling_rng)}, 1), 1)
  draws = draws + 100
end
local count, pixels = images:dims()
local side = math.floor(math.sqrt(pixels) + 0.5)
if side * side ~= pixels then error("images of " .. pixels .. " pixels are not square") end
local x, y = pg.lstm.shift(images)
local floor = tables:entropy() / pixels

local index = {}
for i, image in ipairs(images:totable()) do index[table.concat(image)] = i end

-- How often each image is among the samples, and how many samples are one.
local function tally(samples)
  local counts, known = pg.zeros(count), 0
  for _, image in ipairs(samples:totable()) do
    local i = index[table.concat(image)]
    if i then counts[i], known = counts[i] + 1, known + 1 end
  end
  return counts, known
end

-- 1 is ink: drawn black on white.
local function collage(samples)
  return pg.image.collage(samples:reshape(#samples, side, side), {cols = 10, scale = 8, gap = 1, range = {0, 1},
    invert = true})
end

local function new_net(rng)
  return pg.lstm.new{input_size = 1, hidden_size = o.hidden, num_layers = o.layers, output_size = 1, rng = rng}
end

-- What the report did to sample: a random number as the first input, then always the likelier bit.
local function thresholded(net, n, rng)
  local input, state, bits = rng:random(n, 1, 1):astype("f32"), nil, {}
  for step = 1, pixels do
    local logits
    logits, state = net:forward(input, state)
    input = logits:gt(0)
    bits[step] = input:reshape(n, 1)
  end
  return pg.concat(bits, 2)
end

-- ---- the report's setting ---------------------------------------------------------------------

local net = new_net(report_rng)
local over_all = {}
local history = net:fit(x, y, {epochs = o.epochs, batch = 1, rng = report_rng, optimizer = pg.optim.adam{lr = o.lr},
  on_epoch = function(s) over_all[s.epoch] = net:loss(x, y) end})
local report_loss = net:loss(x, y)

ex:metric("images found by sampling the tables", count)
ex:metric("samples that took", draws)
ex:metric("parameters", net.nparams)
ex:metric("entries of dense tables", tables.entries)
ex:metric("free parameters of dense tables", tables.free)
ex:metric("bytes of the net, f32", 4 * net.nparams)
ex:metric("bytes of dense tables, f64", 8 * tables.entries)
ex:metric("floor: entropy, nats a pixel", floor)

ex:figure("report_training", pg.plot.figure{title = "Training, one image a step", xlabel = "epoch",
  ylabel = "loss, nats a pixel", ylim = {0, math.max(0.75, history.last:max() * 1.05)}}
    :line(history.last, {label = "last image of the epoch", width = 0.7, color = "#9bb8d3"})
    :line(over_all, {label = "all images"})
    :hline(floor, {color = "black", dash = "dashed", label = "floor"}):legend(),
  string.format("Adam, lr %g, one image a step: the loss of whichever image came last jumps; that of all %d falls to "
    .. "%.3f.", o.lr, count, report_loss),
  {report = "Figure 2b: loss of the last image of each epoch, from about 0.7 to a noisy 0.163 at epoch 400"})
ex:metric("report's setting: loss of the last image", history.last[-1], {report = 0.163})
ex:metric("report's setting: loss over all images", report_loss)

-- ---- to the floor -----------------------------------------------------------------------------

local best = new_net(floor_rng)
local steps = o.floor_epochs
local floor_history = best:fit(x, y, {epochs = steps, optimizer = pg.optim.adam{
  lr = function(t) return o.floor_lr / 2 * (1 + math.cos(math.pi * (t - 1) / steps)) end}})
local loss = best:loss(x, y)
local samples = best:sample(o.samples, draw_rng, {steps = pixels})
local counts, known = tally(samples)
local _, known_report = tally(net:sample(o.samples, draw_rng, {steps = pixels}))
local expected = share * known
local chi2 = (pg.square(counts - expected) / expected):sum()
local p_value = pg.stats.chi2_sf(chi2, count - 1)

ex:figure("floor_training", pg.plot.figure{title = "Training to the floor", xlabel = "step",
  ylabel = "loss above the floor, nats a pixel", yscale = "log"}
    :line(floor_history.loss - floor, {label = "all images a step"}),
  string.format("Adam from lr %g, falling as a cosine, all %d images a step: after %d steps the loss is %.4f, the "
    .. "floor %.4f.", o.floor_lr, count, steps, loss, floor))
ex:metric("to the floor: loss over all images", loss)
ex:metric("to the floor: loss above the floor", loss - floor)
ex:metric("samples that are one of the images, report's setting", known_report / o.samples)
ex:metric("samples that are one of the images, to the floor", known / o.samples)
ex:metric("chi-square of their frequencies", chi2)
ex:metric("its p-value, " .. count - 1 .. " degrees of freedom", p_value)

-- ---- sampling wrongly and rightly -------------------------------------------------------------

local wrong = thresholded(net, 100, draw_rng)
local _, wrong_known = tally(wrong)
local kinds = #pg.unique(wrong, 1)
ex:figure("thresholded", collage(wrong),
  string.format("Sampled as in the report, from its setting: a random number as the first input, then every pixel "
    .. "rounded to the likelier value. Only that number is random, so 100 images show %d kinds (%d of the 100 are "
    .. "letters): not samples of the model.", kinds, wrong_known),
  {report = "Figure 2a: few different letters, many times each"})
ex:figure("samples", collage(samples:slice({1, 100})),
  string.format("Sampled from the model trained to the floor: each pixel is drawn with the probability the model gives "
    .. "it after those before, the first input is 0. %.1f%% of %d such images are one of the %d.",
    100 * known / o.samples, o.samples, count))
ex:figure("frequencies", pg.plot.figure{title = "How often each image was drawn", xlabel = "image, in ascending order",
  ylabel = "times"}:bar(counts):line(expected, {color = "black", dash = "dashed", label = "by the tables"}):legend(),
  string.format("chi-square %.1f with %d degrees of freedom, p = %.3f", chi2, count - 1, p_value))

ex:note(string.format([[
**The LSTM against the tables** (problem 1b). The net has %d parameters, dense tables for %d pixels have %d entries, of
which %d are free (each pair sums to 1): %.0f times as many. After %d steps on all images %.1f%% of what it draws are
letters; of their frequencies against the tables' the chi-square is %.1f (p = %.3f). In the report's setting (one image
a step, %d epochs) the loss over all images is %.3f and %.1f%% are letters: more of the same training would help, and
the loss of the last image alone, which the report plots, says little.

**Why the training loss never reaches 0** (problem 1c). The loss is a mean of -log p(pixel), and the pixels are random:
the first ones, for instance, cannot be known before the letter is. Summed over an image its mean is the cross-entropy
between the images' distribution and the model's, so at least the entropy: log(%d) = %.4f nats an image where all %d are
equally likely, %.5f nats a pixel. The model reaches %.5f; the rest, %.5f, is what it has not learnt.
]], net.nparams, pixels, tables.entries, tables.free, tables.free / net.nparams, steps, 100 * known / o.samples,
  chi2, p_value, o.epochs, report_loss, 100 * known_report / o.samples, count, math.log(count),
  count, floor, loss, loss - floor))
