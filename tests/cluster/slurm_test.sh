#!/bin/bash
# SPDX-License-Identifier: MIT
# Batches on a real Slurm of two nodes on this machine (slurm-local.sh), and what can happen to it. Ends with "N passed,
# N failed". ONLY=word runs the tests whose names hold it.
set -u
cd "$(dirname "$0")/../.." || exit 2
P=${PERIGEE:-$PWD/${B:-build}/perigee}
slurm=$PWD/tests/cluster/slurm-local.sh
if [ "$(id -u)" != 0 ] || ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null; then
    echo "skipped: the tests with Slurm, which need root, slurmctld, slurmd, slurm-client and munge"
    echo "0 passed, 0 failed"
    exit 0
fi
export SLURM_LOCAL=${SLURM_LOCAL:-/tmp/perigee-slurm} SLURM_LOCAL_PORT=${SLURM_LOCAL_PORT:-17101} PERIGEE_GRACE=2
dir=$(mktemp -d)
passed=0 failed=0
start() {
    "$slurm" stop >/dev/null 2>&1
    "$slurm" start >/dev/null || { echo "Slurm does not start"; exit 2; }
    . "$SLURM_LOCAL/env"
}
trap '"$slurm" stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
start
cd "$dir" || exit 2
cat >ok.lua <<'LUA'
local pg = require "perigee"
local ex = pg.experiment{name = "ok", options = {x = 1, sleep = 0.0, mb = 0}}
ex:metric("x", ex.options.x * 2)
local keep = ex.options.mb > 0 and pg.ones(ex.options.mb * 131072)
local t = pg.clock()
while pg.clock() - t < ex.options.sleep do os.execute("sleep 0.1") end
LUA

run() { timeout "${LIMIT:-150}" "$P" run "$@" >out.txt 2>&1; status=$?; }
batch() { rm -rf out; run --launcher slurm --out out "$@"; }
submit() { rm -rf out; run --launcher slurm --detach --out out "$@"; }
attach() { run --attach --out out; }
states() { sed -n 's/.*"state": "\([a-z_]*\)".*/\1/p' out/summary.json | sort | uniq -c | awk '{printf "%s%s %s", s, $1, $2; s = ", "}'; }
job() { sed -n 's/.*"slurm": "\([0-9]*\)".*/\1/p' out/.batch/batch.json; }
until_running() { for _ in $(seq 100); do [ -n "$(ls out/.batch/taken 2>/dev/null)" ] && return; sleep 0.1; done; }
node_of() { squeue -h -j "$(job)" -t R -o %N | head -n 1; }

# check NAME WANTED-STATUS WANTED-STATES [TEXT in what it said]
check() {
    local got; got=$(states)
    if [ "$status" = "$2" ] && [ "$got" = "$3" ] && { [ -z "${4:-}" ] || grep -q -- "$4" out.txt; }; then
        passed=$((passed + 1)); echo "ok      $1"
    else
        failed=$((failed + 1)); echo "FAILED  $1: status $status, states '$got', wanted $2, '$3' ${4:+and '$4'}"; cat out.txt
    fi
}
want() { case "$1" in *"${ONLY:-}"*) return 0 ;; *) return 1 ;; esac; }

if want plain; then
    batch --set x=1..6 ok.lua; check "plain batch" 0 "6 passed"
    batch --workers 2 -j 1 --set x=1..6 ok.lua; check "plain: two workers, one at a time" 0 "6 passed"
    run --resume --out out --set x=1..6 ok.lua; check "plain: a local --resume keeps them" 0 "6 passed"
fi
if want refuses; then
    submit --slurm partition=none ok.lua
    if [ $status = 2 ] && grep -q "Invalid partition" out.txt; then passed=$((passed + 1)); echo "ok      refuses a partition"
    else failed=$((failed + 1)); echo "FAILED  refuses a partition"; cat out.txt; fi
    submit --set sleep=6 ok.lua; run --out out ok.lua
    if [ $status = 2 ] && grep -q "its batch is in Slurm still" out.txt; then passed=$((passed + 1)); echo "ok      refuses a second batch"
    else failed=$((failed + 1)); echo "FAILED  refuses a second batch"; cat out.txt; fi
    (timeout 60 "$P" run --attach --out out >a2.txt 2>&1; echo $? >a2.status) & attach; wait
    check "two attaches" 0 "1 passed"; [ "$(cat a2.status)" = 0 ] || { failed=$((failed + 1)); echo "FAILED  second attach"; }
