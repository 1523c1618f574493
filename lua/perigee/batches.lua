-- SPDX-License-Identifier: MIT
--
-- pg.batches: pieces of a data set, in order or shuffled.

local pg = ...
local args = pg._args
local error, math, select, table, tostring, type = error, math, select, table, tostring, type

-- The arguments: arrays of as many rows each, or one stream; and the options.
local function read(...)
  local given, n = {...}, select("#", ...)
  while n > 0 and given[n] == nil do n = n - 1 end
  local opts
  if n > 1 and not args.is_array(given[n]) and type(given[n]) == "table" then opts, n = given[n], n - 1 end
  local o = args.options("batches", n + 1, opts, {size = 32, rng = args.any, drop_last = false, dtype = args.any})
  o.size = args.integer("batches", n + 1, "size", o.size, 1)
  if o.rng ~= nil then args.rng("batches", n + 1, o.rng) end
  if o.dtype ~= nil then args.choice("batches", n + 1, "dtype", o.dtype, {"f32", "f64", "float32", "float64"}) end
  return given, math.max(n, 1), o
end

-- Batches of what a stream such as pg.rows gives, whatever the sizes of its pieces.
local function from_stream(stream, o)
  local held, count = {}, 0
  local function give(n)
    local all = #held == 1 and held[1] or pg.concat(held, 1)
    local batch = all:slice({1, n})
    held, count = n < #all and {all:slice({n + 1, #all})} or {}, count - n
    return o.dtype and batch:astype(o.dtype) or batch
  end
  return function()
    while count < o.size do
      local piece = stream()
      if piece == nil then
        if count == 0 or o.drop_last then return nil end
        return give(count)
      end
      if not args.is_array(piece) then
        error("batches: the stream gave " .. args.got(piece) .. ", expected arrays", pg._user_level())
      end
      if #piece > 0 then held[#held + 1], count = piece, count + #piece end
    end
    return give(o.size)
  end
end

--- pg.batches(x [, y, ...] [, opts]) -> iterator
-- Goes through the rows of x, and of y and others beside it, in batches:
-- `for xb, yb in pg.batches(x, y, {size = 32}) do`.
-- Without a generator the batches are views in order; with one the rows are shuffled anew each time
-- and the batches are copies. The last batch holds what is left.
-- @param x  array, n x ...: the first axis counts observations; or what pg.rows gives
-- @param y  array, n x ...; any number of them
-- @param opts.size  integer: rows in a batch; default 32
-- @param opts.rng  generator of pg.random: shuffles the rows
-- @param opts.drop_last  boolean: no last batch of fewer rows (false)
-- @param opts.dtype  string: each batch as "f32" or "f64"; so images stay bytes until they are used
-- @return iterator  gives xb, yb, ... until the rows are used up
-- @error arrays that differ in rows
-- @example pg.batches(pg.ones(5, 2), {size = 2})().shape --> (2, 2)
return function(...)
  local given, count, o = read(...)
  if type(given[1]) == "function" then
    if count > 1 then args.fail("batches", 2, "a stream stands alone") end
    if o.rng then args.fail("batches", 2, "rng: a stream comes in its order") end
    return from_stream(given[1], o)
  end
  local n
  for k = 1, count do
    local what, a = k == 1 and "x" or k == 2 and "y" or "argument " .. k, given[k]
    args.array("batches", k, what, a)
    if a.ndim == 0 then args.fail("batches", k, what .. ": expected at least 1 axis, got shape ()") end
    n = n or #a
    if #a ~= n then
      args.fail("batches", k, ("%s: shape %s and x's %s differ in rows"):format(what, tostring(a.shape),
        tostring(given[1].shape)))
    end
  end
  local order = o.rng and o.rng:permutation(n) or nil
  local next_row = 1
  return function()
    local last = math.min(next_row + o.size - 1, n)
    if next_row > n or (o.drop_last and last - next_row + 1 < o.size) then return nil end
    local rows = {next_row, last}
    next_row = last + 1
    local picked = order and order:slice(rows)
    local out = {}
    for k = 1, count do
      local batch = picked and given[k]:take(picked, 1) or given[k]:slice(rows)
      out[k] = o.dtype and batch:astype(o.dtype) or batch
    end
    return table.unpack(out, 1, count)
  end
end
