#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes torch_nn.json: outputs and gradients of PyTorch's layers and losses in f64, which tests/lua/nn_spec.lua compares.

Parameters and inputs are fill(shape, seed), sin(1.3 k + seed), so that the file holds results alone. A case's loss is
the sum of output times fill(output's shape, 9). Made with PyTorch 1.13.
"""
import json
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def fill(shape, seed):
    n = int(np.prod(shape)) if len(shape) else 1
    return torch.tensor(np.sin(1.3 * np.arange(n) + seed).reshape(shape))


def flat(t):
    return [float("%.17g" % v) for v in t.detach().reshape(-1).tolist()]


def start(module):
    with torch.no_grad():
        for k, (_, p) in enumerate(sorted(module.named_parameters())):
            p.copy_(fill(p.shape, 0.5 + k) * 0.5)


out = {}


def case(name, module, *inputs, call=None, ints=()):
    """Gradients by name and of each input that is not whole numbers."""
    start(module)
    xs = [x.clone().requires_grad_(not k in ints) for k, x in enumerate(inputs)]
    y = call(module, *xs) if call else module(*xs)
    if isinstance(y, tuple):
        y = torch.cat([t.reshape(-1) for t in y])
    (y * fill(y.shape, 9)).sum().backward()
    out[name] = {"y": flat(y), "x": [flat(x.grad) for k, x in enumerate(xs) if not k in ints],
                 "grads": {n: flat(p.grad) for n, p in module.named_parameters()},
                 "buffers": {n: flat(b) for n, b in module.named_buffers() if b.dtype == torch.float64}}


def loss(name, f, *inputs, ints=()):
    xs = [x.clone() if k in ints else x.clone().requires_grad_() for k, x in enumerate(inputs)]
    y = f(*xs)
    y.backward()
    out[name] = {"y": flat(y), "x": [flat(xs[0].grad)]}


case("linear", nn.Linear(3, 4), fill((5, 3), 1))
case("linear_3d", nn.Linear(3, 2, bias=False), fill((2, 4, 3), 1))
case("embedding", nn.Embedding(5, 3), torch.tensor([[0, 4], [2, 2]]), ints=(0,))
for i, (ci, co, k, h, w, o) in enumerate([
        (1, 1, 1, 1, 1, {}), (2, 3, 3, 5, 6, {"padding": 1}), (3, 2, (2, 3), 7, 5, {"stride": 2}),
        (2, 4, 3, 9, 8, {"stride": 3, "padding": 2}), (2, 2, 3, 9, 9, {"dilation": 2, "padding": 3}),
        (4, 6, 3, 5, 5, {"groups": 2, "padding": 1}), (3, 3, 3, 4, 4, {"groups": 3, "padding": 1, "bias": False}),
        (3, 5, 1, 6, 7, {}), (2, 3, (4, 1), 8, 3, {"stride": (2, 1), "padding": (1, 0)})]):
    case("conv2d_%d" % i, nn.Conv2d(ci, co, k, **o), fill((2, ci, h, w), 1))
case("conv1d", nn.Conv1d(2, 3, 3, stride=2, padding=1), fill((2, 2, 8), 1))
for i, (ci, co, k, h, w, o) in enumerate([
        (2, 3, 3, 4, 5, {}), (3, 2, 4, 3, 3, {"stride": 2, "padding": 1}),
        (2, 2, 3, 4, 4, {"stride": 2, "padding": 1, "output_padding": 1}), (1, 4, 2, 1, 1, {"bias": False})]):
    case("conv_transpose2d_%d" % i, nn.ConvTranspose2d(ci, co, k, **o), fill((2, ci, h, w), 1))
case("layer_norm", nn.LayerNorm(5), fill((3, 2, 5), 1))
case("group_norm", nn.GroupNorm(2, 4), fill((2, 4, 3, 3), 1))
case("batch_norm_2d", nn.BatchNorm1d(3), fill((4, 3), 1))
case("batch_norm_4d", nn.BatchNorm2d(3), fill((2, 3, 4, 5), 1))
case("batch_norm_still", nn.BatchNorm2d(3).eval(), fill((2, 3, 4, 5), 1))
case("max_pool2d", nn.MaxPool2d(2), fill((2, 2, 6, 5), 1))
case("max_pool2d_s", nn.MaxPool2d(3, stride=2, padding=1), fill((2, 2, 7, 6), 1))
case("avg_pool2d", nn.AvgPool2d(2), fill((2, 2, 6, 5), 1))
case("avg_pool2d_s", nn.AvgPool2d(3, stride=2, padding=1), fill((2, 2, 7, 6), 1))
case("upsample_nearest", nn.Upsample(scale_factor=2), fill((1, 2, 3, 4), 1))
case("upsample_bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), fill((1, 2, 3, 4), 1))
case("upsample_corners", nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), fill((1, 2, 3, 4), 1))
case("rnn_cell", nn.RNNCell(3, 4), fill((2, 3), 1), fill((2, 4), 2))
case("gru_cell", nn.GRUCell(3, 4), fill((2, 3), 1), fill((2, 4), 2))
case("lstm_cell", nn.LSTMCell(3, 4), fill((2, 3), 1), fill((2, 4), 2), fill((2, 4), 3),
     call=lambda m, x, h, c: m(x, (h, c)))
mask = torch.triu(torch.ones(5, 5), 1).bool()
case("attention", nn.MultiheadAttention(6, 2, batch_first=True), fill((2, 5, 6), 1), call=lambda m, x: m(x, x, x)[0])
case("attention_causal", nn.MultiheadAttention(6, 3, batch_first=True), fill((2, 5, 6), 1),
     call=lambda m, x: m(x, x, x, attn_mask=mask)[0])
case("attention_cross", nn.MultiheadAttention(6, 2, batch_first=True), fill((2, 3, 6), 1), fill((2, 5, 6), 2),
     call=lambda m, q, k: m(q, k, k)[0])
for name, f in {"relu": F.relu, "leaky_relu": F.leaky_relu, "elu": F.elu, "silu": F.silu, "gelu": F.gelu,
                "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "softmax": lambda x: F.softmax(x, -1),
                "log_softmax": lambda x: F.log_softmax(x, -1)}.items():
    case("f_" + name, nn.Identity(), fill((3, 7), 1) * 4, call=lambda m, x: f(x))

a, b = fill((3, 4), 1), fill((3, 4), 2)
p, q = torch.sigmoid(a), torch.sigmoid(b)
loss("mse", F.mse_loss, a, b)
loss("l1", F.l1_loss, a, b)
loss("huber", lambda x, y: F.huber_loss(x, y, delta=0.5, reduction="sum"), a, b)
loss("bce", F.binary_cross_entropy, p, q)
loss("bce_with_logits", lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="sum"), a * 30, q)
c = torch.tensor([0, 3, 1])
loss("cross_entropy", F.cross_entropy, a, c, ints=(1,))
loss("cross_entropy_smooth", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.2), a, c, ints=(1,))
loss("cross_entropy_ignore", lambda x, y: F.cross_entropy(x, y, ignore_index=3), a, c, ints=(1,))
loss("cross_entropy_p", lambda x, y: F.cross_entropy(x, y), a, q / q.sum(1, keepdim=True), ints=(1,))
loss("cross_entropy_axis", F.cross_entropy, fill((2, 3, 2), 1), torch.tensor([[0, 2], [1, 1]]), ints=(1,))
loss("nll", F.nll_loss, F.log_softmax(a, 1), c, ints=(1,))
loss("kl_normal", lambda m, v: -0.5 * (1 + v - m ** 2 - v.exp()).sum(), a, b)


def train(name, module, x, y, f, steps=20):
    start(module)
    opt = torch.optim.Adam(module.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        opt.zero_grad()
        l = f(module(x), y)
        l.backward()
        opt.step()
        losses.append(float(l))
    out[name] = {"losses": losses, "params": {n: flat(p) for n, p in module.named_parameters()},
                 "buffers": {n: flat(b) for n, b in module.named_buffers() if b.dtype == torch.float64}}


train("train_dense", nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)), fill((6, 4), 1),
      torch.tensor([0, 1, 2, 0, 1, 2]), F.cross_entropy)
train("train_conv", nn.Sequential(nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.BatchNorm2d(3), nn.LeakyReLU(0.2),
                                  nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1), nn.Sigmoid()),
      fill((4, 1, 8, 8), 1), torch.sigmoid(fill((4, 1, 8, 8), 2)), F.binary_cross_entropy)

with open(__file__.replace(".py", ".json"), "w") as file:
    file.write("{\n" + ",\n".join("%s: %s" % (json.dumps(k), json.dumps(v)) for k, v in out.items()) + "\n}\n")
