-- SPDX-License-Identifier: MIT
-- pg._report_runs.html(jobs, number, search) -> HTML of a sweep: how each metric goes with what was swept, the best
-- runs, means over seeds, the table of all runs, and their curves, which the page lays over each other as they are
-- chosen; search(job) gives the words by which a run is found.
-- pg._report_runs.csv(batch) -> all settings and metrics as a table.
local pg = ...
local chart = pg._chart
local html = pg._html
local json = pg._json

local escape, value = html.escape, html.value

-- Metrics with a chart of their own; points of a curve on the page; runs whose curves are drawn at first; lines that
-- can be told apart.
local MOST_CHARTS, MOST_POINTS, FIRST_CURVES, MOST_LINES = 12, 200, 6, 8

local function metric_of(job, name)
  return job.result and job.result.metrics and job.result.metrics[name]
end

local function is_finite(v)
  return type(v) == "number" and v == v and v ~= math.huge and v ~= -math.huge
end

-- The metrics of jobs in the order in which they were first recorded.
local function metric_names(jobs)
  local names, met = {}, {}
  for _, job in ipairs(jobs) do
    for _, record in ipairs(job.result and job.result.records or {}) do
      if record.kind == "metric" and not met[record.name] then
        met[record.name] = true
        names[#names + 1] = record.name
      end
    end
  end
  return names
end

-- The settings of jobs that take more than one value, in the order given.
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

-- "a=1, b=2" of the settings a job has on these axes but the seed and `but`.
local function label_of(job, axes, but)
  local parts = {}
  for _, axis in ipairs(axes) do
    if axis ~= but and axis.key ~= "seed" then parts[#parts + 1] = axis.key .. "=" .. (job.settings[axis.key] or "") end
  end
  return table.concat(parts, ", ")
end

-- Jobs with one setting but for the seed, in order: {label=, jobs=}.
local function settings_of(jobs, axes, but)
  local groups, by_label = {}, {}
  for _, job in ipairs(jobs) do
    local label = label_of(job, axes, but)
    if by_label[label] == nil then
      by_label[label] = {label = label, jobs = {}}
      groups[#groups + 1] = by_label[label]
    end
    table.insert(by_label[label].jobs, job)
  end
  return groups
end

local function mean_sd(jobs, name)
  local n, sum, squares = 0, 0.0, 0.0
  for _, job in ipairs(jobs) do
    local v = metric_of(job, name)
    if is_finite(v) then n, sum = n + 1, sum + v end
  end
  if n == 0 then return nil, nil, 0 end
  local mean = sum / n
  for _, job in ipairs(jobs) do
    local v = metric_of(job, name)
    if is_finite(v) then squares = squares + (v - mean) ^ 2 end
  end
  return mean, n > 1 and math.sqrt(squares / (n - 1)) or nil, n
end

-- ---- charts ----------------------------------------------------------------------------------

local function differs(jobs, name)
  local first
  for _, job in ipairs(jobs) do
    local v = metric_of(job, name)
    if first ~= nil and v ~= nil and v ~= first then return true end
    first = first or v
  end
  return false
end

-- A line through the means at each value, a dot for each job; a line for each combination of the other settings.
local function sweep_chart(jobs, axes, axis, name)
  local place, lines = {}, {}
  for i, v in ipairs(axis.values) do place[v] = i end
  for _, group in ipairs(settings_of(jobs, axes, axis)) do
    local line, sums = {label = group.label, x = {}, y = {}, points = {}}, {}
    for _, job in ipairs(group.jobs) do
      local y, v = metric_of(job, name), job.settings[axis.key]
      if is_finite(y) and v ~= nil then
        local x = axis.numeric and tonumber(v) or place[v]
        line.points[#line.points + 1] = {x, y}
        local sum = sums[x] or {0.0, 0}
        sums[x] = {sum[1] + y, sum[2] + 1}
      end
    end
    for x in pairs(sums) do line.x[#line.x + 1] = x end
    table.sort(line.x)
    for i, x in ipairs(line.x) do line.y[i] = sums[x][1] / sums[x][2] end
    lines[#lines + 1] = line
  end
  return chart(lines, {xlabel = axis.key, ylabel = name, names = not axis.numeric and axis.values or nil,
    plain = #lines > MOST_LINES})
end

-- A curve of at most MOST_POINTS points: of each stretch its first, least and greatest.
local function thinned(series)
  local n = #series.value
  if n <= MOST_POINTS then return series.step, series.value end
  local steps, values, width = {}, {}, math.ceil(3 * n / MOST_POINTS)
  for from = 1, n, width do
    local low, high = from, from
    for i = from, math.min(from + width - 1, n) do
      local v = series.value[i]
      if is_finite(v) and not (is_finite(series.value[low]) and series.value[low] <= v) then low = i end
      if is_finite(v) and not (is_finite(series.value[high]) and series.value[high] >= v) then high = i end
    end
    local last
    for _, i in ipairs{from, math.min(low, high), math.max(low, high)} do
      if i ~= last then steps[#steps + 1], values[#values + 1] = series.step[i], series.value[i] end
      last = i
    end
  end
  steps[#steps + 1], values[#values + 1] = series.step[n], series.value[n]
  return steps, values
end

local function short_number(v)
  return is_finite(v) and (pg._format("%.5g", v)) or "null"
end

local function numbers(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = short_number(v) end
  return "[" .. table.concat(out, ",") .. "]"
end

local function name_of(job, axes)
  local parts = {}
  for _, axis in ipairs(axes) do parts[#parts + 1] = axis.key .. "=" .. (job.settings[axis.key] or "") end
  return #parts > 0 and table.concat(parts, ", ") or job.name
end

-- The runs whose curves are drawn at first, from all over the sweep.
local function chosen(jobs)
  local list, n = {}, math.min(FIRST_CURVES, #jobs)
  for k = 1, n do list[k] = jobs[n == 1 and 1 or 1 + (k - 1) * (#jobs - 1) // (n - 1)] end
  return list
end

-- The curves that were recorded, for the page to draw; at first those of some runs, also where no script runs.
local function curves(jobs, axes, names, number)
  local with, out, first = {}, {}, {}
  for _, name in ipairs(names) do
    local rows, lines = {}, {}
    for _, job in ipairs(jobs) do
      local series = job.result and job.result.series and job.result.series[name]
      if series and #series.value > 1 then
        local steps, values = thinned(series)
        rows[#rows + 1] = ('"%d":[%s,%s]'):format(job.index, numbers(steps), numbers(values))
      end
    end
    if #rows > 0 then
      for _, job in ipairs(chosen(jobs)) do
        local series = job.result and job.result.series and job.result.series[name]
        if series and #series.value > 1 then
          local steps, values = thinned(series)
          lines[#lines + 1] = {x = steps, y = values, label = name_of(job, axes)}
        end
      end
      with[#with + 1] = name
      out[#out + 1] = json.encode(name):gsub("\n$", ""):gsub("<", "\\u003c") .. ":{" .. table.concat(rows, ",") .. "}"
      first[#first + 1] = chart(lines, {xlabel = "step", ylabel = name, log = false})
    end
  end
  if #with == 0 then return "" end
  local labels = {}
  for i, job in ipairs(jobs) do
    labels[i] = ('"%d":%s'):format(job.index, json.encode(name_of(job, axes)):gsub("\n$", ""):gsub("<", "\\u003c"))
  end
  return table.concat{'<h3>Curves</h3>\n<p class="screen dim">Of the runs chosen below: ',
    ('<button data-choose="%d">the first %d</button> '):format(FIRST_CURVES, FIRST_CURVES),
    '<button data-choose="1000000">all</button> <button data-choose="0">none</button></p>\n',
    ('<div class="charts" id="curves-%d">%s</div>'):format(number, table.concat(first)),
    ('<script type="application/json" id="data-%d">'):format(number),
    '{"labels":{', table.concat(labels, ","), '},"curves":{', table.concat(out, ","), "}}</script>\n"}
end

-- ---- tables ----------------------------------------------------------------------------------

local function link(job, text)
  return ('<a href="#job-%d">%s</a>'):format(job.index, escape(text))
end

-- The least and the greatest of each metric, with the way to the run.
local function best_table(jobs, axes, names)
  local rows = {}
  for _, name in ipairs(names) do
    local low, high
    for _, job in ipairs(jobs) do
      local v = metric_of(job, name)
      if is_finite(v) then
        if low == nil or v < metric_of(low, name) then low = job end
        if high == nil or v > metric_of(high, name) then high = job end
      end
    end
    if low and low ~= high then
      rows[#rows + 1] = ('<tr><td>%s</td><td class="n">%s</td><td>%s</td><td class="n">%s</td><td>%s</td></tr>\n')
        :format(escape(name), value(metric_of(low, name)), link(low, name_of(low, axes)),
        value(metric_of(high, name)), link(high, name_of(high, axes)))
    end
  end
  if #rows == 0 then return "" end
  return '<h3>Least and greatest</h3>\n<div class="wide"><table><thead><tr><th>metric</th><th class="n">least</th>' ..
    '<th>run</th><th class="n">greatest</th><th>run</th></tr></thead><tbody>' .. table.concat(rows) ..
    "</tbody></table></div>\n"
end

local function head(columns, numeric)
  local out = {}
  for i, name in ipairs(columns) do
    out[i] = (numeric[i] and '<th class="n">%s</th>' or "<th>%s</th>"):format(escape(name))
  end
  return table.concat(out)
end

local function setting_cell(v)
  local x = tonumber(v)
  return ('<td%s>%s</td>'):format(x and pg._format(' class="n" data-v="%.17g"', x) or "", escape(v or ""))
end

-- Mean and standard deviation over the seed of each setting.
local function seed_table(jobs, axes, names)
  local seeded = false
  for _, axis in ipairs(axes) do seeded = seeded or axis.key == "seed" end
  local groups = settings_of(jobs, axes)
  if not seeded or #names == 0 then return "" end
  local others, columns, numeric = {}, {}, {}
  for _, axis in ipairs(axes) do
    if axis.key ~= "seed" then
      others[#others + 1] = axis
      columns[#columns + 1], numeric[#columns + 1] = axis.key, axis.numeric
    end
  end
  columns[#columns + 1], numeric[#columns + 1] = "seeds", true
  for _, name in ipairs(names) do columns[#columns + 1], numeric[#columns + 1] = name, true end
  local out = {"<h3>Mean and standard deviation over seeds</h3>\n",
    '<div class="wide"><table class="sorts"><thead><tr>' .. head(columns, numeric) .. "</tr></thead><tbody>\n"}
  for _, group in ipairs(groups) do
    out[#out + 1] = "<tr>"
    for _, axis in ipairs(others) do out[#out + 1] = setting_cell(group.jobs[1].settings[axis.key]) end
    local counted = 0
    for _, name in ipairs(names) do counted = math.max(counted, (select(3, mean_sd(group.jobs, name)))) end
    out[#out + 1] = ('<td class="n">%d</td>'):format(counted)
    for _, name in ipairs(names) do
      local mean, sd = mean_sd(group.jobs, name)
      if mean then
        out[#out + 1] = pg._format('<td class="n" data-v="%.17g">%s%s</td>', mean, value(mean),
          sd and " \u{00B1}\u{202F}" .. pg._format("%.2g", sd) or "")
      else
        out[#out + 1] = "<td></td>"
      end
    end
    out[#out + 1] = "</tr>\n"
  end
  out[#out + 1] = "</tbody></table></div>\n"
  return table.concat(out)
end

local function run_table(jobs, axes, names, number, choosable, search)
  local columns, numeric = {}, {}
  for _, axis in ipairs(axes) do columns[#columns + 1], numeric[#columns + 1] = axis.key, axis.numeric end
  local function add(name, is_number) columns[#columns + 1], numeric[#columns + 1] = name, is_number end
  for _, name in ipairs(names) do add(name, true) end
  add("state")
  add("seconds", true)
  local out = {('<h3>Runs</h3>\n<div class="wide%s"><table class="sorts runs" data-runs="%d"><thead><tr>'):format(
    #jobs > 24 and " tall" or "", number),
    choosable and '<th class="screen" data-fixed="1"></th>' or "", "<th>run</th>", head(columns, numeric),
    "</tr></thead><tbody>\n"}
  local checked = {}
  for _, job in ipairs(chosen(jobs)) do checked[job] = true end
  for i, job in ipairs(jobs) do
    out[#out + 1] = ('<tr data-text="%s">'):format(search(job))
    if choosable then
      out[#out + 1] = ('<td class="screen"><input type="checkbox" data-run="%d"%s aria-label="its curves"></td>')
        :format(job.index, checked[job] and " checked" or "")
    end
    out[#out + 1] = ('<td data-v="%d">%s</td>'):format(i, link(job, "#" .. i))
    for _, axis in ipairs(axes) do out[#out + 1] = setting_cell(job.settings[axis.key]) end
    for _, name in ipairs(names) do
      local v = metric_of(job, name)
      if type(v) == "number" then
        out[#out + 1] = pg._format('<td class="n" data-v="%.17g">%s</td>', v, value(v))
      else
        out[#out + 1] = '<td class="n">' .. escape(v or "") .. "</td>"
      end
    end
    out[#out + 1] = ('<td><span class="state %s">%s</span></td><td class="n">%s</td></tr>\n'):format(job.state,
      (job.state:gsub("_", " ")), pg._format("%.2f", job.seconds))
  end
  out[#out + 1] = "</tbody></table></div>\n"
  return table.concat(out)
end

-- ---- all of it -------------------------------------------------------------------------------

local runs = {}

-- Text as a field of a CSV file.
local function field(v)
  local text = math.type(v) == "float" and pg._format("%.17g", v) or tostring(v)
  return text:find('[",\r\n]') and '"' .. text:gsub('"', '""') .. '"' or text
end

function runs.csv(batch)
  local keys, met = {}, {}
  for _, job in ipairs(batch.jobs) do
    for _, key in ipairs(job.order) do
      if not met[key] then
        met[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  local names = metric_names(batch.jobs)
  local line = {"job", "script", "state", "seconds", "peak_mb"}
  for _, key in ipairs(keys) do line[#line + 1] = field(key) end
  for _, name in ipairs(names) do line[#line + 1] = field(name) end
  local out = {table.concat(line, ",")}
  for _, job in ipairs(batch.jobs) do
    line = {field(job.name), field(job.script), job.state, field(job.seconds), field(job.peak_mb)}
    for _, key in ipairs(keys) do line[#line + 1] = field(job.settings[key] or "") end
    for _, name in ipairs(names) do
      local v = metric_of(job, name)
      line[#line + 1] = field(v == nil and "" or v)
    end
    out[#out + 1] = table.concat(line, ",")
  end
  return table.concat(out, "\n") .. "\n"
end

function runs.html(jobs, number, search)
  local axes, names = swept(jobs), metric_names(jobs)
  if #axes == 0 then return "" end
  local axis, charts = main_axis(axes), {}
  for _, name in ipairs(names) do
    if #charts >= MOST_CHARTS then break end
    if differs(jobs, name) then charts[#charts + 1] = sweep_chart(jobs, axes, axis, name) end
  end
  local drawn = curves(jobs, axes, names, number)
  return table.concat{"<h3>Sweep</h3>\n", '<div class="charts">', table.concat(charts), "</div>\n",
    drawn, best_table(jobs, axes, names), seed_table(jobs, axes, names),
    run_table(jobs, axes, names, number, drawn ~= "", search)}
end

return runs
