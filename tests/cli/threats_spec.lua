-- SPDX-License-Identifier: MIT
-- What a hostile or broken script does to the program, and what the program does about it. Each test begins with the
-- name of the threat: L1 to L17.
local tool = dofile("tests/cli/tool.lua")

describe("threats to the host", function()
  local dir
  setup(function()
    dir = tool.folder()
    tool.write(dir .. "/dump.lua", "io.write(string.dump(load('local a, b = ... for i = 1, 10 do a = a + i * b end "
      .. "return function(x) return a .. x, {1, 2, key = 3} end')))")
    local status, out = tool.sh(tool.program .. " " .. dir .. "/dump.lua > " .. dir .. "/chunk.luac")
    assert(status == 0, out)
  end)
  teardown(function() tool.remove(dir) end)

  -- Runs a script with options before it; returns status, standard output and standard error.
  local function run(options, text, environment)
    tool.write(dir .. "/script.lua", text)
    return tool.sh(("cd %s && env %s %s %s script.lua"):format(dir, environment or "", tool.program, options))
  end

  -- Runs it sandboxed, with the folder itself as the output folder.
  local function sandboxed(text)
    local status, out, err = run("--sandbox", text, "PERIGEE_JOB=" .. dir)
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  it("L1 loads no bytecode in the sandbox, mutated or whole, by any entry", function()
    -- 10,000 chunks with 1 to 3 bytes changed, each by load of a string and of a function, loadfile, dofile and
    -- require.
    local out = sandboxed([[
      local base = io.open("chunk.luac", "rb"):read("a")
      local seed = 2385
      local function random(n)
        seed = (seed * 6364136223846793005 + 1442695040888963407)
        return (seed >> 33) % n + 1
      end
      local refused, loaded = 0, 0
      local function count(ok)
        if ok then loaded = loaded + 1 else refused = refused + 1 end
      end
      for k = 1, 10000 do
        local chunk = base
        for _ = 1, k == 1 and 0 or random(3) do
          local at = 1 + random(#chunk - 1)
          chunk = chunk:sub(1, at - 1) .. string.char(random(256) - 1) .. chunk:sub(at + 1)
        end
        count(load(chunk))
        local given = false
        count(load(function()
          if not given then given = true return chunk end
        end, "=chunk", "bt"))
        os.remove("mutated.lua")
        local file = io.open("mutated.lua", "wb")
        file:write(chunk)
        file:close()
        count(loadfile("mutated.lua", "bt"))
        count(pcall(dofile, "mutated.lua"))
        count(pcall(require, "mutated"))
      end
      print(refused, loaded)
    ]])
    assert.equal("50000\t0\n", out)
    -- -e and a script file need a process each; -e cannot have a NUL in it. Fewer of them, unless more are asked for.
    local chunks = tonumber(os.getenv("CHUNKS") or 200)
    tool.write(dir .. "/each.lua", [=[
      local base = io.open("chunk.luac", "rb"):read("a")
      local seed = 2386
      local function random(n)
        seed = (seed * 6364136223846793005 + 1442695040888963407)
        return (seed >> 33) % n + 1
      end
      for k = 1, tonumber(arg[1]) do
        local chunk = base
        for _ = 1, k == 1 and 0 or random(3) do
          local at = 1 + random(#chunk - 1)
          chunk = chunk:sub(1, at - 1) .. string.char(random(256) - 1) .. chunk:sub(at + 1)
        end
        io.open(("mutated%d.luac"):format(k), "wb"):write(chunk):close()
        print(('"$P" --sandbox mutated%d.luac 2>>errors || end $?; rm mutated%d.luac'):format(k, k))
        print(("\"$P\" --sandbox -e '%s' 2>>errors || end $?"):format(chunk:gsub("[%z']", "")))
      end
    ]=])
    local status, text = tool.sh(([[cd %s && export P=%s && : > errors && "$P" each.lua %d > each.sh
      { echo 'n=0; end() { [ "$1" = 1 ] && n=$((n + 1)); }'; cat each.sh; echo 'echo $n'; } > all.sh
      sh all.sh
      grep -ac 'attempt to load a binary chunk' errors
      "$P" --sandbox - < chunk.luac 2>/dev/null && echo loaded
      true]]):format(dir, tool.program, chunks))
    assert.equal(0, status)
    assert.equal(("%d\n%d\n"):format(2 * chunks, 2 * chunks), text)
    print(("mutated bytecode: 10000 chunks refused by each of load, load of a function, loadfile, dofile and require, "
      .. "%d by each of -e and a script file; 0 loaded"):format(chunks))
    -- Without the sandbox a whole chunk runs, as in stock Lua.
    assert.equal(0, (tool.sh(("cd %s && %s -e 'assert(load(io.open([[chunk.luac]], [[rb]]):read([[a]])))'")
      :format(dir, tool.program))))
  end)

  it("L1 takes a number for the path that it is, and writes through no link that leads nowhere", function()
    tool.sh(("cd %s && ln -s %s.elsewhere/new dangling.npy; ln -s %s.elsewhere through; ln -s circle circle"):format(
      dir, dir, dir))
    local text = sandboxed([[
      local pg = require "perigee"
      for _, path in ipairs{"../7", "dangling.npy", "through/new.npy", "away/../../7.npy", "circle"} do
        for _, call in ipairs{{io.open, path, "w"}, {io.output, path}, {os.remove, path}, {os.rename, path, "new"},
            {os.rename, "new", path}, {pg.save, path, pg.ones(1)}, {pg._system.lock, path}} do
          local ok, why = pcall(table.unpack(call))
          if ok or not why:find("outside the sandbox", 1, true) then print(path, ok, why) end
        end
      end
      io.output(7):write("seven"):close()
      io.output(io.stdout)
      for line in io.lines(7) do print(line) end
      os.rename(7, 8)
      print(io.open(7), io.open(8):read("a"), os.remove(8))
    ]])
    assert.equal("seven\nnil\tseven\ttrue\n", (text:gsub("nil\t[^\n]*directory\t2\t", "nil\t")))
    assert.is_nil(tool.read(dir .. ".elsewhere/new"))
    -- In a folder that is not the script's a number names no file of it.
    tool.sh(("mkdir -p %s/in %s/other/out"):format(dir, dir))
    tool.write(dir .. "/in/inner.lua", "for _, f in ipairs{io.open, io.lines, io.input, io.output, os.remove} do "
      .. "print((select(2, pcall(f, 5)):gsub('.*: ', ''))) end")
    local status, out = tool.sh(("cd %s/other && touch 5 && PERIGEE_JOB=out %s --sandbox ../in/inner.lua"):format(dir,
      tool.program))
    assert.equal(0, status)
    assert.equal(2, select(2, out:gsub("a script writes only to its output folder", "")))
    assert.equal(3, select(2, out:gsub("a script reads only in its own folder", "")))
  end)

  it("L8 counts pictures into the memory limit, and gives back what they took", function()
    local status, out = run("--memory 300", [[
      local pg = require "perigee"
      local kept = {}
      for k = 1, 12 do
        local ok, why = pcall(pg._canvas.new, "png", 4000, 4000, 72)
        kept[k] = ok and why or nil
        if not ok then print(k, why) break end
      end
      for _, canvas in ipairs(kept) do canvas:close() end
      kept = nil
      for _ = 1, 30 do pg._canvas.new("png", 4000, 4000, 72) end
      print("done")
    ]])
    assert.equal(0, status)
    assert.match("^[45]\t[^\n]*not enough memory for a picture of 4000 x 4000 pixels\ndone\n$", out)
  end)

  it("L2 has no debug library in the sandbox", function()
    assert.equal("nil\tnil\tfalse\n", sandboxed([[print(debug, package.loaded.debug, (pcall(require, "debug")))]]))
  end)

  it("L3 is not fooled by a metatable on another userdata", function()
    local status, out = run("", [[
      local pg = require "perigee"
      debug.setmetatable(io.stdin, debug.getmetatable(pg.ones(2)))
      print((pcall(function() return io.stdin.shape end)), (pcall(pg.sum, io.stdin)))
      debug.setmetatable(io.stdin, debug.getmetatable(pg.random.new(1)))
      print((pcall(function() return io.stdin:random() end)))
      debug.setmetatable(io.stdin, debug.getmetatable(io.stdout))
    ]])
    assert.equal(0, status)
    assert.equal("false\tfalse\nfalse\n", out)
  end)

  it("L4 locks array metatables and frees nothing twice", function()
    local status, out = run("", [[
      local pg = require "perigee"
      local a = pg.ones(2)
      print(getmetatable(a), (pcall(setmetatable, a, {})), debug.getmetatable(a).__gc)
      -- What has a finaliser: calling it by hand, and twice.
      pg.save("x.npy", a)
      local reader = select(4, pg.rows("x.npy"))
      local meta = debug.getmetatable(reader)
      meta.__gc(reader) meta.__gc(reader) meta.__close(reader)
      print(type(meta.__metatable))
    ]])
    assert.equal(0, status)
    assert.equal("array\tfalse\tnil\nboolean\n", out)
  end)

  it("L5 anchors arrays while options run code", function()
    local status, out = run("", [[
      local pg = require "perigee"
      local opts = setmetatable({}, {__index = function(_, k) collectgarbage() collectgarbage() return nil end})
      for _ = 1, 20 do
        assert(pg.ones(100, 100):sum(1, opts)[1] == 100)
        pg.ppca.fit(pg.random.new(1):random(20, 4), 2, opts)
        pg.image.collage(pg.ones(4, 3, 3), opts)
      end
      print "fine"
    ]])
    assert.equal(0, status)
    assert.equal("fine\n", out)
  end)

  it("L6 lives through callbacks that raise, yield, or call back", function()
    local status, out, err = run("", [[
      local pg = require "perigee"
      local x = pg.array{1, 2}
      print(pcall(pg.gradcheck, function() error("mine", 0) end, function() return x end, x))
      local net = pg.lstm.new{input_size = 1, hidden_size = 3, output_size = 1, rng = pg.random.new(1)}
      local X, Y = pg.lstm.shift(pg.ones(4, 5))
      print(pcall(net.fit, net, X, Y, {epochs = 2, on_epoch = function() error("stop here", 0) end}))
      local co = coroutine.wrap(function()
        return pcall(net.fit, net, X, Y, {epochs = 2, on_epoch = function() coroutine.yield("out") end})
      end)
      print(co())
      print((co()))
      net:fit(X, Y, {epochs = 1, on_epoch = function() net:loss_grad(X, Y) end})
      print(pg.array_equal(x, {1, 2}))
    ]])
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("false\tmine\nfalse\tstop here\nout\nout\ntrue\n", out)
  end)

  it("L7 takes numeric keys of an options table for what they are", function()
    local status, out = run("", [[
      local pg = require "perigee"
      print(select(2, pcall(pg.load, "x", {[1] = 2})))
      print((select(2, pcall(pg.ppca.fit, pg.ones(3, 2), 1, {[1.5] = 2}))))
    ]])
    assert.equal(0, status)
    assert.matches("expected names such as dtype=, got %[1%]", out)
    assert.matches("unknown option '1.5'", out)
  end)

  it("L8 survives a million arguments and deep nesting", function()
    local status, out = run("", [[
      local pg = require "perigee"
      local many = {}
      for k = 1, 200000 do many[k] = 1 end
      print((pcall(pg.zeros, table.unpack(many))))
      print((pcall(function() return pg.ones(2)(table.unpack(many)) end)))
      print((pcall(pg.array, many)))
      local deep = {1}
      for _ = 1, 100000 do deep = {deep} end
      print((pcall(pg.array, deep)))
      local own = {}
      own[1] = own
      print((pcall(pg.array, own)))
      print((pcall(load, ("("):rep(300))))
    ]])
    assert.equal(0, status)
    assert.equal("false\nfalse\ntrue\nfalse\nfalse\ntrue\n", out)
  end)

  it("L9 refuses extents that are no extents", function()
    local status, out = run("", [[
      local pg = require "perigee"
      for _, n in ipairs{2^31, -1, 1.5, 0/0, "3", math.mininteger, 1/0} do
        for _, make in ipairs{pg.zeros, pg.ones, pg.eye} do
          local ok = pcall(make, n, make ~= pg.eye and n or nil)
          assert(not ok, n)
        end
      end
      print(pg.zeros(0).size, pg.zeros(3, 0).size)
    ]])
    assert.equal(0, status)
    assert.equal("0\t0\n", out)
  end)

  it("L10 counts Lua and arrays in one budget and works on after it", function()
    local status, out = run("--memory 60", [[
      local pg = require "perigee"
      print(pcall(string.rep, "x", 1 << 30))
      print((pcall(function() local t = {} for i = 1, 1e9 do t[i] = pg.ones(1e5) end end)))
      collectgarbage()
      print((pcall(function() local t = {} for i = 1, 1e9 do t[i] = {i} end end)))
      collectgarbage()
      print(pg.ones(1000):sum(), select(3, pg.memory()))
    ]])
    assert.equal(0, status)
    assert.equal("false\tnot enough memory\nfalse\nfalse\n1000.0\t62914560\n", out)
  end)

  it("L11 ends what runs inside a C function when the time is over", function()
    local status, _, err = run("--timeout 0.3", [[("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(28) .. "b")]])
    assert.equal(124, status)
    assert.equal("perigee: the time limit is over; the script did not end\n", err)
  end)

  it("L12 ends loops, and prints errors that resist it", function()
    for _, text in ipairs{"while true do end", "coroutine.wrap(function() while true do end end)()",
      "while true do pcall(function() while true do end end) end"} do
      local status = run("--timeout 0.2", text)
      assert.equal(124, status, text)
    end
    local status, _, err = run("", "local t = {} setmetatable(t, {__index = t}) t.__index = t "
      .. "for _ = 1, 3000 do t = setmetatable({}, {__index = t}) end return t.x + 1")
    assert.equal(1, status)
    assert.matches("^perigee: ", err)
    status, _, err = run("", "error(setmetatable({}, {__tostring = error}))")
    assert.equal(1, status)
    assert.matches("^perigee: ", err)
    status, _, err = run("", "error()")
    assert.equal(1, status)
    assert.matches("^perigee: ", err)
    status = run("", "local function f() return f() + 1 end f()")
    assert.equal(1, status)
  end)

  it("L13 gives a sandboxed script no file, program or C module of others", function()
    tool.write(dir .. "/beside.lua", "return 'beside'")
    os.execute("ln -sf /etc/passwd " .. dir .. "/link")
    local out = sandboxed([[
      local pg = require "perigee"
      local function refused(f, ...)
        local ok, a, b = pcall(f, ...)
        return not ok or a == nil
      end
      for k, f in ipairs{
        function() return io.open("/etc/passwd") end,
        function() return io.open("link") end,
        function() return io.open("../etc/passwd") end,
        function() return io.open("/tmp/perigee-outside", "w") end,
        function() return io.lines("/etc/passwd") end,
        function() return io.input("/etc/passwd") end,
        function() return io.output("/tmp/perigee-outside") end,
        function() return loadfile("/etc/passwd") end,
        function() return dofile("/etc/passwd") end,
        function() return os.remove("/tmp/perigee-outside") end,
        function() return os.rename("script.lua", "/tmp/perigee-outside") end,
        function() return pg.load("/etc/passwd") end,
        function() return pg.rows("/etc/passwd") end,
        function() return pg.save("/tmp/perigee-outside.npy", pg.ones(2)) end,
        function() return pg.plot.figure{}:line{1, 2}:save("/tmp/perigee-outside.svg") end,
        function() return pg._system.write("/tmp/perigee-outside", "x") end,
        function() return pg._system.list("/etc") end,
        function() return pg._process.start end,
        function() return require "cjson" end,
        function() return require "../etc/passwd" end,
        function() package.path = "/usr/share/lua/5.4/?.lua" return require "say" end,
        function() package.cpath = "/usr/lib/x86_64-linux-gnu/lua/5.4/?.so" return require "cjson" end,
        function() return io.popen end,
        function() return os.execute end,
        function() return package.loadlib end,
        function() return os.getenv("HOME") end,
      } do
        if not refused(f) then print("reached", k) end
      end
      print(require "beside", io.open("script.lua") ~= nil)
    ]])
    assert.equal("beside\ttrue\n", out)
    assert.is_nil(tool.read("/tmp/perigee-outside"))
  end)

  it("L14 gives each job of a batch a state of its own", function()
    tool.write(dir .. "/a.lua", "getmetatable('').__index = function() return 'changed' end print = nil "
      .. "require('perigee').zeros = nil")
    tool.write(dir .. "/b.lua", "assert(('x'):upper() == 'X' and print and require('perigee').zeros(1))")
    local status, _, err = tool.sh(("cd %s && %s run -j 1 --out out a.lua b.lua"):format(dir, tool.program))
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("L15 closes a state whose finalisers raise and allocate", function()
    for _, options in ipairs{"", "--memory 30"} do
      local status = run(options, [[
        local pg = require "perigee"
        keep = {}
        for k = 1, 20 do
          keep[k] = setmetatable({}, {__gc = function(o)
            again = o
            local t = {}
            for i = 1, 1000 do t[i] = pg and pg.ones(1000) end
            error("in a finaliser")
          end})
        end
        local closing <close> = setmetatable({}, {__close = function() error("in a close") end})
      ]])
      assert.equal(1, status)
    end
  end)

  it("L16 takes names and data for neither formats nor ends of strings", function()
    local status, out = run("", [[
      local pg = require "perigee"
      print(select(2, pcall(pg.load, "a.npy\0.png")))
      print(select(2, pcall(pg.load, "%s%n%d.npy")))
      print(#select(2, pcall(pg.load, ("n"):rep(65536))) < 70000)
      print(select(2, pcall(pg.zeros, "%n%s")))
      print(select(2, pcall(function() return pg.ones(2)["%n%s"] end)))
      print(select(2, pcall(pg.ppca.fit, pg.ones(3, 2), 1, {["%s%n"] = 1})))
    ]])
    assert.equal(0, status)
    local function has(text) assert.is_truthy(out:find(text, 1, true), out) end
    has("a file name cannot contain a NUL byte")
    has("%s%n%d.npy: cannot open: No such file or directory")
    has("true\n")
    has('got "%n%s")')
    has("no field or method '%n%s'")
    has("unknown option '%s%n'")
  end)

  it("L17 leaves no file open where an error jumps", function()
    local status, out = run("", [[
      local pg = require "perigee"
      pg.save("cut.npy", pg.ones(100))
      local bytes = io.open("cut.npy", "rb"):read("a")
      io.open("cut.npy", "wb"):write(bytes:sub(1, 300)):close()
      for _ = 1, 3000 do
        assert(not pcall(pg.load, "cut.npy"))
        assert(not pcall(pg.save, "no/such/folder/x.npy", pg.ones(2)))
      end
      collectgarbage()
      local open = 0
      for _ in io.popen("ls /proc/$PPID/fd"):lines() do open = open + 1 end
      print(open < 12)
    ]])
    assert.equal(0, status)
    assert.equal("true\n", out)
  end)
end)
