-- SPDX-License-Identifier: MIT
-- Homework 4: denoising diffusion of faces (Ho et al. 2020; Prince 2023, algorithms 18.1 and 18.2), two faces merged in
-- the middle of it, and faces guided by the gradient of a regressor (Dhariwal & Nichol 2021).
--
--   q(z_t | x) = N(sqrt(abar_t) x, (1 - abar_t) I),   abar_t = (1 - beta_1) ... (1 - beta_t),   t = 1..T
--   z_{t-1} = (z_t - beta_t / sqrt(1 - abar_t) eps(z_t, t)) / sqrt(1 - beta_t) + sqrt(beta_t) N(0, I)
local pg = require "perigee"
local nn = pg.nn
local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")
local measures = course.use("measures")

local ex = pg.experiment{
  name = "hw4_ddpm",
  about = "A DDPM of faces: 100 of them, pairs merged, faces of a wanted label.",
  options = course.options{
    labels = pg.option{type = "file",
      help = "a number in 0..100 for each of --faces, such as ages23k.npy; default: where the light comes from"},
    net = pg.option{default = "small", choices = {"small", "course"}, help = "the U-Net"},
    weights = pg.option{type = "file", help = "of the course's U-Net, such as diff_unet_faces.cpt: no training then"},
    size = pg.option{type = "integer", help = "pixels of a side: 24, and 48 with the course's net"},
    channels = pg.option{default = 16, help = "the small net's channels at full size"},
    T = pg.option{default = 1000, help = "steps of diffusion"},
    beta = pg.option{default = 0.01, help = "the last noise variance (of 1000 steps; fewer have more each)"},
    steps = pg.option{default = 5000, help = "steps of training, in fifties"},
    batch = pg.option{default = 32, help = "faces in a step"},
    lr = pg.option{type = "number", help = "first learning rate: 2e-3, and 1e-4 with the course's net"},
    label_steps = pg.option{default = 1500, help = "steps of training of the regressor, in twenties"},
    count = pg.option{default = 100, help = "faces to make"},
    each = pg.option{default = 4, help = "guided faces of each label and way"},
  },
  quick = {size = 8, channels = 8, T = 50, steps = 600, lr = 4e-3, label_steps = 100, batch = 16, each = 4},
}
local o = ex.options
local family = course.use("unet")[o.weights and "course" or o.net]
local size, T = o.size or family.published and 48 or 24, o.T
local lr = o.lr or family.published and 1e-4 or 2e-3
local net_rng, train_rng, sample_rng, label_rng = table.unpack(ex.rng:spawn(4))

-- ---- faces in [-1, 1] -------------------------------------------------------------------------------
local faces, held, about, rows_train, rows_held = course.faces(ex, size) -- n x s x s
faces, held = faces * 2 - 1, held * 2 - 1
local n = #faces
local X, Xh = faces:reshape(-1, 1, size, size), held:reshape(-1, 1, size, size)

