-- SPDX-License-Identifier: MIT
-- The guide: what it says a block prints is what it prints, each mark of a plot has its picture, its C host builds and
-- runs, and `make docs` makes pages whose links lead somewhere.
local pg = require "perigee"
local tool = dofile("tests/cli/tool.lua")

local before = arg
arg = {[0] = "guide/site.lua"} -- luacheck: ignore 121 111
local book = dofile("guide/book.lua")
arg = before -- luacheck: ignore 121 111

local chapters = book.chapters()

for _, chapter in ipairs(chapters) do
  it("runs the blocks of " .. chapter.name, function()
    assert.equal("", table.concat(book.run(chapter), "\n"))
  end)
end

it("notices what is not as it is written", function()
  local faults = book.run{name = "made-up", parts = {{kind = "lua", words = {}, text = "1 + 1", line = 3},
    {kind = "output", words = {}, text = "3", line = 7}, {kind = "lua", words = {}, text = "x.y.z = 1", line = 9},
    {kind = "lua", words = {figure = "f"}, text = "1", line = 12}}}
  assert.equal(3, #faults)
  assert.equal("guide/made-up.md:3: it prints\n2", faults[1])
  assert.matches("^guide/made%-up.md:9: ", faults[2])
  assert.matches("it ends in no figure$", faults[3])
end)

it("shows each mark of a plot", function()
  assert.equal("", table.concat(book.unseen_marks(chapters), " "))
end)

it("has entries in the help for what is no one function's", function()
  for _, name in ipairs{"indexing", "dtype", "broadcasting", "operators", "options", "run", "prompt", "sandbox",
    "jupyter", "randomness"} do
    assert.truthy(#pg._help.find(name).text > 200, name)
  end
end)

it("makes pages with an index, whose links lead somewhere", function()
  local folder = tool.folder()
  finally(function() tool.remove(folder) end)
  local status, out, err = tool.sh(("%s help --html %s/reference.html && %s guide/site.lua %s"):format(
    tool.quote(tool.program), folder, tool.quote(tool.program), folder))
  assert.equal(0, status, out .. err)
  local pages = {}
  local function page(name)
    pages[name] = pages[name] or tool.read(folder .. "/" .. name)
    return pages[name]
  end
  for _, chapter in ipairs(chapters) do
    local text = page(chapter.name .. ".html")
    assert.falsy(text:find("https?://"), chapter.name)
    assert.falsy(text:find("\u{FFFD}", 1, true), chapter.name)
    for target in text:gmatch('href="([^"]+)"') do
      local file, anchor = target:match("^([^#]*)#?(.*)$")
      if not target:find("^data:") then
        local other = file == "" and text or page(file)
        assert(other, chapter.name .. ": " .. target)
        assert(anchor == "" or other:find('id="' .. anchor .. '"', 1, true), chapter.name .. ": " .. target)
      end
    end
    for file in text:gmatch('src="(images/[^"]+)"') do
      assert.equal("\137PNG", (tool.read(folder .. "/" .. file) or file):sub(1, 4))
    end
  end
  local index = page("search.js"):match("^var INDEX=(.*);\n$")
  local entries = pg._json.decode((index:gsub("<\\/", "</")))
  assert.truthy(#entries > 400)
  for _, entry in ipairs(entries) do
    local file, anchor = entry[2]:match("^([^#]*)#?(.*)$")
    assert(anchor == "" or page(file):find('id="' .. anchor .. '"', 1, true), entry[2])
  end
end)

it("builds and runs the host of the chapter on embedding", function()
  local folder = tool.folder()
  finally(function() tool.remove(folder) end)
  local B = os.getenv("B") or "build"
  for _, chapter in ipairs(chapters) do
    if chapter.name == "embedding" then
      local script
      for _, part in ipairs(chapter.parts) do
        if part.words.file then tool.write(folder .. "/" .. part.words.file, part.text .. "\n") end
        if part.kind == "lua" then script = part.text end
      end
      tool.write(folder .. "/smooth.lua", script .. "\n")
    end
  end
  local status, out, err = tool.sh(("ln -s $(realpath %s/libperigee.so) %s/libperigee.so.0 && %s -Wall -Wextra " ..
    "-Werror -o %s/host %s/host.c -Isrc $(pkg-config --cflags lua5.4) %s/libperigee.so.0 -llua5.4 && " ..
    "LD_LIBRARY_PATH=%s %s/host %s/smooth.lua"):format(B, folder, os.getenv("CC") or "cc", folder, folder, folder,
    folder, folder, folder))
  assert.equal(0, status, err)
  assert.equal("25\n35\n45\n", out)
  tool.write(folder .. "/bad.lua", "return function(signal) return signal.T end")
  status, out, err = tool.sh(("LD_LIBRARY_PATH=%s %s/host %s/bad.lua"):format(folder, folder, folder))
  assert.equal(1, status, out)
  assert.equal("the script's function is to give a vector of f64\n", err)
end)
