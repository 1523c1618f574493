-- SPDX-License-Identifier: MIT
--
-- Ten losses written in PyTorch (tests/golden/torch_gradients.py) and again here: all gradients, and the
-- losses of 20 steps of Adam.
local pg = require "perigee"
local linalg = pg.linalg

local nets = {}
function nets.mlp(p, x)
  local h = pg.tanh(x.x:dot(p.w1) + p.b1)
  return pg.square(h:dot(p.w2) + p.b2 - x.y):mean()
end
function nets.classes(p, x)
  return -((x.x:dot(p.w) + p.b):log_softmax(2) * x.y):sum(2):mean()
end
function nets.vae(p, x)
  local h = pg.softplus(x.x:dot(p.enc) + p.be)
  local mu, logvar = h:dot(p.mu), h:dot(p.logvar)
  local z = mu + pg.exp(logvar / 2) * x.noise
  local out = pg.relu(z:dot(p.d1) + p.bd):dot(p.d2)
  return ((pg.softplus(out) - out * x.y):sum() - 0.5 * (1 + logvar - mu * mu - pg.exp(logvar)):sum()) / #mu
end
function nets.rnn(p, x)
  local h, total = pg.zeros(3, 4), 0
  for t = 1, 5 do
    h = pg.tanh(x.x[t]:dot(p.u) + h:dot(p.w) + p.b)
    total = total + pg.abs(h:dot(p.v)[{{}, 1}] - x.y[t]):mean()
  end
  return total / 5
end
function nets.conv(p, x)
  local h = pg.silu(x.x:conv2d(p.k1, {bias = p.b1, padding = 1})):max_pool2d(2)
  h = h:conv2d(p.k2, {stride = 2, padding = 1})
  return pg.square(h:reshape(2, -1):dot(p.w)):mean() + h:std{ddof = 1}
end
function nets.attention(p, x)
  local q, k, v = x.x:dot(p.q), x.x:dot(p.k), x.x:dot(p.v)
  local w = (q:dot(k:transpose(1, 3, 2)) / 2):softmax(-1)
  return pg.square(w:dot(v):dot(p.o) - x.y):sum() / 10
end
function nets.normed(p, x)
  local h = pg.gelu(x.x:layer_norm(p.g, p.b):dot(p.w1)):dot(p.w2) + x.x
  return h:logsumexp(2):mean() + pg.elu(h):mean()
end
function nets.process(p, x)
  local d = pg.square(x.x:expand_dims(2) - x.x:expand_dims(1)):sum(3)
  local K = pg.exp(p.s) * pg.exp(-d / 2 * pg.exp(p.l)) + pg.exp(p.n) * pg.eye(6)
  local L = linalg.cholesky(K)
  local a = linalg.solve_triangular(L, x.y, {lower = true})
  return pg.square(a):sum() / 2 + pg.log(L:diag()):sum()
end
function nets.matrices(p, x)
  local S = p.a:dot(p.a.T) + pg.eye(4)
  local w, V = linalg.eigh(S)
  local _, logdet = linalg.slogdet(S)
  local _, s = linalg.svd(p.b)
  return linalg.inv(S):trace() + pg.log(w):sum() + logdet + (pg.square(V) * x.x):sum() + s:prod()
end
function nets.pieces(p, x)
  local a = pg.concat{p.a, p.a:flip(1) * x.x}:cumsum(1)
  local b = pg.stack({a[{{1, 3}}], a[{{4, 6}}]}, 2).T
  local c = pg.where(b:gt(0), pg.sin(b), pg.exp(b) - 1):take({3, 1, 3}, 2)
  return c:cumprod(2):sum() + pg.clip(a, -1, 1):norm() + a:sort()[3] * a:max() + p.a:prod()
end

local function arrays(t)
  local out = {}
  for k, v in pairs(t) do out[k] = pg.array(v) end
  return out
end

describe("PyTorch's gradient and 20 steps of Adam of", function()
  for _, case in ipairs(pg.load("tests/golden/torch_gradients.json")) do
    it(case.name, function()
      local p, x = arrays(case.params), arrays(case.inputs)
      local step, losses = pg.value_and_grad(nets[case.name]), {}
      local opts = {}
      for name, v in pairs(p) do
        opts[name] = pg.optim.adam{lr = 0.01}
        if v.ndim == 0 then p[name] = v:reshape(1) end
      end
      for i = 1, 20 do
        local loss, g = step(p, x)
        losses[i] = loss
        for name, want in pairs(i == 1 and case.grads or {}) do
          want = pg.array(want):reshape(p[name].shape)
          assert.is_true(pg.allclose(g[name], want, {rtol = 1e-10, atol = 1e-11}), name)
        end
        for name, opt in pairs(opts) do opt:step(p[name], g[name]) end
      end
      assert.is_true(pg.allclose(pg.array(losses), pg.array(case.losses), {rtol = 1e-10, atol = 1e-11}))
    end)
  end
end)
