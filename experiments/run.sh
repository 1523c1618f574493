#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs all experiments as one batch, two jobs at a time, the homework's problems first; ends with
# the path of the report. Public data that is missing is fetched before, where that can be done.
set -u
cd "$(dirname "$0")/.."
vendor/datasets.sh
for script in experiments/problem*.lua; do set -- "$@" "$script"; done
for script in experiments/*.lua; do
    case $script in
    */problem*) ;;
    *) set -- "$@" "$script" ;;
    esac
done
exec "${B:-build}/perigee" run -j "${JOBS:-2}" --out "${OUT:-out}" "$@"
