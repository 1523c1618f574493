# SPDX-License-Identifier: MIT
"""The cases of sweep.txt over sizes, dtypes and layouts; README.md says which."""
import os
import re
import sys

import numpy as np
from bench import case as bench_case

if "--check" in sys.argv:
    sys.exit(0)

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [int(n) for n in os.environ.get("SIZES", "1000 100000").split()]
ONLY = os.environ.get("CASES")


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def logsumexp(x, axis):
    m = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - m).sum(axis=axis)) + m.squeeze(axis)


def values(n, dtype):
    k = np.arange(1.0, n + 1)
    return ((np.sin(k * 12.9898) * 43758.5453) % 1 * 0.9 + 0.05).astype(dtype)


def matrices(n, dtype):
    r = int(n**0.5)

    def make(rows, columns):
        return values(rows * columns, dtype).reshape(rows, columns)

    short = min(10, r)
    return {
        "A": make(r, n // r), "T": make(n // r, r).T, "wide": make(short, n // short),
        "tall": make(n // short, short), "S": make(2 * r, 2 * (n // r))[::2, ::2],
    }


def run(kind, name, code, n, dtype, x, m):
    short = "f64" if dtype == np.float64 else "f32"

    def case(layout, env, text=code):
        full = "%s %s %s %d" % (name, layout, short, n)
        if ONLY and not re.search(ONLY.replace("%", "\\"), full):
            return
        env.update(np=np, n=n, softmax=softmax, logsumexp=logsumexp)
        bench_case(full, "_ = " + text, env)

    if kind in ("map", "all"):
        case("C", {"x": x, "z": x * 0})
        strided = values(2 * n, dtype)[::2]
        case("S", {"x": strided, "z": strided * 0})
        case("T", {"x": m["T"], "z": m["T"] * 0})
    elif kind == "zip":
        case("C.C", {"x": x, "y": values(n, dtype) * dtype(0.9)})
        case("C.k", {"x": x, "y": 2.385})
        case("T.T", {"x": m["T"], "y": m["T"] * dtype(0.9)})
        case("A.T", {"x": m["A"], "y": (m["A"].T.copy() * dtype(0.9)).T})
        case("A.row", {"x": m["A"], "y": m["A"][0].copy()})
        case("A.col", {"x": m["A"], "y": m["A"][:, :1].copy()})
    elif kind == "axis":
        for layout in ("A", "T", "wide", "tall", "S"):
            for axis in (1, 2):
                case("%s%d" % (layout, axis), {"x": m[layout], "z": m[layout] * 0},
                     code.replace("#", str(axis - 1)))
    else:
        case("C", {"x": x, "y": x * dtype(0.9), "s": np.sort(x), "w": x.copy(), "z": np.floor(x * 2),
                   "h": x > 0.5, "c": np.floor(x.astype("f8") * 10).astype(int) + 1,
                   "i": np.floor(values(n, "f8") * n).astype(int), "rng": np.random.default_rng(1),
                   "other": "f4" if short == "f64" else "f8"})


with open(os.path.join(HERE, "sweep.txt")) as lines:
    lines = [line.rstrip("\n").split("\t") for line in lines if line[0] != "#"]
for n in SIZES:
    for dtype in (np.float64, np.float32):
        x, m = values(n, dtype), matrices(n, dtype)
        for kind, name, _, code in lines:
            run(kind, name, code, n, dtype, x, m)
