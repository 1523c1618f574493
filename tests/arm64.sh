#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds for arm64 by a cross compiler against the packages of a Debian release, and runs the kernel tests and the specs
# in an emulator. Everything is below $B/arm64, the packages (300 MB, fetched once) in its folder root. SUITE names the
# release, else that of this machine.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
suite=${SUITE:-$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)}
mkdir -p "$B/arm64"
top=$(cd "$B/arm64" && pwd)
root=$top/root
libraries=$root/usr/lib/aarch64-linux-gnu

packages() {
    awk '$3 == "run" || $3 == "test" { print $1 }' vendor/packages.txt | grep -vxE 'gcc|make|pkg-config' | paste -sd , -
}

# Unpacked only: nothing of another machine's has to run for it. Of what an installation does further, the build needs
# the links to OpenBLAS.
if [ ! -f "$top/complete" ]; then
    vendor/install.sh systems
    rm -rf "$root"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$(packages)" "$suite" "$root" ${MIRROR:+"$MIRROR"}
    for file in "$libraries"/openblas-*/*.so* "$libraries"/openblas-*/*.a; do
        ln -sf "${file#"$libraries"/}" "$libraries"
    done
    for name in openblas lapack blas; do
        for file in "$libraries"/openblas-*/pkgconfig/"$name".pc "$libraries"/openblas-*/pkgconfig/"$name"-openblas.pc; do
            [ ! -f "$file" ] || ln -sf "../${file#"$libraries"/}" "$libraries/pkgconfig/$name.pc"
        done
    done
    touch "$top/complete"
fi

# Paths of the program are looked for below the root first, then here: the tests are ours.
export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$libraries/pkgconfig:$root/usr/share/pkgconfig" QEMU_LD_PREFIX="$root"
make --no-print-directory -s B="$B/arm64" CC="${CROSS:-aarch64-linux-gnu-gcc} --sysroot=$root" CFLAGS="-Werror ${CFLAGS:-}" \
    -j"${JOBS:-$(nproc)}" build-tests
printf '#!/bin/sh\nexec qemu-aarch64-static %s/perigee "$@"\n' "$top" >"$top/emulated"
chmod +x "$top/emulated"
"$top/emulated" -e 'local info = require("perigee").info() print("arm64: " .. info.blas)'
# Specs of processes are left out: the kernel here cannot start theirs.
B=$B/arm64 PERIGEE="$top/emulated" EMULATOR=qemu-aarch64-static SANITIZED=1 tests/run.sh
