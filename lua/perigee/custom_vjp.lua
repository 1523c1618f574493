-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients
local tape = G.tape

local function detached(v)
  if G.is_array(v) then return v:detach() end
  return v
end

-- backward's gradients, one for each argument that is an operand.
local function chosen(n, positions, ...)
  local given = select("#", ...)
  if given ~= n then
    G.fail("custom_vjp", "backward gave %d gradient%s for %d argument%s", given, given == 1 and "" or "s", n,
      n == 1 and "" or "s")
  end
  local all, out = {...}, {}
  for k, position in ipairs(positions) do out[k] = all[position] end
  return table.unpack(out, 1, #positions)
end

--- pg.custom_vjp(forward, backward) -> function
-- A function with a derivative of its own: where a formula is known that is shorter, more accurate
-- or other than that of the steps. Where the gradient is differentiated in turn, forward runs again.
-- @param forward  function(...) -> y [, saved]: y an array or a number; nothing in it is recorded
-- @param backward  function(gy, saved, ...) -> one gradient for each argument, nil for none; the
-- arguments are those that forward had
-- @return function(...) -> y
-- @error custom_vjp: backward gave 1 gradient for 2 arguments
-- @example pg.grad(pg.custom_vjp(function(x) return x * x end, function(g, _, x) return g * x * 5 end))(3) --> 15.0
return function(forward, backward)
  G.callable("custom_vjp", 1, forward)
  pg._args.callback("custom_vjp", 2, "backward", backward)
  if backward == nil then pg._args.fail("custom_vjp", 2, "backward: expected a function, got no value") end
  return function(...)
    local given = table.pack(...)
    local operands, positions, plain = {}, {}, {}
    for k = 1, given.n do
      plain[k] = detached(given[k])
      if G.is_array(given[k]) and tape.node(given[k]) > 0 then
        operands[#operands + 1], positions[#positions + 1] = given[k], k
      end
    end
    if #operands == 0 then return (forward(...)) end
    local y, saved = tape.pause(forward, table.unpack(plain, 1, given.n))
    if not G.is_array(y) and type(y) ~= "number" then
      G.fail("custom_vjp", "forward returned %s, expected array or number", pg._args.got(y))
    end
    local function rule(g, _, _, kept)
      if tape.recording() then -- what forward saved is to be differentiated as well
        local _, again = forward(table.unpack(kept[2], 1, given.n))
        return chosen(given.n, positions, backward(g[1], again, table.unpack(kept[2], 1, given.n)))
      end
      return chosen(given.n, positions, backward(g[1], kept[1], table.unpack(kept[2], 1, given.n)))
    end
    return (tape.attach(rule, {saved or false, given}, operands, y))
  end
end
