-- SPDX-License-Identifier: MIT
--
-- Checking arguments and options in Lua modules, with the sentences of bind/errors.c.
--
--   local args = pg._args
--   local opts = args.options("fit", 3, opts, {method = "auto", tol = 1e-8, rng = args.any})
--
-- Every function here raises at the line of the script that called the library, however many of its
-- functions are between.

local pg = ...

local args = {}

-- What a message says it got.
local function got(v)
  if type(v) == "number" then return "number " .. pg._format("%s", v) end
  if type(v) == "string" then
    if #v <= 40 then return string.format("%q", v) end
    return "string"
  end
  local meta = getmetatable(v)
  if meta == "array" then return "array " .. tostring(v.shape) .. " " .. v.dtype end
  if type(meta) == "table" and type(rawget(meta, "__name")) == "string" then return meta.__name end
  return v == nil and "no value" or type(v)
end
args.got = got

function args.is_array(v)
  return getmetatable(v) == "array"
end

-- Raises "bad argument #N to 'name' (message)".
function args.fail(name, arg, message)
  error(string.format("bad argument #%d to '%s' (%s)", arg, name, message), pg._user_level())
end
local fail = args.fail

-- The word of list nearest to word, or nil when none is near enough to be a misspelling of it.
args.nearest = pg._nearest

-- Raises that the subject ("a figure has no", say) lacks the name: with what to write instead, by the table of habits
-- for that place, or with the near one of the names it has.
function args.missing(subject, place, name, names)
  error(pg._habits.missing(subject, place, name, names), pg._user_level())
end

-- Stands for a default of nil and any type.
args.any = setmetatable({}, {__name = "any"})

-- The keys of a table as strings, in order.
local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = tostring(k) end
  table.sort(keys)
  return keys
end
args.sorted_keys = sorted_keys

-- The options of a call with their defaults filled in. `known` maps each name to its default, whose
-- type the value must have, or to args.any. Unknown names are refused with the near one.
function args.options(name, arg, given, known)
  local out = {}
  local names = sorted_keys(known)
  if given ~= nil then
    if type(given) ~= "table" then fail(name, arg, "options: expected a table, got " .. got(given)) end
    for _, k in ipairs(sorted_keys(given)) do
      if known[k] == nil then
        local near = args.nearest(k, names)
        fail(name, arg, string.format("unknown option '%s'; %s", k, near
          and string.format("did you mean '%s'?", near) or "there are: " .. table.concat(names, ", ")))
      end
    end
  end
  for _, k in ipairs(names) do
    local default = known[k]
    local v = given and given[k]
    if v == nil then
      if default ~= args.any then out[k] = default end
    else
      if default ~= args.any and type(v) ~= type(default) then
        fail(name, arg, string.format("%s: expected a %s, got %s", k, type(default), got(v)))
      end
      out[k] = v
    end
  end
  return out
end

-- One of choices, a list of strings.
function args.choice(name, arg, what, v, choices)
  for _, c in ipairs(choices) do
    if v == c then return v end
  end
  fail(name, arg, string.format('%s: expected one of "%s", got %s', what, table.concat(choices, '", "'), got(v)))
end

-- An integer in lo..hi (hi may be nil).
function args.integer(name, arg, what, v, lo, hi)
  local n = type(v) == "number" and math.tointeger(v) or nil
  if not n then fail(name, arg, string.format("%s: expected an integer, got %s", what, got(v))) end
  if n < lo or (hi and n > hi) then
    fail(name, arg, string.format("%s: expected an integer %s, got %d", what,
      hi and string.format("in %d..%d", lo, hi) or "of at least " .. lo, n))
  end
  return n
end

-- A number; with lo or hi given, one within them.
function args.number(name, arg, what, v, lo, hi)
  if type(v) ~= "number" then fail(name, arg, string.format("%s: expected a number, got %s", what, got(v))) end
  if v ~= v or (lo and v < lo) or (hi and v > hi) then
    fail(name, arg, pg._format("%s: expected a number in [%s, %s], got %s", what, lo or "-inf", hi or "inf", v))
  end
  return v
end

-- An array of ndim axes (nil: any).
function args.array(name, arg, what, v, ndim)
  if not args.is_array(v) then fail(name, arg, string.format("%s: expected array, got %s", what, got(v))) end
  if ndim and v.ndim ~= ndim then
    fail(name, arg, string.format("%s: expected %d axes, got shape %s", what, ndim, tostring(v.shape)))
  end
  return v
end

-- A function, or nil where that is allowed.
function args.callback(name, arg, what, v)
  if v ~= nil and type(v) ~= "function" then
    fail(name, arg, string.format("%s: expected a function, got %s", what, got(v)))
  end
  return v
end

-- A primitive written in C as the user's function of that name, of whose errors it then speaks. `shift` is
-- how many arguments the primitive has before the user's first; args.only(n): any fault is that argument's.
-- args.named(primitive, name [, shift [, place]]); place stands before the message, "graph 3: ".
args.named = pg._named
function args.only(n) return 0x10000 + n end

-- A generator of pg.random; whatever draws takes one right after what it must know.
function args.rng(name, arg, v)
  local meta = getmetatable(v)
  if meta ~= "rng" and not (type(meta) == "table" and rawget(meta, "__name") == "rng") then
    fail(name, arg, "rng: expected a generator such as pg.random.new(seed), got " .. got(v))
  end
  return v
end

return args
