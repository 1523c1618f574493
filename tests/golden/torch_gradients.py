# SPDX-License-Identifier: MIT
"""Writes torch_gradients.json: ten losses, written again in tests/lua/gradient_golden_spec.lua; for each the
parameters, the inputs, all gradients, and the losses of 20 steps of Adam. PyTorch 1.13, f64.
python3 tests/golden/torch_gradients.py > tests/golden/torch_gradients.json"""
import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)


def r(*shape):
    return torch.rand(*shape) * 2 - 1


def mlp(p, x):
    h = torch.tanh(x["x"] @ p["w1"] + p["b1"])
    return (h @ p["w2"] + p["b2"] - x["y"]).square().mean()


def classes(p, x):
    z = torch.log_softmax(x["x"] @ p["w"] + p["b"], 1)
    return -(z * x["y"]).sum(1).mean()


def vae(p, x):
    h = F.softplus(x["x"] @ p["enc"] + p["be"])
    mu, logvar = h @ p["mu"], h @ p["logvar"]
    z = mu + torch.exp(logvar / 2) * x["noise"]
    out = torch.relu(z @ p["d1"] + p["bd"]) @ p["d2"]
    missed = F.binary_cross_entropy_with_logits(out, x["y"], reduction="sum")
    return (missed - 0.5 * (1 + logvar - mu * mu - logvar.exp()).sum()) / len(mu)


def rnn(p, x):
    h, total = torch.zeros(3, 4), 0
    for t in range(5):
        h = torch.tanh(x["x"][t] @ p["u"] + h @ p["w"] + p["b"])
        total = total + ((h @ p["v"])[:, 0] - x["y"][t]).abs().mean()
    return total / 5


def conv(p, x):
    h = F.silu(F.conv2d(x["x"], p["k1"], p["b1"], padding=1))
    h = F.max_pool2d(h, 2)
    h = F.conv2d(h, p["k2"], stride=2, padding=1)
    return (h.flatten(1) @ p["w"]).square().mean() + h.std()


def attention(p, x):
    q, k, v = x["x"] @ p["q"], x["x"] @ p["k"], x["x"] @ p["v"]
    w = torch.softmax(q @ k.transpose(1, 2) / 2, -1)
    return ((w @ v) @ p["o"] - x["y"]).square().sum() / 10


def normed(p, x):
    h = F.layer_norm(x["x"], (6,), p["g"], p["b"])
    h = F.gelu(h @ p["w1"]) @ p["w2"] + x["x"]
    return torch.logsumexp(h, 1).mean() + F.elu(h).mean()


def process(p, x):
    d = (x["x"][:, None, :] - x["x"][None, :, :]).square().sum(2)
    K = torch.exp(p["s"]) * torch.exp(-d / 2 * torch.exp(p["l"])) + torch.exp(p["n"]) * torch.eye(6)
    L = torch.linalg.cholesky(K)
    a = torch.linalg.solve_triangular(L, x["y"][:, None], upper=False)
    return a.square().sum() / 2 + L.diagonal().log().sum()


def matrices(p, x):
    S = p["a"] @ p["a"].T + torch.eye(4)
    w, V = torch.linalg.eigh(S)
    return torch.linalg.inv(S).trace() + w.log().sum() + torch.linalg.slogdet(S)[1] + (
        V.square() * x["x"]).sum() + torch.linalg.svdvals(p["b"]).prod()


def pieces(p, x):
    a = torch.cat([p["a"], p["a"].flip(0) * x["x"]]).cumsum(0)
    b = torch.stack([a[:3], a[3:]], 1).t()
    c = torch.where(b > 0, b.sin(), b.exp() - 1)[:, [2, 0, 2]]
    return c.cumprod(1).sum() + torch.clamp(a, -1, 1).norm() + a.sort()[0][2] * a.max() + p["a"].prod()


nets = [
    ("mlp", mlp, {"w1": r(3, 5), "b1": r(5), "w2": r(5, 2), "b2": r(2)}, {"x": r(6, 3), "y": r(6, 2)}),
    ("classes", classes, {"w": r(4, 3), "b": r(3)}, {"x": r(5, 4), "y": torch.eye(3)[[0, 2, 1, 1, 0]]}),
    ("vae", vae, {"enc": r(6, 5), "be": r(5), "mu": r(5, 2), "logvar": r(5, 2), "d1": r(2, 5), "bd": r(5), "d2": r(5, 6)},
     {"x": r(4, 6), "y": torch.rand(4, 6).round(), "noise": torch.randn(4, 2)}),
    ("rnn", rnn, {"u": r(2, 4), "w": r(4, 4), "b": r(4), "v": r(4, 1)}, {"x": r(5, 3, 2), "y": r(5, 3)}),
    ("conv", conv, {"k1": r(3, 2, 3, 3), "b1": r(3), "k2": r(4, 3, 3, 3), "w": r(16, 2)}, {"x": r(2, 2, 8, 8)}),
    ("attention", attention, {"q": r(4, 4), "k": r(4, 4), "v": r(4, 4), "o": r(4, 3)}, {"x": r(2, 5, 4), "y": r(2, 5, 3)}),
    ("normed", normed, {"g": r(6), "b": r(6), "w1": r(6, 7), "w2": r(7, 6)}, {"x": r(4, 6)}),
    ("process", process, {"s": r(1)[0], "l": r(1)[0], "n": r(1)[0]}, {"x": r(6, 2), "y": r(6)}),
    ("matrices", matrices, {"a": r(4, 4), "b": r(3, 3)}, {"x": r(4, 4)}),
    ("pieces", pieces, {"a": r(3)}, {"x": r(3)}),
]

out = []
for name, f, params, inputs in nets:
    start = {k: v.tolist() for k, v in params.items()}
    p = {k: v.clone().requires_grad_() for k, v in params.items()}
    opt = torch.optim.Adam(list(p.values()), lr=0.01)
    losses, grads = [], None
    for _ in range(20):
        opt.zero_grad()
        loss = f(p, inputs)
        loss.backward()
        losses.append(loss.item())
        grads = grads or {k: v.grad.tolist() for k, v in p.items()}
        opt.step()
    out.append({"name": name, "params": start, "inputs": {k: v.tolist() for k, v in inputs.items()}, "grads": grads,
                "losses": losses})
json.dump(out, sys.stdout)
print()
