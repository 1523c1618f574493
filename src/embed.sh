#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a C file that holds the Lua sources named as arguments, as peri_embedded[] of
# {name, text, length}, ended by a row of NULLs. The name is the file's below perigee/, without
# suffix: "ppca", "private/args".
set -eu
echo '/* Made from lua/perigee by src/embed.sh. */'
echo '#include <stddef.h>'
echo '#include "embedded.h"'
name_of() {
    name=${1##*perigee/}
    name=${name%.lua}
    variable=lua_$(echo "$name" | tr / _)
}
for file; do
    name_of "$file"
    printf 'static const char %s[] =\n' "$variable"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/^.*$/    "&\\n"/' "$file"
    echo '    "";'
done
echo 'const struct peri_embedded peri_embedded[] = {'
for file; do
    name_of "$file"
    printf '    {"%s", %s, sizeof %s - 1},\n' "$name" "$variable" "$variable"
done
echo '    {NULL, NULL, 0},'
echo '};'
