-- SPDX-License-Identifier: MIT
-- Homework 2, part 1: a variational auto-encoder of 24 x 24 faces and the same net as a plain auto-encoder. New faces,
-- what the latents look like, the line between two latents, and PPCA beside it.
local pg = require "perigee"
local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")
local vae = course.use("face_vae")

local ex = pg.experiment{
  name = "hw2_vae",
  options = course.options{
    epochs = 50, batch = 32, lr = 1e-3,
    beta = pg.option{type = "number", default = 0.95, help = "the weight of the KL term"},
    sharp = pg.option{type = "number", default = 0.1, help = "the weight of the KL term in one more"},
    frozen = pg.option{type = "integer", default = 5, help = "the epoch after which batch norm is frozen in one"},
  },
  quick = {epochs = 4, frozen = 2},
}
local o = ex.options
local X, Xt, about = course.faces(ex, 24, {most = ex.quick and 520 or nil})
X, Xt = X:expand_dims(2), Xt:expand_dims(2) -- n x 1 x 24 x 24
ex:metric("faces", #X)
ex:metric("faces kept for the test", #Xt)

-- ---- training: minus log p(x | z) + beta KL(q(z | x) || N(0, I)) of a face, in nats ----------------
-- `plain` has neither noise nor KL. After epoch `frozen` batch norm no longer sees that it is trained.
local function train(name, beta, plain, frozen)
  local rng = pg.random.new(ex.seed)
  local net, optimizer = vae.new(rng, plain), pg.optim.adam{lr = o.lr}
  local function loss(m, x, ctx)
    local missed, kl = vae.terms(m, x, ctx, not plain and rng or nil)
    return (missed + beta * kl) / #x
  end
  local step = pg.value_and_grad(loss)
  local curves = course.train(ex, name, o.epochs, {net = net, optimizer = optimizer, rng = rng, sum = X:sum()},
    function(epoch)
      local ctx, sum = {train = epoch <= (frozen or o.epochs)}, 0
      for x in pg.batches(X, {size = o.batch, rng = rng}) do
        local l, grads = step(net, x, ctx)
        optimizer:step(net.params, grads)
        sum = sum + l * #x
      end
      return {[name .. ": loss"] = sum / #X, [name .. ": test loss"] = loss(net, Xt)}
    end)
  net:save(ex.dir .. "/" .. name .. ".npz")
  return net, curves
end
local net, curves = train("VAE", o.beta)
local plain, plain_curves = train("AE", 0, true)
local frozen, frozen_curves = train("VAE frozen", o.beta, false, o.frozen)
local sharp = train("VAE sharp", o.sharp)
course.left_out(ex, string.format("%d faces and %d epochs, too few to draw a face", #X, o.epochs))
ex:metric("VAE: parameters", net.nparams, {report = 297985})
ex:metric("AE: parameters", plain.nparams, {report = 261089})
local function entropy(x) return -(x * pg.maximum(pg.log(x), -100) + (1 - x) * pg.maximum(pg.log1p(-x), -100)) end
local floor = entropy(Xt):sum() / #Xt -- what -log p(x | z) of grey pixels cannot fall below
local missed, kl = vae.terms(net, Xt, nil, pg.random.new(ex.seed))
ex:metric("VAE: test -log p(x|z)", missed / #Xt)
ex:metric("VAE: test KL", kl / #Xt)
local sharp_missed, sharp_kl = vae.terms(sharp, Xt, nil, pg.random.new(ex.seed))
ex:metric("VAE sharp: test -log p(x|z)", sharp_missed / #Xt)
ex:metric("VAE sharp: test KL", sharp_kl / #Xt)
ex:metric("AE: test -log p(x|z)", vae.terms(plain, Xt) / #Xt)
ex:metric("least -log p(x|z) of grey test faces", floor)

local function curve(title, of)
  local fig = pg.plot.figure{title = title, xlabel = "epoch", ylabel = "nats a face", width = 480, height = 360}
  for _, c in ipairs{{"VAE", curves}, {"VAE frozen", frozen_curves}, {"AE", plain_curves}} do
    fig:line(pg.range(1, o.epochs), c[2][c[1] .. of], {label = c[1]})
  end
  return fig:legend()
end
ex:figure("loss", pg.plot.grid({curve("training", ": loss"), curve("test", ": test loss")}, 1, 2), string.format(
  "-log p(x|z) + %g KL of the VAE, -log p(x|z) of the AE: %s. \"Frozen\": batch norm trained for %d epochs only. "
    .. "A face of grey pixels costs %.1f nats even where the decoder gives each pixel its own value.", o.beta, about,
  o.frozen, floor), {report = "no loss is shown"})

-- ---- (a), (b): 100 faces of z ~ N(0, I) ------------------------------------------------------------
local rng = pg.random.new(ex.seed)
local z = rng:standard_normal(100, vae.d, "f32")
local new = vae.faces(net, z)
local twice = pg.sigmoid(new)
ex:metric("sigmoid twice: least pixel", twice:min(), {report = 0.5, note = "sigmoid(0)"})
ex:metric("sigmoid twice: greatest pixel", twice:max(), {report = 0.731, note = "sigmoid(1)"})
local function collages(...)
  local pictures = {...}
  for k, images in ipairs(pictures) do pictures[k] = course.collage(images, 10, {scale = 2}) end
  return course.beside(pictures)
end
ex:figure("vae_faces", collages(new, twice), "(a) 100 faces of the VAE, E[x|z] of z from N(0, I): once through a "
  .. "sigmoid (left), and through a second one (right), as published.",
  {report = "Figure 2: grey faces without contrast", note = "the decoder ended in a sigmoid already: all its values "
  .. "lie in 0.5 .. 0.73"})
ex:figure("ae_faces", collages(vae.faces(plain, z), vae.faces(frozen, z)), "(b) 100 faces of the auto-encoder from "
  .. "the same z (left); of the VAE whose batch norm was frozen (right).",
  {report = "the VAE that was trained is one whose batch norm was frozen"})
ex:figure("sharp_faces", course.collage(vae.faces(sharp, z), 10), string.format("(a) 100 faces of a VAE whose KL term "
  .. "counts %g: less like N(0, I) within, and sharper.", o.sharp))

-- ---- (c): the latents of all training faces --------------------------------------------------------
local function batchwise(f, x)
  local out = {}
  for b in pg.batches(x, {size = 500}) do out[#out + 1] = f(b) end
  return pg.concat(out, 1)
end
local h = batchwise(net.encoder, X)
local mu, sd = net.mu(h), pg.exp(net.logvar(h) / 2)
local drawn = mu + sd * rng:standard_normal(mu.shape, "f32") -- one of Q(z|x) a face
local codes = batchwise(function(x) return plain.mu(plain.encoder(x)) end, X)

-- The projection on the two axes of most variance of rows of A.
local function plane(A)
  A = A:astype("f64")
  local mean = A:mean(1)
  local _, vectors = pg.linalg.eigh(pg.cov(A))
  local axes = vectors:slice({}, {-1, -2, -1})
  return function(B) return (B:astype("f64") - mean):dot(axes) end, mean
end
local angle = pg.linspace(0, 2 * math.pi, 181)
local function latents(title, A)
  local P = plane(A)(A)
  return pg.plot.figure{title = title, xlabel = "PC 1", ylabel = "PC 2", aspect = "equal", width = 480, height = 440}
    :scatter(P:slice({}, 1), P:slice({}, 2), {size = 3, alpha = 0.5, label = "a face"})
    :line(angle:cos() * 2, angle:sin() * 2, {label = "two standard deviations of N(0, I)", color = "black"}):legend()
end
ex:figure("latents", pg.plot.grid({latents("VAE: a draw from Q(z|x) of each face", drawn),
  latents("auto-encoder: its code of each face", codes)}, 1, 2),
  "(c) The latents of all training faces, each on the two axes along which they vary most.")

-- ---- (d): 20 points on the line between two z ------------------------------------------------------
local t = pg.linspace(0, 1, 20):astype("f32"):expand_dims(2)
local ends = rng:standard_normal(2, vae.d, "f32")
local line = ends[1] + (ends[2] - ends[1]) * t
local all = pg.concat({X, Xt}, 1):reshape(-1, 576):astype("f64")
local ppca = pg.ppca.fit(all, vae.d)
local rows = {{"VAE", vae.faces(net, line):reshape(20, 576)}, {"auto-encoder", vae.faces(plain, line):reshape(20, 576)},
  {"PPCA", ppca:decode(line)}}
local images, labels = {}, {}
for k, row in ipairs(rows) do images[k], labels[k] = row[2]:astype("f64"), row[1] end
ex:figure("line", course.collage(pg.concat(images, 1):reshape(-1, 24, 24), 20, {scale = 2, row_labels = labels}),
  "(d) 20 points on the line between two z from N(0, I), decoded by each model.")

-- ---- (e): those faces on the two axes of a PCA of all data, numbered -------------------------------
local project = plane(all)
local cloud = project(all)
local function among(title, P)
  return pg.plot.figure{title = title, xlabel = "PC 1", ylabel = "PC 2", width = 420, height = 380}
    :scatter(cloud:slice({}, 1), cloud:slice({}, 2), {size = 2, alpha = 0.4, color = "grey"})
    :line(P:slice({}, 1), P:slice({}, 2), {color = "red", width = 3})
end
local function numbered(P)
  local fig = pg.plot.figure{xlabel = "PC 1", ylabel = "PC 2", width = 420, height = 380}
    :line(P:slice({}, 1), P:slice({}, 2), {color = "grey", width = 1})
  for k = 1, 20 do fig:text(P(k, 1), P(k, 2), tostring(k), {size = 8, align = "center", valign = "middle"}) end
  return fig
end
local figures, measures = {}, {}
for k, row in ipairs{rows[1], rows[3], {"VAE as published", pg.sigmoid(rows[1][2])}} do
  local P = project(row[2])
  figures[k], figures[k + 3] = among(row[1], P), numbered(P)
  -- The longest step over the shortest, and the way over the distance of its ends: 1 and 1 for an even, straight line.
  local steps = pg.diff(P, 1):square():sum(2):sqrt()
  local apart = (P[20] - P[1]):square():sum() ^ 0.5
  measures[k] = {uneven = steps:max() / steps:min(), way = steps:sum() / apart, apart = apart,
    mean = P:mean(1) / cloud:std(1)}
  ex:metric(row[1] .. ": longest step over shortest", measures[k].uneven)
  ex:metric(row[1] .. ": way over distance", measures[k].way)
end
ex:figure("line_projected", pg.plot.grid(figures, 2, 3),
  "(e) The 20 faces of the line on the two axes along which the faces vary most: among all faces (grey), and numbered.",
  {report = "Figures 6, 7: the VAE's points in a tight cluster, shifted",
  note = "the cluster comes from the second sigmoid"})

-- ---- theirs beside ours, and the homework's questions ------------------------------------------------
local sds = {}
for _, c in ipairs{{"VAE", drawn}, {"AE", codes}} do
  local variances = pg.linalg.eigh(pg.cov(c[2]:astype("f64")))
  sds[#sds + 1] = pg.sqrt(pg.maximum(variances, 0))
  ex:metric(c[1] .. ": largest sd of the latents", sds[#sds][-1])
  ex:metric(c[1] .. ": least sd of the latents", sds[#sds][1])
end
local used = pg.var(mu, 1):gt(0.1):sum()
ex:metric("VAE: latents that tell faces apart", used)
local test = frozen_curves["VAE frozen: test loss"][-1] - curves["VAE: test loss"][-1]
ex:metric("VAE frozen: test loss less the VAE's", test)
ex:table("theirs beside ours", {"", "published", "here"}, {
  {"data", "23,042 faces, not public", about},
  {"VAE, auto-encoder: parameters", "297,985 and 261,089", string.format("%d and %d", net.nparams, plain.nparams)},
  {"training", "Adam 1e-3, batch 32, 50 epochs, 0.95 KL", string.format("Adam %g, batch %d, %d epochs, %g KL", o.lr,
    o.batch, o.epochs, o.beta)},
  {"loss", "not shown", string.format("%.1f training, %.1f test", curves["VAE: loss"][-1],
    curves["VAE: test loss"][-1])},
  {"batch norm", "frozen after the first validation, epoch 5", "trained to the end; frozen as well, beside it"},
  {"pixels of new faces", "0.5 .. 0.73", string.format("%.2f .. %.2f", new:min(), new:max())},
  {"the VAE's line in (e)", "a tight cluster, shifted", string.format("among the faces, %.2f times as long as its "
    .. "ends are apart", measures[1].way)},
}, "theirs beside ours")
if not ex.quick then
  local V, A = measures[1], sds
  ex:note(string.format([[
**(a)** The faces are smooth: what is drawn is E[x|z], the mean of all faces that a z may stand for, and only %d of %d
latents tell faces apart at all (a variance of their posterior means above 0.1). With the KL term at %g a face keeps
%.1f nats instead of %.1f, is rebuilt %.1f nats better, and new faces have eyes; the price is that the latents of real
faces no longer fill N(0, I), so some draws fall where no face was.

**(b)** The auto-encoder rebuilds faces better than either (%.1f nats; %.1f is the least possible), and draws none:
nothing tells it where to put its codes.

**(c)** Its codes spread with standard deviations from %.1f to %.1f, and N(0, I) is a spot in their middle. The VAE's
draws from Q(z|x), all faces together, have standard deviations from %.2f to %.2f: the KL term draws each posterior
towards N(0, I), and the sum over faces comes to look like it, though one face's posterior is narrow in what is used.

**(d)** One face turns into the other by small steps, and what lies between are faces too, not two faces laid over each
other. The auto-encoder's line passes through places that stand for nothing.

**(e)** PPCA's decoder is affine, so its 20 faces lie on a straight line at even steps in every projection, and on the
way the two ends are laid over each other. The VAE's decoder bends: its way is %.3f times as long as its ends are apart,
and its longest step %.2f times its shortest, because the decoder moves fast between kinds of faces and slowly within
one. The published cluster is the second sigmoid's: it shrinks every picture to values between
0.5 and 0.73. No assumption of PPCA has a part in it.

**Batch norm frozen after epoch %d**, as published, did no harm by itself here: the test loss ends %.2f nats from the
other's. It is a slip nonetheless, since nobody asked for it.]],
    used, vae.d, o.sharp, sharp_kl / #Xt, kl / #Xt, (missed - sharp_missed) / #Xt, vae.terms(plain, Xt) / #Xt, floor,
    A[2][1], A[2][-1], A[1][1], A[1][-1], V.way, V.uneven, o.frozen, math.abs(test)))
end
