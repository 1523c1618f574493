-- SPDX-License-Identifier: MIT
--
-- The linear-Gaussian model: y = x.w + e, e ~ N(0, sigma2), fitted by maximum likelihood.
--
--   L(w, sigma2) = -m/2 log(2 pi sigma2) - sum_i (y_i - x_i.w)^2 / (2 sigma2)
--   dL/dw = 0:       w = (sum x x^T)^-1 sum x y, found by QR and never by that inverse
--   dL/dsigma2 = 0:  sigma2 = RSS / m
--
-- The equations of the solver stand in src/kernel/lstsq.h.

local pg, core = ...
local args, tree = pg._args, pg._tree
local error, math, string, table, tostring, type = error, math, string, table, tostring, type

local linear = {}

-- ---- the model ---------------------------------------------------------------------------------

local make, weights

local function summary(model)
  local p = model.single and 1 or model.w.shape[2]
  local head = string.format("linear: %d observations, %d feature%s%s%s, rank %d", model.m, model.n,
    model.n == 1 and "" or "s", model.constant and " and intercept" or "",
    p == 1 and "" or string.format(", %d outputs", p), model.rank)
  if not model.single then return head end
  return head .. pg._format(", sigma2 = %.6g, R2 = %s", model.sigma2,
    model.r2 == model.r2 and pg._format("%.6g", model.r2) or "nan")
end

local class = pg._model.class("linear", {
  fields = {"w", "intercept", "sigma2", "s2", "stderr", "intercept_stderr", "r2", "loglik", "rss", "rank", "dof",
    "cond", "s", "residuals", "m", "n", "corrections", "constant", "single", "known", "root", "tss"},
  summary = summary,
  file = {{"W", "k p"}, {"tss", "p"}, {"s", "l"}, {"root", "k k"}, {"rss", "p"}, {"facts", "6"},
    {"residuals", "any", optional = true}},
  write = function(m)
    local W = weights(m, "save")
    return {W = W, tss = m.tss, s = m.s, root = m.root, rss = m.single and pg.array{m.rss} or m.rss,
      residuals = m.residuals or nil, facts = pg.array{m.m, m.rank, m.constant and 1 or 0, m.single and 1 or 0,
        m.corrections, m.known and 1 or 0}}
  end,
  read = function(t)
    local f = t.facts
    return make{W = t.W, tss = t.tss, s = t.s, root = t.root, rss = t.rss, m = math.tointeger(f[1]),
      rank = math.tointeger(f[2]), constant = f[3] == 1, single = f[4] == 1, corrections = math.tointeger(f[5]),
      known = f[6] == 1, residuals = t.residuals}
  end,
  example = function(rng)
    local X = rng:standard_normal(12, 3)
    return linear.fit(X, X:slice({}, 1))
  end,
})
local methods = class.methods
linear.load = class.load

-- A number for one output, else the array.
local function per_output(model, a)
  return model.single and a:item() or a
end

-- The model from its coefficients W ((constant and) n x p), rss (p), total sums of squares (p), singular
-- values, root (C C^T = (Z^T Z)^-1), count of rows and rank.
function make(t)
  local W, m, rank = t.W, t.m, t.rank
  local k, p = W:dims()
  local n = t.constant and k - 1 or k
  local first = k - n + 1
  local model = {m = m, n = n, rank = rank, rss = t.rss, dof = m - rank, s = t.s, constant = t.constant,
    single = t.single, root = t.root, tss = t.tss, residuals = t.residuals or false,
    corrections = t.corrections or 0, known = t.known}
  local sigma2 = t.rss / m
  local s2 = model.dof > 0 and t.rss / model.dof or pg.full({p}, 0 / 0)
  -- the spread of each coefficient: sqrt(s2 diag(C C^T)); not known where the rows do not tell it
  local spread = t.known and t.root:square():sum(2):sqrt() or pg.full({k}, 0 / 0)
  local stderr = spread:expand_dims(2) * s2:sqrt()
  local function part(a) return n == 0 and pg.zeros(0, p) or a:slice({first, k}, {}) end
  local w, e = part(W), part(stderr)
  model.w = t.single and w:reshape(n) or w:copy()
  model.stderr = t.single and e:reshape(n) or e:copy()
  model.intercept = per_output(model, t.constant and W[1]:copy() or pg.zeros(p))
  model.intercept_stderr = per_output(model, t.constant and stderr[1]:copy() or pg.zeros(p))
  model.rss = per_output(model, t.rss)
  model.sigma2 = per_output(model, sigma2)
  model.s2 = per_output(model, s2)
  model.r2 = per_output(model, 1 - t.rss / t.tss)
  model.loglik = per_output(model, ((sigma2 * (2 * math.pi)):log() + 1) * (-m / 2))
  model.cond = #t.s > 0 and t.s[1] / t.s[#t.s] or 0 / 0
  return class.new(model)
