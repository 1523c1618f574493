-- SPDX-License-Identifier: MIT
--
-- pg.optim: optimisers with PyTorch's formulas over flat arrays of parameters and gradients, schedules for their rate,
-- and an average of parameters. The state of an optimiser is made at its first step and belongs to those parameters.
local pg, core = ...
local args = pg._args
local error, ipairs, math, pcall, string, table, tostring, type =
  error, ipairs, math, pcall, string, table, tostring, type

local optim = {clip_norm = core.clip_norm}

local function raise(...) error(string.format(...), pg._user_level()) end

local function rate_text(o)
  return o.schedule and "a schedule" or pg._format("%g", o.lr)
end

-- ---- what all have ----------------------------------------------------------------------------

-- A class of optimizers: `numbers` are its settings, `arrays` its state. Returns its methods and what makes an object
-- from checked settings and lr.
local function class(name, numbers, arrays, summary)
  local fields = {"lr", "t"}
  table.move(numbers, 1, #numbers, 3, fields)
  for _, field in ipairs{"mask", "schedule", "size"} do fields[#fields + 1] = field end
  table.move(arrays, 1, #arrays, #fields + 1, fields)
  local made = pg._model.class(name, {title = name, kind = "optimizer", fields = fields, summary = summary,
    example = function() return optim[name]{} end})
  local methods = made.methods

  -- Settings and state as arrays by name; pg.nn.fit keeps them beside other things.
  function methods:_arrays()
    if self.t > 0 and self.schedule == nil then args.number("save", 0, "lr", self.lr) end
    local out = {optimizer = pg.array{string.byte(name, 1, -1)}, t = pg.array(self.t), lr = pg.array(self.lr or 0)}
    for _, key in ipairs(numbers) do
      local v = self[key]
      out[key] = pg.array(type(v) == "boolean" and (v and 1 or 0) or v)
    end
    for _, key in ipairs(arrays) do out[key] = self[key] or nil end
    if self._save then self:_save(out) end
    return out
  end

  function methods:save(path) pg.save(path, self:_arrays()) end

  function methods:load(path) return self:_take(path, pg.load(path)) end

  function methods:_take(path, found)
    local function refuse(...) raise("%s: %s", path, string.format(...)) end
    if type(found) ~= "table" or not args.is_array(found.optimizer) or not args.is_array(found.t) then
      refuse("not the state of an optimizer")
    end
    local kind = string.char(table.unpack((found.optimizer:astype("f64") // 1):totable()))
    if kind:gsub("%z", "") ~= name then refuse("the state of %s, expected that of %s", kind, name) end
    local new = {}
    for _, key in ipairs(numbers) do
      local a = found[key]
      if not args.is_array(a) or a.size ~= 1 then refuse("it has no %s", key) end
      new[key] = a:item()
    end
    for _, key in ipairs(numbers) do
      if type(self[key]) == "boolean" then self[key] = new[key] ~= 0 else self[key] = new[key] end
    end
    self.size = nil
    for _, key in ipairs(arrays) do
      local a = found[key]
      self[key] = args.is_array(a) and a or nil
      if self[key] then self.size = a.size end
    end
    self.t, self._bound = math.tointeger(found.t:item()), nil
    if not self.schedule or self.t > 0 then self.lr = found.lr:item() end
    if self._load then self:_load(found) end
    return self
  end

  return methods, function(o, lr)
    local scheduled = type(lr) == "function"
    o.lr, o.schedule, o.t = not scheduled and lr or nil, scheduled and lr or nil, 0
    return made.new(o)
  end
end

-- The rate of step t; opt.lr is what was used last.
local function rate(opt, t)
  if opt.schedule then
    local lr = opt.schedule(t)
    if type(lr) ~= "number" or not (lr >= 0 and lr < math.huge) then
      raise("step: the schedule gave %s for step %d, expected a finite number of at least 0", args.got(lr), t)
    end
    opt.lr = lr
  end
  return opt.lr
end

local function check_rate(name, lr)
  if type(lr) ~= "function" then args.number(name, 1, "lr", lr, 0) end
  return lr
end

-- The 0/1 array of opts.mask, as params are.
local function check_mask(name, mask)
  if mask ~= nil then args.array(name, 1, "mask", mask) end
  return mask
end

-- Makes the state arrays at the first step; later params must be the very array of the first, since moments of one
-- net mean nothing for another.
local function bind(opt, params, arrays)
  if type(params) == "table" and args.is_array(params.params) then
    args.fail("step", 1, "params: expected array, got net; opt:step(net.params, net.grads)")
  end
  args.array("step", 1, "params", params)
  if opt._bound ~= nil then
    if core.same(opt._bound, params) then return end
    if opt._bound.size == params.size then
      args.fail("step", 1, "params: another array than before, and this optimizer's state belongs to that one; "
        .. "make one for each net")
    end
  end
  if opt.size and opt.size ~= params.size then
    args.fail("step", 1, string.format(
      "params: has %d elements, but this optimizer's state is for %d; make one for each net", params.size, opt.size))
  end
  for _, key in ipairs(arrays) do opt[key] = opt[key] or pg.zeros_like(params) end
  opt.size = params.size
  opt._bound = params
end

--- optimizer:step(params, grads)
-- Moves params by one step against grads.
-- @param params  array, contiguous: changed in place
-- @param grads  array of the same dtype and size
-- @error  another array than at the steps before, for which the state would mean nothing

--- optimizer:save(path)
-- Writes the settings and the state as .npz. A run that loads it goes on as if it had not been interrupted.
-- @param path  string ending in .npz

--- optimizer:load(path) -> optimizer
-- Takes settings and state from a file of optimizer:save. A schedule and a mask stay this one's.
-- @param path  string
-- @return optimizer  itself
-- @error  PATH: the state of adam, expected that of sgd

-- ---- Adam -------------------------------------------------------------------------------------

local function adam_options(name, opts, weight_decay)
  local o = args.options(name, 1, opts, {lr = args.any, betas = {}, eps = 1e-8, weight_decay = weight_decay,
    mask = args.any})
  local beta1, beta2 = o.betas[1] or 0.9, o.betas[2] or 0.999
  for i, b in ipairs{beta1, beta2} do
    args.number(name, 1, "betas[" .. i .. "]", b, 0, 1)
    if b == 1 then args.fail(name, 1, "betas[" .. i .. "]: expected a number below 1, got " .. b) end
  end
  args.number(name, 1, "eps", o.eps, 0)
  args.number(name, 1, "weight_decay", o.weight_decay, 0)
  return {beta1 = beta1, beta2 = beta2, eps = o.eps, weight_decay = o.weight_decay, mask = check_mask(name, o.mask)},
    check_rate(name, o.lr or 1e-3)
end

local ADAM = {"beta1", "beta2", "eps", "weight_decay"}
local MOMENTS = {"m", "v"}

local function adam_summary(name)
  return function(self)
    return pg._format("%s: lr %s, betas %g and %g, eps %g, weight_decay %g, %d steps made", name, rate_text(self),
      self.beta1, self.beta2, self.eps, self.weight_decay, self.t)
  end
end

local function adam_step(decoupled)
  return function(self, params, grads)
    bind(self, params, MOMENTS)
    local t = self.t + 1
    core.adam(params, grads, self.m, self.v, t, rate(self, t), self.beta1, self.beta2, self.eps, self.weight_decay,
      decoupled, self.mask)
    self.t = t
  end
end

local adam, new_adam = class("adam", ADAM, MOMENTS, adam_summary("adam"))
adam.step = adam_step(false)

--- pg.optim.adam([opts]) -> optimizer
-- Adam with PyTorch's formulas and defaults.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-3
-- @param opts.betas  table of two numbers: {0.9, 0.999}
-- @param opts.eps  number: 1e-8
-- @param opts.weight_decay  number, added to the gradient times the parameters: 0
-- @param opts.mask  array like params: weight_decay is multiplied by it; none
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source Kingma & Ba 2015, algorithm 1; torch.optim.Adam
-- @example pg.optim.adam{lr = 0.01}.lr --> 0.01
function optim.adam(opts)
  return new_adam(adam_options("optim.adam", opts, 0))
end

local adamw, new_adamw = class("adamw", ADAM, MOMENTS, adam_summary("adamw"))
adamw.step = adam_step(true)

--- pg.optim.adamw([opts]) -> optimizer
-- Adam whose weight decay is taken from the parameters beside the step, with PyTorch's formulas and defaults.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-3
-- @param opts.betas  table of two numbers: {0.9, 0.999}
-- @param opts.eps  number: 1e-8
-- @param opts.weight_decay  number: 0.01
-- @param opts.mask  array like params, such as 0 for biases and 1 for weights: weight_decay is multiplied by it; none
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source Loshchilov & Hutter 2019, algorithm 2; torch.optim.AdamW
-- @example pg.optim.adamw{}.weight_decay --> 0.01
function optim.adamw(opts)
  return new_adamw(adam_options("optim.adamw", opts, 0.01))
end

-- ---- SGD --------------------------------------------------------------------------------------

local sgd, new_sgd = class("sgd", {"momentum", "dampening", "weight_decay", "nesterov"}, {"b"}, function(self)
  return pg._format("sgd: lr %s, momentum %g, dampening %g, weight_decay %g%s, %d steps made", rate_text(self),
    self.momentum, self.dampening, self.weight_decay, self.nesterov and ", nesterov" or "", self.t)
end)

--- pg.optim.sgd([opts]) -> optimizer
-- Stochastic gradient descent with PyTorch's formulas.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-3
-- @param opts.momentum  number: 0
-- @param opts.dampening  number: 0
-- @param opts.weight_decay  number: 0
-- @param opts.nesterov  boolean: false; wants momentum without dampening
-- @param opts.mask  array like params: weight_decay is multiplied by it; none
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source torch.optim.SGD
-- @example pg.optim.sgd{lr = 0.1, momentum = 0.9}.momentum --> 0.9
function optim.sgd(opts)
  local o = args.options("optim.sgd", 1, opts,
    {lr = args.any, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, mask = args.any})
  args.number("optim.sgd", 1, "momentum", o.momentum, 0)
  args.number("optim.sgd", 1, "dampening", o.dampening)
  args.number("optim.sgd", 1, "weight_decay", o.weight_decay, 0)
  if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
    args.fail("optim.sgd", 1, "nesterov: expected a momentum above 0 and no dampening")
  end
  return new_sgd({momentum = o.momentum, dampening = o.dampening, weight_decay = o.weight_decay, nesterov = o.nesterov,
    mask = check_mask("optim.sgd", o.mask)}, check_rate("optim.sgd", o.lr or 1e-3))
end

function sgd:step(params, grads)
  if self.momentum ~= 0 then bind(self, params, {"b"}) end
  local t = self.t + 1
  core.sgd(params, grads, self.b, t, rate(self, t), self.momentum, self.dampening, self.weight_decay, self.nesterov,
    self.mask)
  self.t = t
end

-- ---- RMSprop ----------------------------------------------------------------------------------

local rmsprop, new_rmsprop = class("rmsprop", {"alpha", "eps", "weight_decay", "momentum", "centered"}, {"v", "m", "b"},
  function(self)
    return pg._format("rmsprop: lr %s, alpha %g, eps %g, weight_decay %g, momentum %g%s, %d steps made",
      rate_text(self), self.alpha, self.eps, self.weight_decay, self.momentum, self.centered and ", centered" or "",
      self.t)
  end)

--- pg.optim.rmsprop([opts]) -> optimizer
-- RMSprop with PyTorch's formulas and defaults.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-2
-- @param opts.alpha  number: 0.99
-- @param opts.eps  number: 1e-8
-- @param opts.weight_decay  number: 0
-- @param opts.momentum  number: 0
-- @param opts.centered  boolean: false; divide by the gradient's spread about its mean
-- @param opts.mask  array like params: weight_decay is multiplied by it; none
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source Tieleman & Hinton 2012; Graves 2013; torch.optim.RMSprop
-- @example pg.optim.rmsprop{}.alpha --> 0.99
function optim.rmsprop(opts)
  local o = args.options("optim.rmsprop", 1, opts, {lr = args.any, alpha = 0.99, eps = 1e-8, weight_decay = 0,
    momentum = 0, centered = false, mask = args.any})
  args.number("optim.rmsprop", 1, "alpha", o.alpha, 0, 1)
  for _, key in ipairs{"eps", "weight_decay", "momentum"} do args.number("optim.rmsprop", 1, key, o[key], 0) end
  return new_rmsprop({alpha = o.alpha, eps = o.eps, weight_decay = o.weight_decay, momentum = o.momentum,
    centered = o.centered, mask = check_mask("optim.rmsprop", o.mask)}, check_rate("optim.rmsprop", o.lr or 1e-2))
end

function rmsprop:step(params, grads)
  local arrays = {"v"}
  if self.centered then arrays[2] = "m" end
  if self.momentum ~= 0 then arrays[#arrays + 1] = "b" end
  bind(self, params, arrays)
  core.rmsprop(params, grads, self.v, self.m, self.b, rate(self, self.t + 1), self.alpha, self.eps, self.weight_decay,
    self.momentum, self.centered, self.mask)
  self.t = self.t + 1
end

-- ---- L-BFGS -----------------------------------------------------------------------------------

local lbfgs, new_lbfgs = class("lbfgs", {"history", "tolerance", "max_ls", "scale", "reach"}, {"steps", "changes",
  "direction", "before"}, function(self)
  return string.format("lbfgs: lr %s, history %d, %d steps made", rate_text(self), self.history, self.t)
end)

--- pg.optim.lbfgs([opts]) -> optimizer
-- L-BFGS for losses of all data at once: opt:step(params, f) moves along the quasi-Newton direction of the last steps,
-- as far as a search by cubic interpolation finds the strong Wolfe conditions (1e-4, 0.9) met.
-- @param opts.lr  number, where a search begins: 1
-- @param opts.history  integer: steps that are remembered, 10
-- @param opts.tolerance  number: a search ends where no parameter would move by more, 1e-9
-- @param opts.max_ls  integer: evaluations of a search at most, 25
-- @return optimizer  with lr and t (how many steps were made)
-- @source Nocedal & Wright 2006, algorithms 7.4, 3.5 and 3.6; torch.optim.LBFGS
-- @example pg.optim.lbfgs{}.history --> 10
function optim.lbfgs(opts)
  local o = args.options("optim.lbfgs", 1, opts, {lr = 1, history = 10, tolerance = 1e-9, max_ls = 25})
  args.number("optim.lbfgs", 1, "lr", o.lr, 0)
  args.integer("optim.lbfgs", 1, "history", o.history, 1)
  args.integer("optim.lbfgs", 1, "max_ls", o.max_ls, 1)
  args.number("optim.lbfgs", 1, "tolerance", o.tolerance, 0)
  return new_lbfgs({history = o.history, tolerance = o.tolerance, max_ls = o.max_ls, scale = 1, reach = 0, _s = {},
    _y = {}}, o.lr)
end

-- Where the cubic through two points with their slopes is least, within lo..hi; a point is {t, f, slope, g}.
local function cubic(a, b, lo, hi)
  if a[1] > b[1] then a, b = b, a end
  lo, hi = lo or a[1], hi or b[1]
  local d1 = a[3] + b[3] - 3 * (a[2] - b[2]) / (a[1] - b[1])
  local square = d1 * d1 - a[3] * b[3]
  if square ~= square or square < 0 then return (lo + hi) / 2 end
  local d2 = math.sqrt(square)
  local t = b[1] - (b[1] - a[1]) * ((b[3] + d2 - d1) / (b[3] - a[3] + 2 * d2))
  return math.min(math.max(t, lo), hi)
end

-- A point of phi that meets the strong Wolfe conditions, or the best that was found. at(t) evaluates a point, start is
-- that of t = 0, d_max the largest element of the direction.
local function search(at, start, t, d_max, tolerance, most)
  local c1, c2 = 1e-4, 0.9
  local function rises(p) return p[2] > start[2] + c1 * p[1] * start[3] end
  local function flat(p) return math.abs(p[3]) <= -c2 * start[3] end
  local before, point, count = start, at(t), 0
  local low, high
  while count < most do
    if rises(point) or count > 1 and point[2] >= before[2] then break end
    if flat(point) then return point end
    if point[3] >= 0 then break end
    t = cubic(before, point, point[1] + 0.01 * (point[1] - before[1]), point[1] * 10)
    before, point, count = point, at(t), count + 1
  end
  if count == most then before = start end
  low, high = before, point
  if high[2] < low[2] then low, high = high, low end
  local stuck = false
  while count < most and math.abs(high[1] - low[1]) * d_max >= tolerance do
    local first, last = math.min(low[1], high[1]), math.max(low[1], high[1])
    t = cubic(low, high)
    -- Close to an end of the bracket twice, or at it: go a tenth inwards.
    local tenth = 0.1 * (last - first)
    if math.min(last - t, t - first) < tenth then
      if stuck or t >= last or t <= first then
        t = math.abs(t - last) < math.abs(t - first) and last - tenth or first + tenth
        stuck = false
      else
        stuck = true
      end
    else
      stuck = false
    end
    point, count = at(t), count + 1
    if rises(point) or point[2] >= low[2] then
      high = point
      if high[2] < low[2] then low, high = high, low end
    else
      if flat(point) then return point end
      if point[3] * (high[1] - low[1]) >= 0 then high = low end
      low = point
    end
  end
  return low
end

-- f's loss and gradient as a number and a flat f64 array of its own.
local function evaluate(f, params)
  local loss, g = f(params)
  if args.is_array(loss) and loss.size == 1 then loss = loss:item() end
  if type(loss) ~= "number" or not args.is_array(g) or g.size ~= params.size then
    raise("step: f gave %s and %s, expected the loss, a number, and its gradient, %d elements", args.got(loss),
      args.got(g), params.size)
  end
  return loss, g:reshape(-1):astype("f64"):copy()
end

--- lbfgs:step(params, f) -> loss
-- One iteration: a direction and the search along it.
-- @param params  array, contiguous: changed in place
-- @param f  function(params) -> loss, gradient: evaluated as often as the search needs
-- @return loss  number, where params are now
function lbfgs:step(params, f)
  if type(f) ~= "function" then
    args.fail("step", 2, "f: expected a function(params) -> loss, gradient, got " .. args.got(f))
  end
  bind(self, params, {})
  local loss, g = evaluate(f, params)
  if loss ~= loss then raise("step: the loss is nan") end
  local s, y = self._s, self._y
  local d
  if self.t == 0 then
    d = -g
  else
    local change, step = g - self.before, self.direction * self.reach
    local ys = change:dot(step)
    if ys > 1e-10 then
      if #s == self.history then
        table.remove(s, 1)
        table.remove(y, 1)
      end
      s[#s + 1], y[#y + 1] = step, change
      self.scale = ys / change:dot(change)
    end
    d = -g
    local alpha = {}
    for i = #s, 1, -1 do
      alpha[i] = s[i]:dot(d) / y[i]:dot(s[i])
      d = d - y[i] * alpha[i]
    end
    d = d * self.scale
    for i = 1, #s do d = d + s[i] * (alpha[i] - y[i]:dot(d) / y[i]:dot(s[i])) end
  end
  local slope = g:dot(d)
  self.before, self.direction = g, d
  if slope ~= slope or slope >= 0 then
    self.reach, self.t = 0, self.t + 1
    return loss
  end
  local rest = params:copy()
  local shape = {params:dims()}
  local t = self.t == 0 and math.min(1, 1 / g:abs():sum()) * self.lr or self.lr
  local function at(reach)
    params:assign(rest + (d * reach):reshape(shape))
    local value, gradient = evaluate(f, params)
    return {reach, value, gradient:dot(d), gradient}
  end
  local ok, point = pcall(search, at, {0, loss, slope, g}, t, d:abs():max(), self.tolerance, self.max_ls)
  if not ok then
    params:assign(rest)
    error(point, 0)
  end
  params:assign(rest + (d * point[1]):reshape(shape))
  self.reach, self.t = point[1], self.t + 1
  return point[2]
end

function lbfgs:_save(out)
  if #self._s > 0 then out.steps, out.changes = pg.stack(self._s, 1), pg.stack(self._y, 1) end
end

function lbfgs:_load(found)
  self._s, self._y, self.steps, self.changes = {}, {}, nil, nil
  for i = 1, found.steps and #found.steps or 0 do
    self._s[i], self._y[i] = found.steps[i]:copy(), found.changes[i]:copy()
  end
  self.history, self.max_ls = math.tointeger(self.history), math.tointeger(self.max_ls)
  self.size = self.before and self.before.size or nil
end

-- ---- schedules --------------------------------------------------------------------------------

local function schedule_rate(name, lr)
  return args.number(name, 1, "lr", lr, 0)
end

--- pg.optim.cosine(lr, steps [, opts]) -> function(step)
-- A rate for lr= that falls along half a cosine, from lr at the first step to opts.last after `steps`, and stays there.
-- @param lr  number
-- @param steps  integer
-- @param opts.warmup  integer: so many of the steps rise to lr in a line before, all where there are more; 0
-- @param opts.last  number: 0
-- @return function
-- @source Loshchilov & Hutter 2017, eq. 5; torch.optim.lr_scheduler.CosineAnnealingLR
-- @example pg.optim.cosine(0.1, 100)(51) --> 0.05
function optim.cosine(lr, steps, opts)
  schedule_rate("optim.cosine", lr)
  args.integer("optim.cosine", 2, "steps", steps, 1)
  local o = args.options("optim.cosine", 3, opts, {warmup = 0, last = 0})
  local warmup = args.integer("optim.cosine", 3, "warmup", o.warmup, 0)
  local last = args.number("optim.cosine", 3, "last", o.last, 0)
  return function(step)
    if step <= warmup then return lr * step / (warmup + 1) end
    local share = math.min(1, (step - 1 - warmup) / math.max(1, steps - warmup))
    return last + (lr - last) * (1 + math.cos(math.pi * share)) / 2
  end
end

--- pg.optim.warmup(lr, steps) -> function(step)
-- A rate for lr= that rises in a line over `steps` steps and stays at lr; lr may be another schedule, which then counts
-- its steps from the end of the rise.
-- @param lr  number, or function of the step
-- @param steps  integer
-- @return function
-- @example pg.optim.warmup(0.1, 4)(2) --> 0.04
function optim.warmup(lr, steps)
  if type(lr) ~= "function" then schedule_rate("optim.warmup", lr) end
  args.integer("optim.warmup", 2, "steps", steps, 0)
  return function(step)
    local top = type(lr) == "function" and lr(math.max(1, step - steps)) or lr
    return step <= steps and top * step / (steps + 1) or top
  end
end

--- pg.optim.step(lr, every [, factor]) -> function(step)
-- A rate for lr= that is multiplied by factor after every so many steps.
-- @param lr  number
-- @param every  integer
-- @param factor  number: 0.1
-- @return function
-- @source torch.optim.lr_scheduler.StepLR
-- @example pg.optim.step(1, 10, 0.5)(21) --> 0.25
function optim.step(lr, every, factor)
  schedule_rate("optim.step", lr)
  args.integer("optim.step", 2, "every", every, 1)
  factor = factor == nil and 0.1 or args.number("optim.step", 3, "factor", factor, 0)
  return function(step) return lr * factor ^ ((step - 1) // every) end
end

--- pg.optim.one_cycle(lr, steps [, opts]) -> function(step)
-- A rate for lr= that rises from lr / div along half a cosine and falls to lr / (div final).
-- @param lr  number: the greatest rate
-- @param steps  integer: of the whole cycle, at least 2
-- @param opts.rise  number: the share of the steps that rise, 0.3
-- @param opts.div  number: 25
-- @param opts.final  number: 1e4
-- @return function
-- @source Smith & Topin 2019; torch.optim.lr_scheduler.OneCycleLR
-- @example pg.optim.one_cycle(1, 10)(3) --> 1.0
function optim.one_cycle(lr, steps, opts)
  schedule_rate("optim.one_cycle", lr)
  args.integer("optim.one_cycle", 2, "steps", steps, 2)
  local o = args.options("optim.one_cycle", 3, opts, {rise = 0.3, div = 25, final = 1e4})
  args.number("optim.one_cycle", 3, "rise", o.rise, 0, 1)
  args.number("optim.one_cycle", 3, "div", o.div, 1)
  args.number("optim.one_cycle", 3, "final", o.final, 1)
  local top, first = o.rise * steps - 1, lr / o.div
  local function between(a, b, share) return b + (a - b) / 2 * (1 + math.cos(math.pi * share)) end
  return function(step)
    local t = math.min(step - 1, steps - 1)
    if t <= top then return between(first, lr, top > 0 and t / top or 1) end
    return between(lr, first / o.final, (t - top) / (steps - 1 - top))
  end
end

-- ---- averages ---------------------------------------------------------------------------------

local ema_class = pg._model.class("ema", {
  title = "ema",
  fields = {"params", "decay", "t"},
  summary = function(e) return pg._format("ema: decay %g, %d elements, %d updates", e.decay, e.params.size, e.t) end,
  file = {{"params", "any"}, {"decay", "number"}, {"t", "integer"}},
  example = function() return optim.ema(pg.zeros(2)) end,
})

--- pg.optim.ema(params [, opts]) -> ema
-- A running average of parameters: e:update(params) after each step, then e.params is what to evaluate with.
-- @param params  array: where the average begins, copied
-- @param opts.decay  number below 1: 0.999
-- @return ema  with params, decay and t
-- @example pg.optim.ema(pg.array{1, 2}).params:totable()[2] --> 2.0
function optim.ema(params, opts)
  args.array("optim.ema", 1, "params", params)
  local o = args.options("optim.ema", 2, opts, {decay = 0.999})
  args.number("optim.ema", 2, "decay", o.decay, 0, 1)
  return ema_class.new{params = params:copy(), decay = o.decay, t = 0}
end

--- ema:update(params) -> ema
-- Takes the parameters in: average = decay average + (1 - decay) params.
-- @param params  array as at the beginning
-- @return ema  itself
function ema_class.methods:update(params)
  args.array("update", 1, "params", params)
  if params.shape ~= self.params.shape then
    args.fail("update", 1, string.format("params: expected shape %s, got %s", tostring(self.params.shape),
      tostring(params.shape)))
  end
  self.params:assign(self.params + (params - self.params) * (1 - self.decay))
  self.t = self.t + 1
  return self
end

return optim
