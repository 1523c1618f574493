-- SPDX-License-Identifier: MIT
-- pg.interp, trapz, polyfit, polyval.
local pg = ...
local fs = pg._functions
local args = pg._args

local curves = {}

--- pg.interp(x, xs, ys [, opts]) -> array | number
-- Values at x of the line through the points (xs, ys); at and beyond its ends those of the ends.
-- @param x  array or number
-- @param xs  array, n: ascending
-- @param ys  array, n
-- @param opts.left  number: below xs[1] (default ys[1])
-- @param opts.right  number: above xs[n] (default ys[n])
-- @return array of x's shape, or a number
-- @error xs that do not ascend
-- @example pg.interp(2.5, {1, 2, 3}, {10, 20, 40}) --> 30.0
function curves.interp(x, xs, ys, opts)
  local number = type(x) == "number"
  x = number and pg.array{x} or fs.array("interp", 1, "x", x)
  xs, ys = fs.array("interp", 2, "xs", xs, 1), fs.array("interp", 3, "ys", ys, 1)
  local o = fs.options("interp", 4, opts, {left = args.any, right = args.any})
  local n = xs.size
  if n == 0 then fs.fail("interp", 2, "xs: expected at least one point, got none") end
  if ys.size ~= n then fs.fail("interp", 3, ("ys: expected %d values as xs has, got %d"):format(n, ys.size)) end
  if n > 1 and not pg.gt(pg.diff(xs), 0):all() then fs.fail("interp", 2, "xs: expected ascending numbers") end
  local flat = x:reshape(-1)
  local lo, hi = xs:get(1), xs:get(n)
  local value
  if n == 1 then
    value = ys:take(pg.ones(flat.size)) + flat * 0
  else
    local at = pg.clip(pg.searchsorted(xs, flat:detach(), {side = "right"}) - 1, 1, n - 1)
    local x0, x1, y0, y1 = xs:take(at), xs:take(at + 1), ys:take(at), ys:take(at + 1)
    value = (y1 - y0) / (x1 - x0) * (flat - x0) + y0
    -- At the last point the formula may be a rounding off; beyond the ends it would go on.
    value = pg.where(flat:ge(hi), y1, pg.where(flat:lt(lo), y0, value))
  end
  if o.left then value = pg.where(flat:lt(lo), o.left, value) end
  if o.right then value = pg.where(flat:gt(hi), o.right, value) end
  if number then return value:get(1) end
  return value:reshape(x.shape)
end

--- pg.trapz(y [, x [, axis]]) -> number | array
-- The integral of y along an axis by trapezia.
-- @param y  array
-- @param x  array: where y was taken, of the axis' extent or y's shape; or a number: the distance between neighbours
-- @param axis  integer: default the last
-- @return number for a vector, else an array without the axis
-- @example pg.trapz({0, 1, 4}, {0, 1, 2}) --> 3.0
function curves.trapz(y, x, axis)
  y = fs.array("trapz", 1, "y", y)
  axis = fs.axis("trapz", 3, "axis", axis or -1, y.ndim)
  local n = y.shape[axis]
  local function part(a, from, to)
    local region = {}
    for k = 1, a.ndim do region[k] = k == axis and {from, to} or {} end
    return a[region]
  end
  local width = 1
  if type(x) == "number" then
    width = x
  elseif x ~= nil then
    x = fs.array("trapz", 2, "x", x)
    if x.ndim == 1 and x.size == n then
      local shape = {}
      for k = 1, y.ndim do shape[k] = k == axis and n or 1 end
      x = x:reshape(shape)
    elseif tostring(x.shape) ~= tostring(y.shape) then
      fs.fail("trapz", 2, ("x: expected %d numbers or shape %s, got shape %s"):format(n, tostring(y.shape),
        tostring(x.shape)))
    end
    width = part(x, 2, n) - part(x, 1, n - 1)
  end
  if n < 2 then return (y * 0):sum(axis) end
  return (width * (part(y, 2, n) + part(y, 1, n - 1)) / 2):sum(axis)
end

--- pg.polyfit(x, y, degree) -> array
-- The polynomial of a degree that fits the points best in least squares, by refined QR.
-- @param x  array, n
-- @param y  array, n, or n x k for k polynomials
-- @param degree  integer of at least 0
-- @return array  degree + 1 coefficients, the highest power first, as pg.polyval takes them; x k
-- @example pg.round(pg.polyfit({0, 1, 2}, {1, 3, 7}, 2), 9) --> 1 1 1 [3 f64]
function curves.polyfit(x, y, degree)
  x, y = fs.array("polyfit", 1, "x", x, 1), fs.array("polyfit", 2, "y", y)
  local k = math.tointeger(degree)
  if not k or k < 0 then
    fs.fail("polyfit", 3, "degree: expected an integer of at least 0, got " .. args.got(degree))
  end
  if y.ndim == 0 or y.ndim > 2 or y.shape[1] ~= x.size then
    fs.fail("polyfit", 2, ("y: expected %d rows as x has numbers, got shape %s"):format(x.size, tostring(y.shape)))
  end
  if x.size == 0 then fs.fail("polyfit", 1, "x: expected at least one point, got none") end
  local columns = {}
  for power = k, 0, -1 do columns[#columns + 1] = x ^ power end
  local A = pg.stack(columns, 2)
  -- Columns of one length, so that powers of large numbers do not hide the small ones.
  local length = pg.sqrt(pg.square(A):sum(1)):detach()
  length = pg.where(length:eq(0), 1, length)
  local fit = pg.linalg.lstsq(A / length, y)
  if y.ndim == 2 then length = length:reshape(k + 1, 1) end
  return fit / length
end

--- pg.polyval(coefficients, x) -> array | number
-- The values of a polynomial, by Horner's rule.
-- @param coefficients  array, the highest power first
-- @param x  array or number
-- @example pg.polyval({1, 0, 2}, 3) --> 11.0
function curves.polyval(coefficients, x)
  coefficients = fs.array("polyval", 1, "coefficients", coefficients, 1)
  if type(x) == "table" then x = pg.array(x) end
  if type(x) ~= "number" and not args.is_array(x) then
    fs.fail("polyval", 2, "x: expected array or number, got " .. args.got(x))
  end
  local value = x * 0.0
  for k = 1, coefficients.size do value = value * x + coefficients:get(k) end
  return value
end

return curves
