-- SPDX-License-Identifier: MIT
-- pg._repl.run(): the interactive prompt. Text runs in an environment of its own in front of _G, which holds what
-- `local` at top level declared, so that it stays for later lines. On a terminal results are shown by pretty.lua; where
-- input comes from a file or a pipe everything is as stock Lua's prompt has it.
local pg, core = ...
local help = pg._help
local hints = pg._hints
local lexer = pg._lexer
local pretty = pg._pretty
local system = pg._system

local repl = {}

local declared = {}

-- Variables of the prompt stand in the table itself; the rest is _G's.
local environment = setmetatable({}, {
  __index = _G,
  __newindex = function(t, name, value)
    if declared[name] then rawset(t, name, value) else _G[name] = value end
  end,
})
repl.environment = environment

-- Colours where both streams are a terminal's that has them, and NO_COLOR (no-color.org) does not forbid it.
local coloured = false

local function paint(code, text)
  return coloured and ("\27[%sm%s\27[0m"):format(code, text) or text
end

-- The first line of an error in red, a hint in yellow.
local function complain(message)
  io.stdout:flush()
  if coloured then
    message = message:gsub("^[^\n]+", function(line) return line:find("^hint: ") and line or paint("31", line) end, 1)
      :gsub("%f[^\n\0]hint: [^\n]+", function(line) return paint("33", line) end)
  end
  io.stderr:write(message, "\n")
  io.stderr:flush()
end

-- ---- compiling -------------------------------------------------------------------------------

-- A chunk and the names that it declares as a function of its own.
local function declaring(chunk, names)
  return function()
    for _, n in ipairs(names) do
      declared[n] = true
    end
    return chunk()
  end
end

-- The text as a function, or nil, the message and whether more text could complete it. results: the value of a last
-- expression is one.
local compile
function compile(text, name, results)
  local f, expression = load("return " .. text, name, "t", environment)
  if f then return f end
  local kept, names = lexer.keep_locals(text)
  local chunk, message = load(kept, name, "t", environment)
  local with_result = results and pg._last_value(text)
  if with_result then return compile(with_result, name) end
  if chunk == nil then
    -- What was blanked out may have been the cure; the message for the text as written is the right one.
    local _, plain = load(text, name, "t", environment)
    message = plain or message
    local function unfinished(why) return why:find("<eof>$") ~= nil and not why:find("unfinished string", 1, true) end
    return nil, message, unfinished(message), unfinished(expression)
  end
  return declaring(chunk, names)
end

