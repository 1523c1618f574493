#!/bin/sh
# SPDX-License-Identifier: MIT
# Without Cairo, or without a font, drawing says which package is missing, in one line, and all
# else works.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
perigee=${PERIGEE:-build/perigee}
passed=0
failed=0

check() { # check NAME PATTERN COMMAND...: the command fails, and its one line matches
    name=$1 pattern=$2
    shift 2
    if "$@" >"$dir/out" 2>"$dir/err"; then
        status=0
    else
        status=$?
    fi
    if [ "$status" = 1 ] && grep -q "$pattern" "$dir/err" && [ "$(grep -c 'perigee: ' "$dir/err")" = 1 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: status $status"
        cat "$dir/out" "$dir/err"
    fi
}

draw='local pg = require "perigee" print(pg.ones(3):sum()) pg.plot.figure{}:line({1, 2}):save("'$dir'/a.png")'
: >"$dir/libcairo.so.2"
check "no Cairo" 'drawing needs libcairo.so.2, which cannot be opened (.*); install the package libcairo2$' \
    env LD_LIBRARY_PATH="$dir" "$perigee" -e "$draw"
if [ "$(cat "$dir/out")" != 3.0 ]; then
    failed=$((failed + 1))
    echo "arrays do not work without Cairo"
fi
rm "$dir/libcairo.so.2"
: >"$dir/libfreetype.so.6"
check "no FreeType" 'install the package libfreetype6$\|install the package libcairo2$' \
    env LD_LIBRARY_PATH="$dir" "$perigee" -e "$draw"
rm "$dir/libfreetype.so.6"
check "no font" "drawing needs a font, and $dir/no.ttf cannot be read; install the package fonts-dejavu-core, or set PERIGEE_FONT to a font file" \
    env PERIGEE_FONT="$dir/no.ttf" "$perigee" -e "$draw"
echo "no font at all" >"$dir/bad.ttf"
check "bad font" "drawing needs a font, and $dir/bad.ttf is not one FreeType can read" \
    env PERIGEE_FONT="$dir/bad.ttf" "$perigee" -e "$draw"
if [ -e "$dir/a.png" ]; then
    failed=$((failed + 1))
    echo "a file was left"
fi
# A collage without labels needs none of it.
: >"$dir/libcairo.so.2"
if env LD_LIBRARY_PATH="$dir" "$perigee" -e 'local pg = require "perigee" pg.save("'"$dir"'/c.png", pg.image.collage(pg.ones(4, 5, 5)))' &&
    [ -s "$dir/c.png" ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "a collage needs Cairo"
fi
echo "$passed passed, $failed failed"
