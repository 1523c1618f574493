-- SPDX-License-Identifier: MIT
--
-- The derivatives of pg's functions, by the names that src/bind/tape_rules.c has.
--
-- A rule is one of
--   true                        the cotangent goes to each operand as it is
--   {f1, f2, ...}               one for each operand: f(g, y, a, b, ...) -> its cotangent. g is the
--                               cotangent of the result y; a, b, ... are the arguments. y and an
--                               operand are given where the row keeps them; else they are nil, but
--                               for the operand in question, which then is an array of its shape
--                               without values. true stands for g, false for no derivative.
--   {..., into = {f1, f2}}      one may be f(out, g, y, a, b, ...), which writes an operand's cotangent into out,
--                               an array of the operand's shape, and says whether it did
--   {f} of a joining function   f(g, j, y, ends, axis, ...): of the j-th element of the list
--   {f, into} of a region       into(c, g, y, a, ...) adds g to c at the region
--   f                           of several results or of all operands at once: f(g, y, ...) -> a
--                               cotangent each, nil for none; g is a table by result
-- What a rule gives may be broadcast to the operand's shape or be of a shape that sums to it, and of
-- another dtype; the walk sees to that. Rules are made of pg's functions and operators alone and
-- never look at values to choose what they compute by, so they can be differentiated in turn; where
-- one does look, both ways compute the same.
--
-- Sources: Giles 2008, "Collected matrix derivative results for forward and reverse mode
-- algorithmic differentiation"; Murray 2016, arXiv:1602.07527 (Cholesky); Walter & Lehmann 2012 (QR);
-- Townsend 2016 (SVD); Golub & Pereyra 1973 (pseudo-inverse).

local pg = ...
local linalg = pg.linalg

local rules = {}

local function is_array(v) return getmetatable(v) == "array" end

-- ---- axes -------------------------------------------------------------------------------------

-- The axes that (axis, opts) of a reduction names, ascending; nil for all. keepdims second.
local function named(a, axis, opts)
  local list
  if type(axis) == "number" then
    list = {axis}
  elseif type(axis) == "table" and #axis > 0 then
    list = axis
  elseif type(axis) == "table" then
    opts = axis
  end
  if list then
    local ndim, sorted = a.ndim, {}
    for k = 1, #list do sorted[k] = list[k] < 0 and list[k] + ndim + 1 or list[k] end
    table.sort(sorted)
    list = sorted
  end
  return list, opts and opts.keepdims
end

-- A reduced value with the axes put back, so that it broadcasts against a.
local function spread(v, a, axis, opts)
  if not is_array(v) then return v end
  if type(axis) == "number" and opts == nil then
    if axis == 1 or axis == -a.ndim then return v end -- the others are the last ones
    return v:expand_dims(axis < 0 and axis + a.ndim + 1 or axis)
  end
  local list, keep = named(a, axis, opts)
  if keep or not list then return v end
  for _, k in ipairs(list) do v = v:expand_dims(k) end
  return v
end

-- How many elements each element of the reduced value stands for.
local function count(g, a)
  local n = is_array(g) and g.size or 1
  return n > 0 and a.size // n or 0
end

