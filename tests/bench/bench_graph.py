# SPDX-License-Identifier: MIT
"""The likelihood in NumPy over whole matrices, and the report's ascent over pairs in two loops."""
import math
import os
import sys
import time

import numpy as np

import bench

if "--check" in sys.argv:
    sys.exit(0)

quick = "QUICK" in os.environ
n, m = (500 if quick else 8000), 16


def draw(rng, n, m, a, b):
    X = rng.uniform(-1, 1, (n, m))
    E = np.triu(rng.rand(n, n) < 1 / (1 + np.exp(-(a * (X @ X.T) + b))), 1).astype(float)
    return X, E + E.T


def loglik(X, E, a, b):
    """All of n x n, the pairs counted twice and the diagonal taken off."""
    S = X @ X.T
    z = a * S + b
    t = np.exp(-np.abs(z))
    d = E - np.where(z >= 0, 1 / (1 + t), t / (1 + t))
    L = E * z - np.maximum(z, 0) - np.log1p(t)
    for v in (L, d):
        np.fill_diagonal(v, 0)
    return L.sum() / 2, (d * S).sum() / 2, d.sum() / 2


def ascend(graphs, a, b, lr, epochs):
    for _ in range(epochs):
        for X, E in graphs:
            da = db = 0.0
            for i in range(len(X)):
                for j in range(i + 1, len(X)):
                    s = X[i] @ X[j]
                    r = E[i, j] - 1 / (1 + math.exp(-(a * s + b)))
                    da += r * s
                    db += r
            a += lr * da
            b += lr * db
    return a, b


def newton(s, e):
    from sklearn.linear_model import LogisticRegression
    return LogisticRegression(penalty=None, tol=1e-10, max_iter=1000).fit(s, e)


rng = np.random.RandomState(1)
pairs = n * (n - 1) // 2
X, E = draw(rng, n, m, 0.5, -2)
env = {"ascend": ascend, "np": np}
# Seconds a call, so once a round.
start = time.perf_counter()
loglik(X, E, 0.4, -1.9)
print("loglik, gradient n=%d m=%d\t%.9g" % (n, m, time.perf_counter() - start), flush=True)
del X, E

# In pieces of a million, so that memory does not count.
env["piece"] = rng.standard_normal(min(pairs, 1000000))
env["out"] = np.empty_like(env["piece"])
env["pieces"] = range(max(1, round(pairs / 1e6)))
bench.case("the same against exp of %d numbers" % pairs, "for _ in pieces: np.exp(piece, out=out)", env)

env["small"] = [draw(rng, 15, 3, 3, -3.5) for _ in range(100)]
bench.case("20 epochs, 100 graphs of 15 nodes", "ascend(small, 0.5, 0.5, 0.01, 20)", env)
try:
    env["newton"] = newton
    upper = np.triu_indices(15, 1)
    env["s"] = np.concatenate([(X @ X.T)[upper] for X, _ in env["small"]])[:, None]
    env["e"] = np.concatenate([E[upper] for _, E in env["small"]])
    bench.case("Newton, 100 graphs of 15 nodes", "newton(s, e)", env)
except ImportError:
    pass
