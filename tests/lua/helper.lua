-- SPDX-License-Identifier: MIT
-- What specs share: local message = require("tests.lua.helper").message
local helper = {}

-- The message of an error without its position, whatever the script is called.
function helper.bare(err)
  return (tostring(err):gsub("^[^\n]-:%d+: ", ""))
end

-- The error that f(...) raises, as it is; that it raises none is one here.
function helper.raised(f, ...)
  local ok, err = pcall(f, ...)
  if ok then error("an error was expected, and there was none", 2) end
  return err
end

-- Its message without its position.
function helper.message(f, ...)
  return helper.bare(helper.raised(f, ...))
end

return helper
