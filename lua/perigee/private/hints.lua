-- SPDX-License-Identifier: MIT
-- pg._hints(text) -> sentence or nil: what to write instead, for text that Lua refuses and another language would take.
local pg = ...
local lexer = pg._lexer

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

-- Names that another language has and Lua has not.
local NAMES = {
  None = "None is nil here", null = "null is nil here", True = "True is true here", False = "False is false here",
  len = "the length of x is #x", np = "pg has what np has: pg.zeros, pg.linspace, ...",
  numpy = "pg has what numpy has: pg.zeros, pg.linspace, ...",
  torch = "pg has arrays and models: pg.zeros, pg.lstm, ...",
  range = "a counting loop is `for i = 1, n do`; an array is pg.range(1, n)", str = "the text of x is tostring(x)",
  int = "the whole part of x is x // 1", float = "the number in a text is tonumber(x)",
  disp = "to show x, write x", exit = "to leave, press Ctrl-D", quit = "to leave, press Ctrl-D",
  help = "help is ?name, such as ?pg.svd",
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

-- For an error while running: a global that another language has.
function hints.runtime(message)
  local name = message:match("global '([%w_]+)'")
  return name and NAMES[name]
end

return hints
