-- SPDX-License-Identifier: MIT
-- pg.kron, cross, convolve.
local pg = ...
local fs = pg._functions
local args = pg._args

local products = {}

-- A number as an array without axes of the other's dtype, which it does not promote.
local function operand(name, arg, what, v)
  return type(v) == "number" and pg.array(v) or fs.array(name, arg, what, v)
end

--- pg.kron(a, b) -> array
-- The Kronecker product: each element of a times the whole of b, in blocks. Of fewer axes one has leading ones.
-- @param a  array
-- @param b  array
-- @return array  whose extents are the products of theirs
-- @example pg.kron(pg.eye(2), pg.ones(1, 2)) --> 1 1 0 0 0 0 1 1 [2x4 f64]
function products.kron(a, b)
  a, b = operand("kron", 1, "a", a), operand("kron", 2, "b", b)
  local n = math.max(a.ndim, b.ndim)
  local left, right, whole = {}, {}, {}
  for k = 1, n do
    local i, j = k - n + a.ndim, k - n + b.ndim
    local p, q = i > 0 and a.shape[i] or 1, j > 0 and b.shape[j] or 1
    left[2 * k - 1], left[2 * k], right[2 * k - 1], right[2 * k], whole[k] = p, 1, 1, q, p * q
  end
  return (a:reshape(left) * b:reshape(right)):reshape(whole)
end

--- pg.cross(a, b [, axis]) -> array
-- The vector product of vectors of three numbers along an axis, the others broadcast.
-- @param a  array
-- @param b  array
-- @param axis  integer: default the last
-- @return array
-- @error an axis of another extent than 3
-- @example pg.cross({1, 0, 0}, {0, 1, 0}) --> 0 0 1 [3 f64]
function products.cross(a, b, axis)
  a, b = fs.array("cross", 1, "a", a), fs.array("cross", 2, "b", b)
  axis = axis or -1
  local at = {fs.axis("cross", 3, "axis", axis, a.ndim), fs.axis("cross", 3, "axis", axis, b.ndim)}
  for k, v in ipairs({a, b}) do
    if v.shape[at[k]] ~= 3 then
      fs.fail("cross", k, ("%s: expected 3 numbers along axis %d, got shape %s"):format(k == 1 and "a" or "b", at[k],
        tostring(v.shape)))
    end
  end
  local next_one, last = {2, 3, 1}, {3, 1, 2}
  return a:take(next_one, at[1]) * b:take(last, at[2]) - a:take(last, at[1]) * b:take(next_one, at[2])
end

--- pg.convolve(a, v [, mode]) -> array
-- The convolution of two vectors, sum_j a[j] v[k - j + 1].
-- @param a  array, n
-- @param v  array, m
-- @param mode  string: "full" (default) all n + m - 1 sums; "same" the middle max(n, m) of them; "valid" those in
-- which the shorter one lies within the longer
-- @return array
-- @error one of them is empty
-- @example pg.convolve({1, 2, 3}, {0, 1, 2}) --> 0 1 4 7 6 [5 f64]
function products.convolve(a, v, mode)
  a, v = fs.array("convolve", 1, "a", a, 1), fs.array("convolve", 2, "v", v, 1)
  for k, x in ipairs({a, v}) do
    if x.size == 0 then fs.fail("convolve", k, ("av"):sub(k, k) .. ": expected at least one element, got none") end
  end
  mode = mode or "full"
  if mode ~= "full" and mode ~= "same" and mode ~= "valid" then
    fs.fail("convolve", 3, ('mode: expected one of "full", "same", "valid", got %s'):format(args.got(mode)))
  end
  if v.size > a.size then a, v = v, a end
  local n, m = a.size, v.size
  local wide = (a.dtype == "f32" and v.dtype == "f32") and "f32" or "f64"
  local x, w = a:astype(wide):reshape(1, 1, n), v:astype(wide):flip(1):reshape(1, 1, m)
  local full = pg.conv1d(x, w, {padding = mode == "valid" and 0 or m - 1}):reshape(-1)
  if mode ~= "same" then return full end
  local from = (m - 1) // 2
  return full:slice({from + 1, from + n})
end

return products
