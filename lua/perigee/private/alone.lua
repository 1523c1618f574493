-- SPDX-License-Identifier: MIT
-- pg._alone(experiment, state): what a run without a batch says at its end: its metrics, tables that are small, and the
-- page it wrote into its folder.
local pg = ...
local html = pg._html
local result = pg._result
local system = pg._system

local MOST_METRICS, MOST_ROWS, MOST_COLUMNS = 20, 12, 8

local function show_metrics(state)
  local width = 0
  for i, name in ipairs(state.metric_names) do
    if i <= MOST_METRICS then width = math.max(width, utf8.len(name) or #name) end
  end
  for i, name in ipairs(state.metric_names) do
    if i > MOST_METRICS then
      print(("  ... and %d more"):format(#state.metric_names - MOST_METRICS))
      break
    end
    local m = state.metrics[name]
    local report = m.record.report ~= nil and "  (report: " .. html.value(m.record.report) .. ")" or ""
    print(("  %s%s  %s%s"):format(name, (" "):rep(width - (utf8.len(name) or #name)), html.value(m.value), report))
  end
end

local function show_table(record)
  if #record.rows > MOST_ROWS or #record.columns > MOST_COLUMNS then return end
  local cells, widths, numeric = {record.columns}, {}, {}
  for i, row in ipairs(record.rows) do
    cells[i + 1] = {}
    for j = 1, #record.columns do
      numeric[j] = numeric[j] or type(row[j]) == "number"
      cells[i + 1][j] = row[j] == nil and "" or html.value(row[j])
    end
  end
  for _, row in ipairs(cells) do
    for j, text in ipairs(row) do widths[j] = math.max(widths[j] or 0, utf8.len(text) or #text) end
  end
  print("\n" .. record.name)
  for _, row in ipairs(cells) do
    local parts = {}
    for j, text in ipairs(row) do
      local space = (" "):rep(widths[j] - (utf8.len(text) or #text))
      parts[j] = numeric[j] and space .. text or text .. space
    end
    print(("  " .. table.concat(parts, "  "):gsub("%s+$", "")))
  end
end

return function(experiment, state)
  show_metrics(state)
  for _, record in ipairs(state.records) do
    if record.kind == "table" then show_table(record) end
  end
  local job = {name = experiment.name, script = state.script, dir = experiment.dir, settings = {}, order = {},
    seconds = pg.clock() - state.clock, result = result.read(experiment.dir)}
  local path = experiment.dir .. "/index.html"
  local ok, why = pcall(function() system.write(path, pg._report({jobs = {job}}, true)) end)
  local figures = 0
  for _, record in ipairs(state.records) do figures = figures + (record.kind == "figure" and 1 or 0) end
  print(("%s: %d figure%s, %d metric%s"):format(path, figures, figures == 1 and "" or "s", #state.metric_names,
    #state.metric_names == 1 and "" or "s"))
  if not ok then io.stderr:write("perigee: ", tostring(why), "\n") end
end
