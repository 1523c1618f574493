#!/bin/sh
# SPDX-License-Identifier: MIT
# What must hold beside the tests. check.sh STEP... runs those steps; each prints what it found and
# fails where something was.
#   layers    the pure rooms know no Lua, nothing points up, and no files include each other in a circle
#   format    clang-format and the blank marks of .editorconfig
#   luacheck  Lua files
#   warnings  gcc and clang without a warning
#   tidy      clang-tidy
#   analyzer  gcc -fanalyzer
#   valgrind  the C tests under memcheck
#   prose     words that do not belong in a finished tree
set -u
cd "$(dirname "$0")/.."
B=${B:-build}
failed=0
fail() {
    echo "check: $*"
    failed=1
}

layers() {
    for room in kernel format draw; do
        for object in "$B"/obj/src/$room/*.o; do
            [ -f "$object" ] || continue
            if nm "$object" | grep -Eq ' (U|T) _?lua'; then
                fail "layers: $object uses a symbol of Lua"
            fi
        done
        if grep -nE '#include *[<"](lua|lauxlib|lualib|bind/|host/|perigee)' src/$room/*.[ch] 2>/dev/null; then
            fail "layers: src/$room includes a room above it"
        fi
    done
    if grep -nE '#include *"(format|draw)/' src/kernel/*.[ch] 2>/dev/null; then
        fail "layers: src/kernel includes a room beside it"
    fi
    if grep -nE '#include *"host/' src/bind/*.[ch] src/perigee.c 2>/dev/null; then
        fail "layers: src/bind includes the host"
    fi
    circles
    rows=$(sed -nE 's/^ *X\(([A-Z0-9]+), [a-z0-9]+,.*/\1/p' src/kernel/dtype.h | paste -sd '|' -)
    if grep -rnE "[=!]= *PERI_($rows)\\b|\\bPERI_($rows) *[=!]=" src --include='*.[ch]' |
        grep -vE '^src/kernel/dtype\.[ch]:'; then
        fail "layers: a comparison with a dtype outside kernel/dtype, where a new row does not lead"
    fi
    if grep -nE '#include *"host/command/' src/host/*.[ch] 2>/dev/null; then
        fail "layers: a service of src/host includes the command"
    fi
}

# Prints "a b" for each file a of src/ that includes b; a header and its source are one.
includes() {
    find src -name '*.[ch]' | xargs grep -oE '^#include "[a-z0-9_/]+\.h"' |
        sed -E 's|^src/(.*)/([^/]*)\.[ch]:#include "(.*)\.h"|\1/\2 \3 \1/\3|; s|^src/([^/]*)\.[ch]:#include "(.*)\.h"|\1 \2 \2|' |
        while read -r from to beside; do
            [ -f "src/$to.h" ] || to=$beside # it was written as it lies beside
            [ "$from" = "$to" ] || echo "$from $to"
        done
}

circles() {
    includes | tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' >"$B/circles.log"
    [ -s "$B/circles.log" ] || return 0
    cat "$B/circles.log"
    fail "layers: these files include each other in a circle"
}

format() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror 2>"$B/format.log" || {
        grep -m 5 'error:' "$B/format.log"
        fail "format: run clang-format -i on the files above"
    }
    git ls-files | grep -vE '\.(png|npy|npz|pkl|pt|gz|bin)$' | grep -v '^tests/fuzz/seeds/' |
        xargs grep -nE '[[:blank:]]+$' -- && fail "format: blanks at the end of a line"
}

luacheck_() {
    git ls-files '*.lua' | xargs luacheck -q || fail "luacheck: see above"
}

warnings() {
    ${CCACHE:-} make -s -j"${JOBS:-$(nproc)}" B="$B/warn" CC="${CCACHE:-} gcc" OPT=-O1 CFLAGS=-Werror \
        "$B/warn/libperigee.a" || fail "warnings: gcc"
    # As it is tested afterwards.
    ${CCACHE:-} make -s -j"${JOBS:-$(nproc)}" B="$B/clang" CC="${CCACHE:-} clang" CFLAGS=-Werror \
        "$B/clang/libperigee.a" || fail "warnings: clang"
}

tidy() {
    flags="-std=c11 -D_GNU_SOURCE -Isrc $(pkg-config --cflags openblas lapacke stb zlib libpng lua5.4 cairo freetype2)"
    # shellcheck disable=SC2086
    printf '%s\n' src/*.c src/*/*.c src/*/*/*.c |
        xargs -P "${JOBS:-$(nproc)}" -n 1 sh -c 'clang-tidy --quiet "$0" -- '"$flags"' 2>/dev/null' >"$B/tidy.log"
    grep -E '(warning|error):' "$B/tidy.log" && fail "tidy: see above ($B/tidy.log)"
}

# Not its reads of uninitialised values, since gcc 12 loses what a loop or memcpy wrote: clang-tidy and valgrind look for
# those. Nor its shift counts: it takes the lanes of a vector (temper8 in random.c) for a type of 3 bits, and -Wall
# counts already. At -O2 a minute; at -O0 it does not come to an end over lstm.c.
analyzer() {
    flags="-std=c11 -D_GNU_SOURCE -Isrc $(pkg-config --cflags openblas lapacke stb zlib libpng libjpeg lua5.4 cairo freetype2)"
    # shellcheck disable=SC2086
    printf '%s\n' src/*.c src/*/*.c src/*/*/*.c vendor/stb.c |
        xargs -P "${JOBS:-$(nproc)}" -n 1 sh -c 'gcc '"$flags"' -O2 -fanalyzer \
            -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-shift-count-overflow -c "$0" -o /dev/null' >"$B/analyzer.log" 2>&1 ||
        fail "analyzer: $(tail -n 3 "$B/analyzer.log")"
    grep -E 'warning:.*Wanalyzer' "$B/analyzer.log" && fail "analyzer: see above ($B/analyzer.log)"
}

# The C tests in valgrind, which has no AVX-512, so the kernels choose AVX2. Its own arithmetic differs (long double in 64
# bits, sign(NaN) = 1 in AVX), so the values of three tests fail there that pass on the processor at the same level:
# of these only reads, writes and leaks are asked.
valgrind_() {
    for test in "$B"/test/test_*; do
        case $test in *.d) continue ;; esac
        SANITIZED=1 OPENBLAS_NUM_THREADS=1 valgrind -q --error-exitcode=9 --child-silent-after-fork=yes --leak-check=full \
            --errors-for-leak-kinds=definite,possible "$test" >"$B/valgrind.log" 2>&1
        status=$?
        case $status:${test##*/} in
        0:* | [1-8]:test_elementwise | [1-8]:test_reduce | [1-8]:test_vmath) ;;
        *) fail "valgrind: ${test##*/} ends with $status" && tail -n 40 "$B/valgrind.log" ;;
        esac
    done
}

prose() {
    git grep -nIE '\b(TODO|FIXME|XXX|HACK|not implemented|unimplemented)\b' -- . ':!tests/check.sh' &&
        fail "prose: unfinished by its own words"
}

any=0
for step; do
    failed=0
    case $step in
    luacheck) luacheck_ ;;
    valgrind) valgrind_ ;;
    *) "$step" ;;
    esac
    [ "$failed" = 0 ] && echo "check: $step: fine"
    [ "$failed" = 0 ] || any=1
done
exit "$any"
