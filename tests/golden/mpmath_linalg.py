# SPDX-License-Identifier: MIT
"""Writes mpmath_linalg.json: gradients of linear algebra at condition number 1e6, by differences with 120 digits.

For each case the matrix (and right side), weights, and the gradient of sum(weights * result) by it. The matrices
are those of doubles, so that who reads them works on the same."""
import json
import random
import sys

from mpmath import matrix, mp, mpf, log, sqrt
import mpmath

mp.dps = 120
random.seed(6)
H = mpf(10) ** -40


def draw(rows, columns):
    return matrix([[mpf(random.uniform(-1, 1)) for _ in range(columns)] for _ in range(rows)])


def rounded(a):
    return matrix([[mpf(float(a[i, j])) for j in range(a.cols)] for i in range(a.rows)])


def orthogonal(n):
    return mpmath.qr(draw(n, n))[0]


def conditioned(rows, columns):
    """Singular values from 1 to 1e-6."""
    s = matrix(rows, columns)
    for k in range(columns):
        s[k, k] = mpf(10) ** (-mpf(6) * k / (columns - 1))
    return rounded(orthogonal(rows) * s * orthogonal(columns))


def positive(n):
    s = mpmath.diag([mpf(10) ** (-mpf(6) * k / (n - 1)) for k in range(n)])
    q = orthogonal(n)
    a = rounded(q * s * q.T)
    for i in range(n):
        for j in range(i):
            a[i, j] = a[j, i]
    return a


def solve(a, b):
    return mpmath.lu_solve(a, b)


def columns(a, b):
    x = matrix(a.cols, b.cols)
    for j in range(b.cols):
        c = solve(a, b[:, j])
        for i in range(a.cols):
            x[i, j] = c[i]
    return x


def lstsq(a, b):
    return columns(a.T * a, a.T * b)


def symmetric(a):
    return (a + a.T) / 2


def upright(v):
    """Eigenvectors squared, whose signs are then no matter."""
    return matrix([[v[i, j] ** 2 for j in range(v.cols)] for i in range(v.rows)])


def eigh(a):
    return mpmath.eigsy(symmetric(a))


def singular(a):
    """Singular values, largest first, and the right vectors, of the eigenvalues of a^T a."""
    w, v = mpmath.eigsy(a.T * a)
    n = a.cols
    return (matrix([sqrt(w[n - 1 - k]) for k in range(n)]),
            matrix([[v[i, n - 1 - j] for j in range(n)] for i in range(n)]))


def qr(a):
    """R with a positive diagonal is Cholesky's factor of a^T a; signs are squared away."""
    r = mpmath.cholesky(a.T * a).T
    return upright(r)


def triangular(a, b):
    u = matrix([[a[i, j] if j >= i else mpf(0) for j in range(a.cols)] for i in range(a.rows)])
    return columns(u, b)


A, S, T, B, C = conditioned(4, 4), positive(4), conditioned(6, 3), draw(4, 2), draw(6, 2)
U = rounded(mpmath.cholesky(positive(4)).T)
one = lambda v: matrix([[v]])
cases = [
    ("inv", lambda a: a ** -1, [A]), ("det", lambda a: one(mpmath.det(a)), [A]),
    ("slogdet", lambda a: one(log(abs(mpmath.det(a)))), [A]), ("solve", columns, [A, B]),
    ("solve_triangular", triangular, [U, B]), ("cholesky", lambda a: mpmath.cholesky(symmetric(a)), [S]),
    ("eigvals", lambda a: eigh(a)[0], [S]), ("eigvecs", lambda a: upright(eigh(a)[1]), [S]),
    ("svdvals", lambda a: singular(a)[0], [T]), ("svdvecs", lambda a: upright(singular(a)[1]), [T]),
    ("qr", qr, [T]), ("lstsq", lstsq, [T, C]), ("pinv", lambda a: lstsq(a, mpmath.eye(a.rows)), [T]),
    ("nuclear", lambda a: one(sum(singular(a)[0])), [T]),
]


def total(y, w):
    return sum(y[i, j] * w[i, j] for i in range(y.rows) for j in range(y.cols))


def plain(a):
    return [[float(a[i, j]) for j in range(a.cols)] for i in range(a.rows)]


out = []
for name, f, operands in cases:
    y = f(*operands)
    w = draw(y.rows, y.cols)
    gradients = []
    for k, a in enumerate(operands):
        g = matrix(a.rows, a.cols)
        for i in range(a.rows):
            for j in range(a.cols):
                if name == "solve_triangular" and k == 0 and j < i:
                    continue
                values = []
                for sign in (1, -1):
                    moved = [b.copy() for b in operands]
                    moved[k][i, j] += sign * H
                    values.append(total(f(*moved), w))
                g[i, j] = (values[0] - values[1]) / (2 * H)
        gradients.append(plain(g))
    out.append({"name": name, "operands": [plain(a) for a in operands], "weights": plain(w), "gradients": gradients})
json.dump(out, sys.stdout)
print()
