-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients
local tape = G.tape

local function shape_of(a, b)
  local shape = {}
  for _, v in ipairs(a) do shape[#shape + 1] = v end
  for _, v in ipairs(b) do shape[#shape + 1] = v end
  return shape
end

local function body(name, f, x, ...)
  local given, at = tape.leaf(x)
  local y = f(given, ...)
  if type(y) == "number" then y = pg.array(y) end
  if not G.is_array(y) then G.fail(name, "f returned %s, expected array or number", pg._args.got(y)) end
  local outermost = tape.open() == 1
  local depends = tape.node(y) >= at
  if outermost then tape.settle() end
  local inner = G.is_array(x) and x.shape or {}
  if y.ndim == 0 then
    local g = depends and tape.backward(y, at, 1, nil, outermost)[1] or pg.zeros_like(given)
    return outermost and type(x) == "number" and g:item() or g
  end
  local rows = {}
  for i = 1, depends and y.size or 0 do
    local seed = pg.zeros(y.size, y.dtype)
    seed[i] = 1
    rows[i] = tape.backward(y, at, 1, seed:reshape(y.shape), outermost and i == y.size)[1]
    if rows[i] == nil then rows[i] = pg.zeros_like(given) end
  end
  local shape = shape_of(y.shape, inner)
  if #rows == 0 then return pg.zeros(shape, given.dtype) end
  return pg.stack(rows):reshape(shape)
end

--- pg.jacobian(f) -> function
-- All first derivatives: a function of the same arguments that gives the derivative of each element
-- of f's result by each element of its first argument. It takes one backward pass for each element
-- of the result.
-- @param f  function(x, ...) that gives an array or a number
-- @return function(x, ...) -> array of y's shape and then x's (x's alone where y is a number)
-- @example pg.jacobian(pg.square)(pg.array{1, 3})(2, 2) --> 6.0
return function(f)
  G.callable("jacobian", 1, f)
  return function(x, ...)
    G.check_place("jacobian", 1, x)
    return tape.run(body, "jacobian", f, x, ...)
  end
end
