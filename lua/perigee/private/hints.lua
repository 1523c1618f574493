-- SPDX-License-Identifier: MIT
-- pg._hints: what to write instead, for text that Lua refuses and another language would take, and for errors while
-- running. Names and their cures are in habits.lua. host/call.c and host/command/script.c ask for reports.
local pg = ...
local habits, lexer = pg._habits, pg._lexer

-- Lua patterns, tried in order on the text without its strings and comments. `sure` ones begin nothing that Lua takes,
-- so the prompt need not wait for more lines.
local HINTS = {
  {"!=", "not equal is written ~= here"},
  {"^%s*import%s+[%w_.]+", "no import is needed: pg is there, and `local x = require \"x\"` loads a Lua module"},
  {"^%s*from%s+[%w_.]+%s+import", "no import is needed: pg is there, and `local x = require \"x\"` loads a Lua module"},
  {"^%s*def%s+[%w_]+", "a function is written: function name(x) ... end"},
  {"%f[%w_]lambda%s[%w_,%s]*:", "a function without a name is written: function(x) return ... end", sure = true},
  {"^%s*for%s+[%w_]+%s+in%s+range.*:%s*$", "a counting loop is written: for i = 1, n do ... end", sure = true},
  {"^%s*for%s+[%w_]+%s*=%s*[%w_]+%s*:%s*[%w_]+", "a counting loop is written: for i = 1, n do ... end"},
  {"%f[%w_]elif%f[^%w_]", "elif is written elseif"},
  {"^%s*if%s+.*:%s*$", "a condition is written: if x then ... end", sure = true},
  {"^%s*if%s*.-{", "a condition is written: if x then ... end"},
  {"^%s*while%s+.*:%s*$", "a loop is written: while x do ... end", sure = true},
  {"^%s*try%s*:", "a call that may fail is written: local ok, result = pcall(f, x)"},
  {"([%w_.]+)%s*%+%+", "%1++ is written %1 = %1 + 1"},
  {"([%w_.]+)%s*([%+%-*/%%^])=%s*([^=;]+)", "%1 %2= %3 is written %1 = %1 %2 %3"},
  {"&&", "&& is written and; on 0/1 arrays it is &"},
  {"||", "|| is written or; on 0/1 arrays it is |"},
  {"([%w_%)]+)%s*%*%*%s*", "a power is written ^"},
  {"([%w_.]+)%s*@%s*([%w_.]+)", "the matrix product %1 @ %2 is written %1:dot(%2)"},
  {"([%w_]+)%s*%.([%*/^])%s*", "%2 is elementwise already; leave out the dot, and write :dot for the matrix product"},
  {"([%w_.]+)%[:%s*,%s*(%d+)%]", "%1[:,%2] is written %1:slice({}, %2); indices count from 1"},
  {"([%w_.]+)%[%s*(%-?%w+)%s*:%s*(%-?%w+)%s*%]",
    "%1[%2:%3] is written %1:slice({%2,%3}), both ends included, counted from 1"},
  {"([%w_.]+)%[[^%]]*:[^%]]*%]", "a part of %1 is written %1:slice({from, to}, ...); {} takes a whole axis"},
  {"([%w_.]+)%[%s*(%-?%w+)%s*,%s*(%-?%w+)%s*%]", "%1[%2,%3] is written %1(%2,%3)"},
  {"=%s*%[", "a list is written {1, 2, 3}, an array pg.array{1, 2, 3}"},
  {"^%s*%[", "a list is written {1, 2, 3}, an array pg.array{1, 2, 3}"},
  {"%(%s*%[", "a list is written {1, 2, 3}, an array pg.array{1, 2, 3}"},
  {"([%w_]+)'", "the transpose %1' is written %1.T"},
  {"^%s*print%s+[%w_]+", "print is a function: print(x)"},
  {"^%s*#", "a comment begins with --"},
  {"^%s*%%", "a comment begins with --"},
  {"^%s*//", "a comment begins with --"},
  {"!%s*[%w_(]", "not is written not x"},
}

local hints = {}

-- For text that does not compile, or (only_sure) that is not complete.
function hints.syntax(text, only_sure)
  local parts, from = {}, 1
  for _, token in ipairs(lexer.tokens(text)) do
    -- What Lua takes for floor division may be another language's comment, and ' may be a transpose.
    if (token.kind == "string" or token.kind == "comment") and not token.open then
      parts[#parts + 1] = text:sub(from, token.first - 1)
      parts[#parts + 1] = token.kind == "string" and '""' or ""
      from = token.last + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  local bare = table.concat(parts)
  for _, hint in ipairs(HINTS) do
    local found = {bare:find(hint[1])}
    if found[1] and (hint.sure or not only_sure) then
      return (hint[2]:gsub("%%(%d)", function(k)
        return (tostring(found[2 + tonumber(k)]):gsub("%s+$", ""))
      end))
    end
  end
end

-- Whether pg.NAME is there, without making anything but what is asked for.
local function pg_has(name)
  local ok, value = pcall(function() return pg[name] end)
  return ok and value ~= nil
end

-- What is written for a global that is not there, or nil.
function hints.global(name)
  local cure = habits.rows.global[name]
  if cure then return cure end
  if name:sub(1, 1) ~= "_" and name ~= "pg" and pg_has(name) then return ("write pg.%s"):format(name) end
  if name == "pg" then return "write local pg = require \"perigee\" before it" end
  return habits.cure("global", name)
end

-- For the message of an error while running.
function hints.runtime(message)
  local name = message:match("global '([%w_]+)'")
  if name and message:find("nil value", 1, true) then return hints.global(name) end
  name = message:match("attempt to call a %a+ value %(method '([%w_]+)'%)")
    or message:match("attempt to call a %a+ value %(field '([%w_]+)'%)")
  return name and habits.rows.call[name]
end

-- A traceback as a script's author can use it: without the frames of Perigee's own Lua files, and what they called.
local function user_frames(trace)
  local lines = {}
  for line in trace:gmatch("[^\n]+") do
    if line:find("^%s*perigee/[%w_/]+%.lua:") then
      while lines[#lines]:find("^%s*%[C%]: in ") do lines[#lines] = nil end
    else
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

-- The text that is shown for an error nobody caught: message, hint, traceback ("stack traceback:" and its lines).
function hints.report(message, trace)
  local hint = hints.runtime(message)
  return message .. (hint and "\nhint: " .. hint or "") .. "\n" .. user_frames(trace)
end

-- The same for text that does not compile; `text` is the whole source. What Lua stumbles over may stand a line before.
function hints.refused(message, text)
  local number, at, last = tonumber(message:match(":(%d+): ")), 0, ""
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    at = at + 1
    if at == number then
      local hint = hints.syntax(line) or hints.syntax(last, true)
      return hint and message .. "\nhint: " .. hint or message
    end
    if line:find("%S") then last = line end
  end
  return message
end

return hints