end

-- The coefficients as one array, (constant and) n x p, from m.w and m.intercept, which a script may have set.
function weights(m, name)
  local k, p = #m.root, m.single and 1 or #m.tss
  local n = m.constant and k - 1 or k
  local function part(what, value, rows)
    local want = what == "w" and (m.single and {n} or {n, p}) or {p}
    local a = type(value) == "number" and pg.array{value} or value
    local ok = args.is_array(a) and a.ndim == #want
    for axis = 1, #want do ok = ok and a.shape[axis] == want[axis] end
    if not ok then
      error(string.format("%s: the model's %s was set to %s, expected shape (%s%s)", name, what, args.got(value),
        table.concat(want, ", "), #want == 1 and "," or ""), pg._user_level())
    end
    return a:reshape(rows, p)
  end
  local w = part("w", m.w, n)
  if not m.constant then return w end
  return pg.concat({part("intercept", m.intercept, 1), w}, 1)
end

-- X as m x n and Y as m x p. `single`: y came 1-d.
local function observations(name, X, y)
  if type(X) == "table" then X = pg.array(X) end
  if type(y) == "table" then y = pg.array(y) end
  args.array(name, 1, "X", X, nil)
  args.array(name, 2, "y", y, nil)
  if X.ndim == 1 then X = X:expand_dims(2) end
  if X.ndim ~= 2 then args.fail(name, 1, "X: expected m x n observations, got shape " .. tostring(X.shape)) end
  local single = y.ndim == 1
  if y.ndim ~= 1 and y.ndim ~= 2 then
    args.fail(name, 2, "y: expected m or m x p values, got shape " .. tostring(y.shape))
  end
  if #y ~= #X then
    args.fail(name, 2, string.format("y: %d values for the %d rows of X", #y, #X))
  end
  return X, single and y:expand_dims(2) or y, single
end

local function with_constant(X)
  return pg.concat({pg.ones(#X, 1), X}, 2)
end

-- What R2 compares with: squares about the mean where there is an intercept, else about 0. Rounding of the
-- mean of a constant y does not count.
local function total_squares(Y, constant)
  if not constant then return Y:square():sum(1) end
  local most = Y:abs():max(1)
  local tss = (Y - Y:mean(1)):square():sum(1)
  return pg.where(tss:gt((most * 4.5e-16):square() * #Y), tss, 0)
end

--- pg.linear.fit(X, y [, opts]) -> m
-- Fits y = X w (+ intercept) + noise by maximum likelihood, which is least squares. Solved by blocked QR and
-- refined with double-double residuals. Where columns of X depend on each other, or are more than its rows, w
-- is the solution of least norm, and m.rank tells it. R2 is NaN for a constant y with an intercept, which
-- leaves nothing to explain.
-- @param X  array, m x n: observations are rows; m numbers are one column
-- @param y  array, m, or m x p for p right-hand sides; then what is a number below is an array of p
-- @param opts.intercept  boolean: fit a constant too; default false
-- @return m  model with m.w (n), m.intercept, m.sigma2 (RSS/m, the maximum-likelihood estimate), m.s2
-- (RSS/(m - rank), unbiased), m.stderr (n), m.intercept_stderr, m.r2 (about 0 without an intercept), m.loglik,
-- m.rss, m.rank, m.dof, m.cond (of X with its constant), m.s (its singular values), m.residuals, m.m, m.n
-- @error shapes that do not fit; an element that is not finite is named
-- @source Björck 1996, Numerical Methods for Least Squares Problems, sections 2.7 and 2.9
-- @example pg.linear.fit(pg.array{1, 2, 3}, pg.array{2, 4, 6}).w:totable()[1] --> 2.0
function linear.fit(X, y, opts)
  opts = args.options("fit", 3, opts, {intercept = false})
  local Y, single
  X, Y, single = observations("fit", X, y)
  if #X == 0 then args.fail("fit", 1, "X: no observations, shape " .. tostring(X.shape)) end
  local Z = opts.intercept and with_constant(X) or X
  local W, rss, s, root, residuals, rank, corrections = core.fit(Z, Y, opts.intercept and 1 or 0)
  return make{W = W, rss = rss, s = s, root = root, rank = rank, m = #X, constant = opts.intercept, single = single,
    tss = total_squares(Y:astype("f64"), opts.intercept), corrections = corrections, known = #Z >= Z.shape[2],
    residuals = single and residuals:reshape(#X) or residuals}
end

-- The rows to predict at; a 1-d X is one row, or for a single feature as many rows as it has numbers, and
-- then a number is a row.
local function inputs(model, name, X)
  local number = type(X) == "number" and model.n == 1
  if number or type(X) == "table" then X = pg.array(number and {X} or X) end
  args.array(name, 1, "X", X, nil)
  local row = number or X.ndim == 1 and model.n ~= 1
  if X.ndim == 1 then X = X:expand_dims(row and not number and 1 or 2) end
  if X.ndim ~= 2 or X.shape[2] ~= model.n then
    args.fail(name, 1, string.format("X: expected rows of %d feature%s, got shape %s", model.n,
      model.n == 1 and "" or "s", tostring(X.shape)))
  end
  return model.constant and with_constant(X) or X, row
end

-- The directions in which the rows of a fit below full rank say something, as columns; nil at full rank.
local function told(m)
  local k = #m.root
  if m.rank >= k then return nil end
  local U = pg.linalg.svd(m.root)
  return m.rank == 0 and pg.zeros(k, 1) or U:slice({}, {1, m.rank})
end

--- linear:predict(X) -> mean, sd
-- What the model expects at new inputs, and how far a new observation there will be from it: the noise and the
-- uncertainty of w together, sqrt(s2 (1 + x^T (X^T X)^-1 x)). Below full rank sd is infinite at inputs that lie
-- in a direction of which the rows say nothing: any mean there fits them alike.
-- @param X  array, k x n; n numbers are one row, for one feature a number or k numbers
-- @return mean  array, k (k x p); for one row a number (p)
-- @return sd  array of mean's shape; NaN where there are no more rows than columns to tell it
function methods:predict(X)
  local Z, row = inputs(self, "predict", X)
  local mean = Z:dot(weights(self, "predict"))
  local reach = self.known and Z:dot(self.root):square():sum(2) or pg.full({#Z}, 0 / 0)
  local s2 = type(self.s2) == "number" and pg.full({1}, self.s2) or self.s2
  local U = self.known and told(self)
  if U then
    local beyond = (Z - Z:dot(U):dot(U.T)):square():sum(2)
    reach = pg.where(beyond:gt(Z:square():sum(2) * 2.2e-16), math.huge, reach)
  end
  local sd = ((reach + 1):expand_dims(2) * s2):sqrt()
  if self.single then mean, sd = mean:reshape(-1), sd:reshape(-1) end
  if row then mean, sd = mean[1], sd[1] end
  return mean, sd
end

--- linear:logprob(X, y) -> array
-- The logarithm of N(y; x.w + intercept, sigma2), a value a row; with several outputs their sum.
-- @param X  array, k x n
-- @param y  array, k or k x p
-- @return array, k
function methods:logprob(X, y)
  local Z = inputs(self, "logprob", X)
  if type(y) == "number" then y = pg.array{y} end
  if type(y) == "table" then y = pg.array(y) end
  args.array("logprob", 2, "y", y, nil)
  if y.ndim == 1 then y = y:expand_dims(self.single and 2 or 1) end
  local W = weights(self, "logprob")
  local p = W.shape[2]
  if y.ndim ~= 2 or #y ~= #Z or y.shape[2] ~= p then
    args.fail("logprob", 2, string.format("y: expected %d x %d values, got shape %s", #Z, p, tostring(y.shape)))
  end
  local sigma2 = type(self.sigma2) == "number" and pg.full({1}, self.sigma2) or self.sigma2
  local miss = y - Z:dot(W)
  local square = pg.where(miss:eq(0), 0, miss:square() / sigma2)
  return ((sigma2 * (2 * math.pi)):log() + square):sum(2) * -0.5
end

-- ---- more rows than memory ---------------------------------------------------------------------

-- A block of rows is its triangle [R, Q'y], (n + p) x (n + p); two are joined by the QR of one above the other.
local function join(a, b)
  core.add(b[2], a[2])
  return {a[1] + b[1], a[2]}
end

local function copy_of(v) return {v[1], v[2]:copy()} end

local function square(width) return width, width end
local STATE, SHAPES = {"R"}, {square}

local accumulator = pg._model.class("linear.accumulator", {
  title = "a linear accumulator",
  fields = {"m", "n", "block", "start", "constant", "single"},
  derived = {m = function(acc) return acc._count end},
  summary = function(acc) return string.format("linear.accumulator: %d observations", acc.m) end,
  example = function() return linear.accumulate() end,
})
local methods_of = accumulator.methods

-- A block of rows [X y]: its triangle.
local function block_of(rows)
  local width = rows.shape[2]
  local R = pg.zeros(width, width)
  core.add(rows, R)
  return {#rows, R}
end

--- pg.linear.accumulate([opts]) -> acc
-- Fits rows that come in parts: blocks of rows, counted from the first, are each folded into a triangle of (n + p)^2
-- numbers by QR, and triangles are joined in a fixed tree, so that the result has the same bits however the rows are
-- cut into parts, and however parts are shared out among accumulators that are merged. Without the rows there is no
-- refinement and m.residuals is false; all else is as from pg.linear.fit.
-- @param opts.intercept  boolean: fit a constant too; default false
-- @param opts.block  integer: rows of a block; 4096
-- @param opts.start  integer: how many rows stand before the first, a multiple of block, where another accumulator
-- has those; 0
-- @param opts.state  table: what acc:state() gave; goes on from there
-- @return acc  accumulator
-- @source Demmel, Grigori, Hoemmen & Langou 2012, section 3
function linear.accumulate(opts)
  opts = args.options("accumulate", 1, opts, {intercept = args.any, block = args.any, start = args.any,
    state = args.any})
  local acc = accumulator.new{n = 0, constant = opts.intercept or false, single = true}
  if type(acc.constant) ~= "boolean" then
    args.fail("accumulate", 1, "intercept: expected a boolean, got " .. args.got(acc.constant))
  end
  if opts.state == nil then return tree.start("accumulate", acc, opts) end
  if opts.block ~= nil or opts.start ~= nil or opts.intercept ~= nil then
    args.fail("accumulate", 1, "state: holds intercept, block and start already; give it alone")
  end
  local n, constant, single = tree.restore(acc, opts.state, STATE, SHAPES, 3)
  acc.n, acc.constant, acc.single = n, constant == 1, single == 1
  if acc._width and not (n <= acc._width and (n > 0 or constant == 0)) then
    args.fail("accumulate", 1, "state: " .. n .. " columns of " .. acc._width)
  end
  return acc
end

--- linear.accumulator:add(X, y) -> acc
-- Takes rows in.
-- @param X  array, m x n
-- @param y  array, m or m x p
-- @return acc  itself
-- @error  other columns than before; a value that is not finite, with its place
function methods_of:add(X, y)
  local Y, single
  X, Y, single = observations("add", X, y)
  local Z = self.constant and with_constant(X) or X
  local n, p = Z.shape[2], Y.shape[2]
  if self._width and (n ~= self.n or n + p ~= self._width) then
    local extra = self.constant and 1 or 0
    args.fail("add", 1, string.format("X: %d columns and y of %d, after %d and %d before", n - extra, p,
      self.n - extra, self._width - self.n))
  end
  if #X == 0 then return self end
  core.check(X, Y)
  if not self._width then self.n, self.single = n, single end
  tree.feed(self, pg.concat({Z:astype("f64"), Y:astype("f64")}, 2), block_of, join)
  return self
end

--- linear.accumulator:merge(other) -> acc
-- Takes in what another accumulator holds, of the rows that come after its own: made with start = this one's rows. The
-- bits are those of one accumulator that was given all rows.
-- @param other  accumulator of the same block and intercept
-- @return acc  itself
-- @error  its own rows do not end at a block; the other was made without start and its sums do not fit the tree
function methods_of:merge(other)
  accumulator.check("merge", 1, "other", other)
  if other.constant ~= self.constant or self._width and other._width and other.n ~= self.n then
    args.fail("merge", 1, string.format("other: has %d columns%s, this one %d%s", other.n,
      other.constant and " with a constant" or "", self.n, self.constant and " with a constant" or ""))
  end
  if not self._width then self.n, self.single = other.n, other.single end
  return tree.merge_accumulators(self, other, join, copy_of)
end

--- linear.accumulator:state() -> table
-- What it holds as a table of arrays, to be saved by pg.save and given to pg.linear.accumulate{state = }.
-- @return table  of arrays
function methods_of:state()
  return tree.state(self, STATE, {self.n, self.constant and 1 or 0, self.single and 1 or 0})
end

--- linear.accumulator:fit() -> m
-- The model of all rows added.
-- @return m  as pg.linear.fit gives it, without residuals
function methods_of:fit()
  if self.m == 0 then error("fit: no observations were added", pg._user_level()) end
  local n, width = self.n, self._width
  local state = tree.value_of(self, block_of, join, copy_of)[2]
  local W, rss, s, root, rank = core.finish(state, n, self.m)
  -- Below its first row the triangle holds y about its mean, where the first column is the constant.
  local tss = state:slice({self.constant and 2 or 1, width}, {n + 1, width}):square():sum(1)
  return make{W = W, rss = rss, s = s, root = root, rank = rank, m = self.m, constant = self.constant,
    single = self.single, tss = tss, known = self.m >= n}
end

return linear
