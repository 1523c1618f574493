-- SPDX-License-Identifier: MIT
-- pg._plain(text) -> what a terminal would show of it, without colours: escape sequences are taken out whole, a
-- carriage return begins its line anew, a backspace takes a character back, other control characters go.
local pg = ...
local json = pg._json

local ESC = "\27"

return function(text)
  text = json.utf8(text):gsub("\u{9B}", ESC .. "["):gsub("\u{9D}", ESC .. "]"):gsub("\u{9C}", ESC .. "\\")
  -- Titles and links; a colour; what selects a character set; any other sequence of two. Then one that was cut off.
  text = text:gsub(ESC .. "[%]PX^_][^\7\27\n]*\7?", "")
    :gsub(ESC .. "%[[0-?]*[ -/]*[@-~]", "")
    :gsub(ESC .. "[ -/]+[0-~]", "")
    :gsub(ESC .. "%[[0-?]*[ -/]*", "")
    :gsub(ESC .. "[0-~]?", "")
  if text:find("\r", 1, true) then
    text = text:gsub("[^\n]+", function(line)
      local last = #line
      while line:byte(last) == 13 do last = last - 1 end
      return line:sub(1, last):match("^.*\r(.*)$") or line:sub(1, last)
    end)
  end
  for _ = 1, 200 do -- so many backspaces one after another
    local count
    text, count = text:gsub("[^\n\b][\128-\191]*\b", "")
    if count == 0 then break end
  end
  return (text:gsub("[%z\1-\8\11\12\14-\31\127]", ""):gsub("\u{80}[\128-\159]", ""))
end
