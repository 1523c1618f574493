-- SPDX-License-Identifier: MIT
--
-- The layers of nets: weights, layouts and how they begin are torch.nn's.

local pg = ...
local args, M, init = pg._args, pg._nn_model, pg._nn_init
local error, getmetatable, ipairs, math = error, getmetatable, ipairs, math
local table, tostring, type = table, tostring, type

local layers = {}

-- ---- checks -------------------------------------------------------------------------------------

local function size(name, arg, what, v) return args.integer(name, arg, what, v, 1) end

-- {y, x} of a number or a pair.
local function pair(name, arg, what, v, least)
  if type(v) == "number" then v = {v, v} end
  if type(v) ~= "table" or #v ~= 2 then
    args.fail(name, arg, ("%s: expected an integer or {y, x}, got %s"):format(what, args.got(v)))
  end
  return {args.integer(name, arg, what, v[1], least), args.integer(name, arg, what, v[2], least)}
end

local function show(v)
  if type(v) == "table" then
    if v[1] == v[2] then return tostring(v[1]) end
    return ("{%d, %d}"):format(v[1], v[2])
  end
  return tostring(v)
end

-- An input of a layer: an array of the weights' dtype.
local function check_input(name, x, weight)
  if not args.is_array(x) then args.fail(name, 1, "x: expected array, got " .. args.got(x)) end
  if weight and x.dtype ~= weight.dtype then
    local cure = ("x:astype(%q)"):format(weight.dtype)
    if x.dtype == "f64" or x.dtype == "f32" then
      cure = cure .. (", or nn.model(..., {dtype = %q})"):format(x.dtype)
    end
    error(("%s: x is %s and the weights are %s; %s"):format(name, x.dtype, weight.dtype, cure), pg._user_level())
  end
end

local function check_last(name, x, wanted)
  local n = x.ndim > 0 and x.shape[x.ndim] or 0
  if n ~= wanted then args.fail(name, 1, ("x: last axis is %d, expected %d"):format(n, wanted)) end
end

local function check_channels(name, x, ndim, channels)
  if x.ndim ~= ndim then
    args.fail(name, 1, ("x: expected %d axes, n x %d x %s, got shape %s"):format(ndim, channels,
      ndim == 3 and "t" or "h x w", tostring(x.shape)))
  end
  if x.shape[2] ~= channels then
    error(("%s: x has %d channel%s, w takes %d"):format(name, x.shape[2], x.shape[2] == 1 and "" or "s", channels),
      pg._user_level())
  end
end

local function initial(name, arg, o, default)
  local f = o.init
  if f == nil then return default end
  if type(f) ~= "function" then
    args.fail(name, arg, "init: expected one of nn.init, got " .. args.got(f))
  end
  return f
end

local kaiming = init.kaiming_uniform(math.sqrt(5))

-- ---- dense --------------------------------------------------------------------------------------

--- pg.nn.linear(i, o [, opts]) -> layer
-- x W^T + b over the last axis of x.
-- @param i  integer: how many numbers come in
-- @param o  integer: how many go out
-- @param opts.bias  boolean (true)
-- @param opts.init  how the weight (o x i) begins: one of nn.init; default as PyTorch's
-- @error another last axis; a dtype other than the weights'
function layers.linear(i, o, opts)
  size("linear", 1, "i", i)
  size("linear", 2, "o", o)
  local given = args.options("linear", 3, opts, {bias = true, init = args.any})
  local params = {{"weight", {o, i}, initial("linear", 3, given, kaiming)}}
  if given.bias then params[2] = {"bias", {o}, init.within_root(i)} end
  return M.layer {kind = "linear", title = ("linear(%d, %d%s)"):format(i, o, given.bias and "" or ", no bias"),
    params = params, forward = function(m, x)
      check_input("linear", x, m.weight)
      check_last("linear", x, i)
      return pg._layer.linear(x, m.weight, given.bias and m.bias or nil)
    end}
end

local look_up = args.named(pg.take, "embedding", 1) -- whose first argument users do not give

