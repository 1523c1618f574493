-- SPDX-License-Identifier: MIT
-- pg._html: text as HTML. Whatever comes from a script or its output goes through escape().
local pg = ...
local json = pg._json

local html = {}

local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;"}

function html.escape(text)
  return (json.utf8(tostring(text)):gsub("[%z\1-\8\11\12\14-\31\127]", "\u{FFFD}"):gsub("[&<>\"']", ESCAPES))
end
local escape = html.escape

-- A number as a reader wants it; words stand for what is not finite.
function html.value(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if type(value) == "number" then return (pg._format("%.6g", value)) end
  return tostring(value)
end

-- Replaces each [label](target) by what f gives for it. Looks for the middle, since text may hold any number of
-- brackets that are opened and nothing else.
local function links(text, f)
  local out, from, at = {}, 1, 1
  while true do
    local middle = text:find("](", at, true)
    if middle == nil then break end
    local label = text:sub(at, middle - 1):match("%[([^%[]*)$")
    local target = text:sub(middle + 2, middle + 1000):match("^[^%s()%[%]]+%)")
    local new = label and target and f(label, target:sub(1, -2))
    if new then
      out[#out + 1] = text:sub(from, middle - #label - 2) .. new
      from = middle + 2 + #target
    end
    at = new and from or middle + 2
  end
  out[#out + 1] = text:sub(from)
  return table.concat(out)
end

-- Emphasis, code and links within a line. Code is set aside first, so that nothing in it is read.
local function inline(text)
  local kept = {}
  local function keep(piece)
    kept[#kept + 1] = piece
    return "\1" .. #kept .. "\2"
  end
  text = text:gsub("[\1\2]", "")
  text = text:gsub("`([^`]+)`", function(code) return keep("<code>" .. escape(code) .. "</code>") end)
  text = links(text, function(label, target)
    if not (target:find("^https?://") or target:find("^#")) then return nil end
    return keep('<a href="' .. escape(target) .. '">' .. escape(label) .. "</a>")
  end)
  text = text:gsub("[^\1\2]+", function(piece)
    return escape(piece)
  end)
  text = text:gsub("%*%*([^*]+)%*%*", "<strong>%1</strong>"):gsub("%*([^*%s][^*]*)%*", "<em>%1</em>")
  return (text:gsub("\1(%d+)\2", function(i) return kept[tonumber(i)] end))
end

-- The common part of Markdown: paragraphs, headings, lists, fenced code, emphasis, code, links.
function html.markdown(text)
  local out, paragraph, list, fence = {}, {}, nil, nil
  local function close()
    if #paragraph > 0 then
      out[#out + 1] = "<p>" .. inline(table.concat(paragraph, "\n")) .. "</p>"
      paragraph = {}
    end
    if list then
      out[#out + 1] = "</" .. list .. ">"
      list = nil
    end
  end
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local marks, heading = line:match("^%s*(#+)%s+(.*)$")
    local bullet = line:match("^%s*[-*+]%s+(.*)$")
    local item = bullet or line:match("^%s*%d+[.)]%s+(.*)$")
    if fence then
      if line:find("^%s*```") then
        out[#out + 1] = "<pre>" .. escape(table.concat(fence, "\n")) .. "</pre>"
        fence = nil
      else
        fence[#fence + 1] = line
      end
    elseif line:find("^%s*```") then
      close()
      fence = {}
    elseif heading then
      close()
      local level = math.min(#marks + 3, 6)
      out[#out + 1] = ("<h%d>%s</h%d>"):format(level, inline(heading), level)
    elseif item then
      local kind = bullet and "ul" or "ol"
      if list ~= kind then
        close()
        out[#out + 1] = "<" .. kind .. ">"
        list = kind
      end
      out[#out + 1] = "<li>" .. inline(item) .. "</li>"
    elseif not line:find("%S") then
      close()
    else
      if list then close() end
      paragraph[#paragraph + 1] = line
    end
  end
  if fence then out[#out + 1] = "<pre>" .. escape(table.concat(fence, "\n")) .. "</pre>" end
  close()
  return table.concat(out, "\n")
end

-- A table: headings, and rows of values. Numbers stand to the right.
function html.table(columns, rows, class)
  local out = {'<div class="wide"><table' .. (class and ' class="' .. class .. '"' or "") .. "><thead><tr>"}
  local numeric = {}
  for j, head in ipairs(columns) do
    for _, row in ipairs(rows) do numeric[j] = numeric[j] or type(row[j]) == "number" end
    out[#out + 1] = (numeric[j] and '<th class="n">' or "<th>") .. escape(head) .. "</th>"
  end
  out[#out + 1] = "</tr></thead><tbody>"
  for _, row in ipairs(rows) do
    out[#out + 1] = "<tr>"
    for j = 1, #columns do
      local cell = row[j]
      out[#out + 1] = (numeric[j] and '<td class="n">' or "<td>") ..
        escape(cell == nil and "" or html.value(cell)) .. "</td>"
    end
    out[#out + 1] = "</tr>"
  end
  out[#out + 1] = "</tbody></table></div>"
  return table.concat(out)
end

return html
