-- SPDX-License-Identifier: MIT
-- pg._last_value(text) -> text or nil: the same statements with `return` before the expression they end in, such as
-- "y = y + 1; return y", for the prompt and a notebook. Lua has no word for where a statement begins, so places where
-- one may are tried, from the end.
local pg = ...
local lexer = pg._lexer

-- Statements that are tried, and tokens before which one may begin in the middle of a line.
local MOST = 100
local ENDS = {[";"] = true, ["end"] = true, ["then"] = false}

return function(text)
  local whole = load(text, "=text", "t") ~= nil
  local tokens = {}
  for _, token in ipairs(lexer.tokens(text)) do
    if token.kind ~= "comment" then tokens[#tokens + 1] = token end
  end
  while tokens[#tokens] and tokens[#tokens].text == ";" do tokens[#tokens] = nil end
  if #tokens == 0 then return nil end
  local tail_end, tried = tokens[#tokens].last, 0
  for i = #tokens, 2, -1 do
    local token, before = tokens[i], tokens[i - 1]
    if ENDS[before.text] or text:find("\n", before.last + 1, true) and
      text:find("\n", before.last + 1, true) < token.first or text:find("^[%w_%)%]}\"']%s+[%a_]", before.last) then
      tried = tried + 1
      if tried > MOST then return nil end
      local tail = text:sub(token.first, tail_end)
      -- Where all is statements already only a call at the end has a value to give.
      local fits = load("return " .. tail, "=text", "t") and
        (not whole or token.kind == "name" and load(tail, "=text", "t"))
      if fits then
        local changed = text:sub(1, token.first - 1) .. "return " .. text:sub(token.first)
        if load(text:sub(1, token.first - 1), "=text", "t") and load(changed, "=text", "t") then return changed end
      end
    end
  end
  return nil
end
