-- SPDX-License-Identifier: MIT
--
-- The derivatives of what layers and losses call beside pg's public functions, as rules.lua has those of the
-- others. Their backward kernels have no derivative of their own; where one is asked for, the same function is
-- composed of others and that is differentiated.

local pg = ...
local ipairs, pairs, table = ipairs, pairs, table

local rules = {}

-- The gradients of a composed function of the arrays, each in turn.
local function by_parts(f, g, ...)
  return table.unpack(pg.grad(function(t) return (f(table.unpack(t)) * g):sum() end) {...})
end

local function copy_without(opts, name)
  local out = {}
  for k, v in pairs(opts or {}) do
    if k ~= name then out[k] = v end
  end
  return out
end

-- ---- batch norm ---------------------------------------------------------------------------------

-- (x - mean) / sqrt(var + eps) over the axes, times w plus b in the shape given.
local function normalised(x, axes, eps, w, b, shape)
  local mean = x:mean(axes, {keepdims = true})
  local centred = x - mean
  local y = centred / pg.sqrt(pg.square(centred):mean(axes, {keepdims = true}) + eps)
  if w ~= nil then y = y * w:reshape(table.unpack(shape)) end
  if b ~= nil then y = y + b:reshape(table.unpack(shape)) end
  return y
end

local function eps_of(opts) return opts and opts.eps or 1e-5 end

-- The shape in which numbers by channel broadcast over x.
local function by_channel(x)
  local shape = {1, x.shape[2]}
  for k = 3, x.ndim do shape[k] = 1 end
  return shape
end

rules["norm.batch"] = function(g, _, x, w, _, mean, var, opts)
  if pg._tape.recording() then
    local shape = by_channel(x)
    local axes = {1}
    for k = 3, x.ndim do axes[k - 1] = k end
    return by_parts(function(a, v, b)
      if opts and opts.train then return normalised(a, axes, eps_of(opts), v, b, shape) end
      local scale = 1 / pg.sqrt(var + eps_of(opts))
      return (a - mean:reshape(table.unpack(shape))) * (v * scale):reshape(table.unpack(shape))
        + b:reshape(table.unpack(shape))
    end, g, x, w, pg.zeros(x.shape[2], x.dtype))
  end
  return pg._norm.batch_gradient(x, w, g, mean, var, copy_without(opts, "momentum"))
end

rules.pad = {function(g, _, a, widths)
  local region = {}
  for axis = 1, a.ndim do
    local before = widths[axis] and widths[axis][1] or 0
    region[axis] = {before + 1, before + a.shape[axis]}
  end
  return g:slice(table.unpack(region))
end}

-- ---- the rest -----------------------------------------------------------------------------------

-- One pass where the rules of rules.lua take several; a is what is kept, the operand or of relu the result.
local function fuse(all)
  local function fused(name, composed)
    return function(g, y, a, slope)
      if pg._tape.recording() or a ~= nil and a.shape ~= g.shape then return composed(g, y, a, slope) end
      if type(slope) == "table" then return pg._layer.activate_gradient(a, g, "gelu_tanh") end
      return pg._layer.activate_gradient(a == nil and y or a, g, name, slope)
    end
  end
  for _, name in ipairs({"silu", "gelu", "leaky_relu", "elu"}) do all[name][1] = fused(name, all[name][1]) end
  local relu = all.relu[1]
  all.relu[1] = function(g, y)
    if pg._tape.recording() then return relu(g, y) end
    return pg._layer.activate_gradient(y, g, "relu")
  end
end

rules["layer.linear"] = {
  function(g, _, _, w) return pg.dot(g, w) end,
  function(g, _, x)
    return pg.dot(g:reshape(-1, g.shape[g.ndim]).T, x:reshape(-1, x.shape[x.ndim]))
  end,
  function(g)
    if g.ndim == 1 then return g end
    return g:reshape(-1, g.shape[g.ndim]):sum(1)
  end,
  into = {nil, function(out, g, _, x)
    if x.dtype ~= out.dtype or g.dtype ~= out.dtype then return false end
    pg.dot(g:reshape(-1, g.shape[g.ndim]).T, x:reshape(-1, x.shape[x.ndim]), out)
    return true
  end},
}

rules["layer.cross_entropy"] = {function(g, _, z, classes, opts)
  if pg._tape.recording() then
    local o = opts or {}
    local V = z.shape[z.ndim]
    local smoothing = o.smoothing or 0
    local target = classes
    if classes.ndim < z.ndim then
      target = pg.eq(classes:expand_dims(classes.ndim + 1), pg.range(1, V)):astype(z.dtype)
    end
    local counted = target:sum(-1, {keepdims = true})
    target = target * (1 - smoothing) + counted * (smoothing / V)
    if o.ignore ~= nil and classes.ndim < z.ndim then
      target = target * pg.ne(classes, o.ignore):expand_dims(classes.ndim + 1)
    end
    return g:expand_dims(g.ndim + 1) * (pg.softmax(z, -1) * target:sum(-1, {keepdims = true}) - target)
  end
  return pg._layer.cross_gradient(z, classes, opts, g)
end}

return {rules = rules, fuse = fuse}
