-- SPDX-License-Identifier: MIT
-- The course's variational auto-encoder of 24 x 24 faces (Kingma & Welling 2014), 297,985 parameters: q(z | x) = N(mu,
-- diag exp logvar) by an encoder with strided convolutions, p(x | z) of independent pixels by a decoder that gives the
-- logit of each. Homework 2 trains it, and homework 3 begins a generator from its decoder.
local pg = require "perigee"
local nn = pg.nn

local vae = {d = 32}

local function down(i, o, k)
  return {nn.conv2d(i, o, k, {stride = 2, padding = k // 2}), nn.relu, nn.batch_norm(o)}
end

local function up(i, o)
  return nn.conv_transpose2d(i, o, 3, {stride = 2, padding = 1, output_padding = 1})
end

-- n x 1 x 24 x 24 to n x 1152.
function vae.encoder()
  return nn.sequential{nn.sequential(down(1, 32, 5)), nn.sequential(down(32, 64, 3)), nn.sequential(down(64, 128, 3)),
    nn.flatten()}
end

-- z, n x 32, to logits n x 1 x 24 x 24.
function vae.decoder()
  return nn.sequential{nn.linear(vae.d, 1152), nn.reshape(128, 3, 3), up(128, 64), nn.relu, up(64, 32), nn.relu,
    up(32, 1)}
end

-- The auto-encoder is the same net without logvar: 261,089 parameters.
function vae.new(rng, plain)
  return nn.model({encoder = vae.encoder(), mu = nn.linear(1152, vae.d),
    logvar = not plain and nn.linear(1152, vae.d) or nil, decoder = vae.decoder()}, rng)
end

-- Of images n x 1 x 24 x 24: minus log p(x | z) of z drawn from q(z | x), and KL(q(z | x) || N(0, I)), each summed over
-- the batch. Without logvar z is mu, and the second is 0.
function vae.terms(net, x, ctx, rng)
  local h = net.encoder(x, ctx)
  local mu = net.mu(h)
  local z, kl = mu, 0
  local logvar = rng and net.logvar(h)
  if logvar then
    z = mu + pg.exp(logvar / 2) * rng:standard_normal(mu.shape, "f32")
    kl = nn.kl_normal(mu, logvar):sum()
  end
  return nn.bce_with_logits(net.decoder(z), x, {reduction = "sum"}), kl
end

-- Faces n x 24 x 24 of latents z.
function vae.faces(net, z) return pg.sigmoid(net.decoder(z)):reshape(-1, 24, 24) end

return vae
