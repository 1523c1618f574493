# SPDX-License-Identifier: MIT
# Writes numpy_arrays_*.txt beside it (NumPy 1.24.2 made the files that are kept):
#   /usr/bin/python3 tests/golden/numpy_arrays.py
#
# A line is one case: inputs, Lua expression, tolerance, results; separated by tabs.
#   inputs     name=dtype:shape:layout:kind:seed, separated by blanks; both sides make them by
#              values() below, so that the files hold answers alone
#   layout     C row-major, T transposed, S every second element, R reversed, O a part of more
#   tolerance  "=" every bit (NaN is NaN), "u6" ulp (0 is -0), "~1e-14" absolute
#   results    separated by ";": f64:2x3:values, n:value (number), i:value (integer), b:true
import math
import os
import random

import mpmath
import numpy as np

np.seterr(all="ignore")
here = os.path.dirname(os.path.abspath(__file__))
rnd = random.Random(2024)
F = {"f64": np.float64, "f32": np.float32}
STORED = {"bool": np.bool_, "u8": np.uint8}
MASK = (1 << 64) - 1
SPECIALS = [0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 5e-324, 1e308, -1e-310, 0.5, -0.5,
            1.5, 2.5, -2.5, 3.0, 1e-45, -1e38, 88.8, -745.2, 709.7, 2.0**52 + 1, -7.25, 1e-8]


def values(dtype, count, kind, seed):
    x = (seed * 2654435761 + 12345) & MASK
    out = []

    def u():
        nonlocal x
        x = (x * 6364136223846793005 + 1442695040888963407) & MASK
        return (x >> 11) * 2.0**-53

    for _ in range(count):
        if kind == "n":
            v = (u() + u() + u() + u() - 2.0) * 2.0
        elif kind == "p":
            v = 0.1 + 3.0 * u()
        elif kind == "u":
            v = 2.0 * u() - 1.0
        elif kind == "i":
            v = math.floor(9.0 * u()) - 4.0
        elif kind == "z":
            v = math.floor(2.0 * u())
        elif kind == "e":
            v = (u() - 0.5) * 2.0 ** (math.floor(40.0 * u()) - 20.0)
        else:
            v = SPECIALS[math.floor(len(SPECIALS) * u())]
        out.append(float(v))
    if dtype in STORED:
        return np.mod(np.trunc(np.abs(np.array(out, np.float64)) * (1 if kind == "z" else 40)), 2 if dtype == "bool" else 256).astype(STORED[dtype])
    return np.array(out, np.float64).astype(F[dtype])


class Input:
    def __init__(self, name, dtype, shape, layout="C", kind="n", seed=None):
        self.seed = rnd.randrange(1, 1000) if seed is None else seed
        self.text = f"{name}={dtype}:{'x'.join(map(str, shape))}:{layout}:{kind}:{self.seed}"
        self.a = values(dtype, math.prod(shape), kind, self.seed).reshape(shape)


def number(v, dtype):
    v = float(v)
    if math.isnan(v):
        return "nan"
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    if dtype == "f32" and v != 0:
        short = str(np.float32(v))
        if float(np.float32(float(short))) == v:
            return short[:-2] if short.endswith(".0") else short
    if v == int(v) and abs(v) < 1e15 and not (v == 0 and math.copysign(1, v) < 0):
        return str(int(v))
    return repr(v)


def result(r):
    if isinstance(r, Scalar):
        return result(r.value)
    if isinstance(r, (bool, np.bool_)):
        return f"b:{'true' if r else 'false'}"
    if isinstance(r, (int, np.integer)):
        return f"i:{int(r)}"
    if isinstance(r, (float, np.floating)):
        return f"n:{number(r, 'f32' if isinstance(r, np.float32) else 'f64')}"
    if r.dtype.kind in "iu" and r.dtype != np.uint8:
        raise TypeError("cast it first")
    dtype = {np.dtype(np.float32): "f32", np.dtype(bool): "bool", np.dtype(np.uint8): "u8"}.get(r.dtype, "f64")
    return f"{dtype}:{'x'.join(map(str, r.shape))}:{' '.join(number(v, dtype) for v in r.ravel())}"


class Scalar:
    """What leaves no axis is a number here."""

    def __init__(self, value):
        self.value = value


def reduced(r, dtype, kind=float):
    return Scalar(kind(F[dtype](r))) if np.ndim(r) == 0 else as_(r, dtype)


family, lines = None, []


def start(name):
    global family, lines
    family, lines = name, []


def finish():
    path = os.path.join(here, f"numpy_arrays_{family}.txt")
    with open(path, "w") as f:
        f.write(f"# numpy {np.__version__}\n" + "".join(line + "\n" for line in lines))
    print(f"{family}: {len(lines)} cases, {os.path.getsize(path)} bytes")


def case(inputs, lua, tolerance, *results):
    line = "\t".join([" ".join(i.text for i in inputs), lua, tolerance, ";".join(map(result, results))])
    if line not in lines:
        lines.append(line)


def as_(a, dtype):
    """A mask stays one."""
    a = np.asarray(a)
    return a if a.dtype == bool else a.astype(F[dtype])


def eps(dtype):
    return 2.0**-52 if dtype == "f64" else 2.0**-23


def tol(x):
    return f"~{float(x):.3g}"


LAYOUTS = ["C", "T", "S", "R", "O"]


def pick(i):
    return LAYOUTS[i % len(LAYOUTS)]


# ---- elementwise, two operands -----------------------------------------------------------------
start("binary")
PAIRS = [((2, 3), (2, 3)), ((3, 1), (1, 4)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((5,), ()), ((0, 3), (1, 3))]
BINARY = {
    "add": (np.add, "+", "="), "sub": (np.subtract, "-", "="), "mul": (np.multiply, "*", "="),
    "div": (np.divide, "/", "="), "pow": (np.power, "^", "u6"), "mod": (np.mod, "%", "="),
    "idiv": (np.floor_divide, "//", "="), "minimum": (np.minimum, None, "="), "maximum": (np.maximum, None, "="),
    "atan2": (np.arctan2, None, "u6"),
}
COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
           "ge": np.greater_equal}
