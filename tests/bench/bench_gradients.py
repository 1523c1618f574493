# SPDX-License-Identifier: MIT
import sys

import torch
from bench import case

if "--check" in sys.argv:
    sys.exit()

torch.set_num_threads(1)
torch.manual_seed(0)
softplus = torch.nn.functional.softplus

x = torch.ones(10, dtype=torch.float64, requires_grad=True)
case("gradient of (x*x).sum(), 10 elements", "grad((x * x).sum(), x)", {"grad": torch.autograd.grad, "x": x})

X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
case("XOR 2-8-1, batch 4, SGD", "opt.zero_grad(); bce(net(X), y).backward(); opt.step()",
     {"net": net, "X": X, "y": y, "bce": torch.nn.functional.binary_cross_entropy_with_logits,
      "opt": torch.optim.SGD(net.parameters(), 0.1)})

H, T, B = 64, 25, 32
W, U, b, V, c = [((torch.rand(*s) - 0.5) * 0.2).requires_grad_() for s in ((H, H), (1, H), (H,), (H, 1), (1,))]
xs, ys = torch.rand(T, B, 1).round(), torch.rand(T, B, 1).round()


def rnn():
    h, total = torch.zeros(B, H), 0
    for t in range(T):
        h = torch.tanh(xs[t] @ U + h @ W + b)
        z = h @ V + c
        total = total + (softplus(z) - z * ys[t]).mean()
    return torch.autograd.grad(total / T, (W, U, b, V, c))


case("RNN as a loop, H 64, T 25, batch 32", "rnn()", {"rnn": rnn})

A = torch.randn(1000, 25, dtype=torch.float64)
labels = torch.rand(1000, dtype=torch.float64).round()
w = torch.zeros(25, dtype=torch.float64)


def slope(w):
    w = w.detach().requires_grad_()
    z = A @ w
    lp = (labels * z - softplus(z)).sum() - w.square().sum() / 2
    return lp.item(), torch.autograd.grad(lp, w)[0]


def hmc(w, eps=0.01, leaps=10):
    p = torch.randn(25, dtype=torch.float64)
    lp, g = slope(w)
    p = p + eps / 2 * g
    for i in range(leaps):
        w = w + eps * p
        lp, g = slope(w)
        p = p + (eps if i < leaps - 1 else eps / 2) * g


case("logistic log-posterior and gradient, 1000 x 25", "slope(w)", {"slope": slope, "w": w})
case("HMC trajectory of 10 steps on it", "hmc(w)", {"hmc": hmc, "w": w})
