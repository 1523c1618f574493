-- SPDX-License-Identifier: MIT
--
-- Probabilistic principal component analysis: x = W z + mu + e, z ~ N(0, I), e ~ N(0, sigma2 I).
-- Tipping & Bishop 1999, "Probabilistic Principal Component Analysis", J. R. Statist. Soc. B 61(3).
-- The equations stand in src/kernel/ppca.h.

local pg, core = ...
local args, tree = pg._args, pg._tree
local error, ipairs, math, string, table, tostring, type = error, ipairs, math, string, table, tostring, type

local ppca = {}

-- ---- the model ---------------------------------------------------------------------------------

local model
local class = pg._model.class("ppca", {
  fields = {"W", "mu", "sigma2", "eigenvalues", "d", "n", "trace", "converged"},
  derived = {d = function(m) return m.W.shape[2] end},
  summary = function(m)
    return pg._format("ppca: %d features, %d latent dimensions, sigma2 = %.6g, %.1f %% of the variance explained",
      #m.mu, m.d, m.sigma2, 100 * m:explained():sum())
  end,
  file = {{"W", "m d"}, {"mu", "m"}, {"sigma2", "number"}, {"eigenvalues", "m"}, {"n", "integer"}},
  read = function(values) return model(values) end,
  example = function(rng) return ppca.fit(rng:standard_normal(12, 3), 2) end,
})
local methods = class.methods
ppca.load = class.load

function model(fields)
  fields.trace = fields.trace or false
  fields.converged = fields.converged ~= false
  return class.new(fields)
end

-- A as rows of `width` values; the second result says whether one row came alone.
local function rows_of(name, what, of, A, width)
  if type(A) == "table" then A = pg.array(A) end
  args.array(name, 1, what, A, nil)
  if A.ndim > 2 or A.ndim == 0 or A.shape[A.ndim] ~= width then
    args.fail(name, 1, string.format("%s: expected rows of %d %s, got shape %s", what, width, of, tostring(A.shape)))
  end
  if A.ndim == 1 then return A:expand_dims(1), true end
  return A, false
end

local function features(m, name, X)
  return rows_of(name, "X", "features", X, #m.mu)
end

-- The results named by letters (see bind_ppca.c) of the rows X; nothing where values are missing.
local complete_as, gaps_as = {}, {}
for _, name in ipairs{"encode", "posterior", "reconstruct", "logprob", "impute"} do
  complete_as[name], gaps_as[name] = args.named(core.project, name), args.named(core.project_missing, name)
end

-- The same by pg's functions, where a gradient is taken:
--     z = M^-1 W'c,  x = W z + mu,  p = -(m log 2 pi + log|C| + |c - W z|^2 / sigma2 + |z|^2) / 2,  c = x - mu.
local function composed(m, name, X, letter)
  if pg.isnan(X):any() then
    error(name .. " of missing values has no derivative here; a:detach() takes the value alone", pg._user_level())
  end
  local c, width, d = X - m.mu, #m.mu, m.W.shape[2]
  local M = m.W.T:dot(m.W) + pg.eye(d) * m.sigma2
  local Z = pg.linalg.solve(M, c:dot(m.W).T).T
  if letter == "z" then return Z end
  local back = Z:dot(m.W.T)
  if letter == "x" then return back + m.mu end
  local logdet = select(2, pg.linalg.slogdet(M)) + (width - d) * math.log(m.sigma2)
  return (pg.square(c - back):sum(2) / m.sigma2 + pg.square(Z):sum(2) + (width * math.log(2 * math.pi) + logdet)) * -0.5
end

local function complete(m, name, X, letters)
  if pg._tape.node(X) > 0 then return composed(m, name, X, letters) end
  return complete_as[name](X, m.mu, m.W, m.sigma2, letters)
end

local function with_gaps(m, name, X, letters)
  return gaps_as[name](X, m.mu, m.W, m.sigma2, letters)
end

local function project(m, name, X, letter)
  return complete(m, name, X, letter) or with_gaps(m, name, X, letter)
end

--- ppca:encode(X) -> Z
-- The posterior mean of the latent vectors, E[z|x] = M^-1 W'(x - mu) with M = W'W + sigma2 I.
-- @param X  array, n x m, or one row (m): NaN marks missing values
-- @return Z  array, n x d, or (d) for one row
-- @error  another number of features; an infinite value, with its place
-- @source Tipping & Bishop 1999, eq. 6
function methods:encode(X)
  local rows, single = features(self, "encode", X)
  local Z = project(self, "encode", rows, "z")
  return single and Z[1] or Z
end

--- ppca:posterior(X) -> mean, cov
-- Mean and covariance of z given x. The covariance sigma2 M^-1 is the same for every complete row.
-- @param X  array, n x m, or one row (m): NaN marks missing values
-- @return mean  array, n x d, or (d) for one row
-- @return cov  array, d x d; with missing values n x d x d
function methods:posterior(X)
  local rows, single = features(self, "posterior", X)
  local mean = complete(self, "posterior", rows, "z")
  if mean then
    -- The covariance depends only on which values are there: any complete row has it.
    return single and mean[1] or mean, with_gaps(self, "posterior", self.mu:reshape(1, -1), "c")[1]
  end
  local Z, cov = with_gaps(self, "posterior", rows, "zc")
  if single then return Z[1], cov[1] end
  return Z, cov
end

--- ppca:decode(Z) -> X
-- The mean of the observation given latent vectors, E[x|z] = W z + mu, without noise.
-- @param Z  array, n x d, or one row (d)
-- @return X  array, n x m, or (m) for one row
function methods:decode(Z)
  local rows, single = rows_of("decode", "Z", "latent values", Z, self.W.shape[2])
  local X = rows:dot(self.W.T) + self.mu
  return single and X[1] or X
end

--- ppca:reconstruct(X) -> X
-- decode(encode(X)): the mean of x given the posterior mean of z.
-- @param X  array, n x m, or one row (m): NaN marks missing values
-- @return X  array of the same shape
function methods:reconstruct(X)
  local rows, single = features(self, "reconstruct", X)
  local out = complete(self, "reconstruct", rows, "x")
    or with_gaps(self, "reconstruct", rows, "z"):dot(self.W.T) + self.mu
  return single and out[1] or out
end

--- ppca:sample(n, rng [, opts]) -> X
-- New observations: z from N(0, I), then E[x|z]; with noise also e from N(0, sigma2 I).
-- @param n  integer of at least 1
-- @param rng  generator of pg.random
-- @param opts.noise  boolean, default false: whether to add e
-- @return X  array, n x m
function methods:sample(n, rng, opts)
  n = args.integer("sample", 1, "n", n, 1)
  args.rng("sample", 2, rng)
  opts = args.options("sample", 3, opts, {noise = false})
  local X = self:decode(rng:standard_normal(n, self.W.shape[2]))
  if opts.noise then X = X + rng:standard_normal(n, #self.mu) * math.sqrt(self.sigma2) end
  return X
end

--- ppca:logprob(X) -> array
-- The log density of each row under N(mu, W W' + sigma2 I), of its observed entries where some are
-- missing.
-- @param X  array, n x m, or one row (m): NaN marks missing values
-- @return array  (n), or a number for one row
function methods:logprob(X)
  local rows, single = features(self, "logprob", X)
  local p = project(self, "logprob", rows, "p")
  return single and p[1] or p
end

--- ppca:explained() -> array
-- The share of the total variance along each latent dimension, largest first.
-- @return array  (d)
function methods:explained()
  local total = self.eigenvalues:sum()
  return self.eigenvalues:slice{1, self.d} / total
end

--- ppca:impute(X) -> X
-- X with every NaN replaced by its conditional mean given what the row has.
-- @param X  array, n x m, or one row (m): NaN marks missing values
-- @return X  array of the same shape
function methods:impute(X)
  local rows, single = features(self, "impute", X)
  local out = with_gaps(self, "impute", rows, "x")
  return single and out[1] or out
end

-- ---- fitting -----------------------------------------------------------------------------------

-- Observations as n x m: images n x h x w are flattened.
local function observations(name, X)
  if type(X) == "table" then X = pg.array(X) end
  args.array(name, 1, "X", X, nil)
  if X.ndim > 2 then X = X:reshape(X.shape[1], -1) end
  if X.ndim ~= 2 then
    args.fail(name, 1, "X: expected n x m observations, got shape " .. tostring(X.shape))
  end
  return X
end

local function check_d(name, arg, n, m, d)
  if n < 2 then args.fail(name, 1, string.format("X: at least 2 rows are needed, got %d", n)) end
  local most = math.min(n - 1, m)
  if math.type(d) ~= "integer" and not (type(d) == "number" and math.tointeger(d)) then
    args.fail(name, arg, "d: expected an integer, got " .. args.got(d))
  end
  d = math.tointeger(d)
  if d < 1 or d > most then
    args.fail(name, arg, string.format("d: expected an integer in 1..%d for %d x %d data, got %d", most, n, m, d))
  end
  if d == m then
    args.fail(name, arg, string.format(
      "d: sigma2 is 0 at d = %d, the number of features; the largest d with noise left is at most %d", m, m - 1))
  end
  return d
end

local function fit_covariance(X, mu, d)
  local n, m = X:dims()
  local S, sum = pg.zeros(m, m), pg.zeros(m)
  core.scatter(X, mu, sum, S)
  local eigenvalues, W, sigma2
  mu, eigenvalues, W, sigma2 = core.fit_moments(n, mu, sum, S, d)
  return model{W = W, mu = mu, sigma2 = sigma2, eigenvalues = eigenvalues, n = n}
end

local function fit_rows(X, mu, d, svd)
  local eigenvalues, W, sigma2 = core.fit_rows(X, mu, d, svd)
  return model{W = W, mu = mu, sigma2 = sigma2, eigenvalues = eigenvalues, n = #X}
end

-- Where the decomposition of the data costs next to nothing, its digits are free.
local SMALL = 1e6

local function fit_closed(X, mu, d, svd)
  local n, m = X:dims()
  if n * m * math.min(n, m) <= SMALL then svd = true end
  if svd or n <= m then return fit_rows(X, mu, d, svd) end
  return fit_covariance(X, mu, d)
end

-- EM starts from the closed form on the data with column means in the gaps, which without gaps is
-- where it ends.
local function fit_em(X, d, opts)
  local n = #X
  local _, mean = core.observed(X)
  local start = fit_closed(pg.where(pg.isnan(X), mean, X), mean, d, false)
  local mu, W, sigma2 = start.mu:copy(), start.W:copy(), start.sigma2
  local trace, converged = {}, false
  for step = 1, opts.max_iter do
    local loglik
    sigma2, loglik = core.em(X, mu, W, sigma2)
    trace[step] = loglik
    if step > 1 and loglik - trace[step - 1] <= opts.tol * math.abs(loglik) then
      converged = true
      break
    end
  end
  -- Where the values lie in d dimensions sigma2 falls for ever, until only its rounding is left.
  local spread = (W * W):sum() / #mu
  if sigma2 <= #mu * 2.2e-16 * spread then
    error(string.format("fit: d: sigma2 is 0 at d = %d, since the values that are there lie in so few dimensions; "
      .. "a smaller d leaves noise", d), pg._user_level())
  end
  -- EM finds the subspace; turn W so that its columns are orthogonal and sorted, as in the closed
  -- form, with the same sign convention. The model is the same.
  local _, s, Vt = pg.linalg.svd(W)
  W = W:dot(Vt.T)
  for k = 1, d do
    local column = W:slice({}, k)
    if column[column:abs():argmax()] < 0 then W[{{}, k}] = -column end
  end
  local m = #mu
  local eigenvalues = pg.full(m, sigma2)
  eigenvalues[{{1, d}}] = s * s + sigma2
  return model{W = W, mu = mu, sigma2 = sigma2, eigenvalues = eigenvalues, n = n,
    trace = pg.array(trace), converged = converged}
end

--- pg.ppca.fit(X, d [, opts]) -> m
-- Fits probabilistic PCA by maximum likelihood: the closed form of the eigenvalues of the
-- covariance (with 1/n), by the covariance where n > m, by the inner products of the rows elsewhere,
-- and by singular values where the data are few; by expectation maximisation where values are
-- missing.
-- @param X  array, n x m (n x h x w images are flattened), f32 or f64: observations are rows, NaN is missing
-- @param d  integer in 1..min(n-1, m): latent dimensions
-- @param opts.method  string: "auto" (default), "svd" (small eigenvalues to full accuracy) or "em"
-- @param opts.tol  number, default 1e-9: EM ends when the log-likelihood grows by less, relatively
-- @param opts.max_iter  integer, default 1000: steps of EM at most
-- @return m  model: W (m x d), mu (m), sigma2, eigenvalues (m, descending), d, n; after EM also trace, the
--   log-likelihood at each step, and converged
-- @error  d out of range; fewer than 2 rows; a column that is all NaN; an infinite value, with its place; a d
--   that leaves sigma2 = 0
-- @source Tipping & Bishop 1999, eq. 7 and 8; appendix B for EM
-- @example pg.ppca.fit({{1, 2, 0}, {3, 4.5, 1}, {5, 6, 0}}, 1).d --> 1
function ppca.fit(X, d, opts)
  X = observations("fit", X)
  local n, m = X:dims()
  d = check_d("fit", 2, n, m, d)
  opts = args.options("fit", 3, opts, {method = "auto", tol = 1e-9, max_iter = 1000})
  args.choice("fit", 3, "method", opts.method, {"auto", "svd", "em"})
  args.integer("fit", 3, "max_iter", opts.max_iter, 1)
  local mu = core.mean(X)
  if mu and opts.method ~= "em" then return fit_closed(X, mu, d, opts.method == "svd") end
  if opts.method == "svd" then args.fail("fit", 3, 'method: "svd" needs complete data, and X has NaN') end
  return fit_em(X, d, opts)
end

-- ---- more data than memory ---------------------------------------------------------------------

-- Moments of blocks of rows, each about its own mean, joined in a fixed tree: a node's value is {n, mean, S}.
local function join(a, b)
  core.join(a[1], a[2], a[3], b[1], b[2], b[3])
  return {a[1] + b[1], a[2], a[3]}
end

local function copy_of(v) return {v[1], v[2]:copy(), v[3]:copy()} end

local function block_of(X)
  return {#X, core.block(X)}
end

local function square(m) return m, m end
local STATE, SHAPES = {"mean", "S"}, {function(m) return m end, square}

local accumulator = pg._model.class("ppca.accumulator", {
  title = "a ppca accumulator",
  fields = {"n", "block", "start"},
  derived = {n = function(acc) return acc._count end},
  summary = function(acc) return string.format("ppca.accumulate: %d rows so far", acc.n) end,
  example = function() return ppca.accumulate() end,
})

--- pg.ppca.accumulate([opts]) -> acc
-- Collects the moments of data that come in chunks; memory does not grow with the rows. Rows are gathered in blocks,
-- counted from the first, and blocks are joined in a fixed tree, so that the result has the same bits however the
-- rows are cut into chunks, and however chunks are shared out among accumulators that are merged.
-- @param opts.block  integer: rows of a block; 4096
-- @param opts.start  integer: how many rows stand before the first, a multiple of block, where another accumulator
-- has those; 0
-- @param opts.state  table: what acc:state() gave; goes on from there
-- @return acc  with acc:add(X) and acc:fit(d)
-- @source Chan, Golub & LeVeque 1983 (the moments of two parts)
-- @example pg.ppca.accumulate():add({{1, 2, 0}, {3, 4.5, 1}, {5, 6, 0}}):fit(1).n --> 3
function ppca.accumulate(opts)
  opts = args.options("accumulate", 1, opts, {block = args.any, start = args.any, state = args.any})
  local acc = accumulator.new()
  if opts.state == nil then return tree.start("accumulate", acc, opts) end
  if opts.block ~= nil or opts.start ~= nil then
    args.fail("accumulate", 1, "state: holds block and start already; give it alone")
  end
  tree.restore(acc, opts.state, STATE, SHAPES, 0)
  return acc
end

local methods_of = accumulator.methods
local mean_of_added = args.named(core.mean, "add")

--- ppca.accumulator:add(X) -> acc
-- Adds rows.
-- @param X  array, n x m, f32 or f64 (n x h x w images are flattened)
-- @return acc  itself
-- @error  another number of features than before; a value that is not finite, with its place in X
function methods_of:add(X)
  X = observations("add", X)
  local n, m = X:dims()
  if n == 0 then return self end
  if m == 0 then args.fail("add", 1, "X: expected features, got shape " .. tostring(X.shape)) end
  if self._width and self._width ~= m then
    args.fail("add", 1, string.format("X: expected rows of %d features, got shape %s", self._width,
      tostring(X.shape)))
  end
  -- Checked first: what raises leaves the accumulator as it was.
  if not mean_of_added(X) then
    args.fail("add", 1, "X: has NaN; missing values need pg.ppca.fit")
  end
  tree.feed(self, X, block_of, join)
  return self
end

--- ppca.accumulator:fit(d) -> m
-- Fits to all rows so far; more may be added afterwards.
-- @param d  integer in 1..min(n-1, m): latent dimensions
-- @return m  model, as pg.ppca.fit gives it
function methods_of:fit(d)
  if self.n < 2 then error("fit: at least 2 rows are needed, got " .. self.n, pg._user_level()) end
  d = check_d("fit", 1, self.n, self._width, d)
  local n, mean, S = table.unpack(tree.value_of(self, block_of, join, copy_of))
  local mu, eigenvalues, W, sigma2 = core.fit_moments(n, mean, pg.zeros_like(mean), S, d)
  return model{W = W, mu = mu, sigma2 = sigma2, eigenvalues = eigenvalues, n = n}
end

--- ppca.accumulator:merge(other) -> acc
-- Takes in what another accumulator holds, of the rows that come after its own: made with start = this one's rows. The
-- bits are those of one accumulator that was given all rows.
-- @param other  accumulator of the same block
-- @return acc  itself
-- @error  its own rows do not end at a block; the other was made without start and its sums do not fit the tree
function methods_of:merge(other)
  accumulator.check("merge", 1, "other", other)
  return tree.merge_accumulators(self, other, join, copy_of)
end

--- ppca.accumulator:state() -> table
-- What it holds as a table of arrays, to be saved by pg.save and given to pg.ppca.accumulate{state = }.
-- @return table  of arrays
function methods_of:state()
  return tree.state(self, STATE, {})
end

return ppca
