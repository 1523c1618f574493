-- SPDX-License-Identifier: MIT
--
-- pg.einsum: sums of products written with one letter an axis.
--
-- Operands are taken in from left to right, two at a time. For a pair, the letters of which neither
-- the result nor a later operand knows are summed: those of one operand alone by sum, those of both
-- by a product of matrices, with the letters that both have and that stay as leading axes:
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
  if odd == "." then fail(1, "subscripts: name every axis by a letter, \"...\" is not read") end
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

-- a without the letters that `kept` has not.
local function sum_out(a, letters, kept)
  local axes, stay = {}, {}
  for k = 1, #letters do
    local letter = letters:sub(k, k)
    if contains(kept, letter) then stay[#stay + 1] = letter else axes[#axes + 1] = k end
  end
  if #axes == 0 then return a, letters end
  local sum = a:sum(axes)
  if #stay == 0 then sum = pg.array(sum, a.dtype) end
  return sum, table.concat(stay)
end

local function extents(a, letters, of)
  local list, product = {}, 1
  for letter in of:gmatch(".") do
    list[#list + 1] = a.shape[letters:find(letter, 1, true)]
    product = product * list[#list]
  end
  return list, product
end

local function contract(a, la, b, lb, kept)
  a, la = sum_out(a, la, kept .. lb)
  b, lb = sum_out(b, lb, kept .. la)
  local both, summed, free_a, free_b = "", "", "", ""
  for letter in la:gmatch(".") do
    if not contains(lb, letter) then free_a = free_a .. letter
    elseif contains(kept, letter) then both = both .. letter
    else summed = summed .. letter end
  end
  for letter in lb:gmatch(".") do
    if not contains(la, letter) then free_b = free_b .. letter end
  end
  local shape, batch = extents(a, la, both)
  local shape_a, rows = extents(a, la, free_a)
  local shape_b, cols = extents(b, lb, free_b)
  local _, inner = extents(a, la, summed)
  for _, n in ipairs(shape_a) do shape[#shape + 1] = n end
  for _, n in ipairs(shape_b) do shape[#shape + 1] = n end
  local left = arrange(a, la, both .. free_a .. summed)
  local right = arrange(b, lb, both .. summed .. free_b)
  local product
  if summed == "" then
    product = left:reshape(batch, rows, 1) * right:reshape(batch, 1, cols)
  elseif batch == 1 then
    product = left:reshape(rows, inner):matmul(right:reshape(inner, cols))
  else
    product = left:reshape(batch, rows, inner):matmul(right:reshape(batch, inner, cols))
  end
  return product:reshape(shape), both .. free_a .. free_b
end

--- pg.einsum(subscripts, a, ...) -> array | number
-- The sum of products that the subscripts say: one letter an axis, a comma between operands; letters
-- that the result after "->" does not have are summed over.
-- @param subscripts  string: "ij,jk->ik" is a product of matrices, "ii" a trace, "ij->ji" a
-- transpose; without "->" the result has the letters that occur once, in alphabetical order
-- @param a  array: as many axes as its letters
-- @param ...  arrays: further operands
-- @return array, or a number when the result has no letters
-- @error a letter that stands for two extents, naming both
-- @example pg.einsum("ij,ij->", pg.ones(2, 3), pg.ones(2, 3)) --> 6.0
return function(spec, ...)
  local operands = {...}
  if #operands == 0 then fail(2, "a: expected array, got no value") end
  local inputs, result = parse(spec, operands)
  local extent = {}
  for k, letters in ipairs(inputs) do
    local a = operands[k]
    if not args.is_array(a) then fail(k + 1, "operand %d: expected array, got %s", k, args.got(a)) end
    if a.ndim ~= #letters then
      fail(k + 1, "operand %d: \"%s\" names %d axes, shape %s has %d", k, letters, #letters, a.shape, a.ndim)
    end
    for axis = 1, #letters do
      local letter = letters:sub(axis, axis)
      extent[letter] = extent[letter] or a.shape[axis]
      if extent[letter] ~= a.shape[axis] then
        fail(k + 1, "operand %d: '%s' is %d here and %d before", k, letter, a.shape[axis], extent[letter])
      end
    end
  end
  -- Pairs of f32 among f64 would round what they hand on.
  local wide = false
  for _, a in ipairs(operands) do wide = wide or a.dtype == "f64" end
  for k, a in ipairs(operands) do operands[k] = wide and a:astype("f64") or a end
  local a, letters = diagonals(operands[1], inputs[1])
  for k = 2, #operands do
    local kept = result .. table.concat(inputs, "", k + 1)
    local b, lb = diagonals(operands[k], inputs[k])
    a, letters = contract(a, letters, b, lb, kept)
  end
  a, letters = sum_out(a, letters, result)
  if result == "" then return a:item() end
  a = arrange(a, letters, result)
  if #operands == 1 then a = a:copy() end
  return a
end
