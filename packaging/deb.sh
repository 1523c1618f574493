#!/bin/sh
# SPDX-License-Identifier: MIT
# deb.sh B VERSION: a Debian package from the sources as they lie here, in B/deb. Needs debhelper and dpkg-dev besides
# what the build needs; no git.
set -eu
cd "$(dirname "$0")/.."
B=$1 version=$2
for tool in dpkg-buildpackage dh; do
    command -v $tool >/dev/null || {
        echo "make deb: $tool is not here; apt-get install build-essential debhelper" >&2
        exit 1
    }
done
work=$B/deb/perigee-$version
rm -rf "$B/deb"
mkdir -p "$work"
tar -c --exclude=./build --exclude=./out --exclude=./.git --exclude=./"$B" . | tar -x -C "$work"
cp -R packaging/debian "$work/debian"
sed -i "s/@VERSION@/$version/" "$work/debian/changelog"
(cd "$work" && dpkg-buildpackage -b -us -uc -tc) >"$B/deb/build.log" 2>&1 || {
    tail -n 40 "$B/deb/build.log" >&2
    exit 1
}
rm -rf "$work"
ls "$B"/deb/*.deb
