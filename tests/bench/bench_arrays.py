# SPDX-License-Identifier: MIT
import sys

import numpy as np
from bench import case as timed

if "--check" in sys.argv:
    sys.exit()


def values(n, dtype):
    return (np.sin(np.arange(1, n + 1) * 12.9898) * 2 + 0.1).astype(dtype)


for n in (10, 1000, 100000, 10000000):
    for name, dtype in (("f64", np.float64), ("f32", np.float32))[: 1 if n == 10000000 else 2]:
        a = values(n, dtype)
        env = {"np": np, "a": a, "b": a * dtype(0.5) + dtype(1), "p": abs(a) + dtype(0.001),
               "t": np.zeros_like(a), "c": a.astype(bool)}

        def case(what, code):
            timed("%s %s %d" % (what, name, n), code, env)

        case("add", "_ = a + b")
        case("multiply", "_ = a * b")
        case("add number", "_ = a + 2.5")
        case("add out", "np.add(a, b, t)")
        case("exp", "_ = np.exp(a)")
        case("log", "_ = np.log(p)")
        case("tanh", "_ = np.tanh(a)")
        case("sqrt", "_ = np.sqrt(p)")
        case("sin", "_ = np.sin(a)")
        case("where", "_ = np.where(c, a, b)")
        case("sum", "_ = a.sum()")
        case("mean", "_ = a.mean()")
        case("max", "_ = a.max()")
        case("argmax", "_ = a.argmax()")
        case("std", "_ = a.std()")
        case("cumsum", "_ = a.cumsum()")
        rows = {10: 2, 1000: 25, 100000: 250, 10000000: 2500}[n]
        env["m"] = a.reshape(rows, -1)
        env["v"] = env["m"][0].copy()
        case("sum axis 1", "_ = m.sum(0)")
        case("sum axis 2", "_ = m.sum(1)")
        case("mean axis 1", "_ = m.mean(0)")
        case("mean axis 2", "_ = m.mean(1)")
        case("add row", "_ = m + v")
