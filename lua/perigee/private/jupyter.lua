-- SPDX-License-Identifier: MIT
-- `perigee jupyter`: a kernel for Jupyter's notebooks, after "Messaging in Jupyter", protocol 5.3. A cell is text of
-- the prompt: read, run and completed by the same code, in the same environment.
local pg = ...
local core = require "perigee.notebook"
local help = pg._help
local hints = pg._hints
local json = pg._json
local lexer = pg._lexer
local mime = pg._mime
local repl = pg._repl
local system = pg._system
local wires = pg._jupyter_wire

local jupyter = {}

local wire
local current -- the request that is answered
local count, history = 0, {}
local payload

-- ---- what is printed -------------------------------------------------------------------------

local STREAMS = {[0] = "stdout", [1] = "stderr"}

-- Seconds between two messages of what a cell prints.
local EVERY = 0.05

local flushed, last_stream = 0, 0
local rest = {[0] = "", [1] = ""}

-- What ends within a character of UTF-8 waits for the rest of it.
local function split(text)
  local lead = text:match("()[\xC2-\xF4][\x80-\xBF]*$")
  if lead and not utf8.len(text, lead) then return text:sub(1, lead - 1), text:sub(lead) end
  return text, ""
end

local function flush_stream(which)
  while true do
    local new = core.written(which)
    if new == "" then return end
    local text
    text, rest[which] = split(rest[which] .. new)
    if text ~= "" and not (current and current.content.silent) then
      wire:send("iopub", "stream", {name = STREAMS[which], text = text}, current)
    end
  end
end

local function flush()
  flush_stream(0)
  flush_stream(1)
  flushed = pg.clock()
end

-- Before something is written to a stream, so that lines of both stay in order.
local function about_to_write(which)
  if which ~= last_stream then
    flush()
    last_stream = which
  end
end

local function written()
  if pg.clock() - flushed > EVERY then flush() end
end

-- ---- what is shown ---------------------------------------------------------------------------

local outlet = {}
local shown -- the value that the cell showed last

local function display(data, metadata, id, update)
  flush()
  wire:send("iopub", update and "update_display_data" or "display_data",
    {data = data, metadata = metadata or {}, transient = {display_id = id}}, current)
end

function outlet.show(value)
  shown = value
  display(mime.bundle(value))
end

function outlet.picture(a)
  display(mime.picture(a, ("picture %s"):format(tostring(a.shape))))
end

function outlet.clear(wait)
  flush()
  wire:send("iopub", "clear_output", {wait = wait}, current)
end

-- A line that is written again and again, as one display that changes.
function outlet.line()
  local id, made = core.name(), false
  return function(...)
    local text = table.concat{...}:gsub("\27%[K", ""):gsub("[\r\n]", "")
    display({["text/plain"] = text}, nil, id, made)
    made = true
  end
end

-- ---- what is read ----------------------------------------------------------------------------

local function ask()
  if not (current and current.content.allow_stdin) then
    error("io.read: this notebook's front end has nothing to type into", 0)
  end
  flush()
  while wire:receive("stdin") do end -- answers to a question that was interrupted
  wire:send("stdin", "input_request", {prompt = "", password = false}, current)
  while true do
    local reply = wire:wait(1, "stdin") and wire:receive("stdin")
    if reply and reply.kind == "input_reply" then return tostring(reply.content.value) end
  end
end

