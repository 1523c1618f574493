-- SPDX-License-Identifier: MIT
-- pg.attention with its mask, scale and causal order, against the formula put together of other functions.
local pg = require "perigee"

local function draw(seed, ...) return pg.random.new(seed):standard_normal(...) end

-- softmax(scale q k^T) v where keep is 1; a query that keeps no key gives 0.
local function composed(q, k, v, scale, keep)
  local s = pg.einsum("bhtd,bhsd->bhts", q, k) * scale
  if keep then
    local e = pg.exp(s - s:detach():max()) * keep
    return pg.einsum("bhts,bhse->bhte", e / pg.maximum(e:sum(4, {keepdims = true}), 1e-300), v)
  end
  return pg.einsum("bhts,bhse->bhte", pg.softmax(s, 4), v)
end

local function close(a, b, what)
  assert.equal(tostring(a.shape), tostring(b.shape))
  local off = pg.abs(a - b):max()
  assert.is_true(off < 1e-12, ("%s: off by %g"):format(what, off))
end

describe("attention", function()
  local B, H, T, S, d, e = 2, 3, 5, 7, 4, 2
  local q, k, v = draw(1, B, H, T, d), draw(2, B, H, S, d), draw(3, B, H, S, e)
  local weight = draw(4, B, H, T, e)
  local one = draw(5, T, S):gt(-0.3)
  one[{2}] = 0 -- the second query sees nothing
  local causal = pg.range(1, S):le((pg.range(1, T) + (S - T)):expand_dims(2))
  local cases = {
    {"no option", nil, 1 / math.sqrt(d)},
    {"scale", {scale = 0.3}, 0.3},
    {"a scale below 0", {scale = -1.7}, -1.7},
    {"a mask for all", {mask = one}, 1 / math.sqrt(d), one},
    {"a mask of numbers", {mask = one:astype("f64")}, 1 / math.sqrt(d), one},
    {"a mask a head", {mask = draw(6, H, T, S):gt(0)}, 1 / math.sqrt(d), draw(6, H, T, S):gt(0)},
    {"a mask a sequence", {mask = draw(7, B, 1, 1, S):gt(-1)}, 1 / math.sqrt(d), draw(7, B, 1, 1, S):gt(-1)},
    {"causal order", {causal = true}, 1 / math.sqrt(d), causal},
    {"all of them", {causal = true, mask = one, scale = 0.8}, 0.8, one * causal},
  }
  for _, case in ipairs(cases) do
    local what, opts, scale, keep = table.unpack(case)
    it("equals its formula with " .. what, function()
      close(pg.attention(q, k, v, opts), composed(q, k, v, scale, keep), "y")
      local function by(f)
        local function sum(a, b, c) return (weight * f(a, b, c)):sum() end
        return table.pack(pg.grad(sum, {argnums = {1, 2, 3}})(q, k, v))
      end
      local got = by(function(a, b, c) return pg.attention(a, b, c, opts) end)
      local want = by(function(a, b, c) return composed(a, b, c, scale, keep) end)
      for i, name in ipairs{"dq", "dk", "dv"} do close(got[i], want[i], name) end
    end)
  end
  it("refuses a mask and a scale that do not fit", function()
    local function refuses(what, opts)
      local ok, message = pcall(pg.attention, q, k, v, opts)
      assert.is_false(ok, what)
      assert.is_truthy(message:find(what), message)
    end
    refuses("mask: expected an array of 0 and 1 whose shape fits %(2, 3, 5, 7%), got array %(5, 8%)",
      {mask = pg.ones(T, S + 1)})
    refuses("mask: expected an array of 0 and 1, got boolean", {mask = true})
    -- what is added to the scores elsewhere would mean the opposite here
    local added = pg.zeros(T, S)
    added[{1, 3}] = -math.huge
    refuses("mask: element 3 is %-inf, expected 1 for a key that is seen or 0 for one that is hidden; nothing is added",
      {mask = added})
    refuses('scale: expected a number, got "much"', {scale = "much"})
    refuses("scale: expected a finite number, got inf", {scale = 1 / 0})
    refuses("unknown option 'masks'", {masks = one})
  end)
end)
