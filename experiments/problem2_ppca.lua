-- SPDX-License-Identifier: MIT
-- Homework problem 2: probabilistic PCA of faces. Scatter, reconstruction, generation, perturbation.
local pg = require "perigee"

local ex = pg.experiment{
  name = "problem2_ppca",
  options = {
    faces = pg.option{type = "file", help = "images, n x h x w or n x (h*w), such as the homework's eigenfaces.npy"},
    transpose = pg.option{type = "flag", help = "the file holds its images column by column, as MATLAB writes them"},
    dims = {16, 32, 64},
    new_d = pg.option{type = "integer", help = "2(d): latent dimensions of new faces; else chosen on held-out faces"},
    step = pg.option{type = "number", default = 0.5, help = "2(e): distance of neighbouring perturbations"},
  },
  quick = {dims = {4, 16}},
}

-- ---- the faces -------------------------------------------------------------------------------
local faces
if ex.options.faces then
  faces = pg.load(ex.options.faces)
else
  local path = ex:data("lfw_subset.npy")
  if not path then
    ex:skip("no faces; run vendor/datasets.sh, or give --faces FILE")
  end
  faces = pg.load(path):slice{1, 100} -- the other 100 of this set are not faces
end
if faces.ndim == 2 then
  local side = math.floor(math.sqrt(faces.shape[2]) + 0.5)
  if side * side ~= faces.shape[2] then
    error(string.format("faces of %d pixels are not square; give them as n x h x w", faces.shape[2]))
  end
  faces = faces:reshape(-1, side, side)
