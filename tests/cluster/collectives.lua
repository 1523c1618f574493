-- SPDX-License-Identifier: MIT
-- Every function of pg.mpi, on as many ranks as it is started with. Rank 0 prints "ok" and hashes of sums in the fixed
-- tree, which must be the same for every number of ranks and every MPI.
local pg = require "perigee"
local mpi = pg.mpi
local rank, size = mpi.rank, mpi.size

local function hash(...)
  local out = {}
  for _, v in ipairs{...} do
    for _, x in ipairs(type(v) == "number" and {v} or v:reshape(-1):totable()) do out[#out + 1] = ("%a"):format(x) end
  end
  return pg._system.digest(table.concat(out, " ")):sub(1, 16)
end

local function same_everywhere(a)
  local least, most = mpi.allreduce(a:copy(), "min"), mpi.allreduce(a:copy(), "max")
  assert(pg.array_equal(least, most), "ranks differ")
  return a
end

local function raises(text, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok and why:find(text, 1, true), ("wanted '%s', got '%s'"):format(text, tostring(why)))
end

-- ---- reductions
assert(mpi.allreduce(rank + 1) == size * (size + 1) / 2)
assert(mpi.allreduce(rank + 1, "max") == size and mpi.allreduce(rank + 1, "min") == 1)
local factorial = 1
for k = 2, size do factorial = factorial * k end
assert(mpi.allreduce(rank + 1, "prod") == factorial)
for _, dtype in ipairs{"f64", "f32"} do
  for _, n in ipairs{0, 1, 5, 8, 9, 1000, 10007, 300001} do
    local a = pg.full({n}, rank + 1, dtype)
    assert(mpi.allreduce(a) == a and (n == 0 or a:min() == size * (size + 1) / 2 and a:max() == a:min()))
    a = pg.range(1, n):astype(dtype) + rank
    assert(pg.array_equal(mpi.allreduce(a, "max"), pg.range(1, n):astype(dtype) + (size - 1)))
  end
end
assert(mpi.allreduce(pg.array(3.0)):item() == 3 * size)
assert(mpi.allreduce(pg.full({2, 3}, 1.5)):sum() == 9 * size)
raises("give a:copy()", mpi.allreduce, pg.zeros(3, 4).T)
raises("f64 or f32", mpi.allreduce, pg.zeros(3, "u8"))
raises('"sum", "prod"', mpi.allreduce, 1, "mean")
local only = mpi.reduce(pg.full({4}, rank), "sum", size - 1)
assert((only ~= nil) == (rank == size - 1) and (only == nil or only[1] == size * (size - 1) / 2))
-- Cut into many calls of MPI.
if size > 1 then mpi._pieces(4096) end
local long = mpi.allreduce(pg.range(1, 20011))
assert(pg.array_equal(long, pg.range(1, 20011) * size))
local told = mpi.bcast(rank == 0 and pg.range(1, 5003) or pg.zeros(5003))
assert(pg.array_equal(told, pg.range(1, 5003)))
if size > 1 then mpi._pieces(1 << 24) end

-- ---- plain values
local value = {1, 2.5, "a\0b", true, {x = {y = -3}}, [10] = "hole", big = ("z"):rep(1 << 20),
  a = pg.eye(2):astype("f32")}
local got = mpi.bcast(rank == 0 and value or nil)
assert(got[1] == 1 and math.type(got[1]) == "integer" and got[2] == 2.5 and got[3] == "a\0b" and got[4] == true)
assert(got[5].x.y == -3 and got[6] == nil and got[10] == "hole" and #got.big == 1 << 20 and got.a(2, 2) == 1)
assert(mpi.bcast(nil) == nil)
if rank == 0 and size > 1 then
  local loop = {}
  loop.self = loop
  raises("holds itself", mpi.send, loop, 1)
  raises("v.f: ", mpi.send, {f = print}, 1)
end

-- ---- rows
local lo, hi = mpi.range(11)
local all = mpi.allgather(pg.range(lo, hi))
assert(pg.array_equal(all, pg.range(1, 11)))
local root = mpi.gather(pg.full({rank, 2}, rank), size - 1)
if rank == size - 1 then assert(#root == size * (size - 1) / 2 and (size < 2 or root(#root, 2) == size - 1)) end
local names = mpi.allgather("rank " .. rank)
assert(#names == size and names[size] == "rank " .. size - 1)
local list = mpi.gather({rank})
assert((list == nil) == (rank ~= 0) and (list == nil or list[size][1] == size - 1))
local part = mpi.scatter(rank == 0 and pg.range(1, 22):reshape(11, 2) or nil)
assert(#part == hi - lo + 1 and (#part == 0 or part(1, 1) == 2 * lo - 1))
assert(#mpi.scatter(pg.zeros(0, 3)) == 0)
for n = 0, 3 do
  local ends = {}
  for r = 0, size - 1 do
    local a, b = mpi.range(n, r)
    for i = a, b do ends[#ends + 1] = i end
  end
  assert(#ends == n and (n == 0 or ends[n] == n))
end

-- ---- pairs
if size > 1 then
  local right, left = (rank + 1) % size, (rank - 1) % size
  if rank % 2 == 0 then
    mpi.send(pg.full({3}, rank), right)
    mpi.send({from = rank}, right, 7)
  end
  if rank % 2 == 1 or size % 2 == 1 and rank == 0 then
    assert(mpi.recv(left)[3] == left and mpi.recv(left, 7).from == left)
  end
  raises("is this rank itself", mpi.send, 1, rank)
  raises("expected an integer in 0..", mpi.recv, size)
end
mpi.barrier()

-- ---- sums in the tree
local hashes = {}
for _, n in ipairs{1, 2, 3, 7, 8, 13, 64} do
  for _, count in ipairs{1, 5, 1000, 20000} do
    for _, dtype in ipairs{"f64", "f32"} do
      local a, b = mpi.range(n)
      local parts, kept = {}, nil
      for i = a, b do
        parts[#parts + 1] = pg.random.new(1000 * n + i):standard_normal(count):astype(dtype)
        kept = kept or parts[1]:copy()
      end
      local sum = same_everywhere(mpi.sum(parts, n))
      assert(kept == nil or pg.array_equal(kept, parts[1]), "a part was written to")
      hashes[#hashes + 1] = hash(sum)
    end
  end
end
local numbers = {}
for i = lo, hi do numbers[#numbers + 1] = 1 / i end
hashes[#hashes + 1] = hash(mpi.sum(numbers, 11))
local x, y = mpi.map(5, function(i) return 1 / i, pg.range(1, 3) / i end)
hashes[#hashes + 1] = hash(x, y)
local streams = {}
for i, rng in ipairs(mpi.rng(7, 11)) do streams[i] = rng:random() end
hashes[#hashes + 1] = hash(mpi.allgather(pg.array(streams)))
if size > 1 then raises("of 7 parts, expected", function() mpi.sum({1, 2, 3, 4, 5, 6, 7, 8}, 7) end) end
mpi.barrier()
-- Without comparing: the same results.
mpi.check(false)
assert(mpi.allreduce(rank + 1) == size * (size + 1) / 2)
hashes[#hashes + 1] = hash(mpi.map(9, function(i) return pg.full({3}, 1 / i) end))
mpi.barrier()
mpi.check(true)
if rank == 0 then print("ok " .. pg._system.digest(table.concat(hashes, " ")):sub(1, 16)) end
