-- SPDX-License-Identifier: MIT
-- pg.linalg.expm, by scaling and squaring: e^A = (r(A / 2^s))^(2^s) with the Pade approximant r of order 3, 5, 7, 9 or
-- 13 that is exact enough for the norm (Higham, SIAM J. Matrix Anal. Appl. 26, 2005, table 2.3 and algorithm 2.3).
local pg = ...
local fs = pg._functions

-- The largest 1-norm for which the order is exact to f64, and its coefficients b_0, b_1, ...
local PADE = {
  {1.495585217958292e-2, {120, 60, 12, 1}},
  {2.539398330063230e-1, {30240, 15120, 3360, 420, 30, 1}},
  {9.504178996162932e-1, {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}},
  {2.097847961257068, {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1}},
}
local LAST = {5.371920351148152, {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800,
  129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}}

-- The parts of the numerator with odd and with even powers; U = A * ..., V = ...
local function low(A, b)
  local I, A2 = pg.eye(A.shape[1], A.dtype), A:dot(A)
  local U, V, power = I * b[2], I * b[1], nil
  for k = 3, #b - 1, 2 do
    power = power and power:dot(A2) or A2
    U, V = U + power * b[k + 1], V + power * b[k]
  end
  return A:dot(U), V
end

local function high(A, b)
  local I, A2 = pg.eye(A.shape[1], A.dtype), A:dot(A)
  local A4 = A2:dot(A2)
  local A6 = A4:dot(A2)
  local U = A6:dot(A6 * b[14] + A4 * b[12] + A2 * b[10]) + A6 * b[8] + A4 * b[6] + A2 * b[4] + I * b[2]
  local V = A6:dot(A6 * b[13] + A4 * b[11] + A2 * b[9]) + A6 * b[7] + A4 * b[5] + A2 * b[3] + I * b[1]
  return A:dot(U), V
end

--- pg.linalg.expm(A) -> array
-- The exponential of a matrix, I + A + A^2/2 + ...
-- @param A  array, n x n
-- @return array  n x n
-- @error an element is not finite
-- @source Higham 2005, The Scaling and Squaring Method for the Matrix Exponential Revisited
-- @example pg.linalg.expm(pg.zeros(2, 2)) --> 1 0 0 1 [2x2 f64]
local function expm(A)
  A = fs.array("expm", 1, "A", A, 2)
  local n = A.shape[1]
  if A.shape[2] ~= n then fs.fail("expm", 1, "A: expected a square matrix, got shape " .. tostring(A.shape)) end
  if n == 0 then return A:copy() end
  local norm = pg.abs(A:detach()):sum(1):max()
  if norm ~= norm or norm == math.huge then fs.fail("expm", 1, "A: expected finite elements") end
  local U, V
  local squarings = 0
  for _, order in ipairs(PADE) do
    if norm <= order[1] then
      U, V = low(A, order[2])
      break
    end
  end
  if not U then
    while norm > LAST[1] do norm, squarings = norm / 2, squarings + 1 end
    U, V = high(A / 2.0 ^ squarings, LAST[2])
  end
  local R = pg.linalg.solve(V - U, V + U)
  for _ = 1, squarings do R = R:dot(R) end
  return R
end

return {["linalg.expm"] = expm}
