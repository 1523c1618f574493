# SPDX-License-Identifier: MIT
"""Timing for bench_*.py; see README.md."""
import gc
import itertools
import os
import time

QUICK = "QUICK" in os.environ
SPAN, REPETITIONS = (0.002, 1) if QUICK else (0.02, 3)


def case(name, code, environment):
    """Prints the seconds of one run of `code`, in which the items of `environment` are locals."""
    names = sorted(environment)
    source = "def make(%s):\n def run(it):\n  for _ in it:\n   %s\n return run\n" % (
        ", ".join(names), code)
    space = {}
    exec(compile(source, name, "exec"), space)
    run = space["make"](*[environment[k] for k in names])
    gc.collect()
    gc.disable()
    count = 1
    while True:
        start = time.perf_counter()
        run(itertools.repeat(None, count))
        seconds = time.perf_counter() - start
        if seconds >= SPAN / 4:
            break
        count *= 4
    count = max(1, int(count * SPAN / seconds))
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run(itertools.repeat(None, count))
        print("%s\t%.9g" % (name, (time.perf_counter() - start) / count), flush=True)
    gc.enable()
