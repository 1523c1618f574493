-- SPDX-License-Identifier: MIT
--
-- Nets: descriptions of layers, and what nn.model makes of them.
--
-- A description says what a layer is: the shapes of its parameters and how they begin, its buffers (running
-- statistics), the layers in it, and the function that it computes. It holds no arrays and may stand in many
-- nets. nn.model lays all parameters of a definition into one flat array, the gradient into another of the same
-- length and the buffers into a third, and makes a part for each description: a table with views of its own
-- parameters, the parts in it by name, and the same methods as the whole net, so that a part can be called and
-- trained alone.

local pg = ...
local args = pg._args
local error, getmetatable, ipairs, pairs, setmetatable = error, getmetatable, ipairs, pairs, setmetatable
local math, rawget, table, tostring, type = math, rawget, table, tostring, type

local M = {}

-- ---- descriptions -------------------------------------------------------------------------------

local layer_meta = {__name = "layer"}
layer_meta.__index = layer_meta
layer_meta.__tostring = function(layer) return layer.title end
layer_meta.__call = function(layer)
  error(("%s: a layer says what a net is made of; nn.model(layer, rng) makes the net"):format(layer.kind),
    pg._user_level())
end

-- A description. Fields:
--   kind     its name in messages          title    how it prints, such as "linear(784, 10)"
--   params   {{name, shape, init}, ...}    init(view, rng, fan_in, fan_out)
--   buffers  {{name, shape, value}, ...}
--   parts    {{key, name, description}, ...} in order; key: its field in the part, name: its name in files
--   forward  function(part, x, ctx, ...)   nil: the part cannot be called
function M.layer(fields)
  fields.params, fields.buffers, fields.parts = fields.params or {}, fields.buffers or {}, fields.parts or {}
  fields.title = fields.title or fields.kind
  return setmetatable(fields, layer_meta)
end

function M.is_layer(v) return getmetatable(v) == layer_meta end

-- A parameter alone.
function M.param(shape, init)
  return M.layer {kind = "param", title = ("param(%s)"):format(table.concat(shape, ", ")), alone = true,
    params = {{"", shape, init}}}
end

-- What stands for a layer in a definition: itself, a function of one array, or a table of layers.
local function description(name, arg, v, where)
  if M.is_layer(v) then return v end
  if type(v) == "function" then
    return M.layer {kind = "function", forward = function(_, x) return v(x) end}
  end
  if type(v) == "table" and getmetatable(v) == nil then return M.group(name, arg, v, where) end
  args.fail(name, arg, ("%s: expected a layer, a function or a table of them, got %s"):format(where, args.got(v)))
end
M.description = description

-- Names that parts have by themselves.
local taken = {}

