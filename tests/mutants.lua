-- SPDX-License-Identifier: MIT
-- How much the tests see: changes the sources at random small places, one at a time, in a copy of the tree, rebuilds,
-- and runs the tests that belong to the file, then, where all of them passed, every test. Prints each mutant and what
-- became of it, then the score. A mutant that lives asks for a test, or is the same program in other words.
--
--   lua5.4 tests/mutants.lua FOLDER SEED COUNT [PATTERN]   files whose path matches the Lua pattern; default all
--   lua5.4 tests/mutants.lua FOLDER list FILE              each row of FILE: path, line, what stands there instead,
--                                                          with tabs between; @old@new@ changes a part of the line
--
-- The copy, FOLDER/tree, is of the last commit. With BESIDE=1 in the environment only the tests beside a file are run.
local folder, seed, count, pattern = ...
if not count then
  io.stderr:write("mutants.lua FOLDER SEED COUNT [PATTERN] | FOLDER list FILE\n")
  os.exit(2)
end

local function run(command)
  local fine, _, code = os.execute(command)
  return fine == true, code
end

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function split(text)
  local list = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do list[#list + 1] = line end
  return list
end

-- ---- what may be changed ---------------------------------------------------------------------

-- A pattern, and what it becomes; a place counts where both neighbours are as the frontier says.
local both = {
  {"([%w%)%]]) < ([%w%(%-&*])", "%1 <= %2"}, {"([%w%)%]]) <= ([%w%(%-])", "%1 < %2"},
  {"([%w%)%]]) > ([%w%(%-])", "%1 >= %2"}, {"([%w%)%]]) >= ([%w%(%-])", "%1 > %2"},
  {"([%w%)%]]) %+ ([%w%(])", "%1 - %2"}, {"([%w%)%]]) %- ([%w%(])", "%1 + %2"},
  {"([%w%)%]]) %* ([%w%(])", "%1 + %2"}, {"([%w%)%]]) / ([%w%(])", "%1 * %2"}, {"([%w%)%]]) %% ([%w%(])", "%1 + %2"},
  {"%f[%w_.]0%f[^%w_.]", "1"}, {"%f[%w_.]1%f[^%w_.]", "2"}, {"%f[%w_.]2%f[^%w_.]", "3"},
  {"%f[%w_]true%f[^%w_]", "false"}, {"%f[%w_]false%f[^%w_]", "true"}, {"%f[%w_]break%f[^%w_]", ""},
}
local c_only = {
  {" == ", " != "}, {" != ", " == "}, {" && ", " || "}, {" || ", " && "}, {"%+%+", "--"}, {"%-%-", "++"},
  {"if %((.*)%)", "if (!(%1))"}, {" %+= ", " -= "}, {" %-= ", " += "}, {"%f[%w_]continue;", ";"},
  {"^(%s+)[%w_%->%.%[%]]+ [%+%-|&]?= [^;]*;$", "%1;"}, {"^(%s+)[%w_]+%([^;]*%);$", "%1;"}, {"!(%w)", "%1"},
}
local lua_only = {
  {" == ", " ~= "}, {" ~= ", " == "}, {" and ", " or "}, {" or ", " and "}, {"%f[%w_]not ", ""},
  {"^(%s+)[%w_%.%[%]]+ = [^{]*$", "%1"}, {"^(%s+)[%w_%.:]+%(.*%)$", "%1"}, {"#([%w_%.]+)", "(#%1 - 1)"},
  {"if (.-) then", "if not (%1) then"},
}

-- What is no code: comments, preprocessor, declarations of what is outside, texts of the help.
local function codes(path)
  local list, inside = {}, false
  local lua = path:find("%.lua$")
  for k, line in ipairs(split(read(path))) do
    local is
    if lua then
      is = not line:find("^%s*%-%-") and line:find("%S") and not line:find("^%s*local [%w_, ]+ = require")
    else
      if line:find("/%*") then inside = true end
      is = not inside and line:find("^%s") and not line:find("^%s*#") and not line:find("\\$")
        and not line:find("assert%(")
      if line:find("%*/") then inside = false end
    end
    if is then list[#list + 1] = {k, line} end
  end
  return list
end

-- Where in a line a text in quotes stands: a change there is one of words.
local function quoted(line, at)
  local _, before = line:sub(1, at - 1):gsub('\\?"', function(q) return q == '"' and "" or nil end)
  return before % 2 == 1
end

-- All ways to change the line.
local function ways(path, line)
  local list = {}
  local comment = line:find(path:find("%.lua$") and "%-%-" or "/%*") or #line + 1
  for _, rules in ipairs{both, path:find("%.lua$") and lua_only or c_only} do
    for _, rule in ipairs(rules) do
      local at = 1
      while at do
        local first, last = line:find(rule[1], at)
        if first and first < comment and not quoted(line, first) then
          local part = line:sub(first, last):gsub(rule[1], rule[2], 1)
          local changed = line:sub(1, first - 1) .. part .. line:sub(last + 1)
          if rule[1]:sub(1, 1) == "^" then changed = line:gsub(rule[1], rule[2]) end
          if changed ~= line then list[#list + 1] = changed end
        end
        at = first and rule[1]:sub(1, 1) ~= "^" and first + 1 or nil
      end
    end
  end
  return list
end

-- ---- the tests of a file -----------------------------------------------------------------------

-- The longest part of the name, taken from the right, that tests are named for; a header's is that of its users.
local function belongs(tree, path)
  local stem = path:match("([^/]+)%.%w+$"):gsub("^bind_", ""):gsub("_loops$", "")
  stem = stem:gsub("_avx%d+$", ""):gsub("^mark_", "plot_")
  local found = {}
  while #found == 0 and stem ~= "" do
    found = lines_of(("cd %s && ls tests/kernel/test_%s*.c tests/lua/%s*_spec.lua 2>/dev/null"):format(tree, stem,
      stem))
    stem = stem:match("^(.*)_[^_]*$") or ""
  end
  if #found == 0 then -- specs that speak of it most
    local name = path:match("([^/]+)%.%w+$"):gsub("^bind_", "")
    found = lines_of(("cd %s && grep -lw -- %s tests/lua/*_spec.lua | head -n 4"):format(tree, name))
  end
  if path:find("^src/format/") then -- what reads and writes is tested where files are
    for _, name in ipairs{"lua/io_spec.lua", "lua/npz_spec.lua", "lua/threats_files_spec.lua",
      "kernel/test_faults.c"} do
      found[#found + 1] = "tests/" .. name
    end
  end
  return found
end

local tree, out = folder .. "/tree", folder .. "/out"
local limits = "ulimit -v 16000000; "

-- Whether these tests see a fault.
local function tested(only, seconds)
  return not run(("cd %s && { %stimeout -k 9 %d env B=build ONLY='%s' tests/run.sh; } >../out 2>&1"):format(tree,
    limits, seconds, only))
end

local function built(path, tests)
  local targets = {"build/perigee"}
  for _, test in ipairs(tests) do
    local name = test:match("tests/kernel/(.*)%.c$")
    if name and path:find("%.[ch]$") then targets[#targets + 1] = "build/test/" .. name end
  end
  return run(("make -s -C %s -j2 %s >%s 2>&1"):format(tree, table.concat(targets, " "), out))
end

local function only(tests)
  local list = {}
  for _, test in ipairs(tests) do
    local name = test:match("tests/kernel/(.*)%.c$")
    list[#list + 1] = name and "c[^ ]* build/test/" .. name .. "$" or "perigee " .. test:gsub("%.", "[.]")
  end
  return #list > 0 and table.concat(list, "\\|") or "no test"
end

local score = {}
local function try(path, number, changed)
  local full = tree .. "/" .. path
  local before = read(full)
  local list = split(before)
  local was = list[number]
  list[number] = changed
  write(full, table.concat(list, "\n") .. "\n")
  local tests = belongs(tree, path)
  local verdict
  if not built(path, tests) then
    verdict = "no program"
  elseif #tests > 0 and tested(only(tests), 400) then
    verdict = "killed"
  elseif os.getenv("BESIDE") then
    verdict = "not seen beside"
  elseif not run(("make -s -C %s -j2 build-tests >%s 2>&1"):format(tree, out)) then
    verdict = "no program"
  elseif tested("^[cps]", 3000) then
    verdict = "killed by another's tests"
  else
    verdict = "LIVES"
  end
  write(full, before)
  score[verdict] = (score[verdict] or 0) + 1
  print(("%s\t%s:%d\t%s\t->\t%s"):format(verdict, path, number, was:match("^%s*(.-)%s*$"),
    changed:match("^%s*(.-)%s*$")))
  io.stdout:flush()
  return verdict
end

-- ---- the run -----------------------------------------------------------------------------------

if not run("git diff --quiet HEAD") then print("mutants: what was changed since the last commit is not seen") end
run(("rm -rf %s/src %s/lua %s/tests; mkdir -p %s"):format(tree, tree, tree, tree))
if not run(("git archive HEAD | tar -x -m -C %s && make -sj2 -C %s build-tests >%s 2>&1"):format(tree, tree, out)) then
  error("the tree does not build: " .. out)
end

if seed == "list" then
  for _, row in ipairs(split(read(count))) do
    local path, number, changed = row:match("^(.-)\t(%d+)\t(.*)$")
    if path then
      local line = split(read(tree .. "/" .. path))[tonumber(number)]
      local old, new = changed:match("^@(.-)@(.-)@$")
      if old then
        local first, last = line:find(old, 1, true)
        assert(first, row .. ": not in the line: " .. line)
        changed = line:sub(1, first - 1) .. new .. line:sub(last + 1)
      end
      try(path, tonumber(number), changed)
    end
  end
else
  math.randomseed(tonumber(seed))
  local places = {}
  for _, path in ipairs(lines_of("git ls-files 'src/*.c' 'src/*.h' 'lua/*.lua'")) do
    if path:find(pattern or "") then
      for _, place in ipairs(codes(tree .. "/" .. path)) do places[#places + 1] = {path, place[1], place[2]} end
    end
  end
  local tried = 0
  while tried < tonumber(count) do
    local place = places[math.random(#places)]
    local list = ways(place[1], place[3])
    if #list > 0 and try(place[1], place[2], list[math.random(#list)]) ~= "no program" then tried = tried + 1 end
  end
end
local killed = (score["killed"] or 0) + (score["killed by another's tests"] or 0)
local lives = (score["LIVES"] or 0) + (score["not seen beside"] or 0)
print(("mutants: %d of %d killed, %d by the tests beside them; %d were no program; seed %s"):format(killed,
  killed + lives, score["killed"] or 0, score["no program"] or 0, seed))