--- pg.nn.embedding(n, d) -> layer
-- Rows of an n x d weight by number: ids of any shape, counted from 1, give one more axis of d.
-- @param n  integer
-- @param d  integer
-- @param opts.init  as for linear; default N(0, 1)
function layers.embedding(n, d, opts)
  size("embedding", 1, "n", n)
  size("embedding", 2, "d", d)
  local given = args.options("embedding", 3, opts, {init = args.any})
  return M.layer {kind = "embedding", title = ("embedding(%d, %d)"):format(n, d),
    params = {{"weight", {n, d}, initial("embedding", 3, given, init.normal(0, 1))}}, forward = function(m, ids)
      check_input("embedding", ids)
      return look_up(m.weight, ids, 1)
    end}
end

-- ---- convolutions -------------------------------------------------------------------------------

local function convolution_options(name, o)
  return {stride = pair(name, 4, "stride", o.stride, 1), padding = pair(name, 4, "padding", o.padding, 0),
    dilation = pair(name, 4, "dilation", o.dilation or 1, 1)}
end

local function convolution_title(name, i, o, k, given, p)
  local title = ("%s(%d, %d, %s"):format(name, i, o, show(k))
  for _, what in ipairs({"stride", "padding", "dilation"}) do
    local v = p[what]
    local usual = what == "padding" and 0 or 1
    if v and not (v[1] == usual and v[2] == usual) then title = ("%s, %s %s"):format(title, what, show(v)) end
  end
  if given.groups and given.groups > 1 then title = ("%s, groups %d"):format(title, given.groups) end
  return title .. (given.bias and ")" or ", no bias)")
end

local conv_known = {stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, init = args.any}
for _, what in ipairs({"stride", "padding", "dilation"}) do conv_known[what] = args.any end

