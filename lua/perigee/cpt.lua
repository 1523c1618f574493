-- SPDX-License-Identifier: MIT
--
-- pg.cpt: binary images from conditional probability tables, p(x) = prod_k p(x_k | x_1..x_(k-1)).
--
-- A model has its tables in one of two forms that behave the same: dense, the user's own list of
-- arrays (table k has k axes of 2), or compact, the distinct images of a sample under a tree, which
-- is what pg.cpt.estimate makes. `handle` is what the primitives in C take for either.

local pg, core = ...
local args = pg._args

local cpt = {}
local methods = {}
local fields = {"d", "entries", "free", "stored", "tables", "alpha", "images", "observations", "handle"}

local meta = {__name = "cpt model"}

function meta.__index(_, key)
  local method = methods[key]
  if method then return method end
  local names = {}
  for _, name in ipairs(fields) do
    if name == key then return nil end
    names[#names + 1] = name
  end
  for name in pairs(methods) do names[#names + 1] = name end
  table.sort(names)
  local near = args.nearest(tostring(key), names)
  error(string.format("a cpt model has no '%s'%s", tostring(key), near and "; did you mean '" .. near .. "'?" or ""), 2)
end

-- A count as an integer where it is one that Lua can hold.
local function count(x)
  return math.tointeger(x) or x
end

function meta:__tostring()
  local entries = math.type(self.entries) == "integer" and string.format("%d", self.entries)
    or string.format("%.3g", self.entries)
  if self.tables then
    return string.format("cpt model: %d pixels, dense tables with %s entries", self.d, entries)
  end
  return string.format("cpt model: %d pixels, %d images of %d observations, alpha = %g; %d entries stored of %s",
    self.d, self.images, self.observations, self.alpha, self.stored, entries)
end

local function model(d, m)
  m.d = d
  m.entries = count(2.0 ^ (d + 1) - 2)
  m.free = count(2.0 ^ d - 1)
  m.stored = m.stored or m.entries
  return setmetatable(m, meta)
end

local function self_of(name, m)
  if getmetatable(m) ~= meta then
    error(string.format("bad self in call to '%s' (expected a cpt model, got %s; write m:%s(...), with a colon)",
      name, args.got(m), name), 3)
  end
  return m
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

local function collect(name, X, alpha, counts)
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
  self_of("sample", self)
  args.integer("sample", 1, "n", n, 0)
  args.rng("sample", 2, rng)
  return core.sample(self.handle, n, rng)
end

--- cpt:logprob(X) -> array | number
-- The log-probability of each image, -inf where it cannot be.
-- @param X  array, n x d of 0 and 1; one image (1-d) gives a number
function methods:logprob(X)
  self_of("logprob", self)
  if type(X) == "table" then X = pg.array(X) end
  args.array("logprob", 1, "X", X)
  if X.ndim == 1 then return core.logprob(self.handle, X:reshape(1, -1))[1] end
  if X.ndim > 2 then X = X:reshape(X.shape[1], -1) end
  return core.logprob(self.handle, X)
end

--- cpt:loglik(X) -> number
-- The sum of cpt:logprob(X).
-- @param X  array, n x d of 0 and 1
function methods:loglik(X)
  local lp = self:logprob(X)
  return type(lp) == "number" and lp or lp:sum()
end

--- cpt:support([opts]) -> X, p
-- Every image with positive probability, in ascending order of its pixels, and these probabilities.
-- @param opts.max  integer: raise an error where there are more (default 1000000)
-- @return X  k x d of 0 and 1
-- @return p  k probabilities
function methods:support(opts)
  self_of("support", self)
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
  self_of("conditional", self)
  return core.conditional(self.handle, prefix)
end

--- cpt:entropy() -> number
-- The entropy of an image in nats; over d, that of a pixel: the floor of any model's mean loss.
function methods:entropy()
  self_of("entropy", self)
  return core.entropy(self.handle)
end

--- cpt:save(path)
-- Writes the model as .npz, for pg.cpt.load: dense tables as table_1, table_2, ...; a compact model as
-- images, counts and alpha.
-- @param path  ending in .npz
function methods:save(path)
  self_of("save", self)
  local out = {}
  if self.tables then
    for k, table in ipairs(self.tables) do out["table_" .. k] = table end
  else
    out.images, out.counts = core.images(self.handle)
    out.alpha = pg.full({1}, self.alpha)
  end
  pg.save(path, out, {compress = true})
end

--- pg.cpt.load(path) -> model
-- The model that cpt:save wrote.
-- @param path  of an .npz file
-- @error a file that holds something else
function cpt.load(path)
  local found = pg.load(path)
  if type(found) == "table" and found.table_1 then
    local tables = {}
    while found["table_" .. #tables + 1] do tables[#tables + 1] = found["table_" .. #tables + 1] end
    return cpt.new(tables)
  end
  if type(found) ~= "table" or not (found.images and found.counts and found.alpha) then
    error(path .. ": not a cpt model: it has neither table_1 nor images, counts and alpha", 2)
  end
  return collect("cpt.load", found.images, found.alpha:item(), found.counts)
end

return cpt
