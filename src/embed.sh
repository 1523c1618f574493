#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a C file that holds the Lua sources named as arguments, as peri_embedded[] of
# {name, text, length}, ended by a row of NULLs. The name is the file's without path and suffix.
set -eu
echo '/* Made from lua/perigee by src/embed.sh. */'
echo '#include <stddef.h>'
echo '#include "embedded.h"'
for file; do
    name=$(basename "$file" .lua)
    printf 'static const char lua_%s[] =\n' "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/^.*$/    "&\\n"/' "$file"
    echo '    "";'
done
echo 'const struct peri_embedded peri_embedded[] = {'
for file; do
    name=$(basename "$file" .lua)
    printf '    {"%s", lua_%s, sizeof lua_%s - 1},\n' "$name" "$name" "$name"
done
echo '    {NULL, NULL, 0},'
echo '};'
