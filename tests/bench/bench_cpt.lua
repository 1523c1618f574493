-- SPDX-License-Identifier: MIT
-- Seconds an image: 100,000 images of 25 pixels from dense tables of 67,108,862 numbers.
local pg = require "perigee"

local images, row = {}, {}
for line in io.lines("experiments/data/letters.txt") do
  if #line == 5 then
    for c in line:gmatch(".") do row[#row + 1] = c == "#" and 1 or 0 end
  end
  if #row == 25 then images[#images + 1], row = row, {} end
end

-- Tables by counting the pixels after each prefix, 0.5 after those that were not seen.
local tables, shape = {}, {}
for k = 1, 25 do
  shape[k] = 2
  local flat, counts, order = pg.full({2 ^ k // 1}, 0.5), {}, {}
  for _, x in ipairs(images) do
    local prefix = 0
    for j = 1, k - 1 do prefix = 2 * prefix + x[j] end
    if not counts[prefix] then counts[prefix], order[#order + 1] = {0, 0}, prefix end
    counts[prefix][x[k] + 1] = counts[prefix][x[k] + 1] + 1
  end
  for _, prefix in ipairs(order) do
    local c = counts[prefix]
    flat[2 * prefix + 1], flat[2 * prefix + 2] = c[1] / (c[1] + c[2]), c[2] / (c[1] + c[2])
  end
  tables[k] = flat:reshape(shape)
end

local n = os.getenv("QUICK") and 1000 or 100000
local function time(name, model, rng)
  for _ = 1, 3 do
    local start = pg.clock()
    model:sample(n, rng)
    print(string.format("%s\t%.9g", name, (pg.clock() - start) / n))
  end
end
local dense = pg.cpt.new(tables)
time("sample an image, np.random.seed's stream", dense, pg.random.legacy(0))
time("sample an image, default_rng's stream", dense, pg.random.new(0))
time("sample an image, compact", pg.cpt.estimate(pg.array(images)), pg.random.legacy(0))
