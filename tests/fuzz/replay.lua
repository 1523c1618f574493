-- SPDX-License-Identifier: MIT
-- replay.lua FILE...: prints and runs the programs that inputs of fuzz_lua stand for. What raises is printed too.
local program = require "program"

for _, path in ipairs(arg) do
  print("-- " .. path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  assert(load(program.prelude, "=prelude"))()
  for _, statement in ipairs(program.statements(bytes)) do
    print(statement)
    io.stdout:flush()
    local run, err = load(statement, "=fuzz", "t")
    if run then
      local fine
      fine, err = pcall(run)
      if fine then err = nil end
    end
    if err ~= nil then print("  --> " .. tostring(err)) end
  end
end
