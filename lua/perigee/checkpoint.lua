-- SPDX-License-Identifier: MIT
local pg = ...
local G = pg._gradients
local tape = G.tape

local function is_rng(v)
  local meta = getmetatable(v)
  return meta == "rng" or (type(meta) == "table" and rawget(meta, "__name") == "rng")
end

-- f's results again, recorded, and the gradients by the operands of the cotangents g of them.
local function again(f, given, operands, positions, g)
  local args = {table.unpack(given, 1, given.n)}
  local low
  for k, position in ipairs(positions) do
    local leaf, at = tape.leaf(operands[k])
    args[position], low = leaf, low or at
  end
  local y = table.pack(f(table.unpack(args, 1, given.n)))
  local total
  for k = 1, y.n do
    if g[k] and G.is_array(y[k]) and tape.node(y[k]) >= low then
      local part = (y[k] * g[k]):sum()
      total = total and total + part or part
    end
  end
  if total == nil then return {} end
  return tape.backward(total, low, #positions, nil, false)
end

--- pg.checkpoint(f, ...) -> f's results
-- f(...), where what f makes in between is not kept for the backward pass but made again in it: memory
-- for time. What f is differentiated by must be among its arguments; generators among them are put
-- back before f runs again, so that it draws the same.
-- @param f  function(...) of arrays, numbers, generators, ...
-- @return what f returns
-- @source Griewank & Walther 2000
-- @example pg.grad(function(x) return pg.checkpoint(pg.sin, x) end)(0) --> 1.0
return function(f, ...)
  G.callable("checkpoint", 1, f)
  local given = table.pack(...)
  local operands, positions, plain, states = {}, {}, {}, {}
  for k = 1, given.n do
    local v = given[k]
    plain[k] = v
    if G.is_array(v) then
      plain[k] = v:detach()
      if tape.node(v) > 0 then operands[#operands + 1], positions[#positions + 1] = v, k end
    elseif is_rng(v) then
      states[k] = v:state()
    end
  end
  if #operands == 0 then return f(...) end
  local function rule(g, _, _, kept)
    local now = {}
    for k in pairs(states) do -- each is put back for itself, so the order tells nothing
      now[k] = given[k]:state()
      given[k]:restore(states[k])
    end
    local cots = tape.run(again, f, given, kept, positions, g)
    for k in pairs(now) do given[k]:restore(now[k]) end
    local out = {}
    for k = 1, #positions do out[k] = cots[k] end
    return table.unpack(out, 1, #positions)
  end
  return tape.attach(rule, operands, operands, tape.pause(f, table.unpack(plain, 1, given.n)))
end
