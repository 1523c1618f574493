#!/bin/sh
# SPDX-License-Identifier: MIT
# tsan.sh NAME...: these kernel tests, and what runs in several threads, in a build with ThreadSanitizer ($B): the pool
# and kernels over it, states in threads, interrupts and deadlines, figures drawn by several states at once. BLAS and
# Lua are not compiled with it: what BLAS shares among its own threads it does not see, so it has one.
set -u
cd "$(dirname "$0")/.."
B=${B:-build/tsan}
export OPENBLAS_NUM_THREADS=1 TSAN_OPTIONS="halt_on_error=0 exitcode=66 die_after_fork=0 suppressions=$PWD/tests/tsan.supp ${TSAN_OPTIONS:-}"
passed=0
failed=0
check() {
    what=$1
    shift
    if timeout 900 "$@" >"$B/tsan.log" 2>&1 && ! grep -q 'WARNING: ThreadSanitizer' "$B/tsan.log"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        head -n 60 "$B/tsan.log"
    fi
}
for name; do
    check "test_$name" "$B/test/test_$name"
done
for host in threads stops plots; do
    # shellcheck disable=SC2046,SC2086
    clang -g -std=c11 -D_POSIX_C_SOURCE=200809L -fsanitize=thread -Isrc $(pkg-config --cflags lua5.4) -o "$B/$host" \
        tests/embed/$host.c -Wl,--whole-archive "$B/libperigee.a" -Wl,--no-whole-archive $(pkg-config --libs lua5.4) \
        -lopenblas -llapacke -ldeflate -lpng16 -ljpeg -lz -lm -ldl -lpthread || failed=$((failed + 1))
done
check threads "$B/threads"
check stops "$B/stops" "${STOPS:-200}"
check plots "$B/plots"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
