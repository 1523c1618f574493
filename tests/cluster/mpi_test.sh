#!/bin/bash
# SPDX-License-Identifier: MIT
# pg.mpi under each MPI that is here, on 1, 2, 3, 4, 5 and 8 ranks, more than there are processors: results of equal
# bits, a sentence for every mismatch, and no hang. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 2
P=${PERIGEE:-$PWD/${B:-build}/perigee}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
good() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED  $*"; }
"$P" -e "local pg = require 'perigee' pg.save('$dir/X.npy', pg.random.new(3):standard_normal(100003, 20))"
alone=$("$P" tests/cluster/collectives.lua) bits=$("$P" tests/cluster/bits.lua "$dir/X.npy" | grep -v plain)
LD_DEBUG=libs "$P" -e 'print(require "perigee".mpi.size)' 2>&1 | grep -q 'libmpi\|libmpich' && bad "alone it opens a library" || good

launch() { # MPI RANKS WORDS...
    local words="-n $2"; [ "$1" = openmpi ] && words="--oversubscribe $words"
    local m=$1; shift 2
    timeout "${LIMIT:-60}" "mpirun.$m" $words "$P" "$@"
}
for m in openmpi mpich; do
    command -v mpirun.$m >/dev/null || { echo "skipped: $m, which is not installed"; continue; }
    for n in 1 2 3 4 5 8; do
        [ "$(LIMIT=120 launch $m $n tests/cluster/collectives.lua)" = "$alone" ] && good || bad "$m, $n ranks: collectives"
        got=$(LIMIT=120 launch $m $n tests/cluster/bits.lua "$dir/X.npy")
        [ "$(echo "$got" | grep -v plain)" = "$bits" ] && good || bad "$m, $n ranks: bits: $got"
        echo "        $m, $n ranks: plain allreduce $(echo "$got" | sed -n 's/plain *//p')"
    done
    # fault NAME STATUS TEXT
    fault() {
        LIMIT=20 launch $m 2 tests/cluster/faults.lua "$1" >"$dir/out" 2>&1
        local status=$?
        [ $status != 124 ] && { [ "$2" = any ] && [ $status != 0 ] || [ $status = "$2" ]; } && grep -qF -- "$3" "$dir/out" &&
            good || { bad "$m, $1: status $status"; head -n 20 "$dir/out"; }
    }
    fault size 1 "allreduce: the ranks do not ask for the same: rank 0 has (4,) f64 sum at faults.lua"
    fault dtype 1 "rank 0 has (4,) f64 sum at faults.lua"
    fault op 1 "rank 0 has sum at faults.lua"
    fault call 1 "rank 0 has allreduce sum at faults.lua"
    fault error 1 "rank 1: tests/cluster/faults.lua"
    fault exit 3 ""
    fault leave 1 "rank 1 is at the end of its script"
    fault quit 1 "rank 1 is at the end of its script"
    fault crash any ""
    fault timeout 1 "waited 1.0 s for the other ranks (mpi.timeout)"
    fault wait 0 "the wait took little of the processor"
    fault abort 1 "perigee: rank 1: no more"
    fault caught 0 "then 2.0"
    fault fuzz 0 "each was an error"
    other=$([ $m = openmpi ] && echo libmpich.so.12 || echo libmpi.so.40)
    PERIGEE_MPI=$other LIMIT=20 launch $m 2 tests/cluster/faults.lua wait >"$dir/out" 2>&1
    [ $? != 0 ] && grep -q "the launcher started 2 processes, but .* is alone; mpirun and the library belong to" "$dir/out" &&
        good || bad "$m with the other's library"
    # Memory, time and silence of a job of several ranks.
    cp tests/cluster/faults.lua "$dir/job.lua"
    (cd "$dir" && export PERIGEE_MPIRUN=mpirun.$m && "$P" run --ranks 2 --timeout 3 --out o job.lua --set how=slow >o.txt
        grep -q "timed out" o.txt) && good || bad "$m: --ranks --timeout"
    sleep 1
    pgrep -f "$dir/job.lua|job.lua --how" >/dev/null && bad "$m: ranks are left" || good
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
