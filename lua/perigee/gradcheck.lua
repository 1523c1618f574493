-- SPDX-License-Identifier: MIT
--
-- pg.gradcheck: a gradient against differences of the function.
--
-- The difference is the five-point one, (f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)) / 12h, whose
-- error h^4 f'''''/30 allows an h so large (1e-3) that rounding of f costs about 1e-13 only; with
-- the usual two points and their best h it would cost 1e-11.
local pg = ...
local args = pg._args

--- pg.gradcheck(f, [grad,] x [, opts]) -> result
-- Compares a gradient with central differences of f in f64, element by element: the gradient given, or
-- that of pg.grad. The error of an
-- element is |a - d| / (|a| + |d|), where the divisor is at least `floor` times the largest: below
-- that a difference sees only the rounding of f.
-- @param f  function(x) that returns a number
-- @param grad  array of x's shape, or function(x) that returns it: pg.grad(f)
-- @param x  array, f64: where; changed while f runs and put back
-- @param opts.step  number, times max(1, |x_i|): 1e-3
-- @param opts.tol  number: 1e-7
-- @param opts.floor  number: 1e-3
-- @param opts.indices  list of positions (row-major, from 1) to check: all
-- @return result  table: max_rel_error; worst (the position of it); analytic and numeric (the values there); ok
-- (max_rel_error <= tol)
-- @example pg.gradcheck(function(x) return (x ^ 3):sum() end, pg.array{1, 3}).ok --> true
-- @example pg.gradcheck(function(x) return (x * x):sum() end, pg.array{2, 6}, pg.array{1, 3}).ok --> true
return function(f, grad, x, opts)
  if args.is_array(grad) and not args.is_array(x) and type(f) == "function" then
    grad, x, opts = pg.grad(f, {unused = "zero"}), grad, x
  end
  local o = args.options("gradcheck", 4, opts, {step = 1e-3, tol = 1e-7, floor = 1e-3, indices = args.any})
  args.callback("gradcheck", 1, "f", f)
  if f == nil then args.fail("gradcheck", 1, "f: expected a function, got no value") end
  args.array("gradcheck", 3, "x", x)
  if x.dtype ~= "f64" then args.fail("gradcheck", 3, "x: expected f64, got f32: differences need the digits") end
  if type(grad) == "function" then grad = grad(x) end
  args.array("gradcheck", 2, "grad", grad)
  grad = grad:copy() -- it may be a buffer that calls of f write to
  if grad.size ~= x.size then
    args.fail("gradcheck", 2,
      string.format("grad: expected x's shape %s, got %s", tostring(x.shape), tostring(grad.shape)))
  end
  local n, shape = x.size, x.shape
  -- x:set's arguments for the element at a row-major position.
  local function place(position)
    local index, rest = {}, position - 1
    for axis = x.ndim, 1, -1 do
      index[axis] = rest % shape[axis] + 1
      rest = rest // shape[axis]
    end
    return index
  end
  local flat = grad:reshape(n)
  local indices = o.indices
  if indices == nil then
    indices = {}
    for i = 1, n do indices[i] = i end
  end
  local numeric, scale, before, analytic = {}, 0, x:copy(), {}
  -- However this ends, an error of f included, x is as it was.
  local _ <close> = setmetatable({}, {__close = function() x:assign(before) end})
  for k = 1, #indices do
    local i = args.integer("gradcheck", 4, "indices", indices[k], 1, n)
    local index = place(i)
    local v = x:get(table.unpack(index))
    local h = o.step * math.max(1, math.abs(v))
    local function f_at(moved)
      index[x.ndim + 1] = moved
      x:set(table.unpack(index))
      local y = f(x)
      if args.is_array(y) and y.ndim == 0 then y = y:item() end
      if type(y) ~= "number" then
        args.fail("gradcheck", 1, "f: returned " .. args.got(y) .. ", expected a number")
      end
      return y
    end
    local d = (f_at(v - 2 * h) - 8 * f_at(v - h) + 8 * f_at(v + h) - f_at(v + 2 * h)) / (12 * h)
    index[x.ndim + 1] = v
    x:set(table.unpack(index))
    numeric[k] = d
    scale = math.max(scale, math.abs(d) + math.abs(flat[i]))
    analytic[k] = flat[i]
  end
  local result = {max_rel_error = 0.0, ok = true}
  for k = 1, #indices do
    local a, d = analytic[k], numeric[k]
    local size = math.max(math.abs(a) + math.abs(d), o.floor * scale)
    local err = a == d and 0.0 or math.abs(a - d) / size
    if err ~= err then err = math.huge end
    if err > result.max_rel_error or k == 1 then
      result.max_rel_error, result.worst, result.analytic, result.numeric = err, indices[k] // 1 | 0, a, d
    end
  end
  result.ok = result.max_rel_error <= o.tol
  return result
end
