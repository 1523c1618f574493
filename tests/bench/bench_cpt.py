# SPDX-License-Identifier: MIT
"""Seconds an image, in the loop over pixels that the homework's readers write."""
import os
import sys
import time

import numpy as np

if "--check" in sys.argv:
    sys.exit(0)

images, row = [], []
for line in open("experiments/data/letters.txt"):
    if len(line) == 6:
        row += [int(c == "#") for c in line[:5]]
    if len(row) == 25:
        images.append(row)
        row = []
tables = []
for k in range(1, 26):
    table = np.full((2,) * k, 0.5)
    counts = {}
    for x in images:
        counts.setdefault(tuple(x[: k - 1]), [0, 0])[x[k - 1]] += 1
    for prefix, c in counts.items():
        table[prefix] = np.array(c) / sum(c)
    tables.append(table)

n = 200 if "QUICK" in os.environ else 20000


def loop(rand):
    out = np.zeros((n, 25))
    for i in range(n):
        x = []
        for k in range(25):
            p = tables[k][tuple(x)]
            x.append(0 if rand() < p[0] else 1)
        out[i] = x
    return out


for name, rand in (("np.random.seed's", np.random.RandomState(0).rand), ("default_rng's", np.random.default_rng(0).random)):
    for _ in range(3):
        start = time.perf_counter()
        loop(rand)
        print("sample an image, %s stream\t%.9g" % (name, (time.perf_counter() - start) / n), flush=True)