-- ---- labels: the homework's ages are not public -------------------------------------------------------
-- The light: the left half's mean less the right half's, as its place among all faces, 0 (from the right) to 100.
local function light(x)
  return x:slice({}, {}, {1, size // 2}):mean({2, 3}) - x:slice({}, {}, {-(size // 2), -1}):mean({2, 3})
end
local ladder = light(faces):sort()
local function light_label(x) return (pg.searchsorted(ladder, light(x)) - 1):astype("f32") * (100 / n) end
local y_train, y_held = light_label(faces), light_label(held)
local ages = o.labels or size == 48 and not o.faces and #rows_train == n and ex:data("ages23k.npy", {optional = true})
if ages then
  local given = pg.load(ages):reshape(-1):astype("f32")
  if #rows_train ~= n or #given ~= n + #held then
    error(("%s: expected a number for each of --faces, got %d for %d images"):format(ages, #given, n + #held), 0)
  end
  y_train, y_held = given:take(rows_train), given:take(rows_held)
end

-- ---- the schedule ----------------------------------------------------------------------------------
local beta = pg.linspace(1e-4, o.beta, T) * (1000 / T)
local log_abar = pg.log1p(-beta):cumsum()
local signal, sd = pg.exp(log_abar / 2):astype("f32"), pg.sqrt(-pg.expm1(log_abar)):astype("f32")

-- z_t of faces x: t a number for each.
local function diffuse(x, t, noise)
  return x * signal:take(t):reshape(-1, 1, 1, 1) + noise * sd:take(t):reshape(-1, 1, 1, 1)
end
local function noise_like(x, rng) return rng:standard_normal(x.shape, "f32") end

-- ---- the net that tells the noise -------------------------------------------------------------------
local net = nn.model(family.noise(T, size, o.channels), net_rng)
local smooth = net:copy() -- a running mean of the net's parameters, which makes the faces
ex:metric("parameters", net.nparams, family.published and {report = 7966081} or nil)
ex:metric("faces", n)
ex:metric("faces held out", #held)

local draw = pg.value_and_grad(function(m, x, t, noise) return nn.mse(m(diffuse(x, t, noise), t), noise) end)
local opt = pg.optim.adam{lr = family.published and lr or pg.optim.cosine(lr, o.steps, {warmup = o.steps // 20})}
if o.weights then
  family.read(smooth, o.weights)
else
  local parts = {net = net, smooth = smooth, opt = opt, rng = train_rng, data = X:sum()}
  local curves = course.train(ex, "ddpm", math.max(1, o.steps // 50), parts, function(epoch)
    local sum = 0
    for k = 50 * epoch - 49, 50 * epoch do
      local x = X:take(train_rng:integers(1, n, o.batch))
      local loss, grads = draw(net, x, train_rng:integers(1, T, o.batch), noise_like(x, train_rng))
      pg.optim.clip_norm(grads, 1)
      opt:step(net.params, grads)
      smooth.params:assign(smooth.params + (net.params - smooth.params) * math.max(1e-3, 9 / (10 + k)))
      sum = sum + loss
    end
    return {["squared error of the noise"] = sum / 50}
  end)
  local curve = curves["squared error of the noise"]
  ex:figure("loss", pg.plot.figure{title = "squared error of the noise", xlabel = "step", yscale = "log"}
    :line(pg.range(1, #curve) * 50, curve), "In training, means of 50 steps: a net that knows nothing has 1.")
end

-- From z_from down to a face. way.shift: the net is given t - 1, as in the published schedule. way.pull(z, t) is the
-- gradient of log p(y | z_t), which moves the mean of a step by sigma_t^2 = beta_t times it; as published, by
-- way.weight. Also returns the z_t whose t is in way.watch.
local function denoise(z, from, rng, way)
  local seen = {}
  for t = from, 1, -1 do
    local when, b = pg.full({#z}, t), beta[t]
    local told = pg.zeros_like(z)
    if not way.shift or t > 1 then told = smooth(z, way.shift and when - 1 or when) end
    local mean = (z - told * (b / sd[t])) / math.sqrt(1 - b)
    if way.pull then mean = mean + way.pull(z, when) * (way.weight or b) end
    z = t > 1 and mean + noise_like(z, rng) * math.sqrt(b) or mean
    if way.watch and way.watch[t] then seen[#seen + 1] = z end
  end
  return z:reshape(-1, size, size), seen
end
local function start(count) return sample_rng:standard_normal({count, 1, size, size}, "f32") end
local function collage(images, opts)
  opts.scale, opts.range = opts.scale or math.max(1, 72 // size), opts.range or {-1, 1}
  return pg.image.collage(images:reshape(-1, size, size), opts)
end

-- ---- 4-1: 100 faces ----------------------------------------------------------------------------------
local watch = {}
for _, share in ipairs{1, 0.75, 0.5, 0.25, 0.1, 0.05} do watch[math.max(1, math.floor(share * T))] = true end
watch[1] = true
local z = start(o.count)
local state = sample_rng:state()
local made, seen = denoise(z, T, sample_rng, {watch = watch})
ex:figure("faces", collage(made, {cols = 10}), ("4-1: %d faces of the DDPM."):format(o.count),
  {report = "100 faces of 48x48"})
local steps = {}
for k, zt in ipairs(seen) do steps[k] = zt:slice{1, math.min(8, o.count)} end
ex:figure("steps", collage(pg.concat(steps, 1), {rows = #steps, range = "each"}),
  "4-1: eight of them on the way from noise (top) to a face.")

-- Against real faces: those that training has not seen take the place of made ones.
local floor, quality = measures.all(faces, held), measures.all(faces, made)
local _, nearest = measures.nearest(made:slice{1, math.min(10, o.count)}, faces)
ex:figure("nearest", collage(pg.concat{made:slice{1, math.min(10, o.count)}, faces:take(nearest)}, {rows = 2}),
  "4-1: some of them, and below each the nearest face of the training data.")
local names = {{"nearest", "distance from the nearest face, a pixel"}, {"spread", "mean distance of two, a pixel"},
  {"coverage", "coverage, 5 neighbours"}, {"frechet", "Frechet distance of PPCA's latent means"}}
local rows = {}
for k, name in ipairs(names) do
  rows[k] = {name[2], quality[name[1]], floor[name[1]]}
  ex:metric(name[2], quality[name[1]])
end
ex:table("quality", {"measure", o.count .. " made faces", "real faces held out"}, rows,
  "4-1: against the training data; pixels lie in [-1, 1]. A distance from the nearest face far below the right "
  .. "column's would be a copy.")

-- ---- the published schedule ---------------------------------------------------------------------------
-- There z_t has the noise of t - 1 in training, so the best net is the right one's at t - 1, and at the last step,
-- where x has no noise at all, it can tell none: 0.
sample_rng:restore(state)
local shifted = denoise(z:slice{1, math.min(10, o.count)}, T, sample_rng, {shift = true})
sample_rng:restore(state)
local right = denoise(z:slice{1, math.min(10, o.count)}, T, sample_rng, {})
local difference = shifted - right
ex:metric("published schedule: rms difference of the faces", difference:square():mean() ^ 0.5)
-- Roughness: what a pixel differs from the mean of its neighbours to the left and right.
local function roughness(x)
  return (x:slice({}, {}, {2, -2}) - (x:slice({}, {}, {1, -3}) + x:slice({}, {}, {3, -1})) / 2):square():mean() ^ 0.5
end
ex:table("schedule", {"measure", "right", "published", "real faces"}, {
  {"1 - abar of z_1 in training: how much noise there is to tell", sd[1] ^ 2, 0, ""},
  {"roughness of a face", roughness(right), roughness(shifted), roughness(faces)},
}, "The noise of training and of sampling one step apart, from the same noise.")
ex:figure("schedule", collage(pg.concat{right, shifted, difference * 5}, {rows = 3}),
  "The right schedule, the published one, and five times their difference.")

-- ---- 4-2: two faces merged ------------------------------------------------------------------------------
local pairs_of = sample_rng:choice(n, 10, {replace = false})
local A, B = X:take(pairs_of:slice{1, 5}), X:take(pairs_of:slice{6, 10})
local middle = size // 2
local function halves(a, b)
  return pg.concat({a:slice({}, {}, {}, {1, middle}), b:slice({}, {}, {}, {middle + 1, -1})}, 4)
end
-- The step across the middle as a multiple of the mean step from column to column.
local function seam(x)
  local jumps = x:diff(3):abs()
  return jumps:slice({}, {}, middle):mean() / jumps:mean()
end
local glued = halves(A, B):reshape(5, size, size)
local merged, seams, times = {}, {{"none: glued", seam(glued), 0, measures.nearest(glued, faces):mean()}}, {}
for k, t in ipairs{200, 500, 750, 999} do
  t = math.max(1, t * T // 1000)
  times[k] = "t = " .. t
  local when = pg.full({5}, t)
  local za, zb = diffuse(A, when, noise_like(A, sample_rng)), diffuse(B, when, noise_like(B, sample_rng))
  local one = denoise(halves(za, zb), t, sample_rng, {})
  for j = 1, 5 do
    for _, image in ipairs{A[j][1], B[j][1], one[j]} do merged[#merged + 1] = image end
  end
  seams[k + 1] = {t, seam(one), (one - glued):square():mean() ^ 0.5, measures.nearest(one, faces):mean()}
  ex:metric(("merged at t = %d: step across the seam"):format(t), seams[k + 1][2])
  ex:metric(("merged at t = %d: change of the halves"):format(t), seams[k + 1][3])
end
ex:figure("merged", collage(pg.stack(merged), {rows = 4, cols = 15, row_labels = times}),
  "4-2: five pairs; each pair and what it was merged to, by t.", {report = "4 x 15 faces; best at t = 500"})
local best -- the least t at which the seam is as in real faces
for k = 5, 2, -1 do
  if seams[k][2] <= 1.1 * seam(faces) then best = seams[k][1] end
end
ex:table("merged", {"t", "step across the seam", "rms change of the halves", "distance from the nearest face"}, seams,
  ("4-2: the step is a multiple of the mean step from column to column; real faces have %.2f."):format(seam(faces)))

-- ---- 4-3: a regressor on noised faces -----------------------------------------------------------------
local reg = nn.model(family.label(T, size, o.channels), net_rng)
ex:metric("parameters of the regressor", reg.nparams, family.published and {report = 4739521} or nil)
local miss = pg.value_and_grad(function(m, x, t, noise, y) return nn.mse(m(diffuse(x, t, noise), t), y) end)
local reg_opt = pg.optim.adam{lr = family.published and 1e-4 or pg.optim.cosine(lr, o.label_steps)}
local parts = {net = reg, opt = reg_opt, rng = label_rng, data = X:sum()}
course.train(ex, "label", math.max(1, o.label_steps // 20), parts, function()
  local sum = 0
  for _ = 1, 20 do
    local rows_of = label_rng:integers(1, n, o.batch)
    local x = X:take(rows_of)
    local loss, grads = miss(reg, x, label_rng:integers(1, T, o.batch), noise_like(x, label_rng),
      y_train:take(rows_of))
    reg_opt:step(reg.params, grads)
    sum = sum + loss
  end
  return {["squared error of the label"] = sum / 20}
end)

-- On faces held out: |f - y| by t, with the published noise N(0, 1) on f and without, and the variance of y given z_t.
local levels, errors, noisy, variance = {}, {}, {}, pg.zeros(T)
for k = 1, 10 do
  local t = math.max(1, (2 * k - 1) * T // 20)
  local sum, sum_noisy, squares, count = 0, 0, 0, math.max(1, 200 // #Xh)
  for _ = 1, count do
    local miss_by = reg(diffuse(Xh, pg.full({#Xh}, t), noise_like(Xh, label_rng)), pg.full({#Xh}, t)) - y_held
    sum, squares = sum + miss_by:abs():mean(), squares + miss_by:square():mean()
    sum_noisy = sum_noisy + (miss_by + noise_like(miss_by, label_rng)):abs():mean()
  end
  levels[k], errors[k], noisy[k] = t, sum / count, sum_noisy / count
  variance[{{(k - 1) * T // 10 + 1, k * T // 10}}] = squares / count -- of y given z_t, as far as f tells it
end
local mean_error, mean_noisy = pg.array(errors):mean(), pg.array(noisy):mean()
ex:metric("regressor: mean error on held-out faces", mean_error, {report = ages and 6.56 or nil})
ex:metric("regressor: the same with N(0, 1) on its output", mean_noisy)
ex:figure("regressor", pg.plot.figure{title = "error of the label on held-out faces", xlabel = "t"}
  :line(levels, errors, {label = "|f - y|"})
  :line(levels, noisy, {label = "|f + N(0, 1) - y|, as published", dash = "dashed"})
  :line(levels, pg.sqrt(variance:take(pg.array(levels))), {label = "standard deviation of f - y"})
  :hline((y_held - 50):abs():mean(), {label = "always 50", color = "black"}):legend(),
  "4-3: the label of a noised face.")

-- ---- 4-3: guidance ------------------------------------------------------------------------------------
local wanted = {18, 40, 60, 80}
local y = pg.repeat_(pg.array(wanted):astype("f32"), o.each)
local slope = pg.grad(function(x, t, v, noise) -- of log N(y; f(z, t), v)
  return (pg.square(reg(x, t) + noise - y) / v):sum() * -0.5
end)
local silent = pg.zeros_like(y)
local ways = {
  {"not guided", {}},
  {"as published", {weight = 2 * 5e-4, pull = function(x, t) -- -d(f + noise - y)^2 = 2 d log N(y; f + noise, 1)
    return slope(x, t, 1, noise_like(y, label_rng))
  end}},
  {"P(y | z) = N(f, 1)", {pull = function(x, t) return slope(x, t, 1, silent) end}},
  {"P(y | z) = N(f, v_t)", {pull = function(x, t) return slope(x, t, variance[t(1)], silent) end}},
}
local guided_rows, pictures = {}, {}
z = start(#y)
state = sample_rng:state()
for k, way in ipairs(ways) do
  sample_rng:restore(state)
  local x = denoise(z, T, sample_rng, way[2])
  local got = ages and reg(x:reshape(-1, 1, size, size), pg.full({#x}, 1)) or light_label(x)
  local line = {way[1]}
  for j = 1, 4 do
    local these = {(j - 1) * o.each + 1, j * o.each}
    line[j + 1] = got:slice(these):mean()
    for i = 1, 4 do pictures[#pictures + 1] = x[(j - 1) * o.each + i] end
  end
  line[6], line[7] = (got - y):abs():mean(), measures.nearest(x, faces):mean()
  line[8] = x:abs():gt(1):mean()
  guided_rows[k] = line
  ex:metric("guided, " .. way[1] .. ": mean error of the label", line[6])
end
local above = {}
for k = 1, 16 do above[k] = wanted[(k - 1) // 4 + 1] end
ex:figure("guided", collage(pg.stack(pictures), {rows = #ways, cols = 16, col_labels = above,
  row_labels = {"none", "published", "N(f, 1)", "N(f, v_t)"}}),
  "4-3: four faces each for 18, 40, 60 and 80, from the same noise: " .. ways[1][1] .. ", " .. ways[2][1] .. ", "
  .. ways[3][1] .. ", " .. ways[4][1] .. ".", {report = "scale 0.0005; more is mush"})
ex:table("guided", {"way", "18", "40", "60", "80", "mean error", "distance from the nearest face",
  "pixels out of [-1, 1]"}, guided_rows, "4-3: the mean label of the faces made for each wanted one.")

local label = ages and "the labels of the file" or
  "where the light comes from (the left half's mean less the right half's, as a percentile)"
ex:table("theirs", {"", "published", "here"}, {
  {"faces", "23,042 of 48 x 48", ("%s, %d x %d"):format(about, size, size)},
  {"parameters of the U-Net", "7,966,081", tostring(net.nparams)},
  {"parameters of the regressor", "4,739,521", tostring(reg.nparams)},
  {"label", "age, not public", label},
  {"mean error of the label", "6.56 with noise on it", ("%.2f, with noise on it %.2f"):format(mean_error, mean_noisy)},
  {"merged best at t", "500", best and ("%d, the least at which the seam is as in real faces"):format(best)
    or "none of the four"},
  {"guidance: error of the label", "0.0005 on (f - y)^2; more is mush",
    ("published weight %.1f, N(f, 1) %.1f, N(f, v_t) %.1f, none %.1f"):format(guided_rows[2][6], guided_rows[3][6],
      guided_rows[4][6], guided_rows[1][6])},
}, "Theirs beside ours.")
ex:note(string.format([[
**The schedule.** The published product of alphas ran to t - 1, so the first level has no noise: the net is asked there
for noise that is not in the picture, and each later level is taken for the next one in sampling. From the same noise
the faces differ by %.4f rms a pixel (pixels lie in [-1, 1]): too little noise is taken away. `hw4_gaussian` has the
size of the effect in closed form.

**4-1.** The faces are %.2f from the nearest face of the training data; real ones that training has not seen are %.2f.
Far less would mean copies.

**4-2.** Glued, the step across the seam is %.2f times that of other columns, in real faces %.2f. Merged at t = %d it is
%.2f, at %d %.2f: little noise is enough to hide it. The more noise, the more the halves change: by %.2f, %.2f, %.2f and
%.2f rms. The best t is the least at which the seam is gone, while both persons are still there; at the last t nothing
is left of either and the face is a new one.

**4-3.** Here the label is %s, 0 to 100.
N(0, 1) added to the prediction, as published, makes the best possible loss 1 instead of 0 and every error larger, and
tells nothing. With P(y | z_t) = N(f, 1) the mean of a step moves by sigma_t^2 d log P = -(beta_t / 2) d (f - y)^2,
%.1g to %.1g of it, where the published weight is 0.0005 throughout: too much at the end and too little at the start.
N(f, 1) says that the label of a picture of pure noise is known to 1, which nobody knows; v_t is the variance that f's
error has on held-out faces, and with it guidance waits until there is something to see. The labels end %.1f off as
published, %.1f with N(f, 1), %.1f with N(f, v_t) and %.1f without guidance; %.1f %%, %.1f %%, %.1f %% and %.1f %% of
the pixels leave [-1, 1].]],
  difference:square():mean() ^ 0.5, quality.nearest, floor.nearest, seams[1][2], seam(faces), seams[2][1], seams[2][2],
  seams[3][1], seams[3][2], seams[2][3], seams[3][3], seams[4][3], seams[5][3], label,
  beta[1] / 2, beta[T] / 2, guided_rows[2][6], guided_rows[3][6], guided_rows[4][6], guided_rows[1][6],
  guided_rows[2][8] * 100, guided_rows[3][8] * 100, guided_rows[4][8] * 100, guided_rows[1][8] * 100))
