# SPDX-License-Identifier: MIT
import sys

import torch
from bench import case

if "--check" in sys.argv:
    sys.exit()

torch.set_num_threads(1)


class Net(torch.nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.lstm = torch.nn.LSTM(inputs, hidden, 2, batch_first=True)
        self.fc = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        return self.fc(self.lstm(x)[0])


def step(name, batch, steps, inputs, hidden):
    torch.manual_seed(0)
    net = Net(inputs, hidden)
    env = {"net": net, "opt": torch.optim.Adam(net.parameters(), 1e-3),
           "bce": torch.nn.functional.binary_cross_entropy_with_logits,
           "x": torch.rand(batch, steps, inputs).round(), "y": torch.rand(batch, steps, 1).round()}
    case(name, "opt.zero_grad(); bce(net(x), y).backward(); opt.step()", env)


step("batch 1, T 25, 2 x 32", 1, 25, 1, 32)
step("batch 26, T 25, 2 x 32", 26, 25, 1, 32)
step("batch 64, T 25, 2 x 32", 64, 25, 1, 32)
step("batch 64, T 100, 64 -> 2 x 128", 64, 100, 64, 128)
step("batch 64, T 100, 128 -> 2 x 512", 64, 100, 128, 512)