DTYPES = [("f64", "f64"), ("f32", "f32"), ("f64", "f32")]
n = 0
for name, (f, op, t) in BINARY.items():
    for da, db in DTYPES:
        for sa, sb in PAIRS:
            kind = ("p", "n") if name == "pow" else ("n", "p") if name in ("mod", "idiv") else ("n", "e")
            n += 1
            a, b = Input("a", da, sa, pick(n), kind[0]), Input("b", db, sb, pick(n + n // 5), kind[1])
            case([a, b], f"a {op} b" if op and n % 2 else f"pg.{name}(a, b)", t, as_(f(a.a, b.a), "f64" if da != db else da))
        a = Input("a", da, (24,), "C", "s", 7)
        b = Input("b", db, (24,), "C", "s", 8)
        if name not in ("pow", "mod", "idiv"):
            case([a, b], f"a:{name}(b)", t, as_(f(a.a, b.a), "f64" if da != db else da))
        if da == db:
            a = Input("a", da, (2, 4), pick(n), "p")
            case([a], f"pg.{name}(a, 0.75)", t, as_(f(a.a, F[da](0.75)), da))
            case([a], f"pg.{name}(1.5, a)", t, as_(f(F[da](1.5), a.a), da))
            if op:
                case([a], f"3 {op} a", t, as_(f(F[da](3), a.a), da))
            out = Input("t", da, (2, 4), pick(n + 1), "n")
            case([a, out], f"pg.{name}(a, a, t)", t, as_(f(a.a, a.a), da))
            x = Input("x", da, (6,), "C", "p")
            y = x.a.copy()
            f(y[:-1], y[1:].copy(), out=y[1:])
            case([x], f"pg.{name}(x:slice{{1, -2}}, x:slice{{2, -1}}, x:slice{{2, -1}}) return x", t, y)
for name, f in COMPARE.items():
    for da, db in DTYPES:
        for k, (sa, sb) in enumerate(PAIRS[:4]):
            n += 1
            a, b = Input("a", da, sa, pick(n), "i"), Input("b", db, sb, pick(k), "i")
            case([a, b], f"a:{name}(b)", "=", as_(f(a.a, b.a), "f64" if da != db else da))
        a, b = Input("a", da, (24,), "C", "s", 7), Input("b", db, (24,), "R", "s", 8)
        case([a, b], f"pg.{name}(a, b)", "=", as_(f(a.a, b.a), "f64" if da != db else da))
    a = Input("a", "f32", (3, 3), "T", "i")
    case([a], f"a:{name}(1)", "=", as_(f(a.a, 1), "f32"))
for da, db in DTYPES:
    c, a, b = Input("c", da, (2, 1, 3), "C", "z"), Input("a", da, (4, 1), "T", "n"), Input("b", db, (3,), "R", "n")
    case([c, a, b], "pg.where(c, a, b)", "=", as_(np.where(c.a != 0, a.a, b.a), "f64" if da != db else da))
    m, k = Input("m", da, (3, 4), "T", "z"), Input("k", da, (4,), "C", "z")
    for op, f in (("&", np.logical_and), ("|", np.logical_or)):
        case([m, k], f"m {op} k", "=", as_(f(m.a, k.a), da))
    case([m], "~m", "=", as_(m.a == 0, da))
    case([a], "pg.where(a:gt(0), a, 0)", "=", np.where(a.a > 0, a.a, F[da](0)))
    case([a], "-a", "=", -a.a)
finish()

# ---- elementwise, one operand ------------------------------------------------------------------
start("unary")


def exactly(f):
    """f of double numbers, correctly rounded to the dtype but for the last bit of double."""
    return lambda a: np.array([f(float(v)) for v in a.ravel()], np.float64).reshape(a.shape).astype(a.dtype)


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v > -700 else 0.0


def log_sigmoid(v):
    return -math.log1p(math.exp(-v)) if v > 0 else v - math.log1p(math.exp(v))


UNARY = {
    "exp": (np.exp, "n", "u6"), "log": (np.log, "p", "u6"), "log2": (np.log2, "p", "u6"), "log10": (np.log10, "p", "u6"),
    "log1p": (np.log1p, "p", "u6"), "expm1": (np.expm1, "n", "u6"), "sqrt": (np.sqrt, "p", "="),
    "square": (np.square, "n", "="), "abs": (np.abs, "n", "="), "sign": (np.sign, "n", "="), "floor": (np.floor, "n", "="),
    "ceil": (np.ceil, "n", "="), "round": (np.rint, "n", "="), "trunc": (np.trunc, "n", "="), "sin": (np.sin, "n", "u6"),
    "cos": (np.cos, "n", "u6"), "tan": (np.tan, "n", "u6"), "tanh": (np.tanh, "n", "u6"), "sinh": (np.sinh, "n", "u6"),
    "cosh": (np.cosh, "n", "u6"), "sigmoid": (exactly(sigmoid), "n", "u6"),
    "log_sigmoid": (exactly(log_sigmoid), "n", "u6"), "softplus": (exactly(lambda v: -log_sigmoid(-v)), "n", "u6"),
    "erf": (exactly(math.erf), "n", "u6"), "lgamma": (exactly(mpmath.loggamma), "p", "u6"),
    "isnan": (np.isnan, "s", "="), "isfinite": (np.isfinite, "s", "="),
}
n = 0
for name, (f, kind, t) in UNARY.items():
    for dtype in F:
        for shape in ((2, 3), (7,), (3, 1, 2), (), (0, 2)):
            n += 1
            a = Input("a", dtype, shape, pick(n), kind)
            case([a], f"pg.{name}(a)" if n % 2 else f"a:{name}()", t, as_(f(a.a), dtype))
        if name not in ("sigmoid", "log_sigmoid", "softplus", "erf", "lgamma"):
            a = Input("a", dtype, (24,), "R", "s", 7)
            case([a], f"a:{name}()", t, as_(f(a.a), dtype))
        a, out = Input("a", dtype, (3, 4), pick(n), kind), Input("t", dtype, (3, 4), pick(n + 2), "n")
        case([a, out], f"pg.{name}(a, t) return t", t, f(a.a).astype(F[dtype]))
        case([a], f"pg.{name}(a, a) return a", t, f(a.a).astype(F[dtype]))
for dtype in F:
    a = Input("a", dtype, (2, 5), "S", "n")
    case([a], "a:clip(-0.5, 0.75)", "=", np.clip(a.a, F[dtype](-0.5), F[dtype](0.75)))
    lo = Input("lo", dtype, (5,), "R", "n")
    case([a, lo], "a:clip(lo, nil)", "=", np.maximum(a.a, lo.a))
    a = Input("a", dtype, (3, 3), "T", "u")
    case([a], "(a * 0.5 + 0.5):logit()", "u20", as_(np.log((a.a.astype(float) * 0.5 + 0.5) / (0.5 - a.a.astype(float) * 0.5)), dtype)) if dtype == "f64" else None
finish()

# ---- reductions --------------------------------------------------------------------------------
start("reduce")


def axes_of(ndim):
    yield None
    for k in range(ndim):
        yield (k,)
    if ndim >= 2:
        yield (0, ndim - 1)
    if ndim >= 3:
        yield (1, 2)
        yield (0, 1, 2)[:ndim]


def lua_axes(ax, ndim, i):
    if len(ax) == 1:
        return str(ax[0] + 1 if i % 3 else ax[0] - ndim)
    return "{" + ", ".join(str(k + 1) for k in ax) + "}"


def logsumexp(a, axis, keepdims):
    m = a.astype(np.float64)
    return np.log(np.sum(np.exp(m), axis=axis, keepdims=keepdims)).astype(a.dtype)


def norm(a, axis, keepdims):
    return np.sqrt(np.sum(np.square(a.astype(np.float64)), axis=axis, keepdims=keepdims)).astype(a.dtype)


def wide(f, **kw):
    return lambda a, axis, keepdims: f(a.astype(np.float64), axis=axis, keepdims=keepdims, **kw).astype(a.dtype)


REDUCE = {
    "sum": (wide(np.sum), "n", lambda a: a.size * np.abs(a).max(initial=0)),
    "mean": (wide(np.mean), "n", lambda a: np.abs(a).max(initial=0) * 2),
    "var": (wide(np.var), "n", lambda a: (np.abs(a).max(initial=0) * 2) ** 2),
    "std": (wide(np.std), "n", lambda a: np.abs(a).max(initial=0) * 4),
    "prod": (wide(np.prod), "p", lambda a: a.size * 3.1 ** min(a.size, 24)),
    "norm": (norm, "n", lambda a: a.size * np.abs(a).max(initial=0)),
    "logsumexp": (logsumexp, "n", lambda a: 8),
    "median": (lambda a, axis, keepdims: np.median(a, axis=axis, keepdims=keepdims), "n", None),
    "min": (lambda a, axis, keepdims: np.min(a, axis=axis, keepdims=keepdims), "n", None),
    "max": (lambda a, axis, keepdims: np.max(a, axis=axis, keepdims=keepdims), "n", None),
}
n = 0
for name, (f, kind, scale) in REDUCE.items():
    for dtype in F:
        for shape in ((7,), (3, 4), (2, 3, 2), (2, 1, 3, 2)):
            for ax in axes_of(len(shape)):
                n += 1
                a = Input("a", dtype, shape, pick(n), kind)
                keep = n % 2 == 0
                args = [] if ax is None else [lua_axes(ax, len(shape), n)]
                if keep:
                    args.append("{keepdims = true}")
                case([a], f"a:{name}({', '.join(args)})", tol(2 * eps(dtype) * scale(a.a)) if scale else "=",
                     reduced(f(a.a, ax, keep), dtype))
        a, out = Input("a", dtype, (3, 4), "T", kind), Input("t", dtype, (3,), "S", "n")
        case([a, out], f"a:{name}(2, {{out = t}}) return t", tol(2 * eps(dtype) * scale(a.a)) if scale else "=", as_(f(a.a, 1, False), dtype))
for dtype in F:
    for ddof in (1, 2):
        a = Input("a", dtype, (3, 4), "R", "n")
        for name, f in (("var", np.var), ("std", np.std)):
            case([a], f"a:{name}(1, {{ddof = {ddof}}})", tol(40 * eps(dtype) * 4), as_(f(a.a.astype(float), axis=0, ddof=ddof), dtype))
    for name in ("sum", "prod", "mean", "any", "all"):
        z = Input("a", dtype, (0, 3), "C", "n")
        r = getattr(np, name)(z.a, axis=0)
        case([z], f"a:{name}(1)", "=", as_(r, dtype))
    z = Input("a", dtype, (0, 3), "C", "n")
    case([z], "a:sum()", "=", 0.0)
    case([z], "a:max(2)", "=", np.zeros(0, F[dtype]))
    for shape in ((6,), (3, 4), (2, 3, 2)):
        for ax in [None] + list(range(len(shape))):
            for kind in ("i", "s"):
                n += 1
                a = Input("a", dtype, shape, pick(n), kind)
                arg = "" if ax is None else str(ax + 1)
                for name, f in (("argmin", np.argmin), ("argmax", np.argmax)):
                    r = f(a.a, axis=ax)
                    case([a], f"a:{name}({arg})", "=", reduced(r + 1, "f64", int))
                for name, f in (("min", np.min), ("max", np.max)):
                    r = f(a.a, axis=ax)
                    case([a], f"pg.{name}(a{', ' if arg else ''}{arg})", "u0", reduced(r, dtype))
            z = Input("a", dtype, shape, pick(n), "z")
            for name, f in (("any", np.any), ("all", np.all)):
                r = f(z.a, axis=ax)
                case([z], f"a:{name}({arg})", "=", reduced(r, dtype, bool))
            a = Input("a", dtype, shape, pick(n), "n")
            c = np.cumsum(a.a.astype(float), axis=ax).astype(F[dtype])
            case([a], f"a:cumsum({arg})", tol(2 * eps(dtype) * np.abs(a.a).sum()), c)
            e = np.exp(a.a.astype(float))
            case([a], f"a:softmax({arg})", tol(8 * eps(dtype)), as_(e / e.sum(axis=ax, keepdims=True), dtype))
finish()

# ---- indexing, views, copies -------------------------------------------------------------------
start("index")


def lua_slice(j, k, step, extent):
    """The indices of {j, k, step} as DESIGN has it: inclusive, clipped, negative from the end."""
    lo = j if j >= 0 else j + extent + 1
    hi = k if k >= 0 else k + extent + 1
    if step > 0:
        return [i - 1 for i in range(max(lo, 1), min(hi, extent) + 1, step)]
    return [i - 1 for i in range(min(lo, extent), max(hi, 1) - 1, step)]


def random_item(extent):
    """Lua text, indices, whether the axis stays"""
    what = rnd.randrange(6)
    if what == 0 and extent > 0:
        i = rnd.randrange(1, extent + 1)
        return (str(i) if rnd.random() < 0.5 else str(i - extent - 1)), [i - 1], False
    if what == 1:
        return "{}", list(range(extent)), True
    if what == 2 and extent > 0:
        i = rnd.randrange(1, extent + 1)
        return f"{{{i}}}", [i - 1], True
    j, k = rnd.randrange(-extent - 2, extent + 3), rnd.randrange(-extent - 2, extent + 3)
    if what == 3:
        return f"{{{j}, {k}}}", lua_slice(j, k, 1, extent), True
    step = rnd.choice([1, 2, 3, -1, -2, -3, 7, -7])
    return f"{{{j}, {k}, {step}}}", lua_slice(j, k, step, extent), True


def random_region(shape):
    items = [random_item(e) for e in shape[: rnd.randrange(1, len(shape) + 1)]]
    full = items + [("{}", list(range(e)), True) for e in shape[len(items):]]
    return items, np.ix_(*[np.array(i[1], int) for i in full]), [k for k, i in enumerate(full) if not i[2]]


for n in range(220):
    dtype = "f64" if n % 2 else "f32"
    shape = [(6,), (4, 5), (3, 4, 2), (2, 3, 2, 2), (0, 3), (5, 1)][n % 6]
    a = Input("a", dtype, shape, pick(n // 6), "n")
    items, where, drop = random_region(shape)
    text = ", ".join(i[0] for i in items)
    part = a.a[where]
    dropped = part.reshape([e for k, e in enumerate(part.shape) if k not in drop])
    r = float(dropped) if dropped.ndim == 0 else dropped
    if n % 3 == 0:
        case([a], f"a[{{{text}}}]", "=", r)
    elif n % 3 == 1:
        case([a], f"a:slice({text})", "=", r)
    else:
        after = a.a.copy()
        if n % 2:
            after[where] = 7.5
            case([a], f"a[{{{text}}}] = 7.5 return a", "=", after)
        else:
            v = Input("v", dtype, dropped.shape, pick(n), "i")
            after[where] = v.a.reshape(part.shape)
            case([a, v], f"a[{{{text}}}] = v return a", "=", after)
for n, shape in enumerate([(5,), (2, 3), (2, 3, 4)]):
    for dtype in F:
        a = Input("a", dtype, shape, pick(n), "n")
        case([a], "a[2]", "=", float(a.a[1]) if a.a.ndim == 1 else a.a[1])
        case([a], "a[-1]", "=", float(a.a[-1]) if a.a.ndim == 1 else a.a[-1])
        case([a], f"a({', '.join('-1' for _ in shape)})", "=", float(a.a.ravel()[-1]))
        case([a], f"a:get({', '.join('2' for _ in shape)})", "=", float(a.a[(1,) * len(shape)]))
        b = a.a.copy()
        b[1] = 2.5
        case([a], "a[2] = 2.5 return a", "=", b)
        b = a.a.copy()
        b[(1,) * len(shape)] = -1
        case([a], f"a:set({', '.join('2' for _ in shape)}, -1) return a", "=", b)
        case([a], "#a", "=", shape[0])
        case([a], "a.size", "=", a.a.size)
        case([a], "a.ndim", "=", len(shape))
        case([a], "a:dims()", "=", *shape)
        case([a], "a.T", "=", a.a.T)
n = 0
for dtype in F:
    for shape, targets in {(12,): [(3, 4), (2, -1), (2, 3, 2), (1, 12)], (3, 4): [(12,), (4, 3), (2, 3, 2), (-1,), (3, 4)],
                           (2, 3, 4): [(6, 4), (2, 12), (4, 3, 2), (-1, 2)], (0, 3): [(3, 0), (0,), (0, 5)], (1,): [(), (1, 1)],
                           (2, 2): [(1,) * 30 + (2, 2)]}.items():
        for to in targets:
            n += 1
            a = Input("a", dtype, shape, pick(n), "n")
            case([a], f"a:reshape({', '.join(map(str, to)) if to else '{}'})", "=", a.a.reshape(to))
    for shape in ((3, 4), (2, 3, 4), (2, 1, 3, 2)):
        for order in [tuple(reversed(range(len(shape))))] + [tuple(rnd.sample(range(len(shape)), len(shape))) for _ in range(4)]:
            n += 1
            a = Input("a", dtype, shape, pick(n), "n")
            case([a], f"a:transpose({', '.join(str(k + 1) for k in order)})", "=", a.a.transpose(order))
        a = Input("a", dtype, shape, pick(n), "n")
        case([a], "a:transpose()", "=", a.a.T)
        for k in range(len(shape) + 1):
            case([a], f"a:expand_dims({k + 1})", "=", np.expand_dims(a.a, k))
        for k in range(len(shape)):
            case([a], f"a:flip({k + 1})", "=", np.flip(a.a, k))
        case([a], "a:flip()", "=", np.flip(a.a))
    a = Input("a", dtype, (1, 3, 1, 2), "T", "n")
    case([a], "a:squeeze()", "=", a.a.squeeze())
    case([a], "a:squeeze(1)", "=", a.a.squeeze(0))
    case([a], "a:squeeze(-2)", "=", a.a.squeeze(-2))
    for layout in LAYOUTS:
        a = Input("a", dtype, (3, 4), layout, "s")
        small = a.a.size < 20
        case([a], "a:copy()" if small else "a:sum()", "=", a.a if small else float(x.sum()))
        case([a], 'a:astype("f64")', "=", a.a.astype(float))
        case([a], 'a:astype("f32")', "=", a.a.astype(np.float32))
        case([a], "pg.array(a:totable(), a.dtype)", "=", a.a)
        case([a], "pg.zeros_like(a)", "=", np.zeros_like(a.a))
        case([a], "pg.ones_like(a)", "=", np.ones_like(a.a))
        b = Input("b", dtype, (4,), layout, "n")
        case([a, b], "a:assign(b)", "=", np.broadcast_to(b.a, a.a.shape).copy())
        case([a], "a:slice({1, 2}):assign(a:slice({2, 3})) return a", "=", np.concatenate([a.a[1:3], a.a[2:]]))
        case([a], "a:slice({2, 3}):assign(a:slice({1, 2})) return a", "=", np.concatenate([a.a[:1], a.a[:2]]))
        s = Input("a", dtype, (3, 3), layout, "n")
        case([s], "a:assign(a.T) return a", "=", s.a.T)
    a = Input("a", dtype, (3,), "S", "n")
    case([a], "a[4] == nil", "=", True)
for (lo, hi, step), r in {(1, 5, 1): np.arange(1.0, 6), (0, 1, 0.25): np.arange(5) * 0.25, (5, 1, -2): np.array([5.0, 3, 1]),
                          (1, 0, 1): np.zeros(0), (-2, 2, 1): np.arange(-2.0, 3)}.items():
    case([], f"pg.range({lo}, {hi}, {step})", "=", r)
for lo, hi, k in ((0, 1, 5), (1, 1, 3), (-1, 2, 7), (0, 1, 1), (3, -3, 4), (0, 1, 0), (0.1, 0.9, 11)):
    case([], f"pg.linspace({lo}, {hi}, {k})", "u2", np.linspace(lo, hi, k))
case([], "pg.eye(3)", "=", np.eye(3))
case([], "pg.zeros(2, 3)", "=", np.zeros((2, 3)))
case([], 'pg.ones({2, 2}, "f32")', "=", np.ones((2, 2), np.float32))
case([], 'pg.full({2, 1}, -2.5, "f32")', "=", np.full((2, 1), -2.5, np.float32))
case([], "pg.full({}, 3)", "=", np.array(3.0))
case([], "pg.array{{1, 2}, {3, 4}}", "=", np.array([[1.0, 2], [3, 4]]))
case([], 'pg.array({0.1, 1e40}, "f32")', "=", np.array([0.1, 1e40]).astype(np.float32))
finish()

# ---- rearranging and selecting -----------------------------------------------------------------
start("rearrange")
n = 0
for dtype in F:
    for shape in ((4,), (2, 3), (2, 3, 2), (0, 2)):
        for k in range(len(shape)):
            n += 1
            other = list(shape)
            other[k] = 1 + n % 3
            a, b = Input("a", dtype, shape, pick(n), "n"), Input("b", dtype, other, pick(n + 1), "n")
            axis = k + 1 if n % 2 else k - len(shape)
            case([a, b], f"pg.concat({{a, b, a}}, {axis})", "=", np.concatenate([a.a, b.a, a.a], k))
            c = Input("b", "f64", other, pick(n + 2), "n")
            case([a, c], f"pg.concat({{a, b}}, {axis})", "=", np.concatenate([a.a, c.a], k))
            for shift in (1, -2, 7):
                case([a], f"a:roll({shift}, {axis})", "=", np.roll(a.a, shift, k))
            case([a], f"a:repeat_(2, {axis})", "=", np.repeat(a.a, 2, k))
            times = [(i * 2 + 1) % 3 for i in range(shape[k])]
            if shape[k]:
                case([a], f"a:repeat_({{{', '.join(map(str, times))}}}, {axis})", "=", np.repeat(a.a, times, k))
                idx = [rnd.randrange(-shape[k], shape[k]) for _ in range(5)]
                lua = ", ".join(str(i + 1 if i >= 0 else i) for i in idx)
                case([a], f"a:take({{{lua}}}, {axis})", "=", np.take(a.a, idx, k))
                case([a], f"a:take({{{{{lua}}}, {{{lua}}}}}, {axis})", "=", np.take(a.a, [idx, idx], k))
                one = np.take(a.a, idx[0], k)
                case([a], f"a:take({idx[0] + 1 if idx[0] >= 0 else idx[0]}, {axis})", "=", float(one) if one.ndim == 0 else one)
                m = [rnd.randrange(2) for _ in range(shape[k])]
                case([a], f"a:compress({{{', '.join(map(str, m))}}}, {axis})", "=", np.compress(m, a.a, k))
            case([a], f"a:diff({axis})", "=", np.diff(a.a, axis=k))
            case([a], f"a:diff({axis}, {{n = 2}})", "=", np.diff(a.a, n=2, axis=k))
        for k in range(len(shape) + 1):
            a, b = Input("a", dtype, shape, pick(n), "n"), Input("b", "f32", shape, pick(n + 3), "n")
            case([a, b], f"pg.stack({{a, b}}, {k + 1})", "=", np.stack([a.a, b.a], k))
        a = Input("a", dtype, shape, pick(n + 2), "n")
        case([a], "a:roll(2)", "=", np.roll(a.a, 2))
        case([a], "a:repeat_(3)", "=", np.repeat(a.a, 3))
        for reps in ((2,), (2, 1), (1, 2, 2)):
            case([a], f"a:tile({', '.join(map(str, reps))})", "=", np.tile(a.a, reps))
        m = Input("m", dtype, shape, pick(n + 4), "z")
        case([a, m], "a:compress(m)", "=", a.a[m.a != 0])
        case([m], "m:nonzero()", "=", *[as_(i + 1, "f64") for i in np.nonzero(m.a)])
    for shape in ((3, 3), (2, 4), (4, 2), (2, 3, 3), (1, 1)):
        for k in (-3, -1, 0, 1, 2):
            n += 1
            a = Input("a", dtype, shape, pick(n), "n")
            case([a], f"a:tril({k})", "=", np.tril(a.a, k))
            case([a], f"a:triu({k})", "=", np.triu(a.a, k))
            if len(shape) == 2:
                case([a], f"a:diag({k})", "=", np.diag(a.a, k))
        if len(shape) == 2:
            case([a], "a:trace()", tol(4 * eps(dtype) * 8), float(np.trace(a.a)))
    for k in (-2, -1, 0, 1, 3):
        v = Input("v", dtype, (3,), pick(k + 2), "n")
        case([v], f"pg.diag(v, {k})", "=", np.diag(v.a, k))
    for da in F:
        a, b = Input("a", dtype, (3,), "R", "n"), Input("b", da, (2, 2), "T", "n")
        case([a, b], "pg.outer(a, b)", "=", np.outer(a.a, b.a))
    x, y, z = (Input(k, dtype, (e,), l, "n") for k, e, l in (("x", 3, "S"), ("y", 2, "R"), ("z", 4, "C")))
    case([x, y], "pg.meshgrid(x, y)", "=", *np.meshgrid(x.a, y.a))
    case([x, y], 'pg.meshgrid(x, y, {indexing = "ij"})', "=", *np.meshgrid(x.a, y.a, indexing="ij"))
    case([x, y, z], "pg.meshgrid(x, y, z)", "=", *np.meshgrid(x.a, y.a, z.a))
finish()

# ---- sorting and counting ----------------------------------------------------------------------
start("sort")
n = 0
for dtype in F:
    for kind in ("n", "i", "s", "e"):
        for shape in ((1,), (9,), (33,), (3, 5), (2, 3, 4), (0, 3), ()):
            for k in range(len(shape)) if shape else [None]:
                n += 1
                a = Input("a", dtype, shape, pick(n), kind)
                axis = "" if k is None else str(k + 1 if n % 2 else k - len(shape))
                s = np.sort(a.a, axis=k, kind="stable") if k is not None else a.a
                i = np.argsort(a.a, axis=k, kind="stable") + 1 if k is not None else np.array(1)
                case([a], f"a:sort({axis})", "=", s)
                case([a], f"a:argsort({axis})", "=", as_(i, "f64"))
        a = Input("a", dtype, (400,), "S", kind)
        i = as_(np.argsort(a.a, kind="stable") + 1, "f64")
        w = np.arange(1.0, 401)
        case([a], "(a:argsort() * pg.range(1, 400)):sum()", "=", float((i * w).sum()))
        a = Input("a", dtype, (4, 6), pick(n), kind)
        if kind != "s":
            v, f, inv, c = np.unique(a.a, True, True, True)
            case([a], "pg.unique(a)", "=", v, as_(c, "f64"), as_(inv.reshape(a.a.shape) + 1, "f64"), as_(f + 1, "f64"))
    for k in (0, 1):
        a = Input("a", dtype, (7, 3) if k == 0 else (3, 7), pick(n + k), "z")
        v, f, inv, c = np.unique(a.a, True, True, True, axis=k)
        case([a], f"a:unique({k + 1})", "=", v, as_(c, "f64"), as_(inv + 1, "f64"), as_(f + 1, "f64"))
    for side in ("left", "right"):
        a, v = Input("a", dtype, (12,), "C", "i"), Input("v", dtype, (2, 5), "T", "i")
        case([a, v], f'a:sort():searchsorted(v, {{side = "{side}"}})', "=", as_(np.searchsorted(np.sort(a.a), v.a, side) + 1, "f64"))
        case([a], f'a:sort():searchsorted(1, {{side = "{side}"}})', "=", int(np.searchsorted(np.sort(a.a), 1, side)) + 1)
    for shape, ax in (((9,), None), ((3, 5), None), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), (0, 2))):
        for q in (0.1, 0.5, 0.9, (0.0, 0.25, 1.0)):
            n += 1
            a = Input("a", dtype, shape, pick(n), "n")
            text = q if isinstance(q, float) else "{" + ", ".join(map(str, q)) + "}"
            arg = "" if ax is None else ", " + (str(ax + 1) if isinstance(ax, int) else "{" + ", ".join(str(k + 1) for k in ax) + "}")
            r = np.quantile(a.a.astype(float), q, axis=ax)
            case([a], f"a:quantile({text}{arg})", tol(4 * eps(dtype)), reduced(r, dtype))
    for bins in (1, 3, 10):
        a = Input("a", dtype, (4, 6), pick(n + bins), "i")
        h, e = np.histogram(a.a.astype(float), bins)
        case([a], f"a:histogram({bins})", tol(1e-15 * 8), as_(h, "f64"), e)
        h, e = np.histogram(a.a.astype(float), bins, range=(-2, 3), density=True)
        case([a], f"a:histogram({bins}, {{range = {{-2, 3}}, density = true}})", tol(1e-15 * 8), h, e)
    edges = [-3, -1, 0, 0.5, 4]
    h, e = np.histogram(a.a, edges)
    case([a], "a:histogram{-3, -1, 0, 0.5, 4}", "=", as_(h, "f64"), as_(e, "f64"))
    w = Input("w", dtype, (4, 6), "T", "i")
    h, e = np.histogram(a.a.astype(float), 4, weights=w.a.astype(float))
    case([a, w], "a:histogram(4, {weights = w})", tol(1e-15 * 8), h, e)
    b = Input("a", dtype, (15,), pick(n), "i")
    case([b], "pg.bincount(a:abs() + 1)", "=", as_(np.bincount(np.abs(b.a).astype(int)), "f64"))
    case([b], "pg.bincount(a:abs(), {first = 0, minlength = 8})", "=", as_(np.bincount(np.abs(b.a).astype(int), minlength=8), "f64"))
    for layout in LAYOUTS:
        X = Input("a", dtype, (8, 3), layout, "n")
        case([X], "a:cov()", tol(20 * eps(dtype)), as_(np.cov(X.a, rowvar=False), dtype))
        case([X], "a:cov{ddof = 0}", tol(20 * eps(dtype)), as_(np.cov(X.a, rowvar=False, ddof=0), dtype))
        case([X], "a:corrcoef()", tol(20 * eps(dtype)), as_(np.corrcoef(X.a, rowvar=False), dtype))
    x, y = Input("x", dtype, (9,), "R", "n"), Input("y", dtype, (9,), "S", "n")
    case([x, y], "pg.cov(x, y)", tol(20 * eps(dtype)), as_(np.cov(x.a, y.a), dtype))
    case([x], "pg.cov(x)", tol(20 * eps(dtype)), float(np.cov(x.a)))
finish()

# ---- output that overlaps input ----------------------------------------------------------------
start("overlap")
for dtype in F:
    for layout in LAYOUTS:
        a, b = Input("a", dtype, (3, 3), layout, "n"), Input("b", dtype, (3,), layout, "n")
        A, B = a.a, b.a
        w = A.astype(float)
        for text, t, r in (
            ("pg.add(a, a.T, a) return a", "=", A + A.T),
            ("pg.mul(a.T, a, a:flip()) return a", "=", np.flip(A.T * A)),
            ("pg.sub(a, a[2], a) return a", "=", A - A[1]),
            ("pg.abs(a, a.T) return a", "=", np.abs(A).T),
            ("pg.sqrt(a:abs(), a:flip(1)) return a", "=", np.flip(np.sqrt(np.abs(A)), 0)),
            ("pg.exp(a.T, a) return a", "u6", np.exp(A.T)),
            ("pg.where(a:gt(0), a, a.T, a) return a", "=", np.where(A > 0, A, A.T)),
            ("pg.clip(a.T, -0.5, 0.5, a) return a", "=", np.clip(A.T, F[dtype](-0.5), F[dtype](0.5))),
            ("pg.eq(a, a.T, a) return a", "=", (A == A.T).astype(F[dtype])),
            ("a:cumsum(1, {out = a}) return a", tol(40 * eps(dtype)), as_(np.cumsum(w, 0), dtype)),
            ("a:cumsum(2, {out = a.T}) return a", tol(40 * eps(dtype)), as_(np.cumsum(w, 1).T, dtype)),
            ("a:softmax(2, {out = a}) return a", tol(8 * eps(dtype)), as_(np.exp(w) / np.exp(w).sum(1, keepdims=True), dtype)),
            ("a:max(1, {out = a[1]}) return a[1]", "=", A.max(0)),
            ("a:min(1, {out = a.T[3]}) return a:slice({}, 3)", "=", A.min(0)),
            ("a:sort(1, {out = a.T}) return a", "=", np.sort(A, 0).T),
            ("a:sort(2, {out = a:flip(2)}) return a", "=", np.sort(A, 1)[:, ::-1]),
            ("a:roll(1, 2, {out = a}) return a", "=", np.roll(A, 1, 1)),
            ("a:roll(2, {out = a.T}) return a", "=", np.roll(A, 2).T),
            ("a:take({3, 1, 1}, 1, {out = a}) return a", "=", A[[2, 0, 0]]),
            ("a:tril(0, {out = a.T}) return a", "=", np.tril(A).T),
            ("a:median(2, {out = a[1]}) return a[1]", "=", np.median(A, 1)),
            ("pg.concat({a:slice({2, 3}), a:slice({1})}, {out = a}) return a", "=", A[[1, 2, 0]]),
            ("pg.stack({a[3], a[1], a[2]}, 2, {out = a}) return a", "=", A[[2, 0, 1]].T),
            ("pg.dot(a, a, a) return a", tol(60 * eps(dtype)), as_(w @ w, dtype)),
            ("pg.matmul(a, a.T, a:flip()) return a", tol(60 * eps(dtype)), as_(np.flip(w @ w.T), dtype)),
            ("a:assign(a.T) return a", "=", A.T),
            ("a[{{1, 2}, {}}] = a:slice({2, 3}) return a", "=", A[[1, 2, 2]]),
        ):
            case([a], text, t, r)
        case([b], "pg.outer(b, b, pg.zeros(3, 3, b.dtype))", "=", np.outer(B, B))
        case([a], "pg.outer(a[1], a[3], a) return a", "=", np.outer(A[0], A[2]))
finish()

# ---- products and decompositions ---------------------------------------------------------------
start("linalg")
n = 0


def product(inputs, lua, f):
    """f over the operands; tolerance k eps times the product of the absolute values"""
    dtype = "f64" if any(i.a.dtype == np.float64 for i in inputs) else "f32"
    r = f(*[i.a.astype(float) for i in inputs])
    scale = np.max(f(*[np.abs(i.a.astype(float)) for i in inputs]), initial=0)
    case(inputs, lua, tol(8 * eps(dtype) * (1 + scale)), reduced(r, dtype))


for da, db in DTYPES:
    for sa, sb in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((1, 5), (5, 1)), ((4, 2, 3), (4, 3, 2)),
                   ((2, 3), (4, 3, 2)), ((4, 2, 3), (3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
                   ((17, 9), (9, 5)) if da == db else ((2, 2), (2, 2))):
        for k in range(2):
            n += 1
            a, b = Input("a", da, sa, pick(n), "n"), Input("b", db, sb, pick(n + 1 + n // 5), "n")
            product([a, b], "a:dot(b)" if k else "pg.matmul(a, b)", np.matmul)
    for spec, sa, sb in (("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,ij->", (2, 3), (2, 3)), ("i,j->ij", (2,), (3,)),
                         ("ij,kj->ki", (2, 3), (4, 3)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("ij,j->i", (2, 3), (3,)),
                         ("ijk,kl->lij", (2, 3, 2), (2, 3)), ("ii,i->", (3, 3), (3,)), ("ij,ji->j", (2, 3), (3, 2)),
                         ("i,ij,j->", (2,), (2, 3)), ("ij,k->ik", (2, 3), (2,))):
        n += 1
        a, b = Input("a", da, sa, pick(n), "n"), Input("b", db, sb, pick(n + 2), "n")
        if spec.count(",") == 2:
            c = Input("c", da, (3,), "R", "n")
            product([a, b, c], f'pg.einsum("{spec}", a, b, c)', lambda x, y, z: np.einsum(spec, x, y, z))
        else:
            product([a, b], f'pg.einsum("{spec}", a, b)', lambda x, y: np.einsum(spec, x, y))
for dtype in F:
    for spec, sa in (("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ijk->ik", (2, 3, 2)), ("iji->j", (2, 3, 2)),
                     ("ji", (2, 3)), ("iii", (2, 2, 2)), ("ijij->ij", (2, 3, 2, 3))):
        n += 1
        a = Input("a", dtype, sa, pick(n), "n")
        product([a], f'pg.einsum("{spec}", a)', lambda x: np.einsum(spec, x))


def square(dtype, k, layout):
    return Input("a", dtype, (k, k), layout, "n")


def within(dtype, scale, k=1):
    return tol(30 * k * eps(dtype) * scale)


def f64_of(i):
    return i.a.astype(float)


for dtype in F:
    for k in (1, 2, 3, 5, 8):
        for layout in LAYOUTS[:4]:
            n += 1
            a = square(dtype, k, layout)
            A = f64_of(a)
            cond = np.linalg.cond(A)
            if cond > 300:
                continue
            b, B = Input("b", dtype, (k,), layout, "n"), Input("b", dtype, (k, 2), layout, "n")
            size = np.abs(np.linalg.inv(A)).max()
            for v in (b, B):
                x = np.linalg.solve(A, f64_of(v))
                case([a, v], "pg.linalg.solve(a, b)", within(dtype, cond * (1 + np.abs(x).max())), as_(x, dtype))
            case([a], "pg.linalg.inv(a)", within(dtype, cond * size), as_(np.linalg.inv(A), dtype))
            d = np.linalg.det(A)
            case([a], "pg.linalg.det(a)", within(dtype, np.linalg.norm(A, 2) ** k, k), float(F[dtype](d)))
            sign, logdet = np.linalg.slogdet(A)
            case([a], "pg.linalg.slogdet(a)", within(dtype, cond, k), float(sign), float(F[dtype](logdet)))
            w = np.linalg.eigvalsh(A + A.T)
            S = f"(a + a.T)"
            case([a], f"(pg.linalg.eigh({S}))", within(dtype, np.abs(w).max()), as_(w, dtype))
            case([a], f"(function(w, V) return V:dot(pg.diag(w)):dot(V.T) end)(pg.linalg.eigh({S}))", within(dtype, np.abs(w).max(), k), as_(A + A.T, dtype))
            P = A @ A.T + np.eye(k)
            case([a], "pg.linalg.cholesky(a:dot(a.T) + pg.eye(#a):astype(a.dtype))", within(dtype, np.abs(P).max(), k), as_(np.linalg.cholesky(P), dtype))
            case([a], "pg.linalg.cond(a)", within(dtype, cond * cond), float(F[dtype](cond)))
            L = "a + pg.eye(#a):astype(a.dtype) * 4"
            for triangle, options in ((np.tril, ", {lower = true}"), (np.triu, ", {lower = false}")):
                case([a, b], f"pg.linalg.solve_triangular({L}, b{options})", within(dtype, 100 * k),
                     as_(np.linalg.solve(triangle(A) + 4 * np.eye(k), f64_of(b)), dtype))
    for layout in LAYOUTS:
        a, b = Input("a", dtype, (2, 3, 3), layout, "n", 77), Input("b", dtype, (2, 3, 2), layout, "n")
        A = f64_of(a)
        P = A @ A.transpose(0, 2, 1) + np.eye(3)
        cond = np.linalg.cond(A).max()
        case([a, b], "pg.linalg.solve(a, b)", within(dtype, cond * 100), as_(np.linalg.solve(A, f64_of(b)), dtype))
        case([a], "pg.linalg.inv(a)", within(dtype, cond * 100), as_(np.linalg.inv(A), dtype))
        case([a], "pg.linalg.det(a)", within(dtype, 100), as_(np.linalg.det(A), dtype))
        text = "a:matmul(a:transpose(1, 3, 2)) + pg.eye(3):astype(a.dtype)"
        case([a], f"pg.linalg.cholesky({text})", within(dtype, np.abs(P).max()), as_(np.linalg.cholesky(P), dtype))
        case([a], f"(pg.linalg.eigh({text}))", within(dtype, np.abs(P).max() * 3), as_(np.linalg.eigvalsh(P), dtype))
        case([a], "(function(U, s, Vt) return s end)(pg.linalg.svd(a))", within(dtype, 10), as_(np.linalg.svd(A)[1], dtype))
    for shape in ((5, 3), (3, 5), (4, 4), (6, 1), (1, 4)):
        for layout in LAYOUTS[:4]:
            n += 1
            a = Input("a", dtype, shape, layout, "n")
            A = f64_of(a)
            s = np.linalg.svd(A, compute_uv=False)
            case([a], "(function(U, s, Vt) return s end)(pg.linalg.svd(a))", within(dtype, s[0]), as_(s, dtype))
            case([a], "(function(U, s, Vt) return (U * s):dot(Vt) end)(pg.linalg.svd(a))", within(dtype, s[0], 2), a.a)
            case([a], "(function(U, s, Vt) return U.T:dot(U) end)(pg.linalg.svd(a))", within(dtype, 1, 2), as_(np.eye(min(shape)), dtype))
            case([a], "(function(Q, R) return Q:dot(R) end)(pg.linalg.qr(a))", within(dtype, s[0], 2), a.a)
            case([a], "(function(Q, R) return R:abs() end)(pg.linalg.qr(a))", within(dtype, s[0], 2), as_(np.abs(np.linalg.qr(A)[1]), dtype))
            case([a], "pg.linalg.norm(a)", within(dtype, s[0], 2), float(F[dtype](np.linalg.norm(A))))
            case([a], "pg.linalg.rank(a)", "=", int(np.linalg.matrix_rank(A)))
            if s[0] / s[-1] < 100:
                p = np.linalg.pinv(A)
                case([a], "pg.linalg.pinv(a)", within(dtype, s[0] / s[-1] ** 2, 2), as_(p, dtype))
                if shape[0] > shape[1]:
                    b = Input("b", dtype, (shape[0],), layout, "n")
                    x, rss, rank, _ = np.linalg.lstsq(A, f64_of(b), rcond=None)
                    case([a, b], "(pg.linalg.lstsq(a, b))", within(dtype, (s[0] / s[-1]) ** 2 * (1 + np.abs(x).max())), as_(x, dtype))
finish()

# ---- what is only stored -----------------------------------------------------------------------
# Arithmetic on bool and u8 is that on f64, or on f32 with f32.
start("stored")
ALL = {**F, **STORED}
n = 0


def real(a, *others):
    return a.astype(np.float32 if np.float32 in [x.dtype for x in (a, *others)] and
                    np.float64 not in [x.dtype for x in (a, *others)] else np.float64)


for da, db in [("u8", "u8"), ("bool", "bool"), ("u8", "bool"), ("bool", "f32"), ("f64", "u8"), ("f32", "u8")]:
    for sa, sb in PAIRS[:4]:
        n += 1
        a, b = Input("a", da, sa, pick(n), "p"), Input("b", db, sb, pick(n + 1), "p")
        x, y = real(a.a, b.a), real(b.a, a.a)
        for op, f in (("+", np.add), ("-", np.subtract), ("*", np.multiply)):
            case([a, b], f"a {op} b", "=", f(x, y))
        case([a, b], "pg.maximum(a, b)", "=", np.maximum(x, y))
        for name, f in COMPARE.items():
            case([a, b], f"a:{name}(b)", "=", f(x, y))
        for op, f in (("&", np.logical_and), ("|", np.logical_or), ("~", np.logical_xor)):
            case([a, b], f"a {op} b", "=", f(x, y))
for dtype in STORED:
    for shape in ((6,), (3, 4), (2, 3, 2), (40, 9), (700,), (3, 60)):
        n += 1
        a = Input("a", dtype, shape, pick(n), "p")
        x = a.a.astype(float)
        small = a.a.size < 20
        case([a], "a:copy()" if small else "a:sum()", "=", a.a if small else float(x.sum()))
        if small:
            case([a], "~a", "=", a.a == 0)
            case([a], "-a", "=", -x)
            case([a], "a:sqrt()", "=", np.sqrt(x))
            case([a], "a:astype('f32')", "=", a.a.astype(np.float32))
            case([a], "a:gt(1)", "=", a.a > 1)
            case([a], "a:lt(0.5)", "=", a.a < 0.5)
            case([a], "a:eq(300)", "=", a.a == 300)
            case([a], "pg.where(a, a, 1)", "=", np.where(a.a != 0, a.a, ALL[dtype](1)))
            case([a], "a:flip(1)", "=", np.flip(a.a, 0))
            case([a], "a:take({1, -1, 2})", "=", np.take(a.a, [0, -1, 1], axis=0))
            case([a], "a:compress(a)", "=", a.a[a.a != 0])
            case([a], "pg.concat{a, a}", "=", np.concatenate([a.a, a.a]))
            case([a], "pg.concat{a, a:astype('f32')}", "=", np.concatenate([a.a, a.a]).astype(np.float32))
            case([a], "a:roll(2)", "=", np.roll(a.a, 2))
        for ax in [None] + list(range(len(shape))):
            arg = "" if ax is None else str(ax + 1)
            case([a], f"a:sum({arg})", "=", reduced(np.sum(x, axis=ax), "f64"))
            case([a], f"a:mean({arg})", "u1", reduced(np.mean(x, axis=ax), "f64"))
            case([a], f"a:var({arg})", f"~{1e-10}", reduced(np.var(x, axis=ax), "f64"))
            for name, f in (("min", np.min), ("max", np.max)):
                r = f(a.a, axis=ax)
                case([a], f"a:{name}({arg})", "=", Scalar(float(r)) if ax is None or len(shape) == 1 else r)
            for name, f in (("any", np.any), ("all", np.all)):
                r = f(a.a, axis=ax)
                case([a], f"a:{name}({arg})", "=", Scalar(bool(r)) if ax is None or len(shape) == 1 else r)
            for name, f in (("argmin", np.argmin), ("argmax", np.argmax)):
                r = f(a.a, axis=ax)
                case([a], f"a:{name}({arg})", "=", reduced(r + 1, "f64", int))
            if small:
                case([a], f"a:cumsum({arg})", "=", np.cumsum(x, axis=ax))
finish()
