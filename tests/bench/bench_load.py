# SPDX-License-Identifier: MIT
import gzip
import os
import pickle
import resource
import shutil
import sys
import tempfile

import numpy
from bench import case

GZIPPED = "../shared/data/image_cpts.pkl.gz"
if not os.path.exists(GZIPPED):
    sys.exit(GZIPPED + " is not there")
if "--check" in sys.argv:
    sys.exit()

with tempfile.NamedTemporaryFile() as plain:
    with gzip.open(GZIPPED) as f:
        shutil.copyfileobj(f, plain, 1 << 20)
    plain.flush()
    with gzip.open(GZIPPED) as f:
        pickle.load(f)
    print("peak of a load\t%.1f\tMB" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6))
    environment = {"pickle": pickle, "gzip": gzip, "numpy": numpy}
    case("load gzipped pickle 537 MB", "pickle.load(gzip.open(path))",
         dict(environment, path=GZIPPED))
    case("load plain pickle 537 MB", "pickle.load(open(path, 'rb'))",
         dict(environment, path=plain.name))
