-- SPDX-License-Identifier: MIT
--
-- The plain training loop of nets.

local pg = ...
local args = pg._args
local error, ipairs, math, pcall, string, table, tostring, type =
  error, ipairs, math, pcall, string, table, tostring, type

-- The arrays of a data set: one, or a list of as many rows each.
local function read_data(what, data)
  local list = args.is_array(data) and {data} or data
  if type(list) ~= "table" or #list == 0 then
    args.fail("fit", what == "data" and 3 or 4, ("%s: expected an array or a list of them, got %s"):format(what,
      args.got(data)))
  end
  for _, a in ipairs(list) do
    if not args.is_array(a) or a.ndim == 0 or #a ~= #list[1] then
      args.fail("fit", what == "data" and 3 or 4, ("%s: expected arrays of as many rows each, got %s"):format(what,
        args.got(a)))
    end
  end
  return list
end

-- Arguments of loss: the batch, then ctx.
local function with_ctx(batch, ctx)
  local out = {table.unpack(batch)}
  out[#batch + 1] = ctx
  return table.unpack(out, 1, #batch + (ctx and 1 or 0))
end

local function batches(list, opts)
  local given = {table.unpack(list)}
  given[#given + 1] = opts
  return pg.batches(table.unpack(given))
end

-- The mean loss over data, a batch at a time.
local function evaluate(net, loss, list, o)
  local sum, rows = 0, 0
  local next_batch = batches(list, {size = o.batch, dtype = o.dtype})
  while true do
    local batch = {next_batch()}
    if batch[1] == nil then return sum / rows end
    local value = loss(net, table.unpack(batch))
    sum, rows = sum + (args.is_array(value) and value:item() or value) * #batch[1], rows + #batch[1]
  end
end

local function bad_batch(batch, count)
  for k = 1, count do
    if not pg.isfinite(batch[k]):all() then
      return ("; argument %d of the batch holds what is not finite"):format(k)
    end
  end
  return "; a lower lr or clip_norm may help"
end

--- pg.nn.fit(net, loss, data [, opts]) -> history
-- Trains a net by batches: value and gradient of loss(net, x, y, ..., ctx), then a step of the optimizer. ctx is
-- {train = true, rng = rng} in training; for validation loss is called without it. Ctrl-C ends after the step under
-- way and keeps the net.
-- @param net  net of nn.model
-- @param loss  function(net, x, y, ..., ctx) -> number, with the arrays of a batch
-- @param data  array n x ..., or a list of arrays of n rows each
-- @param opts.epochs  integer (10)
-- @param opts.batch  integer: rows in a batch (32)
-- @param opts.rng  generator, wanted: shuffles the rows and is ctx.rng
-- @param opts.optimizer  one of pg.optim; default pg.optim.adam{}
-- @param opts.clip_norm  number: the gradient is shortened to this norm
-- @param opts.validation  as data: its loss after each epoch
-- @param opts.keep  string: "last" (default), or "best": at the end the net is the one of the least validation loss
-- @param opts.dtype  string: each batch as this dtype, so that images may stay bytes
-- @param opts.reduce  function(grads), called between gradient and step
-- @param opts.progress  boolean: whether a bar is drawn; on a terminal: true, elsewhere: false
-- @param opts.on_epoch  function({epoch =, loss =, validation =, lr =}): false ends the training
-- @return history  {loss =, validation = arrays with a value an epoch, epochs =, best = the best epoch, stopped =
-- false, "on_epoch" or "interrupted"}
-- @error a loss that is not finite, with epoch and step
return function(net, loss, data, opts)
  local any = args.any
  local meta = type(net) == "table" and net.params and net.grads
  if not meta then args.fail("fit", 1, "net: expected a net of nn.model, got " .. args.got(net)) end
  if type(loss) ~= "function" then args.fail("fit", 2, "loss: expected a function, got " .. args.got(loss)) end
  local list = read_data("data", data)
  local o = args.options("fit", 4, opts, {epochs = 10, batch = 32, rng = any, optimizer = any, clip_norm = any,
    validation = any, keep = "last", dtype = any, progress = any, reduce = any, on_epoch = any})
  o.epochs, o.batch = args.integer("fit", 4, "epochs", o.epochs, 0), args.integer("fit", 4, "batch", o.batch, 1)
  args.choice("fit", 4, "keep", o.keep, {"last", "best"})
  args.rng("fit", 4, o.rng)
  local clip = o.clip_norm and args.number("fit", 4, "clip_norm", o.clip_norm, 0)
  local on_epoch, reduce = args.callback("fit", 4, "on_epoch", o.on_epoch), args.callback("fit", 4, "reduce", o.reduce)
  local held = o.validation and read_data("validation", o.validation)
  if o.keep == "best" and not held then args.fail("fit", 4, "keep: the best is chosen by validation data") end
  local optimizer = o.optimizer or pg.optim.adam {}
  local step, ctx = pg.value_and_grad(loss), {train = true, rng = o.rng}
  local history = {loss = {}, validation = {}, epochs = 0, stopped = false}
  local best, kept

  local function run_epoch(epoch)
    local sum, rows, number = 0, 0, 0
    local next_batch = batches(list, {size = o.batch, rng = o.rng, dtype = o.dtype})
    while true do
      local batch = {next_batch()}
      if batch[1] == nil then break end
      number = number + 1
      local value, grads = step(net, with_ctx(batch, ctx))
      if value ~= value or math.abs(value) == math.huge then
        error(string.format("fit: the loss is %s at epoch %d, step %d%s", tostring(value):match("nan") or "inf", epoch,
          number, bad_batch(batch, #list)), pg._user_level())
      end
      if reduce then reduce(grads) end
      if clip then pg.optim.clip_norm(grads, clip) end
      optimizer:step(net.params, grads)
      sum, rows = sum + value * #batch[1], rows + #batch[1]
    end
    return sum / rows
  end

  local function train()
    local bars = o.progress or (o.progress == nil and pg._system.columns(2) > 0)
    local steps, state, start, closing
    if bars then
      steps, state, start, closing = pg.progress(o.epochs, "fit")
    else
      steps, start = function(_, k) if k < o.epochs then return k + 1, {} end end, 0
    end
    for epoch, bar in steps, state, start, closing do
      local mean = run_epoch(epoch)
      local valid = held and evaluate(net, loss, held, o)
      history.loss[epoch], history.validation[epoch], history.epochs = mean, valid, epoch
      bar.loss, bar.validation = mean, valid
      if valid and (not best or valid < best) then
        best, history.best = valid, epoch
        if o.keep == "best" then kept = {net.params:copy(), net.buffers and net.buffers:copy()} end
      end
      if on_epoch and on_epoch {epoch = epoch, loss = mean, validation = valid, lr = optimizer.lr} == false then
        history.stopped = "on_epoch"
        return
      end
    end
  end

  local ok, message = pcall(train)
  if not ok then
    if type(message) ~= "string" or not message:find("interrupted!$") then error(message, 0) end
    history.stopped = "interrupted"
  end
  if kept then
    net.params:assign(kept[1])
    if kept[2] then net.buffers:assign(kept[2]) end
  end
  history.loss, history.validation = pg.array(history.loss), held and pg.array(history.validation) or nil
  return history
end
