#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every test and ends with "N passed, N failed". Logs are in $B/test/log; that of a failing
# test is printed. Set ONLY to a word to run just the tests whose name holds it.
set -u
cd "$(dirname "$0")/.."
B=${B:-build}
export B PERIGEE="${PERIGEE:-$PWD/$B/perigee}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-2}"
# An allocation that cannot be is an error of Lua's, under the sanitizers too.
export ASAN_OPTIONS="allocator_may_return_null=1:${ASAN_OPTIONS:-}"
logs=$B/test/log
rm -rf "$logs"
mkdir -p "$logs"

case $("$PERIGEE" -e 'print(require "perigee".info().isa)') in
avx512) below="avx2 base" ;;
avx2) below=base lacks=avx512 ;;
*) below= lacks="avx2 avx512" ;;
esac
[ -z "${SANITIZED:-}" ] || below=
for level in ${lacks:-}; do
    echo "skipped: kernel tests at $level, which this machine lacks"
done

# Prints "kind file" for each test; $ONLY narrows them.
list() {
    for t in "$B"/test/test_*; do
        case "$t" in *.d) continue ;; esac
        [ -x "$t" ] || continue
        echo "c $t"
        # Kernels that choose by the level of instructions, at the levels below this CPU's own too.
        grep -qs 'kernel/\(simd\|lanes\).h' "src/kernel/${t##*/test_}"*.c || continue
        for level in $below; do
            echo "c-$level $t"
        done
    done
    for t in tests/lua/*_spec.lua; do
        [ -f "$t" ] && echo "perigee $t"
    done
    # The sanitizers cannot be loaded into a stock lua5.4, and tests of the command line and of
    # hosts wait for processes that they make too slow.
    [ -z "${SANITIZED:-}" ] || return 0
    for t in tests/cli/*_spec.lua; do
        [ -f "$t" ] && echo "perigee $t"
    done
    for t in tests/lua/*_spec.lua; do
        [ -f "$t" ] && echo "lua5.4 $t"
    done
    for t in tests/cli/*_test.sh tests/embed/*_test.sh; do
        [ -f "$t" ] && echo "sh $t"
    done
}

list | { [ -n "${ONLY:-}" ] && grep -- "$ONLY" || cat; } |
    xargs -P "${JOBS:-$(nproc)}" -L 1 sh tests/one.sh "$logs"

passed=0
failed=0
for count in "$logs"/*.count; do
    [ -f "$count" ] || continue
    read -r p f <"$count"
    passed=$((passed + p))
    failed=$((failed + f))
done
for log in "$logs"/*.failed; do
    [ -f "$log" ] || continue
    echo "---- ${log##*/}"
    tail -n 60 "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
