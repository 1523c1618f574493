-- SPDX-License-Identifier: MIT
--
-- pg.cpt: binary images from conditional probability tables, p(x) = prod_k p(x_k | x_1..x_(k-1)).
--
-- A model has its tables in one of two forms that behave the same: dense, the user's own list of
-- arrays (table k has k axes of 2), or compact, the distinct images of a sample under a tree, which
-- is what pg.cpt.estimate makes. `handle` is what the primitives in C take for either.

local pg, core = ...
local args = pg._args
local error, ipairs, math, string, type = error, ipairs, math, string, type

local cpt = {}

-- A count as an integer where it is one that Lua can hold.
local function count(x)
  return math.tointeger(x) or x
end

local function summary(m)
  local entries = math.type(m.entries) == "integer" and string.format("%d", m.entries)
    or pg._format("%.3g", m.entries)
  if m.tables then return string.format("cpt model: %d pixels, dense tables with %s entries", m.d, entries) end
  return pg._format("cpt model: %d pixels, %d images of %d observations, alpha = %g; %d entries stored of %s",
    m.d, m.images, m.observations, m.alpha, m.stored, entries)
end

-- What cpt:save writes: dense tables as table_1, table_2, ...; a compact model as images, counts and alpha.
local function arrays_of(m)
  local out = {}
  if m.tables then
    for k, t in ipairs(m.tables) do out["table_" .. k] = t end
  else
    out.images, out.counts = core.images(m.handle)
    out.alpha = pg.full({1}, m.alpha)
  end
  return out, {compress = true}
end

local collect

local function from_arrays(found, refuse)
  if found.table_1 then
    local tables = {}
    while found["table_" .. #tables + 1] do tables[#tables + 1] = found["table_" .. #tables + 1] end
    return cpt.new(tables)
  end
  if not (found.images and found.counts and found.alpha) then
    refuse("it has neither table_1 nor images, counts and alpha")
  end
  return collect("cpt.load", found.images, found.alpha:item(), found.counts)
end

local class = pg._model.class("cpt", {
  fields = {"d", "entries", "free", "stored", "tables", "alpha", "images", "observations", "handle"},
  summary = summary,
  write = arrays_of,
  read = from_arrays,
  example = function(rng) return cpt.estimate(rng:bernoulli(0.5, 8, 4)) end,
})
local methods = class.methods

local function model(d, m)
  m.d = d
  m.entries = count(2.0 ^ (d + 1) - 2)
  m.free = count(2.0 ^ d - 1)
  m.stored = m.stored or m.entries
  return class.new(m)
end

--- pg.cpt.new(tables) -> model
-- A model from dense tables, which are kept, not copied.
-- @param tables  sequence of arrays: table k of shape (2,)*k, its last axis p(x_k = 0), p(x_k = 1)
--   given the pixels before; what pg.load gives for the homework's file
-- @return model  d pixels, entries = 2^(d+1) - 2, free = entries / 2, stored = entries, tables
-- @error a table of another shape, an entry outside [0, 1], a row that does not sum to 1 within 1e-6:
--   the first is named
-- @example pg.cpt.new{{0.25, 0.75}}:conditional{} --> 0.75
function cpt.new(tables)
  local handle = core.check(tables)
  return model(#handle, {tables = handle, handle = handle})
end

local collectors = {["cpt.estimate"] = core.collect, ["cpt.load"] = args.named(core.collect, "cpt.load")}

function collect(name, X, alpha, counts)
  local handle, stored, images, observations = collectors[name](X, alpha, counts)
  local _, d = X:dims()
  return model(d, {handle = handle, stored = count(stored), images = images, observations = count(observations),
    alpha = alpha})
end

--- pg.cpt.estimate(X [, opts]) -> model
-- A model from binary images, as counting gives it; only prefixes seen are stored, so 784 pixels are
-- no problem, and it behaves as if its tables were dense.
-- @param X  array, n x d (or n x h x w) of 0 and 1: observations are rows
-- @param opts.alpha  number of at least 0, added to each count (default 0); at 0 a prefix that was not
--   seen has probabilities 0.5
-- @return model  d, entries and free (of the dense tables), stored, images (distinct ones),
--   observations, alpha
-- @error an element that is neither 0 nor 1 is named
-- @example pg.cpt.estimate(pg.array{{0, 1}, {0, 0}, {1, 1}, {0, 1}}):conditional{0} --> 0.66666666666667
function cpt.estimate(X, opts)
  opts = args.options("cpt.estimate", 2, opts, {alpha = 0.0})
  if type(X) == "table" then X = pg.array(X) end
  args.array("cpt.estimate", 1, "X", X)
  if X.ndim > 2 then X = X:reshape(X.shape[1], -1) end
  args.number("cpt.estimate", 2, "alpha", opts.alpha, 0)
  return collect("cpt.estimate", X, opts.alpha)
end

--- cpt:sample(n, rng) -> array
-- Draws images, one uniform number a pixel in pixel order; a pixel is 0 where it is below p(0). With
-- pg.random.legacy(s) they are those of the NumPy loop under np.random.seed(s), bit for bit.
-- @param n  integer: how many
-- @param rng  generator
-- @return X  n x d of 0 and 1
function methods:sample(n, rng)
  args.integer("sample", 1, "n", n, 0)
  args.rng("sample", 2, rng)
  return core.sample(self.handle, n, rng)
end

--- cpt:logprob(X) -> array | number
-- The log-probability of each image, -inf where it cannot be.
-- @param X  array, n x d of 0 and 1; one image (1-d) gives a number
function methods:logprob(X)
  if type(X) == "table" then X = pg.array(X) end
  args.array("logprob", 1, "X", X)
  if X.ndim == 1 then return core.logprob(self.handle, X:reshape(1, -1))[1] end
  if X.ndim > 2 then X = X:reshape(X.shape[1], -1) end
  return core.logprob(self.handle, X)
end

--- cpt:support([opts]) -> X, p
-- Every image with positive probability, in ascending order of its pixels, and these probabilities.
-- @param opts.max  integer: raise an error where there are more (default 1000000)
-- @return X  k x d of 0 and 1
-- @return p  k probabilities
function methods:support(opts)
  opts = args.options("support", 1, opts, {max = 1000000})
  local max = args.integer("support", 1, "max", opts.max, 1, 2147483647)
  local X, p = core.support(self.handle, max)
  if not X then
    error(string.format("support: more than %d images have positive probability; raise opts.max to list them", max), 2)
  end
  return X, p
end

--- cpt:conditional(prefix) -> number
-- The probability that the next pixel is 1, after those given.
-- @param prefix  sequence or array of fewer than d pixels, 0 or 1
function methods:conditional(prefix)
  return core.conditional(self.handle, prefix)
end

--- cpt:entropy() -> number
-- The entropy of an image in nats; over d, that of a pixel: the floor of any model's mean loss.
function methods:entropy()
  return core.entropy(self.handle)
end

--- pg.cpt.load(path) -> model
-- The model that cpt:save wrote: dense tables as table_1, table_2, ...; a compact model as images, counts and alpha.
-- @param path  of an .npz file
-- @error a file that holds something else
cpt.load = class.load

return cpt