-- "stdin:2: near ..." without the frames of the prompt itself, and without a traceback that says nothing more.
local function shorten(message)
  local head, trace = message:match("^(.-)\nstack traceback:\n(.*)$")
  if head == nil then return message end
  local lines = {}
  for line in trace:gmatch("[^\n]+") do
    if line:find("in function <perigee/private/repl.lua") or line:find("%[C%]: in field 'call'") or
      line:find("perigee/private/repl.lua:", 1, true) then
      break
    end
    lines[#lines + 1] = line
  end
  -- The first frame is where the message points already.
  local useful = 0
  for _, line in ipairs(lines) do
    if not line:find("%[C%]: in ") and not line:find("tail calls", 1, true) then useful = useful + 1 end
  end
  if useful <= 1 then return head end
  return head .. "\n" .. table.concat(lines, "\n")
end

-- ---- running ---------------------------------------------------------------------------------

local function can_show(value)
  return type(value) == "table" and type(getmetatable(value)) == "table" and getmetatable(value).__name == "figure"
end

local function show_results(results, interactive)
  if not interactive then
    local ok, message = core.call(print, table.unpack(results, 2, results.n))
    if not ok then complain("perigee: error calling 'print' (" .. tostring(message) .. ")") end
    return
  end
  local ok, message = core.call(function()
    local parts = {}
    for i = 2, results.n do
      local value = results[i]
      local seen = can_show(value) and rawequal(value, rawget(pg.plot, "_shown"))
      if not seen and not (can_show(value) and pcall(function() value:show() end)) then
        parts[#parts + 1] = pretty(value, system.columns(1))
      end
    end
    if #parts > 0 then print(table.concat(parts, "\t")) end
  end)
  if not ok then complain(shorten(tostring(message))) end
end

-- Runs a compiled text; `quiet` keeps its results from being shown.
local function run(f, interactive, quiet)
  if rawget(pg, "plot") then pg.plot._shown = nil end
  local results = table.pack(core.call(f))
  if not results[1] then
    local message = tostring(results[2])
    complain((interactive and "" or "perigee: ") .. shorten(message))
    return false
  end
  if results.n > 1 then
    if results[2] ~= nil then rawset(environment, "_", results[2]) end
    if not quiet then show_results(results, interactive) end
  end
  return true
end

-- ---- commands --------------------------------------------------------------------------------

-- The name the help knows something by: a variable's method is looked up under its class.
local function help_name(name)
  local object, method = name:match("^([%w_.]+)[:.]([%w_]+)$")
  if object and help.find(name) == nil then
    local value = environment
    for part in object:gmatch("[^.]+") do
      local ok, field = pcall(function() return value[part] end)
      value = ok and field or nil
      if value == nil then return name end
    end
    local meta = getmetatable(value)
    local class = type(meta) == "table" and rawget(meta, "__name") or meta
    if type(class) == "string" then return class .. ":" .. method end
  end
  return name
end

local function show_help(name)
  local text, found = help.text(help_name(name))
  if found then print(text) else complain(text) end
end

local function seconds_text(s)
  if s < 1e-3 then return ("%.1f us"):format(s * 1e6) end
  if s < 1 then return ("%.2f ms"):format(s * 1e3) end
  return ("%.3f s"):format(s)
end

local commands = {}

-- Runs once, and what was quick again, in seven rounds of as many runs as take a fifteenth of a second.
function commands.time(text, interactive)
  local f, message = compile(text, "=stdin", interactive)
  if f == nil then return complain(message) end
  local before = pg.clock()
  local took
  local fine = run(function()
    local results = table.pack(f())
    took = pg.clock() - before
    return table.unpack(results, 1, results.n)
  end, interactive, text:find(";%s*$") ~= nil)
  if not fine or took > 0.2 then return print(seconds_text(took or pg.clock() - before)) end
  local runs, rounds = 1, {}
  local function round()
    local start = pg.clock()
    for _ = 1, runs do f() end
    return pg.clock() - start
  end
  local ok, why = core.call(function()
    local once = round()
    while once < 0.07 / 2 and runs < 1e6 do
      runs = math.min(1e6, math.max(2 * runs, math.floor(runs * 0.07 / math.max(once, 1e-7))))
      once = round()
    end
    for k = 1, 7 do rounds[k] = round() / runs end
  end)
  if not ok then return complain(shorten(tostring(why))) end
  table.sort(rounds)
  local runs_text = ("%d run%s"):format(runs, runs == 1 and "" or "s")
  print(("%s, at best %s (median and best of 7 rounds of %s)"):format(seconds_text(rounds[4]), seconds_text(rounds[1]),
    runs_text))
end

function commands.mem()
  collectgarbage()
  local held, peak, limit = pg.memory()
  print(("%.1f MB held, %.1f MB at most%s"):format(held / 2 ^ 20, peak / 2 ^ 20,
    limit > 0 and (", limit %.0f MB"):format(limit / 2 ^ 20) or ""))
end

local function keys_of(t)
  local set = {}
  for k in next, t do set[k] = true end
  return set
end

-- What there was before the last :load; what it added goes before the next one, so that a script finds nothing of its
-- last run, and modules are read again.
local loaded

local function forget()
  if not loaded then return end
  for k in next, _G do
    if not loaded._G[k] then _G[k] = nil end
  end
  for k in next, package.loaded do
    if not loaded.modules[k] and k ~= "perigee" then package.loaded[k] = nil end
  end
  for k in next, declared do
    if not loaded.declared[k] then
      declared[k] = nil
      rawset(environment, k, nil)
    end
  end
end

function commands.load(path, interactive)
  local file, why = io.open(path, "rb")
  if file == nil then return complain(why) end
  local text = file:read("a")
  file:close()
  if text == nil then return complain(path .. ": cannot be read") end
  forget()
  local f, message = compile(text:gsub("^#[^\n]*", ""), "@" .. path)
  if f == nil then return complain(hints.refused(message, text)) end
  local before = {_G = keys_of(_G), modules = keys_of(package.loaded), declared = keys_of(declared)}
  run(f, interactive, true)
  loaded = before
end

-- A script's file, run so that its locals stay: `perigee -i script.lua`.
function repl.script(path) commands.load(path, true) end

function commands.help(name)
  if name ~= "" then return show_help(name) end
  print([[
?name         the manual entry, such as ?pg.linalg.svd; ? alone lists all
name = value  makes a variable; `local` ones stay too
expression    shows its value; a ; at the end suppresses that; _ is the last value
:time expr    how long it takes        :load file   runs a script afresh; its locals stay
:mem          memory in use            !command     runs a shell command
Ctrl-C        stops what is running    Ctrl-D       leaves]])
end

function commands.quit() return "quit" end

-- Words that are written as in other languages' prompts, where no variable has the name.
local function word_for_prompt(text)
  local word, rest = text:match("^%s*(%a+)%s*(.-)%s*$")
  if not word or rawget(environment, word) ~= nil or rawget(_G, word) ~= nil then return end
  if (word == "exit" or word == "quit") and (rest == "" or rest == "()") then return ":quit" end
  if word == "help" and (rest == "" or rest == "()") then return ":help" end
  local name = word == "help" and (rest:match("^([%a_][%w_.:]*)$")
    or rest:match('^%(%s*["\']?([%a_][%w_.:]*)["\']?%s*%)$'))
  return name and "?" .. name
end

-- Whether the text was for the prompt itself; "quit" ends it.
local function command(text, interactive)
  local name = text:match("^%s*%?+%s*(.-)%s*$") or text:match("^%s*([%w_.:]+)%?+%s*$")
  if name then
    show_help(name)
    return true
  end
  local shell = text:match("^%s*!%s*(.-)%s*$")
  if shell and shell ~= "" and not shell:find("^=") then
    io.stdout:flush()
    local _, kind, code = os.execute(shell)
    if code ~= 0 then complain(("%s %d"):format(kind, code)) end
    return true
  end
  local word, rest = text:match("^%s*:(%a+)%s*(.-)%s*$")
  if word and commands[word] then
    return commands[word](rest, interactive) or true
  elseif word then
    local near = pg._args.nearest(word, pg._args.sorted_keys(commands))
    complain(("no command :%s; %s"):format(word, near and "did you mean :" .. near .. "?" or ":help lists them"))
    return true
  end
end

-- ---- history ---------------------------------------------------------------------------------

-- One entry a line, its own line ends written \n, so that it is recalled as one.
local function history_path()
  local path = os.getenv("PERIGEE_HISTORY")
  if path then return path ~= "" and path or nil end
  local home = os.getenv("HOME")
  return home and home .. "/.perigee_history"
end

local MOST_HISTORY = 2000

local function load_history(path)
  local file = path and io.open(path, "r")
  if not file then return end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  for i = math.max(1, #lines - MOST_HISTORY + 1), #lines do
    core.remember((lines[i]:gsub("\\([\\n])", function(c) return c == "n" and "\n" or "\\" end)))
  end
  if #lines > 2 * MOST_HISTORY then
    pcall(pg._system.write, path, table.concat(lines, "\n", #lines - MOST_HISTORY + 1) .. "\n")
  end
end

local last_entry

local function remember(path, text)
  if text == last_entry or not text:find("%S") then return end
  last_entry = text
  core.remember(text)
  local file = path and io.open(path, "a")
  if file then
    file:write((text:gsub("[\\\n]", {["\\"] = "\\\\", ["\n"] = "\\n"})), "\n")
    file:close()
  end
end

-- ---- the loop --------------------------------------------------------------------------------

local function prompt(name, default)
  local value = rawget(_G, name)
  return value ~= nil and tostring(value) or default
end

-- Text copied from a prompt still has its marks, and what was answered between: only what was typed is taken, an entry
-- for each mark. Returns the first; the others are read next.
local copied = {}

local function strip_prompts(text)
  if not text:find("^>%s") then return text end
  local entries = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local typed, more = line:match("^>%s(.*)$"), line:match("^>>%s(.*)$") or line:match("^>>$") and ""
    if typed then
      entries[#entries + 1] = typed
    elseif more and #entries > 0 then
      entries[#entries] = entries[#entries] .. "\n" .. more
    end
  end
  table.move(entries, 2, #entries, #copied + 1, copied)
  return entries[1]
end

-- What a notebook shares with the prompt.
repl.compile, repl.command, repl.shorten, repl.help_name = compile, command, shorten, help_name

local function read_entry()
  if #copied > 0 then return table.remove(copied, 1) end
  return core.read(prompt("_PROMPT", "> "))
end

-- Reads until a statement is complete. Returns text, function or nil, message, whether it is for the prompt itself; nil
-- at the end of input; false after Ctrl-C.
local function read_statement(interactive)
  local text = read_entry()
  if not text then return text end
  text = interactive and strip_prompts(text) or text:gsub("^=", "return ")
  text = interactive and word_for_prompt(text) or text
  if interactive and (text:find("^%s*[?!]") or text:find("^%s*:%a") or text:find("^[%w_.:]+%?$")) then
    return text, nil, nil, true
  end
  while true do
    local f, message, more, more_of_expression = compile(text, "=stdin", interactive)
    more = more or interactive and more_of_expression
    if f or not more or interactive and hints.syntax(text, true) then return text, f, message end
    local line = core.read(prompt("_PROMPT2", ">> "))
    if line == false then return false end
    if line == nil then return text, nil, message end
    text = text .. "\n" .. line
  end
end

-- script: a file to begin with, of which the locals stay.
function repl.run(script)
  local interactive = core.terminal()
  coloured = interactive and not os.getenv("NO_COLOR") and os.getenv("TERM") ~= "dumb"
  if interactive then print("?name explains a function, :help the prompt, Ctrl-D leaves") end
  if script then repl.script(script) end
  core.open(function(line, first, last) return pg._complete(environment, line, first, last) end)
  local path = interactive and history_path()
  load_history(path)
  while true do
    local text, f, message, is_command = read_statement(interactive)
    if text == nil then break end
    if text then
      if interactive then remember(path, text) end
      if is_command then
        local ok, result = core.call(command, text, interactive)
        if not ok then complain(shorten(tostring(result))) end
        if result == "quit" then return end
      elseif f then
        local name = interactive and text:match("^%s*([%a_][%w_]*)%s*$")
        if name and name ~= "_" and not declared[name] and environment[name] == nil then
          local hint = hints.global(name)
          local known = keys_of(_G)
          for k in next, environment do known[k] = true end
          local near = not hint and pg._args.nearest(name, pg._args.sorted_keys(known))
          complain(("there is no variable '%s'%s%s"):format(name, near and ("; did you mean '%s'?"):format(near) or "",
            hint and "\nhint: " .. hint or ""))
        else
          run(f, interactive, interactive and text:find(";%s*$") ~= nil)
        end
      else
        complain(interactive and message or "perigee: " .. message)
        local hint = interactive and hints.syntax(text)
        if hint then complain("hint: " .. hint) end
      end
    end
  end
  print()
end

return repl
