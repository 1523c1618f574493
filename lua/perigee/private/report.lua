-- SPDX-License-Identifier: MIT
-- pg._report(batch) -> the page of a batch: its jobs, what stands beside a report's numbers, sweeps, and each
-- experiment with its figures, tables, metrics and log.
local pg = ...
local chart = pg._chart
local html = pg._html
local page = pg._page
local plain = pg._plain
local system = pg._system
local duration = pg._display.duration

local escape, value = html.escape, html.value

local LOG_BYTES = 1 << 14

-- Pictures of a job that the page takes in, together.
local PICTURE_BYTES = 64 << 20

local function state_of(job)
  return ('<span class="state %s">%s</span>'):format(job.state, (job.state:gsub("_", " ")))
end

local function search_text(job)
  local words = {job.name, job.script, job.state, job.state:gsub("_", " ")}
  for _, key in ipairs(job.order) do words[#words + 1] = key .. "=" .. job.settings[key] end
  return escape(table.concat(words, " "):lower())
end

local function sorted_names(t)
  local names = {}
  for name in pairs(t or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function records_of(job)
  return job.result and job.result.records or {}
end

-- The metrics of a job in the order in which they were recorded.
local function metric_names(job)
  local names, met = {}, {}
  for _, record in ipairs(records_of(job)) do
    if record.kind == "metric" and not met[record.name] then
      met[record.name] = true
      names[#names + 1] = record.name
    end
  end
  return names
end

local function metric_of(job, name)
  return job.result and job.result.metrics and job.result.metrics[name]
end

-- ---- the table of jobs -----------------------------------------------------------------------

local function headline(job)
  local parts = {}
  for i, name in ipairs(metric_names(job)) do
    if i > 4 then
      parts[#parts + 1] = "\u{2026}"
      break
    end
    parts[#parts + 1] = escape(name) .. "&nbsp;" .. escape(value(metric_of(job, name)))
  end
  if #parts == 0 and job.reason then return escape(job.reason) end
  return table.concat(parts, ", ")
end

local function job_table(batch)
  local out = {'<div class="wide"><table class="jobs"><thead><tr>',
    "<th>job</th><th>state</th><th>time</th><th>memory</th><th>metrics</th></tr></thead><tbody>\n"}
  for i, job in ipairs(batch.jobs) do
    out[#out + 1] = ('<tr data-text="%s"><td><a href="#job-%d">%s</a></td><td>%s</td><td class="n">%s</td>'):format(
      search_text(job), i, escape(job.name), state_of(job), duration(job.seconds))
    out[#out + 1] = ('<td class="n">%.0f&nbsp;MB</td><td>%s</td></tr>\n'):format(job.peak_mb, headline(job))
  end
  out[#out + 1] = '</tbody></table></div><p id="none" class="dim" hidden>No job has these words.</p>\n'
  return table.concat(out)
end

-- ---- report beside ours ----------------------------------------------------------------------

local function comparison(groups)
  local rows = {}
  for _, group in ipairs(groups) do
    local job = group.jobs[1]
    for _, record in ipairs(#group.jobs == 1 and records_of(job) or {}) do
      if record.kind == "metric" and record.report ~= nil then
        rows[#rows + 1] = {job.name, record.name, record.report, metric_of(job, record.name), record.note or ""}
      end
    end
  end
  if #rows == 0 then return "" end
  return "<h2>The report beside ours</h2>\n" .. html.table({"experiment", "number", "report", "ours", "note"}, rows)
end

-- ---- sweeps ----------------------------------------------------------------------------------

-- The settings of a group's jobs that take more than one value, in the order given.
local function swept(jobs)
  local axes = {}
  for _, key in ipairs(jobs[1].order) do
    local values, met = {}, {}
    for _, job in ipairs(jobs) do
      local v = job.settings[key]
      if v ~= nil and not met[v] then
        met[v] = true
        values[#values + 1] = v
      end
    end
    if #values > 1 then axes[#axes + 1] = {key = key, values = values} end
  end
  return axes
end

-- The axis to plot against: the first numeric one that is not the seed, else any but the seed, else the first.
local function main_axis(axes)
  local best
  for _, axis in ipairs(axes) do
    axis.numeric = true
    for _, v in ipairs(axis.values) do axis.numeric = axis.numeric and tonumber(v) ~= nil end
    if axis.key ~= "seed" and (best == nil or (axis.numeric and not best.numeric)) then best = axis end
  end
  return best or axes[1]
end

-- One chart a metric: a line through the means at each value, a dot for each job; a line for each combination of the
-- other settings, over which only the seed is averaged.
local function sweep_chart(jobs, axes, axis, name)
  local place = {}
  for i, v in ipairs(axis.values) do place[v] = i end
  local lines, by_label = {}, {}
  for _, job in ipairs(jobs) do
    local y, v = metric_of(job, name), job.settings[axis.key]
    if type(y) == "number" and v ~= nil then
      local parts = {}
      for _, other in ipairs(axes) do
        if other ~= axis and other.key ~= "seed" then
          parts[#parts + 1] = other.key .. "=" .. job.settings[other.key]
        end
      end
      local label = table.concat(parts, ", ")
      local line = by_label[label]
      if line == nil then
        line = {label = label, x = {}, y = {}, points = {}, sums = {}}
        by_label[label] = line
        lines[#lines + 1] = line
      end
      local x = axis.numeric and tonumber(v) or place[v]
      line.points[#line.points + 1] = {x, y}
      local sum = line.sums[x] or {0.0, 0}
      line.sums[x] = {sum[1] + y, sum[2] + 1}
    end
  end
  for _, line in ipairs(lines) do
    local xs = {}
    for x in pairs(line.sums) do xs[#xs + 1] = x end
    table.sort(xs)
    for i, x in ipairs(xs) do
      line.x[i], line.y[i] = x, line.sums[x][1] / line.sums[x][2]
    end
  end
  return chart(lines, {xlabel = axis.key, ylabel = name, names = not axis.numeric and axis.values or nil})
end

local function sweep_section(jobs)
  local axes = swept(jobs)
  if #axes == 0 then return "" end
  local names, met = {}, {}
  for _, job in ipairs(jobs) do
    for _, name in ipairs(metric_names(job)) do
      if not met[name] then
        met[name] = true
        names[#names + 1] = name
      end
    end
  end
  local columns, rows, charts = {}, {}, {}
  for i, axis in ipairs(axes) do columns[i] = axis.key end
  for _, name in ipairs{"state", "seconds", table.unpack(names)} do columns[#columns + 1] = name end
  for i, job in ipairs(jobs) do
    local row = {}
    for k, axis in ipairs(axes) do
      local v = job.settings[axis.key]
      row[k] = tonumber(v) or v
    end
    row[#row + 1], row[#row + 2] = (job.state:gsub("_", " ")), math.floor(job.seconds * 100 + 0.5) / 100
    for k, name in ipairs(names) do row[#axes + 2 + k] = metric_of(job, name) or "" end
    rows[i] = row
  end
  local axis = main_axis(axes)
  for i, name in ipairs(names) do
    if i > 12 then break end
    charts[#charts + 1] = sweep_chart(jobs, axes, axis, name)
  end
  return "<h3>Sweep</h3>\n" .. '<div class="charts">' .. table.concat(charts) .. "</div>\n" .. html.table(columns, rows)
end

-- ---- one job ---------------------------------------------------------------------------------

local function image_of(job, file, caption)
  local bytes, size
  if not file:find("/") then bytes, size = system.read(job.dir .. "/" .. file, PICTURE_BYTES) end
  if bytes and (size > #bytes or (job.picture_bytes or 0) + size > PICTURE_BYTES) then
    return ('<p class="note">%s is too large for this page.</p>'):format(escape(file))
  end
  job.picture_bytes = (job.picture_bytes or 0) + (bytes and size or 0)
  if not bytes then
    return ('<p class="note">%s is missing.</p>'):format(escape(file))
  end
  -- Small pictures are enlarged with their pixels kept as squares.
  local width = bytes:sub(1, 8) == "\137PNG\r\n\26\n" and #bytes >= 24 and (">I4"):unpack(bytes, 17) or 1000
  return ('<img src="data:image/png;base64,%s" alt="%s"%s>'):format(system.base64(bytes), escape(caption or file),
    width <= 200 and ' class="pixel"' or "")
end

local function note_of(record)
  return record.note and '<p class="note">' .. escape(record.note) .. "</p>" or ""
end

local function beside(report, ours)
  return ('<div class="beside"><div><h4>the report</h4>%s</div><div><h4>ours</h4>%s</div></div>'):format(report, ours)
end

local render = {}

function render.figure(job, record)
  local caption = record.caption and "<figcaption>" .. escape(record.caption) .. "</figcaption>" or ""
  local picture = "<figure>" .. image_of(job, record.file, record.caption or record.name) .. caption .. "</figure>"
  local head = "<h3>" .. escape(record.name) .. "</h3>\n"
  if record.report then
    return head .. beside("<p>" .. escape(record.report) .. "</p>" .. note_of(record), picture)
  end
  return head .. picture .. note_of(record)
end

function render.table(_, record)
  local ours = html.table(record.columns, record.rows)
  local head = "<h3>" .. escape(record.name) .. "</h3>\n"
  local tail = (record.caption and '<p class="dim">' .. escape(record.caption) .. "</p>" or "") .. note_of(record)
  if record.report then return head .. beside(html.table(record.columns, record.report), ours) .. tail end
  return head .. ours .. tail
end

function render.note(_, record)
  return html.markdown(record.text)
end

local function metrics_section(job)
  local rows, compared, noted = {}, false, false
  for _, record in ipairs(records_of(job)) do
    if record.kind == "metric" then
      compared, noted = compared or record.report ~= nil, noted or record.note ~= nil
      rows[#rows + 1] = record
    end
  end
  if #rows == 0 then return "" end
  local columns = {"metric"}
  if compared then columns[2] = "report" end
  columns[#columns + 1] = compared and "ours" or "value"
  if noted then columns[#columns + 1] = "note" end
  local cells, charts = {}, {}
  for i, record in ipairs(rows) do
    local row = {record.name}
    if compared then row[2] = record.report == nil and "" or record.report end
    row[#row + 1] = metric_of(job, record.name)
    if noted then row[#row + 1] = record.note or "" end
    cells[i] = row
    local series = job.result.series and job.result.series[record.name]
    if series and #series.value > 1 then
      charts[#charts + 1] = chart({{x = series.step, y = series.value, label = record.name}},
        {xlabel = "step", ylabel = record.name, log = false})
    end
  end
  return "<h3>Metrics</h3>\n" .. html.table(columns, cells) .. '<div class="charts">' .. table.concat(charts) ..
    "</div>\n"
end

local function log_section(job)
  local text, size = system.read(job.dir .. "/log.txt", LOG_BYTES, true)
  if text == nil or not text:find("%S") then return "" end
  local note = ""
  if size > LOG_BYTES then
    note = ("<p class=\"note\">The last %d KiB of %s/log.txt.</p>"):format(LOG_BYTES >> 10, escape(job.name))
  end
  local bad = job.state ~= "passed" and job.state ~= "skipped"
  return ("<details%s><summary>log</summary>%s<pre>%s</pre></details>"):format(bad and " open" or "", note,
    escape(plain(text)))
end

local function options_line(job)
  local parts = {}
  local result = job.result or {}
  for _, name in ipairs(sorted_names(result.options)) do
    local v = result.options[name]
    if type(v) == "table" then
      local items = {}
      for i, item in ipairs(v) do items[i] = value(item) end
      v = table.concat(items, ",")
    end
    parts[#parts + 1] = ("<code>%s=%s</code>"):format(escape(name), escape(value(v)))
  end
  if result.seed then parts[#parts + 1] = "<code>seed=" .. escape(value(result.seed)) .. "</code>" end
  return table.concat(parts, " ")
end

local function job_body(job)
  local out = {('<p class="dim">%s &middot; %s &middot; %.0f MB &middot; %s %s</p>\n'):format(state_of(job),
    duration(job.seconds), job.peak_mb, escape(job.script), options_line(job))}
  if job.result and job.result.about then out[#out + 1] = "<p>" .. escape(job.result.about) .. "</p>\n" end
  if job.remark then out[#out + 1] = '<p class="note">' .. escape(job.remark) .. "</p>\n" end
  if job.reason then out[#out + 1] = ('<p class="%s">%s</p>\n'):format(job.state, escape(job.reason)) end
  local records = records_of(job)
  for _, record in ipairs(records) do
    if render[record.kind] then
      local ok, text = pcall(render[record.kind], job, record)
      out[#out + 1] = ok and text .. "\n" or ""
    end
  end
  -- A plain script records nothing; the pictures it left in its folder are shown all the same.
  if #records == 0 and system.kind(job.dir) == "folder" then
    local files = system.list(job.dir)
    table.sort(files)
    for _, file in ipairs(files) do
      if file:find("%.png$") then out[#out + 1] = render.figure(job, {name = file:gsub("%.png$", ""), file = file}) end
    end
  end
  out[#out + 1] = metrics_section(job)
  out[#out + 1] = log_section(job)
  return table.concat(out)
end

-- Jobs of one script, in the order given.
local function groups_of(batch)
  local groups, by_script = {}, {}
  for i, job in ipairs(batch.jobs) do
    local group = by_script[job.script]
    if group == nil then
      group = {script = job.script, jobs = {}, first = i}
      by_script[job.script] = group
      groups[#groups + 1] = group
    end
    job.index = i
    table.insert(group.jobs, job)
  end
  return groups
end

local function group_section(group)
  local jobs = group.jobs
  if #jobs == 1 then
    local job = jobs[1]
    return ('<section class="job" id="job-%d" data-text="%s"><h2>%s</h2>\n%s</section>\n'):format(job.index,
      search_text(job), escape(job.name), job_body(job))
  end
  local out = {("<section><h2>%s</h2>\n%s"):format(escape(group.script), sweep_section(jobs))}
  for _, job in ipairs(jobs) do
    local bad = job.state ~= "passed" and job.state ~= "skipped"
    out[#out + 1] = ('<details class="job" id="job-%d" data-text="%s"%s>'):format(job.index, search_text(job),
      bad and " open" or "")
    out[#out + 1] = ("<summary>%s %s</summary>\n%s</details>\n"):format(escape(job.name), state_of(job), job_body(job))
  end
  out[#out + 1] = "</section>\n"
  return table.concat(out)
end

local function counts_line(batch)
  local parts = {}
  for _, state in ipairs{"passed", "skipped", "failed", "timed_out", "killed", "out_of_memory", "interrupted"} do
    local n = batch.counts[state]
    if n then
      parts[#parts + 1] = ('<span class="state %s">%d %s</span>'):format(state, n, (state:gsub("_", " ")))
    end
  end
  return table.concat(parts, ", ")
end

return function(batch)
  local groups = groups_of(batch)
  local out = {
    "<header><h1>Perigee batch</h1>\n",
    ("<p>%d job%s: %s, in %s, %d at a time with %d BLAS thread%s each. "):format(#batch.jobs,
      #batch.jobs == 1 and "" or "s", counts_line(batch), duration(batch.seconds), batch.slots, batch.threads,
      batch.threads == 1 and "" or "s"),
    ('<span class="dim">%s, Perigee %s</span></p>\n'):format(escape(batch.started), escape(pg.info().perigee)),
    '<p class="screen"><input id="filter" type="search" placeholder="filter jobs, such as: failed lr=0.1" ',
    'aria-label="filter jobs"></p></header>\n',
    job_table(batch), comparison(groups),
  }
  for _, group in ipairs(groups) do out[#out + 1] = group_section(group) end
  return page("Perigee batch", table.concat(out))
end
