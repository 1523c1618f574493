-- SPDX-License-Identifier: MIT
--
-- pg.lstm: a stack of LSTM layers with a linear output, trained on bits with the mean binary
-- cross-entropy of its logits. Parameters are one flat array in PyTorch's order, so an optimizer
-- is one kernel over two arrays and a saved net is an .npz with PyTorch's names. The sums are in
-- kernel/lstm_*.c; the training loop is here.
local pg, core = ...
local args, tree = pg._args, pg._tree
local fail, got = args.fail, args.got
local error, ipairs, math, pcall, rawget, setmetatable, string, table, tostring, type =
  error, ipairs, math, pcall, rawget, setmetatable, string, table, tostring, type

local lstm = {}

-- Raises what is not one argument's fault, at the script's line.
local function raise(...) error(string.format(...), pg._user_level()) end

-- The names of a net's arrays in order, with where each lies in the flat array.
local function parts_of(net)
  return rawget(net, "_parts")
end

local function summary(net)
  local lines = {string.format("lstm %s: input_size %d, hidden_size %d, num_layers %d, output_size %d, %d parameters",
    net.dtype, net.input_size, net.hidden_size, net.num_layers, net.output_size, net.nparams)}
  for _, part in ipairs(parts_of(net)) do
    lines[#lines + 1] = string.format("  %-14s %s", part[1],
      part[5] and string.format("%d x %d", part[4], part[5]) or string.format("%d", part[4]))
  end
  return table.concat(lines, "\n")
end

local class = pg._model.class("lstm", {
  title = "lstm",
  fields = {"params", "grads", "nparams", "input_size", "hidden_size", "num_layers", "output_size", "dtype"},
  summary = summary,
  example = function(rng) return lstm.new{input_size = 1, hidden_size = 2, output_size = 1, rng = rng} end,
})
local methods = class.methods

-- A net of these sizes with parameters 0, for the function `name`.
local function make(name, o)
  local handle, nparams = core.open(o.input_size, o.hidden_size, o.num_layers, o.output_size, o.dtype)
  if not handle then
    fail(name, 1, string.format("a net of input_size %d, hidden_size %d, num_layers %d, output_size %d is too large",
      o.input_size, o.hidden_size, o.num_layers, o.output_size))
  end
  return class.new{_core = handle, _parts = core.parts(handle), nparams = nparams, dtype = o.dtype,
    input_size = o.input_size, hidden_size = o.hidden_size, num_layers = o.num_layers, output_size = o.output_size,
    params = pg.zeros(nparams, o.dtype), grads = pg.zeros(nparams, o.dtype)}
end

