-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients

--- pg.value_and_grad(f [, opts]) -> function
-- As pg.grad, with f's value. Inside f, arrays that depend on x print, index, slice and broadcast as
-- ever; what would be a number (a sum of all elements, a[i] of a vector) is an array without axes,
-- so that the chain is kept, and a:item() is its value. They may not be written to: pg.stack,
-- pg.concat, pg.where and a:with(region, v) put results together. After the call nothing is
-- remembered. Of a table the arrays are differentiated; what else stands in it is handed to f as it
-- is. A net is a table with params, grads (one array each) and named().
-- @param f  function(x, ...) whose first result is the loss: a number
-- @param opts.argnums  list of positions: by these arguments, one gradient each; {1}
-- @param opts.unused  string: "error" or "zero" for what the loss does not depend on; "error"
-- @param opts.check  boolean: look at each value and name the line of the first that is no number; false
-- @return function(x, ...) -> value, g, what else f returned
-- @error f returned no number, or one that does not depend on x
-- @example pg.value_and_grad(function(x) return (x * x):sum() end)(pg.array{3, 4}) --> 25.0
return function(f, opts) return G.transform("value_and_grad", f, opts) end
