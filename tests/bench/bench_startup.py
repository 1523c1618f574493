# SPDX-License-Identifier: MIT
import os
import sys
import time

if "--check" in sys.argv:
    sys.exit(os.system("lua5.4 -v >/dev/null"))

for _ in range(20):
    start = time.perf_counter()
    os.system("lua5.4 -e 'local pg'")
    print("start\t%.9g" % (time.perf_counter() - start))