local function read(...)
  local formats = select("#", ...) > 0 and {...} or {"l"}
  local values = {}
  for i, format in ipairs(formats) do
    local line = ask()
    format = type(format) == "string" and format:gsub("^%*", ""):sub(1, 1) or format
    if format == "n" then
      values[i] = tonumber(line)
    elseif type(format) == "number" then
      values[i] = line:sub(1, format)
    else
      values[i] = format == "l" and line or line .. "\n"
    end
  end
  return table.unpack(values, 1, #formats)
end

-- Puts the notebook in the place of the terminal.
-- luacheck: push ignore 122
local function take_over()
  local stdin, stdout, stderr = io.stdin, io.stdout, io.stderr
  local which = {[stdout] = 0, [stderr] = 1}
  local methods = getmetatable(stdout).__index
  local plain = {print = print, write = methods.write, read = methods.read, lines = methods.lines, io_lines = io.lines}
  function _G.print(...)
    about_to_write(0)
    plain.print(...)
    written()
  end
  function methods.write(file, ...)
    local stream = which[file]
    if stream == nil then return plain.write(file, ...) end
    about_to_write(stream)
    local results = table.pack(plain.write(file, ...))
    written()
    return table.unpack(results, 1, results.n)
  end
  function io.write(...) return io.output():write(...) end
  function methods.read(file, ...)
    if file == stdin then return read(...) end
    return plain.read(file, ...)
  end
  function io.read(...) return io.input():read(...) end
  function methods.lines(file, ...)
    if file ~= stdin then return plain.lines(file, ...) end
    local formats = table.pack(...)
    return function() return read(table.unpack(formats, 1, formats.n)) end
  end
  function io.lines(name, ...)
    if name == nil then return io.input():lines(...) end
    return plain.io_lines(name, ...)
  end
end
-- luacheck: pop

-- ---- executing -------------------------------------------------------------------------------

local function failure(name, message)
  local lines = {}
  for line in (message .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  local value = lines[1]
  lines[1] = "\27[31m" .. name .. "\27[0m: " .. value
  return {status = "error", ename = name, evalue = value, traceback = json.list(lines)}
end

-- Without the frames of the kernel and of the library: what is left is the cell's.
local function shorten(message)
  local cut = message:find("\n[^\n]*in function 'perigee%.notebook%.call'")
  message = repl.shorten(cut and message:sub(1, cut - 1) or message)
  local head, trace = message:match("^(.-)\n(%s+.*)$")
  local lines = {}
  for line in (trace or ""):gmatch("[^\n]+") do
    if not line:find("^%s+perigee/") and not line:find("[C]: in function 'error'", 1, true)
      and not line:find("(...tail calls...)", 1, true) then
      lines[#lines + 1] = line
    end
  end
  return #lines > 1 and head .. "\n" .. table.concat(lines, "\n") or head or message
end

local function runtime_failure(message)
  message = shorten(tostring(message))
  local hint = not message:find("\nhint: ", 1, true) and hints.runtime(message)
  local name = message:find("interrupted!", 1, true) and "interrupted" or "error"
  return failure(name, message .. (hint and "\nhint: " .. hint or ""))
end

-- Whether the text ends in a semicolon, which keeps its value from being shown.
local function is_quiet(text)
  local tokens = lexer.tokens(text)
  for i = #tokens, 1, -1 do
    if tokens[i].kind ~= "comment" then return tokens[i].text == ";" end
  end
  return false
end

-- Values as one bundle: a single one in all its forms, several as their texts beside one another.
local function bundle_of(values, n)
  if n == 1 then return mime.bundle(values[1]) end
  local texts = {}
  for i = 1, n do texts[i] = pg._pretty(values[i]) end
  return {["text/plain"] = table.concat(texts, "\t")}, {}
end

-- What a cell asks for that is no Lua: ?name, name?, !command, :time and the like.
local function is_command(text)
  return text:find("^%s*[?!]") or text:find("^%s*:%a") or text:find("^%s*[%w_.:]+%?+%s*$")
end

local function run_command(text)
  local name = text:match("^%s*%?+%s*(.-)%s*$") or text:match("^%s*([%w_.:]+)%?+%s*$")
  if name == nil then return core.call(repl.command, text, true) end
  local entry, found = help.text(repl.help_name(name))
  if found then
    payload[#payload + 1] = {source = "page", start = 0, data = {["text/plain"] = entry}}
  else
    io.stderr:write(entry, "\n")
  end
  return true
end

local function run(code, silent)
  if is_command(code) then
    local ok, message = run_command(code)
    return not ok and runtime_failure(message) or nil
  end
  local f, message = repl.compile(pg._last_value(code) or code, ("=In[%d]"):format(count))
  if f == nil then
    local hint = hints.syntax(code)
    return failure("syntax error", message .. (hint and "\nhint: " .. hint or ""))
  end
  local results = table.pack(core.call(f))
  if not results[1] then return runtime_failure(results[2]) end
  if results.n > 1 and not silent then
    if results[2] ~= nil then rawset(repl.environment, "_", results[2]) end
    if is_quiet(code) or results.n == 2 and shown ~= nil and rawequal(results[2], shown) then return end
    local ok, data, metadata = core.call(bundle_of, {table.unpack(results, 2, results.n)}, results.n - 1)
    if not ok then return runtime_failure(data) end
    flush()
    wire:send("iopub", "execute_result", {execution_count = count, data = data, metadata = metadata}, current)
    history[#history].output = data["text/plain"]
  end
end

-- Values of expressions that the front end asks for, such as to show in a panel of its own.
local function evaluate(expressions)
  local answers = {}
  for name, text in pairs(type(expressions) == "table" and expressions or {}) do
    local f, message = load("return " .. tostring(text), "=expression", "t", repl.environment)
    local ok, data, metadata = false, message, nil
    if f then
      ok, data = core.call(f)
      if ok then data, metadata = mime.bundle(data) end
    end
    answers[name] = ok and {status = "ok", data = data, metadata = metadata} or runtime_failure(data)
  end
  return answers
end

local handlers = {}

-- Requests that came while a cell ran which failed; those to execute are not.
local waiting = {}

local function abort()
  while true do
    local request = wire:receive("shell")
    if request == nil then return end
    request.aborted = request.kind == "execute_request"
    waiting[#waiting + 1] = request
  end
end

function handlers.execute_request(request)
  local content = request.content
  if request.aborted then return "execute_reply", {status = "aborted", execution_count = count} end
  local code, silent = tostring(content.code), content.silent
  local kept = not silent and content.store_history ~= false
  if kept then count = count + 1 end
  if kept or #history == 0 then history[#history + 1] = {line = count, code = code} end
  if not silent then wire:send("iopub", "execute_input", {code = code, execution_count = count}, current) end
  payload, shown = json.list(), nil
  local problem = run(code, silent)
  flush()
  if problem then
    if not silent then
      wire:send("iopub", "error", {ename = problem.ename, evalue = problem.evalue, traceback = problem.traceback},
        current)
    end
    problem.execution_count, problem.payload, problem.user_expressions = count, json.list(), {}
    if content.stop_on_error ~= false then abort() end
    return "execute_reply", problem
  end
  return "execute_reply", {status = "ok", execution_count = count, payload = payload,
    user_expressions = evaluate(content.user_expressions)}
end

-- ---- questions about text --------------------------------------------------------------------

-- Places are counted in characters there, in bytes here.
local function to_bytes(text, place)
  place = math.tointeger(place) or utf8.len(text) or #text
  return (utf8.offset(text, math.min(math.max(place, 0), utf8.len(text) or 0) + 1) or #text + 1) - 1
end

function handlers.complete_request(request)
  local code = tostring(request.content.code)
  local last = to_bytes(code, request.content.cursor_pos)
  local before = code:sub(1, last)
  local word = before:match("[%w_.:]*$")
  word = word:match("^.*%.%.(.*)$") or word
  -- Words for the prompt itself begin a line.
  local line = before:match("[^\n]*$")
  local text = is_command(line) and line or before
  local ok, list = pcall(pg._complete, repl.environment, text, #text - #word, #text)
  local from = utf8.len(before:sub(1, #before - #word)) or 0
  return "complete_reply", {status = "ok", matches = json.list(ok and list or {}), metadata = {}, cursor_start = from,
    cursor_end = from + (utf8.len(word) or #word)}
end

-- The name at a place, or the function in whose call it lies.
local function name_at(code, at)
  local before, after = code:sub(1, at):match("[%w_.:]*$"), code:sub(at + 1):match("^[%w_]*")
  local name = (before .. after):gsub("^[.:]+", ""):gsub("[.:]+$", "")
  if name ~= "" and not name:find("^%d") then return name end
  local depth = 0
  for i = at, 1, -1 do
    local c = code:sub(i, i)
    if c == ")" or c == "}" then
      depth = depth + 1
    elseif c == "(" or c == "{" then
      depth = depth - 1
      name = depth < 0 and code:sub(1, i - 1):match("([%w_.:]+)%s*$")
      if name then return name end
    end
  end
end

function handlers.inspect_request(request)
  local code = tostring(request.content.code)
  local name = name_at(code, to_bytes(code, request.content.cursor_pos))
  local text, found
  local variable = name and name:find("^[%w_]+$") and repl.environment[name]
  if name and (variable == nil or variable == false or variable == pg) then
    text, found = help.text(repl.help_name(name))
  end
  if name and not found then
    local f = load("return " .. name:gsub(":", "."), "=name", "t", repl.environment)
    local ok, value = pcall(f or error)
    found = ok and value ~= nil
    if found then text = ("%s: %s\n%s"):format(name, type(value), pg._pretty(value)) end
  end
  return "inspect_reply", {status = "ok", found = found and true or false, metadata = {},
    data = found and {["text/plain"] = text} or {}}
end

function handlers.is_complete_request(request)
  local code = tostring(request.content.code)
  if is_command(code) then return "is_complete_reply", {status = "complete"} end
  local f, _, more, more_of_expression = repl.compile(pg._last_value(code) or code, "=cell")
  if f then return "is_complete_reply", {status = "complete"} end
  if hints.syntax(code, true) or not (more or more_of_expression) then
    return "is_complete_reply", {status = "invalid"}
  end
  local line = code:match("[^\n]*$")
  local opens = line:find("%f[%w_]then%s*$") or line:find("%f[%w_]do%s*$") or line:find("%f[%w_]else%s*$")
    or line:find("%f[%w_]repeat%s*$") or line:find("%f[%w_]function[%s%w_.:]*%b()%s*$") or line:find("[{(]%s*$")
  return "is_complete_reply", {status = "incomplete", indent = line:match("^%s*") .. (opens and "  " or "")}
end

-- Lua's pattern for one of the shell: * and ?.
local function glob(pattern)
  return "^" .. pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

function handlers.history_request(request)
  local content = request.content
  local kind, list, met = content.hist_access_type, {}, {}
  local first, last = 1, #history
  if kind == "range" then
    first, last = math.tointeger(content.start) or 0, (math.tointeger(content.stop) or count + 1) - 1
  end
  local pattern = kind == "search" and glob(tostring(content.pattern or "*"))
  for i = #history, 1, -1 do
    local entry = history[i]
    local fits = kind ~= "range" or entry.line >= first and entry.line <= last
    if pattern then
      fits = entry.code:find(pattern) ~= nil and not (content.unique and met[entry.code])
      met[entry.code] = true
    end
    if fits and entry.line > 0 then
      local code = entry.code
      table.insert(list, 1, {1, entry.line, content.output and {code, entry.output or ""} or code})
    end
    if kind ~= "range" and math.tointeger(content.n) and #list >= content.n then break end
  end
  return "history_reply", {status = "ok", history = json.list(list)}
end

-- ---- about the kernel ------------------------------------------------------------------------

function handlers.kernel_info_request()
  local version = pg.info().perigee
  return "kernel_info_reply", {status = "ok", protocol_version = "5.3", implementation = "perigee",
    implementation_version = version, debugger = false,
    banner = ("Perigee %s, %s. pg.name? shows an entry of the manual, ? lists all."):format(version, _VERSION),
    language_info = {name = "lua", version = _VERSION:match("[%d.]+"), mimetype = "text/x-lua", file_extension = ".lua",
      pygments_lexer = "lua", codemirror_mode = "lua"}, help_links = json.list()}
end

function handlers.comm_info_request()
  return "comm_info_reply", {status = "ok", comms = {}}
end

-- Nobody here answers to a comm.
function handlers.comm_open(request)
  wire:send("iopub", "comm_close", {comm_id = request.content.comm_id, data = {}}, request)
end

function handlers.comm_close() end
handlers.comm_msg = handlers.comm_close

function handlers.interrupt_request()
  return "interrupt_reply", {status = "ok"}
end

function handlers.shutdown_request(request)
  return "shutdown_reply", {status = "ok", restart = request.content.restart and true or false}
end

local function answer(request)
  current = request
  wire:send("iopub", "status", {execution_state = "busy"}, request)
  local handler = handlers[request.kind]
  if handler then
    local ok, kind, content = xpcall(handler, debug.traceback, request)
    if not ok then
      kind, content = request.kind:gsub("_request$", "_reply"), failure("error in the kernel", tostring(kind))
    end
    if kind then wire:send(request.channel, kind, content, request) end
    if kind == "shutdown_reply" then wire:send("iopub", kind, content, request) end
  end
  flush()
  wire:send("iopub", "status", {execution_state = "idle"}, request)
  return request.kind == "shutdown_request"
end

-- ---- the process -----------------------------------------------------------------------------

local FIELDS = {"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"}

local function read_connection(path)
  local connection, why = pg._result.json(path)
  if connection == nil then error(why or path .. ": no such file", 0) end
  for _, name in ipairs(FIELDS) do
    if math.type(connection[name]) ~= "integer" then error(("%s: %s is no port"):format(path, name), 0) end
  end
  if type(connection.ip) ~= "string" or type(connection.transport) ~= "string" then
    error(path .. ": no ip and transport", 0)
  end
  local scheme = connection.signature_scheme or "hmac-sha256"
  if scheme ~= "hmac-sha256" then error(("%s: messages signed by %s are not known here"):format(path, scheme), 0) end
  return connection
end

local function serve(path)
  wire = wires.open(read_connection(path))
  core.start()
  take_over()
  rawset(pg, "_outlet", outlet)
  rawset(_G, "pg", pg)
  local parent = os.getenv("JPY_PARENT_PID") and core.parent()
  wire:send("iopub", "status", {execution_state = "starting"})
  while true do
    local request = table.remove(waiting, 1)
    if request == nil then
      local channel = wire:wait(1, "control", "shell")
      request = channel and wire:receive(channel)
    end
    if request and answer(request) then break end
    if parent and core.parent() ~= parent then break end
    flush()
  end
  core.finish()
  wire:close()
  return 0
end

-- ---- installing ------------------------------------------------------------------------------

-- The mark of the kernel: a body and its orbit, nearest at the left.
local function logo(size)
  local y = (pg.range(1, size) - (size + 1) / 2):reshape(size, 1) / size
  local x = (pg.range(1, size) - (size + 1) / 2):reshape(1, size) / size
  local ring = (((x - 0.06) / 0.4) ^ 2 + (y / 0.3) ^ 2):sqrt()
  local function soft(distance) return (0.5 - distance * size):clip(0, 1) end
  local line, body, moon = soft((ring - 1):abs() * 0.34 - 0.02), soft((((x + 0.12) ^ 2 + y ^ 2)):sqrt() - 0.13),
    soft((((x + 0.34) ^ 2 + y ^ 2)):sqrt() - 0.065)
  local ink = {line, body, moon}
  local colors = {{98, 104, 115}, {31, 111, 180}, {209, 96, 11}}
  local picture = pg.zeros(size, size, 4)
  for c = 1, 3 do
    local plane = pg.full({size, size}, 255)
    for k = 1, 3 do plane = plane * (1 - ink[k]) + ink[k] * colors[k][c] end
    picture[{{}, {}, c}] = plane
  end
  picture[{{}, {}, 4}] = 255 * pg.maximum(pg.maximum(line, body), moon)
  return pg.image._png(picture)
end

local function data_folder()
  local folder, home = os.getenv("JUPYTER_DATA_DIR"), os.getenv("HOME")
  if folder and folder ~= "" then return folder end
  folder = os.getenv("XDG_DATA_HOME")
  if folder and folder ~= "" then return folder .. "/jupyter" end
  if not home or home == "" then error("jupyter: HOME is not set; give --prefix DIR", 0) end
  return home .. "/.local/share/jupyter"
end

local FILES = {"kernel.json", "logo-32x32.png", "logo-64x64.png"}

local function install(options)
  local folder = (options.prefix and options.prefix .. "/share/jupyter" or data_folder()) .. "/kernels/perigee"
  local program = options.program or system.absolute("/proc/self/exe")
  system.mkdirs(folder)
  system.write(folder .. "/kernel.json", json.encode{
    argv = {program, "jupyter", "kernel", "{connection_file}"}, display_name = "Perigee (Lua)", language = "lua",
    interrupt_mode = "signal", metadata = {debugger = false}})
  for _, size in ipairs{32, 64} do system.write(("%s/logo-%dx%d.png"):format(folder, size, size), logo(size)) end
  print("installed in " .. folder)
  return 0
end

local function uninstall(options)
  local folder = (options.prefix and options.prefix .. "/share/jupyter" or data_folder()) .. "/kernels/perigee"
  if system.kind(folder) ~= "folder" then error("jupyter: not installed in " .. folder, 0) end
  for _, file in ipairs(FILES) do os.remove(folder .. "/" .. file) end
  os.remove(folder)
  print("removed from " .. folder)
  return 0
end

local USAGE = [[
usage: perigee jupyter install [--prefix DIR] [--program PATH]
       perigee jupyter uninstall [--prefix DIR]
       perigee jupyter kernel CONNECTION_FILE      (what Jupyter starts)
install puts the kernel where Jupyter of this user finds it, or below DIR/share/jupyter, such as --prefix /usr/local;
PATH is the program that notebooks start (this one). The kernel needs libzmq (Debian: libzmq5).
]]

local OPTIONS = {["--prefix"] = "prefix", ["--program"] = "program"}

function jupyter.main(...)
  local words = {...}
  local action, options = words[1], {}
  if action == "kernel" and #words == 2 then return serve(words[2]) end
  if action == nil or action == "--help" or action == "-h" or action == "help" then
    io.stdout:write(USAGE)
    return action and 0 or 2
  end
  local i = 2
  while i <= #words do
    local word, value = words[i]:match("^(%-%-%w+)=(.*)$")
    word = word or words[i]
    if OPTIONS[word] == nil or action == "kernel" then
      io.stderr:write(("perigee jupyter: '%s' is not known\n"):format(words[i]), USAGE)
      return 2
    end
    if value == nil then
      i = i + 1
      value = words[i]
    end
    if value == nil or value == "" then
      io.stderr:write(("perigee jupyter: %s needs a value\n"):format(word), USAGE)
      return 2
    end
    options[OPTIONS[word]] = value
    i = i + 1
  end
  if action == "install" then return install(options) end
  if action == "uninstall" then return uninstall(options) end
  io.stderr:write(("perigee jupyter: no command '%s'\n"):format(action), USAGE)
  return 2
end

return jupyter
