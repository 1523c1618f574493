-- SPDX-License-Identifier: MIT
-- Accumulators of pg.ppca and pg.linear: the same bits however rows are cut, merged, saved and loaded; and what a
-- script may set in them does no harm.
local pg = require "perigee"
local message = require("tests.lua.helper").message

local rng = pg.random.new(41)
local X = rng:standard_normal(1037, 5)
X[{{}, 2}] = X:slice({}, 2) * 3 + 1e4
local Y = X:dot(rng:standard_normal(5, 2)) + rng:standard_normal(1037, 2)

local kinds = {
  ppca = {
    make = function(opts) return pg.ppca.accumulate(opts) end,
    add = function(acc, lo, hi) return acc:add(X:slice{lo, hi}) end,
    fit = function(acc)
      local m = acc:fit(2)
      return {m.W, m.mu, pg.array{m.sigma2}, m.eigenvalues}
    end,
    count = function(acc) return acc.n end,
  },
  linear = {
    make = function(opts)
      opts = opts or {}
      if not opts.state then opts.intercept = true end
      return pg.linear.accumulate(opts)
    end,
    add = function(acc, lo, hi) return acc:add(X:slice{lo, hi}, Y:slice{lo, hi}) end,
    fit = function(acc)
      local m = acc:fit()
      return {m.w, m.stderr, m.rss, m.intercept, m.s}
    end,
    count = function(acc) return acc.m end,
  },
}

local function same(a, b)
  for i = 1, #a do
    if not pg.array_equal(a[i], b[i]) then return false end
  end
  return true
end

local function cut(kind, lo, hi, step, opts)
  local acc = kind.make(opts)
  for from = lo, hi, step do kind.add(acc, from, math.min(from + step - 1, hi)) end
  return acc
end

for name, kind in pairs(kinds) do
  describe("pg." .. name .. ".accumulate", function()
    it("gives the same bits however the rows are cut", function()
      for _, block in ipairs{1, 10, 64, 4096} do
        local whole = kind.fit(cut(kind, 1, 1037, 1037, {block = block}))
        for _, step in ipairs{1, 7, 64, 300} do
          if block > 1 or step > 7 then
            local acc = cut(kind, 1, 1037, step, {block = block})
            assert.equal(1037, kind.count(acc))
            assert.is_true(same(whole, kind.fit(acc)), block .. " " .. step)
          end
        end
      end
    end)

    it("gives the same bits however the rows are shared out", function()
      local whole = kind.fit(cut(kind, 1, 1037, 1037, {block = 16}))
      for _, ends in ipairs{{512}, {16, 32, 48}, {336, 800}, {1024}, {160, 176, 1008}} do
        local all, from = nil, 1
        for i = 1, #ends + 1 do
          local part = cut(kind, from, ends[i] or 1037, 50, {block = 16, start = from - 1})
          all = all and all:merge(part) or part
          from = (ends[i] or 0) + 1
        end
        assert.equal(1037, kind.count(all))
        assert.is_true(same(whole, kind.fit(all)), tostring(ends[1]))
      end
      -- Without start where the sums happen to fit the tree, into an empty one, and what is merged stays as it was.
      local first, second = cut(kind, 1, 1024, 9, {block = 16}), cut(kind, 1025, 1037, 9, {block = 16})
      local all = kind.make{block = 16}:merge(first):merge(second)
      assert.is_true(same(whole, kind.fit(all)))
      kind.add(all, 1, 30)
      assert.is_true(same(whole, kind.fit(first:merge(second))))
    end)

    it("goes on from a saved state as if nothing had been", function()
      local whole = kind.fit(cut(kind, 1, 1037, 1037, {block = 16}))
      local path = os.tmpname() .. ".npz"
      for _, at in ipairs{0, 5, 16, 700} do
        pg.save(path, cut(kind, 1, at, 100, {block = 16}):state())
        local acc = kind.make{state = pg.load(path)}
        assert.equal(at, kind.count(acc))
        kind.add(acc, at + 1, 1037)
        assert.is_true(same(whole, kind.fit(acc)), tostring(at))
      end
      os.remove(path)
    end)

    it("says what does not fit", function()
      local acc = cut(kind, 1, 20, 20, {block = 16})
      assert.equal("bad argument #1 to 'merge' (other: its rows come after row 20 of this one, which is not the end of "
        .. "a block of 16)", message(acc.merge, acc, cut(kind, 21, 40, 20, {block = 16})))
      acc = cut(kind, 1, 48, 20, {block = 16})
      assert.equal("bad argument #1 to 'merge' (other: counted its rows from 0, so its sums have another order; make "
        .. "it with {start = 48})", message(acc.merge, acc, cut(kind, 49, 100, 20, {block = 16})))
      assert.equal("bad argument #1 to 'merge' (other: starts after row 64, this one ends at row 48)",
        message(acc.merge, acc, cut(kind, 65, 100, 20, {block = 16, start = 64})))
      assert.equal("bad argument #1 to 'merge' (other: has blocks of 8 rows, this one of 16)",
        message(acc.merge, acc, cut(kind, 49, 64, 20, {block = 8, start = 48})))
      assert.equal("bad argument #1 to 'merge' (other: is the accumulator itself)", message(acc.merge, acc, acc))
      assert.equal("bad argument #1 to 'accumulate' (start: expected a multiple of block, 16, got 5)",
        message(kind.make, {block = 16, start = 5}))
      assert.equal("bad argument #1 to 'accumulate' (state: expected what acc:state() gives, got number 3)",
        message(kind.make, {state = 3}))
      local state = acc:state()
      state.nodes[1] = pg.array{0, 0, 16}
      assert.matches("state: nodes: row 2 is not the next part of the rows", message(kind.make, {state = state}))
      state = acc:state()
      state.facts[3] = 64
      assert.matches("state: it speaks of 64 rows and holds 48", message(kind.make, {state = state}))
      state = acc:state()
      state[name == "ppca" and "S" or "R"] = pg.zeros(2, 3)
      assert.matches("state: [SR]: expected shape", message(kind.make, {state = state}))
      assert.equal(48, kind.count(acc))
    end)

    it("reads and writes nothing but what is its own, whatever a script sets in it", function()
      for _, junk in ipairs{pg.zeros(1), pg.zeros(3, 400), pg.zeros(5, 5, "f32"), 7, "x"} do
        local acc = cut(kind, 1, 48, 20, {block = 16})
        for v = 2, 3 do
          if acc._nodes[1][3][v] ~= nil then acc._nodes[1][3][v] = junk end
        end
        pcall(kind.fit, acc)
        pcall(kind.add, acc, 49, 80)
        acc = cut(kind, 1, 20, 20, {block = 16})
        acc._rows = junk
        pcall(kind.add, acc, 21, 60)
        pcall(kind.fit, acc)
      end
    end)
  end)
end
