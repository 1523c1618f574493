-- SPDX-License-Identifier: MIT
--
-- How far a loop is: on a terminal one line drawn again and again, in a log a line every tenth.

local pg = ...
local args = pg._args

local bar = {}
local meta = {__name = "progress"}

-- Seconds between two drawings on a terminal.
local EVERY = 0.1

local function duration(s)
  if s ~= s or s == math.huge then return "?" end
  if s < 60 then return ("%.0f s"):format(s) end
  if s < 3600 then return ("%d:%02d min"):format(s // 60, s % 60 // 1) end
  return ("%d:%02d h"):format(s // 3600, s % 3600 // 60)
end

local function rate(r)
  if r ~= r or r == math.huge or r == 0 then return "" end
  if r >= 100 then return (" %.0f/s"):format(r) end
  if r >= 1 then return (" %.1f/s"):format(r) end
  return (" %.2g s each"):format(1 / r)
end

local function show(v)
  if math.type(v) == "integer" then return tostring(v) end
  if type(v) == "number" then return ("%.4g"):format(v) end
  return tostring(v)
end

-- What stands behind the counter: how fast, how long, and the metrics in the order they came.
local function tail(self, finished)
  local seconds = self.clock() - self.start
  local parts = {}
  if finished then
    parts[1] = ("in %s"):format(duration(seconds))
  elseif self.done > 0 then
    parts[1] = ("%s left"):format(duration(seconds / self.done * (self.total - self.done)))
  end
  parts[1] = (parts[1] or "") .. rate(self.done / seconds)
  for _, name in ipairs(self.names) do parts[#parts + 1] = name .. " " .. show(self.metrics[name]) end
  return table.concat(parts, ", ")
end

-- The number of characters, so that a line does not wrap.
local function clip(text, columns)
  local n = utf8.len(text)
  if not n or n <= columns then return text end
  return text:sub(1, utf8.offset(text, columns) - 1) .. "…"
end

local function line(self, finished)
  local share = self.total == 0 and 1 or self.done / self.total
  local head = self.label and self.label .. " " or ""
  local count = ("%d/%d"):format(self.done, self.total)
  if self.columns > 0 then
    local cells = math.floor(share * 20 + 1e-9)
    local drawn = ("━"):rep(cells) .. ("·"):rep(20 - cells)
    return clip(("%s%s %3d%% %s %s"):format(head, drawn, math.floor(share * 100 + 1e-9), count, tail(self, finished)),
      self.columns - 1)
  end
  return ("%s%3d%% %s %s"):format(head, math.floor(share * 100 + 1e-9), count, tail(self, finished))
end

local function draw(self, finished)
  if self.closed then return end
  if self.columns > 0 then
    local now = self.clock()
    if not finished and now - self.drawn < EVERY then return end
    self.drawn = now
    self.write("\r", line(self, finished), "\27[K", finished and "\n" or "")
  else
    local tenth = self.total == 0 and 10 or math.floor(self.done * 10 / self.total + 1e-9)
    if tenth > self.tenth then
      self.tenth = tenth
      self.write(line(self, finished), "\n")
    end
  end
end

local function finish(self)
  if self.closed then return end
  if self.columns > 0 or self.done == self.total then draw(self, true) end
  self.closed = true
end

--- progress:step([k]) -> progress
-- Counts k more rounds as done (1).
function bar.step(face, k)
  local self = rawget(face, "_")
  local n = k == nil and 1 or args.integer("step", 1, "k", k, 0)
  self.done = math.min(self.total, self.done + n)
  if self.done == self.total then finish(self) else draw(self) end
  return face
end

--- progress:close()
-- Ends the display, also before all is done.
function bar.close(face) finish(rawget(face, "_")) end

meta.__index = function(face, name)
  if bar[name] then return bar[name] end
  return rawget(face, "_").metrics[name]
end

meta.__newindex = function(face, name, value)
  local self = rawget(face, "_")
  if type(name) ~= "string" then error("progress: a metric's name is a string, got " .. args.got(name), 2) end
  if bar[name] then error(("progress: '%s' is a method; give the metric another name"):format(name), 2) end
  if self.metrics[name] == nil then self.names[#self.names + 1] = name end
  self.metrics[name] = value
end

-- As the iterator of a loop: the call before round i says that i - 1 are done.
meta.__call = function(face, _, i)
  local self = rawget(face, "_")
  i = i or 0
  if i > self.done then self.done = math.min(i, self.total) end
  if i >= self.total then
    finish(self)
    return nil
  end
  draw(self)
  return i + 1, face
end

-- A loop left early, by break or an error, leaves its last line.
meta.__close = function(face) finish(rawget(face, "_")) end

meta.__tostring = function(face)
  local self = rawget(face, "_")
  return ("progress %d/%d"):format(self.done, self.total)
end

--- pg.progress(n [, label]) -> iterator
-- Counts 1..n and shows how far the loop is, on standard error: a line drawn again on a terminal, a
-- line every tenth in a log, with the rate, the time left, and whatever fields are set:
-- `for i, bar in pg.progress(n, "training") do bar.loss = l end`. Without a loop,
-- `local bar = pg.progress(n)` counts with bar:step().
-- @param n  integer of at least 0
-- @param label  string that stands in front
-- @return iterator  of i and the bar
-- @example pg.progress(3) --> progress 0/3
local function progress(n, label, opts)
  n = args.integer("progress", 1, "n", n, 0)
  if label ~= nil and type(label) ~= "string" then
    args.fail("progress", 2, "label: expected a string, got " .. args.got(label))
  end
  opts = opts or {} -- for tests: what is outside
  local outlet = rawget(pg, "_outlet") -- a notebook's
  local columns = opts.columns or outlet and 72 or pg._system.columns(2)
  local self = {total = n, label = label, done = 0, names = {}, metrics = {}, columns = columns, tenth = 0,
    clock = opts.clock or pg.clock, drawn = -math.huge}
  local mpi = rawget(pg, "mpi")
  local silent = mpi and mpi.rank > 0 and function() end
  self.write = opts.write or outlet and outlet.line() or silent or function(...) io.stderr:write(...) end
  self.start = self.clock()
  local face = setmetatable({_ = self}, meta)
  return face, nil, nil, face
end

pg._model.register("progress", {example = function()
  return setmetatable({_ = {metrics = {}}}, meta)
end})

return progress
