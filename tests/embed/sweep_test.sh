#!/bin/sh
# SPDX-License-Identifier: MIT
# Array functions while memory ends at every point; see sweep.lua.
set -u
cd "$(dirname "$0")/../.."
B=${B:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck disable=SC2046,SC2086
if ${CC:-gcc} -std=c11 -Wall -Wextra -Werror ${SANITIZE:-} -Isrc $(pkg-config --cflags lua5.4) -o "$dir/limited" tests/embed/limited.c \
    -Wl,--whole-archive "$B/libperigee.a" -Wl,--no-whole-archive $(pkg-config --libs lua5.4) -lopenblas -llapacke \
    -ldeflate -lpng16 -ljpeg -lz -lm -ldl -lpthread &&
    timeout 900 "$dir/limited" tests/embed/sweep.lua; then
    echo "1 passed, 0 failed"
else
    echo "0 passed, 1 failed"
    exit 1
fi
