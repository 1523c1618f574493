#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs all experiments as one batch, two jobs at a time; ends with the path of the report. Public
# data that is missing is fetched first, where that can be done.
set -u
cd "$(dirname "$0")/.."
vendor/datasets.sh
exec "${B:-build}/perigee" run -j "${JOBS:-2}" --out "${OUT:-out}" "$@" experiments/*.lua
