-- SPDX-License-Identifier: MIT
-- pg._report(batch) -> the page of a batch: contents, what did not pass, what stands beside a report's numbers; then
-- each script: a sweep with its best runs, means over seeds, a table that sorts, curves laid over each other, and its
-- jobs folded behind; a single job with its figures, tables, metrics and log. pg._report(batch, true) is the page of a
-- run without a batch.
local pg = ...
local chart = pg._chart
local html = pg._html
local page = pg._page
local runs = pg._report_runs
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
  local out = {'<div class="wide"><table class="jobs sorts"><thead><tr>',
    "<th>job</th><th>state</th><th>time</th><th>memory</th><th>metrics</th></tr></thead><tbody>\n"}
  for i, job in ipairs(batch.jobs) do
    out[#out + 1] = ('<tr data-text="%s"><td><a href="#job-%d">%s</a></td><td>%s</td>'):format(search_text(job), i,
      escape(job.name), state_of(job))
    out[#out + 1] = pg._format('<td class="n" data-v="%.6g">%s</td><td class="n" data-v="%.6g">%.0f&nbsp;MB</td>',
      job.seconds, duration(job.seconds), job.peak_mb, job.peak_mb)
    out[#out + 1] = "<td>" .. headline(job) .. "</td></tr>\n"
  end
  out[#out + 1] = "</tbody></table></div>\n"
  return table.concat(out)
end

local function is_bad(job) return job.state ~= "passed" and job.state ~= "skipped" end

-- What did not pass, with the way to it.
local function failures(batch)
  local out, n = {}, 0
  for i, job in ipairs(batch.jobs) do
    if is_bad(job) then
      n = n + 1
      if n <= 40 then
        out[#out + 1] = ('<li data-text="%s"><a href="#job-%d">%s</a> %s <span class="dim">%s</span></li>\n'):format(
          search_text(job), i, escape(job.name), state_of(job), escape(job.reason or ""))
      end
    end
  end
  if n == 0 then return "" end
  if n > 40 then out[#out + 1] = ("<li>and %d more</li>"):format(n - 40) end
  return '<h2 id="failures">What did not pass</h2>\n<ul>' .. table.concat(out) .. "</ul>\n"
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
  return '<h2 id="comparison">The report beside ours</h2>\n' ..
    html.table({"experiment", "number", "report", "ours", "note"}, rows)
end

-- ---- one job ---------------------------------------------------------------------------------

local function image_of(job, record)
  local file, bytes, size = record.file, nil, nil
  if not file:find("/") then bytes, size = system.read(job.dir .. "/" .. file, PICTURE_BYTES) end
  if bytes and (size > #bytes or (job.picture_bytes or 0) + size > PICTURE_BYTES) then
    return ('<p class="note">%s is too large for this page.</p>'):format(escape(file))
  end
  job.picture_bytes = (job.picture_bytes or 0) + (bytes and size or 0)
  if not bytes then
    return ('<p class="note">%s is missing.</p>'):format(escape(file))
  end
  local sized = bytes:sub(1, 8) == "\137PNG\r\n\26\n" and #bytes >= 24
  local width, height = 1000, 1000
  if sized then width, height = (">I4I4"):unpack(bytes, 17) end
  -- Small pictures are enlarged with their pixels kept as squares; ink on white is turned around where it is dark.
  local class = (width <= 200 and "pixel " or "") .. (record.plot and "ink" or "")
  return ('<img decoding="async" src="data:image/png;base64,%s" alt="%s"%s%s>'):format(
    system.base64(bytes), escape(record.caption or record.name),
    sized and (' width="%d" height="%d"'):format(width, height) or "",
    class ~= "" and ' class="' .. class:gsub(" $", "") .. '"' or "")
end

local function note_of(record)
  return record.note and '<p class="note">' .. escape(record.note) .. "</p>" or ""
end

local function beside(report, ours)
  return ('<div class="beside"><div><h4>the report</h4>%s</div><div><h4>ours</h4>%s</div></div>'):format(report, ours)
end

local render = {}

-- Figures that follow one another stand in a grid; one with a report's words beside it stands alone.
function render.figure(job, record)
  local caption = record.caption and "<br>" .. escape(record.caption) or ""
  local picture = ("<figure>%s<figcaption><b>%s</b>%s</figcaption>%s</figure>"):format(image_of(job, record),
    escape(record.name), caption, record.report and "" or note_of(record))
  if record.report then
    return "<h3>" .. escape(record.name) .. "</h3>\n" .. beside("<p>" .. escape(record.report) .. "</p>" ..
      note_of(record), picture)
  end
  return picture
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

-- Curves of one job side by side.
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

-- Records in their order; figures next to one another share a grid.
local function records_section(job, records)
  local out, grid = {}, {}
  local function close()
    if #grid > 0 then out[#out + 1] = '<div class="figures">' .. table.concat(grid) .. "</div>\n" end
    grid = {}
  end
  for _, record in ipairs(records) do
    if render[record.kind] then
      local ok, text = pcall(render[record.kind], job, record)
      if ok and record.kind == "figure" and not record.report then
        grid[#grid + 1] = text
      else
        close()
        out[#out + 1] = ok and text .. "\n" or ""
      end
    end
  end
  close()
  return table.concat(out)
end

local function job_body(job)
  local out = {}
  if job.state then
    out[1] = ('<p class="dim">%s &middot; %s &middot; %.0f MB &middot; %s %s</p>\n'):format(state_of(job),
      duration(job.seconds), job.peak_mb, escape(job.script), options_line(job))
  else
    out[1] = ('<p class="dim">%s &middot; %s %s</p>\n'):format(duration(job.seconds), escape(job.script),
      options_line(job))
  end
  if job.result and job.result.about then out[#out + 1] = "<p>" .. escape(job.result.about) .. "</p>\n" end
  if job.remark then out[#out + 1] = '<p class="note">' .. escape(job.remark) .. "</p>\n" end
  if job.reason then out[#out + 1] = ('<p class="%s">%s</p>\n'):format(job.state, escape(job.reason)) end
  local records = records_of(job)
  -- A plain script records nothing; the pictures it left in its folder are shown all the same.
  if #records == 0 and system.kind(job.dir) == "folder" then
    local files = system.list(job.dir)
    table.sort(files)
    local found = {}
    for _, file in ipairs(files) do
      if file:find("%.png$") then found[#found + 1] = {kind = "figure", name = file:gsub("%.png$", ""), file = file} end
    end
    records = found
  end
  out[#out + 1] = records_section(job, records)
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
  local out = {('<section id="sweep-%d"><h2>%s</h2>\n%s'):format(group.first, escape(group.script),
    runs.html(jobs, group.first, search_text))}
  out[#out + 1] = ('<details class="all"><summary>%d jobs, each with its figures, tables and log</summary>\n')
    :format(#jobs)
  for _, job in ipairs(jobs) do
    out[#out + 1] = ('<details class="job" id="job-%d" data-text="%s">'):format(job.index, search_text(job))
    out[#out + 1] = ("<summary>%s %s</summary>\n%s</details>\n"):format(escape(job.name), state_of(job), job_body(job))
  end
  out[#out + 1] = "</details></section>\n"
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

local function plural(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

-- Where to go on the page, with what is found there.
local function contents(batch, groups, compared)
  local out = {}
  local function add(target, name, what)
    out[#out + 1] = ('<li><a href="#%s">%s</a> <span class="dim">%s</span></li>\n'):format(target, escape(name), what)
  end
  local bad = 0
  for _, job in ipairs(batch.jobs) do bad = bad + (is_bad(job) and 1 or 0) end
  if bad > 0 then add("failures", "What did not pass", plural(bad, "job")) end
  if compared then add("comparison", "The report beside ours", "") end
  for _, group in ipairs(groups) do
    if #group.jobs > 1 then
      local failed = 0
      for _, job in ipairs(group.jobs) do failed = failed + (is_bad(job) and 1 or 0) end
      add("sweep-" .. group.first, group.script, plural(#group.jobs, "run") ..
        (failed > 0 and (", %d did not pass"):format(failed) or ""))
    else
      local job, figures = group.jobs[1], 0
      for _, record in ipairs(records_of(job)) do figures = figures + (record.kind == "figure" and 1 or 0) end
      add("job-" .. job.index, job.name, state_of(job) .. (figures > 0 and ", " .. plural(figures, "figure") or ""))
    end
  end
  add("jobs", "All jobs", plural(#batch.jobs, "job"))
  return '<nav class="contents"><ul>' .. table.concat(out) .. "</ul></nav>\n"
end

local function alone(job)
  return page(job.name, ("<header><h1>%s</h1></header>\n<section>%s</section>\n"):format(escape(job.name),
    job_body(job)))
end

return function(batch, is_alone)
  if is_alone then return alone(batch.jobs[1]) end
  local groups = groups_of(batch)
  local compared = comparison(groups)
  local out = {
    "<header><h1>Perigee batch</h1>\n",
    ("<p>%s: %s, in %s, %d at a time with %d BLAS thread%s each. "):format(plural(#batch.jobs, "job"),
      counts_line(batch), duration(batch.seconds), batch.slots, batch.threads, batch.threads == 1 and "" or "s"),
    ('<span class="dim">%s, Perigee %s</span>'):format(escape(batch.started), escape(pg.info().perigee)),
    (' <a class="screen" download="metrics.csv" href="data:text/csv;base64,%s">metrics.csv</a></p>\n'):format(
      system.base64(runs.csv(batch))),
    '<p class="screen"><input id="filter" type="search" placeholder="filter jobs, such as: failed lr=0.1" ',
    'aria-label="filter jobs"></p><p id="none" class="dim" hidden>No job has these words.</p></header>\n',
    contents(batch, groups, compared ~= ""), failures(batch), compared,
  }
  -- Sweeps first.
  table.sort(groups, function(a, b)
    if (#a.jobs > 1) ~= (#b.jobs > 1) then return #a.jobs > 1 end
    return a.first < b.first
  end)
  for _, group in ipairs(groups) do out[#out + 1] = group_section(group) end
  out[#out + 1] = ('<section id="jobs"><h2>All jobs</h2>\n<details%s><summary>%s</summary>%s</details></section>\n')
    :format(#batch.jobs <= 12 and " open" or "", plural(#batch.jobs, "job"), job_table(batch))
  return page("Perigee batch", table.concat(out))
end
