# SPDX-License-Identifier: MIT
import os
import sys

import numpy as np
from bench import case

if "--check" in sys.argv:
    sys.exit()

for m, n in (100, 5), (2000, 50), (20000 if os.environ.get("QUICK") else 200000, 100):
    rng = np.random.default_rng(m)
    X = rng.standard_normal((m, n))
    env = {"np": np, "X": X, "y": X.sum(1) + rng.standard_normal(m)}
    case("lstsq %dx%d" % (m, n), "_ = np.linalg.lstsq(X, y, rcond=None)", env)
