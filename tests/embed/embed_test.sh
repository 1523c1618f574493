#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs to a temporary prefix and builds the hosts here against nothing else, by pkg-config, as a
# user would; runs them; and runs the module in a stock lua5.4 and under a C++ compiler.
set -u
cd "$(dirname "$0")/../.."
B=${B:-build}
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
passed=0
failed=0
check() {
    what=$1
    shift
    if "$@" >"$prefix/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        cat "$prefix/log"
    fi
}

check "make install" make -s B="$B" PREFIX="$prefix" install
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
compile() {
    compiler=$1
    shift
    # shellcheck disable=SC2046,SC2086
    $compiler -Wall -Wextra -Werror ${SANITIZE:-} "$@" $(pkg-config --cflags perigee) -L"$prefix/lib" \
        $(pkg-config --libs perigee) -lpthread
}
for host in script module threads stops narrow plots; do
    check "build $host" compile gcc -std=c11 -D_POSIX_C_SOURCE=200809L -o "$prefix/$host" tests/embed/$host.c
    check "run $host" timeout 300 "$prefix/$host"
done
mkdir -p "$prefix/closed/in"
echo "return 42" >"$prefix/closed/in/part.lua"
echo data >"$prefix/closed/in/data.txt"
echo secret >"$prefix/closed/secret.txt"
check "build closed" compile gcc -std=c11 -o "$prefix/host-closed" tests/embed/closed.c
check "run closed" timeout 300 "$prefix/host-closed" "$prefix/closed"
check "build static" sh -c "gcc -std=c11 ${SANITIZE:-} -o $prefix/static tests/embed/script.c \$(pkg-config --cflags perigee) \
    $prefix/lib/libperigee.a \$(pkg-config --libs lua5.4) -lopenblas -llapacke -ldeflate -lpng16 -ljpeg -lz -lm -ldl -lpthread"
check "run static" timeout 60 "$prefix/static"
if command -v g++ >/dev/null; then
    cp tests/embed/script.c "$prefix/script.cpp"
    check "build as C++" compile g++ -o "$prefix/cpp" "$prefix/script.cpp"
    check "run as C++" timeout 60 "$prefix/cpp"
fi
check "stock lua5.4" env LUA_CPATH="$prefix/lib/lua/5.4/?.so" \
    lua5.4 -e 'local pg = require "perigee" assert(pg.ones(2, 3):reshape(6):get(6) == 1)'
check "installed program" "$prefix/bin/perigee" -e 'assert(require "perigee".ones(2)[2] == 1)'
check "manual page" test -s "$prefix/share/man/man1/perigee.1"

# The version is what the header says, wherever it is told.
version=$(awk '/^#define PERI_VERSION_(MAJOR|MINOR|PATCH) /{printf "%s%s", dot, $3; dot = "."}' "$prefix/include/perigee/perigee.h")
check "version: pkg-config" test "$(pkg-config --modversion perigee)" = "$version"
check "version: pg.info" test "$("$prefix/bin/perigee" -e 'print(require "perigee".info().perigee)')" = "$version"
check "version: rockspec" grep -q "^version = \"$version-1\"" "perigee-$version-1.rockspec"
check "version: library" test -f "$prefix/lib/libperigee.so.$version"

# What was there before stays, all that was put goes.
root=$(mktemp -d)
mkdir -p "$root/usr/include/perigee" "$root/usr/bin"
echo theirs >"$root/usr/bin/other"
echo theirs >"$root/usr/include/perigee/other.h"
check "make install DESTDIR" make -s B="$B" PREFIX=/usr DESTDIR="$root" install
check "installed without symbols" test -z "$(nm "$root/usr/bin/perigee" 2>/dev/null)"
check "C modules find Lua in it" test -n "$(nm -D "$root/usr/bin/perigee" | grep ' T lua_pushvalue$')"
check "the kernel's program" grep -q '"/usr/bin/perigee", "jupyter"' "$root/usr/share/jupyter/kernels/perigee/kernel.json"
check "make install-debug" make -s B="$B" PREFIX=/usr DESTDIR="$root" install-debug
check "symbols of the program" test -n "$(nm "$root/usr/bin/.debug/perigee.debug" | grep ' t protected_main$')"
check "make uninstall DESTDIR" make -s B="$B" PREFIX=/usr DESTDIR="$root" uninstall
check "uninstall takes what install put" test "$(cd "$root" && find . ! -type d | sort | tr '\n' ' ')" = \
    "./usr/bin/other ./usr/include/perigee/other.h "
check "uninstall takes our folders" test "$(find "$root" -path '*perigee*' -type d)" = "$root/usr/include/perigee"
check "uninstall twice" make -s B="$B" PREFIX=/usr DESTDIR="$root" uninstall
rm -rf "$root"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
