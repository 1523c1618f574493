-- SPDX-License-Identifier: MIT
-- pg.cdist.
local pg = ...
local fs = pg._functions
local args = pg._args

-- Elements of the differences that are held at a time.
local MOST = 1 << 20

local METRICS = {
  euclidean = function(d) return pg.norm(d, -1) end,
  sqeuclidean = function(d) return pg.square(d):sum(-1) end,
  cityblock = function(d) return pg.abs(d):sum(-1) end,
  chebyshev = function(d) return pg.abs(d):max(-1) end,
}

--- pg.cdist(X, Y [, metric]) -> array
-- Distances between rows: element (i, j) is that of row i of X from row j of Y, from their differences, so that small
-- distances between large numbers are exact.
-- @param X  array, n x d
-- @param Y  array, m x d
-- @param metric  string: "euclidean" (default), "sqeuclidean", "cityblock", "chebyshev" or "cosine"
-- @return array  n x m
-- @example pg.cdist({{0, 0}}, {{3, 4}, {0, 1}}) --> 5 1 [1x2 f64]
local function cdist(X, Y, metric)
  X, Y = fs.array("cdist", 1, "X", X, 2), fs.array("cdist", 2, "Y", Y, 2)
  metric = metric or "euclidean"
  local n, m, d = X.shape[1], Y.shape[1], X.shape[2]
  if Y.shape[2] ~= d then
    fs.fail("cdist", 2, ("Y: expected %d columns as X has, got shape %s"):format(d, tostring(Y.shape)))
  end
  if metric == "cosine" then
    return 1 - (X / pg.norm(X, 2, {keepdims = true})):dot((Y / pg.norm(Y, 2, {keepdims = true})).T)
  end
  local measure = METRICS[metric]
  if not measure then
    fs.fail("cdist", 3, ('metric: expected one of "%s", got %s'):format(
      table.concat({"euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine"}, '", "'), args.got(metric)))
  end
  if d == 0 or m == 0 then return pg.zeros(n, m, X.dtype == "f32" and Y.dtype == "f32" and "f32" or "f64") end
  local rows, parts = math.max(1, MOST // (m * d)), {}
  local right = Y:reshape(1, m, d)
  for from = 1, n, rows do
    local some = X:slice({from, math.min(from + rows - 1, n)})
    parts[#parts + 1] = measure(some:reshape(#some, 1, d) - right)
  end
  if #parts == 1 then return parts[1] end
  return #parts > 0 and pg.concat(parts, 1) or pg.zeros(0, m)
end

return {cdist = cdist}