fi
if want scancel; then
    submit --set sleep=3 --set x=1..6 ok.lua; until_running
    scancel "$(job)_1" "$(job)_5"; attach; check "scancel of a running and a waiting task" 1 "2 interrupted, 4 passed"
    submit --set sleep=30 --set x=1..4 ok.lua; until_running; scancel "$(job)"; attach
    check "scancel of all" 1 "4 interrupted"
    submit --set sleep=30 --set x=1..4 ok.lua; until_running; run --cancel --out out; check "--cancel" 1 "4 interrupted"
fi
if want memory; then
    batch --slurm mem=100 --set mb=400 --set sleep=8 ok.lua; check "memory: over Slurm's" 1 "1 out_of_memory"
fi
if want node; then
    submit --set sleep=8 ok.lua; until_running; n=$(node_of); "$slurm" kill "$n"; attach; "$slurm" up "$n"
    check "node killed, started again elsewhere" 0 "1 passed"
    sleep 3; submit --slurm no-requeue --set sleep=8 ok.lua; until_running; n=$(node_of); "$slurm" kill "$n"; attach
    "$slurm" up "$n"; check "node killed, not started again" 1 "1 killed" "is NODE_FAIL on"
    sleep 3; submit --set sleep=50 ok.lua; until_running; n=$(node_of); "$slurm" lose "$n"; attach; "$slurm" up "$n"
    check "network of a node lost: one result" 0 "1 passed"
    ls out/.batch/attempts | grep -q . || echo "        (the second attempt has not ended yet)"
    start
fi
if want preempt; then
    submit --slurm partition=low --set sleep=6 --set x=1,2 ok.lua; until_running
    for _ in 1 2 3; do sbatch -p urgent -n 2 --wrap "sleep 1" >/dev/null; sleep 9; done
    attach; check "preempted three times" 0 "2 passed"
fi
if want controller; then
    submit --set sleep=3 --set x=1..6 ok.lua; until_running
    (sleep 1; "$slurm" controller stop; sleep 12; "$slurm" controller start) & attach; wait
    check "controller stopped for 12 s" 0 "6 passed"
    submit --set sleep=3 --set x=1..6 ok.lua; sleep 2; "$slurm" controller kill; "$slurm" controller start; attach
    echo "        controller killed 2 s after submission: $(states), status $status"
    grep -q '"state": ""' out/summary.json && failed=$((failed + 1)) || passed=$((passed + 1))
    start
    submit --set sleep=3 --set x=1..6 ok.lua; sleep 4; "$slurm" controller kill; "$slurm" controller start
    LIMIT=25 attach; run --cancel --out out
    echo "        controller killed 4 s after submission, then --cancel: $(states), status $status"
    [ $status -le 1 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); cat out.txt; }
    start
fi
if want time; then
    LIMIT=200 batch --slurm time=1 --set sleep=150 ok.lua; check "time limit of Slurm" 1 "1 timed_out" "TIMEOUT"
fi
if want held; then
    submit --slurm hold ok.lua; (sleep 6; timeout 60 "$P" run --cancel --out out >/dev/null 2>&1) & LIMIT=60 attach; wait
    check "held, then cancelled" 1 "1 interrupted" "held"
fi
if want ranks && command -v mpirun.openmpi >/dev/null; then
    cat >ranks.lua <<'LUA'
local pg = require "perigee"
local ex = pg.experiment{name = "ranks"}
ex:metric("ranks", pg.mpi.allreduce(1))
LUA
    for m in openmpi mpich; do
        export PERIGEE_MPIRUN=mpirun.$m; batch --ranks 2 ranks.lua; check "ranks by $m in a task" 0 "1 passed"
        grep -q '"ranks": 2' out/ranks/manifest.json || { failed=$((failed + 1)); echo "FAILED  ranks in the manifest"; }
    done
    unset PERIGEE_MPIRUN
    cat >s.sh <<S
#!/bin/sh
srun --mpi=pmi2 -n 2 env PERIGEE_MPI=libmpich.so.12 $P ranks.lua
S
    sbatch -W -n 2 -o s.out s.sh >/dev/null
    if grep -q '"ranks": 2' out/ranks/metrics.json; then passed=$((passed + 1)); echo "ok      srun --mpi=pmi2"
    else failed=$((failed + 1)); echo "FAILED  srun --mpi=pmi2"; cat s.out; fi
fi
if want hands; then
    rm -rf out; run --launcher files --detach --out out --set x=1..6 ok.lua
    sbatch -W -n 2 -o h.out --wrap "srun -n 2 $P run --worker --out out" >/dev/null; attach
    check "hands: workers by srun" 0 "6 passed"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
