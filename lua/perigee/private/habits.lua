-- SPDX-License-Identifier: MIT
--
-- pg._habits: what other languages and libraries call what, and what to write here.
--
--   habits.cure(place, name) -> sentence or nil      habits.missing(subject, place, name, names) -> message
--
-- The one table for every "has no" error: of pg, its modules, arrays, generators, figures, nets and experiments, and
-- for globals that a script or the prompt does not know. A place that lacks a name asks the places of ELSEWHERE, in
-- order. Every row is a test: the name raises, the cure stands in the message, and what the cure names is there.

local pg = ...
local nearest = pg._nearest
local ipairs, pairs, table = ipairs, pairs, table

--- conventions
-- Where the same name does not mean the same as in NumPy, PyTorch or Octave:
-- indices, axes, rows and columns count from 1, and the ends of a range are included: pg.range(1, 5) has 5 elements,
-- a:slice({2, 3}) two; negative ones count from the end.
-- a:sum(1) sums over the first axis (NumPy's axis = 0); argmax, argsort, searchsorted, nonzero and take count from 1.
-- rng:integers(lo, hi) includes hi (NumPy's endpoint = True); rng:choice(n, k) draws from 1..n without replacement
-- unless {replace = true} says otherwise, where NumPy's default is with it.
-- pg.cov and pg.corrcoef take observations as rows (NumPy's rowvar = False).
-- std and var divide by n, as NumPy's; R, Octave and PyTorch divide by n - 1: {ddof = 1}.
-- a * b and a ^ b are elementwise; the product of matrices is a:dot(b). a == b asks whether both are the same array:
-- a:eq(b) compares elements.
-- round takes halves to the even neighbour, as NumPy's; a // b and a % b round down, as Python's.
-- a:slice, a[i], a.T and reshape share memory with a, as NumPy's views do; in Octave and R they would be copies.
-- A condition is true unless it is false or nil: 0 is true in Lua, so write x ~= 0; a:any() and a:all() give true or
-- false.
-- s, t and v of svd: U, s, Vt = pg.linalg.svd(a) is thin (NumPy's full_matrices = False); qr likewise. eigh has its
-- eigenvalues ascending.

local ROWS = {
  -- pg.NAME and a:NAME, which share their table.
  pg = {
    -- arithmetic
    subtract = "write pg.sub(a, b), or a - b", multiply = "write pg.mul(a, b), or a * b",
    divide = "write pg.div(a, b), or a / b", true_divide = "write pg.div(a, b), or a / b",
    floor_divide = "write pg.idiv(a, b), or a // b", power = "write pg.pow(a, b), or a ^ b",
    float_power = "write pg.pow(a, b), or a ^ b", negative = "write pg.neg(a), or -a",
    remainder = "write pg.mod(a, b), or a % b, which has the sign of b",
    fmod = "write a - b * pg.trunc(a / b); pg.mod has the sign of b",
    plus = "write pg.add(a, b), or a + b", minus = "write pg.sub(a, b), or a - b",
    times = "write pg.mul(a, b), or a * b", rdivide = "write pg.div(a, b), or a / b",
    mtimes = "write pg.dot(a, b)", mm = "write pg.dot(a, b)", mv = "write pg.dot(a, b)",
    bmm = "write pg.dot(a, b), which takes leading axes as a batch", inner = "write pg.dot(a, b)",
    vdot = "write pg.dot(a, b)", tensordot = "write pg.einsum(\"ijk,jkl->il\", a, b)",
    crossprod = "write pg.dot(a.T, b)", absolute = "write pg.abs(a)", fabs = "write pg.abs(a)",
    reciprocal = "write 1 / a", rsqrt = "write 1 / pg.sqrt(a)", exp2 = "write 2 ^ a", rint = "write pg.round(a)",
    fix = "write pg.trunc(a)", deg2rad = "write a * (pg.pi / 180)", rad2deg = "write a * (180 / pg.pi)",
    arcsin = "write pg.asin(a)", arccos = "write pg.acos(a)", arctan = "write pg.atan(a)",
    arctan2 = "write pg.atan2(y, x)", expit = "write pg.sigmoid(a)", gammaln = "write pg.lgamma(a)",
    psi = "write pg.digamma(a)", nan_to_num = "write pg.where(pg.isnan(a), 0, a)",
    isinf = "write pg.eq(pg.abs(a), pg.inf)", clamp = "write pg.clip(a, lo, hi)",
    clamp_ = "write pg.clip(a, lo, hi, a)", pmin = "write pg.minimum(a, b)", pmax = "write pg.maximum(a, b)",
    fmin = "write pg.minimum(a, b), which carries NaN", fmax = "write pg.maximum(a, b), which carries NaN",
    -- comparisons
    equal = "write pg.eq(a, b)", not_equal = "write pg.ne(a, b)", less = "write pg.lt(a, b)",
    less_equal = "write pg.le(a, b)", greater = "write pg.gt(a, b)", greater_equal = "write pg.ge(a, b)",
    array_equiv = "write pg.array_equal(a, b)", count_nonzero = "write pg.ne(a, 0):sum()",
    -- making
    tensor = "write pg.array{1, 2, 3}", asarray = "write pg.array(t)", ndarray = "write pg.array(t) or pg.zeros(n, m)",
    matrix = "write pg.array{{1, 2}, {3, 4}}", Tensor = "write pg.array(t)", from_numpy = "write pg.load(path)",
    arange = "write pg.range(a, b), both ends included", seq = "write pg.range(a, b, step), both ends included",
    colon = "write pg.range(a, b), both ends included", logspace = "write 10 ^ pg.linspace(a, b, n)",
    geomspace = "write pg.exp(pg.linspace(lo, hi, n)) with logarithms for ends",
    identity = "write pg.eye(n)", full_like = "write pg.full(a.shape, v)", empty_like = "write pg.zeros_like(a)",
    rand_like = "write rng:random(a.shape)", randn_like = "write rng:standard_normal(a.shape)",
    ndgrid = "write pg.meshgrid(x, y)", mgrid = "write pg.meshgrid(x, y)", clone = "write pg.copy(a)",
    rand = "write rng:random(n, m), with rng = pg.random.new(seed)",
    randn = "write rng:standard_normal(n, m), with rng = pg.random.new(seed)",
    randint = "write rng:integers(lo, hi, n), with rng = pg.random.new(seed)",
    randperm = "write rng:permutation(n), with rng = pg.random.new(seed)",
    default_rng = "write pg.random.new(seed)", RandomState = "write pg.random.legacy(seed)",
    manual_seed = "write rng = pg.random.new(seed), and draw from rng", rng = "write rng = pg.random.new(seed)",
    seed = "write rng = pg.random.new(seed), and draw from rng",
    runif = "write rng:uniform(lo, hi, n)", rnorm = "write rng:normal(mean, sd, n)",
    -- shapes
    cat = "write pg.concat({a, b}, axis)", concatenate = "write pg.concat({a, b}, axis)",
    vstack = "write pg.concat({a, b}, 1), of vectors pg.stack({a, b})",
    hstack = "write pg.concat({a, b}, 2), of vectors pg.concat({a, b})",
    dstack = "write pg.stack({a, b}, -1)", column_stack = "write pg.stack({a, b}, 2)",
    row_stack = "write pg.stack({a, b})", append = "write pg.concat({a, b})", vertcat = "write pg.concat({a, b}, 1)",
    horzcat = "write pg.concat({a, b}, 2)", rbind = "write pg.stack({a, b})", cbind = "write pg.stack({a, b}, 2)",
    insert = "write pg.concat({a:slice({1, k}), b, a:slice({k + 1, -1})})",
    delete = "write pg.compress(a, mask) with 0 where to leave out",
    t = "write a.T", permute = "write pg.transpose(a, 2, 1)", permute_dims = "write pg.transpose(a, 2, 1)",
    rollaxis = "write pg.moveaxis(a, from, to)", flatten = "write pg.reshape(a, -1)", ravel = "write pg.reshape(a, -1)",
    view = "write pg.reshape(a, n, m), which shares memory where it can",
    view_as = "write pg.reshape(a, b.shape)", resize = "write pg.reshape(a, n, m); of pictures pg.image.resize",
    unsqueeze = "write pg.expand_dims(a, axis)", newaxis = "write pg.expand_dims(a, axis)",
    expand = "write pg.broadcast_to(a, n, m)", expand_as = "write pg.broadcast_to(a, b.shape)",
    repmat = "write pg.tile(a, n, m)", rep = "write pg.repeat_(a, n) or pg.tile(a, n)",
    repeat_interleave = "write pg.repeat_(a, n)", flipud = "write pg.flip(a, 1)", fliplr = "write pg.flip(a, 2)",
    rev = "write pg.flip(a)", rot90 = "write pg.flip(a.T, 1)", circshift = "write pg.roll(a, k)",
    chunk = "write pg.split(a, parts)", array_split = "write pg.split(a, {k1, k2})", hsplit = "write pg.split(a, n, 2)",
    vsplit = "write pg.split(a, n, 1)", unbind = "write for i = 1, #a do local row = a[i] ... end",
    numel = "write a.size", nelement = "write a.size", length = "write #a, the first extent",
    dim = "write a.ndim", nrow = "write a.shape[1]", ncol = "write a.shape[2]", len = "write #a",
    shape = "write a.shape", ndim = "write a.ndim", size = "write a.size or a.shape", dtype = "write a.dtype",
    -- choosing
    find = "write pg.nonzero(a)", argwhere = "write pg.nonzero(a)", flatnonzero = "write pg.nonzero(a)",
    which = "write pg.nonzero(a)", select = "write pg.where(c, a, b)", ifelse = "write pg.where(c, a, b)",
    choose = "write pg.where(c, a, b)", index_select = "write pg.take(a, indices, axis)",
    masked_select = "write pg.compress(a, mask)", masked_fill = "write pg.where(mask, v, a)",
    masked_fill_ = "write pg.where(mask, v, a)", putmask = "write pg.where(mask, v, a)",
    gather = "write (a * pg.one_hot(classes, n)):sum(2) for one element a row, or pg.take(a, indices, axis)",
    take_along_axis = "write (a * pg.one_hot(classes, n)):sum(2) for one element a row",
    index_add = "write pg.scatter_add(values, indices, n)", put = "write a[{i, j}] = v",
    copyto = "write pg.assign(a, b)", copy_ = "write pg.assign(a, b)", fill = "write pg.assign(a, v)",
    fill_ = "write pg.assign(a, v)", zero_ = "write pg.assign(a, 0)", add_ = "write pg.add(a, b, a)",
    sub_ = "write pg.sub(a, b, a)", mul_ = "write pg.mul(a, b, a)", div_ = "write pg.div(a, b, a)",
    digitize = "write pg.searchsorted(edges, a)", histc = "write pg.histogram(a)", hist = "write pg.histogram(a)",
    in1d = "write pg.isin(a, b)", ismember = "write pg.isin(a, b)", setdiff1d = "write pg.compress(a, ~pg.isin(a, b))",
    intersect1d = "write pg.compress(a, pg.isin(a, b))", union1d = "write pg.unique(pg.concat({a, b}))",
    lexsort = "write pg.argsort(a), which is stable, the last key first", argpartition = "write pg.argsort(a)",
    partition = "write pg.sort(a)", order = "write pg.argsort(a)", kthvalue = "write pg.sort(a)[k]",
    -- reductions
    amin = "write pg.min(a, axis)", amax = "write pg.max(a, axis)", sd = "write pg.std(a, {ddof = 1})",
    average = "write pg.mean(a), or (a * w):sum() / w:sum()", percentile = "write pg.quantile(a, p / 100)",
    nansum = "write pg.sum(pg.compress(a, ~pg.isnan(a)))", nanmean = "write pg.mean(pg.compress(a, ~pg.isnan(a)))",
    nanstd = "write pg.std(pg.compress(a, ~pg.isnan(a)))", nanmax = "write pg.max(pg.compress(a, ~pg.isnan(a)))",
    nanmin = "write pg.min(pg.compress(a, ~pg.isnan(a)))", ptp = "write pg.max(a) - pg.min(a)",
    rowsum = "write pg.sum(a, 2)", colsum = "write pg.sum(a, 1)", rowSums = "write pg.sum(a, 2)",
    colSums = "write pg.sum(a, 1)", rowMeans = "write pg.mean(a, 2)", colMeans = "write pg.mean(a, 1)",
    cor = "write pg.corrcoef(X), observations as rows", corr = "write pg.corrcoef(X), observations as rows",
    ediff1d = "write pg.diff(a)", trapezoid = "write pg.trapz(y, x)", cumtrapz = "write pg.cumsum of the trapezia",
    xcorr = "write pg.convolve(a, pg.flip(b))", correlate = "write pg.convolve(a, pg.flip(b))",
    roots = "write pg.linalg.eigvals of the companion matrix", kronecker = "write pg.kron(a, b)",
    -- dtypes and copies
    float = "write pg.astype(a, \"f32\")", double = "write pg.astype(a, \"f64\")",
    half = "write pg.astype(a, \"f32\")", int = "write pg.trunc(a); whole numbers are f64 here",
    long = "write pg.trunc(a); whole numbers are f64 here", bool = "write pg.astype(a, \"bool\")",
    byte = "write pg.astype(a, \"u8\")", to = "write pg.astype(a, \"f32\")", type = "write a.dtype",
    float64 = "write \"f64\"", float32 = "write \"f32\"", uint8 = "write \"u8\"", bool_ = "write \"bool\"",
    int64 = "whole numbers are f64 here", int32 = "whole numbers are f64 here",
    numpy = "it is an array already; pg.totable(a) makes a table", tolist = "write pg.totable(a)",
    cpu = "arrays are always in the computer's memory", cuda = "there is no GPU here",
    contiguous = "write pg.copy(a)", ascontiguousarray = "write pg.copy(a)",
    real = "there are no complex numbers here", imag = "there are no complex numbers here",
    conj = "there are no complex numbers here", fft = "there are no complex numbers here",
    -- gradients
    backward = "write local loss, g = pg.value_and_grad(f)(x)", requires_grad = "write pg.grad(f), which knows itself",
    requires_grad_ = "write pg.grad(f), which knows itself", no_grad = "only what pg.grad differentiates is recorded",
    autograd = "write pg.grad(f)", gradient = "write pg.diff(a), or pg.grad(f) for a function's",
    stop_gradient = "write pg.detach(a)", jacrev = "write pg.jacobian(f)", jit = "nothing is compiled here",
    vmap = "functions take arrays of any shape", Variable = "write pg.array(t)",
    -- loops
    apply = "write a loop, or a function of whole arrays", vectorize = "functions of arrays are elementwise already",
    apply_along_axis = "write for i = 1, #a do ... a[i] ... end", map = "write a loop, or a function of whole arrays",
    ndenumerate = "write for i = 1, #a do ... a[i] ... end", nditer = "write for i = 1, #a do ... a[i] ... end",
    -- files and the screen
    loadtxt = "write pg.load(\"x.csv\")", genfromtxt = "write pg.load(\"x.csv\")",
    read_csv = "write pg.load(\"x.csv\")",
    savetxt = "write pg.save(\"x.csv\", a)", to_csv = "write pg.save(\"x.csv\", a)",
    savez = "write pg.save(\"x.npz\", {a = a})", imread = "write pg.load(\"x.png\")",
    imsave = "write pg.save(\"x.png\", a)", imwrite = "write pg.save(\"x.png\", a)", imshow = "write pg.image.show(a)",
    figure = "write pg.plot.figure{}", subplots = "write pg.plot.grid(figures, rows, cols)",
    disp = "write print(a)", set_printoptions = "write pg.tostring(a, {precision = 4})",
    tic = "write local t = pg.clock()", toc = "write pg.clock() - t", time = "write pg.clock()",
    e = "write math.exp(1)", Inf = "write pg.inf", NaN = "write pg.nan",
    -- what lies in a module
    inv = "write pg.linalg.inv(a)", det = "write pg.linalg.det(a)", svd = "write pg.linalg.svd(a)",
    eig = "write pg.linalg.eig(a), of a symmetric one pg.linalg.eigh(a)", eigh = "write pg.linalg.eigh(a)",
    eigvals = "write pg.linalg.eigvals(a)", qr = "write pg.linalg.qr(a)", cholesky = "write pg.linalg.cholesky(a)",
    chol = "write pg.linalg.cholesky(a), which is lower", solve = "write pg.linalg.solve(a, b)",
    lstsq = "write pg.linalg.lstsq(a, b)", mldivide = "write pg.linalg.solve(a, b)",
    pinv = "write pg.linalg.pinv(a)", lu = "write pg.linalg.lu(a)", expm = "write pg.linalg.expm(a)",
    rank = "write pg.linalg.rank(a)", matrix_rank = "write pg.linalg.rank(a)",
    functional = "write pg.nn", F = "write pg.nn", mse_loss = "write pg.nn.mse(x, y)",
    cross_entropy = "write pg.nn.cross_entropy(z, classes)", embedding = "write pg.nn.embedding(n, d)",
    dropout = "write pg.nn.dropout(p), or rng:dropout(shape, p)", batch_norm = "write pg.nn.batch_norm(c)",
    DataLoader = "write pg.batches(x, y, {size = n, rng = rng})", lm = "write pg.linear.fit(X, y)",
    utils = "write pg.batches(x, y, {size = n, rng = rng})", special = "write pg.lgamma, pg.erf, ...",
    minimize = "write pg.optim.lbfgs{}", norm_pdf = "write pg.stats.normal.pdf(x, mean, sd)",
    dnorm = "write pg.stats.normal.pdf(x, mean, sd)", pnorm = "write pg.stats.normal.cdf(x, mean, sd)",
    qnorm = "write pg.stats.normal.quantile(p, mean, sd)",
  },
  array = {
    hist = "write pg.histogram(a)",
    append = "an array does not grow; write pg.concat({a, b}), or fill a table and pg.array(t)",
    grad = "write local loss, g = pg.value_and_grad(f)(x)",
    data = "an array is its own data; a:totable() makes a table",
    values = "write a:totable()", iloc = "write a[{i, {from, to}}]", loc = "write a[{i, {from, to}}]",
    plot = "write pg.plot.figure{}:line(a)", H = "write a.T", nbytes = "write pg.memory()",
    rows = "write #a", cols = "write a.shape[2]",
  },
  linalg = {
    matrix_rank = "write pg.linalg.rank(a)", chol = "write pg.linalg.cholesky(a), which is lower",
    eigvalsh = "write pg.linalg.eigh(a), whose first result are the eigenvalues",
    matrix_norm = "write pg.linalg.norm(a)", vector_norm = "write pg.norm(a)",
    matrix_power = "write a:dot(a), or pg.linalg.eigh for a high power",
    multi_dot = "write pg.einsum(\"ij,jk,kl->il\", a, b, c)", inverse = "write pg.linalg.inv(a)",
    cho_factor = "write pg.linalg.cholesky(a)", cho_solve = "write pg.linalg.solve_triangular twice",
    lu_factor = "write pg.linalg.lu(a)", svdvals = "write pg.linalg.svd(a), whose second result they are",
    null_space = "write pg.linalg.svd(a)", orth = "write pg.linalg.qr(a)", logm = "write pg.linalg.eigh(a)",
    sqrtm = "write pg.linalg.eigh(a)", mldivide = "write pg.linalg.solve(a, b)",
    dot = "write pg.dot(a, b)", matmul = "write pg.matmul(a, b)", cross = "write pg.cross(a, b)",
    block_diag = "write pg.concat with blocks of pg.zeros",
  },
  random = {
    default_rng = "write pg.random.new(seed)", RandomState = "write pg.random.legacy(seed)",
    Generator = "write pg.random.new(seed)", seed = "write rng = pg.random.new(seed), and draw from rng",
    rand = "write rng:random(n), with rng = pg.random.new(seed)",
    randn = "write rng:standard_normal(n), with rng = pg.random.new(seed)",
    randint = "write rng:integers(lo, hi, n), with rng = pg.random.new(seed)",
    random = "write rng:random(n), with rng = pg.random.new(seed)",
    normal = "write rng:normal(mean, sd, n), with rng = pg.random.new(seed)",
    uniform = "write rng:uniform(lo, hi, n), with rng = pg.random.new(seed)",
    choice = "write rng:choice(n, k), with rng = pg.random.new(seed)",
    shuffle = "write rng:shuffle(a), with rng = pg.random.new(seed)",
    permutation = "write rng:permutation(n), with rng = pg.random.new(seed)",
  },
  rng = {
    rand = "write rng:random(...)", randn = "write rng:standard_normal(...)",
    randint = "write rng:integers(lo, hi, ...); both ends are included", random_sample = "write rng:random(...)",
    gauss = "write rng:standard_normal()", seed = "make a generator with pg.random.new(seed)",
    sample = "write rng:choice(n, k)", choices = "write rng:choice(n, k, {replace = true})",
    randperm = "write rng:permutation(n)", randi = "write rng:integers(1, n, ...)",
    standard_exponential = "write rng:exponential(1, ...)", standard_gamma = "write rng:gamma(shape, 1, ...)",
    standard_t = "write rng:student_t(df, ...)", t = "write rng:student_t(df, ...)",
    rnorm = "write rng:normal(mean, sd, ...)", runif = "write rng:uniform(lo, hi, ...)",
    rexp = "write rng:exponential(scale, ...)", rpois = "write rng:poisson(lambda, ...)",
    rbinom = "write rng:binomial(n, p, ...)", multinormal = "write rng:multivariate_normal(mean, cov, ...)",
    spawn = "a legacy generator has no SeedSequence; use pg.random.new(seed)",
    get_state = "write rng:state()", set_state = "write rng:restore(s)",
  },
  figure = {
    plot = "write fig:line(x, y)", lines = "write fig:line(x, y)", points = "write fig:scatter(x, y)",
    savefig = "write fig:save(\"x.png\")", imshow = "write fig:image(a) for a picture, fig:heatmap(A) for values",
    pcolormesh = "write fig:heatmap(A, {x = {lo, hi}, y = {lo, hi}})", matshow = "write fig:heatmap(A)",
    pcolor = "write fig:heatmap(A, {x = {lo, hi}, y = {lo, hi}})", surf = "write fig:surface(x, y, Z)",
    axhline = "write fig:hline(y)", axvline = "write fig:vline(x)", abline = "write fig:hline(y) or fig:line(x, y)",
    set_title = "write fig:title(text)", set_xlabel = "write fig:xlabel(text)", set_ylabel = "write fig:ylabel(text)",
    set_xlim = "write fig:xlim(lo, hi)", set_ylim = "write fig:ylim(lo, hi)", set_xscale = "write fig:xscale(\"log\")",
    set_yscale = "write fig:yscale(\"log\")", set_xticks = "write fig:xticks(list)",
    set_yticks = "write fig:yticks(list)", set_aspect = "write fig:aspect(\"equal\")",
    suptitle = "write pg.plot.grid(figures, rows, cols, {title = text})",
    subplot = "write pg.plot.grid(figures, rows, cols)", subplots = "write pg.plot.grid(figures, rows, cols)",
    add_subplot = "write pg.plot.grid(figures, rows, cols)",
    loglog = "write fig:xscale(\"log\"):yscale(\"log\"):line(x, y)", semilogx = "write fig:xscale(\"log\"):line(x, y)",
    semilogy = "write fig:yscale(\"log\"):line(x, y)", annotate = "write fig:text(x, y, text)",
    colorbar = "heatmap and contourf draw their own", tight_layout = "texts never overlap; nothing is needed",
    hold = "marks add up; nothing is needed", clf = "make a new pg.plot.figure{}", close = "nothing is to be closed",
    axis = "write fig:limits{x = {lo, hi}}, or fig:aspect(\"equal\")", barh = "write fig:bar(x, y)",
    plot3 = "write fig:line3(x, y, z)", plot3D = "write fig:line3(x, y, z)", scatter3D = "write fig:scatter3(x, y, z)",
    plot_surface = "write fig:surface(x, y, Z)", plot_wireframe = "write fig:wireframe(x, y, Z)",
    fill = "write fig:fill_between(x, lo, hi)", violinplot = "write fig:violin(groups)",
    stairs = "write fig:step(x, y)", histogram = "write fig:hist(x)", stem = "write fig:bar(x, y)",
    label = "write label = text among a mark's options",
    set = "write fig:title(text), fig:xlim(lo, hi), ...",
  },
  plot = {
    plot = "write pg.plot.figure{}:line(x, y)", line = "write pg.plot.figure{}:line(x, y)",
    scatter = "write pg.plot.figure{}:scatter(x, y)", hist = "write pg.plot.figure{}:hist(x)",
    bar = "write pg.plot.figure{}:bar(x, y)", imshow = "write pg.plot.figure{}:image(a)",
    heatmap = "write pg.plot.figure{}:heatmap(A)", title = "write fig:title(text)", xlabel = "write fig:xlabel(text)",
    ylabel = "write fig:ylabel(text)", legend = "write fig:legend(), and label = text at each mark",
    show = "write fig:show()", savefig = "write fig:save(\"x.png\")", save = "write fig:save(\"x.png\")",
    subplots = "write pg.plot.grid(figures, rows, cols)", subplot = "write pg.plot.grid(figures, rows, cols)",
    xlim = "write fig:xlim(lo, hi)", ylim = "write fig:ylim(lo, hi)", new = "write pg.plot.figure{}",
  },
  nn = {
    Linear = "write nn.linear(i, o)", Conv1d = "write nn.conv1d(i, o, k)", Conv2d = "write nn.conv2d(i, o, k)",
    ConvTranspose2d = "write nn.conv_transpose2d(i, o, k)", Embedding = "write nn.embedding(n, d)",
    LayerNorm = "write nn.layer_norm(d)", GroupNorm = "write nn.group_norm(groups, c)",
    BatchNorm1d = "write nn.batch_norm(c)", BatchNorm2d = "write nn.batch_norm(c)", Dropout = "write nn.dropout(p)",
    MaxPool2d = "write nn.max_pool2d(k)", AvgPool2d = "write nn.avg_pool2d(k)", Upsample = "write nn.upsample(factor)",
    Flatten = "write nn.flatten()", ReLU = "write nn.relu", LeakyReLU = "write nn.leaky_relu", ELU = "write nn.elu",
    GELU = "write nn.gelu", SiLU = "write nn.silu", Tanh = "write nn.tanh", Sigmoid = "write nn.sigmoid",
    Softmax = "write nn.softmax", LogSoftmax = "write nn.log_softmax", Softplus = "write nn.softplus",
    Identity = "write a function that returns its argument", Sequential = "write nn.sequential{layer, layer}",
    Module = "write nn.module(parts, function(m, x, ctx) ... end)", ModuleList = "write a table of layers",
    ModuleDict = "write a table of layers by name", Parameter = "write nn.param(shape, init)",
    LSTMCell = "write nn.lstm_cell(i, h)", GRUCell = "write nn.gru_cell(i, h)", RNNCell = "write nn.rnn_cell(i, h)",
    LSTM = "write pg.lstm.new{input_size = i, hidden_size = h}, or nn.lstm_cell(i, h) in a loop",
    GRU = "write nn.gru_cell(i, h) in a loop", RNN = "write nn.rnn_cell(i, h) in a loop",
    MultiheadAttention = "write nn.attention with the projections in nn.linear",
    MSELoss = "write nn.mse(x, y)", L1Loss = "write nn.l1(x, y)", SmoothL1Loss = "write nn.huber(x, y)",
    HuberLoss = "write nn.huber(x, y)", BCELoss = "write nn.bce(p, y)",
    BCEWithLogitsLoss = "write nn.bce_with_logits(z, y)", CrossEntropyLoss = "write nn.cross_entropy(z, classes)",
    NLLLoss = "write nn.nll(z, classes)", KLDivLoss = "write nn.kl_normal(mu, logvar)",
    binary_cross_entropy = "write nn.bce(p, y)", mse_loss = "write nn.mse(x, y)",
    binary_cross_entropy_with_logits = "write nn.bce_with_logits(z, y)", nll_loss = "write nn.nll(z, classes)",
    functional = "nn has layers and functions alike: nn.relu(x), nn.mse(x, y)", train = "write nn.fit(net, loss, data)",
    utils = "write pg.optim.clip_norm(grads, most)", Net = "write nn.model(definition, rng)",
    pad = "write pg.pad(x, widths)", one_hot = "write pg.one_hot(classes, n)",
  },
  optim = {
    Adam = "write pg.optim.adam{lr = 1e-3}", AdamW = "write pg.optim.adamw{lr = 1e-3}",
    SGD = "write pg.optim.sgd{lr = 1e-2}", RMSprop = "write pg.optim.rmsprop{lr = 1e-3}",
    LBFGS = "write pg.optim.lbfgs{}", lr_scheduler = "write lr = pg.optim.cosine(lr, steps)",
    CosineAnnealingLR = "write lr = pg.optim.cosine(lr, steps)",
    OneCycleLR = "write lr = pg.optim.one_cycle(lr, steps)",
    StepLR = "write lr = pg.optim.step(lr, every)", clip_grad_norm_ = "write pg.optim.clip_norm(grads, most)",
    minimize = "write pg.optim.lbfgs{}", fmin = "write pg.optim.lbfgs{}",
  },
  stats = {
    norm = "write pg.stats.normal", expon = "write pg.stats.exponential", t = "write pg.stats.student_t",
    lognorm = "write pg.stats.lognormal", nbinom = "write pg.stats.negative_binomial",
    geom = "write pg.stats.geometric",
    binom = "write pg.stats.binomial", weibull_min = "write pg.stats.weibull",
    dnorm = "write pg.stats.normal.pdf(x, mean, sd)", pnorm = "write pg.stats.normal.cdf(x, mean, sd)",
    qnorm = "write pg.stats.normal.quantile(p, mean, sd)", rnorm = "write rng:normal(mean, sd, n)",
    pearsonr = "write pg.corrcoef(x, y)", linregress = "write pg.linear.fit(X, y)",
    zscore = "write (x - pg.mean(x, 1)) / pg.std(x, 1)", mean = "write pg.mean(x)", median = "write pg.median(x)",
    cov = "write pg.cov(X)",
  },
  net = {
    forward = "net(x) calls it", parameters = "its parameters are net.params, one flat array",
    named_parameters = "net:named() has its parameters by name",
    state_dict = "net:named() has its parameters by name, net:save(path) writes all",
    load_state_dict = "net:load(path) or net:load(table) fills it", eval = "net(x) only computes",
    train = "net(x, {train = true, rng = rng}) is a call in training",
    zero_grad = "each call of pg.value_and_grad sets net.grads anew",
    to = "nn.model(..., {dtype = ...}) sets the dtype", cuda = "there is no GPU here",
    backward = "pg.value_and_grad(loss)(net, ...) gives loss and gradient",
    fit = "pg.nn.fit(net, loss, data, opts) trains it", predict = "net(x) computes",
  },
  experiment = {
    log = "write ex:metric(name, value, step)", log_metric = "write ex:metric(name, value, step)",
    add_scalar = "write ex:metric(name, value, step)", scalar = "write ex:metric(name, value, step)",
    add_figure = "write ex:figure(name, fig, caption)", savefig = "write ex:figure(name, fig, caption)",
    plot = "write ex:figure(name, fig, caption)", save_figure = "write ex:figure(name, fig, caption)",
    image = "write ex:figure(name, image, caption)", text = "write ex:note(markdown)",
    print = "write ex:note(markdown)", config = "write ex.options", args = "write ex.options",
    opts = "write ex.options", out = "write ex.dir", path = "write ex.dir",
  },
  -- Globals that another language has. What pg has, and what a place above cures, need no row.
  global = {
    None = "None is nil here", null = "null is nil here", NULL = "NULL is nil here", True = "True is true here",
    False = "False is false here", TRUE = "TRUE is true here", FALSE = "FALSE is false here",
    len = "the length of x is #x", np = "pg has what np has: pg.zeros, pg.linspace, ...",
    numpy = "pg has what numpy has: pg.zeros, pg.linspace, ...",
    torch = "pg has arrays and nets: pg.zeros, pg.nn, pg.grad, ...",
    jnp = "pg has what jnp has: pg.zeros, pg.grad, ...",
    plt = "figures are pg.plot.figure{...}:line(x, y):save(\"x.png\")", pd = "tables of numbers are pg.load(\"x.csv\")",
    scipy = "look in pg.linalg, pg.stats and pg.optim", sp = "look in pg.linalg, pg.stats and pg.optim",
    nn = "write local nn = pg.nn", rng = "write local rng = pg.random.new(seed)",
    range = "a counting loop is `for i = 1, n do`; an array is pg.range(1, n)", str = "the text of x is tostring(x)",
    int = "the whole part of x is x // 1", float = "the number in a text is tonumber(x)",
    bool = "a truth value of x is x ~= 0", list = "a list is {1, 2, 3}", dict = "a dictionary is {name = value}",
    enumerate = "write for i, x in ipairs(list) do", zip = "write for i = 1, #list do",
    sorted = "write table.sort(list), of arrays pg.sort(a)", isinstance = "write type(x)", input = "write io.read()",
    open = "write io.open(path)", disp = "to show x, write x or print(x)", cat = "write print(x) or io.write(x)",
    fprintf = "write print(string.format(...))", printf = "write print(string.format(...))",
    sprintf = "write string.format(...)", exit = "to leave the prompt, press Ctrl-D; a script ends by os.exit()",
    quit = "to leave the prompt, press Ctrl-D; a script ends by os.exit()",
    help = "help is ?name, such as ?pg.linalg.svd",
    pi = "write pg.pi", inf = "write pg.inf", nan = "write pg.nan",
    library = "no library is to be loaded: pg is there",
    c = "an array is pg.array{1, 2, 3}", sum = "write pg.sum(a), or a:sum()",
    abs = "write math.abs(x), of arrays pg.abs(a)",
    min = "write math.min(x, y), of arrays a:min()", max = "write math.max(x, y), of arrays a:max()",
    round = "write math.floor(x + 0.5), of arrays pg.round(a)", sys = "a script's arguments are arg[1], arg[2], ...",
    time = "write os.time(), or pg.clock()", random = "write pg.random.new(seed)", console = "write print(x)",
    self = "self is there in functions written with a colon: function object:method()",
  },
  -- Fields that are called as methods: a.size(), a:shape().
  call = {
    shape = "a.shape is a field, without parentheses",
    size = "a.size is a field, without parentheses; a.shape has the extents",
    ndim = "a.ndim is a field, without parentheses", dtype = "a.dtype is a field, without parentheses",
    T = "a.T is a field, without parentheses", nparams = "net.nparams is a field, without parentheses",
    params = "net.params is a field, without parentheses", grads = "net.grads is a field, without parentheses",
  },
}

local ELSEWHERE = {array = {"pg"}, linalg = {"pg"}, random = {"pg"}, nn = {"pg"}, global = {"pg"}, plot = {"figure"},
  stats = {"pg"}, optim = {}}

local habits = {rows = ROWS}

-- What is written instead of `name` in the place: "pg", "array", "rng", a module's name, ...
function habits.cure(place, name)
  local own = ROWS[place]
  local cure = own and own[name]
  if cure then return cure end
  for _, other in ipairs(ELSEWHERE[place] or {}) do
    if ROWS[other][name] then return ROWS[other][name] end
  end
end

-- "a figure has no 'plot'; write fig:line(x, y)", or with the near one of the list `names`, or with all of them where
-- they are few.
function habits.missing(subject, place, name, names)
  local cure = habits.cure(place, name)
  if not cure then
    local near = nearest(name, names)
    if near then
      cure = ("did you mean '%s'?"):format(near)
    elseif #names <= 40 then
      cure = "it has " .. table.concat(names, ", ")
    end
  end
  return ("%s '%s'%s"):format(subject, name, cure and "; " .. cure or "")
end

-- How many names have a cure.
function habits.count()
  local n = 0
  for _, rows in pairs(ROWS) do
    for _ in pairs(rows) do n = n + 1 end
  end
  return n
end

return habits
