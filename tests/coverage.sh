#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines of src/ that the tests execute, by gcov, file by file and in all. Wants $B built with --coverage and run.
set -u
cd "$(dirname "$0")/.."
B=${B:-build/coverage}
# By what was compiled, not by what ran: a file that no test links counts with no line executed.
find "$B/obj/src" -name '*.gcno' | while read -r notes; do
    gcov -n -s "$PWD" -r "$notes" 2>/dev/null
done | awk -v least="${LEAST:-92}" '
    /^File/ { file = $2; gsub(/\047/, "", file) }
    /^Lines executed/ && file ~ /^src\// {
        split($0, part, /[:% ]+/)
        n = part[5]; covered = part[3] * n / 100
        # A header or an included file is seen once from each unit: the best of them counts.
        if (!(file in lines) || covered > hit[file]) { lines[file] = n; hit[file] = covered }
        file = ""
    }
    END {
        for (f in lines) { all += lines[f]; sum += hit[f]; printf "%6.1f %%  %5d lines  %s\n", 100 * hit[f] / lines[f], lines[f], f | "sort" }
        close("sort")
        printf "coverage of src: %.1f %% of %d lines\n", 100 * sum / all, all
        exit !(100 * sum / all >= least)
    }'
