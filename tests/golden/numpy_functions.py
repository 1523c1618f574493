# SPDX-License-Identifier: MIT
"""Writes numpy_functions.json: expressions of pg with their inputs and what NumPy 1.24, SciPy and PyTorch give.
python3 tests/golden/numpy_functions.py > tests/golden/numpy_functions.json"""
import json
import sys

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import torch

rng = np.random.default_rng(20)
cases = []


def case(lua, outs, tol=1e-13, **inputs):
    if not isinstance(outs, tuple):
        outs = (outs,)
    plain = {k: np.asarray(v).tolist() for k, v in inputs.items()}
    cases.append({"lua": lua, "in": plain, "out": [np.asarray(o, float).tolist() for o in outs], "tol": tol})


def r(*shape):
    return np.round(rng.normal(size=shape) * 2, 3)


for p, q in (((2, 3), (4, 2)), ((3,), (2, 2)), ((2, 1, 2), (3, 2)), ((2,), (5,))):
    a, b = r(*p), r(*q)
    case("pg.kron(a, b)", np.kron(a, b), a=a, b=b)
for p, q, axis in (((3,), (3,), -1), ((4, 3), (3,), -1), ((3, 4), (3, 4), 0)):
    a, b = r(*p), r(*q)
    case(f"pg.cross(a, b, {axis + 1 if axis >= 0 else axis})", np.cross(a, b, axis=axis), a=a, b=b)
for n, m in ((7, 3), (3, 7), (6, 4), (5, 5), (1, 4), (300, 41)):
    a, b = r(n), r(m)
    for mode in ("full", "same", "valid"):
        case(f'pg.convolve(a, b, "{mode}")', np.convolve(a, b, mode), a=a, b=b)
xs = np.array([-2, -0.5, 0.25, 1, 4.0])
x = np.concatenate([xs, [-3, 5, 0, 0.7, 3.99, -1]])
case("pg.interp(x, xs, ys)", np.interp(x, xs, xs**3), x=x, xs=xs, ys=xs**3)
case("pg.interp(x, xs, ys, {left = -9, right = 9})", np.interp(x, xs, xs**3, -9, 9), x=x, xs=xs, ys=xs**3)
y = r(4, 5)
t = np.cumsum(np.abs(r(5)) + 0.1)
case("pg.trapz(y)", np.trapz(y), y=y)
case("pg.trapz(y, x)", np.trapz(y, t), y=y, x=t)
case("pg.trapz(y, 0.5, 1)", np.trapz(y, dx=0.5, axis=0), y=y)
case("pg.trapz(y, x, 1)", np.trapz(y, y * 2, axis=0), y=y, x=y * 2)
x = np.linspace(-3, 7, 40)
case("pg.polyfit(x, y, 3)", np.polyfit(x, np.sin(x), 3), tol=1e-11, x=x, y=np.sin(x))
case("pg.polyfit(x, y, 5)", np.polyfit(x, np.stack([np.cos(x), x * x], 1), 5), tol=1e-10, x=x,
     y=np.stack([np.cos(x), x * x], 1))
case("pg.polyval(c, x)", np.polyval([2.5, -1, 0, 3], x), c=[2.5, -1, 0, 3], x=x)
a = rng.integers(0, 6, (3, 4)).astype(float)
case("pg.isin(a, b)", np.isin(a, [1, 4, 9]), a=a, b=[1, 4, 9])
a, b = np.array([1, 2, 1e10, -1e-9, 3]), np.array([1 + 1e-6, 2.1, 1.00001e10, 0, 3])
case("pg.isclose(a, b)", np.isclose(a, b), a=a, b=b)
case("pg.isclose(a, b, {rtol = 1e-3, atol = 0.2})", np.isclose(a, b, 1e-3, 0.2), a=a, b=b)
a = rng.permutation(60).reshape(3, 4, 5).astype(float)
for k, dim in ((2, -1), (3, 0), (4, 1)):
    for largest in (True, False):
        v, i = torch.topk(torch.tensor(a), k, dim, largest=largest)
        case(f"pg.topk(a, {k}, {dim + 1 if dim >= 0 else dim}, {{largest = {str(largest).lower()}}})",
             (v.numpy(), i.numpy() + 1), a=a)
