# SPDX-License-Identifier: MIT
"""Writes mpmath_stats.json: densities, distribution functions and quantiles of the usual distributions, rounded from 50
digits of mpmath 1.2, as rows [expression of pg, value]. Quantiles are those of the distribution function that rounds to
a double: the value is the place that was put in.
python3 tests/golden/mpmath_stats.py > tests/golden/mpmath_stats.json"""
import json
import sys

from mpmath import (atan, betainc, binomial, erfc, exp, expm1, gammainc, inf, log, loggamma, mp, mpf, pi, sqrt)

mp.dps = 50
rows = []


def row(text, value):
    rows.append([text, float(value)])


def dist(name, params, places, logpdf, cdf, counts=False, sf=None, quantiles=True):
    density = "pmf" if counts else "pdf"
    p = [mpf(v) for v in params]
    words = ", ".join(repr(v) for v in params)
    for x in places:
        X = mpf(x)
        value = logpdf(X, *p)
        row(f"pg.stats.{name}.log{density}({x!r}, {words})", value)
        row(f"pg.stats.{name}.{density}({x!r}, {words})", exp(value))
        below = cdf(X, *p)
        above = sf(X, *p) if sf else 1 - below
        if below > 1e-290:
            row(f"pg.stats.{name}.cdf({x!r}, {words})", below)
        if above > 1e-290:
            row(f"pg.stats.{name}.sf({x!r}, {words})", above)
        # Where the distribution function, rounded, still tells the place.
        if quantiles and below > 1e-290 and below < 0.9:
            row(f"pg.stats.{name}.quantile({float(below)!r}, {words})", X)


def normal_cdf(x, m, s):
    return erfc((m - x) / (s * sqrt(mpf(2)))) / 2


for m, s in ((0.0, 1.0), (1.5, 0.25)):
    dist("normal", (m, s), [m + s * z for z in (-37.5, -8.0, -2.5, -0.5, 0.0, 0.75, 1.25, 3.0, 9.5, 37.5)],
         lambda x, m, s: -((x - m) / s) ** 2 / 2 - log(s) - log(2 * pi) / 2, normal_cdf,
         sf=lambda x, m, s: normal_cdf(2 * m - x, m, s))
dist("lognormal", (0.5, 0.75), [0.001, 0.25, 1.0, 1.75, 3.0, 40.0],
     lambda x, m, s: -((log(x) - m) / s) ** 2 / 2 - log(s) - log(2 * pi) / 2 - log(x),
     lambda x, m, s: normal_cdf(log(x), m, s), sf=lambda x, m, s: normal_cdf(-log(x), -m, s))
dist("uniform", (-1.0, 3.0), [-0.75, 0.5, 2.0], lambda x, a, b: -log(b - a), lambda x, a, b: (x - a) / (b - a))
dist("exponential", (2.5,), [1e-9, 0.5, 3.0, 60.0], lambda x, s: -x / s - log(s), lambda x, s: -expm1(-x / s),
     sf=lambda x, s: exp(-x / s))


def laplace_cdf(x, m, s):
    return exp((x - m) / s) / 2 if x < m else 1 - exp((m - x) / s) / 2


dist("laplace", (1.0, 0.5), [-20.0, 0.0, 1.0, 1.25, 20.0], lambda x, m, s: -abs(x - m) / s - log(2 * s), laplace_cdf,
     sf=lambda x, m, s: laplace_cdf(2 * m - x, m, s))


def logistic_cdf(x, m, s):
    return 1 / (1 + exp((m - x) / s))


dist("logistic", (1.0, 0.5), [-300.0, -3.0, 1.0, 2.0, 30.0],
     lambda x, m, s: -abs(x - m) / s - 2 * log(1 + exp(-abs(x - m) / s)) - log(s), logistic_cdf,
     sf=lambda x, m, s: logistic_cdf(2 * m - x, m, s))


def cauchy_cdf(x, m, s):
    z = (x - m) / s
    return atan(1 / -z) / pi if z < 0 else mpf(1) / 2 + atan(z) / pi


dist("cauchy", (1.0, 2.0), [-1e9, -4.0, 1.0, 1.5, 3.0, 1e7],
     lambda x, m, s: -log(1 + ((x - m) / s) ** 2) - log(pi * s), cauchy_cdf,
     sf=lambda x, m, s: cauchy_cdf(2 * m - x, m, s))
for k, s in ((0.5, 2.0), (3.25, 1.5)):
    dist("weibull", (k, s), [1e-6, 0.5, 1.25, 4.0],
         lambda x, k, s: log(k / s) + (k - 1) * log(x / s) - (x / s) ** k, lambda x, k, s: -expm1(-((x / s) ** k)),
         sf=lambda x, k, s: exp(-((x / s) ** k)))


def gamma_logpdf(x, k, s):
    return (k - 1) * log(x) - x / s - k * log(s) - loggamma(k)


def gamma_cdf(x, k, s):
    return gammainc(k, 0, x / s, regularized=True)


def gamma_sf(x, k, s):
    return gammainc(k, x / s, inf, regularized=True)


for k, s, places in ((0.01, 1.0, [1e-80, 1e-5, 0.5, 3.0]), (0.5, 2.0, [1e-9, 0.25, 2.0, 30.0]),
                     (1.0, 1.0, [0.125, 1.0, 40.0]), (4.5, 0.5, [0.01, 1.0, 2.25, 12.0]),
                     (100.0, 1.0, [20.0, 80.0, 100.0, 105.0, 190.0]), (1000.0, 0.25, [200.0, 250.0, 253.0, 290.0])):
    dist("gamma", (k, s), places, gamma_logpdf, gamma_cdf, sf=gamma_sf)
