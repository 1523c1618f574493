-- SPDX-License-Identifier: MIT
--
-- Losses. What is compared has one shape exactly: n against n x 1 would broadcast to n x n and be wrong in silence.

local pg = ...
local args = pg._args
local pairs, table, tostring = pairs, table, tostring

local losses = {}

local function array(name, arg, what, v)
  if not args.is_array(v) then args.fail(name, arg, ("%s: expected array, got %s"):format(what, args.got(v))) end
  return v
end

local function same_shape(name, a, x, b, y)
  array(name, 1, a, x)
  array(name, 2, b, y)
  if x.shape ~= y.shape then
    local cure = x.size == y.size and ("; %s:reshape(%s)"):format(b, table.concat(x.shape, ", ")) or ""
    args.fail(name, 2, ("%s: shape %s and %s's %s differ%s"):format(b, tostring(y.shape), a, tostring(x.shape), cure))
  end
end

local function options(name, arg, given, more)
  local known = {reduction = "mean"}
  for k, v in pairs(more or {}) do known[k] = v end
  local o = args.options(name, arg, given, known)
  args.choice(name, arg, "reduction", o.reduction, {"mean", "sum", "none"})
  return o
end

-- `count`: of how many the mean is, where not of all.
local function reduced(v, reduction, count)
  if reduction == "none" then return v end
  if reduction == "sum" then return v:sum() end
  return count and v:sum() / count or v:mean()
end

--- pg.nn.mse(x, y [, opts]) -> number
-- The mean of (x - y)^2.
-- @param x  array
-- @param y  array of x's shape
-- @param opts.reduction  string: "mean" (default), "sum", or "none" for one value an element
function losses.mse(x, y, opts)
  same_shape("mse", "x", x, "y", y)
  return reduced(pg.square(x - y), options("mse", 3, opts).reduction)
end

--- pg.nn.l1(x, y [, opts]) -> number
-- The mean of |x - y|.
-- @param x  array
-- @param y  array of x's shape
-- @param opts.reduction  as for mse
function losses.l1(x, y, opts)
  same_shape("l1", "x", x, "y", y)
  return reduced(pg.abs(x - y), options("l1", 3, opts).reduction)
end

--- pg.nn.huber(x, y [, opts]) -> number
-- The mean of (x - y)^2 / 2 where |x - y| is at most delta, else delta (|x - y| - delta / 2) (Huber 1964).
-- @param x  array
-- @param y  array of x's shape
-- @param opts.delta  number (1)
-- @param opts.reduction  as for mse
function losses.huber(x, y, opts)
  same_shape("huber", "x", x, "y", y)
  local o = options("huber", 3, opts, {delta = 1})
  local d = args.number("huber", 3, "delta", o.delta, 0)
  local a = pg.abs(x - y)
  local q = pg.minimum(a, d)
  return reduced(pg.square(q) / 2 + (a - q) * d, o.reduction)
end

--- pg.nn.bce(p, y [, opts]) -> number
-- The mean of -y log p - (1 - y) log(1 - p); a logarithm counts as no less than -100, as in PyTorch. From logits,
-- bce_with_logits loses no digits.
-- @param p  array: probabilities
-- @param y  array of p's shape: 0, 1 or between
-- @param opts.reduction  as for mse
function losses.bce(p, y, opts)
  same_shape("bce", "p", p, "y", y)
  local o = options("bce", 3, opts)
  return reduced(-(y * pg.maximum(pg.log(p), -100) + (1 - y) * pg.maximum(pg.log1p(-p), -100)), o.reduction)
end

--- pg.nn.bce_with_logits(z, y [, opts]) -> number
-- The mean of -y log sigmoid(z) - (1 - y) log(1 - sigmoid(z)) = softplus(z) - y z.
-- @param z  array: logits
-- @param y  array of z's shape: 0, 1 or between
-- @param opts.reduction  as for mse
function losses.bce_with_logits(z, y, opts)
  same_shape("bce_with_logits", "z", z, "y", y)
  local o = options("bce_with_logits", 3, opts)
  return reduced(pg.softplus(z) - y * z, o.reduction)
end

