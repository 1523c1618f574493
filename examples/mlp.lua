-- SPDX-License-Identifier: MIT
-- A classifier of 28x28 images with two hidden layers, by nn.fit: Fashion-MNIST (Xiao, Rasul & Vollgraf 2017).
--
--   vendor/datasets.sh fashion; perigee examples/mlp.lua [--quick] [--epochs 10] [--hidden 512]
local pg = require "perigee"
local nn = pg.nn
local ex = pg.experiment{name = "mlp", quick = {epochs = 5, hidden = 64},
  options = {epochs = 10, batch = 64, hidden = 512, lr = 1e-3, dropout = 0.2}}
local o, rng = ex.options, ex.rng
local names = {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"}

-- Images n x 784 as bytes and classes 1 to 10. Without the files, and in a quick run: a bright square at one of ten
-- places in noise.
local function data(part, n)
  local images = not ex.quick and ex:data(part .. "-images-idx3-ubyte.gz", {optional = true})
  if images then
    return pg.load(images):reshape(-1, 784), pg.load(ex:data(part .. "-labels-idx1-ubyte.gz")):astype("f32") + 1
  end
  local x, classes = rng:integers(0, 150, n, 28, 28), rng:integers(1, 10, n)
  for i, class in ipairs(classes) do
    local row, col = 4 + 14 * ((class - 1) // 5) // 1 | 0, 1 + 5 * ((class - 1) % 5) // 1 | 0
    x[{i, {row, row + 7}, {col, col + 6}}] = x[{i, {row, row + 7}, {col, col + 6}}] + 60
  end
  return x:reshape(n, 784):astype("u8"), classes
end
local X, y = data("train", 2000)
local Xt, yt = data("t10k", 500)

local net = nn.model(nn.sequential{nn.linear(784, o.hidden), nn.relu, nn.dropout(o.dropout),
  nn.linear(o.hidden, o.hidden), nn.relu, nn.dropout(o.dropout), nn.linear(o.hidden, 10)}, rng)
print(net)
local function loss(m, x, classes, ctx) return nn.cross_entropy(m(x / 255, ctx), classes) end

-- The most probable class of each image, 1000 at a time.
local function classify(images)
  local found = {}
  for x in pg.batches(images, {size = 1000, dtype = "f32"}) do found[#found + 1] = net(x / 255):argmax(2) end
  return pg.concat(found)
end

local history = nn.fit(net, loss, {X, y}, {epochs = o.epochs, batch = o.batch, rng = rng, dtype = "f32",
  validation = {Xt, yt}, optimizer = pg.optim.adam{lr = o.lr}, on_epoch = function(e)
    ex:metric("training loss", e.loss, e.epoch)
    ex:metric("test loss", e.validation, e.epoch)
  end})
local found = classify(Xt)
ex:metric("test accuracy", found:eq(yt):mean())
net:save(ex.dir .. "/mlp.npz")

-- Rows: what is shown; columns: what the net says.
local confusion = pg.one_hot(yt, 10).T:dot(pg.one_hot(found, 10))
ex:table("confusion", {"", table.unpack(names)}, (function()
  local rows = {}
  for i, name in ipairs(names) do rows[i] = {name, table.unpack(confusion[i]:totable())} end
  return rows
end)())
local epochs = pg.range(1, history.epochs)
ex:figure("loss", pg.plot.figure{title = "cross-entropy", xlabel = "epoch", ylabel = "nats"}
  :line(epochs, history.loss, {label = "training"}):line(epochs, history.validation, {label = "test"}):legend(),
  "Loss an epoch; in training with dropout")
