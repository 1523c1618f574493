# SPDX-License-Identifier: MIT
"""Writes numpy_distributions.json: calls of a generator's methods and what NumPy 1.24's Generator draws for them; the
number after a call tells that it took as many words.
python3 tests/golden/numpy_distributions.py > tests/golden/numpy_distributions.json"""
import json
import sys

import numpy as np

cases = []


def case(lua, draw, seed=31, keep=12, exact=True):
    """draw(rng) gives an array; its first and last numbers, its sum and the next uniform number are kept."""
    rng = np.random.default_rng(seed)
    x = np.asarray(draw(rng), float)
    flat = x.ravel()
    cases.append({"lua": lua, "seed": seed, "shape": list(x.shape), "first": flat[:keep].tolist(),
                  "last": flat[-3:].tolist(), "sum": float(flat.sum()), "after": rng.random(), "exact": exact})


def both(name, *args, n=3000, call=None, after=lambda x: x):
    words = ", ".join(map(str, args))
    case(f"rng:{name}({words}, {n})", lambda r: after(getattr(r, call or name)(*args, size=n)))


both("exponential", 2.5, n=20000)
for a in (0.1, 0.5, 0.999, 1, 1.5, 30, 1e5):
    both("gamma", a, 2.0)
for a, b in ((0.5, 0.5), (1, 1), (0.3, 4), (2, 3), (50, 0.8)):
    both("beta", a, b)
both("chisquare", 3)
both("f", 4, 7.5)
both("student_t", 2.5, call="standard_t")
case("rng:cauchy(1, 2, 500)", lambda r: 1 + 2 * r.standard_cauchy(500))
both("laplace", -1, 0.5)
both("logistic", 0.5, 3)
both("lognormal", 0.5, 0.25)
case("rng:weibull(1.5, 2, 900)", lambda r: 2 * r.weibull(1.5, 900))
for lam in (0, 0.1, 3, 9.99, 10, 55.5, 1e4, 1e12):
    both("poisson", lam)
for n, p in ((0, 0.5), (10, 0.3), (10, 0.9), (100, 0.3), (100, 0.31), (1000, 0.5), (1000, 0.97), (1000000, 0.02),
             (5, 0), (5, 1), (10**9, 0.4)):
    both("binomial", n, p)
for n, p in ((5, 0.3), (0.7, 0.05), (3, 1)):
    both("negative_binomial", n, p)
for p in (0.01, 0.3, 0.34, 0.7, 1):
    both("geometric", p)
p = [0.1, 0.0, 0.25, 0.6, 0.05]
lua_p = "{" + ", ".join(map(str, p)) + "}"
case(f"rng:multinomial(40, {lua_p}, 200)", lambda r: r.multinomial(40, p, 200))
case(f"rng:multinomial(1000, {lua_p})", lambda r: r.multinomial(1000, p))
case("rng:multinomial(20, {0.25, 0.25, 0.25, 0.25}, 2, 50)", lambda r: r.multinomial(20, [0.25] * 4, (2, 50)))
case("rng:dirichlet({0.5, 2, 3.5}, 300)", lambda r: r.dirichlet([0.5, 2, 3.5], 300))
case("rng:dirichlet({0.05, 0.02, 0.09}, 300)", lambda r: r.dirichlet([0.05, 0.02, 0.09], 300))
case("rng:dirichlet({1, 1, 1, 1})", lambda r: r.dirichlet([1, 1, 1, 1]))
case(f"rng:categorical({lua_p}, 500)", lambda r: r.choice(5, 500, p=p) + 1)
case("rng:poisson({{1, 5, 20}, {0, 100, 3}})", lambda r: r.poisson([[1, 5, 20], [0, 100, 3]]))
case("rng:gamma({0.5, 2, 7}, {1, 2, 3})", lambda r: r.gamma([0.5, 2, 7], [1, 2, 3]))
case("rng:binomial(10, {0.1, 0.5, 0.9})", lambda r: r.binomial(10, [0.1, 0.5, 0.9]))
mean, cov = [1, -2, 0.5], [[2, 0.3, -0.5], [0.3, 1, 0.2], [-0.5, 0.2, 1.5]]
args = "{1, -2, 0.5}, {{2, 0.3, -0.5}, {0.3, 1, 0.2}, {-0.5, 0.2, 1.5}}"
case(f"rng:multivariate_normal({args}, 400)", lambda r: r.multivariate_normal(mean, cov, 400), exact=False)
case(f"rng:multivariate_normal({args}, 2, 3)", lambda r: r.multivariate_normal(mean, cov, (2, 3)), exact=False)
case(f"rng:multivariate_normal({args})", lambda r: r.multivariate_normal(mean, cov), exact=False)
case(f'rng:multivariate_normal({args}, 9, {{method = "cholesky"}})',
     lambda r: r.multivariate_normal(mean, cov, 9, method="cholesky"), exact=False)
json.dump(cases, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
