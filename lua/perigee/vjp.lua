-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients
local tape = G.tape

local function pull_body(f, x, gy, ...)
  local given, at = tape.leaf(x)
  local y = f(given, ...)
  if tape.node(y) < at then return pg.zeros_like(x) end
  local outermost = tape.open() == 1
  if outermost then tape.settle() end
  return tape.backward(y, at, 1, gy, outermost)[1] or pg.zeros_like(x)
end

--- pg.vjp(f, x, ...) -> y, pull
-- The value of a function and its derivative from the right: pull(gy) is the gradient of
-- (f(x) * gy):sum(). f is run again by each pull, so it must give the same each time.
-- @param f  function(x, ...) of an array that gives an array
-- @param x  array or number
-- @return y  f(x, ...)
-- @return pull  function(gy) -> gx: gy has y's shape, gx x's
-- @example select(2, pg.vjp(pg.square, pg.array{1, 3}))(pg.array{1, 1})[2] --> 6.0
return function(f, x, ...)
  G.callable("vjp", 1, f)
  G.check_place("vjp", 2, x)
  local rest = table.pack(...)
  local held = type(x) == "number" and x or tape.node(x) > 0 and x or pg.copy(x)
  local y = f(x, ...)
  return y, function(gy)
    if type(gy) == "number" then gy = pg.full(G.is_array(y) and y.shape or {}, gy) end
    if not G.is_array(gy) or (G.is_array(y) and gy.shape ~= y.shape) then
      pg._args.fail("pull", 1, string.format("gy: expected array %s, got %s",
        G.is_array(y) and tostring(y.shape) or "()", pg._args.got(gy)))
    end
    local g = tape.run(pull_body, f, held, gy, table.unpack(rest, 1, rest.n))
    if type(x) == "number" and tape.open() == 0 then return g:item() end
    return g
  end
end
