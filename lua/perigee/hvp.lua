-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients

--- pg.hvp(f, x, v) -> array
-- The product of f's Hessian at x with v, without the Hessian: the gradient of grad f(x) . v.
-- @param f  function(x) that gives a number
-- @param x  array
-- @param v  array of x's shape
-- @return array of x's shape
-- @example pg.hvp(function(x) return (x ^ 3):sum() end, pg.array{1, 2}, pg.array{0, 1})[2] --> 12.0
return function(f, x, v)
  G.callable("hvp", 1, f)
  G.check_place("hvp", 2, x)
  local slope = G.transform("hvp", f, {unused = "zero"}, true)
  return G.transform("hvp", function(at) return (slope(at) * v):sum() end, {unused = "zero"}, true)(x)
end