local function new_conv(name, i, o, k, opts, flat)
  size(name, 1, "i", i)
  size(name, 2, "o", o)
  local given = args.options(name, 4, opts, conv_known)
  given.stride, given.padding, given.dilation = given.stride or 1, given.padding or 0, given.dilation or 1
  local groups = args.integer(name, 4, "groups", given.groups, 1)
  if i % groups ~= 0 or o % groups ~= 0 then
    args.fail(name, 4, ("groups: %d does not divide %d and %d channels"):format(groups, i, o))
  end
  local shape, p, run
  if flat then
    args.integer(name, 3, "k", k, 1)
    local s, pad = args.integer(name, 4, "stride", given.stride, 1), args.integer(name, 4, "padding", given.padding, 0)
    p = {stride = s, padding = pad, dilation = args.integer(name, 4, "dilation", given.dilation, 1), groups = groups}
    shape, run = {o, i // groups, k}, pg.conv1d
  else
    k = pair(name, 3, "k", k, 1)
    p = convolution_options(name, given)
    p.groups = groups
    shape, run = {o, i // groups, k[1], k[2]}, pg.conv2d
  end
  local params = {{"weight", shape, initial(name, 4, given, kaiming)}}
  if given.bias then params[2] = {"bias", {o}, init.within_root((M.fans(shape)))} end
  local spread = {stride = flat and {p.stride, p.stride} or p.stride, padding = flat and {p.padding, p.padding}
    or p.padding, dilation = flat and {p.dilation, p.dilation} or p.dilation}
  return M.layer {kind = name, title = convolution_title(name, i, o, k, given, spread), params = params,
    forward = function(m, x)
      check_input(name, x, m.weight)
      check_channels(name, x, flat and 3 or 4, i)
      return run(x, m.weight, {bias = given.bias and m.bias or nil, stride = p.stride, padding = p.padding,
        dilation = p.dilation, groups = groups})
    end}
end

--- pg.nn.conv2d(i, o, k [, opts]) -> layer
-- A convolution of n x i x h x w; see pg.conv2d.
-- @param i  integer: channels in
-- @param o  integer: channels out
-- @param k  integer or {y, x}: the kernel's size
-- @param opts.stride  integer or {y, x} (1)
-- @param opts.padding  integer or {y, x} (0)
-- @param opts.dilation  integer or {y, x} (1)
-- @param opts.groups  integer (1)
-- @param opts.bias  boolean (true)
-- @param opts.init  as for linear
function layers.conv2d(i, o, k, opts) return new_conv("conv2d", i, o, k, opts, false) end

--- pg.nn.conv1d(i, o, k [, opts]) -> layer
-- A convolution of n x i x t; see pg.conv1d.
-- @param i  integer: channels in
-- @param o  integer: channels out
-- @param k  integer: the kernel's size
-- @param opts.stride  and padding, dilation, groups, bias, init: as for conv2d, one integer each
function layers.conv1d(i, o, k, opts) return new_conv("conv1d", i, o, k, opts, true) end

--- pg.nn.conv_transpose2d(i, o, k [, opts]) -> layer
-- The adjoint of a convolution, which enlarges n x i x h x w; see pg.conv_transpose2d.
-- @param i  integer: channels in
-- @param o  integer: channels out
-- @param k  integer or {y, x}: the kernel's size
-- @param opts.stride  integer or {y, x} (1)
-- @param opts.padding  integer or {y, x} (0)
-- @param opts.output_padding  integer or {y, x} (0)
-- @param opts.bias  boolean (true)
-- @param opts.init  as for linear
function layers.conv_transpose2d(i, o, k, opts)
  local name = "conv_transpose2d"
  size(name, 1, "i", i)
  size(name, 2, "o", o)
  k = pair(name, 3, "k", k, 1)
  local any = args.any
  local given = args.options(name, 4, opts, {stride = any, padding = any, output_padding = any, bias = true,
    init = any})
  local stride, padding = pair(name, 4, "stride", given.stride or 1, 1), pair(name, 4, "padding", given.padding or 0, 0)
  local more = pair(name, 4, "output_padding", given.output_padding or 0, 0)
  local shape = {i, o, k[1], k[2]}
  local params = {{"weight", shape, initial(name, 4, given, kaiming)}}
  if given.bias then params[2] = {"bias", {o}, init.within_root((M.fans(shape)))} end
  return M.layer {kind = name, title = convolution_title(name, i, o, k, given, {stride = stride, padding = padding}),
    params = params, forward = function(m, x)
      check_input(name, x, m.weight)
      check_channels(name, x, 4, i)
      return pg.conv_transpose2d(x, m.weight, {bias = given.bias and m.bias or nil, stride = stride,
        padding = padding, output_padding = more})
    end}
end

-- ---- norms --------------------------------------------------------------------------------------

--- pg.nn.layer_norm(d [, opts]) -> layer
-- Each row of the last axis, d long, less its mean and over its standard deviation, times a weight plus a bias.
-- @param d  integer
-- @param opts.eps  number (1e-5)
function layers.layer_norm(d, opts)
  size("layer_norm", 1, "d", d)
  local o = args.options("layer_norm", 2, opts, {eps = 1e-5})
  return M.layer {kind = "layer_norm", title = ("layer_norm(%d)"):format(d),
    params = {{"weight", {d}, init.ones}, {"bias", {d}, init.zeros}}, forward = function(m, x)
      check_input("layer_norm", x, m.weight)
      check_last("layer_norm", x, d)
      return pg.layer_norm(x, m.weight, m.bias, {eps = o.eps})
    end}
end

--- pg.nn.group_norm(groups, c [, opts]) -> layer
-- Of n x c x h x w, each image's channels in groups, normalised by group (Wu & He 2018).
-- @param groups  integer: divides c
-- @param c  integer: channels
-- @param opts.eps  number (1e-5)
function layers.group_norm(groups, c, opts)
  size("group_norm", 1, "groups", groups)
  size("group_norm", 2, "c", c)
  if c % groups ~= 0 then args.fail("group_norm", 1, ("groups: %d does not divide %d channels"):format(groups, c)) end
  local o = args.options("group_norm", 3, opts, {eps = 1e-5})
  return M.layer {kind = "group_norm", title = ("group_norm(%d, %d)"):format(groups, c),
    params = {{"weight", {c}, init.ones}, {"bias", {c}, init.zeros}}, forward = function(m, x)
      check_input("group_norm", x, m.weight)
      if x.ndim < 2 or x.shape[2] ~= c then check_channels("group_norm", x, math.max(3, x.ndim), c) end
      return pg.group_norm(x, groups, m.weight, m.bias, {eps = o.eps})
    end}
end

--- pg.nn.batch_norm(c [, opts]) -> layer
-- Of n x c or n x c x h x w, each channel normalised over the batch (Ioffe & Szegedy 2015): by the batch's own
-- mean and variance where ctx.train is set, which also move the running ones; else by the running ones.
-- @param c  integer: channels
-- @param opts.momentum  number: the share of the new batch in the running statistics (0.1)
-- @param opts.eps  number (1e-5)
function layers.batch_norm(c, opts)
  size("batch_norm", 1, "c", c)
  local o = args.options("batch_norm", 2, opts, {momentum = 0.1, eps = 1e-5})
  local momentum, eps = args.number("batch_norm", 2, "momentum", o.momentum, 0, 1), o.eps
  return M.layer {kind = "batch_norm", title = ("batch_norm(%d)"):format(c),
    params = {{"weight", {c}, init.ones}, {"bias", {c}, init.zeros}},
    buffers = {{"running_mean", {c}, 0}, {"running_var", {c}, 1}}, forward = function(m, x, ctx)
      check_input("batch_norm", x, m.weight)
      if (x.ndim ~= 2 and x.ndim ~= 4) or x.shape[2] ~= c then
        args.fail("batch_norm", 1, ("x: expected n x %d or n x %d x h x w, got shape %s"):format(c, c,
          tostring(x.shape)))
      end
      local train = type(ctx) == "table" and ctx.train or false
      if train and x.size // c < 2 then
        args.fail("batch_norm", 1, ("x: one value a channel has no variance, got shape %s"):format(tostring(x.shape)))
      end
      local mean, var = m.running_mean, m.running_var
      -- what a gradient reads later must not be what training moves on
      if not train then mean, var = mean:copy(), var:copy() end
      return pg._norm.batch(x, m.weight, m.bias, mean, var, {train = train, momentum = momentum, eps = eps})
    end}
end

--- pg.nn.dropout(p) -> layer
-- Where ctx.train is set each number is 0 with probability p, and the others grow by 1 / (1 - p); else nothing.
-- @param p  number in [0, 1)
-- @error ctx.train without ctx.rng
function layers.dropout(p)
  p = args.number("dropout", 1, "p", p, 0, 1)
  return M.layer {kind = "dropout", title = pg._format("dropout(%g)", p), forward = function(_, x, ctx)
    if type(ctx) ~= "table" or not ctx.train or p == 0 then return x end
    if not ctx.rng then
      error("dropout: ctx has no rng; net(x, {train = true, rng = rng})", pg._user_level())
    end
    return x * ctx.rng:dropout(x.shape, p, x.dtype)
  end}
end

-- ---- shapes -------------------------------------------------------------------------------------

local function plain(kind, title, f)
  return M.layer {kind = kind, title = title, forward = function(_, x)
    check_input(kind, x)
    return f(x)
  end}
end

--- pg.nn.max_pool2d(k [, opts]) -> layer
-- The greatest of each k x k window; see pg.max_pool2d.
-- @param k  integer or {y, x}
-- @param opts.stride  integer or {y, x} (k)
-- @param opts.padding  integer or {y, x} (0)
function layers.max_pool2d(k, opts)
  pair("max_pool2d", 1, "k", k, 1)
  return plain("max_pool2d", ("max_pool2d(%s)"):format(show(k)), function(x) return pg.max_pool2d(x, k, opts) end)
end

--- pg.nn.avg_pool2d(k [, opts]) -> layer
-- The mean of each k x k window; see pg.avg_pool2d.
-- @param k  integer or {y, x}
-- @param opts.stride  integer or {y, x} (k)
-- @param opts.padding  integer or {y, x} (0)
function layers.avg_pool2d(k, opts)
  pair("avg_pool2d", 1, "k", k, 1)
  return plain("avg_pool2d", ("avg_pool2d(%s)"):format(show(k)), function(x) return pg.avg_pool2d(x, k, opts) end)
end

--- pg.nn.upsample(factor [, opts]) -> layer
-- n x c x h x w larger; see pg.upsample2d.
-- @param factor  integer or {h, w}, the size
-- @param opts.mode  string: "nearest" (default) or "bilinear"
-- @param opts.align_corners  boolean (false)
function layers.upsample(factor, opts)
  return plain("upsample", ("upsample(%s)"):format(show(factor)), function(x) return pg.upsample2d(x, factor, opts) end)
end

--- pg.nn.flatten() -> layer
-- n x ... to n x all the rest.
function layers.flatten()
  return plain("flatten", "flatten()", function(x)
    local n = x.shape[1]
    return x:reshape(n, n > 0 and x.size // n or 0)
  end)
end

--- pg.nn.reshape(c, h, w, ...) -> layer
-- n x ... to n x c x h x w.
function layers.reshape(...)
  local shape = {...}
  for k, v in ipairs(shape) do args.integer("reshape", k, "extent", v, 1) end
  return plain("reshape", ("reshape(%s)"):format(table.concat(shape, ", ")), function(x)
    return x:reshape(x.shape[1], table.unpack(shape))
  end)
end

-- ---- recurrent cells ----------------------------------------------------------------------------

local function cell_params(gates, i, h)
  local begin = init.within_root(h)
  return {{"weight_ih", {gates * h, i}, begin}, {"weight_hh", {gates * h, h}, begin}, {"bias_ih", {gates * h}, begin},
    {"bias_hh", {gates * h}, begin}}
end

local function new_cell(name, gates, i, h, step)
  size(name, 1, "i", i)
  size(name, 2, "h", h)
  return M.layer {kind = name, title = ("%s(%d, %d)"):format(name, i, h), params = cell_params(gates, i, h),
    forward = function(m, x, state, memory)
      check_input(name, x, m.weight_ih)
      check_last(name, x, i)
      if state == nil then state = pg.zeros({x.shape[1], h}, x.dtype) end
      local given = x:dot(m.weight_ih.T) + m.bias_ih
      local kept = state:dot(m.weight_hh.T) + m.bias_hh
      return step(given, kept, state, memory, h)
    end}
end

local function gate(a, k, h) return a:slice({}, {(k - 1) * h + 1, k * h}) end

--- pg.nn.rnn_cell(i, h) -> layer
-- cell(x, state) -> tanh(x W_ih^T + b_ih + state W_hh^T + b_hh): one step of a recurrent net. Without a state it is 0.
-- @param i  integer: numbers in
-- @param h  integer: numbers in the state
function layers.rnn_cell(i, h)
  return new_cell("rnn_cell", 1, i, h, function(given, kept) return pg.tanh(given + kept) end)
end

--- pg.nn.gru_cell(i, h) -> layer
-- cell(x, state) -> the new state of a gated recurrent unit (Cho et al. 2014), gates in PyTorch's order r, z, n.
-- @param i  integer: numbers in
-- @param h  integer: numbers in the state
function layers.gru_cell(i, h)
  return new_cell("gru_cell", 3, i, h, function(given, kept, state)
    local r = pg.sigmoid(gate(given, 1, h) + gate(kept, 1, h))
    local z = pg.sigmoid(gate(given, 2, h) + gate(kept, 2, h))
    local n = pg.tanh(gate(given, 3, h) + r * gate(kept, 3, h))
    return n + z * (state - n)
  end)
end

--- pg.nn.lstm_cell(i, h) -> layer
-- cell(x, state, memory) -> state, memory of a long short-term memory (Hochreiter & Schmidhuber 1997), gates in
-- PyTorch's order i, f, g, o. For whole sequences pg.lstm is faster.
-- @param i  integer: numbers in
-- @param h  integer: numbers in the state
function layers.lstm_cell(i, h)
  return new_cell("lstm_cell", 4, i, h, function(given, kept, state, memory)
    local a = given + kept
    if memory == nil then memory = pg.zeros_like(state) end
    memory = pg.sigmoid(gate(a, 2, h)) * memory + pg.sigmoid(gate(a, 1, h)) * pg.tanh(gate(a, 3, h))
    return pg.sigmoid(gate(a, 4, h)) * pg.tanh(memory), memory
  end)
end

-- ---- attention ----------------------------------------------------------------------------------

--- pg.nn.attention(d, heads [, opts]) -> layer
-- Multi-head attention (Vaswani et al. 2017) over n x t x d: m(x) of a sequence to itself, m(q, k, v) of q to
-- others. Parameters as torch.nn.MultiheadAttention's.
-- @param d  integer: numbers a place
-- @param heads  integer: divides d
-- @param opts.causal  boolean: no place sees a later one (false)
-- @param opts.bias  boolean (true)
function layers.attention(d, heads, opts)
  size("attention", 1, "d", d)
  size("attention", 2, "heads", heads)
  if d % heads ~= 0 then args.fail("attention", 2, ("heads: %d does not divide %d"):format(heads, d)) end
  local o = args.options("attention", 3, opts, {causal = false, bias = true})
  local params = {{"in_proj_weight", {3 * d, d}, init.xavier_uniform}}
  if o.bias then params[2] = {"in_proj_bias", {3 * d}, init.zeros} end
  local function project(m, x, k)
    local part = {(k - 1) * d + 1, k * d}
    local y = x:dot(m.in_proj_weight:slice(part).T)
    if o.bias then y = y + m.in_proj_bias:slice(part) end
    local n, t = x:dims()
    return y:reshape(n, t, heads, d // heads):transpose(1, 3, 2, 4)
  end
  return M.layer {kind = "attention", title = ("attention(%d, %d%s)"):format(d, heads, o.causal and ", causal" or ""),
    params = params, parts = {{"out_proj", "out_proj", layers.linear(d, d, {bias = o.bias})}},
    forward = function(m, q, k, v)
      if not args.is_array(k) then k, v = q, q end
      v = v or k
      for j, x in ipairs({q, k, v}) do
        check_input("attention", x, m.in_proj_weight)
        if x.ndim ~= 3 then args.fail("attention", j, "expected n x t x d, got shape " .. tostring(x.shape)) end
        check_last("attention", x, d)
      end
      local n, t = q:dims()
      local y = pg.attention(project(m, q, 1), project(m, k, 2), project(m, v, 3), {causal = o.causal})
      return m.out_proj(y:transpose(1, 3, 2, 4):reshape(n, t, d))
    end}
end

-- ---- layers of layers ---------------------------------------------------------------------------

--- pg.nn.sequential(list) -> layer
-- Layers one after another; a function of one array, such as nn.relu or pg.tanh, is one too.
-- @param list  list of layers: net[1], net[2], ... are the parts, named "0", "1", ... in files
function layers.sequential(list)
  if type(list) ~= "table" or getmetatable(list) ~= nil then
    args.fail("sequential", 1, "expected a list of layers, got " .. args.got(list)
      .. (M.is_layer(list) and "; nn.sequential{layer, layer, ...} takes braces" or ""))
  end
  local parts = M.parts_of("sequential", 1, list, "sequential")
  if #parts ~= #list then args.fail("sequential", 1, "expected a list of layers, without names") end
  return M.layer {kind = "sequential", parts = parts, forward = function(m, x, ctx)
    for k = 1, #parts do x = m[k](x, ctx) end
    return x
  end}
end

--- pg.nn.module(parts, f) -> layer
-- Any net: f(m, x, ctx, ...) computes with the parts m.name. Further arguments of the call are passed on.
-- @param parts  table of layers and of tables of them, by name
-- @param f  function
-- @error a part that is called as something a net has, such as params
function layers.module(parts, f)
  if type(parts) ~= "table" or getmetatable(parts) ~= nil then
    args.fail("module", 1, "parts: expected a table of layers, got " .. args.got(parts))
  end
  if type(f) ~= "function" then args.fail("module", 2, "f: expected a function, got " .. args.got(f)) end
  return M.layer {kind = "module", parts = M.parts_of("module", 1, parts, ""), forward = f}
end

--- pg.nn.param(shape, init) -> layer
-- An array of its own among the parts of a module: m.name is the array.
-- @param shape  list of integers
-- @param init  number, or one of nn.init (0)
function layers.param(shape, start)
  if type(shape) == "number" then shape = {shape} end
  if type(shape) ~= "table" then args.fail("param", 1, "shape: expected integers, got " .. args.got(shape)) end
  for _, e in ipairs(shape) do size("param", 1, "shape", e) end
  if start == nil then start = 0 end
  if type(start) == "number" then start = init.constant(start) end
  if type(start) ~= "function" then
    args.fail("param", 2, "init: expected a number or one of nn.init, got " .. args.got(start))
  end
  return M.param(shape, start)
end

return layers
