#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings public data sets out of Debian packages into build/data, without installing the packages:
#   faces    lfw_subset.npy from python3-skimage: 200 images of 25x25 (float in 0..1), of which the first
#            100 are faces cut from Labeled Faces in the Wild and the rest are not faces
#   fashion  the four files of Fashion-MNIST from dataset-fashion-mnist: 70,000 images of 28x28 bytes
#   text     genesis.txt from bible-kjv and bible-kjv-text: a book of plain English, a verse a line
#
#   vendor/datasets.sh [NAME ...]      without a name: faces
#
# What is there already is left alone. Set PERIGEE_NO_INSTALL to fetch nothing.
set -eu
cd "$(dirname "$0")/.."
data=${B:-build}/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Unpacks the packages "$@" into $work, or says why not, and that $missed is what happens then.
unpack() {
    [ -z "${PERIGEE_NO_INSTALL:-}" ] || { say "PERIGEE_NO_INSTALL is set"; return 1; }
    command -v apt-get >/dev/null 2>&1 || { say "this system has no apt-get to bring $*"; return 1; }
    if ! (cd "$work" && apt-get download "$@" >/dev/null 2>&1); then
        # The package lists may be empty; only root can fill the system's, so fill lists of our own.
        mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
        own="-o Dir::State::Lists=$work/lists -o Dir::Cache=$work/cache"
        # shellcheck disable=SC2086
        if ! { apt-get update $own && cd "$work" && apt-get download $own "$@"; } >/dev/null 2>&1; then
            say "apt-get could not download $*"
            return 1
        fi
    fi
    for package in "$@"; do
        mkdir -p "$work/tree"
        dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -C "$work/tree" -xf -
    done
}
say() { echo "perigee: no $name: $1; $missed" >&2; }

# The path of file $2 where package $1 is installed, or nothing.
installed() {
    path=$(dpkg-query -L "$1" 2>/dev/null | grep "/$2\$" || true)
    [ -z "$path" ] || [ ! -f "$path" ] || echo "$path"
}

# Puts file $2 of package $1 into $data, from the system or from the package.
bring() {
    [ ! -f "$data/$2" ] || return 0
    found=$(installed "$1" "$2")
    [ -n "$found" ] || found=$(find "$work" -name "$2" | head -n 1)
    if [ -z "$found" ]; then
        unpack "$1" || return 0
        found=$(find "$work" -name "$2" | head -n 1)
    fi
    [ -n "$found" ] || { say "the package $1 has no $2"; return 0; }
    mkdir -p "$data"
    cp "$found" "$data/$2.tmp"
    mv "$data/$2.tmp" "$data/$2"
}

faces() {
    missed="experiments with faces take --faces FILE instead"
    bring python3-skimage lfw_subset.npy
}

fashion() {
    missed="the examples draw images of their own instead"
    for half in train t10k; do
        bring dataset-fashion-mnist $half-images-idx3-ubyte.gz
        bring dataset-fashion-mnist $half-labels-idx1-ubyte.gz
    done
}

# The program reads its own compressed form; without line breaks each verse follows "Ge1:1 ".
text() {
    missed="the examples take --text FILE, or count in words instead"
    [ ! -f "$data/genesis.txt" ] || return 0
    bible=$(installed bible-kjv bin/bible)
    book=$(installed bible-kjv-text bible.data)
    if [ -z "$bible" ] || [ -z "$book" ]; then
        unpack bible-kjv bible-kjv-text || return 0
        bible=$work/tree/usr/bin/bible
        book=$work/tree/usr/lib/bible.data
    fi
    mkdir -p "$data"
    "$bible" -f -p "$(dirname "$book")" Gen1:1-Gen50:26 </dev/null |
        sed -n 's/^[A-Z][a-z]*[0-9]*:[0-9]* *//p' >"$data/genesis.txt.tmp"
    [ -s "$data/genesis.txt.tmp" ] || { say "bible gave no text"; return 0; }
    mv "$data/genesis.txt.tmp" "$data/genesis.txt"
}

[ $# -gt 0 ] || set -- faces
for name in "$@"; do
    case $name in
    faces | fashion | text) $name ;;
    *)
        echo "perigee: there is no data set '$name'; there are faces, fashion and text" >&2
        exit 2
        ;;
    esac
done
