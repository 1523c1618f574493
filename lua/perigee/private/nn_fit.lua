-- SPDX-License-Identifier: MIT
--
-- The plain training loop of nets.

local pg = ...
local args, M, tree = pg._args, pg._nn_model, pg._tree
local error, io, ipairs, math, pcall, string, table, tostring, type =
  error, io, ipairs, math, pcall, string, table, tostring, type

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

-- ---- going on after a kill ----------------------------------------------------------------------

local function text_array(text) return pg.array{text:byte(1, -1)} end
local function array_text(a) return string.char(table.unpack((a:astype("f64") // 1):totable())) end

-- All that the epochs to come depend on, as arrays by name: the net, the optimizer, the generators, what was kept.
local function state_of(run)
  local out = {epoch = pg.array(run.history.epochs), loss = pg.array(run.history.loss)}
  if run.history.stopped then out.stopped = text_array(run.history.stopped) end
  if run.held then out.validation = pg.array(run.history.validation) end
  for _, e in ipairs(M.everything(run.net)) do out["net." .. e[1]] = e[2] end
  local optimizer = run.optimizer:_arrays()
  for _, key in ipairs(args.sorted_keys(optimizer)) do out["optimizer." .. key] = optimizer[key] end
  for k, rng in ipairs(run.generators) do
    local state = rng:state()
    out[("rng.%d.generator"):format(k)], out[("rng.%d.words"):format(k)] =
      text_array(state.generator), text_array(state.words)
  end
  if run.best then out.best, out.best_epoch = pg.array(run.best), pg.array(run.history.best) end
  if run.kept then out["best.params"], out["best.buffers"] = run.kept[1], run.kept[2] end
  return out
end

-- The arrays whose names begin so, by the rest.
local function part_of(found, prefix)
  local out = {}
  for _, key in ipairs(args.sorted_keys(found)) do
    if key:sub(1, #prefix) == prefix then out[key:sub(#prefix + 1)] = found[key] end
  end
  return out
end

-- Puts everything back to where the file has it.
local function take_up(path, run)
  local found = pg.load(path)
  local function refuse(...)
    error(("%s: not a checkpoint of this training: %s"):format(path, string.format(...)), pg._user_level())
  end
  if type(found) ~= "table" or args.is_array(found) or not (found.epoch and found.loss) then
    refuse("expected what nn.fit wrote")
  end
  local misfit = M.fill(run.net, part_of(found, "net."))
  if misfit then refuse("%s", misfit) end
  if (found.validation ~= nil) ~= (run.held ~= nil) then
    refuse("it was %s validation data", found.validation and "with" or "without")
  end
  run.optimizer:_take(path, part_of(found, "optimizer."))
  for k, rng in ipairs(run.generators) do
    local generator, words = found[("rng.%d.generator"):format(k)], found[("rng.%d.words"):format(k)]
    if not generator then refuse("it has %d generators, and shards = %d have one each", k - 1, #run.generators - 1) end
    rng:restore {generator = array_text(generator), words = array_text(words)}
  end
  local history = run.history
  history.epochs = math.tointeger(found.epoch:item())
  history.stopped = found.stopped and array_text(found.stopped) or false
  history.loss, history.validation = found.loss:totable(), found.validation and found.validation:totable() or {}
  if found.best then run.best, history.best = found.best:item(), math.tointeger(found.best_epoch:item()) end
  if found["best.params"] then run.kept = {found["best.params"], found["best.buffers"]} end
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- ---- a step -------------------------------------------------------------------------------------

-- Loss and gradient of a batch cut in as many parts as there are ctxs, each weighed by its rows, summed in one fixed
-- tree.
local function by_shards(step, net, batch, ctxs, sum_shards)
  local rows = #batch[1]
  local parts = math.min(#ctxs, rows)
  local grads, total = sum_shards(parts, function(k)
    local first, last = tree.range(rows, parts, k)
    local part = {}
    for i, a in ipairs(batch) do part[i] = a:slice({first, last}) end
    local value, g = step(net, with_ctx(part, ctxs[k]))
    local share = (last - first + 1) / rows
    return g * share, value * share
  end)
  net.grads:assign(grads)
  return total, net.grads
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
-- @param opts.shards  integer: each batch is cut in so many parts, whose gradients are summed in one fixed tree; each
-- part has a generator of its own
-- @param opts.mpi  boolean: the ranks of pg.mpi share the shards; each gives the same data and rng, and has the same
-- net, bit for bit, whatever their number
-- @param opts.reduce  function(grads), called between gradient and step
-- @param opts.checkpoint  string, ends in .npz: after each epoch all that the rest depends on is written there
-- @param opts.resume  boolean: goes on from the checkpoint where there is one, to the bytes of a run that was not
-- killed; false
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
    validation = any, keep = "last", dtype = any, progress = any, reduce = any, shards = any, mpi = any,
    checkpoint = any, resume = false, on_epoch = any})
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
  local run = {net = net, optimizer = optimizer, history = history, generators = {o.rng}, held = held}
  local ctxs
  local _, sum_shards = tree.shards("fit", 4, o, o.batch)
  if o.mpi and net.buffers and net.buffers.size > 0 then
    args.fail("fit", 4, "mpi: this net has running statistics (batch_norm), of which each rank would have its own")
  end
  if o.mpi and o.checkpoint ~= nil then
    args.fail("fit", 4, "checkpoint: with mpi each rank knows the generators of its own shards alone")
  end
  if o.shards ~= nil then
    ctxs = {}
    for k, rng in ipairs(o.rng:spawn(o.shards)) do
      ctxs[k], run.generators[k + 1] = {train = true, rng = rng}, rng
    end
  end
  if o.checkpoint ~= nil and (type(o.checkpoint) ~= "string" or not o.checkpoint:find("%.npz$")) then
    args.fail("fit", 4, "checkpoint: expected a path that ends in .npz, got " .. args.got(o.checkpoint))
  end
  if o.resume and not o.checkpoint then args.fail("fit", 4, "resume: there is no checkpoint to go on from") end
  if o.resume and exists(o.checkpoint) then take_up(o.checkpoint, run) end

  local function run_epoch(epoch)
    local sum, rows, number = 0, 0, 0
    local next_batch = batches(list, {size = o.batch, rng = o.rng, dtype = o.dtype})
    while true do
      local batch = {next_batch()}
      if batch[1] == nil then break end
      number = number + 1
      local value, grads
      if ctxs then
        value, grads = by_shards(step, net, batch, ctxs, sum_shards)
      else
        value, grads = step(net, with_ctx(batch, ctx))
      end
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
    local done = history.epochs
    local left = history.stopped and 0 or math.max(0, o.epochs - done)
    if bars then
      steps, state, start, closing = pg.progress(left, "fit")
    else
      steps, start = function(_, k) if k < left then return k + 1, {} end end, 0
    end
    for count, bar in steps, state, start, closing do
      local epoch = done + count
      local mean = run_epoch(epoch)
      local valid = held and evaluate(net, loss, held, o)
      history.loss[epoch], history.validation[epoch], history.epochs = mean, valid, epoch
      bar.loss, bar.validation = mean, valid
      if valid and (not run.best or valid < run.best) then
        run.best, history.best = valid, epoch
        if o.keep == "best" then run.kept = {net.params:copy(), net.buffers and net.buffers:copy()} end
      end
      if o.checkpoint then pg.save(o.checkpoint, state_of(run)) end
      if on_epoch and on_epoch {epoch = epoch, loss = mean, validation = valid, lr = optimizer.lr} == false then
        history.stopped = "on_epoch"
        if o.checkpoint then pg.save(o.checkpoint, state_of(run)) end
        return
      end
    end
  end

  local ok, message = pcall(train)
  if not ok then
    if type(message) ~= "string" or not message:find("interrupted!$") then error(message, 0) end
    history.stopped = "interrupted"
  end
  if run.kept then
    net.params:assign(run.kept[1])
    if run.kept[2] then net.buffers:assign(run.kept[2]) end
  end
  history.loss, history.validation = pg.array(history.loss), held and pg.array(history.validation) or nil
  return history
end
