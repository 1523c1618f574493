-- SPDX-License-Identifier: MIT
-- The texts that reports, manifests and the prompt are made of.
local pg = require "perigee"

describe("json", function()
  local json = pg._json

  it("reads what it writes", function()
    local value = {
      a = 1, b = {1.5, "x\n\"\\\1\u{20AC}", true, {}}, c = json.list{}, d = {e = -0.1, f = 1e300, g = math.mininteger},
    }
    local text = json.encode(value)
    assert.equal(text, json.encode(json.decode(text)))
    assert.equal(-0.1, json.decode(text).d.e)
    assert.equal("integer", math.type(json.decode(text).a))
    assert.equal('{\n  "a": [],\n  "b": {}\n}\n', json.encode{b = {}, a = json.list()})
    assert.equal("[NaN, Infinity, -Infinity]\n", json.encode{0 / 0, math.huge, -math.huge})
    assert.equal('"a\u{FFFD}b"\n', json.encode("a\255b"))
  end)

  it("takes the standard's escapes and numbers", function()
    assert.equal("\u{1F600}A/\127", json.decode('"\\ud83d\\ude00\\u0041\\/\127"'))
    for text, value in pairs{["0"] = 0, ["-0.5"] = -0.5, ["1e3"] = 1000.0, ["12.5E-1"] = 1.25, [" [ ] "] = {}} do
      assert.same(value, json.decode(text))
    end
  end)

  it("refuses what is no JSON, with the byte", function()
    for text, want in pairs{
      [""] = "expected a value (byte 1)", ["{"] = "expected a name (byte 2)", ["[1,]"] = "expected a value (byte 4)",
      ["[1 2]"] = "expected , or ] (byte 4)", ['{"a" 1}'] = "expected : (byte 6)",
      ["01"] = "a number is not written so (byte 1)",
      ["1."] = "a number is not written so (byte 1)", ["[1-2]"] = "a number is not written so (byte 2)",
      ['"a'] = "a string has no end (byte 3)", ['"\\x"'] = "a bad escape (byte 2)",
      ["1 1"] = "more than one value (byte 3)",
      ['"a\nb"'] = "a control character in a string (byte 3)", ["nul"] = "expected a value (byte 1)",
      [("["):rep(200)] = "nested too deep (byte 102)", ['"\\u12"'] = "a bad escape (byte 2)",
    } do
      local ok, why = pcall(json.decode, text)
      assert.is_false(ok, text)
      assert.equal("not JSON: " .. want, why)
    end
  end)
end)

describe("html", function()
  local html = pg._html

  it("escapes everything", function()
    assert.equal("&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{FFFD}\u{FFFD}", html.escape("<a href=\"x\">&'\1\255"))
    local page = html.markdown("# <h>\n**b<i>** `c<d>` [t<x>](https://e.org/?a=\"b\") [no](javascript:alert(1))\n" ..
      "- <li>\n\n```\n<pre>\n```")
    assert.falsy(page:find("<i>", 1, true) or page:find("<d>", 1, true) or page:find("<x>", 1, true))
    assert.falsy(page:find('href="javascript', 1, true))
    assert.truthy(page:find('<a href="https://e.org/?a=&quot;b&quot;">t&lt;x&gt;</a>', 1, true), page)
    assert.truthy(page:find("<h4>&lt;h&gt;</h4>", 1, true))
    assert.truthy(page:find("<strong>b&lt;i&gt;</strong>", 1, true))
    assert.truthy(page:find("<ul>\n<li>&lt;li&gt;</li>\n</ul>", 1, true))
  end)

  it("stands numbers to the right", function()
    assert.equal('<div class="wide"><table><thead><tr><th>a</th><th class="n">b</th></tr></thead><tbody><tr>' ..
      '<td>x</td>' ..
      '<td class="n">0.333333</td></tr></tbody></table></div>', html.table({"a", "b"}, {{"x", 1 / 3}}))
  end)

  it("draws charts of anything", function()
    local nan = 0 / 0
    assert.is_nil(pg._chart({{x = {}, y = {}, label = "l"}}, {xlabel = "x", ylabel = "y"}))
    assert.is_nil(pg._chart({{x = {1}, y = {nan}, label = "l"}}, {xlabel = "x", ylabel = "y"}))
    for _, line in ipairs{{x = {1}, y = {0}}, {x = {1, 2}, y = {5, 5}}, {x = {0, 1e-300}, y = {1e300, -1e300}},
        {x = {1, 1000}, y = {1, nan}}} do
      line.label = "<l>"
      local svg = pg._chart({line}, {xlabel = "x", ylabel = "<y>"})
      assert.truthy(svg:find("</svg>", 1, true))
      assert.falsy(svg:find("nan", 1, true), svg)
      assert.falsy(svg:find("<y>", 1, true))
    end
  end)
end)

describe("the prompt's reading of Lua", function()
  local lexer = pg._lexer

  it("makes tokens of everything, and loses nothing", function()
    local text = "local x <const> = [==[a]]]==] .. 'b\\'' -- note\nreturn 0x1p4 + 1..2 // 3 ~= 4 --[[ long\n]] $"
    local rest = text
    for _, token in ipairs(lexer.tokens(text)) do
      local at = rest:find(token.text, 1, true)
      assert.equal("", (rest:sub(1, at - 1):gsub("%s", "")))
      rest = rest:sub(at + #token.text)
    end
    assert.equal("", rest)
    assert.is_true(lexer.tokens("x = 'open")[3].open)
    assert.is_true(lexer.tokens("--[[ open")[1].open)
  end)

  it("keeps locals at top level and no others", function()
    for text, want in pairs{
      ["local x = 1"] = "      x = 1", ["local x"] = "      x=nil;", ["local a, b = f()"] = "      a, b = f()",
      ["local a <const>, b = 1, 2"] = "      a        , b = 1, 2", ["local a <close> = f()"] = "local a <close> = f()",
      ["local function f() local y = 1 return y end"] = "      function f() local y = 1 return y end",
      ["do local x = 1 end"] = "do local x = 1 end", ["for i = 1, 2 do local x = i end local z = 3"] =
        "for i = 1, 2 do local x = i end       z = 3",
      ["if a then local b = 1 elseif c then local d end local e = 1"] =
        "if a then local b = 1 elseif c then local d end       e = 1",
      ["repeat local x = 1 until x local y = 2"] = "repeat local x = 1 until x       y = 2",
      ["while c do local x = 1 end local y = 2"] = "while c do local x = 1 end       y = 2",
      ["print('local x') -- local y\nlocal z = '--'"] = "print('local x') -- local y\n      z = '--'",
      ["local x local y = 1"] = "      x=nil;       y = 1",
    } do
      assert.equal(want, (lexer.keep_locals(text)))
    end
    local _, names = lexer.keep_locals("local a, b = 1\nlocal function c() end local d <close> = e")
    assert.same({"a", "b", "c"}, names)
  end)
end)

it("shows tables in order, three deep and not too wide", function()
  local pretty = pg._pretty
  assert.equal("text", pretty("text"))
  assert.equal('{1, "a\\nb", x = {y = {z = {...}}}}', pretty{1, "a\nb", x = {y = {z = {1}}}})
  assert.equal("{}", pretty{})
  local loop = {}
  loop.me = loop
  assert.equal("{me = {...}}", pretty(loop))
  local long = {}
  for i = 1, 50 do long[i] = i end
  assert.truthy(pretty(long):find("... 30 more", 1, true))
  assert.equal("(2,)", pretty(pg.ones(2).shape))
  assert.equal("<table whose __tostring fails>", pretty(setmetatable({}, {__tostring = error})))
end)
