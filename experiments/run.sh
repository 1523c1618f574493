#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs all experiments as one batch, two jobs at a time; ends with the path of the report.
set -u
cd "$(dirname "$0")/.."
exec "${B:-build}/perigee" run -j "${JOBS:-2}" --out "${OUT:-out}" "$@" experiments/*.lua
