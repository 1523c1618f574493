# SPDX-License-Identifier: MIT
# Writes torch_optim.txt: 20 steps of torch.optim's optimisers and schedules, for tests/lua/optim_golden_spec.lua.
#     python3 tests/golden/torch_optim.py > tests/golden/torch_optim.txt
# A line: name, then numbers. Gradients are cos(i + t) p_i + 0.1 sin(i t); L-BFGS goes down Rosenbrock's function of six.
import math

import torch

torch.set_default_dtype(torch.float64)
index = torch.arange(7.0)


def line(name, values):
    print(name, *["%.17g" % v for v in values])


def run(name, make):
    p = torch.sin(index).requires_grad_()
    o = make([p])
    for t in range(20):
        p.grad = torch.cos(index + t) * p.detach() + 0.1 * torch.sin(index * t)
        o.step()
    line(name, p.detach().tolist())


O = torch.optim
run("adam", lambda p: O.Adam(p, lr=0.05, weight_decay=0.1))
run("adamw", lambda p: O.AdamW(p, lr=0.05, weight_decay=0.1, betas=(0.8, 0.95)))
run("sgd", lambda p: O.SGD(p, lr=0.05, momentum=0.9, dampening=0.2, weight_decay=0.1))
run("nesterov", lambda p: O.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.03))
run("rmsprop", lambda p: O.RMSprop(p, lr=0.02, alpha=0.9, weight_decay=0.1))
run("rmsprop_centered", lambda p: O.RMSprop(p, lr=0.02, alpha=0.9, centered=True, momentum=0.7))


def masked(p):
    return O.AdamW([{"params": [p[0]], "weight_decay": 0.0}], lr=0.05)


run("adamw_no_decay", masked)

x = torch.tensor([-1.2, 1.0, 0.7, -0.4, 1.9, 0.3]).requires_grad_()
o = O.LBFGS([x], lr=1, max_iter=1, history_size=10, line_search_fn="strong_wolfe", tolerance_grad=0,
            tolerance_change=1e-9)


def closure():
    o.zero_grad()
    loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    loss.backward()
    return loss


for _ in range(20):
    o.step(closure)
line("lbfgs", x.detach().tolist())


def rates(name, make, count):
    p = torch.zeros(1, requires_grad=True)
    opt = O.SGD([p], lr=0.1)
    schedule = make(opt)
    out = []
    for _ in range(count):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    line(name, out)


S = O.lr_scheduler
rates("cosine", lambda o: S.LambdaLR(o, lambda t: (0.002 + (0.1 - 0.002) * (1 + math.cos(math.pi * t / 20)) / 2) / 0.1), 20)
rates("step", lambda o: S.StepLR(o, 6, 0.5), 20)
rates("one_cycle", lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20), 20)
