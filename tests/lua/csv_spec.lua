-- SPDX-License-Identifier: MIT
-- Tables as text. Dialects are compared with what pandas 1.5 read (tests/golden/pandas_csv.py).
local pg = require "perigee"

local SEEDS = "tests/fuzz/seeds/"
local made = {}

local function temporary(suffix)
  local base = os.tmpname()
  made[#made + 1] = base
  made[#made + 1] = base .. suffix
  return base .. suffix
end

local function file(bytes, suffix)
  local path = temporary(suffix or ".csv")
  local f = assert(io.open(path, "wb"))
  f:write(bytes)
  f:close()
  return path
end

local function contents(path)
  local f = assert(io.open(path, "rb"))
  local bytes = f:read("a")
  f:close()
  return bytes
end

local message = require("tests.lua.helper").message

local function refused(bytes, options, suffix)
  local path = file(bytes, suffix)
  local text = message(pg.load, path, options)
  assert.equal(path .. ": ", text:sub(1, #path + 2))
  return text:sub(#path + 3)
end

local function text(a) return tostring(a.shape) .. " " .. a.dtype .. " " .. table.concat(a:reshape(-1):totable(),
  " ") end

after_each(function()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end)

describe("csv", function()
  local function csv(bytes, suffix) return pg.load(file(bytes, suffix or ".csv")) end
  it("reads numbers, and names when there are any", function()
    local a, names = pg.load(SEEDS .. "csv/header", {format = "csv"})
    assert.equal("(2, 3) f64 1.0 2.5 -0.03 4.0 nan inf", text(a):gsub("-nan", "nan"))
    assert.same({"x", "y", 'z "q"'}, names)
    a, names = csv "1,2\n3,4"
    assert.equal("(2, 2) f64 1.0 2.0 3.0 4.0", text(a))
    assert.is_nil(names)
    assert.equal("(2, 2) f64 1.0 2.0 3.0 4.0", text(csv("1\t2\r\n3\t4\r\n", ".tsv")))
    a, names = csv("\xef\xbb\xbfa;b\r1;2\r3;4")
    assert.equal("(2, 2) f64 1.0 2.0 3.0 4.0", text(a))
    assert.same({"a", "b"}, names)
    a, names = csv("# a b\n1 2e300\n  3   4\n\n#end\n", ".txt")
    assert.equal("(2, 2) f64 1.0 2e+300 3.0 4.0", text(a))
    assert.same({"a", "b"}, names)
    assert.equal("(1, 1) f64 7.0", text(csv "7"))
    assert.equal("(2, 1) f64 1.0 2.0", text(csv("x\n1\n2\n")))
    assert.equal("(1, 2) f32 1.0 2.0", text(pg.load(file("1,2", ".csv"), {dtype = "f32"})))
    assert.equal("(1, 2) f64 1.0 2.0", text(pg.load(file("1,2"), {format = "csv"})))
    assert.equal("(2, 2) f64 1.0 2.0 3.0 4.0", text(pg.load(SEEDS .. "csv/gz", {format = "csv"})))
  end)
  it("rounds to nearest, in every locale", function()
    for _, s in ipairs{"0.1", "1e23", "8.41e21", "9007199254740993", "123456789012345678901234567890",
      "2.2250738585072011e-308",
      "4.9e-324", "1.7976931348623157e308", "-0.0", "5e-400"} do
      assert.equal(("%a"):format(tonumber(s)), ("%a"):format(pg.load(file(s, ".csv"), {exact = false})[1][1]))
    end
  end)
  it("names line and column of what is wrong", function()
    local function wrong(bytes, suffix) return refused(bytes, nil, suffix or ".csv") end
    assert.equal("this field is not a number: b (line 3, column 2)", wrong "x,y\n1,2\n3,b\n")
    assert.equal("the row is shorter than the first (line 2, column 1)", wrong "1,2\n3\n")
    assert.equal("the row is longer than the first (line 2, column 3)", wrong "1,2\n3,4,5\n")
    assert.equal("an empty field; write nan where a value is missing, or give {missing=true} (line 2, column 2)",
      wrong "1,2\n3,\n")
    assert.equal("the row has not as many fields as there are names (line 2, column 3)", wrong "a,b\n1,2,3\n")
    assert.equal("this field is not a number: x (line 1, column 2)", wrong "1,x\n2,3\n")
    assert.equal("a quoted field does not end (line 2, column 1)", wrong 'a\n"12\n')
    assert.equal("the table has no rows of numbers", wrong "a,b\n")
  end)
  it("saves so that the same numbers come back", function()
    local a = pg.array{{0.1, 1 / 3, 1e300}, {-0.0, 5e-324, 12345678901234567890.0}}
    local path = temporary(".csv")
    pg.save(path, a, {columns = {"x", "y z", 'q"'}})
    local back, names = pg.load(path)
    for i = 1, 2 do for j = 1, 3 do assert.equal(("%a"):format(a(i, j)), ("%a"):format(back(i, j))) end end
    assert.same({"x", "y z", 'q"'}, names)
    assert.equal('x,"y z","q"""\n0.1,0.3333333333333333,1e+300\n-0,5e-324,12345678901234567000\n',
      (contents(path):gsub("4%.940656458412%d*e%-324", "5e-324"):gsub("1%.23456789012345%d*e%+19",
        "12345678901234567000")))
    pg.save(path, pg.array({0.1, 3}, "f32"))
    assert.equal("0.1\n3\n", contents(path))
    assert.equal("bad argument #3 to 'save' (columns: expected a table of 3 names, got one of 1)",
      message(pg.save, path, a, {columns = {"x"}}))
    assert.equal(path .. ": a table has 1 or 2 axes, and this array has 3", message(pg.save, path, pg.zeros(1, 1, 1)))
  end)
end)

describe("csv", function()
  local function csv(bytes, options, suffix) return pg.load(file(bytes, suffix), options) end
  local function numbers(bytes, options, suffix)
    local a, names = csv(bytes, options, suffix)
    return (text(a):gsub("%-?nan", "nan"):gsub(" f64", "")), names and table.concat(names, ",")
  end
  it("loses no row that begins with #", function()
    for _, word in ipairs{"#N/A", "#DIV/0!", "#REF!", "#NAME?", "#VALUE!", "#NUM!", "#NULL!", "#NA", "#SPILL!"} do
      assert.equal("this field is not a number: " .. word .. " (line 3, column 1)",
        refused("x,y\n1,2\n" .. word .. ",3\n5,6\n"))
      assert.equal("this field is not a number: " .. word .. " (line 1, column 1)", refused(word .. "\n1\n"))
      assert.equal("this field is not a number: " .. word .. " (line 2, column 1)", refused("1 2\n" .. word .. " 2\n",
        nil, ".txt"))
    end
    assert.equal("(3, 2) 1.0 2.0 nan 4.0 5.0 6.0", (numbers("x,y\n1,2\n#N/A,4\n5,6\n", {missing = true})))
    -- what may be a row is not passed over without a word
    local odd = "this line begins with # and looks like a row; {comment=\"#\"} skips it, {comment=false} reads it: "
    assert.equal(odd .. "#tag,3 (line 3, column 1)", refused("x,y\n1,2\n#tag,3\n"))
    assert.equal(odd .. "#ff0000;3 (line 2, column 1)", refused("1;2\n#ff0000;3\n"))
    assert.equal(odd .. "#1st\\x093 (line 2, column 1)", refused("1\t2\n#1st\t3\n", nil, ".tsv"))
    assert.equal("(1, 2) 1.0 2.0", (numbers("1,2\n#tag,3\n", {comment = "#"})))
    assert.same({"#ff0000", "blue"}, csv("c,n\n#ff0000,3\nblue,4\n", {text = true, comment = false}).c)
    -- a row that was taken out, and remarks
    assert.equal("(2, 2) 1.0 2.0 5.0 6.0", (numbers("1,2\n#3,4\n# 3,4\n#\n# a, b and c\n# end\n5,6\n#bye")))
    assert.equal("(2, 2) 1.0 2.0 5.0 6.0", (numbers("1 2\n# two words\n5 6\n", nil, ".txt")))
  end)
  it("takes comments as it is told", function()
    assert.equal("(2, 2) 1.0 2.0 3.0 4.0", (numbers("% a,b\n1,2 % one\n%\n3,4%two\n", {comment = "%"})))
    assert.equal("(1, 1) 1.0", (numbers("1 # a remark, with a comma\n", {comment = "#"})))
    assert.same({'a#b', "c"}, csv('w,n\n"a#b",1\nc,2#\n', {comment = "#", text = true}).w)
    assert.matches("not a number: #x", refused("1\n#x\n", {comment = false}))
    assert.matches("comment: expected one character", message(csv, "1\n", {comment = "//"}))
  end)
  it("chooses the separator from the first line that counts", function()
    for _, first in ipairs{"# my data\n", "\n\n", "# made by Bob, May 2020\n", "# a;b\n", "  \n# x\ty\n\n"} do
      for _, s in ipairs{",", ";", "\t", "|", " "} do
        local a, names = csv(first .. "1.5" .. s .. "2\n3" .. s .. "4\n", nil, ".txt")
        assert.equal("(2, 2) f64 1.5 2.0 3.0 4.0", text(a))
        if not (first == "# a;b\n" and s == ";" or s == "\t" and first:find("\t")
          or s == "," and first:find(",") or s == " " and (first == "# my data\n" or first:find("\t"))) then
          assert.is_nil(names)
        end
        a, names = csv(first .. "p" .. s .. "q\n1.5" .. s .. "2\n", nil, ".txt")
        assert.equal("(1, 2) f64 1.5 2.0", text(a))
        assert.same({"p", "q"}, names)
      end
    end
    assert.same({"(1, 2) 1.0 2.0", "x,y"}, {numbers("# title\n# x,y\n1,2\n")})
    assert.same({"(1, 2) 1.0 2.0", "x,y"}, {numbers("# my title\n# x y\n1 2\n", nil, ".txt")})
    assert.same({"(2, 1) 1.0 2.0"}, {numbers("1\n2\n", {separator = ","})})
    assert.matches("not a number: 1;2", refused("1;2\n3;4\n", {separator = ","}):gsub("3;4", "1;2"))
  end)
  it("takes no row for names", function()
    for _, word in ipairs{"NA", "N/A", "null", "NULL", "None", "<NA>", "1e999", "1.2.3", "1,5;", "--1"} do
      assert.is_false(pcall(csv, word .. "\n1.5\n2.5\n", {separator = ";"}), word) -- one such column
      assert.is_false(pcall(csv, ";\n1;2\n"))
      assert.is_false(pcall(csv, word .. ";" .. word .. "\n1.5;2\n2.5;2\n"), word)
    end
    assert.equal("this field is not a number: NA (line 1, column 1)", refused("NA\n1.5\n2.5\n"))
    assert.equal("(3, 1) nan 1.5 2.5", (numbers("NA\n1.5\n2.5\n", {missing = true})))
    assert.same({"(1, 2) 1.0 2.0", "NA,x"}, {numbers("NA,x\n1,2\n")})
    assert.same({"(1, 3) 1.0 2.0 3.0", "2020-01-01,25%,1st"}, {numbers("2020-01-01,25%,1st\n1,2,3\n")})
    assert.same({"(1, 2) 1.0 2.0", "2019,2020"}, {numbers("2019,2020\n1,2\n", {header = true})})
    assert.same({"(2, 2) 2019.0 2020.0 1.0 2.0"}, {numbers("2019,2020\n1,2\n")})
    assert.same({"(2, 1) 5.0 1.0"}, {numbers("5\n1\n", {header = false})})
    assert.equal("this field is not a number: a (line 1, column 1)", refused("a\n1\n", {header = false}))
  end)
  it("keeps names of any letters through save and load", function()
    local a = pg.array{{1, 2, 3}, {4, 5, 6}}
    for _, names in ipairs{{"2019", "2020", "2021"}, {"a", "2020", "b"}, {"nan", "inf", "-1e5"}, {"NA", "NULL", "N/A"},
      {"", "a", ""}, {"#a", "b#", "#N/A"}, {"a;b", "c|d", "e,f"}, {" x", "y ", "\t"}, {'"', '""', 'a"b'},
      {"P3", "P5", "P6"}, {"a\nb", "c\r", "d"}, {"é", "整", "\xff"}, {"1.2.3", "1,5", "0x10"}} do
      for _, suffix in ipairs{".csv", ".tsv", ".txt"} do
        local path = temporary(suffix)
        pg.save(path, a, {columns = names})
        local back, found = pg.load(path)
        assert.equal(text(a), text(back))
        assert.same(names, found)
        pg.save(path, a:slice({}, {1}), {columns = {names[1]}})
        if names[1] ~= "" then
          back, found = pg.load(path)
          assert.equal("(2, 1) f64 1.0 4.0", text(back))
          assert.same({names[1]}, found)
        end
      end
    end
    assert.matches("columns: a name holds a NUL byte", message(pg.save, "x.csv", pg.ones(1), {columns = {"a\0b"}}))
    -- where everything stands in quotes nothing can be told
    assert.equal("(2, 2) 1.0 2.0 3.0 4.0", (numbers('"1","2"\n"3","4"\n')))
    assert.equal("it is not clear whether the first line holds names; {header=true} or {header=false} says so " ..
      "(line 2, column 2)", refused('"a","2020"\n"3","4"\n'))
    assert.same({"(1, 2) 3.0 4.0", "a,2020"}, {numbers('"a","2020"\n"3","4"\n', {header = true})})
  end)
  it("is no picture, whatever its first column is called", function()
    for _, name in ipairs{"P2", "P3", "P5", "P6"} do
      assert.same({"(2, 1) 1.0 2.0", name}, {numbers(name .. "\n1\n2\n")})
      assert.same({"(1, 2) 1.0 2.0", name .. ",P50"}, {numbers(name .. "\tP50\n1\t2\n", nil, ".tsv")})
    end
    assert.equal("(1, 1) f64 9.0", text(csv("P2 1 1 255 9\n", {dtype = "f64"}, ".pgm")))
  end)
  it("holds whole numbers exactly, or not at all", function()
    local function inexact(name, number) return "an " .. name ..
      " cannot hold this number exactly, {exact=false} rounds it: " .. number end
    for _, n in ipairs{"1618065507111835497", "9007199254740993", "-9007199254740993", "+18014398509481985",
      "123456789012345678901234567890", "0009007199254740993"} do
      assert.equal(inexact("f64", n) .. " (line 2, column 1)", refused("id,y\n" .. n .. ",1\n"))
      assert.equal(tonumber(n) + 0.0, csv("id,y\n" .. n .. ",1\n", {exact = false})(1, 1))
      assert.equal(inexact("f64", n) .. " (line 2, column 1)", refused("id,y\n" .. n .. ",1\n", {text = true}))
    end
    for _, n in ipairs{"9007199254740994", "-9007199254740992", "100000000000000000000", "18014398509481984", "-0",
      "00", "+7", "9007199254740993.0", "9007199254740993e0"} do
      assert.equal(tonumber(n) + 0.0, csv("id\n" .. n .. "\n")(1, 1))
    end
    assert.equal(inexact("f32", "16777217") .. " (line 1, column 2)", refused("1,16777217\n", {dtype = "f32"}))
    assert.equal(16777216, csv("16777216\n", {dtype = "f32"})(1, 1))
  end)
  it("reads missing values where it is told to", function()
    assert.equal("(2, 3) 1.0 nan nan nan 5.0 nan", (numbers("a,b,c\n1,,NA\nnull,5,\"\"\n", {missing = true})))
    assert.equal("(2, 2) 1.0 nan nan nan", (numbers("1,-999\n?,\n", {missing = {"-999", "?"}})))
    assert.matches("not a number: NA", refused("1,2\nNA,3\n", {missing = {"?"}}))
    assert.equal("an empty field; write nan where a value is missing, or give {missing=true} (line 2, column 1)",
      refused("1,2\n,3\n"))
    assert.matches("missing: expected true or a table of words, got \"NA\"", message(csv, "1\n", {missing = "NA"}))
    assert.matches("missing: expected words, got number 9", message(csv, "1\n", {missing = {9}}))
    assert.matches("empty field", refused("1,2\n,3\n", {missing = false}))
  end)
  it("reads other marks in numbers", function()
    assert.equal("(2, 2) 1.5 2.0 -0.25 3000.0", (numbers("1,5;2\n-,25;3e3\n", {decimal = ","})))
    assert.equal("(2, 2) 1234567.5 2.0 1000.0 -12345.0", (numbers("1.234.567,5;2\n1.000;-12.345\n",
      {decimal = ",", thousands = "."})))
    assert.equal("(1, 2) 1234567.0 0.5", (numbers("1 234 567;0.5\n", {thousands = " ", separator = ";"})))
    assert.equal("(1, 2) 1234.5 12.0", (numbers('"1,234.5";12\n', {thousands = ","})))
    for _, n in ipairs{"1.23", "1.2345", "12.34.567", ".123", "1..234", "1.234.56,5", "1.5"} do
      assert.matches("not a number: " .. n:gsub("%p", "%%%0"), refused("1;" .. n .. "\n",
        {decimal = ",", thousands = "."}))
    end
    assert.matches("not a number: 1%.5", refused("2;1.5\n", {decimal = ","}))
    assert.matches("must differ", message(csv, "1\n", {decimal = ",", thousands = ","}))
    assert.matches("decimal: expected one character", message(csv, "1\n", {decimal = ""}))
  end)
  it("skips lines and takes columns", function()
    local bytes = "a title, and\nanother; line\nname,x,y,note\nBob,1,2,a\nEve,3,4,b\n"
    assert.same({"(2, 2) 2.0 1.0 4.0 3.0", "y,x"}, {numbers(bytes, {skip = 2, columns = {"y", "x"}})})
    assert.same({"(2, 1) 1.0 3.0", "x"}, {numbers(bytes, {skip = 2, columns = {2}})})
    assert.same({"(2, 2) 1.0 2.0 3.0 4.0"}, {numbers("Bob,1,2\nEve,3,4\n", {columns = {2, 3}})})
    assert.same({"(1, 1) 2.0", "y"}, {numbers("# x,y\n1,2\n", {columns = {"y"}})})
    assert.same({"(1, 1) 2.0", "2020"}, {numbers("2019,2020\n1,2\n", {columns = {"2020"}})})
    assert.matches("the table has no column of that name: z %(line", refused(bytes, {skip = 2, columns = {"z"}}))
    assert.matches("the table has no such column: 5 of 4 %(line", refused(bytes, {skip = 2, columns = {5}}))
    assert.matches("two columns have that name: x", refused("x,x\n1,2\n", {columns = {"x"}}))
    assert.matches("a column is to be taken twice", refused("x,y\n1,2\n", {columns = {1, 1}}))
    assert.matches("columns: expected names, or numbers from 1, got number 0", message(csv, "1\n", {columns = {0}}))
    assert.matches("columns: expected a table", message(csv, "1\n", {columns = {}}))
    assert.matches("not a number: Bob", refused("x,y\n1,2\nBob,2\n", {columns = {"x"}}))
    assert.matches("shorter", refused("x,y\n1,2\n3\n", {columns = {"x"}}))
    assert.equal("the table has no rows of numbers", refused("1,2\n", {skip = 9}))
  end)
  it("keeps words and dates as strings", function()
    local t, names = csv('day,city,n,"2020"\n2020-01-05,"New York, NY",1,2.5\n2020-02-05,,,NA\n',
      {text = true, missing = true})
    assert.same({"day", "city", "n", "2020"}, names)
    assert.same({"2020-01-05", "2020-02-05"}, t.day)
    assert.same({"New York, NY", ""}, t.city)
    assert.equal("(2,) f64 1.0 nan", (text(t.n):gsub("%-nan", "nan")))
    assert.equal("(2,) f64 2.5 nan", (text(t["2020"]):gsub("%-nan", "nan")))
    local order = {}
    for name in pairs(t) do order[#order + 1] = name end
    assert.same({"2020", "city", "day", "n"}, order)
    t, names = csv("a;1\nb;2\n", {text = true})
    assert.is_nil(names)
    assert.same({"a", "b"}, t[1])
    assert.equal("(2,) f32 1.0 2.0", text(csv("a;1\nb;2\n", {text = true, dtype = "f32"})[2]))
    assert.same({"x", ""}, csv("w,n\nx,1\n,2\n", {text = true, columns = {"w"}}).w)
    assert.matches("two columns have the name x", refused("x,x\na,b\n", {text = true}))
    local long = ("w"):rep(60000)
    assert.same({long}, csv("w,n\n" .. long .. ",1\n", {text = true}).w)
  end)
  it("reads sixty dialects as pandas does", function()
    for i, case in ipairs(dofile("tests/golden/pandas_csv.txt")) do
      local bytes, options, header, expected = table.unpack(case)
      local a, found = csv(bytes, options)
      local values = {}
      for k, v in ipairs(a:reshape(-1):totable()) do values[k] = ("%a"):format(v):gsub("^%-nan", "nan") end
      local wanted = {}
      for word in expected:gmatch("%S+") do
        wanted[#wanted + 1] = word == "nan" and ("%a"):format(0 / 0):gsub("^%-", "") or ("%a"):format(tonumber(word))
      end
      assert.same({table.remove(wanted, 1), table.remove(wanted, 1)}, {("%a"):format(#a), ("%a"):format(a.shape[2])},
        "dialect " .. i)
      assert.same(wanted, values, "dialect " .. i)
      assert.same(header or nil, found, "dialect " .. i)
    end
  end)
  it("says which options are for other formats", function()
    assert.matches("separator: an option of csv, tsv, and this is json", message(pg.load, file("{}", ".json"),
      {separator = ","}))
    assert.matches("unknown option 'seperator'.*separator", message(csv, "1\n", {seperator = ","}))
  end)
end)
