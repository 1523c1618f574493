-- SPDX-License-Identifier: MIT
--
-- How near made faces are to real ones. Each function takes images n x h x w or vectors n x m.
local pg = require "perigee"

local measures = {}

local function rows(a) return a:reshape(#a, a.size // #a):astype("f64") end

-- Distances of all rows of A from all rows of B: |a - b|^2 = |a|^2 + |b|^2 - 2 a b.
local function distances(A, B)
  A, B = rows(A), rows(B)
  local squares = A:square():sum(2, {keepdims = true}) + B:square():sum(2) - A:dot(B.T) * 2
  return pg.maximum(squares, 0):sqrt()
end

-- The distance of each row of A from the nearest of B, root mean square a pixel, and which that is.
function measures.nearest(A, B)
  local D = distances(A, B)
  return D:min(2) / math.sqrt(A.size / #A), D:argmin(2)
end

-- The mean distance of two rows of A: small where all are alike.
function measures.spread(A)
  return distances(A, A):sum() / (#A * (#A - 1)) / math.sqrt(A.size / #A)
end

-- The share of real rows that have a made one as near as their own k-th real neighbour (Naeem et al. 2020).
function measures.coverage(real, made, k)
  local own = distances(real, real):sort(2):slice({}, math.min(#real, (k or 5) + 1)) -- the first is itself
  return distances(real, made):min(2):le(own):mean()
end

-- The Frechet distance of two normal distributions with the means and covariances of A and B (Dowson & Landau 1982):
-- |m - n|^2 + tr(C + D - 2 (C^1/2 D C^1/2)^1/2).
function measures.frechet(A, B)
  A, B = rows(A), rows(B)
  local C, D = pg.cov(A), pg.cov(B)
  local w, V = pg.linalg.eigh(C)
  local root = (V * pg.maximum(w, 0):sqrt()):dot(V.T)
  local cross = pg.maximum((pg.linalg.eigh(root:dot(D):dot(root))), 0):sqrt():sum()
  return (A:mean(1) - B:mean(1)):square():sum() + C:trace() + D:trace() - 2 * cross
end

-- All of them of made faces against real ones; the Frechet distance is one of PPCA's latent means, d numbers a face.
-- Coverage, which compares all pairs, is that of the first 4,000 real faces.
function measures.all(real, made, d)
  local features = pg.ppca.fit(rows(real), d or math.min(16, #real - 2))
  return {nearest = measures.nearest(made, real):mean(), spread = measures.spread(made),
    coverage = measures.coverage(real:slice{1, math.min(#real, 4000)}, made),
    frechet = measures.frechet(features:encode(rows(real)), features:encode(rows(made)))}
end

return measures
