#!/bin/sh
# SPDX-License-Identifier: MIT
# systems.sh NAME [FOLDER]: the last commit in a system of that name (bookworm, trixie, noble, or what comes after them),
# which is put into FOLDER, or into a temporary one. A folder that holds one already is used as it is. Runs make test
# there, with STEPS="test check" make check too, and prints versions and results. As root; MIRROR is where the packages
# are, where mmdebstrap does not know that of the name.
set -eu
cd "$(dirname "$0")/.."
name=${1:?systems.sh NAME [FOLDER]}
[ "$(id -u)" = 0 ] || {
    echo "systems: as root, since a system is put into a folder"
    exit 2
}
if [ -n "${2:-}" ]; then
    mkdir -p "$2"
    root=$(cd "$2" && pwd)
else
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
fi
if [ ! -x "$root/usr/bin/apt-get" ]; then
    vendor/install.sh systems
    mmdebstrap --quiet --variant=apt --include=git,make,ca-certificates "$name" "$root" ${MIRROR:+"$MIRROR"}
fi
rm -rf "$root/tmp/perigee"
git clone -q --no-local . "$root/tmp/perigee"
cp /etc/resolv.conf "$root/etc/resolv.conf"

cat >"$root/tmp/perigee/.system" <<'INSIDE'
cd /tmp/perigee
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
apt-get update -qq
status=0
for step in $STEPS; do
    make $step >/tmp/$step.log 2>&1 || { status=1; grep -E 'FAILED|error|warning|check: ' /tmp/$step.log | head -n 40; }
    case $step in
    test) grep -E '^[0-9]+ passed, [0-9]+ failed$' /tmp/test.log || tail -n 20 /tmp/test.log ;;
    *) tail -n 3 /tmp/$step.log ;;
    esac
done
. /etc/os-release
echo "system: ${PRETTY_NAME:-unknown}, $(uname -m)"
for package in gcc clang libc6-dev liblua5.4-dev libopenblas-dev liblapacke-dev libpng-dev libjpeg-dev zlib1g-dev \
    libdeflate-dev libcairo2-dev libfreetype-dev lua-busted; do
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' $package 2>/dev/null | sed -n 's/^ii  */system: /p'
done
echo "system: $SYSTEM: $([ $status = 0 ] && echo fine || echo FAILED)"
exit $status
INSIDE
# Mounts of its own, which end with it.
unshare --mount sh -c '
    for place in proc sys dev dev/pts dev/shm; do
        mkdir -p "$0/$place"
        mount --rbind "/$place" "$0/$place" 2>/dev/null || mount --bind "/$place" "$0/$place"
    done
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" SYSTEM="$1" STEPS="$2" \
        chroot "$0" sh /tmp/perigee/.system' "$root" "$name" "${STEPS:-test}"
