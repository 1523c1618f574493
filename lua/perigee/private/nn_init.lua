-- SPDX-License-Identifier: MIT
--
-- How parameters begin. An initialiser is f(view, rng, fan_in, fan_out): fan_in and fan_out are how many numbers
-- an output reads and an input goes to. Each function here is one with its defaults, and called with numbers gives
-- one with others.

local pg = ...
local args = pg._args
local math, select = math, select

local init = {}

-- fill(view, rng, fan_in, fan_out, ...): the numbers last, or their defaults.
local function initialiser(fill, a, b)
  return function(first, ...)
    if args.is_array(first) then return fill(first, select(1, ...), select(2, ...), select(3, ...), a, b) end
    local p, q = first == nil and a or first, ... == nil and b or ...
    return function(view, rng, fan_in, fan_out) return fill(view, rng, fan_in, fan_out, p, q) end
  end
end

--- pg.nn.init.uniform(lo, hi) -> initialiser
-- @param lo  number (-0.1)
-- @param hi  number (0.1)
init.uniform = initialiser(function(view, rng, _, _, lo, hi)
  view:assign(rng:uniform(lo, hi, view.shape))
end, -0.1, 0.1)

--- pg.nn.init.normal(mean, sd) -> initialiser
-- @param mean  number (0)
-- @param sd  number (0.02)
init.normal = initialiser(function(view, rng, _, _, mean, sd)
  view:assign(rng:normal(mean, sd, view.shape))
end, 0, 0.02)

--- pg.nn.init.constant(value) -> initialiser
-- @param value  number (0)
init.constant = initialiser(function(view, _, _, _, value) view:assign(value) end, 0)

--- pg.nn.init.zeros -> initialiser
init.zeros = initialiser(function(view) view:assign(0) end)

--- pg.nn.init.ones -> initialiser
init.ones = initialiser(function(view) view:assign(1) end)

--- pg.nn.init.xavier_uniform(gain) -> initialiser
-- Uniform with variance 2 gain^2 / (fan_in + fan_out) (Glorot & Bengio 2010).
-- @param gain  number (1)
init.xavier_uniform = initialiser(function(view, rng, fan_in, fan_out, gain)
  local a = gain * math.sqrt(6 / (fan_in + fan_out))
  view:assign(rng:uniform(-a, a, view.shape))
end, 1)

--- pg.nn.init.kaiming_uniform(slope) -> initialiser
-- Uniform with variance 2 / ((1 + slope^2) fan_in), for layers before a ReLU with that slope below 0 (He et al.
-- 2015). Layers begin with slope sqrt(5), as PyTorch's.
-- @param slope  number (0)
init.kaiming_uniform = initialiser(function(view, rng, fan_in, _, slope)
  local a = math.sqrt(6 / ((1 + slope ^ 2) * math.max(1, fan_in)))
  view:assign(rng:uniform(-a, a, view.shape))
end, 0)

--- pg.nn.init.orthogonal(gain) -> initialiser
-- Rows, or columns where there are fewer, that are orthogonal and of length gain (Saxe et al. 2014); what is after
-- the first axis counts as one.
-- @param gain  number (1)
init.orthogonal = initialiser(function(view, rng, _, _, gain)
  local rows = view.shape[1]
  local cols = view.size // math.max(1, rows)
  local flip = rows < cols
  local g = rng:standard_normal(flip and cols or rows, flip and rows or cols)
  local q, r = pg.linalg.qr(g)
  q = q * pg.diag(r):sign() -- so that each is as likely as the next
  view:assign((flip and q.T or q):copy():reshape(view.shape) * gain)
end, 1)

-- Uniform within the root of 1 / n.
function init.within_root(n)
  local a = 1 / math.sqrt(math.max(1, n))
  return init.uniform(-a, a)
end

return init