-- Axes and their order such that the named ones come last: the permutation and its inverse.
local function last_axes(a, axis, opts)
  local list = named(a, axis, opts)
  local reduced, order, inverse = {}, {}, {}
  for k = 1, a.ndim do reduced[k] = not list end
  for _, k in ipairs(list or {}) do reduced[k] = true end
  local lanes, n, shape = 1, 1, a.shape
  for k = 1, a.ndim do
    if not reduced[k] then order[#order + 1], lanes = k, lanes * shape[k] end
  end
  for k = 1, a.ndim do
    if reduced[k] then order[#order + 1], n = k, n * shape[k] end
  end
  for k, axis_at in ipairs(order) do inverse[axis_at] = k end
  return order, inverse, lanes, n
end

-- The positions of a's elements in row-major order, in a's shape.
local function positions(a) return pg.range(1, a.size):reshape(a.shape) end

-- g added at the positions that select(positions) gives: the derivative of what only chooses.
local function put_back(g, a, chosen)
  local into = pg.zeros(a.size, a.dtype)
  if g.size == 0 then return into:reshape(a.shape) end
  return into:scatter_add(g:reshape(-1), chosen:reshape(-1)):reshape(a.shape)
end

local function mT(a)
  if a.ndim <= 2 then return a.T end
  local axes = {}
  for k = 1, a.ndim do axes[k] = k end
  axes[#axes], axes[#axes - 1] = axes[#axes - 1], axes[#axes]
  return a:transpose(axes)
end

-- ---- arithmetic -------------------------------------------------------------------------------

local function minus(g) return -g end
rules.add = true
rules.sub = {true, minus}
rules.neg = {minus}
rules.mul = {function(g, _, _, b) return g * b end, function(g, _, a) return g * a end}
rules.div = {function(g, _, _, b) return g / b end, function(g, y, _, b) return -(g * y) / b end}
rules.mod = {true, function(g, _, a, b) return -(g * pg.idiv(a, b)) end}
rules.pow = {
  function(g, _, a, b)
    if b == 2 then return g * a * 2 end
    if b == 1 then return g end
    if b == 0 then return g * 0 end
    if type(b) == "number" then return g * (b * a ^ (b - 1)) end
    return g * b * a ^ pg.where(b:eq(0), 1, b - 1)
  end,
  function(g, y, a, b)
    -- log a, but 0 where y = 0 takes the limit
    local none = pg.eq(a, 0)
    if is_array(none) then none = none * pg.ge(b, 0) else none = none * pg.ge(b, 0) end
    return g * y * pg.log(pg.where(none, 1, a))
  end,
}
rules.square = {function(g, _, a) return g * a * 2 end}
rules.sqrt = {function(g, y) return g / (y * 2) end}
rules.abs = {function(g, _, a) return g * pg.sign(a) end}
local function shared(chosen, tied) return (chosen + tied) * 0.5 end
rules.maximum = {
  function(g, _, a, b) return g * shared(pg.ge(a, b), pg.gt(a, b)) end,
  function(g, _, a, b) return g * shared(pg.ge(b, a), pg.gt(b, a)) end,
}
rules.minimum = {
  function(g, _, a, b) return g * shared(pg.le(a, b), pg.lt(a, b)) end,
  function(g, _, a, b) return g * shared(pg.le(b, a), pg.lt(b, a)) end,
}
rules.where = {false, function(g, _, c) return pg.where(c, g, 0) end, function(g, _, c) return pg.where(c, 0, g) end}
rules.clip = {
  function(g, _, a, lo, hi)
    if lo ~= nil then g = pg.where(pg.lt(a, lo), 0, g) end
    if hi ~= nil then g = pg.where(pg.gt(a, hi), 0, g) end
    return g
  end,
  function(g, _, a, lo, hi)
    g = pg.where(pg.lt(a, lo), g, 0)
    if hi ~= nil then g = pg.where(pg.gt(lo, hi), 0, g) end
    return g
  end,
  function(g, _, a, lo, hi)
    if lo ~= nil then a = pg.maximum(a, lo) end
    return pg.where(pg.gt(a, hi), g, 0)
  end,
}

-- ---- functions of one array -------------------------------------------------------------------

rules.exp = {function(g, y) return g * y end}
rules.expm1 = {function(g, y) return g * (y + 1) end}
rules.cbrt = {function(g, y) return g / (pg.square(y) * 3) end}
rules.hypot = {
  function(g, y, a) return g * a / (y + pg.eq(y, 0)) end,
  function(g, y, _, b) return g * b / (y + pg.eq(y, 0)) end,
}
rules.relu = {function(g, y) return g * pg.gt(y, 0) end}
rules.silu = {function(g, _, a)
  local s = pg.sigmoid(a)
  return g * (s * (1 + a * (1 - s)))
end}
rules.gelu = {function(g, _, a, opts)
  if type(opts) == "table" then -- a s, s = sigmoid(2 u)
    local square = pg.square(a)
    local s = pg.sigmoid(a * (1 + square * 0.044715) * 1.5957691216057308)
    return g * (s + s * (1 - s) * a * (1 + square * 0.134145) * 1.5957691216057308)
  end
  -- Phi(a) + a phi(a)
  return g * ((pg.erf(a * 0.7071067811865476) + 1) * 0.5 + a * pg.exp(pg.square(a) * -0.5) * 0.3989422804014327)
end}
rules.leaky_relu = {
  function(g, _, a, slope) return g * pg.where(pg.gt(a, 0), 1, slope or 0.01) end,
  function(g, _, a) return g * pg.minimum(a, 0) end,
}
rules.elu = {
  function(g, _, a, alpha)
    local below = pg.minimum(a, 0)
    local slope = alpha and pg.exp(below) * alpha or pg.exp(below)
    return g * pg.where(pg.gt(a, 0), 1, slope)
  end,
  function(g, _, a) return g * pg.expm1(pg.minimum(a, 0)) end,
}
rules.log = {function(g, _, a) return g / a end}
rules.log1p = {function(g, _, a) return g / (a + 1) end}
rules.log2 = {function(g, _, a) return g / (a * math.log(2)) end}
rules.log10 = {function(g, _, a) return g / (a * math.log(10)) end}
rules.sin = {function(g, _, a) return g * pg.cos(a) end}
rules.cos = {function(g, _, a) return -(g * pg.sin(a)) end}
rules.asin = {function(g, _, a) return g / pg.sqrt(1 - pg.square(a)) end}
rules.acos = {function(g, _, a) return -(g / pg.sqrt(1 - pg.square(a))) end}
rules.atan = {function(g, _, a) return g / (pg.square(a) + 1) end}
rules.tan = {function(g, y) return g * (pg.square(y) + 1) end}
rules.sinh = {function(g, _, a) return g * pg.cosh(a) end}
rules.cosh = {function(g, _, a) return g * pg.sinh(a) end}
rules.tanh = {function(g, y) return g * (1 - pg.square(y)) end}
rules.sigmoid = {function(g, y) return g * (y * (1 - y)) end}
rules.log_sigmoid = {function(g, _, a) return g * pg.sigmoid(-a) end}
rules.softplus = {function(g, _, a) return g * pg.sigmoid(a) end}
rules.logit = {function(g, _, a) return g / (a * (1 - a)) end}
rules.erf = {function(g, _, a) return g * (pg.exp(-pg.square(a)) * 1.1283791670955126) end} -- 2 / sqrt(pi)
rules.erfc = {function(g, _, a) return g * (pg.exp(-pg.square(a)) * -1.1283791670955126) end}
rules.ndtri = {function(g, y) return g * (pg.exp(pg.square(y) / 2) * 2.5066282746310002) end} -- sqrt(2 pi)
rules.betaln = {
  function(g, _, a, b) return g * (pg.digamma(a) - pg.digamma(a + b)) end,
  function(g, _, a, b) return g * (pg.digamma(b) - pg.digamma(a + b)) end,
}
rules.log_poisson = {
  function(g, _, k, m) return g * (pg.log(m) - pg.digamma(k + 1)) end,
  function(g, _, k, m) return g * (k / m - 1) end,
}
rules.log_binomial = {
  function(g, _, k, n, p) return g * (pg.digamma(n - k + 1) - pg.digamma(k + 1) + pg.logit(p)) end,
  function(g, _, k, n, p) return g * (pg.digamma(n + 1) - pg.digamma(n - k + 1) + pg.log1p(-p)) end,
  function(g, _, k, n, p) return g * (k / p - (n - k) / (1 - p)) end,
}

-- The incomplete functions are differentiated by their last argument alone: the densities of gamma and beta.
local function undifferentiated(name, arg)
  return function()
    error(("%s has no derivative by argument %d here; a:detach() takes the value alone"):format(name, arg), 0)
  end
end
local function gamma_density(a, x) return pg.exp(pg.log_poisson(a - 1, x)) end
local function beta_density(a, b, x)
  return pg.exp((a - 1) * pg.log(x) + (b - 1) * pg.log1p(-x) - pg.betaln(a, b))
end
rules.gammainc = {undifferentiated("gammainc", 1), function(g, _, a, x) return g * gamma_density(a, x) end}
rules.gammaincc = {undifferentiated("gammaincc", 1), function(g, _, a, x) return -(g * gamma_density(a, x)) end}
rules.gammaincinv = {undifferentiated("gammaincinv", 1), function(g, y, a) return g / gamma_density(a, y) end}
rules.gammainccinv = {undifferentiated("gammainccinv", 1), function(g, y, a) return -(g / gamma_density(a, y)) end}
rules.betainc = {undifferentiated("betainc", 1), undifferentiated("betainc", 2),
  function(g, _, a, b, x) return g * beta_density(a, b, x) end}
rules.betaincc = {undifferentiated("betaincc", 1), undifferentiated("betaincc", 2),
  function(g, _, a, b, x) return -(g * beta_density(a, b, x)) end}
rules.betaincinv = {undifferentiated("betaincinv", 1), undifferentiated("betaincinv", 2),
  function(g, y, a, b) return g / beta_density(a, b, y) end}
rules.lgamma = {function(g, _, a) return g * pg.digamma(a) end}
rules.digamma = {function(g, _, a) return g * pg.polygamma(a, 1) end}
rules.polygamma = {function(g, _, a, n) return g * pg.polygamma(a, n + 1) end}
rules.atan2 = {
  function(g, _, y, x) return g * x / (pg.square(x) + pg.square(y)) end,
  function(g, _, y, x) return -(g * y) / (pg.square(x) + pg.square(y)) end,
}

-- ---- reductions -------------------------------------------------------------------------------

rules.sum = {function(g, _, a, axis, opts) return spread(g, a, axis, opts) end}
rules.mean = {function(g, _, a, axis, opts) return spread(g * (1 / count(g, a)), a, axis, opts) end}

-- a minus its mean over the axes.
local function centred(a, axis, opts)
  local list = named(a, axis, opts)
  return a - (list and a:mean(list, {keepdims = true}) or a:mean())
end
local function freedom(g, a, axis, opts)
  if type(axis) == "table" and #axis == 0 then opts = axis end
  return count(g, a) - (opts and opts.ddof or 0)
end
rules.var = {function(g, _, a, axis, opts)
  return spread(g * (2 / freedom(g, a, axis, opts)), a, axis, opts) * centred(a, axis, opts)
end}
-- v, with ones for the zeros: what is divided by it is 0 there.
local function nonzero(v) return v + pg.eq(v, 0) end
rules.std = {function(g, y, a, axis, opts)
  return spread(g / (nonzero(y) * freedom(g, a, axis, opts)), a, axis, opts) * centred(a, axis, opts)
end}
rules.norm = {function(g, y, a, axis, opts) return spread(g / nonzero(y), a, axis, opts) * a end}
local function extreme(g, y, a, axis, opts)
  local mask = pg.eq(a, spread(y, a, axis, opts))
  local list = named(a, axis, opts)
  return mask * (spread(g, a, axis, opts) / (list and mask:sum(list, {keepdims = true}) or mask:sum()))
end
rules.max = {extreme}
rules.min = {extreme}
rules.logsumexp = {function(g, y, a, axis, opts)
  return spread(g, a, axis, opts) * pg.exp(a - spread(y, a, axis, opts))
end}
rules.softmax = {function(g, y, _, axis)
  local t = g * y
  local list = named(y, axis)
  return t - y * (list and t:sum(list, {keepdims = true}) or t:sum())
end}
rules.log_softmax = {function(g, y, _, axis)
  local list = named(y, axis)
  return g - pg.exp(y) * (list and g:sum(list, {keepdims = true}) or g:sum())
end}
rules.prod = {function(g, y, a, axis, opts)
  if not pg.eq(a, 0):any() then return spread(g * y, a, axis, opts) / a end
  -- The product of those before times that of those after.
  local order, inverse, lanes, n = last_axes(a, axis, opts)
  local moved = a:transpose(order)
  local rows = moved:reshape(lanes, n)
  local before, after = {}, {}
  local p, q = pg.ones(lanes, a.dtype), pg.ones(lanes, a.dtype)
  for k = 1, n do
    before[k], p = p, p * rows:slice({}, k)
    after[n + 1 - k], q = q, q * rows:slice({}, n + 1 - k)
  end
  local others = (pg.stack(before, 2) * pg.stack(after, 2)):reshape(moved.shape):transpose(inverse)
  return spread(g, a, axis, opts) * others
end}
rules.cumsum = {function(g, _, a, axis)
  if type(axis) ~= "number" then return pg.flip(pg.flip(g):cumsum()):reshape(a.shape) end
  return g:flip(axis):cumsum(axis):flip(axis)
end}

-- Where an element is 0 the product without it is taken as a product of the others.
rules.cumprod = {function(g, y, a, axis)
  local x, t, p = a, g, y
  if type(axis) ~= "number" then x, t, p, axis = a:reshape(-1), g:reshape(-1), y:reshape(-1), 1 end
  local function rest(v) return v:flip(axis):cumsum(axis):flip(axis) end
  if not pg.eq(a, 0):any() then return (rest(t * p) / x):reshape(a.shape) end
  if axis < 0 then axis = axis + x.ndim + 1 end
  local parts, region = {}, {}
  for k = 1, x.ndim do region[k] = {} end
  for i = 1, x.shape[axis] do
    region[axis] = {i}
    local others = x:with(region, 1):cumprod(axis)
    region[axis] = {i, -1}
    parts[i] = (t[region] * others[region]):sum(axis, {keepdims = true})
  end
  return pg.concat(parts, axis):reshape(a.shape)
end}

-- In the functions' place, of tracked arrays.
local function columns(X, Y)
  X = X.ndim == 1 and X:expand_dims(2) or X
  if not is_array(Y) then return X end
  return pg.concat({X, Y.ndim == 1 and Y:expand_dims(2) or Y}, 2)
end
function rules.cov(X, Y, opts)
  if type(Y) == "table" then Y, opts = nil, Y end
  local C = columns(X, Y)
  C = C - C:mean(1)
  local S = C.T:dot(C) * (1 / (C.shape[1] - (opts and opts.ddof or 1)))
  return X.ndim == 1 and not is_array(Y) and S[{1, 1}] or S
end
function rules.corrcoef(X, Y)
  local C = columns(X, Y)
  C = C - C:mean(1)
  C = C / C:norm(1)
  local S = C.T:dot(C)
  return X.ndim == 1 and not is_array(Y) and S[{1, 1}] or S
end

-- ---- by position ------------------------------------------------------------------------------

-- The row-major positions in a of the elements that sorting puts along the last axis of a, seen as
-- lanes x n with the axes moved.
local function sorted_positions(a, order, lanes, n)
  local rows = a:transpose(order):reshape(lanes, n)
  local places = positions(a):transpose(order):reshape(lanes, n)
  local flat = rows:argsort(2) + pg.range(0, lanes - 1):expand_dims(2) * n
  return places:reshape(-1):take(flat)
end
rules.sort = {function(g, _, a, axis)
  a = a:detach()
  axis = type(axis) == "number" and axis or -1
  local order, inverse, lanes, n = last_axes(a, axis)
  local moved = a:transpose(order).shape
  return put_back(g, a, sorted_positions(a, order, lanes, n):reshape(moved):transpose(inverse))
end}
-- g: the quantiles' axis first where there is one, then those of a that stay.
local function quantile(g, a, q, axis, opts)
  a = a:detach()
  local order, _, lanes, n = last_axes(a, axis, opts)
  local places = sorted_positions(a, order, lanes, n)
  local list = is_array(q) and q:totable() or type(q) == "table" and q or {q}
  g = pg.reshape(g, #list, lanes)
  local total = 0
  for k, fraction in ipairs(list) do
    local h = fraction * (n - 1)
    local low = math.min(math.floor(h), n - 1)
    local part = h - low
    local one = g[k]
    if lanes == 1 then one = g:slice({k}):reshape(1) end
    total = total + put_back(one * (1 - part), a, places:slice({}, low + 1))
    if part > 0 then total = total + put_back(one * part, a, places:slice({}, low + 2)) end
  end
  return total
end
rules.quantile = {function(g, _, a, q, axis, opts) return quantile(g, a, q, axis, opts) end}
rules.median = {function(g, _, a, axis, opts) return quantile(g, a, 0.5, axis, opts) end}

rules.take = {function(g, _, a, idx, axis) return pg.zeros(a.shape, a.dtype):scatter_add(g, idx, axis) end}
rules.scatter_add = {true, function(g, _, _, _, idx, axis) return g:take(idx, axis) end}
rules.compress = {function(g, _, a, mask, axis) return put_back(g, a, positions(a):compress(mask, axis)) end}
rules.diag = {function(g, _, a, k)
  if a.ndim == 1 then return g:diag(k) end
  return put_back(g, a, positions(a):diag(k))
end}
rules.trace = {function(g, _, a)
  local n, m = a:dims()
  local i = pg.range(1, n):expand_dims(2)
  return g * pg.eq(i, pg.range(1, m))
end}
rules["repeat"] = {function(g, _, a, times, axis)
  if axis == nil then return put_back(g, a, pg.repeat_(positions(a), times)) end
  return pg.zeros(a.shape, a.dtype):scatter_add(g, pg.repeat_(pg.range(1, a.shape[axis]), times), axis)
end}
rules.repeat_ = rules["repeat"]
rules.tile = {function(g, _, a, ...) return put_back(g, a, pg.tile(positions(a), ...)) end}
rules.roll = {function(g, _, _, shift, axis) return g:roll(-shift, axis) end}
rules.flip = {function(g, _, _, axis) return g:flip(axis) end}
rules.tril = {function(g, _, _, k) return g:tril(k) end}
rules.triu = {function(g, _, _, k) return g:triu(k) end}
rules.diff = {function(g, _, a, axis, opts)
  if type(axis) == "table" then axis, opts = nil, axis end
  axis = axis or -1
  if axis < 0 then axis = axis + a.ndim + 1 end
  local shape = g.shape
  shape[axis] = 1
  for _ = 1, opts and opts.n or 1 do
    local none = pg.zeros(shape, g.dtype)
    g = -pg.concat({none, g, none}, axis):diff(axis)
  end
  return g
end}

-- A region's arguments as one list.
local function region_of(...)
  if select("#", ...) == 1 and type(...) == "table" then return (...) end
  return {...}
end
-- The view of c that the region names; an array also where that is one element.
local function view(c, region)
  local n, one = #region, true
  for k = 1, n do one = one and type(region[k]) == "number" end
  if n < c.ndim or not one then return c:slice(table.unpack(region)) end
  local part = {table.unpack(region, 1, n - 1)}
  part[n] = {region[n]}
  return c:slice(table.unpack(part))
end
local function chosen(of)
  return {
    function(g, _, a, ...) return pg.zeros(a.shape, a.dtype):with(of(...), g) end,
    function(c, g, _, _, ...)
      local v = view(c, of(...))
      pg.add(v, g, v)
    end,
  }
end
rules.__index = chosen(region_of)
rules.__call = chosen(region_of)
rules.get = rules.__call
rules.slice = chosen(function(...) return {...} end)
rules.with = {
  function(g, _, _, region) return g:with(region, 0) end,
  false,
  function(g, _, _, region) return pg.slice(g, table.unpack(type(region) == "table" and region or {region})) end,
}

-- ---- shape ------------------------------------------------------------------------------------

local function reshaped(g, _, a) return g:reshape(a.shape) end
rules.reshape = {reshaped}
rules.expand_dims = {reshaped}
rules.squeeze = {reshaped}
rules.T = {function(g) return g.T end}
rules.transpose = {function(g, _, _, first, ...)
  local order = type(first) == "table" and first or {first, ...}
  if #order == 0 then return g.T end
  local inverse = {}
  for k, axis in ipairs(order) do inverse[axis < 0 and axis + g.ndim + 1 or axis] = k end
  return g:transpose(inverse)
end}
rules.broadcast_to = {true}
rules.copy = true
rules.astype = true
rules.array = true
rules.concat = {function(g, j, _, ends, axis)
  axis = type(axis) == "number" and axis or 1
  if axis < 0 then axis = axis + g.ndim + 1 end
  local part = {}
  for k = 1, axis - 1 do part[k] = {} end
  part[axis] = {(ends[j - 1] or 0) + 1, ends[j]}
  if ends[j] == (ends[j - 1] or 0) then part[axis] = {2, 1} end
  return g:slice(table.unpack(part))
end}
rules.stack = {function(g, j, _, _, axis)
  axis = type(axis) == "number" and axis or 1
  if axis < 0 then axis = axis + g.ndim + 1 end
  if g.ndim == 1 then return g:slice({j}):reshape({}) end
  local part = {}
  for k = 1, axis - 1 do part[k] = {} end
  part[axis] = j
  return g:slice(table.unpack(part))
end}

-- ---- products ---------------------------------------------------------------------------------

rules.dot = {
  function(g, _, a, b)
    if a.ndim == 1 and b.ndim == 1 then return g * b end
    if b.ndim == 1 then return g:expand_dims(-1) * b end
    if a.ndim == 1 then return (b:dot(g:expand_dims(-1))):squeeze(-1) end
    if a.ndim > 2 and b.ndim == 2 then
      return g:reshape(-1, b.shape[2]):dot(b.T):reshape(a.shape)
    end
    return g:dot(mT(b))
  end,
  function(g, _, a, b)
    if a.ndim == 1 and b.ndim == 1 then return g * a end
    if a.ndim == 1 then return a:expand_dims(-1) * g:expand_dims(-2) end
    if b.ndim == 1 then
      if a.ndim == 2 then return a.T:dot(g) end
      return a:reshape(-1, b.size).T:dot(g:reshape(-1))
    end
    if a.ndim > 2 and b.ndim == 2 then
      local k, m = b:dims()
      return a:reshape(-1, k).T:dot(g:reshape(-1, m))
    end
    return mT(a):dot(g)
  end,
}
rules.dot.into = {nil, function(out, g, _, a, b)
  if a.ndim < 2 or b.ndim ~= 2 or a.dtype ~= out.dtype or g.dtype ~= out.dtype then return false end
  local k, m = b:dims()
  pg.dot(a:reshape(-1, k).T, g:reshape(-1, m), out)
  return true
end}
rules.matmul = rules.dot
rules.outer = {
  function(g, _, a, b) return g:dot(b:reshape(-1)):reshape(a.shape) end,
  function(g, _, a, b) return g.T:dot(a:reshape(-1)):reshape(b.shape) end,
}

-- ---- layers of nets ---------------------------------------------------------------------------

-- Each has a kernel for its gradient; within another gradient the same is composed, so that it can be
-- differentiated again.
local recording = pg._tape.recording

local function extents(a, axis) return a.shape[axis], a.shape[axis + 1] end
local function without(opts)
  local o = {}
  for _, k in ipairs{"stride", "padding", "dilation", "groups"} do o[k] = opts and opts[k] end
  return o
end
-- dx of conv2d(x, w, o) for x of h by w, and dw for kernels of kh by kw: linear in either operand, as
-- conv2d is, so the three are the derivatives of each other.
local function conv_data(g, w, o, h, wide) return pg._conv.data(g, w, o, h, wide) end
local function conv_weights(x, g, o, kh, kw) return pg._conv.weights(x, g, o, kh, kw) end
rules["conv.data"] = {
  function(c, _, _, w, o) return pg.conv2d(c, w, o) end,
  function(c, _, g, w, o) return conv_weights(c, g, o, extents(w, 3)) end,
}
rules["conv.weights"] = {
  function(c, _, x, g, o) return conv_data(g, c, o, extents(x, 3)) end,
  function(c, _, x, _, o) return pg.conv2d(x, c, o) end,
}

rules.conv2d = {
  function(g, _, x, w, o) return conv_data(g, w, without(o), extents(x, 3)) end,
  function(g, _, x, w, o) return conv_weights(x, g, without(o), extents(w, 3)) end,
  function(g) return g:sum{1, 3, 4} end,
}
local function flat_options(o)
  o = o or {}
  return {stride = {1, o.stride or 1}, padding = {0, o.padding or 0}, dilation = {1, o.dilation or 1},
    groups = o.groups}
end
rules.conv1d = {
  function(g, _, x, w, o)
    return conv_data(g:expand_dims(3), w:expand_dims(3), flat_options(o), 1, x.shape[3]):squeeze(3)
  end,
  function(g, _, x, w, o)
    return conv_weights(x:expand_dims(3), g:expand_dims(3), flat_options(o), 1, w.shape[3]):squeeze(3)
  end,
  function(g) return g:sum{1, 3} end,
}
rules.conv_transpose2d = {
  function(g, _, _, w, o) return pg.conv2d(g, w, without(o)) end,
  function(g, _, x, w, o) return conv_weights(g, x, without(o), extents(w, 3)) end,
  function(g) return g:sum{1, 3, 4} end,
}
rules.max_pool2d = {function(g, _, x, k, o) return pg._plane.max(x, g, k, o) end}
rules.avg_pool2d = {function(g, _, x, k, o) return pg._plane.avg(g, x.shape[3], x.shape[4], k, o) end}
rules.upsample2d = {function(g, _, x, _, o) return pg._plane.upsample(g, x.shape[3], x.shape[4], o) end}
rules["plane.max"] = {false, function(c, _, x, _, k, o) return c:reshape(-1):take(pg._plane.places(x, k, o)) end}
rules["plane.avg"] = {function(c, _, _, _, _, k, o) return c:avg_pool2d(k, o) end}
rules["plane.upsample"] = {function(c, _, g, _, _, o) return c:upsample2d({g.shape[3], g.shape[4]}, o) end}

-- The gradient of (x - mean) / sqrt(var + eps) over the last axis of x, composed; xhat second.
local function normalised(g, x, eps)
  local keep = {keepdims = true}
  local c = x - x:mean(-1, keep)
  local r = 1 / pg.sqrt(pg.square(c):mean(-1, keep) + eps)
  local xhat = c * r
  return r * (g - g:mean(-1, keep) - xhat * (g * xhat):mean(-1, keep)), xhat
end
rules.layer_norm = function(g, _, x, w, _, o)
  local eps = o and o.eps or 1e-5
  if not recording() then return pg._norm.layer_gradient(x, w, g, eps) end
  local dx, xhat = normalised(w and g * w or g, x, eps)
  return dx, g * xhat, g
end
rules.group_norm = function(g, _, x, groups, w, _, o)
  local eps = o and o.eps or 1e-5
  if not recording() then
    local dx, dw, db = pg._norm.group_gradient(x, groups, w, g, eps)
    return dx, nil, dw, db
  end
  local shape, each_channel, axes = x.shape, {1, x.shape[2]}, {1}
  for k = 3, x.ndim do each_channel[k], axes[k - 1] = 1, k end
  local dx, xhat = normalised((w and g * w:reshape(each_channel) or g):reshape(shape[1], groups, -1),
    x:reshape(shape[1], groups, -1), eps)
  return dx:reshape(shape), nil, (g * xhat:reshape(shape)):sum(axes), g:sum(axes)
end
-- Which of S keys each of T queries meets, 0 or 1 to each; nil where all.
local function seen_keys(o, T, S)
  local seen = o and o.mask
  if seen and not is_array(seen) then seen = pg.array(seen) end
  if o and o.causal then
    local order = pg.ge(pg.range(1, T):expand_dims(2) + (S - T), pg.range(1, S))
    seen = seen and seen * order or order
  end
  return seen
end

rules.attention = function(g, y, q, k, v, o)
  if not recording() then return pg._heads.gradient(q, k, v, o, y, g) end
  local scale = o and o.scale or 1 / math.sqrt(q.shape[q.ndim])
  local scores = q:dot(mT(k)) * scale
  local seen = seen_keys(o, q.shape[q.ndim - 1], k.shape[k.ndim - 1])
  -- a query that meets no key gets 0 from each
  local p = seen and pg.where(seen, scores, -1e30):softmax(-1) * seen or scores:softmax(-1)
  local dp = g:dot(mT(v))
  local ds = p * (dp - (dp * p):sum(-1, {keepdims = true})) * scale
  return ds:dot(k), mT(ds):dot(q), mT(p):dot(g)
end

-- ---- linear algebra ---------------------------------------------------------------------------

local function column(b) return b.ndim == 1 and b:expand_dims(2) or b end
-- -a b^T, of vectors or of columns.
local function minus_outer(a, b) return -column(a):dot(mT(column(b))) end

rules["linalg.inv"] = {function(g, y) return -mT(y):dot(g):dot(mT(y)) end}
rules["linalg.solve"] = {
  function(g, x, A) return minus_outer(linalg.solve(mT(A), g), x) end,
  function(g, _, A) return linalg.solve(mT(A), g) end,
}
local function triangle(a, lower, unit)
  if lower then return a:tril(unit and -1 or 0) end
  return a:triu(unit and 1 or 0)
end
local function solve_transposed(A, g, o)
  return linalg.solve_triangular(A, g, {lower = o.lower, unit = o.unit, trans = not o.trans})
end
rules["linalg.solve_triangular"] = {
  function(g, x, A, _, o)
    o = o or {}
    local b = solve_transposed(A, g, o)
    local whole = o.trans and minus_outer(x, b) or minus_outer(b, x)
    return triangle(whole, o.lower, o.unit)
  end,
  function(g, _, A, _, o) return solve_transposed(A, g, o or {}) end,
}
-- A value a matrix, so that it multiplies matrices.
local function each(v) return is_array(v) and v.ndim > 0 and v:expand_dims(-1):expand_dims(-1) or v end
rules["linalg.det"] = {function(g, y, A) return each(g * y) * mT(linalg.inv(A)) end}
rules["linalg.slogdet"] = function(g, _, A) return g[2] and each(g[2]) * mT(linalg.inv(A)) end

local function symmetric(a) return (a + mT(a)) * 0.5 end
-- The lower triangle with half the diagonal.
local function half_lower(a) return (a:tril() + a:tril(-1)) * 0.5 end
-- For each of a stack of matrices; linalg.solve_triangular takes one.
local function solve_lower_transposed(L, b)
  if L.ndim == 2 then return linalg.solve_triangular(L, b, {lower = true, trans = true}) end
  return linalg.solve(mT(L), b)
end
rules["linalg.cholesky"] = {function(g, L)
  local p = half_lower(mT(L):dot(g:tril()))
  -- L^-T p L^-1
  local left = solve_lower_transposed(L, p)
  return symmetric(mT(solve_lower_transposed(L, mT(left))))
end}

-- 1 / (x_j - x_i) off the diagonal, 0 on it, for the last axis of x.
local function gaps(x)
  local d = x:expand_dims(-2) - x:expand_dims(-1)
  local eye = pg.eye(x.shape[x.ndim])
  return (1 - eye) / (d + eye)
end
rules["linalg.eigh"] = function(g, y)
  local w, V = y[1], y[2]
  local inner = 0
  if g[2] then inner = gaps(w) * mT(V):dot(g[2]) end
  local middle = V:dot(is_array(inner) and inner or pg.zeros(V.shape, V.dtype)):dot(mT(V))
  if g[1] then middle = middle + (V * g[1]:expand_dims(-2)):dot(mT(V)) end
  return symmetric(middle)
end
rules["linalg.svd"] = function(g, y)
  local U, s, Vt = y[1], y[2], y[3]
  local V = mT(Vt)
  local Ut = mT(U)
  local k = s.shape[s.ndim]
  local eye = pg.eye(k)
  local s2 = pg.square(s)
  local F = gaps(s2)
  local inner = 0
  local across, down = s:expand_dims(-2), s:expand_dims(-1) -- a row and a column of s
  local total
  if g[1] then
    local J = F * Ut:dot(g[1])
    inner = inner + (J + mT(J)) * across
  end
  if g[3] then
    local K = F * Vt:dot(mT(g[3]))
    inner = inner + down * (K + mT(K))
  end
  if g[2] then inner = inner + eye * g[2]:expand_dims(-2) end
  total = is_array(inner) and U:dot(inner):dot(Vt) or nil
  if g[1] and U.shape[U.ndim - 1] > k then
    local scaled = g[1] / across
    local rest = (scaled - U:dot(Ut:dot(scaled))):dot(Vt)
    total = total + rest
  end
  if g[3] and V.shape[V.ndim - 1] > k then
    local scaled = g[3] / down
    local rest = U:dot(scaled - scaled:dot(V):dot(Vt))
    total = total + rest
  end
  return total
end
rules["linalg.qr"] = function(g, y)
  local Q, R = y[1], y[2]
  local k, n = R.shape[R.ndim - 1], R.shape[R.ndim]
  if k < n then error("linalg.qr of a wide matrix has no derivative here; a:detach() takes the value alone", 0) end
  local M = 0
  if g[2] then M = M + R:dot(mT(g[2])) end
  if g[1] then M = M - mT(g[1]):dot(Q) end
  -- the lower triangle copied to the upper
  local both = Q:dot(M:tril() + mT(M:tril(-1)))
  if g[1] then both = both + g[1] end
  return mT(linalg.solve(R, mT(both)))
end
rules["linalg.pinv"] = {function(g, Y, A)
  local gt, Yt = mT(g), mT(Y)
  local m, n = A.shape[A.ndim - 1], A.shape[A.ndim]
  local first = -Yt:dot(g):dot(Yt)
  local left = pg.eye(m) - A:dot(Y)
  local right = pg.eye(n) - Y:dot(A)
  return first + left:dot(gt):dot(Y):dot(Yt) + Yt:dot(Y):dot(gt):dot(right)
end}
rules["linalg.lstsq"] = function(g, y, A, B)
  local x = y[1]
  if A.shape[1] < A.shape[2] or y[3] < A.shape[2] then
    error("linalg.lstsq of a rank-deficient A has no derivative here; a:detach() takes the value alone", 0)
  end
  local r = B - A:dot(x)
  local gA, gB = 0, 0
  if g[1] then
    local _, R = linalg.qr(A)
    local u = linalg.solve(R, linalg.solve(R.T, g[1]))
    gA = gA + column(r):dot(column(u).T) - A:dot(column(u)):dot(column(x).T)
    gB = gB + A:dot(u)
  end
  if g[2] then
    local twice = r * g[2] * 2
    gA = gA - column(twice):dot(column(x).T)
    gB = gB + twice
  end
  return gA, gB
end
rules["linalg.norm"] = {function(g, y, A, ord)
  if ord == nil or ord == "fro" or (ord == 2 and A.ndim == 1) then return g * A / nonzero(y) end
  local sign, size = pg.sign(A), pg.abs(A)
  if A.ndim == 1 then
    if ord == 1 then return g * sign end
    if ord == math.huge or ord == -math.huge then
      local mask = size:eq(y)
      return g * sign * mask / mask:sum()
    end
    if type(ord) == "number" and ord ~= 0 then return g * sign * (size / nonzero(y)) ^ (ord - 1) end
  elseif ord == 1 or ord == -1 or ord == math.huge or ord == -math.huge then
    local sums = size:detach():sum(math.abs(ord) == 1 and 1 or 2, {keepdims = true})
    local mask = sums:eq(ord > 0 and sums:max() or sums:min())
    return g * sign * mask / mask:sum()
  elseif ord == 2 or ord == -2 or ord == "nuc" then
    local U, s, Vt = linalg.svd(A)
    if ord == "nuc" then return g * U:dot(Vt) end
    s = s:detach()
    local mask = s:eq(ord > 0 and s:max() or s:min())
    return g * (U * (mask / mask:sum())):dot(Vt)
  end
  error("linalg.norm: this ord has no derivative here; a:detach() takes the value alone", 0)
end}

for name, rule in pairs(pg._rules_nn.rules) do rules[name] = rule end
pg._rules_nn.fuse(rules)

return rules
