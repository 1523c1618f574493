# SPDX-License-Identifier: MIT
import sys

import numpy as np

import bench

if "--check" in sys.argv:
    sys.exit(0)

env = {"rng": np.random.default_rng(0), "old": np.random.RandomState(0), "seed": np.random.default_rng}
for n in (1000, 1000000):
    env["n"] = n
    for name, code in (
        ("random", "rng.random(n)"),
        ("standard_normal", "rng.standard_normal(n)"),
        ("integers", "rng.integers(0, 100, n)"),
        ("permutation", "rng.permutation(n)"),
        ("legacy rand", "old.rand(n)"),
        ("legacy randn", "old.randn(n)"),
        ("legacy randint", "old.randint(0, 100, n)"),
    ):
        bench.case("%s %d" % (name, n), code, env)
bench.case("random, one number", "rng.random()", env)
bench.case("integers, one number", "rng.integers(0, 100)", env)
bench.case("choice 100 of 10000", "rng.choice(10000, 100, replace=False)", env)
bench.case("new generator", "seed(12345)", env)