-- Of scores n... x V (the classes last) and classes n..., the score of each class, and 0/1 for those that count.
local function picked(name, z, classes, o)
  local V = z.shape[z.ndim]
  local flat = classes:reshape(-1)
  local counts
  if o.ignore ~= nil then
    counts = flat:ne(o.ignore):astype(z.dtype)
    flat = pg.where(counts, flat, 1)
  end
  local wrong = (flat:lt(1) | flat:gt(V) | flat:ne(flat:floor()))
  if wrong:any() then
    local at = wrong:argmax()
    args.fail(name, 2, pg._format("classes: element %d is %g, no class of 1..%d%s", at, flat[at], V,
      flat[at] == 0 and ": classes count from 1" or ""))
  end
  return z:reshape(-1):take(pg.range(0, #flat - 1) * V + flat), counts
end

local function classes_last(name, z, classes, o)
  array(name, 1, "z", z)
  array(name, 2, "classes", classes)
  if z.ndim < 1 then args.fail(name, 1, "z: expected an axis of classes, got shape ()") end
  local axis = args.integer(name, 3, "axis", o.axis, -z.ndim, z.ndim)
  axis = axis < 0 and axis + z.ndim + 1 or axis
  if axis == 0 then args.fail(name, 3, ("axis: axes are 1..%d"):format(z.ndim)) end
  if axis ~= z.ndim then
    local order = {}
    for k = 1, z.ndim do
      if k ~= axis then order[#order + 1] = k end
    end
    order[#order + 1] = axis
    if classes.ndim == z.ndim then classes = classes:transpose(table.unpack(order)) end
    z = z:transpose(table.unpack(order))
  end
  if classes.ndim == z.ndim then
    if classes.shape ~= z.shape then
      args.fail(name, 2, ("probabilities: shape %s and z's %s differ"):format(tostring(classes.shape),
        tostring(z.shape)))
    end
    return z, classes, true
  end
  local lead = {}
  for k = 1, z.ndim - 1 do lead[k] = z.shape[k] end
  local fits = classes.ndim == #lead
  for k = 1, #lead do fits = fits and classes.shape[k] == lead[k] end
  if not fits then
    args.fail(name, 2, ("classes: expected shape (%s%s), one class a row of z %s, got %s"):format(
      table.concat(lead, ", "), #lead == 1 and "," or "", tostring(z.shape), tostring(classes.shape)))
  end
  return z, classes, false
end

local class_options = {axis = -1, ignore = args.any, smoothing = 0}

local function class_loss(name, z, classes, opts, of_logits)
  local o = options(name, 3, opts, class_options)
  local smoothing = args.number(name, 3, "smoothing", o.smoothing, 0, 1)
  local rows, probabilities
  z, classes, probabilities = classes_last(name, z, classes, o)
  if of_logits then
    local given = {smoothing = smoothing, ignore = o.ignore}
    local each = pg._layer.cross_entropy(z, classes, given)
    local counts = not probabilities and o.ignore ~= nil and classes:ne(o.ignore):sum()
    return reduced(each, o.reduction, counts or nil)
  end
  local V, logp = z.shape[z.ndim], z
  local counts
  if probabilities then
    if smoothing > 0 then classes = classes * (1 - smoothing) + smoothing / V end
    rows = -(classes * logp):sum(-1)
  else
    local chosen
    chosen, counts = picked(name, logp, classes, o)
    rows = -chosen
    if smoothing > 0 then rows = rows * (1 - smoothing) - logp:mean(-1):reshape(-1) * smoothing end
    if counts then rows = rows * counts end
    if o.reduction == "none" then rows = rows:reshape(classes.shape) end
  end
  return reduced(rows, o.reduction, counts and counts:sum())
end

--- pg.nn.cross_entropy(z, classes [, opts]) -> number
-- The mean of -log softmax(z) at the classes, or of -sum p log softmax(z) for probabilities p.
-- @param z  array: logits, the classes on the last axis
-- @param classes  array of z's shape without that axis: classes 1..V; or of z's shape: probabilities
-- @param opts.axis  integer: the axis of classes (-1)
-- @param opts.ignore  integer: a class that does not count
-- @param opts.smoothing  number in [0, 1]: this share goes to all classes alike (0)
-- @param opts.reduction  as for mse; "mean" is over what counts
-- @error a class that is none of 1..V
function losses.cross_entropy(z, classes, opts) return class_loss("cross_entropy", z, classes, opts, true) end

--- pg.nn.nll(logp, classes [, opts]) -> number
-- The mean of -logp at the classes.
-- @param logp  array: logarithms of probabilities, the classes on the last axis
-- @param classes  array: as for cross_entropy
-- @param opts.axis  and ignore, smoothing, reduction: as for cross_entropy
function losses.nll(logp, classes, opts) return class_loss("nll", logp, classes, opts, false) end

--- pg.nn.kl_normal(mu, logvar) -> array
-- KL(N(mu, exp(logvar)) || N(0, I)) = sum (exp(logvar) + mu^2 - 1 - logvar) / 2 over the last axis, one a row.
-- @param mu  array n x d
-- @param logvar  array n x d
-- @return array n
function losses.kl_normal(mu, logvar)
  same_shape("kl_normal", "mu", mu, "logvar", logvar)
  return (pg.exp(logvar) + pg.square(mu) - 1 - logvar):sum(-1) / 2
end

return losses
