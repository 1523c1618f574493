-- SPDX-License-Identifier: MIT
--
-- pg._functions: the array functions that are written in Lua over those in C. modules.c and bind_index.c ask here for a
-- name that is not there, so that nothing of this is compiled before it is wanted; functions whose first argument is an
-- array are methods too. Gradients go through them as through any function of a script.
--
--   functions.find(name) -> function or nil     name: "kron", "linalg.expm"     functions.method(name) likewise
--   functions.names: those of pg, in order

local pg = ...
local error, math, pairs, select, table, tostring, type = error, math, pairs, select, table, tostring, type

-- Which file of private/ has it.
local HOMES = {
  kron = "products", cross = "products", convolve = "products",
  interp = "curves", trapz = "curves", polyfit = "curves", polyval = "curves",
  isin = "sets", isclose = "sets", topk = "sets",
  swapaxes = "axes", moveaxis = "axes", split = "axes", cdist = "distances",
  empty = "axes", ["linalg.expm"] = "expm", ["rng.multivariate_normal"] = "gaussian",
}
local NO_METHODS = {empty = true}

local functions = {names = {}}
for name in pairs(HOMES) do
  if not name:find(".", 1, true) then functions.names[#functions.names + 1] = name end
end
table.sort(functions.names)

function functions.find(name)
  local home = HOMES[name]
  return home and pg["_" .. home][name]
end

function functions.method(name)
  return not NO_METHODS[name] and functions.find(name) or nil
end

-- What such a function raises: an argument is counted without self where it was called as a method.
function functions.fail(name, arg, message)
  local level, method = pg._user_level()
  if method then
    if arg == 1 then error(("bad self in call to '%s' (%s)"):format(name, message), level) end
    arg = arg - 1
  end
  error(("bad argument #%d to '%s' (%s)"):format(arg, name, message), level)
end

-- The argument as an array: an array, or a table of numbers.
function functions.array(name, arg, what, v, ndim)
  local args = pg._args
  if type(v) == "table" then v = pg.array(v) end
  if not args.is_array(v) then functions.fail(name, arg, ("%s: expected array, got %s"):format(what, args.got(v))) end
  if ndim and v.ndim ~= ndim then
    functions.fail(name, arg, ("%s: expected %d ax%s, got shape %s"):format(what, ndim, ndim == 1 and "is" or "es",
      tostring(v.shape)))
  end
  return v
end

-- An axis, from 1 or from the end, of ndim.
function functions.axis(name, arg, what, v, ndim)
  local k = math.tointeger(v)
  if not k or k == 0 or k > ndim or k < -ndim then
    functions.fail(name, arg, ("%s: expected an axis in 1..%d, got %s"):format(what, ndim, pg._args.got(v)))
  end
  return k < 0 and ndim + 1 + k or k
end

-- The options of a call, as args.options has them.
function functions.options(name, arg, given, known)
  local args = pg._args
  local method = select(2, pg._user_level())
  return args.options(name, method and arg - 1 or arg, given, known)
end

return functions
