#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh GROUP...: makes sure that the packages of vendor/packages.txt which the target needs
# are there. Says what is missing and the one command that installs it; runs it as root or through
# passwordless sudo unless PERIGEE_NO_INSTALL is set; else exits 1.
set -eu
here=$(dirname "$0")
case "${1:-run}" in
run) groups=" run " ;;
test) groups=" run test " ;;
check) groups=" run test check " ;;
*) groups=" $* " ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "perigee: this is not a Debian system; vendor/packages.txt lists what must be there." >&2
    exit 0
fi

missing=
while read -r package minimum group _; do
    case "$package" in '#'* | '') continue ;; esac
    case "$groups" in *" $group "*) ;; *) continue ;; esac
    have=$(dpkg-query -W -f '${Status} ${Version}\n' "$package" 2>/dev/null |
        sed -n 's/^install ok installed //p' | head -n 1)
    if [ -n "$have" ] && dpkg --compare-versions "${have#*:}" ge "$minimum"; then
        continue
    fi
    missing="$missing $package"
done <"$here/packages.txt"
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root="sudo "
command="${as_root}apt-get install -y --no-install-recommends$missing"
echo "perigee: missing:$missing"
echo "perigee: install with: $command"
if [ -n "${PERIGEE_NO_INSTALL:-}" ]; then
    exit 1
fi
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
run() { if [ -n "$as_root" ]; then sudo -n "$@"; else "$@"; fi; }
# shellcheck disable=SC2086
run apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    { run apt-get update >/dev/null && run apt-get install -y --no-install-recommends $missing; }
