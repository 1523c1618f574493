-- SPDX-License-Identifier: MIT
-- rng:multivariate_normal.
local pg = ...
local args = pg._args

--- rng:multivariate_normal(mean, cov [, ...] [, opts]) -> array
-- Vectors of normal numbers with a mean and a covariance: mean + F z with F F^T = cov; NumPy's stream.
-- @param mean  array, d
-- @param cov  array, d x d: symmetric, no eigenvalue below 0
-- @param ...  integers, or one table of them: the shape that the vectors stand in; without it, one vector
-- @param opts.method  string: "svd" (default) or "cholesky", which is faster and wants cov positive definite
-- @return array, d, or the shape x d
-- @error cov of another shape, not symmetric, or with an eigenvalue below 0
-- @example pg.random.new(0):multivariate_normal({0, 0}, {{1, 0.5}, {0.5, 1}}, 4).shape --> (4, 2)
local function multivariate_normal(rng, mean, cov, ...)
  local name = "multivariate_normal"
  args.rng(name, 1, rng)
  if type(mean) == "table" then mean = pg.array(mean) end
  if type(cov) == "table" then cov = pg.array(cov) end
  args.array(name, 1, "mean", mean, 1)
  args.array(name, 2, "cov", cov, 2)
  local d = mean.size
  if cov.shape[1] ~= d or cov.shape[2] ~= d then
    args.fail(name, 2, ("cov: expected shape (%d, %d) for a mean of %d numbers, got %s"):format(d, d, d,
      tostring(cov.shape)))
  end
  local shape, opts = {...}, nil
  local last = shape[#shape]
  if type(last) == "table" and #last == 0 and next(last) ~= nil then opts, shape[#shape] = last, nil end
  if type(shape[1]) == "table" then shape = table.move(shape[1], 1, #shape[1], 1, {}) end
  local o = args.options(name, 3, opts, {method = "svd"})
  args.choice(name, 3, "method", o.method, {"svd", "cholesky"})
  cov = cov:astype("f64")
  if not pg.allclose(cov, cov.T, {rtol = 1e-8, atol = 1e-8}) then
    args.fail(name, 2, "cov: expected a symmetric matrix")
  end
  local factor
  if o.method == "cholesky" then
    factor = pg.linalg.cholesky(cov).T
  else
    local U, s, Vt = pg.linalg.svd(cov)
    if not pg.allclose((Vt.T * s):dot(Vt), cov, {rtol = 1e-8, atol = 1e-8}) then
      args.fail(name, 2, "cov: expected no eigenvalue below 0")
    end
    factor = (U * pg.sqrt(s)).T
  end
  shape[#shape + 1] = d
  local z = rng:standard_normal(shape)
  return (z:reshape(-1, d):dot(factor) + mean):reshape(shape)
end

return {["rng.multivariate_normal"] = multivariate_normal}
