-- SPDX-License-Identifier: MIT
-- pg.isin, isclose, topk.
local pg = ...
local fs = pg._functions
local args = pg._args

local sets = {}

local function operand(name, arg, what, v)
  if type(v) == "number" then return v end
  return fs.array(name, arg, what, v)
end

--- pg.isin(a, values) -> array | number
-- 1 where an element of a is among the values, else 0. NaN is among nothing.
-- @param a  array or number
-- @param values  array of any shape
-- @return bool array of a's shape; a number for a number
-- @example pg.isin({1, 2, 3, 2}, {2, 5}) --> 0 1 0 1 [4 bool]
function sets.isin(a, values)
  a = operand("isin", 1, "a", a)
  values = fs.array("isin", 2, "values", values):detach():reshape(-1)
  local flat = (type(a) == "number" and pg.array{a} or a):detach():reshape(-1)
  local found
  if values.size == 0 then
    found = pg.zeros(flat.size, "bool")
  else
    local sorted = values:sort()
    local at = pg.minimum(pg.searchsorted(sorted, flat), sorted.size)
    found = sorted:take(at):eq(flat)
  end
  if type(a) == "number" then return found:get(1) end
  return found:reshape(a.shape)
end

--- pg.isclose(a, b [, opts]) -> array | number
-- 1 where |a - b| <= atol + rtol |b|, else 0; infinities are close to themselves. pg.allclose asks for all.
-- @param a  array or number
-- @param b  array or number
-- @param opts.rtol  number: 1e-5 by default
-- @param opts.atol  number: 1e-8 by default
-- @param opts.equal_nan  boolean: NaN counts as close to NaN; false by default
-- @return bool array; a number for numbers
-- @example pg.isclose({1, 2}, {1 + 1e-9, 3}) --> 1 0 [2 bool]
function sets.isclose(a, b, opts)
  a, b = operand("isclose", 1, "a", a), operand("isclose", 2, "b", b)
  local o = fs.options("isclose", 3, opts, {rtol = 1e-5, atol = 1e-8, equal_nan = false})
  local bound = pg.where(pg.isfinite(b), o.atol + o.rtol * pg.abs(b), -1)
  local close = pg.logical_or(pg.le(pg.abs(a - b), bound), pg.eq(a, b))
  if o.equal_nan then close = pg.logical_or(close, pg.logical_and(pg.isnan(a), pg.isnan(b))) end
  return close
end

--- pg.topk(a, k [, axis [, opts]]) -> values, indices
-- The k largest elements along an axis, the largest first, and their places from 1; of equal ones the first comes
-- first.
-- @param a  array
-- @param k  integer, at most the axis' extent
-- @param axis  integer: default the last
-- @param opts.largest  boolean: false gives the smallest ones, ascending
-- @return values  array, with k in place of the axis' extent
-- @return indices  array of the same shape
-- @example pg.topk({3, 1, 4, 1, 5}, 2) --> 5 4 [2 f64]
function sets.topk(a, k, axis, opts)
  a = fs.array("topk", 1, "a", a)
  if type(axis) == "table" then axis, opts = nil, axis end
  axis = fs.axis("topk", 3, "axis", axis or -1, a.ndim)
  local o = fs.options("topk", 4, opts, {largest = true})
  local n, count = a.shape[axis], math.tointeger(k)
  if not count or count < 0 or count > n then
    fs.fail("topk", 2, ("k: expected an integer in 0..%d, got %s"):format(n, args.got(k)))
  end
  local last = axis == a.ndim and a or pg.moveaxis(a, axis, -1)
  local shape, rows = {}, 1
  for j = 1, last.ndim do shape[j] = last.shape[j] end
  for j = 1, last.ndim - 1 do rows = rows * shape[j] end
  shape[last.ndim] = count
  local flat = last:reshape(rows, n)
  local order = (o.largest and -flat:detach() or flat:detach()):argsort(2):slice({}, {1, count})
  local places = order + (pg.range(1, rows):reshape(rows, 1) - 1) * n
  local values = flat:reshape(-1):take(places:reshape(-1)):reshape(shape)
  local indices = order:reshape(shape)
  if axis == a.ndim then return values, indices end
  return pg.moveaxis(values, -1, axis), pg.moveaxis(indices, -1, axis)
end

return sets
