-- SPDX-License-Identifier: MIT
-- pg._junit: the result of a batch as JUnit's XML, which build servers read.
local pg = ...
local json = pg._json

local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

-- XML 1.0 has no form for most control characters, so they go.
local function escape(text)
  return (json.utf8(text):gsub("[%z\1-\8\11\12\14-\31\127]", ""):gsub("\u{FFFE}", ""):gsub("\u{FFFF}", "")
    :gsub('[&<>"]', ESCAPES))
end

return function(batch)
  local function count(...)
    local n = 0
    for _, state in ipairs{...} do n = n + (batch.counts[state] or 0) end
    return n
  end
  local out = {'<?xml version="1.0" encoding="UTF-8"?>\n'}
  local function add(format, ...) out[#out + 1] = format:format(...) end
  local totals = ('tests="%d" failures="%d" errors="%d" skipped="%d" time="%.3f"'):format(#batch.jobs,
    count("failed"), count("timed_out", "killed", "out_of_memory", "interrupted"), count("skipped"), batch.seconds)
  add('<testsuites name="perigee" %s>\n', totals)
  add('  <testsuite name="%s" %s timestamp="%s">\n', "perigee", totals, batch.started:sub(1, 19))
  for _, job in ipairs(batch.jobs) do
    add('    <testcase classname="%s" name="%s" time="%.3f"', escape(job.script), escape(job.name), job.seconds)
    if job.state == "passed" then
      add("/>\n")
    else
      add(">\n")
      local reason = escape(job.reason or job.state)
      if job.state == "skipped" then
        add('      <skipped message="%s"/>\n', reason)
      else
        add('      <%s type="%s" message="%s"/>\n', job.state == "failed" and "failure" or "error", job.state, reason)
        add("      <system-out>%s</system-out>\n", escape(job.tail or ""))
      end
      add("    </testcase>\n")
    end
  end
  add("  </testsuite>\n</testsuites>\n")
  return table.concat(out)
end
