-- SPDX-License-Identifier: MIT
-- pg._mime(value) -> data, metadata: a value in the forms a notebook shows: text always, HTML of arrays and of tables
-- that have rows or columns, PNG of figures and pictures.
local pg = ...
local args = pg._args
local html = pg._html
local pretty = pg._pretty

local MOST_ROWS, MOST_COLUMNS = 60, 30

local mime = {}

-- data, metadata of pixels h x w, h x w x 3 or x 4.
function mime.picture(pixels, text)
  local height, width = pixels:dims()
  local size = {width = width, height = height}
  -- What is small is seen as squares.
  if width < 64 and height < 64 then
    local scale = 256 // math.max(width, height)
    size = {width = width * scale, height = height * scale}
  end
  return {["image/png"] = pg._system.base64(pg.image._png(pixels)), ["text/plain"] = text}, {["image/png"] = size}
end

-- The cells of an array are those of its text, so that a number is written here as it is there.
local function array_html(a)
  if a.ndim < 1 or a.ndim > 2 or a.size == 0 then return nil end
  local text = pg.tostring(a, {width = 200})
  local out = {"<table>"}
  for line in text:gmatch("[^\n]+") do
    if line:find("^%[") then
      out[#out + 1] = ("</table><small>%s</small>"):format(html.escape(line:sub(2, -2)))
    else
      out[#out + 1] = "<tr>"
      for cell in line:gmatch("%S+") do
        out[#out + 1] = ('<td style="text-align:right">%s</td>'):format(cell == "..." and "\u{2026}" or
          html.escape(cell))
      end
      out[#out + 1] = "</tr>"
    end
  end
  return table.concat(out)
end

local function is_plain(v)
  return type(v) == "table" and getmetatable(v) == nil
end

local function is_scalar(v)
  return type(v) == "number" or type(v) == "string" or type(v) == "boolean"
end

local function length(v)
  if args.is_array(v) then return v.ndim == 1 and #v or nil end
  if not is_plain(v) or #v == 0 then return nil end
  for i = 1, #v do
    if not is_scalar(v[i]) then return nil end
  end
  return #v
end

local function names_of(t)
  local names = {}
  for name in next, t do
    if type(name) ~= "string" then return nil end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- A list of lists, or of tables with the same names.
local function rows_of(t)
  if not is_plain(t) or #t < 2 or names_of(t) then return nil end
  local columns, rows, named = {}, {}, is_plain(t[1]) and #t[1] == 0
  if named then columns = names_of(t[1]) end
  if not columns then return nil end
  for i = 1, math.min(#t, MOST_ROWS) do
    local row = {}
    if not is_plain(t[i]) then return nil end
    for k = 1, named and #columns or #t[i] do
      local v = t[i][named and columns[k] or k]
      if not is_scalar(v) then return nil end
      row[k] = v
      if not named then columns[k] = columns[k] or tostring(k) end
    end
    rows[i] = row
  end
  return columns, rows, #t
end

-- A table of columns of one length.
local function columns_of(t)
  local names = is_plain(t) and names_of(t)
  if not names or #names < 2 then return nil end
  local n = length(t[names[1]])
  for _, name in ipairs(names) do
    if n == nil or length(t[name]) ~= n then return nil end
  end
  local rows = {}
  for i = 1, math.min(n, MOST_ROWS) do
    rows[i] = {}
    for k, name in ipairs(names) do rows[i][k] = t[name][i] end
  end
  return names, rows, n
end

local function table_html(t)
  local columns, rows, n = rows_of(t)
  if not columns then columns, rows, n = columns_of(t) end
  if not columns or #columns == 0 or #columns > MOST_COLUMNS then return nil end
  return html.table(columns, rows) .. (n > #rows and ("<small>%d rows, the first %d</small>"):format(n, #rows) or "")
end

function mime.bundle(value)
  local text = pretty(value)
  if type(value) == "table" then
    local ok, pixels = pcall(function() return value.pixels and value:pixels() end)
    if ok and args.is_array(pixels) then return mime.picture(pixels, text) end
  end
  local ok, markup = pcall(args.is_array(value) and array_html or table_html, value)
  return {["text/plain"] = text, ["text/html"] = ok and markup or nil}, {}
end

return mime
