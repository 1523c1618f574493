-- SPDX-License-Identifier: MIT
--
-- pg.einsum: sums of products written with one letter an axis.
--
-- Operands are taken in two at a time, the pair first whose product adds the fewest elements to what
-- is there (the greedy order of opt_einsum). For a pair, the letters of which neither the result nor
-- another operand knows are summed: those of one operand alone by sum, those of both by a product of
-- matrices, with the letters that both have and that stay as leading axes:
--     A [batch, free of A, summed] . B [batch, summed, free of B] -> [batch, free of A, free of B]

local pg = ...
local args = pg._args

local function fail(arg, ...)
  args.fail("einsum", arg, string.format(...))
end

local function contains(letters, letter)
  return letters:find(letter, 1, true) ~= nil
end

-- "ij,jk->ik" to {"ij", "jk"}, "ik"
local function parse(spec, operands)
  if type(spec) ~= "string" then
    fail(1, "subscripts: expected a string such as \"ij,jk->ik\", got %s", args.got(spec))
  end
  local text = spec:gsub("%s", "")
  local left, right = text:match("^(.-)%->(.*)$")
  left = left or text
  local odd = (left .. (right or "")):match("[^%a,]")
  if odd == "." then fail(1, "subscripts: '.' is read as three, \"...\"") end
  if odd then fail(1, "subscripts: '%s' is no letter", odd) end
  local inputs = {}
  for letters in (left .. ","):gmatch("(%a*),") do inputs[#inputs + 1] = letters end
  if #inputs ~= #operands then
    fail(1, "subscripts: %d operands are named, %d given", #inputs, #operands)
  end
  if not right then -- as NumPy: the letters that occur once, in alphabetical order
    local once = {}
    for letter in left:gmatch("%a") do
      local _, count = left:gsub(letter, "")
      if count == 1 then once[#once + 1] = letter end
    end
    table.sort(once)
    right = table.concat(once)
  end
  for letter in right:gmatch(".") do
    if letter == "," or not contains(left, letter) then
      fail(1, "subscripts: '%s' of the result is in no operand", letter)
    end
    local _, count = right:gsub(letter, "")
    if count > 1 then fail(1, "subscripts: '%s' is twice in the result", letter) end
  end
  return inputs, right
end

-- The array with its axes in the order of `to`, which has the same letters as `from`.
local function arrange(a, from, to)
  if from == to then return a end
  local axes = {}
  for letter in to:gmatch(".") do axes[#axes + 1] = from:find(letter, 1, true) end
  return a:transpose(table.unpack(axes))
end

-- A letter that stands twice in one operand: its diagonal.
local function diagonals(a, letters)
  for letter in letters:gmatch(".") do
    local first = letters:find(letter, 1, true)
    local second = letters:find(letter, first + 1, true)
    while second do
      local rest = {}
      for k = 1, #letters do
        if k ~= first and k ~= second then rest[#rest + 1] = k end
      end
      local axes, extents = {first, second, table.unpack(rest)}, {}
      for k, axis in ipairs(rest) do extents[k] = a.shape[axis] end
      local n = a.shape[first]
      a = a:transpose(table.unpack(axes)):reshape(n * n, table.unpack(extents))
      a = a:slice({1, n * n, n + 1})
      local left = letters:gsub("().", function(k) return (k == first or k == second) and "" or nil end)
      letters = letter .. left
      first, second = 1, letters:find(letter, 2, true)
    end
  end
  return a, letters
end

-- What f(key, ...) returns, kept for the next time; a thousand of them at most.
local function remembered(f)
  local known, count = {}, 0
  return function(key, ...)
    local value = known[key]
    if value == nil then
      value = f(...)
      if count == 1000 then known, count = {}, 0 end
      known[key], count = value, count + 1
    end
    return value
  end
end

-- The axes of the letters that `kept` has not, and the letters that stay.
local split = remembered(function(letters, kept)
  local axes, stay = {}, {}
  for k = 1, #letters do
    local letter = letters:sub(k, k)
    if contains(kept, letter) then stay[#stay + 1] = letter else axes[#axes + 1] = k end
  end
  return {axes = #axes > 0 and axes, stay = table.concat(stay)}
end)

-- a without the letters that `kept` has not.
local function sum_out(a, letters, kept)
  local part = split(letters .. "," .. kept, letters, kept)
  if not part.axes then return a, letters end
  local sum = a:sum(part.axes)
  if part.stay == "" then sum = pg.array(sum, a.dtype) end
  return sum, part.stay
end

-- The number of elements over these letters; their extents go to the end of `list`.
local function count(letters, extent, list)
  local product = 1
  for letter in letters:gmatch(".") do
    local n = extent[letter]
    product = product * n
    if list then list[#list + 1] = n end
  end
  return product
end

-- Which letters play which part in the product of two operands that have no letter to sum alone.
local roles = remembered(function(la, lb, kept)
  local both, summed, free_a, free_b = "", "", "", ""
  for letter in la:gmatch(".") do
    if not contains(lb, letter) then free_a = free_a .. letter
    elseif contains(kept, letter) then both = both .. letter
    else summed = summed .. letter end
  end
  for letter in lb:gmatch(".") do
    if not contains(la, letter) then free_b = free_b .. letter end
  end
  return {both = both, summed = summed, free_a = free_a, free_b = free_b, result = both .. free_a .. free_b,
    left = both .. free_a .. summed, right = both .. summed .. free_b}
end)

local function contract(a, la, b, lb, kept, extent)
  a, la = sum_out(a, la, kept .. lb)
  b, lb = sum_out(b, lb, kept .. la)
  local role = roles(la .. "," .. lb .. "," .. kept, la, lb, kept)
  local shape = {}
  local batch = count(role.both, extent, shape)
  local rows, cols = count(role.free_a, extent, shape), count(role.free_b, extent, shape)
  local inner = count(role.summed, extent)
  local left, right = arrange(a, la, role.left), arrange(b, lb, role.right)
  local product
  if role.summed == "" then
    product = left:reshape(batch, rows, 1) * right:reshape(batch, 1, cols)
  elseif batch == 1 then
    product = left:reshape(rows, inner):matmul(right:reshape(inner, cols))
  else
    product = left:reshape(batch, rows, inner):matmul(right:reshape(batch, inner, cols))
  end
  return product:reshape(shape), role.result
end

-- The pair of operands whose product, without the letters that nobody else knows, grows least.
local function choose_pair(letters, result, extent)
  local best, first, second
  for i = 1, #letters - 1 do
    for j = i + 1, #letters do
      local others = result
      for k, word in ipairs(letters) do
        if k ~= i and k ~= j then others = others .. word end
      end
      local stay = letters[i] .. letters[j]:gsub("[" .. letters[i] .. ",]", "")
      stay = stay:gsub(".", function(letter) return not contains(others, letter) and "" or nil end)
      local growth = count(stay, extent) - count(letters[i], extent) - count(letters[j], extent)
      if best == nil or growth < best then best, first, second = growth, i, j end
    end
  end
  return first, second
end

-- "..." stands for all axes that have no letter; they are matched from the last one on, as broadcasting does. Each
-- becomes a letter that is free; an axis of extent 1 among longer ones is left out, which says the same.
local function expand(spec, operands)
  local free, taken = {}, spec
  for code = ("A"):byte(), ("z"):byte() do
    local letter = string.char(code)
    if letter:find("%a") and not contains(taken, letter) then free[#free + 1] = letter end
  end
  local left, right = spec:gsub("%s", ""):match("^(.-)%->(.*)$")
  left = left or spec:gsub("%s", "")
  local inputs, most, extents = {}, 0, {}
  for word in (left .. ","):gmatch("([^,]*),") do inputs[#inputs + 1] = word end
  for k, word in ipairs(inputs) do
    local a = operands[k]
    if args.is_array(a) and contains(word, "...") then
      local rest = a.ndim - (#word - 3)
      if rest < 0 then
        fail(k + 1, "operand %d: \"%s\" names %d axes, shape %s has %d", k, word, #word - 3, tostring(a.shape), a.ndim)
      end
      most = math.max(most, rest)
      local first = word:find("...", 1, true)
      for j = 1, rest do -- from the last one on
        local n = a.shape[first + rest - j]
        local before = extents[j] or 1
        if n ~= 1 and before ~= 1 and n ~= before then
          fail(k + 1, "operand %d: axis %d is %d here and %d before", k, first + rest - j, n, before)
        end
        extents[j] = n == 1 and before or n
      end
    end
  end
  if most > #free then fail(1, "subscripts: there are not letters enough for %d axes", most) end
  local words, arrays = {}, {}
  for k, word in ipairs(inputs) do
    local a = operands[k]
    words[k], arrays[k] = word, a
    local first = word:find("...", 1, true)
    if first and args.is_array(a) then
      local rest, letters, shape = a.ndim - (#word - 3), {}, {}
      for axis = 1, a.ndim do
        local j = first + rest - axis -- which of the unnamed axes, from the last one
        if axis < first or axis >= first + rest then
          shape[#shape + 1] = a.shape[axis]
        elseif a.shape[axis] ~= 1 or extents[j] == 1 then
          shape[#shape + 1], letters[#letters + 1] = a.shape[axis], free[most + 1 - j]
        end
      end
      words[k] = word:sub(1, first - 1) .. table.concat(letters) .. word:sub(first + 3)
      if #shape < a.ndim then arrays[k] = a:reshape(shape) end
    end
  end
  for k = #inputs + 1, #operands do arrays[k] = operands[k] end
  local all = table.concat(free, "", 1, most)
  if not right then -- the unnamed axes first, then the letters that occur once
    local once = {}
    for letter in left:gmatch("%a") do
      if select(2, left:gsub(letter, "")) == 1 then once[#once + 1] = letter end
    end
    table.sort(once)
    right = "..." .. table.concat(once)
  end
  local before, after = right:match("^(.-)%.%.%.(.*)$")
  if not before and most > 0 then
    fail(1, "subscripts: the result has no \"...\" for the %d axes without a letter", most)
  end
  if before then right = before .. all .. after end
  return table.concat(words, ",") .. "->" .. right, arrays
end

local parsed = remembered(function(spec, operands) return {parse(spec, operands)} end)

--- pg.einsum(subscripts, a, ...) -> array | number
-- The sum of products that the subscripts say: one letter an axis, a comma between operands; letters
-- that the result after "->" does not have are summed over.
-- @param subscripts  string: "ij,jk->ik" is a product of matrices, "ii" a trace, "ij->ji" a
-- transpose; without "->" the result has the letters that occur once, in alphabetical order; "..." are all axes that
-- have no letter, broadcast: "...ij,...jk->...ik"
-- @param a  array: as many axes as its letters
-- @param ...  arrays: further operands
-- @return array, or a number when the result has no letters; a single operand whose axes are only
-- put in another order gives a view
-- @error a letter that stands for two extents, naming both
-- @example pg.einsum("ij,ij->", pg.ones(2, 3), pg.ones(2, 3)) --> 6.0
return function(spec, ...)
  local operands = {...}
  if #operands == 0 then fail(2, "a: expected array, got no value") end
  if type(spec) == "string" and contains(spec, "...") then spec, operands = expand(spec, operands) end
  local inputs, result = table.unpack(parsed(type(spec) == "string" and spec .. #operands or {}, spec, operands))
  local extent = {}
  for k, letters in ipairs(inputs) do
    local a = operands[k]
    if not args.is_array(a) then fail(k + 1, "operand %d: expected array, got %s", k, args.got(a)) end
    if a.ndim ~= #letters then
      fail(k + 1, "operand %d: \"%s\" names %d axes, shape %s has %d", k, letters, #letters, a.shape, a.ndim)
    end
    local shape = a.shape
    for axis = 1, #letters do
      local letter = letters:sub(axis, axis)
      extent[letter] = extent[letter] or shape[axis]
      if extent[letter] ~= shape[axis] then
        fail(k + 1, "operand %d: '%s' is %d here and %d before", k, letter, shape[axis], extent[letter])
      end
    end
  end
  -- Pairs of f32 among f64 would round what they hand on.
  local wide = false
  for _, a in ipairs(operands) do wide = wide or a.dtype == "f64" end
  local letters = {}
  for k, a in ipairs(operands) do
    if wide and a.dtype ~= "f64" then a = a:astype("f64") end
    operands[k], letters[k] = diagonals(a, inputs[k])
  end
  while #operands > 1 do
    local i, j = 1, 2
    if #operands > 2 then i, j = choose_pair(letters, result, extent) end
    local b, lb = table.remove(operands, j), table.remove(letters, j)
    local kept = result
    for k, word in ipairs(letters) do
      if k ~= i then kept = kept .. word end
    end
    operands[i], letters[i] = contract(operands[i], letters[i], b, lb, kept, extent)
  end
  local a, left = sum_out(operands[1], letters[1], result)
  if result == "" then return pg._tape.node(a) > 0 and a or a:item() end
  return arrange(a, left, result)
end
