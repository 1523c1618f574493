-- SPDX-License-Identifier: MIT
-- From the shell to the first line of a script with Perigee loaded, beside stock lua5.4 alone.
local pg = require "perigee"

for _ = 1, 20 do
  local start = pg.clock()
  os.execute([[build/perigee -e 'local pg = require "perigee"']])
  print(string.format("start\t%.9g", pg.clock() - start))
end