for n in (1.0, 7.0, 250.0):
    dist("chisquare", (n,), [0.001 * n, 0.75 * n, n, 1.25 * n, 3.0 * n], lambda x, n: gamma_logpdf(x, n / 2, mpf(2)),
         lambda x, n: gamma_cdf(x, n / 2, mpf(2)), sf=lambda x, n: gamma_sf(x, n / 2, mpf(2)))


def beta_cdf(x, a, b):
    return betainc(a, b, 0, x, regularized=True)


def beta_logpdf(x, a, b):
    return (a - 1) * log(x) + (b - 1) * log(1 - x) - loggamma(a) - loggamma(b) + loggamma(a + b)


for a, b, places in ((0.5, 0.5, [1e-12, 0.25, 0.5, 0.75]), (0.01, 3.0, [1e-100, 1e-3, 0.5]),
                     (1.0, 4.0, [0.001, 0.25, 0.9]), (2.5, 7.0, [0.001, 0.125, 0.25, 0.75]),
                     (80.0, 120.0, [0.25, 0.375, 0.4, 0.4375]), (3.0, 200.0, [0.001, 0.015625, 0.0625])):
    dist("beta", (a, b), places, beta_logpdf, beta_cdf, sf=lambda x, a, b: beta_cdf(1 - x, b, a) if x > 0.01 else 1 - beta_cdf(x, a, b))
for m, n in ((1.0, 1.0), (3.0, 10.0), (40.0, 25.0)):
    dist("f", (m, n), [0.001, 0.5, 1.0, 1.5, 20.0],
         lambda x, m, n: beta_logpdf(m * x / (n + m * x), m / 2, n / 2) + log(m / n) - 2 * log(1 + m * x / n),
         lambda x, m, n: beta_cdf(m * x / (n + m * x), m / 2, n / 2),
         sf=lambda x, m, n: beta_cdf(n / (n + m * x), n / 2, m / 2))


def t_cdf(x, n):
    tail = beta_cdf(n / (n + x * x), n / 2, mpf(1) / 2) / 2
    return tail if x < 0 else 1 - tail


for n in (0.5, 1.0, 2.5, 30.0, 300.0):
    dist("student_t", (n,), [-400.0, -6.0, -1.25, -0.0078125, 0.0, 0.25, 1.0, 12.0],
         lambda x, n: loggamma((n + 1) / 2) - loggamma(n / 2) - log(n * pi) / 2 - (n + 1) / 2 * log(1 + x * x / n),
         t_cdf, sf=lambda x, n: t_cdf(-x, n))
row("pg.stats.student_t.logpdf(1.5, 1e6)", loggamma(mpf(1000001) / 2) - loggamma(mpf(500000)) - log(mpf(10**6) * pi) / 2
    - mpf(1000001) / 2 * log(1 + mpf("2.25") / 10**6))
for m in (0.125, 4.0, 90.0):
    dist("poisson", (m,), [0, 1, 4, 90, 130], lambda k, m: k * log(m) - m - loggamma(k + 1),
         lambda k, m: gammainc(k + 1, m, inf, regularized=True), counts=True, quantiles=False,
         sf=lambda k, m: gammainc(k + 1, 0, m, regularized=True))
row("pg.stats.poisson.logpmf(1000100, 1e6)", 1000100 * log(mpf(10**6)) - 10**6 - loggamma(mpf(1000101)))
for n, p, places in ((10.0, 0.3, [0, 3, 9]), (500.0, 0.01, [0, 5, 60]), (300.0, 0.75, [150, 225, 299])):
    dist("binomial", (n, p), places,
         lambda k, n, p: log(binomial(n, k)) + k * log(p) + (n - k) * log(1 - p),
         lambda k, n, p: betainc(n - k, k + 1, 0, 1 - p, regularized=True), counts=True, quantiles=False,
         sf=lambda k, n, p: betainc(k + 1, n - k, 0, p, regularized=True))
for n, p in ((3.0, 0.25), (0.5, 0.01), (40.0, 0.9)):
    dist("negative_binomial", (n, p), [0, 2, 30],
         lambda k, n, p: loggamma(n + k) - loggamma(n) - loggamma(k + 1) + n * log(p) + k * log(1 - p),
         lambda k, n, p: betainc(n, k + 1, 0, p, regularized=True), counts=True, quantiles=False,
         sf=lambda k, n, p: betainc(k + 1, n, 0, 1 - p, regularized=True))
for p in (0.001, 0.4):
    dist("geometric", (p,), [1, 2, 50], lambda k, p: (k - 1) * log(1 - p) + log(p), lambda k, p: 1 - (1 - p) ** k,
         counts=True, quantiles=False, sf=lambda k, p: (1 - p) ** k)
for a, b in ((0.001, 0.5), (3.0, 4.5), (12.0, 0.25), (1e5, 3.0), (1e6, 1e6)):
    row(f"pg.betaln({a!r}, {b!r})", loggamma(mpf(a)) + loggamma(mpf(b)) - loggamma(mpf(a) + mpf(b)))
for x in (-3.0, 0.5, 5.0, 26.0):
    row(f"pg.erfc({x!r})", erfc(mpf(x)))
json.dump(rows, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
