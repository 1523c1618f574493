-- SPDX-License-Identifier: MIT
-- Probabilistic PCA of 60,000 x 784 Fashion-MNIST: in one go, in chunks, and with missing pixels.
local pg = require "perigee"

local ex = pg.experiment{
  name = "fashion_ppca",
  options = {
    d = 64,
    images = pg.option{type = "file", help = "an IDX file of images, such as train-images-idx3-ubyte.gz"},
  },
  quick = {d = 8},
}

local path = ex.options.images or "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
local file = io.open(path)
if not file then
  ex:skip("no Fashion-MNIST; sudo apt-get install dataset-fashion-mnist, or give --images FILE")
end
file:close()

local images = pg.load(path) / 255
if ex.quick then images = images:slice{1, 2000} end
local n, h, w = images:dims()
local X = images:reshape(n, h * w)

local start = pg.clock()
local model = pg.ppca.fit(X, ex.options.d)
local seconds = pg.clock() - start

start = pg.clock()
local acc = pg.ppca.accumulate()
for first = 1, n, 5000 do acc:add(X:slice{first, math.min(first + 4999, n)}) end
local streamed = acc:fit(ex.options.d)
local streaming = pg.clock() - start
print(string.format("fit %.2f s, in chunks %.2f s", seconds, streaming))

ex:metric("images", n)
ex:metric("sigma2", model.sigma2)
ex:metric("share of variance", model:explained():sum())
ex:metric("log-likelihood an image", model:loglik(X) / n)
ex:metric("streamed: relative difference in sigma2", math.abs(streamed.sigma2 / model.sigma2 - 1))

local some = ex.rng:choice(n, 50, {replace = false})
local originals = X:take(some)
local function collage(rows)
  return pg.image.collage(rows:reshape(-1, h, w), {rows = 5, cols = 10, range = {0, 1}, scale = 2})
end
local function beside(a, b)
  -- Missing pixels are drawn in a colour.
  if a.ndim > b.ndim then b = pg.stack({b, b, b}, 3) end
  return pg.image.collage(pg.stack({a, b}, 1), {rows = 1, cols = 2, gap = 12, range = {0, 255}})
end
ex:figure("reconstructions", beside(collage(originals), collage(model:reconstruct(originals))),
  string.format("50 images and their reconstructions, d = %d.", ex.options.d))

local holes = pg.where(ex.rng:random(50, h * w):lt(0.5), 0 / 0, originals)
ex:figure("imputed", beside(collage(holes), collage(model:impute(holes))),
  "Half of the pixels taken away, and put back from the rest.")
ex:metric("imputation: mean squared error", (model:impute(holes) - originals):square():mean())
ex:figure("samples", collage(model:sample(50, ex.rng)), "New images, E[x|z] for z from N(0, I).")
