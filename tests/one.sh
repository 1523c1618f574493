#!/bin/sh
# SPDX-License-Identifier: MIT
# one.sh LOGS KIND FILE: runs one test file and leaves LOGS/NAME.count ("passed failed") and its
# log, named .failed where something failed. $EMULATOR, where it is set, runs programs of another machine.
set -u
logs=$1 kind=$2 file=$3
name=$kind.$(basename "$file")
log=$logs/$name.log
case $kind in
c) ${EMULATOR:-} "$file" >"$log" 2>&1 ;;
# What a level computes, not how threads share it: two processes of two threads of BLAS each wait for one another.
c-*) OPENBLAS_NUM_THREADS=1 PERIGEE_ISA=${kind#c-} ${EMULATOR:-} "$file" >"$log" 2>&1 ;;
perigee) "$PERIGEE" /usr/bin/busted -o utfTerminal "$file" >"$log" 2>&1 ;;
lua5.4) LUA_CPATH="$PWD/$B/?.so;;" ${EMULATOR:-} /usr/bin/lua5.4 /usr/bin/busted -o utfTerminal "$file" >"$log" 2>&1 ;;
sh) sh "$file" >"$log" 2>&1 ;;
esac
status=$?
case $kind in
c | c-*)
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    failed=$(sed -n 's/^\[  FAILED  \] .*: *\([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    ;;
perigee | lua5.4)
    passed=$(sed -n 's/^\([0-9]*\) success.*/\1/p' "$log" | tail -n 1)
    failed=$(sed -n 's/^[0-9]* success[^/]*\/ \([0-9]*\) failure[^/]*\/ \([0-9]*\) error.*/\1+\2/p' "$log" | tail -n 1)
    failed=$((${failed:-0}))
    ;;
sh)
    passed=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$log" | tail -n 1)
    failed=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$log" | tail -n 1)
    ;;
esac
: "${passed:=0}" "${failed:=0}"
# A crash, or a file that could not even be read, counts as one failure.
[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed $failed" >"$logs/$name.count"
if [ "$failed" != 0 ]; then
    mv "$log" "$logs/$name.failed"
    echo "FAILED $kind $file"
fi
exit 0
