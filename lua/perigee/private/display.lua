-- SPDX-License-Identifier: MIT
-- pg._display: what a batch shows while it runs. On a terminal the running jobs stand at the bottom, a line each, and
-- are drawn anew; elsewhere there is a line when a job ends. A job that did not pass shows why at once.
local pg = ...
local plain = pg._plain
local system = pg._system

local display = {}
display.__index = display

local COLOURS = {
  passed = 32, skipped = 33, failed = 31, timed_out = 31, killed = 31, out_of_memory = 31, interrupted = 35,
}

function display.new(total)
  local columns = system.columns(1)
  return setmetatable({
    total = total, done = 0, counts = {}, columns = columns, live = columns > 0 and os.getenv("TERM") ~= "dumb",
    colour = columns > 0 and not os.getenv("NO_COLOR"), drawn = 0, at = 0,
  }, display)
end

function display:_paint(state, text)
  return self.colour and ("\27[%dm%s\27[0m"):format(COLOURS[state] or 0, text) or text
end

-- At most `width` characters of the text, without anything that would move the cursor.
local function fit(text, width)
  text = plain(text):gsub("%c", " ")
  if (utf8.len(text) or 0) <= width then return text end
  return text:sub(1, (utf8.offset(text, width) or #text + 1) - 1) .. "\u{2026}"
end

function display:_erase()
  if self.drawn > 0 then
    io.stdout:write(("\27[%dA\27[J"):format(self.drawn))
    self.drawn = 0
  end
end

local function duration(seconds)
  if seconds < 1 then return ("%d ms"):format(math.floor(seconds * 1000 + 0.5)) end
  if seconds < 60 then return ("%.1f s"):format(seconds) end
  if seconds < 3600 then return ("%d:%02d min"):format(seconds // 60, math.floor(seconds % 60)) end
  return ("%d:%02d h"):format(seconds // 3600, math.floor(seconds % 3600 // 60))
end
display.duration = duration

-- A job has ended.
function display:ended(job)
  self:_erase()
  self.done = self.done + 1
  self.counts[job.state] = (self.counts[job.state] or 0) + 1
  if job.state == "passed" and job.kept and not self.live then return end
  local width = #tostring(self.total)
  io.stdout:write(("%" .. width .. "d/%d %s  %s  %s%s\n"):format(self.done, self.total,
    self:_paint(job.state, ("%-13s"):format((job.state:gsub("_", " ")))), plain(job.name), duration(job.seconds),
    job.kept and " (kept)" or ""))
  if job.state ~= "passed" and job.reason then
    io.stdout:write("    ", (plain(job.reason):gsub("%c", " ")), "\n")
  end
  if job.state ~= "passed" and job.state ~= "skipped" and job.tail and job.tail:find("%S") then
    local lines = {}
    for line in (job.tail .. "\n"):gmatch("(.-)\r?\n") do lines[#lines + 1] = line end
    while lines[#lines] == "" do lines[#lines] = nil end
    for i = math.max(1, #lines - 19), #lines do
      io.stdout:write("    | ", fit(lines[i], 300), "\n")
    end
  end
  io.stdout:flush()
end

-- Draws the running jobs; cheap to call often.
function display:running(jobs)
  if not self.live then return end
  local now = pg.clock()
  if now - self.at < 0.1 then return end
  self.at = now
  self:_erase()
  local shown = math.min(#jobs, 12)
  for i = 1, shown do
    local job = jobs[i]
    local left = ("  %s  %s  %.0f MB  "):format(fit(job.name, 40), duration(job.process:seconds()),
      job.process:resident() / 2 ^ 20)
    io.stdout:write(fit(left .. job.process:line(), self.columns - 1), "\n")
  end
  local bad = 0
  for _, state in ipairs{"failed", "timed_out", "killed", "out_of_memory", "interrupted"} do
    bad = bad + (self.counts[state] or 0)
  end
  io.stdout:write(fit(("%d of %d done, %d running%s"):format(self.done, self.total, #jobs,
    bad > 0 and (", %d did not pass"):format(bad) or ""), self.columns - 1), "\n")
  self.drawn = shown + 1
  io.stdout:flush()
end

function display:close()
  self:_erase()
  io.stdout:flush()
end

return display
