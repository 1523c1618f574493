#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings public data sets out of system packages into build/data, without installing the packages:
#   lfw_subset.npy   from python3-skimage: 200 images of 25x25 (float in 0..1), of which the first 100
#                    are faces cut from Labeled Faces in the Wild and the rest are not faces
# What is there already is left alone. Set PERIGEE_NO_INSTALL to fetch nothing.
set -eu
cd "$(dirname "$0")/.."
data=${B:-build}/data
file=lfw_subset.npy
[ ! -f "$data/$file" ] || exit 0

installed=$(dpkg-query -L python3-skimage 2>/dev/null | grep "/$file\$" || true)
if [ -n "$installed" ] && [ -f "$installed" ]; then
    mkdir -p "$data"
    cp "$installed" "$data/$file"
    exit 0
fi
say() {
    echo "perigee: no faces: $1; problem 2 takes --faces FILE instead" >&2
    exit 0
}
[ -z "${PERIGEE_NO_INSTALL:-}" ] || say "PERIGEE_NO_INSTALL is set"
command -v apt-get >/dev/null 2>&1 || say "this system has no apt-get to bring python3-skimage"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
download() { (cd "$work" && apt-get download python3-skimage >/dev/null 2>&1); }
if ! download; then
    # The package lists may be empty; only root can fill the system's, so fill lists of our own.
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    own="-o Dir::State::Lists=$work/lists -o Dir::Cache=$work/cache"
    # shellcheck disable=SC2086
    apt-get update $own >/dev/null 2>&1 &&
        (cd "$work" && apt-get download $own python3-skimage >/dev/null 2>&1) ||
        say "apt-get could not download python3-skimage"
fi
dpkg-deb --fsys-tarfile "$work"/python3-skimage_*.deb | tar -C "$work" --wildcards -xf - "*/$file"
mkdir -p "$data"
found=$(find "$work" -name "$file" | head -n 1)
[ -n "$found" ] || say "the package python3-skimage has no $file"
cp "$found" "$data/$file.tmp"
mv "$data/$file.tmp" "$data/$file"
