#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs experiments as one batch, two jobs at a time, and ends with the path of the report. Public data that is missing
# is fetched before, where that can be done.
#   experiments/run.sh           all, homework 1 first, homeworks 2 to 4 with --quick
#   experiments/run.sh course    homeworks 2 to 4 in full, which takes an hour or more; what was stopped goes on
set -u
cd "$(dirname "$0")/.."
case ${1:-all} in
course)
    shift
    vendor/datasets.sh faces fashion
    exec "${B:-build}/perigee" run -j "${JOBS:-2}" --out "${OUT:-out/course}" --resume experiments/hw*.lua
    ;;
esac
vendor/datasets.sh
for script in experiments/problem*.lua; do set -- "$@" "$script"; done
for script in experiments/*.lua; do
    case $script in
    */problem*) ;;
    */hw*) set -- "$@" "$script" --quick-for "$script" ;;
    *) set -- "$@" "$script" ;;
    esac
done
echo "homeworks 2 to 4 run with --quick here (small data, few steps); make course runs them in full"
exec "${B:-build}/perigee" run -j "${JOBS:-2}" --out "${OUT:-out}" "$@"