end
if ex.options.transpose then faces = faces:transpose(1, 3, 2) end
local n, h, w = faces:dims()
local X = faces:reshape(n, h * w):astype("f64")
ex:metric("faces", n)
ex:metric("pixels", h * w)
local dims = {}
for _, d in ipairs(ex.options.dims) do
  if d <= math.min(n - 2, h * w - 1) then dims[#dims + 1] = d end
end

local function images(rows) return rows:reshape(-1, h, w) end
local function collage(rows, opts)
  opts.scale = opts.scale or math.max(1, 80 // h)
  opts.range = opts.range or "each" -- each face has its own black and white, as in the report
  return pg.image.collage(images(rows), opts)
end

-- ---- the formulas, written out, give what pg.ppca.fit gives -----------------------------------
do
  local d = dims[1]
  local mu = X:mean(1)
  local S = (X - mu).T:dot(X - mu) / n
  local values, vectors = pg.linalg.eigh(S)
  local m = h * w
  local sigma2 = values:slice{1, m - d}:mean() -- of all m - d smallest, after sorting
  local top = values:slice{-d, -1}
  local W = vectors:slice({}, {-d, -1}) * (top - sigma2):sqrt()
  local M = W.T:dot(W) + pg.eye(d) * sigma2
  local Z = pg.linalg.solve(M, (X - mu):dot(W).T).T -- E[z|x], solved and not inverted
  local model = pg.ppca.fit(X, d)
  ex:metric("written out: relative difference in sigma2", math.abs(model.sigma2 / sigma2 - 1))
  local difference = (model:decode(model:encode(X)) - (Z:dot(W.T) + mu)):abs():max()
  ex:metric("written out: largest difference in E[x|z]", difference)
  assert(difference < 1e-8 * X:abs():max(), "pg.ppca.fit and the formulas differ")
end

-- ---- 2(b): scatter of E[z|x] ------------------------------------------------------------------
local m2 = pg.ppca.fit(X, 2)
local Z = m2:encode(X)
local angle = pg.linspace(0, 2 * math.pi, 181)
ex:figure("scatter2", pg.plot.figure{title = "Scatter of Latent Z's", xlabel = "Principal Component 1",
    ylabel = "Principal Component 2", aspect = "equal", width = 640, height = 560}
  :scatter(Z:slice({}, 1), Z:slice({}, 2), {size = 4, alpha = 0.7, label = "E[z|x], one a face"})
  :line(angle:cos() * 2, angle:sin() * 2, {label = "two standard deviations of p(z)"})
  :legend(),
  "2(b), d = 2. The latent vectors are the posterior means E[z|x]; under the model they lie about N(0, I), shrunk by "
  .. "the noise.", {report = "Figure 3: a round cloud with these axes and this title",
  note = "the report draws z with added, wrongly scaled noise; asked is E[z|x]"})

local m3 = pg.ppca.fit(X, 3)
local Z3 = m3:encode(X)
local views = {}
for k, view in ipairs{{azim = -60, elev = 25}, {azim = 30, elev = 20}} do
  views[k] = pg.plot.figure{title = string.format("azimuth %d, elevation %d", view.azim, view.elev), xlabel = "PC 1",
    ylabel = "PC 2", zlabel = "PC 3", width = 520, height = 480}
    :scatter3(Z3:slice({}, 1), Z3:slice({}, 2), Z3:slice({}, 3), view)
end
ex:figure("scatter3", pg.plot.grid(views, 1, 2), "2(b) beyond the homework, d = 3 from two viewpoints.",
  {report = "Figure 4: two views of a round cloud in a box with ticks"})

-- What E[z|x] must show on the training data: mean 0, covariance I - sigma2 Lambda^-1.
local covariance = Z3.T:dot(Z3) / n
local expected = pg.diag(1 - m3.sigma2 / m3.eigenvalues:slice{1, 3})
ex:metric("encoded: largest |mean|", Z3:mean(1):abs():max())
ex:metric("encoded: largest |cov - (I - sigma2/lambda)|", (covariance - expected):abs():max())

-- ---- 2(c): reconstructions --------------------------------------------------------------------
local shown = ex.rng:choice(n, math.min(25, n), {replace = false})
local originals = X:take(shown)
local rows = {}
for _, d in ipairs(dims) do
  local model = pg.ppca.fit(X, d)
  local back = model:reconstruct(originals)
  local mse = (model:reconstruct(X) - X):square():mean()
  local share = model:explained():sum()
  rows[#rows + 1] = {d, mse, share, model.sigma2, model:loglik(X)}
  ex:metric(string.format("mse d=%d", d), mse)
  local pair = {collage(originals, {rows = 5, cols = 5}), collage(back, {rows = 5, cols = 5})}
  local beside = pg.image.collage(pg.stack(pair, 1), {rows = 1, cols = 2, gap = 12, range = {0, 255}})
  ex:figure("reconstruct_" .. d, beside, string.format(
    "2(c), d = %d: 25 faces (left) and E[x | E[z|x]] (right); mean squared error over all faces %.5f.", d, mse),
    {report = "Figures 5, 6, 7: 5x5 reconstructions at d = 16, 32, 64; quality increases greatly with d",
    note = "no pixel noise is added here"})
end
ex:table("reconstruction", {"d", "mean squared error", "share of variance", "sigma2", "log-likelihood"}, rows,
  "2(c): what grows and falls with d.")
ex:note("**2(c).** The more latent dimensions, the closer the reconstruction: with few only the light, the pose and "
  .. "the broad shape of the head come back, and with many the features of the person. The mean squared error falls "
  .. "with each dimension by the variance it explains, so the first ones help most. No pixel noise is added: asked is "
  .. "E[x|z], while the report adds noise of variance sigma2.")

-- ---- which d for new faces: held-out likelihood -------------------------------------------------
local order = ex.rng:permutation(n)
local held = math.max(1, n // 5)
local test, train = X:take(order:slice{1, held}), X:take(order:slice{held + 1, n})
local tried, heldout, explained = {}, {}, {}
for _, d in ipairs{1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128} do
  if d <= math.min(#train - 2, h * w - 1) and (not ex.quick or d <= 16) then
    local model = pg.ppca.fit(train, d)
    tried[#tried + 1] = d
    heldout[#heldout + 1] = model:loglik(test) / held
    explained[#explained + 1] = model:explained():sum()
  end
end
local best = pg.array(heldout):argmax()
local chosen = tried[best]
ex:metric("d of the best held-out log-likelihood", chosen)
ex:figure("choose_d", pg.plot.grid({
  pg.plot.figure{title = "held-out log-likelihood", xlabel = "d", ylabel = "nats a face", width = 480, height = 360}
    :line(pg.array(tried), pg.array(heldout)):vline(chosen, {label = string.format("best: d = %d", chosen)}):legend(),
  pg.plot.figure{title = "explained variance", xlabel = "d", ylabel = "share", width = 480, height = 360}
    :line(pg.array(tried), pg.array(explained)),
}, 1, 2), string.format("Why d = %d for new faces: the likelihood of %d faces that the fit has not seen.",
  chosen, held))

-- ---- 2(d): new faces ----------------------------------------------------------------------------
chosen = ex.options.new_d or chosen
local model = pg.ppca.fit(X, chosen)
ex:figure("new_faces", collage(model:sample(100, ex.rng), {rows = 10, cols = 10}),
  string.format("2(d): 100 new faces, z from N(0, I), then E[x|z] without pixel noise; d = %d.", chosen),
  {report = "Figure 8: 10x10 new faces, d = 64", note = "the report adds pixel noise; asked is E[x|z]"})
ex:metric("sigma2", model.sigma2)
ex:metric("share of variance", model:explained():sum())
ex:metric("log-likelihood", model:loglik(X))

-- ---- 2(e): one face, five latent dimensions, ten perturbations ----------------------------------
local d = math.min(16, dims[#dims])
model = pg.ppca.fit(X, d)
local z = model:encode(X[shown[1]])
local offsets = pg.linspace(-4.5, 4.5, 10) * ex.options.step
local grid = pg.zeros(50, d)
local row_labels, col_labels = {}, {}
for k = 1, 5 do
  row_labels[k] = "z" .. k
  for j = 1, 10 do
    local one = z:copy() -- each starts from E[z|x] anew: perturbations do not add up
    one[k] = one[k] + offsets[j]
    grid[(k - 1) * 10 + j] = one
    col_labels[j] = string.format("%+.2f", offsets[j])
  end
end
local perturbed = model:decode(grid)
local centre = model:decode(z)
ex:figure("perturbed", collage(perturbed, {rows = 5, cols = 10, row_labels = row_labels, col_labels = col_labels,
  range = "all"}),
  string.format("2(e), d = %d: one face with one latent value moved by the step above each column.", d),
  {report = "Figure 9: hard to see; row 4 seems to change the smile",
  note = "the report's perturbations add up and its step of 0.05 shows nothing"})
local differences = perturbed - centre
local most = differences:abs():max()
ex:figure("perturbed_difference", collage(differences, {rows = 5, cols = 10, row_labels = row_labels,
  col_labels = col_labels, range = {-most, most}}),
  "2(e): what each perturbation adds to the face; grey is no change, white lighter, black darker.")
ex:note(string.format("**2(e).** Each row moves along one column of W, so the change is one fixed pattern, growing "
  .. "in proportion to the step: see the differences. The first dimensions carry the most variance and change the "
  .. "whole picture (light from one side, light and dark of hair and background, pose); later ones change the face. "
  .. "The homework suggests a step of 0.05; the largest change of a pixel is then %.4f where faces span %.2f, which "
  .. "nobody sees: z has standard deviation 1. The report's perturbations also add up from one image to the next.",
  most / 4.5 / ex.options.step * 0.05, X:max() - X:min()))
