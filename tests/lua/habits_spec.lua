-- SPDX-License-Identifier: MIT
--
-- Every row of the table of habits: the old name raises, the cure stands in its message, and what the cure says to
-- write is there.
local pg = require "perigee"
local helper = require "tests.lua.helper"
local habits = pg._habits

local net = pg.nn.model(pg.nn.linear(1, 1), pg.random.new(0))
local figure = pg.plot.figure{}
local rng = pg.random.new(0)
local array = pg.ones(2, 2)

-- What lacks the names of each place.
local places = {
  pg = pg, array = array, linalg = pg.linalg, random = pg.random, rng = rng, figure = figure, plot = pg.plot,
  nn = pg.nn, optim = pg.optim, stats = pg.stats, net = net,
}

local function names_of(rows)
  local list = {}
  for name in pairs(rows) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function in_place(place, name)
  if place == "rng" and name == "spawn" then return pg.random.legacy(0) end
  return places[place]
end

for _, place in ipairs(names_of(places)) do
  describe("a habit in the place " .. place, function()
    for _, name in ipairs(names_of(habits.rows[place])) do
      it(name .. " meets its cure", function()
        local object = in_place(place, name)
        local message = helper.message(function() return object[name] end)
        local tail = (" '%s'; %s"):format(name, habits.rows[place][name])
        assert.equal(tail, message:sub(-#tail))
      end)
    end
  end)
end

describe("a habit of pg", function()
  it("is met by arrays, too", function()
    for _, name in ipairs(names_of(habits.rows.pg)) do
      -- what an array has and pg has not is no habit
      local ok, message = pcall(function() return array[name] end)
      if not ok then assert.truthy(message:find("; " .. habits.cure("array", name), 1, true), name) end
    end
  end)
end)

-- What a script would read: pg.linalg.rank, a:dot, rng:random, fig:line, nn.linear, net.params, ex:metric.
local objects = {
  pg = pg, a = array, b = array, x = array, y = array, rng = rng, fig = figure, nn = pg.nn, net = net,
  g = array, c = array, math = math, os = os, io = io, string = string, table = table, ex = false, m = false, w = array,
  object = false, loss = array,
}

describe("a cure", function()
  for _, place in ipairs(names_of(habits.rows)) do
    it("in the place " .. place .. " names what is there", function()
      for _, name in ipairs(names_of(habits.rows[place])) do
        local cure = habits.rows[place][name]:gsub('"[^"]*"', "")
        for first, rest in cure:gmatch("%f[%w_]([%a_][%w_]*)([.:][%a_][%w_.:]*)") do
          local object = objects[first]
          assert.not_nil(object, ("%s of %s: what is %s%s?"):format(name, place, first, rest))
          for field in rest:gmatch("[%w_]+") do
            if object then
              local ok, value = pcall(function() return object[field] end)
              assert.truthy(ok and value ~= nil, ("%s of %s: there is no %s%s"):format(name, place, first, rest))
              object = value
            end
          end
        end
      end
    end)
  end
  it("is there for more than 150 names", function() assert.truthy(habits.count() > 400) end)
end)

describe("an experiment", function()
  it("meets habits", function()
    local ex = pg.experiment{name = "habits", args = {"--out", os.tmpname() .. ".d"}}
    for _, name in ipairs(names_of(habits.rows.experiment)) do
      local message = helper.message(function() return ex[name] end)
      assert.equal(("an experiment has no field '%s'; %s"):format(name, habits.rows.experiment[name]), message)
    end
  end)
end)

describe("a near name", function()
  it("is told where there is no habit", function()
    assert.equal("pg has no 'zeors'; did you mean 'zeros'?", helper.message(function() return pg.zeors end))
    assert.equal("pg has no 'lingalg'; did you mean 'linalg'?", helper.message(function() return pg.lingalg end))
    assert.equal("array has no field or method 'rehsape'; did you mean 'reshape'?",
      helper.message(function() return array.rehsape end))
  end)
end)

describe("a figure", function()
  it("has its options as methods", function()
    local fig = pg.plot.figure{}:line({1, 2, 3}):title("t"):xlabel("x"):ylabel("y"):xlim(1, 4):ylim{0.5, 5}
      :yscale("log"):xticks{1, 2}:aspect("auto")
    local text = tostring(fig)
    assert.equal("figure 640x480, 1 layer: t", text)
    local same = pg.plot.figure{title = "t", xlabel = "x", ylabel = "y", xlim = {1, 4}, ylim = {0.5, 5}, yscale = "log",
      xticks = {1, 2}}:line({1, 2, 3})
    assert.is_true(fig:pixels():array_equal(same:pixels()))
    assert.matches("expected {lo, hi}, got number 3", helper.message(fig.xlim, fig, 3))
    assert.matches("yscale: expected", helper.message(fig.yscale, fig, "logg"))
    assert.equal("figure 640x480, 1 layer", tostring(fig:title(nil)))
  end)
end)

describe("a global that is not there", function()
  local hints = pg._hints
  it("has its cure", function()
    for _, name in ipairs(names_of(habits.rows.global)) do
      local message = ("x.lua:1: attempt to call a nil value (global '%s')"):format(name)
      assert.equal(message .. "\nhint: " .. habits.rows.global[name] .. "\nstack traceback:\n\t[C]: in ?",
        hints.report(message, "stack traceback:\n\t[C]: in ?"))
    end
    assert.equal("write pg.linspace", hints.global("linspace"))
    assert.equal("write pg.concat({a, b}, axis)", hints.global("concatenate"))
    assert.is_nil(hints.global("qqqq"))
  end)
  it("and so have fields that are called", function()
    for name, cure in pairs(habits.rows.call) do
      assert.equal(cure, hints.runtime(("attempt to call a number value (method '%s')"):format(name)))
    end
  end)
end)
