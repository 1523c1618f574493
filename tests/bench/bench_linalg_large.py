# SPDX-License-Identifier: MIT
import os
import sys
from time import perf_counter

import numpy as np

if "--check" in sys.argv:
    sys.exit()

n = int(os.environ.get("EDGE") or (200 if os.environ.get("QUICK") else 3162))
rng = np.random.default_rng(n)
A = rng.standard_normal((n, n))
B, S = rng.standard_normal((n, n)), A + A.T


def case(name, f, *arguments):
    start = perf_counter()
    f(*arguments)
    print("%s %dx%d\t%.9g" % (name, n, n, perf_counter() - start))


A[:100] @ B
case("matmul f64", np.matmul, A, B)
case("matmul f32", np.matmul, A.astype(np.float32), B.astype(np.float32))
case("solve f64", np.linalg.solve, A, B[0])
case("eigh f64", np.linalg.eigh, S)
case("svd f64", lambda M: np.linalg.svd(M, full_matrices=False), A)
