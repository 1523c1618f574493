-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients

--- pg.hessian(f) -> function
-- All second derivatives: the Jacobian of the gradient.
-- @param f  function(x, ...) that gives a number
-- @return function(x, ...) -> array of x's shape twice (for a number: a number)
-- @example pg.hessian(function(x) return (x ^ 3):sum() end)(pg.array{1, 2})(2, 2) --> 12.0
return function(f)
  G.callable("hessian", 1, f)
  local slope = pg.jacobian(G.transform("hessian", f, {unused = "zero"}, true))
  return function(x, ...)
    G.check_place("hessian", 1, x)
    return slope(x, ...)
  end
end
