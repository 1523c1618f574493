# SPDX-License-Identifier: MIT
import sys

import numpy as np
from bench import case as timed

if "--check" in sys.argv:
    sys.exit()

for n in (3, 32, 316):
    for name, dtype in (("f64", np.float64), ("f32", np.float32)):
        rng = np.random.default_rng(n)
        A = rng.standard_normal((n, n))
        env = {"np": np, "A": A.astype(dtype), "S": (A + A.T).astype(dtype), "v": A[0].astype(dtype),
               "P": (A @ A.T + np.eye(n)).astype(dtype), "B": rng.standard_normal((n, n)).astype(dtype)}

        def case(what, code):
            timed("%s %s %dx%d" % (what, name, n, n), code, env)

        case("matmul", "_ = A @ B")
        case("matmul transposed", "_ = A.T @ B")
        case("matrix vector", "_ = A @ v")
        case("solve", "_ = np.linalg.solve(A, v)")
        case("solve many", "_ = np.linalg.solve(A, B)")
        case("inv", "_ = np.linalg.inv(A)")
        case("det", "_ = np.linalg.det(A)")
        case("cholesky", "_ = np.linalg.cholesky(P)")
        case("qr", "_ = np.linalg.qr(A)")
        case("eigh", "_ = np.linalg.eigh(S)")
        case("svd", "_ = np.linalg.svd(A, full_matrices=False)")
rng = np.random.default_rng(1)
env = {"np": np, "x": rng.standard_normal(1000), "A": rng.standard_normal((100, 8, 8))}
timed("dot 1000", "_ = x @ x", env)
timed("matmul 100 of 8x8", "_ = A @ A", env)
timed("inv 100 of 8x8", "_ = np.linalg.inv(A)", env)
