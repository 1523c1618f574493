-- SPDX-License-Identifier: MIT
--
-- What pg.grad and its kin share: leaves out of what a function is differentiated by, the call with
-- the tape open, gradients in the shape of what they are of. The tape is in src/bind/tape.c.
--
-- Gradients nest on one tape. An inner one makes its leaves, as copies of the headers of its
-- arguments, above all nodes that are there, and walks back to these leaves and no further; while an
-- outer one is open the walk is recorded itself. Only the outermost gives numbers for arrays
-- without axes.

local pg = ...
local args = pg._args
local tape = pg._tape

--- gradients
-- How a gradient is taken. pg.grad(f) and pg.value_and_grad(f) differentiate any Lua function over
-- arrays; if, loops, recursion, tables and closures are Lua's own.
--
--     local step = pg.value_and_grad(function(w) return pg.square(X:dot(w) - y):mean() end)
--     local loss, g = step(w)
--
-- While f runs, each array that depends on w carries a number: that of the note which says how it was
-- made. The notes lie on a tape. When f is done the tape is read backwards: from d loss = 1, each note's
-- rule says how much of the result's derivative belongs to each thing it was made of, and what comes
-- together is added. At the start of the tape stands the derivative by w. Then the tape is forgotten,
-- whatever f kept: nothing has to be set to zero, freed or switched off, and an error, Ctrl-C or a memory
-- limit leaves nothing behind.
--
-- Inside f
--
--     a:sum(), a[i] of a vector and a dot of two vectors are arrays without axes and no numbers, so that the
--     chain holds: operators and pg's functions take them as numbers, and a:item() is the value.
--     What f decides by is a value: if loss:item() > 1 then ...
--     Arrays that the gradient needs are not written to: an error at that line says so. pg.stack,
--     pg.concat, pg.where and a:with(region, v) give new ones.
--     a:detach() is a constant: nothing is differentiated through it.
--     Steps and places (a:gt(b), pg.round, a:argmax()) are constants. What has no derivative that is known
--     here raises; it is never left out in silence.
--     f may not yield.
--
-- Gradients nest to any order, pg.grad(pg.grad(f)), since rules are made of pg's functions. Where two
-- elements are tied for a maximum they share its derivative; abs has 0 at 0, a norm too; clip hands it on
-- inside and on its bounds.
--
-- What is kept until the tape is read is what rules want: of a product its factors, of exp its result, of
-- a sum only the shape. pg.checkpoint trades that memory for a second run.
-- @example pg.grad(function(w) return pg.square(w - 1):sum() end)(pg.array{3})[1] --> 4.0

local G = {}

-- ---- rules ------------------------------------------------------------------------------------

local function find_nan(_, _, _) end
local lines -- by node: the line that made it, while NaNs are looked for

do
  local rules, by_index = pg._rules, {}
  local rows = tape.rows()
  for _, name in ipairs(args.sorted_keys(rows)) do
    by_index[rows[name]] = rules[name] or false
  end
  tape.tools{by_index, pg.add, pg.mul, pg.sum, pg.reshape, pg.astype, pg.copy, pg.broadcast_to,
    function(...) return find_nan(...) end}
end

local function is_array(v) return getmetatable(v) == "array" end

local function fail(name, ...)
  error(name .. ": " .. string.format(...), pg._user_level())
end

-- ---- leaves -----------------------------------------------------------------------------------

-- A net: parameters in one array, and its gradient in another.
local function is_net(x)
  return type(x) == "table" and is_array(x.params) and is_array(x.grads) and type(x.named) == "function"
end