-- The parts of a table: a list is counted from 0 in files, as PyTorch does; names go in order.
function M.parts_of(name, arg, t, where)
  local parts = {}
  for k, v in ipairs(t) do
    parts[k] = {k, tostring(k - 1), description(name, arg, v, ("%s[%d]"):format(where, k))}
  end
  local names = {}
  for k in pairs(t) do
    if type(k) == "string" then
      names[#names + 1] = k
    elseif math.type(k) ~= "integer" or k < 1 or k > #parts then
      args.fail(name, arg, ("%s: a part is named by a string or counted from 1, got %s"):format(where, args.got(k)))
    end
  end
  table.sort(names)
  for _, k in ipairs(names) do
    if taken[k] or k:find("[^%w_]") or k == "" then
      args.fail(name, arg, ("a part may not be called '%s'"):format(k))
    end
    parts[#parts + 1] = {k, k, description(name, arg, t[k], where == "" and k or where .. "." .. k)}
  end
  return parts
end

function M.group(name, arg, t, where)
  return M.layer {kind = "table", parts = M.parts_of(name, arg, t, where)}
end

-- ---- parts --------------------------------------------------------------------------------------

local methods = {}
local part_meta = {__name = "net"}

part_meta.__index = function(part, key)
  local method = methods[key]
  if method ~= nil then return method end
  if type(key) ~= "string" or key == "__pairs" then return nil end
  local names = {}
  for _, k in ipairs(args.sorted_keys(part)) do
    if k:sub(1, 1) ~= "_" then names[#names + 1] = k end
  end
  for _, k in ipairs(args.sorted_keys(methods)) do names[#names + 1] = k end
  args.missing(("a net of %s has no"):format(rawget(part, "_layer").title), "net", key, names)
end

part_meta.__call = function(part, ...)
  local layer = rawget(part, "_layer")
  if not layer.forward then
    error(("a %s of layers is no function; call one of its parts: %s"):format(layer.kind,
      table.concat(M.keys_of(layer), ", ")), pg._user_level())
  end
  return layer.forward(part, ...)
end

function M.keys_of(layer)
  local out = {}
  for k, p in ipairs(layer.parts) do out[k] = type(p[1]) == "number" and ("[%d]"):format(p[1]) or p[1] end
  return out
end

local function size_of(shape)
  local n = 1
  for _, e in ipairs(shape) do n = n * e end
  return n
end

-- How many parameters and buffers a description takes in all.
local function count(layer)
  local p, b = 0, 0
  for _, one in ipairs(layer.params) do p = p + size_of(one[2]) end
  for _, one in ipairs(layer.buffers) do b = b + size_of(one[2]) end
  for _, part in ipairs(layer.parts) do
    local q, c = count(part[3])
    p, b = p + q, b + c
  end
  return p, b
end

-- Makes the part of a description at places p and b (counted from 0) of the flat arrays `flat`; returns it and
-- the places after it. Entries are {name, view} in order, by kind.
local function make(layer, flat, p, b)
  local part = {_layer = layer}
  local entries = {params = {}, grads = {}, buffers = {}}
  local p0, b0 = p, b
  local function view(of, at, shape)
    local n = size_of(shape)
    return flat[of]:slice({at + 1, at + n}):reshape(table.unpack(shape))
  end
  local function add(of, name, v) entries[of][#entries[of] + 1] = {name, v} end
  for _, one in ipairs(layer.params) do
    local v = view("params", p, one[2])
    add("params", one[1], v)
    add("grads", one[1], view("grads", p, one[2]))
    if one[1] ~= "" then part[one[1]] = v end
    p = p + size_of(one[2])
  end
  for _, one in ipairs(layer.buffers) do
    local v = view("buffers", b, one[2])
    add("buffers", one[1], v)
    part[one[1]] = v
    b = b + size_of(one[2])
  end
  for _, child in ipairs(layer.parts) do
    local made
    made, p, b = make(child[3], flat, p, b)
    part[child[1]] = child[3].alone and made._entries.params[1][2] or made
    for of, list in pairs(made._entries) do
      for _, e in ipairs(list) do add(of, e[1] == "" and child[2] or child[2] .. "." .. e[1], e[2]) end
    end
  end
  part._entries = entries
  part.nparams = p - p0
  part.params, part.grads = flat.params:slice({p0 + 1, p}), flat.grads:slice({p0 + 1, p})
  part.buffers = flat.buffers:slice({b0 + 1, b})
  return setmetatable(part, part_meta), p, b
end

-- The net of a description, its parameters unset.
local function build(layer, dtype)
  local p, b = count(layer)
  local flat = {params = pg.zeros(p, dtype), grads = pg.zeros(p, dtype), buffers = pg.zeros(b, dtype)}
  local net = make(layer, flat, 0, 0)
  net.params, net.grads, net.buffers = flat.params, flat.grads, flat.buffers
  return net
end

-- The numbers that a weight reads and writes: of o x i, of o x i x h x w.
local function fans(shape)
  if #shape < 2 then return shape[1] or 1, shape[1] or 1 end
  local field = 1
  for k = 3, #shape do field = field * shape[k] end
  return shape[2] * field, shape[1] * field
end
M.fans = fans

-- Sets all parameters and buffers to what they begin with, in order.
local function start(part, rng)
  local layer, entries = part._layer, part._entries
  for k, one in ipairs(layer.params) do
    local fan_in, fan_out = fans(one[2])
    one[3](entries.params[k][2], rng, fan_in, fan_out)
  end
  for k, one in ipairs(layer.buffers) do entries.buffers[k][2]:assign(one[3]) end
  for _, child in ipairs(layer.parts) do
    if child[3].alone then
      child[3].params[1][3](part[child[1]], rng, fans(child[3].params[1][2]))
    else
      start(part[child[1]], rng)
    end
  end
end

function M.new(name, definition, rng, opts)
  local layer = description(name, 1, definition, "definition")
  if layer.alone then layer = M.group(name, 1, {layer}, "definition") end
  args.rng(name, 2, rng)
  local o = args.options(name, 3, opts, {dtype = "f32"})
  args.choice(name, 3, "dtype", o.dtype, {"f32", "f64", "float32", "float64"})
  local net = build(layer, o.dtype)
  start(net, rng)
  return net
end

-- ---- methods ------------------------------------------------------------------------------------

local function names_of(list)
  local names = {}
  for k, e in ipairs(list) do names[k] = e[1] end
  return names
end

-- A table by name that `pairs` walks in order.
local function ordered(list)
  local out, names = {}, names_of(list)
  for _, e in ipairs(list) do out[e[1]] = e[2] end
  return setmetatable(out, {__pairs = function(t)
    local k = 0
    return function()
      k = k + 1
      if names[k] ~= nil then return names[k], t[names[k]] end
    end
  end})
end

--- net:names() -> list
-- The names of a net's parameters, in the order in which they stand in net.params. They are those of PyTorch's
-- state_dict: a list of layers counts from 0 there.
-- @return list  of strings, such as "encoder.0.weight"
function methods:names() return names_of(self._entries.params) end

--- net:named([which]) -> table
-- Views of a net's arrays by name, walked in order by pairs.
-- @param which  string: "params" (default), "grads" or "buffers"
-- @return table  of arrays that share memory with net.params, net.grads or net.buffers
function methods:named(which)
  which = which or "params"
  args.choice("named", 1, "which", which, {"params", "grads", "buffers"})
  return ordered(self._entries[which])
end

--- net:copy() -> net
-- A net of its own with the same values.
function methods:copy()
  local net = build(self._layer, self.params.dtype)
  net.params:assign(self.params)
  net.grads:assign(self.grads)
  net.buffers:assign(self.buffers)
  return net
end

local function everything(net)
  local list = {}
  for _, of in ipairs({"params", "buffers"}) do
    for _, e in ipairs(net._entries[of]) do list[#list + 1] = e end
  end
  return list
end

M.everything = everything

--- net:save(path) -> net
-- Writes parameters and buffers by name, as PyTorch's load_state_dict takes them:
-- `model.load_state_dict({k: torch.tensor(v) for k, v in np.load(path).items()})`.
-- @param path  string: ends in .npz or .safetensors
function methods:save(path)
  pg.save(path, ordered(everything(self)))
  return self
end

-- Puts the arrays of a table by name into the net. Returns what does not fit, or nil.
local function fill(net, values)
  local list, known = everything(net), {}
  for _, e in ipairs(list) do
    local name, view = e[1], e[2]
    local v = values[name]
    known[name] = true
    if v == nil then return ("it has no %s, shape %s"):format(name, tostring(view.shape)) end
    if not args.is_array(v) or v.shape ~= view.shape then
      return ("%s is %s there and %s in the net"):format(name, args.got(v), tostring(view.shape))
    end
  end
  for _, name in ipairs(args.sorted_keys(values)) do
    -- PyTorch's count of batches, which only an average over all of them would need
    if not known[name] and not name:find("num_batches_tracked$") then
      return ("it has %s, which the net has not"):format(name)
    end
  end
  for _, e in ipairs(list) do e[2]:assign(values[e[1]]) end
end

M.fill = fill

--- net:load(path) -> net
-- Reads parameters and buffers of a net of the same layers; nothing is changed where they do not fit.
-- @param path  string: what net:save wrote, or a state_dict of PyTorch's in .npz, .safetensors or .pt; or a table of
-- arrays by name, such as pg.load("checkpoint.pt").model
-- @error the first name or shape that differs
function methods:load(path)
  local values, from = path, "load"
  if type(path) ~= "table" then values, from = pg.load(path), path end
  if type(values) ~= "table" or args.is_array(values) then
    error(("%s: expected arrays by name, got %s"):format(from, args.got(values)), pg._user_level())
  end
  local misfit = fill(self, values)
  if misfit then
    -- a checkpoint of a training run has the net among other things
    for _, key in ipairs(args.sorted_keys(values)) do
      if type(values[key]) == "table" and not args.is_array(values[key]) then
        misfit = misfit .. ("; it has a table %s, and net:load(pg.load(path).%s) takes that"):format(key, key)
        break
      end
    end
    error(("%s: not a file of this net: %s"):format(from, misfit), pg._user_level())
  end
  return self
end

local function thousands(n)
  return (tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

part_meta.__tostring = function(net)
  local rows, wide, title_wide = {}, 0, 0
  local function visit(layer, part, name)
    if #layer.params > 0 or (layer.forward and #layer.parts == 0) then
      local n = layer.alone and part.size or part.nparams
      rows[#rows + 1] = {name, layer.title, n}
      wide, title_wide = math.max(wide, #name), math.max(title_wide, #layer.title)
    end
    for _, child in ipairs(layer.parts) do
      visit(child[3], part[child[1]], name == "" and child[2] or name .. "." .. child[2])
    end
  end
  visit(net._layer, net, "")
  local lines = {("net: %s parameter%s, %s"):format(thousands(net.nparams), net.nparams == 1 and "" or "s",
    net.params.dtype)}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = (("  %%-%ds  %%-%ds  %%s"):format(math.max(1, wide), title_wide):format(row[1], row[2],
      row[3] > 0 and thousands(row[3]) or "")):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

for name in pairs(methods) do taken[name] = true end
for _, name in ipairs({"params", "grads", "buffers", "nparams"}) do taken[name] = true end

return M
