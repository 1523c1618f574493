#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh FUZZER...: each for FUZZ_SECONDS from its seeds and from what earlier runs found; one line each.
set -u
B=${B:-build}
failed=0
for fuzzer; do
    name=$(basename "$fuzzer")
    reader=${name#fuzz_}
    corpus=$B/fuzz/corpus/$reader
    mkdir -p "$corpus"
    # The state that makes programs of the bytes holds now more, now less, which looks like a leak
    # and is searched for after each input. What leaks is found when the fuzzer ends.
    case $reader in
    lua) own="-detect_leaks=0 -max_len=256" ;;
    functions) own="-detect_leaks=0 -max_len=8 -timeout=60 -rss_limit_mb=2000" ;;
    *) own=-max_len=4096 ;;
    esac
    # shellcheck disable=SC2086
    "$fuzzer" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=1 -rss_limit_mb=512 $own \
        -print_final_stats=1 -artifact_prefix="$B/fuzz/$reader-" "$corpus" "tests/fuzz/seeds/$reader" \
        >"$B/fuzz/$reader.log" 2>&1 && outcome=fine || outcome="FAILED, see $B/fuzz/$reader.log"
    [ "$outcome" = fine ] || failed=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$B/fuzz/$reader.log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$B/fuzz/$reader.log")
    calls=$(sed -n 's/^stat::calls: *\(.*\)/ of \1 calls in all/p' "$B/fuzz/$reader.log")
    echo "fuzz $reader: ${runs:-0} executions$calls, ${peak:-?} MB at most, $outcome"
done
exit $failed
