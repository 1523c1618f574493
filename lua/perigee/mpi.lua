-- SPDX-License-Identifier: MIT
--
-- pg.mpi: one program of several processes, the ranks, which a launcher such as mpirun starts. The primitives work on
-- the memory of arrays (src/host/bind_mpi.c); here are sums in one fixed tree, and plain values, which travel as text.
--
-- Work is cut in shards that do not depend on the number of ranks, and what the shards give is joined in one tree
-- (private/tree.lua); then the result has the same bits for every number of ranks, and in one process.
local pg, core = ...
local args, system, tree = pg._args, pg._system, pg._tree
local fail, got = args.fail, args.got
local error, getmetatable, io, ipairs, math, next, os, rawset, string, table, tostring, type =
  error, getmetatable, io, ipairs, math, next, os, rawset, string, table, tostring, type

local mpi = {rank = core.rank, size = core.size, library = core.library}
local rank, size = core.rank, core.size

local function raise(...) error(string.format(...), pg._user_level()) end

-- ---- plain values -----------------------------------------------------------------------------

local pack, unpack = string.pack, string.unpack

-- The value as text. `where` says how a message is to name it; `path` holds the tables around it.
local function encode(name, v, where, path, out)
  local kind = math.type(v) or type(v)
  if kind == "nil" then
    out[#out + 1] = "z"
  elseif kind == "boolean" then
    out[#out + 1] = v and "t" or "f"
  elseif kind == "integer" then
    out[#out + 1] = pack("<c1i8", "i", v)
  elseif kind == "float" then
    out[#out + 1] = pack("<c1d", "d", v)
  elseif kind == "string" then
    out[#out + 1] = pack("<c1s8", "s", v)
  elseif args.is_array(v) then
    out[#out + 1] = pack("<c1s1s8", "a", v.dtype, core.bytes(core.plain(v)))
    out[#out + 1] = pack("<I1", v.ndim)
    for _, extent in ipairs(v.shape) do out[#out + 1] = pack("<i8", extent) end
  elseif kind == "table" then
    if path[v] then fail(name, 1, where .. ": a table that holds itself cannot go to other ranks") end
    if getmetatable(v) ~= nil then fail(name, 1, ("%s: %s cannot go to other ranks"):format(where, got(v))) end
    path[v] = true
    local at, count = #out + 1, 0
    out[at] = ""
    for k, item in next, v do
      encode(name, k, where .. "'s key", path, out)
      encode(name, item, where .. (type(k) == "string" and "." .. k or ("[%s]"):format(tostring(k))), path, out)
      count = count + 1
    end
    out[at] = pack("<c1i8", "T", count)
    path[v] = nil
  else
    fail(name, 1, ("%s: numbers, strings, booleans, arrays and tables of them go to other ranks, got %s"):format(where,
      got(v)))
  end
  return out
end

local function text_of(name, v) return table.concat(encode(name, v, "v", {}, {})) end

local function decode(text, at)
  local kind = text:sub(at, at)
  at = at + 1
  if kind == "z" then return nil, at end
  if kind == "t" or kind == "f" then return kind == "t", at end
  if kind == "i" then return unpack("<i8", text, at) end
  if kind == "d" then return unpack("<d", text, at) end
  if kind == "s" then return unpack("<s8", text, at) end
  if kind == "a" then
    local dtype, bytes, ndim
    local shape = {}
    dtype, bytes, ndim, at = unpack("<s1s8I1", text, at)
    for axis = 1, ndim do shape[axis], at = unpack("<i8", text, at) end
    return core.array(bytes, dtype, shape), at
  end
  local count, after = unpack("<i8", text, at)
  local t = {}
  for _ = 1, count do
    local key, middle = decode(text, after)
    t[key], after = decode(text, middle)
  end
  return t, after
end

local function value_of(text) return (decode(text, 1)) end

-- ---- moving -----------------------------------------------------------------------------------

--- pg.mpi.range(n [, rank]) -> lo, hi
-- A rank's part of 1..n, in order of the ranks; sizes differ by one at most.
-- @param n  integer
-- @param rank  integer: this one
-- @return lo, hi  integers; lo > hi where there is nothing for it
-- @example select(2, pg.mpi.range(8)) --> 8
mpi.range = core.range

--- pg.mpi.allreduce(v [, op]) -> v
-- What all ranks have, joined: the same bits on every rank and with every MPI, but they depend on the number of ranks;
-- see pg.mpi.sum.
-- @param v  array of f64 or f32, written in place; or a number
-- @param op  string: "sum", "prod", "min" or "max"
-- @return v  the array itself; of a number a number
-- @error  allreduce: the ranks do not ask for the same: rank 0 has (4,) f64 sum at fit.lua:12, rank 3 has (5,) f64 sum
-- @source mpi4py's comm.Allreduce
mpi.allreduce = core.allreduce

--- pg.mpi.reduce(v [, op [, root]]) -> v
-- As pg.mpi.allreduce, for one rank.
-- @param v  array of f64 or f32, written in place on root and left alone elsewhere; or a number
-- @param op  string: "sum", "prod", "min" or "max"
-- @param root  integer: 0
-- @return v  on root; nil elsewhere
function mpi.reduce(v, op, root)
  local at = root or 0
  local mine = args.is_array(v) and rank ~= at and v:copy() or v
  local result = core.reduce(mine, op, at)
  if rank == at then return result end
  return nil
end

--- pg.mpi.bcast(v [, root]) -> v
-- What root has, for everyone.
-- @param v  array, which the other ranks give too, of the same shape and dtype, and which is written in place there; or
--   numbers, strings, booleans and tables of them and of arrays, which the others need not give
-- @param root  integer: 0
-- @return v  the array itself, or a copy of root's value
-- @example pg.mpi.bcast({lr = 0.1}).lr --> 0.1
function mpi.bcast(v, root)
  if args.is_array(v) then return core.bcast(v, root) end
  if size == 1 then
    args.integer("bcast", 2, "root", root or 0, 0, 0)
    return v
  end
  return value_of((core.bcast_text((root or 0) == rank and text_of("bcast", v) or nil, root)))
end

local function collect(name, v, root)
  if args.is_array(v) then return core[name](v, root) end
  local texts = core[name .. "_text"](text_of(name, v), root)
  if texts == nil then return nil end
  for r = 1, #texts do texts[r] = value_of(texts[r]) end
  return texts
end

--- pg.mpi.gather(v [, root]) -> v
-- What all ranks have, on one of them.
-- @param v  array with any number of rows; or a plain value, see pg.mpi.bcast
-- @param root  integer: 0
-- @return v  on root the rows of all ranks one below the other, in order of the ranks; of plain values a list; nil
--   elsewhere
function mpi.gather(v, root)
  local all = collect("gather", v, root or 0)
  return all
end

--- pg.mpi.allgather(v) -> v
-- What all ranks have, for everyone.
-- @param v  array with any number of rows; or a plain value, see pg.mpi.bcast
-- @return v  the rows of all ranks one below the other, in order of the ranks; of plain values a list
-- @example #pg.mpi.allgather("here") --> 1
function mpi.allgather(v)
  local all = collect("allgather", v)
  return all
end

--- pg.mpi.scatter(a [, root]) -> rows
-- A part of root's rows for each rank: those of pg.mpi.range(#a).
-- @param a  array, on root; what the others give is not looked at
-- @param root  integer: 0
-- @return rows  array of this rank's own
mpi.scatter = core.scatter

--- pg.mpi.send(v, to [, tag])
-- Sends a value to one rank, which must call pg.mpi.recv.
-- @param v  array, or a plain value, see pg.mpi.bcast
-- @param to  integer: the other rank
-- @param tag  integer: 0; values of one tag arrive in order
function mpi.send(v, to, tag)
  core.send(args.is_array(v) and v or text_of("send", v), to, tag)
end

--- pg.mpi.recv(from [, tag]) -> v
-- The next value that a rank sends to this one.
-- @param from  integer: the other rank
-- @param tag  integer: 0
-- @return v
function mpi.recv(from, tag)
  local v = core.recv(from, tag)
  if type(v) == "string" then return value_of(v) end
  return v
end

--- pg.mpi.barrier()
-- Waits until all ranks have come here.
mpi.barrier = core.barrier

--- pg.mpi.abort([message])
-- Ends all ranks, with exit status 1.
-- @param message  string: written to standard error before
mpi.abort = core.abort

--- pg.mpi.timeout(seconds)
-- How long a call waits for the other ranks before it raises. After that the ranks are out of step and the program can
-- only end.
-- @param seconds  number; 0: for ever, which is so at first
mpi.timeout = core.timeout

--- pg.mpi.check(on)
-- Whether the ranks compare what they ask for before each call, which is so at first. Without it a mismatch hangs, or
-- mixes up bytes; a small call is some tenths of a microsecond faster. All ranks must say the same.
-- @param on  boolean
mpi.check = core.check

-- ---- one result for any number of ranks --------------------------------------------------------

-- A value of the tree is {array, whether it is ours to write to}.
local function add(a, b)
  a[1], a[2] = pg.add(a[1], b[1], a[2] and a[1] or nil), true
  return a
end

-- The sum over all ranks of nodes that cover this one's part of n.
local function join(nodes, n)
  if size == 1 then
    local total = tree.total(nodes, add)
    return total[2] and total[1] or total[1]:copy()
  end
  for i, node in ipairs(nodes) do nodes[i] = core.plain(node[3][1]) end
  return core.combine(nodes, n)
end

local function check_part(name, v, first, i)
  if not args.is_array(v) or not (v.dtype == "f64" or v.dtype == "f32") then
    fail(name, 1, ("part %d: expected a number or an array of f64 or f32, got %s"):format(i, got(v)))
  end
  if first and (first.dtype ~= v.dtype or first.shape ~= v.shape) then
    fail(name, 1, ("part %d: expected %s %s as the first, got %s"):format(i, tostring(first.shape), first.dtype,
      got(v)))
  end
  return v
end

--- pg.mpi.sum(parts, n) -> array | number
-- The sum of n parts that the ranks have between them, in one fixed tree: the same bits on every rank, for every number
-- of ranks and every MPI.
-- @param parts  list: this rank's parts lo..hi of 1..n (see pg.mpi.range): arrays of f64 or f32 of one shape, or
--   numbers
-- @param n  integer: how many there are on all ranks
-- @return sum  a new array; of numbers a number
-- @error  sum: rank 2 holds 3 of 8 parts, expected 2 (mpi.range(8) is 5, 6)
-- @example pg.mpi.sum({1, 2, 3}, 3) --> 6.0
function mpi.sum(parts, n)
  if type(parts) ~= "table" then fail("sum", 1, "parts: expected a list, got " .. got(parts)) end
  args.integer("sum", 2, "n", n, 1, 1 << 40)
  local lo, hi = core.range(n)
  if #parts ~= hi - lo + 1 then
    raise("sum: rank %d holds %d of %d parts, expected %d (mpi.range(%d) is %d, %d)", rank, #parts, n, hi - lo + 1, n,
      lo, hi)
  end
  local nodes, numbers, first = {}, type(parts[1]) == "number", nil
  for i, v in ipairs(parts) do
    if type(v) == "number" and numbers then v = pg.array{v} end
    v = check_part("sum", v, first, i)
    first = first or v
    tree.add(nodes, {0, lo + i - 2, {v, numbers}}, add)
  end
  if size > 1 and n < size then
    numbers = core.bcast_text(rank == 0 and (numbers and "n" or "a") or nil, 0) == "n"
  end
  local total = join(nodes, n)
  return numbers and total:item() or total
end

-- pg.mpi.map for the function `name`; fresh: f gives an array that is nobody else's.
local function map(name, n, f, fresh)
  local nodes, kinds, count = {}, {}, nil
  local lo, hi = core.range(n)
  for i = lo, hi do
    local values = table.pack(f(i))
    count = count or values.n
    if values.n ~= count or count == 0 then
      raise("%s: f(%d) gave %d values, expected %s", name, i, values.n, count == 0 and "one or more" or count)
    end
    for k = 1, count do
      local v = values[k]
      local number = type(v) == "number"
      kinds[k] = kinds[k] or {number = number, first = not number and v}
      -- f may give the same array each time.
      v = number and pg.array{v} or check_part(name, v, kinds[k].first, k)
      if not (number or fresh) then v = v:copy() end
      kinds[k].first = kinds[k].first or v
      nodes[k] = nodes[k] or {}
      tree.add(nodes[k], {0, i - 1, {v, true}}, add)
    end
  end
  local kind = ""
  for k = 1, count or 0 do kind = kind .. (kinds[k].number and "n" or "a") end
  -- A rank without a part learns from rank 0, which has one, what there is.
  if size > 1 and n < size then kind = core.bcast_text(rank == 0 and kind or nil, 0) end
  local out = {}
  for k = 1, #kind do
    local total = join(nodes[k] or {}, n)
    out[k] = kind:sub(k, k) == "n" and total:item() or total
  end
  return table.unpack(out)
end

--- pg.mpi.map(n, f) -> array | number, ...
-- The sum of f(1) .. f(n), in which each rank computes its part: pg.mpi.sum of them, without keeping them all.
-- @param n  integer: how many shards
-- @param f  function(i): gives an array, a number or several of both; each is summed
-- @return what f gives, summed: the same bits on every rank and for every number of ranks
-- @example pg.mpi.map(4, function(i) return i * i end) --> 30.0
function mpi.map(n, f)
  args.integer("map", 1, "n", n, 1, 1 << 40)
  if type(f) ~= "function" then fail("map", 2, "f: expected a function, got " .. got(f)) end
  return map("map", n, f, false)
end

--- pg.mpi.rng(seed, n) -> list
-- Generators of this rank's shards lo..hi of 1..n: each shard has the stream pg.random.new(seed):spawn(n)[i], on
-- whichever rank it is.
-- @param seed  integer
-- @param n  integer: how many shards there are
-- @return list  of hi - lo + 1 generators
-- @example #pg.mpi.rng(1, 8) --> 8
function mpi.rng(seed, n)
  args.integer("rng", 2, "n", n, 0)
  local lo, hi = core.range(n)
  return table.move(pg.random.new(seed):spawn(n), lo, hi, 1, {})
end

local makers = {["ppca.accumulator"] = "ppca", ["linear.accumulator"] = "linear"}

--- pg.mpi.merge(acc) -> acc
-- One accumulator of all ranks' rows on every rank, each rank having taken in the rows after the one before it:
-- pg.ppca.accumulate{start = rows before}, and so many rows that all but the last end at a block. Its bits are those of
-- one process that took in all rows.
-- @param acc  accumulator of pg.ppca or pg.linear
-- @return acc  a new one
function mpi.merge(acc)
  local meta = getmetatable(acc)
  local maker = type(meta) == "table" and makers[meta.__name]
  if not maker then fail("merge", 1, "acc: expected an accumulator of pg.ppca or pg.linear, got " .. got(acc)) end
  local states, total = mpi.allgather(acc:state()), nil
  for _, state in ipairs(states) do
    if state.facts[3] > 0 then
      local part = pg[maker].accumulate{state = state}
      total = total and total:merge(part) or part
    end
  end
  return total or pg[maker].accumulate{state = states[1]}
end

-- ---- the process ------------------------------------------------------------------------------

mpi._hosts = {system.host()}

if core.library ~= "none" then
  -- Whoever leaves otherwise than by the end of the script must not leave the others waiting.
  local exit = os.exit
  rawset(os, "exit", function(code, close)
    core.leave(code == false and 1 or math.type(code) == "integer" and code or 0)
    exit(code, close)
  end)
  -- Ranks share a machine's cores, and how many there are for one depends on the launcher; bits depend on it.
  if not (os.getenv("OPENBLAS_NUM_THREADS") or os.getenv("OMP_NUM_THREADS")) then pg.threads(1) end
  local info = pg.info()
  local mine = {host = system.host(), core = info.blas_core, isa = info.isa, threads = pg.threads()}
  local all = mpi.allgather(mine)
  for r, one in ipairs(all) do
    mpi._hosts[r] = one.host
    if rank == 0 and (one.core ~= mine.core or one.isa ~= mine.isa or one.threads ~= mine.threads) then
      io.stderr:write(("perigee: mpi: rank %d on %s has %s, %s, %d threads, rank 0 on %s has %s, %s, %d threads: ")
        :format(r - 1, one.host, one.core, one.isa, one.threads, mine.host, mine.core, mine.isa, mine.threads),
        "results may differ in their last bits with the number of ranks\n")
      break
    end
  end
end

mpi._map, mpi._pieces = map, core.pieces

return mpi
