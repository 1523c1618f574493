-- SPDX-License-Identifier: MIT
-- pg._lexer: Lua text as tokens, for the prompt: what is a string, where a statement begins. It accepts anything; what
-- it cannot read is a token of kind "other".
local lexer = {}

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end
lexer.keywords = KEYWORDS

-- The end of a short string that begins at `at`; nil when it has none.
local function short_string(text, at)
  local quote, i = text:sub(at, at), at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then return i end
    if c == "\n" then return nil end
    i = i + (c == "\\" and 2 or 1)
  end
end

-- Tokens in order: {kind, text, first, last, open}. Kinds: name, keyword, number, string, comment, operator, other.
-- `open` marks a string or comment without an end.
function lexer.tokens(text)
  local list, at = {}, 1
  local function add(kind, last, open)
    list[#list + 1] = {kind = kind, text = text:sub(at, last), first = at, last = last, open = open}
    at = last + 1
  end
  while true do
    at = text:find("%S", at)
    if at == nil then return list end
    local c = text:sub(at, at)
    local bars = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    if bars then
      local _, last = text:find("]" .. bars .. "]", at, true)
      add(c == "-" and "comment" or "string", last or #text, last == nil)
    elseif text:find("^%-%-", at) then
      add("comment", (text:find("\n", at, true) or #text + 1) - 1)
    elseif c == '"' or c == "'" then
      local last = short_string(text, at)
      add("string", last or (text:find("\n", at, true) or #text + 1) - 1, last == nil)
    elseif c:find("[%a_]") then
      local word = text:match("^[%w_]+", at)
      add(KEYWORDS[word] and "keyword" or "name", at + #word - 1)
    elseif text:find("^%.?%d", at) then
      local word = text:match("^0[xX][%x.]*[pP]?[+-]?%d*", at) or text:match("^[%d.]+[eE][+-]?%d+", at)
        or text:match("^%d+%.%.", at) and text:match("^%d+", at) or text:match("^[%d.]+", at)
      add("number", at + #word - 1)
    else
      local op = text:match("^%.%.%.?", at) or text:match("^[=~<>]=", at) or text:match("^([/:<>])%1", at)
      op = op and #op == 1 and op .. op or op
      if op == nil and c:find("[%+%-*/%%^#&~|<>=(){}%[%];:,.]") then op = c end
      add(op and "operator" or "other", at + #(op or c) - 1)
    end
  end
end

-- The same text with each `local` at top level turned into an assignment, so that what it names outlives the text, and
-- the names it declares. Every line stays where it is. A <close> variable stays local: it belongs to its block.
function lexer.keep_locals(text)
  local tokens = {}
  for _, token in ipairs(lexer.tokens(text)) do
    if token.kind ~= "comment" then tokens[#tokens + 1] = token end
  end
  local names, edits, depth = {}, {}, 0
  local function blank(first, last, with)
    edits[#edits + 1] = {first, last, with}
  end
  local i = 1
  while i <= #tokens do
    local token = tokens[i]
    local word = token.kind == "keyword" and token.text
    if word == "function" or word == "do" or word == "if" or word == "repeat" then
      depth = depth + 1
    elseif word == "end" or word == "until" then
      depth = depth - 1
    elseif word == "local" and depth == 0 and tokens[i + 1] then
      if tokens[i + 1].text == "function" then
        if tokens[i + 2] and tokens[i + 2].kind == "name" then
          names[#names + 1] = tokens[i + 2].text
          blank(token.first, token.last)
        end
      else
        local found, attributes, closes, k = {}, {}, false, i + 1
        while tokens[k] and tokens[k].kind == "name" do
          found[#found + 1] = tokens[k].text
          k = k + 1
          if tokens[k] and tokens[k].text == "<" and tokens[k + 2] and tokens[k + 2].text == ">" then
            closes = closes or tokens[k + 1].text == "close"
            attributes[#attributes + 1] = {tokens[k].first, tokens[k + 2].last}
            k = k + 3
          end
          if not (tokens[k] and tokens[k].text == ",") then break end
          k = k + 1
        end
        if #found > 0 and not closes then
          blank(token.first, token.last)
          for _, span in ipairs(attributes) do blank(span[1], span[2]) end
          table.move(found, 1, #found, #names + 1, names)
          if not (tokens[k] and tokens[k].text == "=") then
            local last = tokens[k - 1].last
            edits[#edits + 1] = {last + 1, last, "=nil;"}
          end
          i = k - 1
        end
      end
    end
    i = i + 1
  end
  table.sort(edits, function(a, b) return a[1] < b[1] end)
  local parts, from = {}, 1
  for _, edit in ipairs(edits) do
    parts[#parts + 1] = text:sub(from, edit[1] - 1)
    parts[#parts + 1] = edit[3] or text:sub(edit[1], edit[2]):gsub("[^\n]", " ")
    from = edit[2] + 1
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts), names
end

return lexer
