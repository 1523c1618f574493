#!/bin/sh
# SPDX-License-Identifier: MIT
# Which bad inputs have a test, and which of those pass. A test says which it is for at the head of its name: "P3 ...",
# or "N1, N2: ...". The lists: N arrays for LAPACK, L the host and its sandbox, P pickles, G gzip, Z zip, Y npy, I IDX,
# C CSV, M images, W writers. Then how many faults the sweeps made, by their own words.
set -u
cd "$(dirname "$0")/.."
B=${B:-build}
export B PERIGEE="$PWD/$B/perigee" CHUNKS="${CHUNKS:-10000}"
names="N1 N2 N3 N4 N5 N6 N7 N8 N9 N10 N11 L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 L12 L13 L14 L15 L16 L17 P1 P2 P3 P4 P5 P6
P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 G1 G2 Z1 Z2 Y1 Y2 Y3 Y4 Y5 I1 C1 M1 M2 W1 W2 W3 W4 W5"
log=$B/threats.log
for spec in tests/lua/linalg_spec.lua tests/lua/threats_files_spec.lua tests/cli/threats_spec.lua; do
    "$PERIGEE" /usr/bin/busted -o TAP "$spec"
done >"$log" 2>&1
"$B"/test/test_png 2>&1 | sed -n 's/^\[       OK \] /ok 1 - /p; s/^\[  FAILED  \] /not ok 1 - /p' >>"$log"
passed=0
failed=0
for sweep in "$B/test/test_faults" "sh tests/embed/sweep_test.sh" "sh tests/embed/sandbox_test.sh"; do
    $sweep >>"$log" 2>&1 || {
        echo "$sweep FAILED"
        failed=$((failed + 1))
    }
done
for name in $names; do
    pattern="[^A-Z0-9]$name[ ,:_]"
    if grep -E "^not ok" "$log" | grep -qE "$pattern"; then
        echo "$name FAILED"
        failed=$((failed + 1))
    elif grep -E "^ok" "$log" | grep -qE "$pattern"; then
        echo "$name passes: $(grep -E "^ok" "$log" | grep -E "$pattern" | head -n 1 | sed 's/^ok [0-9]* - //')"
        passed=$((passed + 1))
    else
        echo "$name has no test"
        failed=$((failed + 1))
    fi
done
grep -aE '^(allocation|I/O) points|^(cut|changed) files|^sandbox walk|^mutated bytecode' "$log"
awk '/^(allocation|I\/O) points/ { kind = $1; sub(/.*: /, ""); sum[kind] += $1 }
    END { printf "survived in all: %d allocation points, %d I/O points\n", sum["allocation"], sum["I/O"] }' "$log"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
