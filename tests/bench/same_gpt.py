# SPDX-License-Identifier: MIT
"""same_gpt.py FOLDER: PyTorch's training from the start and by the batches that same_gpt.lua left there."""
import math
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
folder = sys.argv[1]
data = np.load(folder + "/batches.npz")
V, T, D, H = int(data["classes"]), 64, 128, 4
train, aside = (torch.tensor(data[k].astype(np.int64) - 1) for k in ("train", "aside"))
hidden = torch.tril(torch.ones(T, T)).view(1, 1, T, T) == 0


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.up, self.down = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, H, c // H).permute(2, 0, 3, 1, 4)
        w = F.softmax(((q @ k.transpose(-2, -1)) / math.sqrt(c // H)).masked_fill(hidden, float("-inf")), -1)
        x = x + self.out((w @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(V, D), nn.Embedding(T, D)
        self.blocks = nn.Sequential(*[Block() for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, V, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.token(x) + self.place(torch.arange(T)))))


net = Net()
net.load_state_dict({k: torch.tensor(v) for k, v in np.load(folder + "/start.npz").items()})
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)


def loss(rows):
    return F.cross_entropy(net(rows[:, :-1]).reshape(-1, V), rows[:, 1:].reshape(-1))


losses, start = [], time.time()
for rows in train:
    opt.zero_grad()
    value = loss(rows)
    value.backward()
    opt.step()
    losses.append(value.item())
with torch.no_grad():
    print("torch:   %d steps in %.0f s, loss of the last 50 %.4f, kept aside %.4f" % (
        len(losses), time.time() - start, np.mean(losses[-50:]), loss(aside).item()))