-- The named views of a net that are the arrays its functions compute with: those that named()
-- gives twice as the same value.
local known = setmetatable({}, {__mode = "k"})
local function views_of(net)
  local entry = known[net]
  if entry and rawequal(entry.params, net.params) and rawequal(entry.grads, net.grads) then return entry end
  local first, again, slopes = net:named(), net:named(), net:named("grads")
  entry = {params = net.params, grads = net.grads, leaves = {net.params}, slopes = {net.grads}}
  local names = type(net.names) == "function" and net:names() or args.sorted_keys(first)
  for _, name in ipairs(names) do
    local v = first[name]
    if rawequal(v, again[name]) then
      entry.leaves[#entry.leaves + 1], entry.slopes[#entry.slopes + 1] = v, slopes[name]
      entry[#entry + 1] = {name = name, view = v, slope = slopes[name], from = tape.place(v, net.params)}
    end
  end
  known[net] = entry
  return entry
end

-- Makes leaves of what x holds and returns what f is given in its place. Each leaf is noted in
-- `leaves`, in order, as {at =, kind =, name =, of =}; tree is what the gradient is made from.
local function trace(x, leaves, path, seen)
  if type(x) == "number" or is_array(x) then
    local given, at = tape.leaf(x)
    local leaf = {at = at, name = path, of = x}
    leaves[#leaves + 1] = leaf
    return given, leaf
  end
  if seen[x] then return seen[x][1], seen[x][2] end
  if is_net(x) then
    local entry = views_of(x)
    local node = {net = x, entry = entry, path = path}
    local within = path == "" and "" or path .. "."
    local at, before = tape.mark(x.params)
    node.whole = {at = at, before = before, name = within .. "params", of = x.params}
    leaves[#leaves + 1] = node.whole
    for k, e in ipairs(entry) do
      local view_at, view_before = tape.mark(e.view)
      node[k] = {at = view_at, before = view_before, name = within .. e.name, of = e.view}
      leaves[#leaves + 1] = node[k]
    end
    seen[x] = {x, node}
    return x, node
  end
  local copy, tree = {}, {keys = {}}
  seen[x] = {copy, tree}
  local keys = {}
  for k in pairs(x) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b)
    if type(a) == "number" and type(b) == "number" then return a < b end
    return tostring(a) < tostring(b)
  end)
  for _, k in ipairs(keys) do
    local v = x[k]
    if (is_array(v) and (v.dtype == "f64" or v.dtype == "f32")) or type(v) == "table" then
      local name = type(k) == "string" and (path == "" and k or path .. "." .. k)
        or string.format("%s[%s]", path, tostring(k))
      copy[k], tree[k] = trace(v, leaves, name, seen)
      tree.keys[#tree.keys + 1] = k
    else
      copy[k] = v
    end
  end
  local meta = getmetatable(x)
  if type(meta) == "table" then setmetatable(copy, meta) end
  return copy, tree
end

-- Puts the nodes of a net's arrays back; for the outermost gradient they are stale anyway.
local function release(tree, seen)
  if seen[tree] then return end
  seen[tree] = true
  if tree.net then
    tape.unmark(tree.net.params, tree.whole.before)
    for k, e in ipairs(tree.entry) do tape.unmark(e.view, tree[k].before) end
  end
  for _, k in ipairs(tree.keys or {}) do release(tree[k], seen) end
end

-- ---- gradients in the shape of what they are of -----------------------------------------------

-- One call: what it is named, its options, the cotangents by leaf, the first leaf's place.
local function cotangent(call, leaf) return call.cots[leaf.at - call.low + 1] end

local function missing(call, leaf)
  if call.unused ~= "zero" then
    call.unmet[#call.unmet + 1] = leaf.name ~= "" and leaf.name or "x"
  end
  if type(leaf.of) == "number" then return call.outermost and 0.0 or pg.array(0) end
  return pg.zeros_like(leaf.of)
end

local function net_gradient(call, node)
  local net, entry = node.net, node.entry
  local whole = cotangent(call, node.whole)
  if not call.outermost then
    local g = whole or pg.zeros_like(net.params)
    for k, e in ipairs(entry) do
      local c = cotangent(call, node[k])
      if c then
        local part = {{e.from, e.from + e.view.size - 1}}
        local flat = c:reshape(-1)
        g = g:with(part, whole and g:slice(part[1]) + flat or flat)
      end
    end
    return g
  end
  local grads, parts = net.grads, {}
  for k, e in ipairs(entry) do
    local c = cotangent(call, node[k])
    -- what was written into net.grads already would be lost under the gradient of the whole
    parts[k] = c and whole and rawequal(c, e.slope) and c:copy() or c
  end
  if whole then grads:assign(whole) end
  for k, e in ipairs(entry) do
    local c = parts[k]
    if c and whole then
      pg.add(e.slope, c, e.slope)
    elseif c then
      if not rawequal(c, e.slope) then e.slope:assign(c) end
    elseif not whole then
      e.slope:assign(0)
      if call.unused ~= "zero" then
        call.unmet[#call.unmet + 1] = node.path == "" and e.name or node.path .. "." .. e.name
      end
    end
  end
  if not whole and #entry == 0 then
    call.unmet[#call.unmet + 1] = node.path == "" and "params" or node.path .. ".params"
  end
  return grads
end

local function gradient(call, tree, made)
  if tree.at then
    local g = cotangent(call, tree)
    if g == nil then return missing(call, tree) end
    if call.outermost and type(tree.of) == "number" then return g:item() end
    return g
  end
  if made[tree] then return made[tree] end
  if tree.net then
    made[tree] = net_gradient(call, tree)
    return made[tree]
  end
  local g = {}
  made[tree] = g
  for _, k in ipairs(tree.keys) do g[k] = gradient(call, tree[k], made) end
  return g
end

-- ---- the loss ---------------------------------------------------------------------------------

local function depends_not(name, loss)
  fail(name, "f returned %s that does not depend on x", args.got(loss))
end

local function check_loss(name, loss)
  if loss == nil then fail(name, "the first result of f is no value; write return") end
  if is_array(loss) then
    if loss.ndim > 0 then
      fail(name, "f returned %s, expected a number; :sum() or :mean() makes one", args.got(loss))
    end
  elseif type(loss) ~= "number" then
    fail(name, "f returned %s, expected a number", args.got(loss))
  end
end

-- What the gradient is not finite for, or nil.
local function first_bad(leaves, cots, low)
  for _, leaf in ipairs(leaves) do
    local g = cots[leaf.at - low + 1]
    if g and not pg.isfinite(g):all() then return leaf.name, pg.isnan(g):any() and "nan" or "inf" end
  end
end

local function refuse_nan(call, leaves)
  local bad, what = first_bad(leaves, call.cots, call.low)
  if not bad and not call.found then return end
  local where = call.found and string.format("the first %s came from '%s' at line %s", call.found.what,
    call.found.name, call.found.line or "?") or "it arose in the backward pass"
  if not bad then return end
  fail(call.name, "the gradient of %s is %s; %s", bad ~= "" and bad or "x", what, where)
end

local function refuse_unmet(call)
  if #call.unmet == 0 then return end
  local few, more = {}, #call.unmet > 3 and #call.unmet - 2 or 0
  for k = 1, #call.unmet - more do few[k] = call.unmet[k] end
  fail(call.name, "the loss does not depend on %s%s; {unused = \"zero\"} gives %s 0", table.concat(few, ", "),
    more > 0 and string.format(" and %d more", more) or "", #call.unmet == 1 and "it" or "them")
end

local function reorder(g, loss, ...) return loss, g, ... end

-- The common case: one array or number.
local function finish_one(spec, x, at, loss, ...)
  local g, outermost = tape.gradient(loss, at)
  if g == nil then
    check_loss(spec.name, loss)
    if spec.unused ~= "zero" then depends_not(spec.name, loss) end
    outermost = tape.open() == 1
    g = pg.zeros_like(type(x) == "number" and pg.array(x) or x)
  end
  if spec.check then
    local call = {name = spec.name, cots = {g}, low = at, found = lines and lines.found}
    refuse_nan(call, {{at = at, name = "x"}})
  end
  if outermost then
    if type(x) == "number" then g = g:item() end
    if spec.only then return g end
    return reorder(g, tape.plain(loss, ...))
  end
  if spec.only then return g end
  return loss, g, ...
end

local function body(spec, x, ...)
  local given, at = tape.leaf(x)
  return finish_one(spec, x, at, spec.f(given, ...))
end

-- One net, for the outermost gradient: its leaves are made, and its gradient written, at once.
local function finish_net(spec, net, entry, at, loss, ...)
  local place = tape.node(loss)
  if place < at or loss.ndim > 0 then
    check_loss(spec.name, loss)
    if spec.unused ~= "zero" then depends_not(spec.name, loss) end
  end
  tape.settle()
  local cots = place >= at and tape.backward(loss, at, #entry.leaves, nil, true, entry.slopes) or {}
  local g = net.grads
  if not tape.deliver(cots, entry.slopes) then
    local call = {name = spec.name, unused = spec.unused, unmet = {}, low = at, cots = cots, outermost = true}
    local node = {net = net, entry = entry, path = "", whole = {at = at, of = net.params}}
    for k, e in ipairs(entry) do node[k] = {at = at + k, of = e.view} end
    g = net_gradient(call, node)
    refuse_unmet(call)
  end
  if spec.only then return g end
  return reorder(g, tape.plain(loss, ...))
end

local function body_net(spec, net, ...)
  if tape.open() > 1 then return spec.general(spec.many, net, ...) end
  local entry = views_of(net)
  local at = tape.marks(entry.leaves)
  return finish_net(spec, net, entry, at, spec.f(net, ...))
end

-- Several arguments, tables, nets.
local function finish_many(spec, call, trees, leaves, loss, ...)
  local depth = tape.open()
  check_loss(spec.name, loss)
  local place = tape.node(loss)
  if place < call.low and spec.unused ~= "zero" then depends_not(spec.name, loss) end
  call.outermost = depth == 1
  if call.outermost then tape.settle() end
  call.cots = place >= call.low and tape.backward(loss, call.low, #leaves, nil, call.outermost) or {}
  if spec.check then
    call.found = lines and lines.found
    refuse_nan(call, leaves)
  end
  local gradients, made = {}, {}
  for k, tree in ipairs(trees) do gradients[k] = gradient(call, tree, made) end
  refuse_unmet(call)
  if not call.outermost then
    local seen = {}
    for _, tree in ipairs(trees) do release(tree, seen) end
  end
  if spec.only then return table.unpack(gradients) end
  local rest = table.pack(...)
  if call.outermost then
    rest = table.pack(tape.plain(loss, ...))
    loss = table.remove(rest, 1)
    rest.n = rest.n - 1
  end
  local n = #gradients
  for k = 1, rest.n do gradients[n + k] = rest[k] end
  return loss, table.unpack(gradients, 1, n + rest.n)
end

local function body_many(spec, ...)
  local given, trees, leaves, seen = table.pack(...), {}, {}, {}
  for k, position in ipairs(spec.argnums) do
    local x = given[position]
    if type(x) ~= "number" and type(x) ~= "table" and not is_array(x) then
      args.fail(spec.name, position, string.format("%s: expected a number, an array, a table of them or a net, got %s",
        position == 1 and "x" or "argument", args.got(x)))
    end
    given[position], trees[k] = trace(x, leaves, "", seen)
    if trees[k].at and #spec.argnums > 1 then trees[k].name = "argument " .. position end
  end
  if #leaves == 0 then fail(spec.name, "there is no array in x") end
  local call = {name = spec.name, unused = spec.unused, unmet = {}, low = leaves[1].at}
  return finish_many(spec, call, trees, leaves, spec.f(table.unpack(given, 1, given.n)))
end

-- ---- looking for NaN --------------------------------------------------------------------------

local function look(value, node, name)
  local found = lines.found
  if found or pg.isfinite(value):all() then return end
  local level = 3
  local info = debug.getinfo(level, "Sl")
  while info and (info.currentline <= 0 or info.source:find("^=perigee/")) do
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  lines.found = {name = name, node = node, line = info and info.currentline,
    what = pg.isnan(value):any() and "nan" or "inf"}
end

local function with_looking(f)
  return function(...)
    lines = {}
    find_nan = look
    tape.looking(true)
    return f(...)
  end
end

-- ---- functions --------------------------------------------------------------------------------

function G.callable(name, arg, f)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    args.fail(name, arg, "f: expected a function, got " .. args.got(f))
  end
  return f
end

-- A place to differentiate at: a number or an array.
function G.check_place(name, arg, x)
  if type(x) ~= "number" and not is_array(x) then
    args.fail(name, arg, "x: expected a number or an array, got " .. args.got(x))
  end
end

-- The function that value_and_grad makes; with `only`, what grad makes.
function G.transform(name, f, opts, only)
  G.callable(name, 1, f)
  local o = args.options(name, 2, opts, {argnums = args.any, unused = "error", check = false})
  args.choice(name, 2, "unused", o.unused, {"error", "zero"})
  local argnums = o.argnums
  if argnums ~= nil then
    if type(argnums) == "number" then argnums = {argnums} end
    if type(argnums) ~= "table" or #argnums == 0 then
      args.fail(name, 2, "argnums: expected a list of positions, got " .. args.got(argnums))
    end
    for k, v in ipairs(argnums) do argnums[k] = args.integer(name, 2, "argnums", v, 1) end
  end
  local one = {name = name, f = f, unused = o.unused, only = only, check = o.check}
  local many = {name = name, f = f, unused = o.unused, only = only, check = o.check, argnums = argnums or {1}}
  local first, general = body, body_many
  if o.check then first, general = with_looking(body), with_looking(body_many) end
  local run = tape.run
  if argnums then
    return function(...) return run(general, many, ...) end
  end
  one.general, one.many = general, many
  return function(x, ...)
    if type(x) == "number" or is_array(x) then return run(first, one, x, ...) end
    if not o.check and is_net(x) then return run(body_net, one, x, ...) end
    return run(general, many, x, ...)
  end
end

G.tape, G.is_array, G.is_net, G.fail, G.trace, G.release, G.check_loss = tape, is_array, is_net, fail, trace, release,
  check_loss

return G
