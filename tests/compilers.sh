#!/bin/sh
# SPDX-License-Identifier: MIT
# compilers.sh [ROW...]: builds with each compiler and each set of flags, no warning allowed, runs the tests of each
# build and prints a table. An hour; ROW narrows it to those whose name holds the word, $ONLY the tests as in run.sh.
set -u
cd "$(dirname "$0")/.." || exit
B=${B:-build}
mkdir -p "$B"
status=0

# At -O0 AVX-512's intrinsics are macros, whose conversions the compiler lays at our door. Hosts that the tests compile
# by gcc cannot be linked to what clang left for its own linker.
rows() {
    for compiler in gcc clang; do
        echo "$compiler-O0:$compiler:-O0:-Wno-sign-conversion:"
        echo "$compiler-O2:$compiler:-O2::"
        echo "$compiler-O3:$compiler:-O3::"
        echo "$compiler-O2-x86-64:$compiler:-O2:-march=x86-64:"
        [ "$compiler" = gcc ] && echo "gcc-O2-flto:gcc:-O2:-flto:" ||
            echo "clang-O2-flto:clang:-O2:-flto:^\(c\|perigee\|lua5.4\)"
    done
}

wanted() {
    [ $# -gt 1 ] || return 0
    name=$1
    shift
    for word; do
        case $name in *"$word"*) return 0 ;; esac
    done
    return 1
}

table=$B/compilers.txt
: >"$table"
rows >"$B/compilers.rows"
while IFS=: read -r name compiler opt flags only; do
    wanted "$name" "$@" || continue
    to=$B/compilers/$name
    mkdir -p "$to"
    if make -s -j"${JOBS:-$(nproc)}" B="$to" CC="$compiler" OPT="$opt" CFLAGS="-Werror $flags" build-tests >"$to/log" 2>&1; then
        warnings=$(grep -c 'warning:' "$to/log")
        B=$to ONLY=${ONLY:-$only} tests/run.sh >"$to/tests" 2>&1
        result=$(tail -n 1 "$to/tests")
    else
        warnings=$(grep -cE 'warning:|error:' "$to/log")
        result="no build, see $to/log"
    fi
    case "$warnings:$result" in
    0:*" passed, 0 failed") ;;
    *) status=1 ;;
    esac
    printf '%-20s %s, %s warnings\n' "$name" "$result" "$warnings" | tee -a "$table"
done <"$B/compilers.rows"

for compiler in g++ clang++; do
    wanted "$compiler" "$@" || continue
    for standard in c++11 c++17 c++20; do
        # shellcheck disable=SC2046
        if echo '#include "perigee.h"
int main() { return peri_version() == nullptr; }' |
            $compiler -std=$standard -Wall -Wextra -Wpedantic -Wconversion -Werror -Isrc $(pkg-config --cflags lua5.4) \
                -x c++ -fsyntax-only - 2>"$B/compilers.log"; then
            result="perigee.h is fine"
        else
            result="perigee.h: $(grep -m 1 error "$B/compilers.log")"
            status=1
        fi
        printf '%-20s %s\n' "$compiler-$standard" "$result" | tee -a "$table"
    done
done

# A machine of the other byte order is refused, not served wrong numbers.
if echo '#include "kernel/simd.h"' | gcc -Isrc -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__ -x c -fsyntax-only - \
    2>/dev/null; then
    echo "big-endian           is not refused"
    status=1
fi
exit "$status"
