-- SPDX-License-Identifier: MIT
-- The programs that tests/fuzz/seeds/lua stand for, run again in a process of their own under the limits they are
-- fuzzed under; see tests/fuzz/program.lua. The defects that fuzzing found have tests in the specs of their modules.
local perigee = os.getenv("PERIGEE") or "build/perigee"

describe("programs made of bytes", function()
  it("end, whatever they raise", function()
    local command = perigee .. " --sandbox --memory 16 --timeout 60 tests/fuzz/replay.lua tests/fuzz/seeds/lua/* 2>&1"
    local out = assert(io.popen(command, "r"))
    local text = out:read("a")
    local fine, _, status = out:close()
    assert.message(text:sub(-2000)).is_true(fine and status == 0)
    local _, count = text:gsub("\n%-%- tests/fuzz/seeds/lua/", "")
    assert.is_true(count > 20)
    assert.is_nil(text:find("On entry to", 1, true)) -- BLAS and LAPACK refuse an argument
  end)
end)
