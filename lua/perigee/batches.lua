-- SPDX-License-Identifier: MIT
--
-- pg.batches: pieces of a data set, in order or shuffled.

local pg = ...
local args = pg._args

--- pg.batches(x [, y] [, opts]) -> iterator
-- Goes through the rows of x, and of y beside it, in batches: `for xb, yb in pg.batches(x, y, {size = 32}) do`.
-- Without a generator the batches are views in order; with one the rows are shuffled anew each time
-- and the batches are copies. The last batch holds what is left.
-- @param x  array, n x ...: the first axis counts observations
-- @param y  array, n x ...
-- @param opts.size  integer: rows in a batch; default 32
-- @param opts.rng  generator of pg.random: shuffles the rows
-- @return iterator  gives xb, yb (yb nil without y) until the rows are used up
-- @error x and y differ in rows
-- @example pg.batches(pg.ones(5, 2), {size = 2})().shape --> (2, 2)
return function(x, y, opts)
  args.array("batches", 1, "x", x)
  if opts == nil and type(y) == "table" then y, opts = nil, y end
  local place = y == nil and 2 or 3
  opts = args.options("batches", place, opts, {size = 32, rng = args.any})
  local size = args.integer("batches", place, "size", opts.size, 1)
  if x.ndim == 0 then args.fail("batches", 1, "x: expected at least 1 axis, got shape ()") end
  local n = #x
  if y ~= nil then
    args.array("batches", 2, "y", y)
    if y.ndim == 0 or #y ~= n then
      args.fail("batches", 2, string.format("y: shape %s and x's %s differ in rows", y.shape, x.shape))
    end
  end
  local order = opts.rng ~= nil and args.rng("batches", place, opts.rng):permutation(n) or nil
  local next_row = 1
  return function()
    if next_row > n then return nil end
    local rows = {next_row, math.min(next_row + size - 1, n)}
    next_row = next_row + size
    if order then
      local picked = order:slice(rows)
      return x:take(picked), y and y:take(picked)
    end
    return x:slice(rows), y and y:slice(rows)
  end
end
