-- SPDX-License-Identifier: MIT
-- A variational auto-encoder of 28x28 images (Kingma & Welling 2014): Bernoulli decoder, 784-400-20.
--
--   vendor/datasets.sh fashion; perigee examples/vae.lua [--quick] [--epochs 5] [--beta 1]
local pg = require "perigee"
local nn = pg.nn
local ex = pg.experiment{name = "vae", quick = {epochs = 5, hidden = 64, d = 4, lr = 3e-3},
  options = {epochs = 5, batch = 128, hidden = 400, d = 20, lr = 1e-3, beta = 1.0}}
local o, rng = ex.options, ex.rng

-- Images n x 784 as bytes. Without the files, and in a quick run: a bright bar whose place, size and slope vary.
local function data(part, n)
  local images = not ex.quick and ex:data(part .. "-images-idx3-ubyte.gz", {optional = true})
  if images then return pg.load(images):reshape(-1, 784) end
  local at = pg.range(1, 28):expand_dims(1)
  local function each(low, high) return rng:uniform(low, high, n, 1, 1) end
  local u, v = at:expand_dims(1) - each(10, 18), at:expand_dims(3) - each(10, 18) -- n x 1 x 28, n x 28 x 1
  local width, slope = each(2, 5), each(-1, 1)
  local ink = pg.exp(-pg.square((u - slope * v) / width)) * pg.exp(-pg.square(v / 8))
  return pg.floor(255 * ink):reshape(n, 784):astype("u8")
end
local X, Xt = data("train", 2000), data("t10k", 500)

local net = nn.model({
  encoder = nn.sequential{nn.linear(784, o.hidden), nn.relu},
  mu = nn.linear(o.hidden, o.d), logvar = nn.linear(o.hidden, o.d),
  decoder = nn.sequential{nn.linear(o.d, o.hidden), nn.relu, nn.linear(o.hidden, 784)},
}, rng)
print(net)

-- Minus the evidence lower bound of an image, in nats: -E[log p(x | z)] + beta KL(q(z | x) || N(0, I)).
local function loss(m, bytes)
  local x = bytes / 255
  local h = m.encoder(x)
  local mu, logvar = m.mu(h), m.logvar(h)
  local z = mu + pg.exp(logvar / 2) * rng:standard_normal(mu.shape, "f32")
  local missed = nn.bce_with_logits(m.decoder(z), x, {reduction = "sum"})
  return (missed + o.beta * nn.kl_normal(mu, logvar):sum()) / #x
end

nn.fit(net, loss, X, {epochs = o.epochs, batch = o.batch, rng = rng, dtype = "f32", validation = Xt,
  optimizer = pg.optim.adam{lr = o.lr}, on_epoch = function(e)
    ex:metric("-ELBO", e.loss, e.epoch)
    ex:metric("test -ELBO", e.validation, e.epoch)
  end})
net:save(ex.dir .. "/vae.npz")

local function images(z) return pg.sigmoid(net.decoder(z)):reshape(-1, 28, 28) end
local function collage(a, rows, cols)
  return pg.image.collage(a, {rows = rows, cols = cols, range = {0, 1}, scale = 2})
end
local x = Xt:slice{1, 10}:astype("f32") / 255
ex:figure("reconstructions", collage(pg.concat({x:reshape(-1, 28, 28), images(net.mu(net.encoder(x)))}, 1), 2, 10),
  "Ten test images, and below what is left of them after " .. o.d .. " numbers")
ex:figure("samples", collage(images(rng:standard_normal(100, o.d, "f32")), 10, 10), "100 images drawn from p(z)")
local ends = net.mu(net.encoder(x))
local t = pg.linspace(0, 1, 10):astype("f32"):expand_dims(2)
local function between(a, b) return images(a + (b - a) * t) end
ex:figure("line", collage(pg.concat({between(ends[1], ends[2]), between(ends[3], ends[4])}, 1), 2, 10),
  "From the first image to the second and from the third to the fourth, straight through latent space")
