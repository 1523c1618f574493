-- SPDX-License-Identifier: MIT
local pg = require "perigee"

local folder

setup(function()
  folder = os.tmpname()
  os.remove(folder)
end)
teardown(function() os.execute("rm -rf " .. folder) end)

-- An experiment that is told its words, and so raises instead of ending the program.
local function begin(spec, ...)
  spec.args, spec.strict = {"--out", folder, ...}, false
  return pg.experiment(spec)
end

local function read(name)
  local file = assert(io.open(folder .. "/" .. name, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function records(ex)
  ex:_finish()
  return pg._json.decode(read("metrics.json"))
end

local message = require("tests.lua.helper").message

local OPTIONS = {lr = 1e-3, epochs = 20, dims = {16, 32}, name_of = "a", shuffle = true, verbose = false}

describe("options", function()
  it("have the types of their defaults", function()
    local o = begin({options = OPTIONS}).options
    assert.same({1e-3, 20, {16, 32}, "a", true, false}, {o.lr, o.epochs, o.dims, o.name_of, o.shuffle, o.verbose})
    o = begin({options = OPTIONS}, "--lr", "0.5", "--epochs=3", "--dims", "1,2,3", "--name-of", "x y", "--no-shuffle",
      "--verbose").options
    assert.same({0.5, 3, {1, 2, 3}, "x y", false, true}, {o.lr, o.epochs, o.dims, o.name_of, o.shuffle, o.verbose})
    assert.equal("integer", math.type(o.epochs))
    o = begin({options = OPTIONS}, "--lr", "-1", "--dims", "[4]", "--shuffle=false", "--epochs", "1e3").options
    assert.same({-1, {4}, false, 1000}, {o.lr, o.dims, o.shuffle, o.epochs})
    assert.same({}, begin({options = OPTIONS}, "--dims=").options.dims)
  end)

  it("know seed, quick and out", function()
    local ex = begin({options = {epochs = 20}, quick = {epochs = 2}}, "--seed", "5", "--quick")
    assert.same({5, true, folder, 2}, {ex.seed, ex.quick, ex.dir, ex.options.epochs})
    assert.equal(3, begin({options = {epochs = 20}, quick = {epochs = 2}}, "--quick", "--epochs", "3").options.epochs)
    assert.equal(0, begin({}).seed)
    assert.equal(pg.random.new(5):random(), ex.rng:random())
  end)

  it("can be more than a default", function()
    local spec = {mode = pg.option{default = "fast", choices = {"fast", "slow"}}, file = pg.option{type = "file"}}
    local ex = begin({options = spec})
    assert.is_nil(ex.options.file)
    assert.equal("fast", ex.options.mode)
    assert.equal("slow", begin({options = spec}, "--mode", "slow").options.mode)
    assert.equal("--mode: 'slw' is not one of fast, slow; did you mean 'slow'?",
      message(begin, {options = spec}, "--mode", "slw"))
    assert.equal("--file: /nowhere/at-all: No such file", message(begin, {options = spec}, "--file", "/nowhere/at-all"))
    assert.equal("--file: /tmp: is a folder, a file is wanted", message(begin, {options = spec}, "--file", "/tmp"))
  end)

  it("say what is wrong with the words", function()
    for words, want in pairs{
      [{"--epoch", "3"}] = "unknown option --epoch; did you mean --epochs?",
      [{"--zebra"}] = "unknown option --zebra; --help lists the options",
      [{"--epochs"}] = "--epochs: a value is missing",
      [{"--epochs", "many"}] = "--epochs: expected an integer, got 'many'",
      [{"--epochs", "2.5"}] =
        "--epochs: expected an integer, got '2.5' (its default is an integer; write it 1.0 for any number)",
      [{"--lr", "x"}] = "--lr: expected a number, got 'x'",
      [{"--dims", "1,x"}] = "--dims: expected an integer, got 'x'",
      [{"--shuffle=perhaps"}] = "--shuffle: expected true or false, got 'perhaps'",
      [{"word"}] = "unexpected word 'word'; options are written --name value",
      [{"--seed", "-1"}] = "--seed: expected an integer of at least 0, got -1",
    } do
      assert.equal(want, message(begin, {options = OPTIONS}, table.unpack(words)))
    end
  end)

  it("say what is wrong with the declaration", function()
    for spec, want in pairs{
      [{options = {f = print}}] = "experiment: option 'f' has the default function; give a number, a string, " ..
        "a flag, a list of one kind or pg.option",
      [{options = {["a b"] = 1}}] = "experiment: 'a b' is not a name for an option",
      [{options = {seed = 1}}] = "experiment: every experiment has --seed already; give the option another name",
      [{options = {epochs = 1}, quick = {epoch = 1}}] =
        "experiment: quick names the option 'epoch', which there is not; did you mean 'epochs'?",
      [{nam = "x"}] = "bad argument #1 to 'experiment' (unknown option 'nam'; did you mean 'name'?)",
      [{name = "a/b"}] = "bad argument #1 to 'experiment' (name: 'a/b' cannot be a file's name; " ..
        "use letters, digits, - and _)",
    } do
      assert.equal(want, message(begin, spec))
    end
    assert.equal("bad argument #1 to 'option' (give a type, or a default that shows it)", message(pg.option, {}))
    assert.equal("bad argument #1 to 'option' (unknown option 'tipe'; did you mean 'type'?)",
      message(pg.option, {tipe = "file"}))
    assert.equal("this experiment has no option 'epoch'; did you mean 'epochs'?",
      message(function() return begin({options = OPTIONS}).options.epoch end))
    assert.equal("an experiment has no field 'metrics'; did you mean 'metric'?",
      message(function() return begin({}).metrics end))
  end)
end)

describe("records", function()
  it("are written ever more seldom, and at the end", function()
    local clock, write, now, count = pg.clock, pg._system.write, 100.0, 0
    pg.clock = function() return now end
    pg._system.write = function(...)
      count = count + 1
      return write(...)
    end
    local ex = begin{name = "seldom"}
    local function run_until(seconds)
      local before = count
      while now < 100 + seconds do
        now = now + 0.02
        ex:metric("m", now)
      end
      return count - before
    end
    local first, next_ten, later = run_until(10), run_until(100), run_until(2000)
    ex:metric("m", 7)
    ex:_finish()
    pg.clock, pg._system.write = clock, write
    assert.truthy(first >= 45 and first <= 55, first) -- five a second
    assert.truthy(next_ten >= 100 and next_ten <= 130, next_ten)
    assert.truthy(later >= 190 and later <= 300, later) -- every ten seconds at the end
    assert.equal(7, pg._json.decode(read("metrics.json")).metrics.m)
  end)

  it("hold metrics, curves, tables and notes in their order", function()
    local ex = begin({name = "records", about = "What it is about."})
    ex:metric("loss", 0.25, {report = 0.163, note = "why"})
    for i = 1, 3 do ex:metric("curve", i * i, i) end
    ex:metric("array", pg.array{7})
    ex:metric("odd", 0 / 0)
    ex:table("numbers", {"a", "b"}, {{1, 2.5}, {"x", true}, {3}}, "caption", {report = {{1, 2}}})
    ex:table("of an array", {"a", "b"}, pg.array{{1, 2}, {3, 4}})
    ex:note("**bold**")
    local r = records(ex)
    assert.same({"records", "What it is about.", 0, false}, {r.name, r.about, r.seed, r.quick})
    assert.same({loss = 0.25, curve = 9, array = 7, odd = "nan"}, r.metrics)
    assert.same({step = {1, 2, 3}, value = {1, 4, 9}}, {step = r.series.curve.step, value = r.series.curve.value})
    assert.same({"metric", "metric", "metric", "metric", "table", "table", "note"},
      {table.unpack((function()
        local kinds = {}
        for i, record in ipairs(r.records) do kinds[i] = record.kind end
        return kinds
      end)())})
    assert.same({0.163, "why"}, {r.records[1].report, r.records[1].note})
    assert.same({"x", true}, {table.unpack(r.records[5].rows[2])})
    assert.same({3, ""}, {table.unpack(r.records[5].rows[3])})
    assert.equal(4, r.records[6].rows[2][2])
  end)

  it("save images and figures", function()
    local ex = begin({})
    assert.equal(folder .. "/square.png", ex:figure("square", pg.full({4, 4}, 255), "A square", {report = "another"}))
    assert.equal("\137PNG", read("square.png"):sub(1, 4))
    local saved
    local figure = {save = function(_, path) saved = path end}
    ex:figure("square", figure, "Again")
    assert.equal(folder .. "/square.png", saved)
    local r = records(ex)
    assert.equal(1, #r.records)
    assert.equal("Again", r.records[1].caption)
  end)

  it("give equal bytes twice, and hold no time", function()
    local texts = {}
    for i = 1, 2 do
      local ex = begin({options = OPTIONS}, "--seed", "3")
      ex:metric("draw", ex.rng:random())
      ex:_finish()
      texts[i] = read("metrics.json")
    end
    assert.equal(texts[1], texts[2])
  end)

  it("find data beside the script or in build/data, and note its hash", function()
    local ex = begin({})
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write("abc"):close()
    assert.equal(path, ex:data(path))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", records(ex).data[1].sha256)
    assert.is_nil(ex:data("no such file", {optional = true}))
    assert.equal("no such file: not found beside the script nor in build/data; ask for it",
      message(ex.data, ex, "no such file", {get = "ask for it"}))
    os.remove(path)
  end)

  it("refuse what cannot be recorded, naming the argument", function()
    local ex = begin({})
    for want, call in pairs{
      ["bad argument #1 to 'metric' (name: expected a string, got number 3)"] = function() ex:metric(3, 1) end,
      ['bad argument #2 to \'metric\' (value: expected a number, got "x")'] = function() ex:metric("a", "x") end,
      ["bad argument #2 to 'metric' (value: expected a number, got array (2,) f64)"] =
        function() ex:metric("a", pg.ones(2)) end,
      ["bad argument #3 to 'metric' (unknown option 'reprot'; did you mean 'report'?)"] =
        function() ex:metric("a", 1, {reprot = 1}) end,
      ["bad argument #1 to 'figure' (name: '../x' cannot be a file's name; use letters, digits, - and _)"] =
        function() ex:figure("../x", pg.ones(2, 2)) end,
      ["bad argument #2 to 'figure' (figure: expected a figure or an image, got number 3)"] =
        function() ex:figure("x", 3) end,
      ["bad argument #2 to 'table' (columns: expected a list of headings, got table)"] =
        function() ex:table("x", {}, {}) end,
      ["bad argument #3 to 'table' (rows: row 2 has 3 cells, there are 2 columns)"] =
        function() ex:table("x", {"a", "b"}, {{1}, {1, 2, 3}}) end,
      ["bad argument #3 to 'table' (rows: row 1: expected a list, got number 1)"] =
        function() ex:table("x", {"a"}, {1}) end,
      ["bad argument #1 to 'note' (text: expected a string, got no value)"] = function() ex:note() end,
      ["bad argument #1 to 'skip' (reason: expected a string, got no value)"] = function() ex:skip() end,
    } do
      assert.equal(want, message(call))
    end
  end)

  it("end as skipped", function()
    local ex = begin({})
    assert.equal("skipped: no data", message(ex.skip, ex, "no data"))
    assert.equal("no data", pg._json.decode(read("metrics.json")).skipped)
  end)
end)

describe("a script on its own", function()
  local program = os.getenv("PERIGEE") or "build/perigee"

  local function run(text, words)
    local path = folder .. ".lua"
    local file = io.open(path, "w")
    file:write(text):close()
    local pipe = io.popen(("cd /tmp && %s %s %s 2>&1; echo status $?"):format(program:gsub("^build",
      io.popen("pwd"):read("l") .. "/build"), path, words or ""))
    local out = pipe:read("a")
    pipe:close()
    os.remove(path)
    return out
  end

  it("writes metrics and manifest, after an error too, and says where", function()
    local out = run("local ex = require('perigee').experiment{name = 'own'}\nex:metric('a', 1)", "--out " .. folder)
    assert.truthy(out:find("^  a  1\n"), out)
    assert.truthy(out:find(folder .. "/index.html: 0 figures, 1 metric\n", 1, true), out)
    assert.matches("<td>a</td><td class=\"n\">1</td>", read("index.html"))
    local m = pg._json.decode(read("manifest.json"))
    assert.equal(64, #m.script.sha256)
    assert.equal("own", m.name)
    assert.truthy(m.peak_mb > 0)
    run("local ex = require('perigee').experiment{name = 'own'}\nfor i = 1, 9 do ex:metric('b', i) end error('x')",
      "--out " .. folder)
    assert.same({b = 9}, pg._json.decode(read("metrics.json")).metrics)
  end)

  it("prints its metrics beside a report's, and tables that are small", function()
    local out = run([[local ex = require('perigee').experiment{name = 'own'}
      ex:metric('loss', 0.25, {report = 0.3})
      ex:metric('steps', 1000)
      ex:table('small', {'name', 'n'}, {{'one', 1}, {'two', 22}})
      ex:table('large', {'n'}, require('perigee').range(1, 13):reshape(13, 1))]], "--out " .. folder)
    assert.equal(("  loss   0.25  (report: 0.3)\n  steps  1000\n\nsmall\n  name   n\n  one    1\n  two   22\n" ..
      "%s/index.html: 0 figures, 2 metrics\nstatus 0\n"):format(folder), out)
  end)

  it("ends with status 2 and one line on wrong words, and with 0 after help", function()
    local text = "require('perigee').experiment{name = 'own', about = 'About it.', options = {epochs = 3, on = true}}"
    assert.equal("own: unknown option --epoch; did you mean --epochs?\nstatus 2\n", run(text, "--epoch 3"))
    local out = run(text, "--help")
    assert.truthy(out:find("^usage: perigee .-%.lua %[options%]\n\nAbout it.\n\noptions:\n  %-%-epochs N  default 3\n"),
      out)
    assert.truthy(out:find("--[no-]on", 1, true))
    assert.truthy(out:find("status 0\n$"))
  end)

  it("is strict from there on, and pg.strict() makes it so too", function()
    for _, start in ipairs{"require('perigee').experiment{}", "require('perigee').strict()"} do
      local out = run("before = 1 " .. start .. "\nbefore = before + 1\nlocal x = pritn", "--out " .. folder)
      assert.truthy(out:find(":3: global 'pritn' is not declared; did you mean 'print'?", 1, true), out)
      out = run(start .. "\nundeclared = 1", "--out " .. folder)
      assert.truthy(out:find(":2: assignment to global 'undeclared' that is not declared; write `local undeclared = ",
        1, true), out)
      out = run(start .. "\nprint(zzzzz)", "--out " .. folder)
      assert.truthy(out:find("global 'zzzzz' is not declared; write `local zzzzz = ...` before its first use", 1,
        true), out)
    end
  end)

  it("loses nothing silently when its folder cannot be written", function()
    local out = run("local ex = require('perigee').experiment{}\nos.execute('rm -rf " .. folder ..
      ".gone') ex:metric('a', 1)", "--out " .. folder .. ".gone")
    assert.truthy(out:find("metrics.json: No such file or directory", 1, true), out)
    assert.truthy(out:find("status 1\n$"), out)
    out = run("require('perigee').experiment{}", "--out /dev/null/x")
    assert.truthy(out:find("/dev/null/x: Not a directory", 1, true))
  end)

  it("may begin only one experiment", function()
    local out = run("local pg = require 'perigee' pg.experiment{} pg.experiment{}", "--out " .. folder)
    assert.truthy(out:find("experiment: this script has begun one already; a second one needs a script of its own", 1,
      true))
  end)
end)
