-- SPDX-License-Identifier: MIT
-- The chapters of the guide and what runs in them. A block "```lua" is run, those of a chapter one after another as
-- at the prompt; "```output" behind it is what it prints; "```lua figure=NAME" ends in a figure, whose picture the site
-- shows; "```lua norun" is only read. "```c file=NAME" is a file that tests compile.
local pg = require "perigee"

local book = {}

local FOLDER = (arg and arg[0] or ""):match("^(.*)/guide/") or "."

local ORDER = {"start", "arrays", "plots", "experiments", "models", "nets", "cluster", "notebooks", "embedding",
  "sandbox", "random", "performance"}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end
book.read = read

-- {name=, title=, parts = {{kind = "text" or a block's language, words = {...}, text=, line=}}}
local function parse(name)
  local parts, lines, kind, words, first, number = {}, {}, "text", {}, 1, 0
  local function close()
    if #lines > 0 then
      parts[#parts + 1] = {kind = kind, words = words, text = table.concat(lines, "\n"), line = first}
    end
    lines = {}
  end
  local text = read(("%s/guide/%s.md"):format(FOLDER, name))
  for line in (text):gmatch("(.-)\n") do
    number = number + 1
    local fence = line:match("^```(.*)$")
    if fence and kind == "text" then
      close()
      kind, words, first = fence:match("^%a*"), {}, number + 1
      if kind == "" then kind = "plain" end
      for word in fence:gmatch("%S+") do
        local key, value = word:match("^(%w+)=(.*)$")
        words[key or word] = value or true
      end
    elseif fence then
      if #lines == 0 then lines = {""} end
      close()
      kind, words, first = "text", {}, number + 1
    else
      lines[#lines + 1] = line
    end
  end
  close()
  return {name = name, title = text:match("^# ([^\n]*)"), parts = parts}
end

function book.chapters()
  local list = {}
  for i, name in ipairs(ORDER) do list[i] = parse(name) end
  return list
end

local function squeezed(text) return (text:gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("%s+$", "")) end

-- Runs a chapter. `images` is the folder for its pictures, nil for none. Returns a list of sentences on what is not as
-- it is written.
function book.run(chapter, images)
  local faults, printed = {}, {}
  local environment = pg._repl.environment
  for key in next, environment do rawset(environment, key, nil) end
  rawset(environment, "pg", pg)
  rawset(environment, "print", function(...)
    local texts = table.pack(...)
    for i = 1, texts.n do texts[i] = tostring(texts[i]) end
    printed[#printed + 1] = table.concat(texts, "\t", 1, texts.n)
  end)
  local function fault(part, ...)
    faults[#faults + 1] = ("guide/%s.md:%d: %s"):format(chapter.name, part.line, (...))
  end
  local last
  for _, part in ipairs(chapter.parts) do
    if part.kind == "lua" and not part.words.norun then
      printed, last = {}, part
      local f, why = pg._repl.compile(pg._last_value(part.text) or part.text, "=guide")
      local ok, value = false, why
      if f then ok, value = pcall(f) end
      if not ok then
        fault(part, tostring(value))
      elseif part.words.figure then
        if type(value) ~= "table" or not value.pixels then
          fault(part, "it ends in no figure")
        elseif images then
          value:save(images .. "/" .. part.words.figure .. ".png")
        else
          value:pixels()
        end
      elseif value ~= nil and #printed == 0 then
        printed[1] = pg._pretty(value)
      end
    elseif part.kind == "output" then
      local got = table.concat(printed, "\n")
      if squeezed(got) ~= squeezed(part.text) then fault(last or part, "it prints\n" .. got) end
    end
  end
  for key in next, environment do rawset(environment, key, nil) end
  return faults
end

-- Marks that the plots' chapter does not show.
function book.unseen_marks(chapters)
  local list = {}
  for _, mark in ipairs(pg._plot_marks) do
    local seen = false
    for _, chapter in ipairs(chapters) do
      for _, part in ipairs(chapter.parts) do
        seen = seen or part.words.figure and part.text:find(":" .. mark.name .. "%f[^%w_]") ~= nil
      end
    end
    if not seen then list[#list + 1] = mark.name end
  end
  return list
end

return book
