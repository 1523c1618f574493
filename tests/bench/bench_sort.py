# SPDX-License-Identifier: MIT
import sys

import numpy as np
from bench import case as timed

if "--check" in sys.argv:
    sys.exit()

for n in (10, 1000, 100000, 10000000):
    for dtype in ("f64",) if n == 10000000 else ("f64", "f32"):
        a = np.random.default_rng(0).standard_normal(n).astype(np.float64 if dtype == "f64" else np.float32)
        env = dict(np=np, a=a, s=np.sort(a), k=np.floor(a * a.dtype.type(10)))

        def case(name, code):
            timed(f"{name} {dtype} {n}", code, env)

        case("argsort", "a.argsort()")
        if dtype == "f64":
            case("sort", "np.sort(a)")
        case("argsort ties", "k.argsort(kind='stable')")
        case("argsort sorted", "s.argsort()")
        if n <= 100000:
            case("searchsorted", "s.searchsorted(a)")
            case("unique", "np.unique(k, True, True, True)")
            case("median", "np.median(a)")
            case("histogram", "np.histogram(a, 50)")
        rows = {10: 2, 1000: 25, 100000: 250, 10000000: 2500}[n]
        env["m"] = a.reshape(rows, n // rows)
        case("argsort rows", "m.argsort()")
        if dtype == "f64":
            case("sort columns", "np.sort(m, 0)")
