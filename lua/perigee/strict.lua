-- SPDX-License-Identifier: MIT
local pg = ...
local args = pg._args

-- Names a stock script may read without having made them.
local EXPECTED = {arg = true, _PROMPT = true, _PROMPT2 = true}

local function refuse_read(globals, name)
  if EXPECTED[name] then return nil end
  local near = type(name) == "string" and args.nearest(name, args.sorted_keys(globals))
  name = tostring(name)
  error(("global '%s' is not declared; %s"):format(name,
    near and "did you mean '" .. near .. "'?" or "write `local " .. name .. " = ...` before its first use"), 2)
end

local function refuse_write(_, name)
  error(("assignment to global '%s' that is not declared; write `local %s = ...`"):format(tostring(name),
    tostring(name)), 2)
end

--- pg.strict()
-- Makes reading or assigning a global that does not exist an error that names the cure, from here on. The globals that
-- exist already stay as they are. pg.experiment calls it.
-- @error later, where an undeclared global is read or assigned; rawset(_G, name, value) declares one on purpose
return function()
  local meta = getmetatable(_G) or {}
  if meta.__newindex == refuse_write then return end
  meta.__index = meta.__index or refuse_read
  meta.__newindex = meta.__newindex or refuse_write
  setmetatable(_G, meta)
end
