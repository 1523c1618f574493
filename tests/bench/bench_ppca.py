# SPDX-License-Identifier: MIT
import gzip
import os
import sys
import time

import numpy as np
from scipy.linalg import blas, lapack
from sklearn.decomposition import PCA

import bench

if "--check" in sys.argv:
    sys.exit(0)

rng = np.random.default_rng(1)
flat = rng.standard_normal((2000, 576))
decaying = rng.standard_normal((2000, 576)) / np.arange(1, 577)


def cov_eigh(X):
    w, V = np.linalg.eigh(np.cov(X.T, bias=True))
    return w[::-1], V[:, ::-1][:, :64]


for name, X in (("decaying", decaying), ("flat", flat)):
    bench.case("2000x576 %s fit / sklearn full" % name, "PCA(64, svd_solver='full').fit(X)", {"PCA": PCA, "X": X})
    bench.case("2000x576 %s fit / cov+eigh" % name, "cov_eigh(X)", {"cov_eigh": cov_eigh, "X": X})

W = rng.standard_normal((576, 16))
mu = decaying.mean(0)


def mean_loop(X):
    """One image at a time, inverting M each time."""
    z = []
    for x in X:
        M = W.T @ W + 0.1 * np.eye(16)
        z.append(np.linalg.inv(M) @ W.T @ (x - mu))
    return np.array(z)


def draw_loop(X):
    """The report's x_to_z, which draws z with noise about that mean."""
    z = []
    for x in X:
        M_inv = np.linalg.inv(W.T @ W + 0.1 * np.eye(16))
        z.append(np.random.multivariate_normal(M_inv @ W.T @ (x - mu), 0.1 * M_inv))
    return np.array(z)


bench.case("encode 2000 / loop of means", "mean_loop(X)", {"mean_loop": mean_loop, "X": decaying})
bench.case("encode 2000 / loop of draws", "draw_loop(X)", {"draw_loop": draw_loop, "X": decaying})

path = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
if os.path.exists(path) and not bench.QUICK:
    X = np.frombuffer(gzip.open(path).read(), np.uint8, offset=16).reshape(60000, 784).astype(float)

    def once(name, f):
        start = time.perf_counter()
        f()
        print("%s\t%.9g" % (name, time.perf_counter() - start), flush=True)

    def least():
        S = blas.dsyrk(1.0 / 60000, X.T)
        lapack.dsyevr(S, range="I", il=784 - 63, iu=784)

    once("60000x784 fit / sklearn full", lambda: PCA(64, svd_solver="full").fit(X))
    once("60000x784 fit / sklearn randomized", lambda: PCA(64, svd_solver="randomized").fit(X))
    once("60000x784 fit / X'X+eigh", lambda: np.linalg.eigh((X - X.mean(0)).T @ (X - X.mean(0))))
    once("60000x784 fit / dsyrk+dsyevr", least)
    once("60000x784 streamed / dsyrk+dsyevr", least)
