-- SPDX-License-Identifier: MIT
-- `perigee guide/site.lua DIR`: the guide, the C interface and an index that a search box looks into, as pages that
-- need no server and fetch nothing. `make docs` writes the reference beside them.
local pg = require "perigee"
local book = dofile((arg[0]:match("^(.*/)") or "./") .. "book.lua")
local html = pg._html
local lexer = pg._lexer

local DIR = arg[1] or "build/docs"
local FOLDER = arg[0]:match("^(.*)/guide/") or "."

local STYLE = [[
:root{color-scheme:light dark;--bg:#fff;--fg:#1d1f24;--dim:#626873;--line:#dde0e6;--soft:#f5f6f9;--link:#0b57b0;
--word:#8a2f9e;--string:#1d7a36;--number:#a8500b}
@media(prefers-color-scheme:dark){:root{--bg:#15171b;--fg:#e4e6ea;--dim:#9aa1ad;--line:#343840;--soft:#1e2126;
--link:#7db4ff;--word:#d59bea;--string:#7fd08f;--number:#eca665}img{filter:brightness(.92)}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16.5px/1.6 system-ui,sans-serif;
display:grid;grid-template-columns:17rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.2rem 1rem;border-right:1px solid var(--line);
font-size:.95em}
nav ol{list-style:none;margin:.8rem 0;padding:0}
nav li{margin:.15rem 0}nav ol ol{margin:.1rem 0 .3rem .9rem;font-size:.92em}
nav b a{color:var(--fg)}main{max-width:50rem;padding:1.2rem 2rem 5rem;min-width:0}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
h1{font-size:1.8rem;margin:.4rem 0 1rem}h2{font-size:1.3rem;margin:2.2rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font-size:1.08rem;margin:1.6rem 0 .4rem}
code,pre{font:.86em/1.5 ui-monospace,monospace}code{background:var(--soft);padding:.1em .25em;border-radius:3px}
pre{background:var(--soft);padding:.7em 1em;overflow:auto;border-radius:6px;margin:.7rem 0}pre code{padding:0}
pre.output{background:none;border-left:3px solid var(--line);border-radius:0;color:var(--dim);margin-top:-.3rem}
.k{color:var(--word)}.s{color:var(--string)}.c{color:var(--dim);font-style:italic}.d{color:var(--number)}
img{max-width:100%;height:auto;border-radius:4px;background:#fff}
table{border-collapse:collapse;display:block;overflow-x:auto}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);
text-align:left;vertical-align:top}
input{font:inherit;width:100%;padding:.4rem .6rem;color:inherit;background:var(--soft);border:1px solid var(--line);
border-radius:5px}#found{list-style:none;padding:0;margin:.4rem 0;font-size:.92em}#found li{margin:.4rem 0}
#found small{color:var(--dim);display:block;line-height:1.3}.next{margin-top:3rem;color:var(--dim)}
@media(max-width:48rem){body{display:block}nav{position:static;height:auto;border-right:0;
border-bottom:1px solid var(--line)}nav details:not([open])>ol{display:none}main{padding:1rem}}
@media print{nav,.next{display:none}body{display:block}main{max-width:none;padding:0}pre{white-space:pre-wrap}}
]]

local SCRIPT = [==[
(function(){var box=document.getElementById("search"),list=document.getElementById("found");
function show(){var words=box.value.toLowerCase().split(/\s+/).filter(Boolean);list.innerHTML="";
if(!words.length)return;var hits=[];
INDEX.forEach(function(e,i){var title=e[0].toLowerCase(),text=title+" "+e[2].toLowerCase(),score=0;
if(!words.every(function(w){return text.indexOf(w)>=0;}))return;
words.forEach(function(w){var tail=title.split(/[.:]/).pop();
score+=title===w||tail===w?9:title.indexOf(w)===0?5:title.indexOf(w)>=0?3:1;});hits.push([score,i]);});
hits.sort(function(a,b){return b[0]-a[0]||a[1]-b[1];});
hits.slice(0,24).forEach(function(h){var e=INDEX[h[1]],li=document.createElement("li"),a=document.createElement("a"),
s=document.createElement("small"),t=e[2],at=t.toLowerCase().indexOf(words[0]);
a.href=e[1];a.textContent=e[0];at=Math.max(0,at-40);s.textContent=(at?"\u2026":"")+t.slice(at,at+110);
li.append(a,s);list.append(li);});
if(!hits.length){var none=document.createElement("li");none.textContent="nothing has these words";list.append(none);}}
box.addEventListener("input",show);
document.addEventListener("keydown",function(e){if(e.key==="/"&&document.activeElement!==box){e.preventDefault();
box.focus();}
if(e.key==="Enter"&&document.activeElement===box){var a=list.querySelector("a");if(a)location.href=a.href;}});
if(box.value)show();})();
]==]

-- ---- Markdown --------------------------------------------------------------------------------

local function slug(text)
  return (text:lower():gsub("`", ""):gsub("[^%w]+", "-"):gsub("^%-", ""):gsub("%-$", ""))
end

local function inline(text)
  local kept = {}
  local function keep(piece)
    kept[#kept + 1] = piece
    return "\1" .. #kept .. "\2"
  end
  text = text:gsub("`([^`]+)`", function(code) return keep("<code>" .. html.escape(code) .. "</code>") end)
  text = text:gsub("%[([^%]]+)%]%(([^)%s]+)%)", function(label, target)
    target = target:gsub("%.md", ".html")
    return keep('<a href="' .. html.escape(target) .. '">') .. label .. keep("</a>")
  end)
  text = text:gsub("[^\1\2]+", function(piece) return html.escape(piece) end)
  text = text:gsub("%*%*([^*]+)%*%*", "<strong>%1</strong>"):gsub("%*([^*%s][^*]*)%*", "<em>%1</em>")
  return (text:gsub("\1(%d+)\2", function(i) return kept[tonumber(i)] end))
end

-- Paragraphs, headings, lists and tables of a text; heading(level, text, id) hears of each heading.
local function markdown(text, heading)
  local out, lines, list, row = {}, {}, nil, 0
  local function close()
    if #lines > 0 then out[#out + 1] = "<p>" .. inline(table.concat(lines, "\n")) .. "</p>" end
    if list then out[#out + 1] = list == "table" and "</tbody></table>" or "</li></" .. list .. ">" end
    lines, list, row = {}, nil, 0
  end
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local marks, title = line:match("^(#+) (.*)$")
    local bullet, number = line:match("^[-*] (.*)$"), line:match("^%d+%. (.*)$")
    if marks then
      close()
      local id = slug(title)
      heading(#marks, title, id)
      out[#out + 1] = ('<h%d id="%s">%s</h%d>'):format(#marks, id, inline(title), #marks)
    elseif line:find("^|") then
      if list ~= "table" then
        close()
        list = "table"
        out[#out + 1] = "<table><tbody>"
      end
      row = row + 1
      if not line:find("^|[-| ]+$") then
        local cells, tag = {}, row == 1 and "th" or "td"
        local plain = line:gsub("`[^`]*`", function(code) return code:gsub("|", "\3") end)
        for cell in plain:sub(2):gmatch("%s*(.-)%s*|") do
          cells[#cells + 1] = ("<%s>%s</%s>"):format(tag, inline((cell:gsub("\3", "|"))), tag)
        end
        out[#out + 1] = "<tr>" .. table.concat(cells) .. "</tr>"
      end
    elseif bullet or number then
      local kind = bullet and "ul" or "ol"
      if list ~= kind then
        close()
        list = kind
        out[#out + 1] = "<" .. kind .. "><li>" .. inline(bullet or number)
      else
        out[#out + 1] = "</li><li>" .. inline(bullet or number)
      end
    elseif list and list ~= "table" and line:find("^  %S") then
      out[#out + 1] = "\n" .. inline(line)
    elseif not line:find("%S") then
      close()
    else
      if list then close() end
      lines[#lines + 1] = line
    end
  end
  close()
  return table.concat(out, "\n")
end

local CLASSES = {keyword = "k", string = "s", comment = "c", number = "d"}

local function colored(text)
  local out, at = {}, 1
  for _, token in ipairs(lexer.tokens(text)) do
    out[#out + 1] = html.escape(text:sub(at, token.first - 1))
    local class = CLASSES[token.kind]
    local piece = html.escape(text:sub(token.first, token.last))
    out[#out + 1] = class and ('<span class="%s">%s</span>'):format(class, piece) or piece
    at = token.last + 1
  end
  out[#out + 1] = html.escape(text:sub(at))
  return table.concat(out)
end

-- ---- pages -----------------------------------------------------------------------------------

local index = {}

local function plain(text)
  return (text:gsub("[`*#|]", ""):gsub("%]%([^)]*%)", ""):gsub("%[", ""):gsub("%s+", " "))
end

local chapters = book.chapters()

local function navigation(current, headings)
  local out = {'<nav><b><a href="start.html">Perigee ', html.escape(pg.info().perigee), "</a></b>",
    '<p><input id="search" type="search" placeholder="search  ( / )" aria-label="search"></p><ol id="found"></ol><ol>'}
  local function add(target, title)
    out[#out + 1] = ('<li><a href="%s.html">%s</a>'):format(target, html.escape(title))
    if target == current and #headings > 0 then
      out[#out + 1] = "<ol>"
      for _, h in ipairs(headings) do
        out[#out + 1] = ('<li><a href="#%s">%s</a></li>'):format(h.id, inline(h.title))
      end
      out[#out + 1] = "</ol>"
    end
    out[#out + 1] = "</li>"
  end
  for _, chapter in ipairs(chapters) do add(chapter.name, chapter.title) end
  add("c-api", "The C interface")
  add("reference", "Reference")
  out[#out + 1] = "</ol></nav>"
  return table.concat(out)
end

local function write_page(name, title, body, headings)
  pg._system.write(("%s/%s.html"):format(DIR, name), table.concat{
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n<title>',
    html.escape(title), " \u{2013} Perigee</title>\n<style>\n", STYLE, "</style></head>\n<body>\n",
    navigation(name, headings), "\n<main>\n", body, '\n</main>\n<script src="search.js"></script><script>', SCRIPT,
    "</script>\n</body></html>\n"})
end

local function write_chapter(chapter, after)
  local out, headings, section = {}, {}, nil
  local function heading(level, title, id)
    if level == 2 then headings[#headings + 1] = {title = title, id = id} end
  end
  local function note(text)
    for line in (text .. "\n"):gmatch("(.-)\n") do
      local marks, title = line:match("^(#+) (.*)$")
      if marks then
        section = {plain(title), chapter.name .. ".html" .. (#marks > 1 and "#" .. slug(title) or ""), {}}
        index[#index + 1] = section
      elseif line:find("%w") then
        table.insert(section[3], plain(line))
      end
    end
  end
  for _, part in ipairs(chapter.parts) do
    if part.kind == "text" then
      out[#out + 1] = markdown(part.text, heading)
    elseif part.kind == "output" then
      out[#out + 1] = '<pre class="output">' .. html.escape(part.text) .. "</pre>"
    else
      out[#out + 1] = "<pre><code>" .. (part.kind == "lua" and colored(part.text) or html.escape(part.text)) ..
        "</code></pre>"
    end
    if part.words.figure then
      out[#out + 1] = ('<p><img src="images/%s.png" alt="%s" loading="lazy"></p>'):format(part.words.figure,
        part.words.figure)
    end
    note(part.kind == "text" and part.text or part.text:gsub("\n#", "\n #"))
  end
  if after then
    out[#out + 1] = ('<p class="next">Next: <a href="%s.html">%s</a></p>'):format(after.name, html.escape(after.title))
  end
  write_page(chapter.name, chapter.title, table.concat(out, "\n"), headings)
end

-- The C interface from its header: a comment and the declaration behind it.
local function write_header()
  local text = book.read(FOLDER .. "/src/perigee.h")
  local out = {"<h1>The C interface</h1>", "<p>What <code>perigee.h</code> declares. <a href=\"embedding.html\">" ..
    "Embedding in C</a> shows it at work.</p>"}
  text = text:match("extern \"C\" {\n#endif\n(.*)#ifdef __cplusplus") or text
  for comment, code in text:gmatch("/%*(.-)%*/\n([^\n].-;?)\n\n") do
    local prose = comment:gsub("\n%s*%*", "\n"):gsub("%s+", " ")
    local name = code:match("(peri_%w+)%(") or code:match("(luaopen_%w+)%(") or code:match("}%s*(peri_%w+);")
    if name then
      index[#index + 1] = {name, "c-api.html#" .. name, {prose}}
      out[#out + 1] = ('<h3 id="%s"><code>%s</code></h3>'):format(name, name)
    end
    out[#out + 1] = "<pre><code>" .. html.escape((code:gsub("PERI_API ", ""))) .. "</code></pre><p>" ..
      html.escape(prose) .. "</p>"
  end
  write_page("c-api", "The C interface", table.concat(out, "\n"), {})
end

pg._system.mkdirs(DIR .. "/images")
local faults = {}
for i, chapter in ipairs(chapters) do
  table.move(book.run(chapter, DIR .. "/images"), 1, 1000, #faults + 1, faults)
  write_chapter(chapter, chapters[i + 1])
end
write_header()
for _, entry in ipairs(pg._help.entries()) do
  index[#index + 1] = {entry.name, "reference.html#" .. entry.name, {plain(entry.text)}}
end
local rows = {}
for i, entry in ipairs(index) do
  local row = pg._json.encode(pg._json.list{entry[1], entry[2], table.concat(entry[3], " ")})
  rows[i] = row:gsub("%s*$", ""):gsub("</", "<\\/")
end
pg._system.write(DIR .. "/search.js", "var INDEX=[" .. table.concat(rows, ",\n") .. "];\n")
pg._system.write(DIR .. "/index.html",
  '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=start.html">' ..
  '<title>Perigee</title><a href="start.html">Perigee</a>\n')
for _, fault in ipairs(faults) do io.stderr:write(fault, "\n") end
print(("%s/index.html: %d chapters, %d entries in the index"):format(DIR, #chapters, #index))
os.exit(#faults == 0 and 0 or 1, true)
