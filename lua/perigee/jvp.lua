-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients
local tape = G.tape

-- The gradient g(u) of (f(x) * u):sum() is linear in u, and that of (g(u) * v):sum() by u is J v.
local function body(f, x, v)
  local given, at = tape.leaf(x)
  local y = f(given)
  if tape.node(y) < at then return y, G.is_array(y) and pg.zeros_like(y) or 0.0 end
  local u, u_at = tape.leaf(pg.zeros_like(y))
  local g = tape.backward(y, at, 1, u, false)[1]
  local outermost = tape.open() == 1
  if g == nil then return y, pg.zeros_like(y) end
  local s = (g * v):sum()
  if tape.node(s) < u_at then return y, pg.zeros_like(y) end
  if outermost then tape.settle() end
  local dy = tape.backward(s, u_at, 1, nil, outermost)[1]
  if outermost then return tape.plain(y, y.ndim == 0 and dy:item() or dy) end
  return y, dy
end

--- pg.jvp(f, x, v) -> y, dy
-- The value of a function and its derivative along v: how f(x + t v) changes with t at 0.
-- @param f  function(x) of an array that gives an array or a number
-- @param x  array or number
-- @param v  array of x's shape, or a number
-- @return y  f(x)
-- @return dy  of y's kind and shape
-- @source Townsend 2017: forward mode by two passes of reverse mode
-- @example select(2, pg.jvp(pg.square, pg.array{1, 3}, pg.array{1, 0.5}))[2] --> 3.0
return function(f, x, v)
  G.callable("jvp", 1, f)
  G.check_place("jvp", 2, x)
  if type(v) ~= "number" and not (G.is_array(v) and G.is_array(x) and v.shape == x.shape) then
    pg._args.fail("jvp", 3, string.format("v: expected array of x's shape %s, got %s",
      G.is_array(x) and tostring(x.shape) or "()", pg._args.got(v)))
  end
  return tape.run(body, f, x, v)
end
