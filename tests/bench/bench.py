# SPDX-License-Identifier: MIT
"""Timing for bench_*.py; see README.md."""
import gc
import itertools
import os
import time

QUICK = "QUICK" in os.environ
SPAN, REPETITIONS = (0.002, 1) if QUICK else (0.02, 3)


ROW = os.environ.get("ROW")


def wants(name):
    """Whether what has this name is to be run: it holds $ROW, or $ROW holds it."""
    return ROW is None or ROW in name or name in ROW


def peak():
    """The most memory that the process had, in MB."""
    with open("/proc/self/status") as f:
        return int(next(line.split()[1] for line in f if line.startswith("VmHWM"))) / 1024


START = None


def loaded():
    """Called once all is imported: memory is counted from here."""
    global START
    START = peak()


def case(name, code, environment):
    """Prints the seconds of one run of `code`, in which the items of `environment` are locals."""
    if not wants(name):
        return
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
    if ROW is not None and START is not None:
        print("memory of %s\t%.4g\tMB" % (name, peak() - START), flush=True)
