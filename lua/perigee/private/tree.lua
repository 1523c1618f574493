-- SPDX-License-Identifier: MIT
--
-- pg._tree: sums over parts 1, 2, 3, ... in one fixed tree, so that the bits of the result do not depend on who adds
-- which parts. A node {level, index, value} stands for parts index 2^level + 1 .. (index + 1) 2^level; two siblings
-- become their parent as soon as both are there. What is left at the end, the fewest nodes that cover the parts, is
-- added up from the last to the first. `merge(a, b)` gives the value of both, a before b; it may write to a.
local pg = ...
local args = pg._args
local ipairs, math, string, table, tostring, type = ipairs, math, string, table, tostring, type

local tree = {}

-- Takes in the next node; nodes stand in order of their parts.
function tree.add(nodes, node, merge)
  while true do
    local last = nodes[#nodes]
    if last == nil or last[1] ~= node[1] or last[2] % 2 ~= 0 or node[2] ~= last[2] + 1 then break end
    nodes[#nodes] = nil
    node = {node[1] + 1, node[2] // 2, merge(last[3], node[3])}
  end
  nodes[#nodes + 1] = node
end

-- The part after the last node, from 0.
function tree.last(nodes)
  local node = nodes[#nodes]
  return node and (node[2] + 1) << node[1] or nil
end

-- The value of all nodes; `copy` gives one that merge may write to, since the nodes stay as they are.
function tree.total(nodes, merge, copy)
  local value
  for i = #nodes, 1, -1 do
    value = value == nil and nodes[i][3] or merge(copy and copy(nodes[i][3]) or nodes[i][3], value)
  end
  return value
end

local function add(a, b)
  if math.type(a) then return a + b end
  return pg.add(a, b, a)
end

-- f(1) + ... + f(n), where f gives numbers, and arrays that are nobody else's; each of its values is summed.
function tree.sum(n, f)
  local nodes = {}
  for i = 1, n do
    local values = table.pack(f(i))
    for k = 1, values.n do
      nodes[k] = nodes[k] or {}
      tree.add(nodes[k], {0, i - 1, values[k]}, add)
    end
  end
  for k, list in ipairs(nodes) do nodes[k] = tree.total(list, add) end
  return table.unpack(nodes)
end

-- The options shards and mpi of a call: how many shards, and the function that adds up what they give as tree.sum does,
-- here or over all ranks.
function tree.shards(name, arg, o, batch)
  if o.mpi ~= nil and type(o.mpi) ~= "boolean" then
    args.fail(name, arg, "mpi: expected a boolean, got " .. args.got(o.mpi))
  end
  if o.mpi and o.shards == nil then
    args.fail(name, arg, "mpi: give shards too, into how many parts " .. (batch and "each batch" or "the list") ..
      " is cut: the result depends on them and not on the number of ranks")
  end
  local shards = args.integer(name, arg, "shards", o.shards or 1, 1)
  if batch and batch % shards ~= 0 then
    args.fail(name, arg, string.format("shards: expected a number that divides the batch of %d, got %d", batch, shards))
  end
  if not o.mpi then return shards, tree.sum end
  local mpi = pg.mpi
  return shards, function(n, f) return mpi._map(name, n, f, true) end
end

-- The part of 1..n that is the i-th of `count`: first and last, first > last where it is empty. Sizes differ by one at
-- most.
function tree.range(n, count, i)
  return n * (i - 1) // count + 1, n * i // count
end

-- ---- accumulators ------------------------------------------------------------------------------

-- An accumulator gathers rows in blocks, counted from the first: fields block, start (rows before its first), and of
-- its own _count (its rows), _width (numbers of a row, false at first), _nodes, _next (the block to come), _rows and
-- _held (rows that wait for their block to fill).

-- Fills a new accumulator from the options block and start of the function `name`.
function tree.start(name, acc, opts)
  acc.block = args.integer(name, 1, "block", opts.block or 4096, 1, 1 << 30)
  acc.start = args.integer(name, 1, "start", opts.start or 0, 0)
  if acc.start % acc.block ~= 0 then
    args.fail(name, 1, string.format("start: expected a multiple of block, %d, got %d", acc.block, acc.start))
  end
  acc._count, acc._width, acc._nodes, acc._rows, acc._held = 0, false, {}, false, 0
  acc._next = acc.start // acc.block
  return acc
end

-- Room for `count` rows that wait, which doubles as they come.
local function make_room(acc, count)
  local before = acc._rows
  if before and #before >= count then return end
  acc._rows = pg.zeros(math.min(acc.block, math.max(count, before and 2 * #before or 16)), acc._width)
  if acc._held > 0 then acc._rows[{{1, acc._held}}] = before:slice{1, acc._held} end
end

-- Takes rows in, n x width; `value(rows)` gives that of a block, and `merge` that of two.
function tree.feed(acc, rows, value, merge)
  local n, width = rows:dims()
  local block, at = acc.block, 1
  acc._width = width
  local function close(X)
    tree.add(acc._nodes, {0, acc._next, value(X)}, merge)
    acc._next = acc._next + 1
  end
  while at <= n do
    if acc._held == 0 and n - at + 1 >= block then
      close(rows:slice{at, at + block - 1})
      at, acc._count = at + block, acc._count + block
    else
      local count = math.min(block - acc._held, n - at + 1)
      make_room(acc, acc._held + count)
      acc._rows[{{acc._held + 1, acc._held + count}}] = rows:slice{at, at + count - 1}
      acc._held, at, acc._count = acc._held + count, at + count, acc._count + count
      if acc._held == block then
        close(acc._rows)
        acc._held = 0
      end
    end
  end
end

-- The value of all its rows, which may be written to.
function tree.value_of(acc, value, merge, copy)
  local nodes = {table.unpack(acc._nodes)}
  if acc._held > 0 then nodes[#nodes + 1] = {0, acc._next, value(acc._rows:slice{1, acc._held})} end
  return #nodes == 1 and copy(nodes[1][3]) or tree.total(nodes, merge, copy)
end

-- acc takes in what `other` holds of the rows after its own.
function tree.merge_accumulators(acc, other, merge, copy)
  local function refuse(...) args.fail("merge", 1, "other: " .. string.format(...)) end
  if other == acc then refuse("is the accumulator itself") end
  if other.block ~= acc.block then refuse("has blocks of %d rows, this one of %d", other.block, acc.block) end
  if other._count == 0 then return acc end
  if acc._width and acc._width ~= other._width then
    refuse("its rows have %d numbers, those of this one %d", other._width, acc._width)
  end
  local ends = acc.start + acc._count
  if acc._held > 0 then
    refuse("its rows come after row %d of this one, which is not the end of a block of %d", ends, acc.block)
  end
  local shift = acc._next - other.start // acc.block
  if other.start ~= 0 and shift ~= 0 then
    refuse("starts after row %d, this one ends at row %d", other.start, ends)
  end
  for _, node in ipairs(other._nodes) do
    if shift & (1 << node[1]) - 1 ~= 0 then
      refuse("counted its rows from 0, so its sums have another order; make it with {start = %d}", ends)
    end
  end
  for _, node in ipairs(other._nodes) do
    tree.add(acc._nodes, {node[1], node[2] + (shift >> node[1]), copy(node[3])}, merge)
  end
  acc._width, acc._next, acc._count = other._width, other._next + shift, acc._count + other._count
  if other._held > 0 then
    acc._rows, acc._held = other._rows:copy(), other._held
  end
  return acc
end

local function refuse_state(format, ...)
  args.fail("accumulate", 1, "state: " .. string.format(format, ...))
end

local function check_shape(what, a, ...)
  local want = {...}
  local ok = args.is_array(a) and a.ndim == #want
  for i = 1, #want do ok = ok and a.shape[i] == want[i] end
  if not ok then
    refuse_state("%s: expected shape (%s), got %s", what, table.concat(want, ", "),
      args.is_array(a) and tostring(a.shape) or args.got(a))
  end
  return a
end

-- What an accumulator holds as arrays; `values` names the arrays of a node's value in order, and `facts` are counts
-- of its own.
function tree.state(acc, values, facts)
  local width, k = acc._width or 0, #acc._nodes
  local t = {
    facts = pg.array{acc.block, acc.start, acc._count, width, acc._held, table.unpack(facts)},
    nodes = pg.zeros(k, 3),
    rows = acc._held > 0 and acc._rows:slice{1, acc._held}:copy() or pg.zeros(0, width),
  }
  for i, node in ipairs(acc._nodes) do
    t.nodes[i] = pg.array{node[1], node[2], node[3][1]}
    for v, name in ipairs(values) do
      local a = node[3][v + 1]
      t[name] = t[name] or pg.zeros(k, a:dims())
      t[name][i] = a
    end
  end
  return t
end

-- Fills acc from such a state and returns its own counts, `count` of them. shapes[i](width) gives the extents of the
-- array values[i] of a node.
function tree.restore(acc, state, values, shapes, count)
  if type(state) ~= "table" then refuse_state("expected what acc:state() gives, got %s", args.got(state)) end
  local list = {}
  for i = 1, #check_shape("facts", state.facts, 5 + count) do
    list[i] = math.tointeger(state.facts[i])
    if list[i] == nil or list[i] < 0 then refuse_state("facts[%d] is %g, expected a count", i, state.facts[i]) end
  end
  local block, start, rows, width, held = table.unpack(list)
  if block < 1 or start % block ~= 0 or held >= block then
    refuse_state("a block of %d rows, start %d and %d rows that wait do not belong together", block, start, held)
  end
  tree.start("accumulate", acc, {block = block, start = start})
  acc._count, acc._width, acc._held = rows, rows > 0 and width, held
  local nodes = args.is_array(state.nodes) and state.nodes or refuse_state("nodes: expected an array k x 3")
  check_shape("nodes", nodes, #nodes, 3)
  local found = held
  for i = 1, #nodes do
    local level, index, n = math.tointeger(nodes(i, 1)), math.tointeger(nodes(i, 2)), math.tointeger(nodes(i, 3))
    if not (level and index and n) or level < 0 or level > 40 or index << level ~= acc._next
      or n ~= block << level then
      refuse_state("nodes: row %d is not the next part of the rows", i)
    end
    local value = {n}
    for v, name in ipairs(values) do
      value[v + 1] = check_shape(name, state[name], #nodes, shapes[v](width))[i]:copy()
    end
    acc._nodes[i], acc._next, found = {level, index, value}, (index + 1) << level, found + n
  end
  if found ~= rows then refuse_state("it speaks of %d rows and holds %d", rows, found) end
  check_shape("rows", state.rows, held, width)
  if held > 0 then
    acc._rows = state.rows:astype("f64"):copy()
  end
  return table.unpack(list, 6)
end

return tree
