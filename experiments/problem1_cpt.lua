-- SPDX-License-Identifier: MIT
-- Homework problem 1(a): 100 images from conditional probability tables, and 1(c): the floor below
-- which no model's loss on them can fall.
local pg = require "perigee"

local ex = pg.experiment{
  name = "problem1_cpt",
  about = "Samples binary images, pixel by pixel, from conditional probability tables.",
  options = {
    cpts = pg.option{type = "file", help = "the tables, image_cpts.pkl or .pkl.gz (default: from the glyphs)"},
    glyphs = pg.option{type = "string", default = "data/letters.txt", help = "the images to make tables of, # for ink"},
    samples = pg.option{type = "integer", default = 100, help = "images to draw; 10 in a row"},
  },
}

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

local model
if ex.options.cpts then
  model = pg.cpt.new(pg.load(ex.options.cpts))
else
  model = pg.cpt.estimate(read_glyphs(ex:data(ex.options.glyphs)))
end
print(model)

local side = math.floor(math.sqrt(model.d) + 0.5)
if side * side ~= model.d then error("images of " .. model.d .. " pixels are not square") end

-- 1 is ink: drawn black on white.
local function collage(images, opts)
  opts.gap, opts.range, opts.invert = 1, {0, 1}, true
  return pg.image.collage(images:reshape(#images, side, side), opts)
end

local drawn = model:sample(ex.options.samples, ex.rng)
ex:figure("samples", collage(drawn, {cols = 10, scale = 8, border = 1}),
  string.format("%d images drawn pixel by pixel from the tables", ex.options.samples), {
    report = "Figure 1: 100 lowercase letters of 5 x 5 pixels, black on white, one white pixel between images",
  })

local images, p = model:support()
local names = {}
for i, image in ipairs(images:totable()) do names[table.concat(image)] = i end
local seen, shown = {}, 0
for _, image in ipairs(drawn:totable()) do
  local i = names[table.concat(image)]
  if not seen[i] then seen[i], shown = true, shown + 1 end
end

local rows = {}
for i = 1, #p do rows[i] = {i, p[i], seen[i] and "yes" or "no"} end
ex:figure("support", collage(images, {cols = 13, scale = 8, border = 1}),
  string.format("all %d images with positive probability, in ascending order of their pixels", #p))
ex:table("support", {"image", "probability", "among the samples"}, rows,
  "the model's support, computed from the tables")

local entropy = model:entropy()
ex:metric("images in the support", #p)
ex:metric("of them among the samples", shown)
ex:metric("largest probability", p:max())
ex:metric("smallest probability", p:min())
ex:metric("entropy, nats an image", entropy)
ex:metric("entropy, nats a pixel", entropy / model.d)
ex:metric("entries of dense tables", model.entries)
ex:metric("free parameters of dense tables", model.free)
ex:metric("entries stored", model.stored)

-- The chance that n draws show all k equally likely images, by inclusion and exclusion.
local function all_shown(k, n)
  local sum, choose = 0.0, 1.0
  for j = 0, k do
    sum = sum + (j % 2 == 0 and 1 or -1) * choose * ((k - j) / k) ^ n
    choose = choose * (k - j) / (j + 1)
  end
  return sum
end

ex:note(string.format([[
**How many images there are** is read off the tables themselves (`model:support()`), not off the samples: the %d
samples show %d of the %d.%s

**Why the training loss of a model of these images never reaches 0** (problem 1c): the images are random. Their
entropy is %.6f nats an image, log(%d) = %.6f where all are equally likely, so %.5f nats a pixel, and the mean
cross-entropy of any model, however large, is at least that. What a model's loss has above it is what it has not learnt.
]], ex.options.samples, shown, #p,
  p:max() - p:min() < 1e-12 and string.format(" As all are equally likely, %d samples show every one with "
    .. "probability %.2f.", ex.options.samples, all_shown(#p, ex.options.samples)) or "",
  entropy, #p, math.log(#p), entropy / model.d))
