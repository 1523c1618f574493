-- SPDX-License-Identifier: MIT
-- A small residual net of convolutions (He, Zhang, Ren & Sun 2016) that classifies 28x28 images: Fashion-MNIST.
--
--   vendor/datasets.sh fashion; perigee examples/resnet.lua [--quick] [--epochs 2] [--images 60000]
local pg = require "perigee"
local nn = pg.nn
local ex = pg.experiment{name = "resnet", quick = {epochs = 8, images = 600, channels = 4, lr = 1e-2},
  options = {epochs = 2, images = 60000, batch = 64, channels = 16, lr = 3e-3}}
local o, rng = ex.options, ex.rng

-- At most n images n x 1 x 28 x 28 as bytes and classes from 1. Without the files, and in a quick run: a bar in one of
-- four directions in noise.
local function data(part, n)
  local images = not ex.quick and ex:data(part .. "-images-idx3-ubyte.gz", {optional = true})
  if images then
    local x, y = pg.load(images), pg.load(ex:data(part .. "-labels-idx1-ubyte.gz")):astype("f32") + 1
    n = math.min(n, #x)
    return x:slice{1, n}:expand_dims(2), y:slice{1, n}, 10
  end
  local classes = rng:integers(1, 4, n)
  local angle = (classes - 1):reshape(n, 1, 1) * (math.pi / 4)
  local at = pg.range(-13.5, 13.5)
  local u, v = at:reshape(1, 1, 28) - rng:uniform(-6, 6, n, 1, 1), at:reshape(1, 28, 1) - rng:uniform(-6, 6, n, 1, 1)
  local along, across = u * pg.cos(angle) + v * pg.sin(angle), v * pg.cos(angle) - u * pg.sin(angle)
  local ink = pg.exp(-pg.square(across / 1.5) - pg.square(along / 6))
  return pg.floor(180 * ink + rng:uniform(0, 75, n, 28, 28)):astype("u8"):expand_dims(2), classes, 4
end
local X, y, classes = data("train", o.images)
local Xt, yt = data("t10k", ex.quick and 200 or 10000)

-- x + f(x), where f halves the image and changes the channels if stride is 2; x is then brought along by a 1x1 kernel.
local function block(i, c, stride)
  local same = i == c and stride == 1
  return nn.module({c1 = nn.conv2d(i, c, 3, {padding = 1, stride = stride, bias = false}), b1 = nn.batch_norm(c),
    c2 = nn.conv2d(c, c, 3, {padding = 1, bias = false}), b2 = nn.batch_norm(c),
    skip = not same and nn.conv2d(i, c, 1, {stride = stride}) or nil}, function(m, x, ctx)
    local h = m.b2(m.c2(nn.relu(m.b1(m.c1(x), ctx))), ctx)
    return nn.relu(h + (same and x or m.skip(x)))
  end)
end
local c = o.channels
local net = nn.model(nn.module({
  stem = nn.sequential{nn.conv2d(1, c, 3, {padding = 1, bias = false}), nn.batch_norm(c), nn.relu},
  blocks = nn.sequential{block(c, c, 1), block(c, 2 * c, 2), block(2 * c, 4 * c, 2)},
  head = nn.linear(4 * c, classes),
}, function(m, x, ctx)
  return m.head(m.blocks(m.stem(x, ctx), ctx):mean{3, 4}) -- the mean of each channel, then the classes
end), rng)
print(net)

local function loss(m, x, class, ctx) return nn.cross_entropy(m(x / 255, ctx), class) end
local steps = o.epochs * math.ceil(#X / o.batch)
nn.fit(net, loss, {X, y}, {epochs = o.epochs, batch = o.batch, rng = rng, dtype = "f32", validation = {Xt, yt},
  optimizer = pg.optim.adamw{lr = pg.optim.cosine(o.lr, steps, {warmup = steps // 10})}, on_epoch = function(e)
    ex:metric("training loss", e.loss, e.epoch)
    ex:metric("test loss", e.validation, e.epoch)
  end})

-- The most probable class of each test image, 500 at a time, and its probability.
local found, sure = {}, {}
for x in pg.batches(Xt, {size = 500, dtype = "f32"}) do
  local p = pg.softmax(net(x / 255), 2)
  found[#found + 1], sure[#sure + 1] = p:argmax(2), p:max(2)
end
found, sure = pg.concat(found), pg.concat(sure)
local right = found:eq(yt)
ex:metric("test accuracy", right:mean())
net:save(ex.dir .. "/resnet.npz")

-- Of the images of about the same certainty, how many are right.
local bins, certain, share = pg.clip(pg.floor(sure * 10), 0, 9), {}, {}
for k = 0, 9 do
  local here = bins:eq(k)
  if here:any() then
    certain[#certain + 1], share[#share + 1] = sure:compress(here):mean(), right:compress(here):mean()
  end
end
ex:figure("certainty", pg.plot.figure{title = "how far the net is right about itself",
  xlabel = "probability that it gives", ylabel = "share that is right"}:line({0, 1}, {0, 1}, {label = "equal"})
  :scatter(certain, share, {label = "test images"}):legend(), "Test images in tenths of certainty")
