-- SPDX-License-Identifier: MIT
-- pg.swapaxes, moveaxis, split, empty.
local pg = ...
local fs = pg._functions
local args = pg._args

local axes = {}

--- pg.swapaxes(a, i, j) -> array
-- A view of a with two axes exchanged.
-- @param a  array
-- @param i  integer: an axis, from 1 or from the end
-- @param j  integer: the other
-- @example pg.swapaxes(pg.zeros(2, 3, 4), 1, -1).shape --> (4, 3, 2)
function axes.swapaxes(a, i, j)
  a = fs.array("swapaxes", 1, "a", a)
  i, j = fs.axis("swapaxes", 2, "i", i, a.ndim), fs.axis("swapaxes", 3, "j", j, a.ndim)
  local order = {}
  for k = 1, a.ndim do order[k] = k end
  order[i], order[j] = j, i
  return a:transpose(table.unpack(order))
end

--- pg.moveaxis(a, from, to) -> array
-- A view of a with an axis at another place; the others keep their order.
-- @param a  array
-- @param from  integer: an axis, from 1 or from the end
-- @param to  integer: where it goes
-- @example pg.moveaxis(pg.zeros(2, 3, 4), 1, -1).shape --> (3, 4, 2)
function axes.moveaxis(a, from, to)
  a = fs.array("moveaxis", 1, "a", a)
  from, to = fs.axis("moveaxis", 2, "from", from, a.ndim), fs.axis("moveaxis", 3, "to", to, a.ndim)
  local order = {}
  for k = 1, a.ndim do
    if k ~= from then order[#order + 1] = k end
  end
  table.insert(order, to, from)
  return a:transpose(table.unpack(order))
end

--- pg.split(a, parts [, axis]) -> list of arrays
-- a cut along an axis, as views.
-- @param a  array
-- @param parts  integer: so many equal parts; or a list of integers: the last places of all parts but the last
-- @param axis  integer: default 1
-- @return list
-- @error an extent that does not divide into equal parts
-- @example #pg.split(pg.range(1, 6), 3) --> 3
-- @example pg.split(pg.range(1, 6), {2})[2] --> 3 4 5 6 [4 f64]
function axes.split(a, parts, axis)
  a = fs.array("split", 1, "a", a)
  axis = fs.axis("split", 3, "axis", axis or 1, a.ndim)
  local n, ends = a.shape[axis], {}
  local count = math.tointeger(parts)
  if count then
    if count < 1 or n % count ~= 0 then
      fs.fail("split", 2, ("parts: axis %d of extent %d is not cut into %d equal parts; a list of last places cuts it "
        .. "anywhere"):format(axis, n, count))
    end
    for k = 1, count do ends[k] = k * (n // count) end
  else
    if args.is_array(parts) then parts = parts:totable() end
    if type(parts) ~= "table" then
      fs.fail("split", 2, "parts: expected an integer or a list of them, got " .. args.got(parts))
    end
    for k, v in ipairs(parts) do
      local at = math.tointeger(v)
      if not at or at < (ends[k - 1] or 0) or at > n then
        fs.fail("split", 2, ("parts: element %d is %s, expected an integer in %d..%d"):format(k, tostring(v),
          ends[k - 1] or 0, n))
      end
      ends[k] = at
    end
    ends[#ends + 1] = n
  end
  local list, from = {}, 1
  for k, to in ipairs(ends) do
    local region = {}
    for j = 1, a.ndim do region[j] = j == axis and {from, to} or {} end
    if to < from then region[axis] = {from, from - 1} end
    list[k], from = a[region], to + 1
  end
  return list
end

--- pg.empty(n, m, ... [, dtype]) -> array
-- An array whose elements nobody has set: here they are 0, so that no result depends on what memory held.
-- @param n  integer: an extent, or a table of extents
-- @param dtype  string: "f64" (default), "f32", "u8" or "bool"
-- @example pg.empty(2, 3).shape --> (2, 3)
axes.empty = args.named(pg.zeros, "empty")

return axes