case("pg.swapaxes(a, 1, 3)", np.swapaxes(a, 0, 2), a=a)
case("pg.moveaxis(a, 1, -1)", np.moveaxis(a, 0, -1), a=a)
case("pg.moveaxis(a, 3, 1)", np.moveaxis(a, 2, 0), a=a)
case("table.unpack(pg.split(a, 2, 2))", tuple(np.split(a, 2, 1)), a=a)
case("table.unpack(pg.split(a, {1, 4}, 3))", tuple(np.split(a, [1, 4], 2)), a=a)
X, Y = r(6, 3), r(5, 3)
for metric in ("euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine"):
    case(f'pg.cdist(x, y, "{metric}")', scipy.spatial.distance.cdist(X, Y, metric), x=X, y=Y)
a = np.array([1.25, -2.675, 1234.5678, 0.5, -0.05, 15, 25, 1e20])
for d in (-1, -3, 0, 1, 2, 3):
    case(f"pg.round(a, {d})", np.round(a, d), tol=0, a=a)
a = np.array([-1, -0.9999, -0.5, -1e-8, 0, 0.3, 0.75, 1])
case("pg.asin(a)", np.arcsin(a), a=a)
case("pg.acos(a)", np.arccos(a), a=a)
case("pg.atan(a * 30)", np.arctan(a * 30), a=a)


def eig(A):
    w, V = np.linalg.eig(A)
    return w.real, w.imag, V.real, V.imag


for A in (r(4, 4), np.array([[0, -2, 0], [1, 0, 0], [0, 0, 3.0]]), np.array([[2, 1], [0, 2.0]]), r(3, 3) @ r(3, 3)):
    case("pg.linalg.eig(A)", eig(A), tol=1e-12, A=A)
    case("pg.linalg.eigvals(A)", eig(A)[:2], tol=1e-12, A=A)
for shape in ((4, 4), (5, 3), (3, 5), (1, 1)):
    A = r(*shape)
    case("pg.linalg.lu(A)", scipy.linalg.lu(A), A=A)
for size in (1e-4, 0.1, 0.6, 1.5, 4, 30):
    A = r(5, 5)
    A *= size / np.abs(A).sum(0).max()
    case("pg.linalg.expm(A)", scipy.linalg.expm(A), tol=1e-12, A=A)
A = np.array([[0, -1000.0], [1000, 0]]) / 100
case("pg.linalg.expm(A)", scipy.linalg.expm(A), tol=1e-12, A=A)
a, b = r(2, 3, 4), r(4, 5)
case('pg.einsum("...j,jk->...k", a, b)', np.einsum("...j,jk->...k", a, b), a=a, b=b)
case('pg.einsum("i...->...i", a)', np.einsum("i...->...i", a), a=a)
case('pg.einsum("...->...", a)', np.einsum("...->...", a), a=a)
case('pg.einsum("i...->...", a)', np.einsum("i...->...", a), a=a)
a, b = r(2, 1, 3, 4), r(5, 4, 2)
case('pg.einsum("...ij,...jk->...ik", a, b)', np.einsum("...ij,...jk->...ik", a, b), a=a, b=b)
case('pg.einsum("...ij,...jk", a, b)', np.einsum("...ij,...jk", a, b), a=a, b=b)
case('pg.einsum("...ij,j->i...", a, b)', np.einsum("...ij,j->i...", a, b[0, :, 0]), a=a, b=b[0, :, 0])
case('pg.einsum("...,...", a, b)', np.einsum("...,...", a, a[0]), a=a, b=a[0])
json.dump(cases, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
