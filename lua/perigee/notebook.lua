-- SPDX-License-Identifier: MIT
--
-- What a script shows in a notebook besides what it prints. Elsewhere it is printed.

local pg = ...

local notebook = {}

-- Where a notebook takes what is shown; nil in any other process.
local function outlet() return rawget(pg, "_outlet") end

--- pg.notebook.show(value)
-- Shows a value below the cell that runs, as the value of a cell's last expression is shown: a figure
-- or a picture as one, arrays and tables of rows or columns as tables, anything else as text. Outside
-- of a notebook a figure is shown in the terminal, anything else printed.
-- @param value  anything
function notebook.show(value)
  local out = outlet()
  if out then
    out.show(value)
  elseif type(value) == "table" and value.show then
    value:show()
  else
    print(pg._pretty(value))
  end
end

--- pg.notebook.clear([wait])
-- Takes away what the cell that runs has shown so far. Outside of a notebook it does nothing.
-- @param wait  boolean: only when something new comes (false), so that a picture that is shown again
-- and again does not flicker
function notebook.clear(wait)
  local out = outlet()
  if out then out.clear(wait and true or false) end
end

--- pg.notebook.active() -> boolean
-- Whether this is a notebook.
-- @example pg.notebook.active() --> false
function notebook.active() return outlet() ~= nil end

return notebook
