-- SPDX-License-Identifier: MIT
-- What the specs of the command line share: running commands in a folder of their own, and the program in a terminal.
local tool = {}

local B = os.getenv("B") or "build"
tool.program = os.getenv("PERIGEE") or (io.popen("pwd"):read("l") .. "/" .. B .. "/perigee")

function tool.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- Runs a shell command; returns its exit status (128 + n after signal n), standard output and standard error.
function tool.sh(command)
  local out, err = os.tmpname(), os.tmpname()
  local _, kind, code = os.execute(("{ %s\n} >%s 2>%s </dev/null"):format(command, out, err))
  local function take(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    os.remove(path)
    return text
  end
  return kind == "signal" and 128 + code or code, take(out), take(err)
end

-- A new folder, removed at the end of the tests by whoever made it.
function tool.folder()
  local _, out = tool.sh("mktemp -d")
  return (out:gsub("\n", ""))
end

function tool.remove(folder)
  assert(folder:find("^/tmp/"))
  os.execute("rm -rf " .. tool.quote(folder))
end

function tool.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

function tool.read(path)
  local file = io.open(path, "rb")
  if file == nil then return nil end
  local text = file:read("a")
  file:close()
  return text
end

-- The helper that drives a program in a terminal, made on first use.
local driver
local function terminal()
  if driver == nil then
    driver = B .. "/test/pty"
    local status, _, err = tool.sh(("mkdir -p %s/test; [ %s -nt tests/cli/pty.c ] || %s -O1 -o %s tests/cli/pty.c")
      :format(B, driver, os.getenv("CC") or "cc", driver))
    assert(status == 0, err)
  end
  return driver
end

-- Drives the program's prompt with lines as tests/cli/pty.c has them. Returns whether all was as written, what came,
-- and the driver's own words.
-- words: the program's own.
function tool.pty(lines, environment, words_of)
  local script = os.tmpname()
  tool.write(script, table.concat(lines, "\n") .. "\n")
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("env TERM=xterm %s %s %s %s <%s >%s 2>%s"):format(environment or "", terminal(),
    tool.quote(tool.program), words_of or "", script, out, err))
  local text, words = tool.read(out), tool.read(err)
  for _, path in ipairs{script, out, err} do os.remove(path) end
  return status == 0, text, words
end

return tool
