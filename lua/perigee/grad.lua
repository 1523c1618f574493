-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients

--- pg.grad(f [, opts]) -> function
-- The gradient of a function: a function of the same arguments that gives the derivative of f's
-- first result by its first argument. f is any Lua function over pg's functions, operators and
-- slices, with Lua's own control flow; see pg.value_and_grad.
-- @param f  function(x, ...) that returns a number: inside, an array without axes
-- @param opts.argnums  list of positions: by these arguments, one gradient each; {1}
-- @param opts.unused  string: "error" or "zero" for what the loss does not depend on; "error"
-- @param opts.check  boolean: look at each value and name the line of the first that is no number; false
-- @return function(x, ...) -> g, of x's kind: a number, an array, a table with the same keys, or of a
-- net its net.grads
-- @example pg.grad(function(x) return x ^ 3 end)(2) --> 12.0
-- @example pg.grad(pg.grad(pg.sin))(1) --> -0.8414709848079
return function(f, opts) return G.transform("grad", f, opts, true) end