--- pg.lstm.new(opts) -> net
-- A stack of LSTM layers and a linear output, as torch.nn.LSTM(batch_first=True) and
-- torch.nn.Linear: the same names, layouts, gate order i, f, g, o, and parameters drawn from
-- uniform(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
-- @param opts.input_size  integer
-- @param opts.hidden_size  integer
-- @param opts.num_layers  integer: 1
-- @param opts.output_size  integer
-- @param opts.dtype  string: "f32" or "f64"
-- @param opts.rng  generator: draws the parameters
-- @return net  with params and grads (flat arrays), nparams and the sizes by the names above
-- @source Hochreiter & Schmidhuber 1997; torch.nn.LSTM
-- @example pg.lstm.new{input_size = 1, hidden_size = 32, output_size = 1, rng = pg.random.new(0)}.nparams --> 4513
function lstm.new(opts)
  if type(opts) ~= "table" then fail("lstm.new", 1, "options: expected a table, got " .. got(opts)) end
  local o = args.options("lstm.new", 1, opts, {input_size = args.any, hidden_size = args.any, num_layers = 1,
    output_size = args.any, dtype = "f32", rng = args.any})
  for _, k in ipairs{"input_size", "hidden_size", "num_layers", "output_size"} do
    o[k] = args.integer("lstm.new", 1, k, o[k], 1, 2^29 // 1 | 0)
  end
  o.dtype = ({f32 = "f32", float32 = "f32", f64 = "f64", float64 = "f64"})[o.dtype]
    or fail("lstm.new", 1, string.format('dtype: expected "f32" or "f64", got %q', o.dtype))
  args.rng("lstm.new", 1, o.rng)
  local net = make("lstm.new", o)
  local bound = 1 / math.sqrt(o.hidden_size)
  net.params:assign(o.rng:uniform(-bound, bound, net.nparams))
  return net
end

--- pg.lstm.shift(X) -> x, y
-- What a net that predicts each bit from those before it is trained on: y is X, x is X one step
-- late with 0 first.
-- @param X  array, n x steps, or n x steps x size
-- @return x  array, n x steps x size: the inputs
-- @return y  array, n x steps x size: the targets
-- @example pg.lstm.shift(pg.array{{1, 0, 1}}):reshape(-1) --> 0 1 0 [3 f64]
function lstm.shift(X)
  args.array("lstm.shift", 1, "X", X)
  if X.ndim ~= 2 and X.ndim ~= 3 then
    fail("lstm.shift", 1, "X: expected n x steps or n x steps x size, got shape " .. tostring(X.shape))
  end
  local y = X.ndim == 2 and X:expand_dims(3) or X
  local x = pg.zeros_like(y)
  if x.shape[2] > 1 then x[{{}, {2, -1}}] = y:slice({}, {1, -2}) end
  return x, y
end

-- ---- checks -----------------------------------------------------------------------------------

-- Raises unless the 3-d array a has finite elements, or with bits 0 and 1 only.
local function check_elements(name, arg, what, a, bits, lengths)
  local i, j, k = core.find_bad(a, bits, lengths)
  if not i then return end
  fail(name, arg, pg._format("%s: element (%d, %d, %d) is %.14g, expected %s", what, i, j, k, a(i, j, k),
    bits and "0 or 1" or "a finite number"))
end

local function check_shape(name, arg, what, a, want, words)
  if not args.is_array(a) then fail(name, arg, string.format("%s: expected array, got %s", what, got(a))) end
  local ok = a.ndim == 3
  for axis = 1, 3 do ok = ok and a.shape[axis] >= 1 and (not want[axis] or a.shape[axis] == want[axis]) end
  if not ok then
    local empty = a.ndim == 3 and a.size == 0 and ", none of them 0" or ""
    fail(name, arg, string.format("%s: expected %s%s, got shape %s", what, words, empty, tostring(a.shape)))
  end
end

local function check_x(name, net, x)
  check_shape(name, 1, "x", x, {nil, nil, net.input_size},
    string.format("batch x time x %d (input_size)", net.input_size))
end

-- The steps of each of n sequences as the kernel takes them.
local function pack_lengths(name, lengths, n, steps)
  if lengths == nil then return nil end
  if type(lengths) ~= "table" and not args.is_array(lengths) then
    fail(name, 3, "lengths: expected a list of integers, got " .. got(lengths))
  end
  if #lengths ~= n then
    fail(name, 3, string.format("lengths: expected one for each of %d sequences, got %d", n, #lengths))
  end
  local packed, at, value = core.lengths(lengths, steps)
  if not packed then
    fail(name, 3, pg._format("lengths: element %d is %g, expected an integer in 1..%d", at, value, steps))
  end
  return packed
end

-- x and y of a net's type, and lengths as the kernel takes them.
local function check_data(name, net, x, y, lengths)
  check_x(name, net, x)
  local n, steps = x.shape[1], x.shape[2]
  check_shape(name, 2, "y", y, {n, steps, net.output_size},
    string.format("(%d, %d, %d), x's batch and time and output_size", n, steps, net.output_size))
  local packed = pack_lengths(name, lengths, n, steps)
  x, y = core.ready(x, net.dtype), core.ready(y, net.dtype)
  check_elements(name, 1, "x", x, false, packed)
  check_elements(name, 2, "y", y, true, packed)
  return x, y, packed
end

-- ---- a net ------------------------------------------------------------------------------------

--- lstm:names() -> list
-- The names of the parameter arrays in the order they lie in net.params.
-- @return list  of strings: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..., fc.weight, fc.bias
function methods:names()
  local names = {}
  for i, part in ipairs(parts_of(self)) do names[i] = part[1] end
  return names
end

-- A table whose pairs() go in the order of `names`.
local function ordered(values, names)
  return setmetatable(values, {__pairs = function(t)
    local i = 0
    return function()
      i = i + 1
      if names[i] ~= nil then return names[i], t[names[i]] end
    end
  end})
end

--- lstm:named([which]) -> table
-- Views into the flat parameters (or gradients) by PyTorch's names; what is assigned to a view is
-- assigned to the net. pairs() goes in the order of names().
-- @param which  string: "params" (default) or "grads"
-- @return table  weight_ih_l0 is 4 hidden_size x input_size, weight_hh_l0 4 hidden_size x hidden_size,
-- bias_ih_l0 and bias_hh_l0 4 hidden_size, and so on for each layer; fc.weight and fc.bias
function methods:named(which)
  local flat = self[args.choice("named", 1, "which", which or "params", {"params", "grads"})]
  local views = {}
  for _, part in ipairs(parts_of(self)) do
    local view = flat:slice({part[2], part[3]})
    views[part[1]] = part[5] and view:reshape(part[4], part[5]) or view
  end
  return ordered(views, self:names())
end

-- Whether a gradient is being taken of one of these arrays.
local function tracked(tape, ...)
  for _, a in pairs{...} do
    if tape.node(a) > 0 then return true end
  end
  return false
end

-- The net of its equations, of pg's functions alone: what is differentiated where a gradient is itself. h and c are
-- num_layers x batch x hidden_size.
local function composed(net, params, x, h, c)
  local parts, H, T = parts_of(net), net.hidden_size, x.shape[2]
  local function part(k)
    local p = parts[k]
    local v = params:slice({p[2], p[3]})
    return p[5] and v:reshape(p[4], p[5]) or v
  end
  local steps, last_h, last_c = {}, {}, {}
  for t = 1, T do steps[t] = x[{{}, t}] end
  for layer = 1, net.num_layers do
    local at = 4 * (layer - 1)
    local W, U, b = part(at + 1).T, part(at + 2).T, part(at + 3) + part(at + 4)
    local one, cell = h[layer], c[layer]
    for t = 1, T do
      local z = steps[t]:dot(W) + one:dot(U) + b
      local function gate(k) return z[{{}, {(k - 1) * H + 1, k * H}}] end
      cell = pg.sigmoid(gate(2)) * cell + pg.sigmoid(gate(1)) * pg.tanh(gate(3))
      one = pg.sigmoid(gate(4)) * pg.tanh(cell)
      steps[t] = one
    end
    last_h[layer], last_c[layer] = one, cell
  end
  local W, b = part(#parts - 1).T, part(#parts)
  for t = 1, T do steps[t] = steps[t]:dot(W) + b end
  return pg.stack(steps, 2), pg.stack(last_h), pg.stack(last_c)
end

local function recorded_forward(tape, net, x, h, c)
  local x0 = core.ready(x:detach(), net.dtype)
  check_elements("forward", 1, "x", x0, false)
  local params, handle, wanted = net.params:detach(), net._core, tape.node(x) > 0
  local logits, hn, cn, history = core.forward(handle, params, x0, h and h:detach(), c and c:detach(), true)
  local function rule(g, _, _, saved)
    if tracked(tape, net.params, x, h, c, g[1], g[2], g[3]) then
      local none = pg.zeros({net.num_layers, x.shape[1], net.hidden_size}, net.dtype)
      local function total(p, input, h0, c0)
        local made = {composed(net, p, input, h0, c0)}
        local sum = 0
        for k = 1, 3 do sum = g[k] and sum + (made[k] * g[k]):sum() or sum end
        return sum
      end
      return pg.grad(total, {argnums = {1, 2, 3, 4}, unused = "zero"})(net.params, x, h or none, c or none)
    end
    local dparams = pg.zeros_like(saved[1])
    return dparams, core.backward(handle, saved[1], history, dparams, g[1], g[2], g[3], wanted)
  end
  local operands = {net.params, x, h or 0, c or 0}
  logits, hn, cn = tape.attach(rule, {params, x0}, operands, logits, hn, cn)
  return logits, {h = hn, c = cn}
end

-- The mean cross-entropy of logits, of the steps that count.
local function composed_loss(net, params, x, y, lengths)
  local none = pg.zeros({net.num_layers, x.shape[1], net.hidden_size}, net.dtype)
  local z = composed(net, params, x, none, none)
  local each = pg.softplus(z) - z * y
  if not lengths then return each:mean() end
  local counts = pg.le(pg.range(1, x.shape[2]), pg.array(lengths):reshape(-1, 1))
  return (each * counts:astype(net.dtype):expand_dims(3)):sum() / (counts:sum() * net.output_size)
end

-- The loss by the net's parameters, with its gradient from the same run; lengths as they were given, and packed.
local function recorded_loss(tape, net, x, y, lengths, packed)
  local params = net.params:detach()
  local grads = pg.zeros_like(params)
  local loss = core.loss(net._core, params, grads, x, y, packed)
  local function rule(g)
    if tracked(tape, net.params, g[1]) then
      return pg.grad(function(p) return composed_loss(net, p, x, y, lengths) end)(net.params) * g[1]
    end
    return grads * g[1]
  end
  return (tape.attach(rule, {params, grads}, {net.params}, loss))
end

--- lstm:forward(x [, state]) -> logits, state
-- Runs the net.
-- @param x  array, batch x time x input_size
-- @param state  table {h=, c=} of arrays num_layers x batch x hidden_size, as forward returns it: zeros
-- @return logits  array, batch x time x output_size
-- @return state  table {h=, c=} after the last step
function methods:forward(x, state)
  check_x("forward", self, x)
  local h, c
  if state ~= nil then
    if type(state) ~= "table" then fail("forward", 2, "state: expected a table {h=, c=}, got " .. got(state)) end
    local want = {self.num_layers, x.shape[1], self.hidden_size}
    local words = string.format("(%d, %d, %d), num_layers x batch x hidden_size", table.unpack(want))
    check_shape("forward", 2, "state.h", state.h, want, words)
    check_shape("forward", 2, "state.c", state.c, want, words)
    h, c = state.h, state.c
  end
  local tape = pg._tape
  if tape.recording() and tracked(tape, self.params, x, h, c) then return recorded_forward(tape, self, x, h, c) end
  x = core.ready(x, self.dtype)
  check_elements("forward", 1, "x", x, false)
  local logits
  logits, h, c = core.forward(self._core, self.params, x, h, c)
  return logits, {h = h, c = c}
end

-- The pair that gradients of any function of the logits and the last state are made of. _forward keeps what _backward
-- needs; _backward takes the gradients of the logits and of the state after the last step, each nil for 0, and gives
-- those of x (where want_x) and of the state before the first; net.grads is overwritten where want_grads. A history
-- serves any number of calls while the parameters are what they were.
function methods:_forward(x, state)
  local logits, h, c, history = core.forward(self._core, self.params, x, state and state.h, state and state.c, true)
  return logits, {h = h, c = c}, history
end

function methods:_backward(history, dlogits, dstate, want_x, want_grads)
  local dx, dh, dc = core.backward(self._core, self.params, history, want_grads and self.grads or nil, dlogits,
    dstate and dstate.h, dstate and dstate.c, want_x)
  return dx, {h = dh, c = dc}
end

--- lstm:loss(x, y [, opts]) -> loss
-- Mean binary cross-entropy of the logits over all steps and outputs.
-- @param x  array, batch x time x input_size
-- @param y  array of 0 and 1, batch x time x output_size
-- @param opts.lengths  list: the steps of each sequence that count; what lies beyond is ignored
-- @return loss  number, in nats
function methods:loss(x, y, opts)
  local o = args.options("loss", 3, opts, {lengths = args.any})
  local tape = pg._tape
  if tape.recording() and tracked(tape, x) then
    if o.lengths ~= nil then fail("loss", 3, "lengths: there is no derivative by x with lengths") end
    local z = self:forward(x)
    return (pg.softplus(z) - z * y):mean()
  end
  local xs, ys, lengths = check_data("loss", self, x, y, o.lengths)
  if tape.recording() and tracked(tape, self.params) then
    return recorded_loss(tape, self, xs, ys, o.lengths, lengths)
  end
  return (core.loss(self._core, self.params, nil, xs, ys, lengths))
end

--- lstm:loss_grad(x, y [, opts]) -> loss
-- The loss, and its gradient in net.grads (what was there is overwritten).
-- @param x  array, batch x time x input_size
-- @param y  array of 0 and 1, batch x time x output_size
-- @param opts.lengths  list: the steps of each sequence that count; what lies beyond is ignored
-- @return loss  number, in nats
function methods:loss_grad(x, y, opts)
  local o = args.options("loss_grad", 3, opts, {lengths = args.any})
  local xs, ys, lengths = check_data("loss_grad", self, x, y, o.lengths)
  return (core.loss(self._core, self.params, self.grads, xs, ys, lengths))
end

-- What a method that feeds outputs back as inputs wants.
local function check_predicts(name, net)
  if net.input_size ~= net.output_size then
    raise("%s: wants input_size and output_size to be equal, they are %d and %d", name, net.input_size,
      net.output_size)
  end
end

--- lstm:logprob(X) -> array
-- The log-probability of each sequence when every bit is drawn given those before it, the first
-- input being 0.
-- @param X  array of 0 and 1, n x steps (or n x steps x input_size)
-- @return array  n values, in nats
function methods:logprob(X)
  check_predicts("logprob", self)
  args.array("logprob", 1, "X", X)
  local size = self.input_size
  if X.size == 0 or X.ndim ~= 3 and not (X.ndim == 2 and size == 1) or X.ndim == 3 and X.shape[3] ~= size then
    fail("logprob", 1, string.format("X: expected n x steps%s, got shape %s", size == 1 and "" or " x " .. size,
      tostring(X.shape)))
  end
  local i, j, k = core.find_bad(core.ready(X.ndim == 2 and X:expand_dims(3) or X, self.dtype), true)
  if i then
    fail("logprob", 1, pg._format("X: element (%d, %d%s) is %.14g, expected 0 or 1", i, j,
      X.ndim == 3 and ", " .. k or "", X.ndim == 3 and X(i, j, k) or X(i, j)))
  end
  local x, y = lstm.shift(X)
  return -core.row_loss(self._core, self.params, core.ready(x, self.dtype), core.ready(y, self.dtype))
end

--- lstm:sample(n, rng, opts) -> array
-- Draws n sequences at once, bit by bit: each from the probability that the net gives it after the
-- bits drawn before, the first input being 0.
-- @param n  integer: how many
-- @param rng  generator
-- @param opts.steps  integer: how long
-- @return array  of 0 and 1, n x steps (n x steps x input_size when that is above 1)
function methods:sample(n, rng, opts)
  args.integer("sample", 1, "n", n, 0)
  args.rng("sample", 2, rng)
  local o = args.options("sample", 3, opts, {steps = args.any})
  local steps = args.integer("sample", 3, "steps", o.steps, 1)
  check_predicts("sample", self)
  local X = core.sample(self._core, self.params, rng:random(n, steps, self.input_size))
  return self.input_size == 1 and X:reshape(n, steps) or X
end

-- ---- files ------------------------------------------------------------------------------------

--- lstm:save(path)
-- Writes the parameters as .npz with PyTorch's names. With a module that has an nn.LSTM `lstm`
-- (batch_first=True) and an nn.Linear `fc`, weights go to PyTorch and come back with
--     model.load_state_dict({k if k[:2] == "fc" else "lstm." + k: torch.tensor(v) for k, v in np.load(path).items()})
--     np.savez(path, **model.state_dict())
-- @param path  string: ends in .npz
function methods:save(path)
  pg.save(path, self:named())
end

-- The arrays of a file by their names without "lstm.", and what is wrong with them for these parts.
local function read_parts(path)
  local read = pg.load(path)
  if type(read) ~= "table" then
    raise("%s: expected an .npz with the arrays of a net, got %s", path, got(read))
  end
  local arrays = {}
  for _, name in ipairs(args.sorted_keys(read)) do arrays[name:gsub("^lstm%.", "")] = read[name] end
  return arrays
end

local function fill(path, net, arrays)
  local views = net:named()
  for _, part in ipairs(parts_of(net)) do
    local name, a = part[1], arrays[part[1]]
    local want = views[name]
    if not args.is_array(a) then raise("%s: there is no %s", path, name) end
    if a.shape ~= want.shape then
      raise("%s: %s is %s, expected %s", path, name, tostring(a.shape), tostring(want.shape))
    end
    arrays[name] = nil
  end
  local more = args.sorted_keys(arrays)[1]
  if more then raise("%s: a net of %d layers has no %s", path, net.num_layers, more) end
end

local function assign(net, arrays)
  local views = net:named()
  for _, name in ipairs(net:names()) do views[name]:assign(arrays[name]) end
end

local function copy_of(t)
  local c = {}
  for _, k in ipairs(args.sorted_keys(t)) do c[k] = t[k] end
  return c
end

--- lstm:load(path) -> net
-- Fills this net from a file written by net:save or by PyTorch (see lstm:save). A file of another
-- size is refused and the net stays as it was.
-- @param path  string
-- @return net  itself
-- @error PATH: weight_hh_l0 is (32, 8), expected (128, 32)
function methods:load(path)
  local arrays = read_parts(path)
  fill(path, self, copy_of(arrays))
  assign(self, arrays)
  return self
end

--- pg.lstm.load(path) -> net
-- A net from a file written by net:save or by PyTorch (see lstm:save); its sizes and dtype are
-- those of the arrays.
-- @param path  string
-- @return net
function lstm.load(path)
  local arrays = read_parts(path)
  local first, fc = arrays.weight_ih_l0, arrays["fc.weight"]
  for _, name in ipairs{"weight_ih_l0", "fc.weight"} do
    local a = arrays[name]
    if not args.is_array(a) then raise("%s: there is no %s", path, name) end
    if a.ndim ~= 2 or a.size == 0 or name == "weight_ih_l0" and a.shape[1] % 4 ~= 0 then
      raise("%s: %s is %s, expected %s", path, name, tostring(a.shape),
        name == "fc.weight" and "output_size x hidden_size" or "4 hidden_size x input_size")
    end
  end
  local layers = 1
  while arrays["weight_ih_l" .. layers] do layers = layers + 1 end
  local net = make("lstm.load", {input_size = first.shape[2], hidden_size = first.shape[1] // 4, num_layers = layers,
    output_size = fc.shape[1], dtype = first.dtype})
  fill(path, net, copy_of(arrays))
  assign(net, arrays)
  return net
end

-- ---- training ---------------------------------------------------------------------------------

local function plain(epochs)
  return function(_, i)
    if i < epochs then return i + 1, {} end
  end, nil, 0
end

--- lstm:fit(x, y [, opts]) -> history
-- Trains the net. An epoch goes once over all sequences, in mini-batches of a new random order
-- when there are several. Ctrl-C stops after the step under way and keeps the net.
-- @param x  array, n x time x input_size
-- @param y  array of 0 and 1, n x time x output_size
-- @param opts.epochs  integer: 100
-- @param opts.batch  integer: sequences to a step; all of them
-- @param opts.optimizer  optimizer: pg.optim.adam{}
-- @param opts.rng  generator for the order; wanted when batch is below n
-- @param opts.lengths  list: the steps of each sequence that count; all
-- @param opts.clip_norm  number above 0: the gradient is scaled to at most this norm
-- @param opts.shards  integer: each batch is taken in so many parts, whose gradients are added in a fixed tree
-- @param opts.mpi  boolean: the ranks of pg.mpi share the shards; each gives the same x, y and rng, and has the same
-- net, bit for bit, whatever their number
-- @param opts.reduce  function(grads): called between the gradient and the step, to add up over processes, say, or
-- to look at the gradient; what it leaves in grads is what the step takes
-- @param opts.progress  boolean: whether a bar is drawn; on a terminal: true, elsewhere: false
-- @param opts.on_epoch  function(s) with s.epoch, s.loss, s.last, s.lr; training stops when it returns false
-- @return history  table: loss (mean over the steps of an epoch that count), last (loss of its last batch) and lr, an
-- array each with one value an epoch; epochs (how many were made); stopped (false, "on_epoch" or "interrupted")
-- @error fit: the loss is nan at epoch 3, step 17
function methods:fit(x, y, opts)
  local o = args.options("fit", 3, opts, {epochs = 100, batch = args.any, optimizer = args.any, rng = args.any,
    lengths = args.any, clip_norm = args.any, progress = args.any, on_epoch = args.any, shards = args.any,
    reduce = args.any, mpi = args.any})
  if o.progress ~= nil and type(o.progress) ~= "boolean" then
    fail("fit", 3, "progress: expected a boolean, got " .. got(o.progress))
  end
  local epochs = args.integer("fit", 3, "epochs", o.epochs, 0)
  local xs, ys, lengths = check_data("fit", self, x, y, o.lengths)
  local n = xs.shape[1]
  local batch = math.min(args.integer("fit", 3, "batch", o.batch or n, 1), n)
  local on_epoch = args.callback("fit", 3, "on_epoch", o.on_epoch)
  local reduce = args.callback("fit", 3, "reduce", o.reduce)
  local clip = o.clip_norm and args.number("fit", 3, "clip_norm", o.clip_norm, 0)
  if clip == 0 then fail("fit", 3, "clip_norm: expected a number above 0, got 0") end
  local shards, sum_shards = tree.shards("fit", 3, o, batch)
  local rng = o.rng
  if batch < n then args.rng("fit", 3, rng) end
  local optimizer = o.optimizer or pg.optim.adam{}
  if type(optimizer) ~= "table" or type(optimizer.step) ~= "function" then
    fail("fit", 3, "optimizer: expected one of pg.optim such as pg.optim.adam{}, got " .. got(optimizer))
  end

  local loss_grad, clip_norm, handle = core.loss, pg.optim.clip_norm, self._core
  local params, grads = self.params, self.grads
  local per_sequence = xs.shape[2] * self.output_size
  local means, lasts, rates, done = {}, {}, {}, 0
  local whole = pg.range(1, n)
  -- The loss and gradient of sequences from .. from + count - 1 of the order, and what the loss is the mean of.
  local function take(order, from, count)
    if shards == 1 then return loss_grad(handle, params, grads, xs, ys, lengths, order, from, count) end
    local parts = math.min(shards, count)
    local total, loss, counted = sum_shards(parts, function(i)
      local first, last = tree.range(count, parts, i)
      local mean, k = loss_grad(handle, params, grads, xs, ys, lengths, order or whole, from + first - 1,
        last - first + 1)
      return grads * k, mean * k, k
    end)
    grads:assign(total / counted)
    return loss / counted, counted
  end
  local stopped, failure = false, nil
  local function run_epoch(epoch)
    local order = batch < n and rng:permutation(n) or nil
    local sum, all, last, step = 0, 0, nil, 0
    for from = 1, n, batch do
      local count = math.min(batch, n - from + 1)
      step = step + 1
      local counted
      last, counted = take(order, from, count)
      -- In sequences, so that those of one length count as whole numbers.
      counted = counted / per_sequence
      if last ~= last or last == math.huge then
        failure = string.format("fit: the loss is %s at epoch %d, step %d; a lower lr or clip_norm may help",
          last ~= last and "nan" or "inf", epoch, step)
        return false
      end
      if reduce then reduce(grads) end
      if clip then clip_norm(grads, clip) end
      optimizer:step(params, grads)
      sum, all = sum + last * counted, all + counted
    end
    done = epoch
    means[epoch], lasts[epoch], rates[epoch] = sum / all, last, optimizer.lr
    return true
  end
  local function train()
    local steps, state, start, closing
    if o.progress or (o.progress == nil and pg._system.columns(2) > 0) then
      steps, state, start, closing = pg.progress(epochs, "fit")
    else
      steps, state, start = plain(epochs)
    end
    for epoch, bar in steps, state, start, closing do
      if not run_epoch(epoch) then return end
      bar.loss = means[epoch]
      if on_epoch and on_epoch{epoch = epoch, loss = means[epoch], last = lasts[epoch], lr = rates[epoch]} == false then
        stopped = "on_epoch"
        return
      end
    end
  end
  local ok, err = pcall(train)
  core.release(handle)
  if not ok then
    if type(err) ~= "string" or not err:find("interrupted!$") then error(err, 0) end
    stopped = "interrupted"
  end
  if failure then error(failure, 2) end
  return {loss = pg.array(means), last = pg.array(lasts), lr = pg.array(rates), epochs = done, stopped = stopped}
end

return lstm
