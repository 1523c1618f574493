# SPDX-License-Identifier: MIT
# Writes numpy_random.txt beside it, from NumPy (1.24.2 made the file that is kept):
#   /usr/bin/python3 tests/golden/numpy_random.py > tests/golden/numpy_random.txt
# A line is a name and numbers; floats in hexadecimal. Indices count from 0, as NumPy's do.
import numpy as np


def put(name, values):
    values = np.asarray(values).ravel()
    if values.dtype.kind == "f":
        print(name, *(float(v).hex() for v in values))
    else:
        print(name, *(int(v) for v in values))


new, old = np.random.default_rng, np.random.RandomState
print("# numpy", np.__version__)
for seed in (0, 1, 42, 12345, 2**32 - 1, 2**32, 2**63 - 1, 2**64 + 7, 10**40, 2**300 + 5):
    put(f"pcg.random.{seed}", new(seed).random(5))
put("pcg.random.list", new([1, 2**40, 0, 77, 5]).random(3))
put("pcg.random.long", new(3).random(1003)[-4:])
put("pcg.normal", new(42).standard_normal(40))
z = new(7).standard_normal(200000)
put("pcg.normal.long", z[-5:])
put("pcg.normal.sum", [z.sum(), (z * z).sum(), np.abs(z).max()])
rng = new(9)
rng.standard_normal(1001)
put("pcg.normal.after", rng.random(3))
put("pcg.uniform", new(5).uniform(-2.5, 4, 6))
put("pcg.normal.scaled", new(5).normal(3, 0.25, 6))
for lo, hi in ((0, 9), (1, 6), (-5, 5), (0, 2**31), (0, 2**32 - 1), (0, 2**32), (-(2**40), 2**52), (7, 7), (0, 2**32 - 2)):
    put(f"pcg.integers.{lo}.{hi}", new(11).integers(lo, hi, 9, endpoint=True))
put("pcg.integers.full", [new(11).integers(-(2**63), 2**63 - 1, endpoint=True)])
rng = new(21)
mixed = [rng.integers(0, 9), rng.random(), rng.integers(0, 9), rng.standard_normal(), rng.integers(0, 9, 3).sum()]
put("pcg.mixed", np.array(mixed, float))
for n in (1, 2, 10, 33):
    put(f"pcg.permutation.{n}", new(4).permutation(n))
a = np.arange(24.0).reshape(6, 4)
new(13).shuffle(a)
put("pcg.shuffle", a)
put("pcg.choice.10.4", new(2).choice(10, 4, replace=False))
put("pcg.choice.10.10", new(2).choice(10, 10, replace=False))
put("pcg.choice.20000.500", new(2).choice(20000, 500, replace=False)[-6:])
put("pcg.choice.20000.300", new(2).choice(20000, 300, replace=False)[-6:])
put("pcg.choice.replace", new(2).choice(10, 8))
p = [0.1, 0.0, 0.3, 0.55, 0.05]
put("pcg.choice.p.replace", new(2).choice(5, 12, p=p))
put("pcg.choice.p", new(2).choice(5, 4, replace=False, p=p))
q = 1.0 / np.arange(1, 41)
put("pcg.choice.p.40", new(2).choice(40, 30, replace=False, p=q / q.sum()))
children = np.random.SeedSequence(2024).spawn(3)
for i, c in enumerate(children):
    put(f"pcg.spawn.{i}", new(c).random(3))
put("pcg.spawn.1.0", new(children[1].spawn(1)[0]).random(3))
put("pcg.spawn.big", new(np.random.SeedSequence(2**200 + 1).spawn(2)[1]).random(3))
more = np.random.SeedSequence(2024)
more.spawn(3)
put("pcg.spawn.later", new(more.spawn(1)[0]).random(3))
put("seeds.state", np.random.SeedSequence(0).generate_state(6))

for seed in (0, 1, 42, 2**32 - 1):
    put(f"mt.rand.{seed}", old(seed).rand(5))
put("mt.rand.list", old([1, 2, 3]).rand(3))
put("mt.rand.long", old(3).rand(2003)[-4:])
rng = old(3)
rng.randint(0, 10, 1)
put("mt.rand.odd", rng.rand(1000)[-4:])
put("mt.randn", old(42).randn(9))
rng = old(8)
mixed = [rng.randn(), rng.rand(), rng.randn(), rng.randint(0, 100), rng.randn()]
put("mt.mixed", np.array(mixed, float))
put("mt.uniform", old(5).uniform(-2.5, 4, 6))
put("mt.normal", old(5).normal(3, 0.25, 6))
for lo, hi in ((0, 10), (1, 7), (-5, 6), (0, 2**31 + 1), (0, 2**32), (0, 2**40)):
    put(f"mt.randint.{lo}.{hi}", old(11).randint(lo, hi, 9, dtype=np.int64))
for n in (1, 2, 10, 33):
    put(f"mt.permutation.{n}", old(4).permutation(n))
a = np.arange(24.0).reshape(6, 4)
old(13).shuffle(a)
put("mt.shuffle", a)
put("mt.choice.10.4", old(2).choice(10, 4, replace=False))
put("mt.choice.replace", old(2).choice(10, 8))
put("mt.choice.p.replace", old(2).choice(5, 12, p=p))
put("mt.choice.p", old(2).choice(5, 4, replace=False, p=p))
