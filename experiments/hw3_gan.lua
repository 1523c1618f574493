-- SPDX-License-Identifier: MIT
-- Homework 3, part 1: a generative adversarial net of 24 x 24 faces (Goodfellow et al. 2014; Radford et al. 2016), from
-- scratch and with the decoder of a variational auto-encoder as its generator; the published second part, whose
-- generator was never trained, beside a true one.
--
--   D minimises E[bce(D(x), 0.9)] + E[bce(D(G(z)), 0)],   G minimises E[bce(D(G(z)), 1)],   z ~ N(0, I), 32 numbers
local pg = require "perigee"
local nn = pg.nn
local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")
local measures, face_vae = course.use("measures"), course.use("face_vae")

local ex = pg.experiment{
  name = "hw3_gan",
  about = "A GAN of faces from scratch, and one that begins with the decoder of a variational auto-encoder.",
  options = course.options{
    vae = pg.option{type = "file", help = "a net that hw2_vae saved; default: one is trained here"},
    vae_epochs = pg.option{default = 20, help = "its epochs here"},
    epochs = pg.option{default = 60, help = "epochs from scratch"},
    more_epochs = pg.option{default = 20, help = "epochs from the decoder"},
    batch = pg.option{default = 32, help = "faces in a step"},
    lr = pg.option{default = 2e-4, help = "learning rate of both"},
    noise = pg.option{default = 0.1, help = "standard deviation of the noise on what D sees"},
    real = pg.option{default = 0.9, help = "the label of real faces"},
    most = pg.option{type = "integer", help = "use so many faces at most"},
  },
  quick = {most = 104, vae_epochs = 12, epochs = 8, more_epochs = 4},
}
local o, side, d = ex.options, 24, 32
local net_rng, train_rng, draw_rng, vae_rng = table.unpack(ex.rng:spawn(4))
local faces, held, about = course.faces(ex, side, {most = o.most})
local X = faces:reshape(-1, 1, side, side)
ex:metric("faces", #faces)
ex:metric("faces held out", #held)

-- ---- the nets, as published -------------------------------------------------------------------------
local function leaky(x) return pg.leaky_relu(x, 0.2) end
local half = {stride = 2, padding = 1}
local function new_d()
  return nn.model(nn.sequential{nn.conv2d(1, 64, 4, half), leaky, nn.conv2d(64, 128, 4, half), nn.batch_norm(128),
    leaky, nn.flatten(), nn.linear(128 * 6 * 6, 1)}, net_rng)
end
local function new_g() -- gives logits of pixels, as the decoder does
  return nn.model(nn.sequential{nn.linear(d, 128 * 6 * 6), nn.reshape(128, 6, 6), nn.conv_transpose2d(128, 64, 4, half),
    nn.batch_norm(64), nn.relu, nn.conv_transpose2d(64, 1, 4, half)}, net_rng)
end
local function latent(n, rng) return rng:standard_normal({n, d}, "f32") end
local function images(G, z) return pg.sigmoid(G(z)):reshape(-1, side, side) end

-- ---- the game -----------------------------------------------------------------------------------------
local features = pg.ppca.fit(faces:reshape(#faces, -1):astype("f64"), math.min(16, #faces - 2))
local encoded = features:encode(faces:reshape(#faces, -1):astype("f64"))
local fixed = latent(200, draw_rng)

-- Trains G against a new D, to which real faces have the label `real`; a `frozen` G is computed but never stepped, as
-- under no_grad. Returns the curves.
local function play(name, G, epochs, real, frozen)
  local D, rng, ctx = new_d(), train_rng:spawn(1)[1], {train = true}
  local function seen(x) return x + rng:standard_normal(x.shape, "f32") * o.noise end
  local function labels(n, value) return pg.full({n, 1}, value, "f32") end
  local step_d = pg.value_and_grad(function(m, x, made)
    return nn.bce_with_logits(m(seen(x), ctx), labels(#x, real)) + nn.bce_with_logits(m(seen(made), ctx), labels(#x, 0))
  end)
  local step_g = pg.value_and_grad(function(m, z)
    return nn.bce_with_logits(D(seen(pg.sigmoid(m(z, ctx))), ctx), labels(#z, 1))
  end)
  local opt_d, opt_g = pg.optim.adam{lr = o.lr, betas = {0.5, 0.999}}, pg.optim.adam{lr = o.lr, betas = {0.5, 0.999}}
  return course.train(ex, name, epochs, {G = G, D = D, opt_d = opt_d, opt_g = opt_g, rng = rng, data = X:sum()},
    function()
      local loss_d, loss_g, steps = 0, 0, 0
      for x in pg.batches(X, {size = o.batch, rng = rng}) do
        local value, grads = step_d(D, x, pg.sigmoid(G(latent(#x, rng), ctx)))
        opt_d:step(D.params, grads)
        loss_d = loss_d + value
        value, grads = step_g(G, latent(#x, rng))
        if not frozen then opt_g:step(G.params, grads) end
        loss_g, steps = loss_g + value, steps + 1
      end
      local made = images(G, fixed)
      local code = features:encode(made:reshape(200, -1):astype("f64"))
      return {[name .. ": loss of D"] = loss_d / steps, [name .. ": loss of G"] = loss_g / steps,
        [name .. ": Frechet distance"] = measures.frechet(encoded, code),
        [name .. ": mean distance of two faces"] = measures.spread(made)}
    end)
end
local function collage(a, cols) return course.collage(a, cols) end

-- ---- 3-1(a): from scratch --------------------------------------------------------------------------------
local G = new_g()
local D_size = new_d().nparams
ex:metric("parameters of G", G.nparams, {report = 284353})
ex:metric("parameters of D", D_size, {report = 137153})
local scratch = play("scratch", G, o.epochs, o.real)
local z = latent(20, draw_rng)
ex:figure("scratch", collage(images(G, z), 10), "3-1(a): 20 faces of the GAN from scratch.",
  {report = "all faces smile, most have defects"})
local ten = images(G, z:slice{1, 10})
local _, nearest = measures.nearest(ten, faces)
ex:figure("nearest", collage(pg.concat{ten, faces:take(nearest)}, 10),
  "3-1(a): ten of them, and below each the nearest face of the training data.")

-- ---- the auto-encoder whose decoder part (b) begins with -----------------------------------------------
local vae = face_vae.new(net_rng)
if o.vae then
  vae:load(o.vae)
else
  local opt, ctx = pg.optim.adam{lr = 1e-3}, {train = true}
  local step = pg.value_and_grad(function(m, x)
    local missed, kl = face_vae.terms(m, x, ctx, vae_rng)
    return (missed + kl * 0.95) / #x
  end)
  course.train(ex, "vae", o.vae_epochs, {net = vae, opt = opt, rng = vae_rng, data = X:sum()}, function()
    local sum, steps = 0, 0
    for x in pg.batches(X, {size = 32, rng = vae_rng, drop_last = true}) do
      local value, grads = step(vae, x)
      opt:step(vae.params, grads)
      sum, steps = sum + value, steps + 1
    end
    return {["VAE: -ELBO"] = sum / steps}
  end)
end

-- ---- 3-1(b): from its decoder, as published and trained ------------------------------------------------
-- Real faces have the label 1 here: with 0.9 the loss of D is never below 0.325, and it could not be 1,000 times
-- less than G's, as reported.
local function decoder()
  local net = nn.model(face_vae.decoder(), net_rng)
  net.params:assign(vae.decoder.params)
  return net
end
local frozen, trained = decoder(), decoder()
local as_published = play("published", frozen, o.more_epochs, 1, true)
local as_meant = play("trained", trained, o.more_epochs, 1)
local function moved(net) return (net.params - vae.decoder.params):abs():max() end
local function ratio(curves, name) return curves[name .. ": loss of G"][-1] / curves[name .. ": loss of D"][-1] end
ex:metric("published: largest change of a parameter of G", moved(frozen))
ex:metric("trained: largest change of a parameter of G", moved(trained))
ex:metric("published: loss of G over loss of D", ratio(as_published, "published"), {report = "1,000 to 10,000"})
ex:metric("trained: loss of G over loss of D", ratio(as_meant, "trained"))
ex:figure("decoder", pg.image.collage(pg.concat{images(vae.decoder, z), images(frozen, z), images(trained, z)},
  {rows = 6, cols = 10, range = {0, 1}, scale = 3, row_labels = {"VAE", "", "published", "", "trained", ""}}),
  "3-1(b): 20 faces each from the same z: of the VAE, of the published second part, and of one that is trained.",
  {report = "essentially the same faces as the VAE's"})

-- ---- losses and measures -------------------------------------------------------------------------------
local function panel(title, what, log)
  local figure = pg.plot.figure{title = title, xlabel = "epoch", width = 480, height = 360,
    yscale = log and "log" or nil}
  for _, run in ipairs{{"scratch", scratch}, {"published", as_published}, {"trained", as_meant}} do
    figure:line(run[2][run[1] .. ": " .. what], {label = run[1]})
  end
  return figure:legend()
end
ex:figure("training", pg.plot.grid({panel("loss of D", "loss of D", true), panel("loss of G", "loss of G", true),
  panel("Frechet distance of PPCA's latent means", "Frechet distance", true),
  panel("mean distance of two faces", "mean distance of two faces")}, 2, 2),
  "The three games. The Frechet distance is between normal distributions of PPCA's 16 latent means; two faces that are "
  .. "alike are near each other, so that a fall of the last curve is collapse.")
local many = latent(400, draw_rng)
local rows = {}
for k, set in ipairs{{"real faces held out", held}, {"GAN from scratch", images(G, many)},
  {"VAE", images(vae.decoder, many)}, {"GAN from the decoder, published", images(frozen, many)},
  {"GAN from the decoder, trained", images(trained, many)}} do
  local m = measures.all(faces, set[2])
  rows[k] = {set[1], #set[2], m.nearest, m.spread, m.coverage, m.frechet}
  if k > 1 then
    ex:metric(set[1] .. ": Frechet distance of PPCA's latent means", m.frechet)
    ex:metric(set[1] .. ": coverage", m.coverage)
  end
end
local real_spread = measures.spread(faces:slice{1, math.min(#faces, 1000)})
ex:table("measures", {"faces", "how many", "distance from the nearest face", "mean distance of two", "coverage",
  "Frechet distance"}, rows, ("Against the training data, whose faces are %.3f from each other in the mean; pixels lie "
  .. "in [0, 1], distances are root mean squares. Coverage is the share of training faces that have a made one "
  .. "as near as their own fifth neighbour. Frechet: of PPCA's %d latent means."):format(real_spread, features.d))
ex:table("theirs", {"", "published", "here"}, {
  {"parameters of G and D", "284,353 and 137,153", ("%d and %d"):format(G.nparams, D_size)},
  {"faces", "23,042", about},
  {"3-1(b): parameters of G that changed", "none (its forward pass stood under no_grad)",
    ("%s; trained: all, by up to %.3f"):format(moved(frozen) == 0 and "none, as published" or "some", moved(trained))},
  {"3-1(b): loss of G / loss of D", "1,000 to 10,000", ("%.0f as published, %.1f trained"):format(
    ratio(as_published, "published"), ratio(as_meant, "trained"))},
}, "Theirs beside ours.")
ex:note(string.format([[
**3-1(a).** From scratch the Frechet distance falls from %.2f to %.2f. Two made faces are %.3f apart in the mean, two
real ones %.3f: were G to collapse to one face, it would be near 0. Most faces have defects, and noise up to what D is
shown (%g) is never punished.

**3-1(b).** The published generator stood under no_grad: none of its parameters moved, so its faces are the VAE's, to
the bit, and D, which trains against a G that cannot answer, wins: its loss is %.0f times below G's. The report saw just
that and blamed D. Trained, the same start ends with G's loss %.1f times D's, and its faces leave the VAE's: sharper and
noisier, %.3f apart where the VAE's are %.3f, at a Frechet distance of %.2f instead of %.2f. Coverage (%.2f and
%.2f) is to be read with care: a blurred face is near many faces, pixel by pixel, and like none of them.]],
  scratch["scratch: Frechet distance"][1], scratch["scratch: Frechet distance"][-1], rows[2][4], real_spread, o.noise,
  ratio(as_published, "published"), ratio(as_meant, "trained"), rows[5][4], rows[3][4], rows[5][6], rows[3][6],
  rows[5][5], rows[3][5]))
