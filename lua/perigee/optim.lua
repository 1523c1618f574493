-- SPDX-License-Identifier: MIT
--
-- pg.optim: optimisers with PyTorch's formulas over flat arrays of parameters and gradients. The
-- state of one is made at its first step and belongs to those parameters.
local pg, core = ...
local args = pg._args

local optim = {clip_norm = core.clip_norm}

local function rate_text(o)
  return o.schedule and "a schedule" or string.format("%g", o.lr)
end

-- A class of optimizers whose objects have `fields`; returns its methods and what makes an object.
local function class(name, fields, summary, example)
  local made = pg._model.class(name, {title = name, fields = fields, summary = summary, example = example})
  return made.methods, made.new
end

-- The rate of step t; opt.lr is what was used last.
local function rate(opt, t)
  if opt.schedule then
    local lr = opt.schedule(t)
    if type(lr) ~= "number" then
      error("step: the schedule gave " .. args.got(lr) .. " for step " .. t .. ", expected a number", 3)
    end
    opt.lr = lr
  end
  return opt.lr
end

local function check_rate(name, lr)
  if type(lr) ~= "function" then args.number(name, 1, "lr", lr, 0) end
  return lr
end

-- The state arrays of opt fit params, or the optimizer is used for two nets.
local function check_state(opt, params)
  if opt.size and opt.size ~= params.size then
    args.fail("step", 1, string.format(
      "params: has %d elements, but this optimizer's state is for %d; make one for each net", params.size, opt.size))
  end
  opt.size = params.size
end

local adam, new_adam = class("adam",
  {"lr", "t", "beta1", "beta2", "eps", "weight_decay", "m", "v", "schedule", "size"}, function(self)
    return string.format("adam: lr %s, betas %g and %g, eps %g, weight_decay %g, %d steps made", rate_text(self),
      self.beta1, self.beta2, self.eps, self.weight_decay, self.t)
  end, function() return optim.adam{} end)

--- pg.optim.adam([opts]) -> optimizer
-- Adam with PyTorch's formulas and defaults.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-3
-- @param opts.betas  table of two numbers: {0.9, 0.999}
-- @param opts.eps  number: 1e-8
-- @param opts.weight_decay  number, added to the gradient times the parameters: 0
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source Kingma & Ba 2015, algorithm 1; torch.optim.Adam
-- @example pg.optim.adam{lr = 0.01}.lr --> 0.01
function optim.adam(opts)
  local o = args.options("optim.adam", 1, opts, {lr = args.any, betas = {}, eps = 1e-8, weight_decay = 0})
  local beta1, beta2 = o.betas[1] or 0.9, o.betas[2] or 0.999
  for i, b in ipairs{beta1, beta2} do
    args.number("optim.adam", 1, "betas[" .. i .. "]", b, 0, 1)
    if b == 1 then args.fail("optim.adam", 1, "betas[" .. i .. "]: expected a number below 1, got " .. b) end
  end
  args.number("optim.adam", 1, "eps", o.eps, 0)
  args.number("optim.adam", 1, "weight_decay", o.weight_decay, 0)
  local lr = check_rate("optim.adam", o.lr or 1e-3)
  local scheduled = type(lr) == "function"
  return new_adam{lr = not scheduled and lr or nil, schedule = scheduled and lr or nil, beta1 = beta1,
    beta2 = beta2, eps = o.eps, weight_decay = o.weight_decay, t = 0}
end

--- adam:step(params, grads)
-- Moves params by one step against grads.
-- @param params  array, contiguous: changed in place
-- @param grads  array of the same dtype and size
function adam:step(params, grads)
  if not self.m then
    args.array("step", 1, "params", params)
    self.m, self.v = pg.zeros_like(params), pg.zeros_like(params)
  end
  check_state(self, params)
  local t = self.t + 1
  core.adam(params, grads, self.m, self.v, t, rate(self, t), self.beta1, self.beta2, self.eps, self.weight_decay)
  self.t = t
end

local sgd, new_sgd = class("sgd",
  {"lr", "t", "momentum", "dampening", "weight_decay", "nesterov", "b", "schedule", "size"}, function(self)
    return string.format("sgd: lr %s, momentum %g, dampening %g, weight_decay %g%s, %d steps made", rate_text(self),
      self.momentum, self.dampening, self.weight_decay, self.nesterov and ", nesterov" or "", self.t)
  end, function() return optim.sgd{} end)

--- pg.optim.sgd([opts]) -> optimizer
-- Stochastic gradient descent with PyTorch's formulas.
-- @param opts.lr  number, or a function of the step (from 1) that gives it: 1e-3
-- @param opts.momentum  number: 0
-- @param opts.dampening  number: 0
-- @param opts.weight_decay  number: 0
-- @param opts.nesterov  boolean: false; wants momentum without dampening
-- @return optimizer  with lr (the rate of the last step) and t (how many steps were made)
-- @source torch.optim.SGD
-- @example pg.optim.sgd{lr = 0.1, momentum = 0.9}.momentum --> 0.9
function optim.sgd(opts)
  local o = args.options("optim.sgd", 1, opts,
    {lr = args.any, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false})
  args.number("optim.sgd", 1, "momentum", o.momentum, 0)
  args.number("optim.sgd", 1, "dampening", o.dampening)
  args.number("optim.sgd", 1, "weight_decay", o.weight_decay, 0)
  if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
    args.fail("optim.sgd", 1, "nesterov: expected a momentum above 0 and no dampening")
  end
  local lr = check_rate("optim.sgd", o.lr or 1e-3)
  local scheduled = type(lr) == "function"
  return new_sgd{lr = not scheduled and lr or nil, schedule = scheduled and lr or nil, momentum = o.momentum,
    dampening = o.dampening, weight_decay = o.weight_decay, nesterov = o.nesterov, t = 0}
end

--- sgd:step(params, grads)
-- Moves params by one step against grads.
-- @param params  array, contiguous: changed in place
-- @param grads  array of the same dtype and size
function sgd:step(params, grads)
  if not self.b and self.momentum ~= 0 then
    args.array("step", 1, "params", params)
    self.b = pg.zeros_like(params)
  end
  if self.b then check_state(self, params) end
  local t = self.t + 1
  core.sgd(params, grads, self.b, t, rate(self, t), self.momentum, self.dampening, self.weight_decay, self.nesterov)
  self.t = t
end

return optim
