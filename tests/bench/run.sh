#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [NAME...]: the pairs bench_NAME.{lua,py} side by side; see README.md. ISA=avx2 or base caps
# the level of instructions of both sides.
set -u
cd "$(dirname "$0")/../.."
B=${B:-build}
PERIGEE=${PERIGEE:-$PWD/$B/perigee}
PYTHON=${PYTHON:-/usr/bin/python3}
ROUNDS=${ROUNDS:-5}
CORE=${CORE:-$(($(getconf _NPROCESSORS_ONLN) - 1))}
THREADS=${THREADS:-1}
export OPENBLAS_NUM_THREADS="$THREADS" OMP_NUM_THREADS="$THREADS" MKL_NUM_THREADS="$THREADS"
case ${ISA:-} in
"" | avx512) ;;
base)
    export NPY_DISABLE_CPU_FEATURES="SSE41 POPCNT SSE42 AVX F16C FMA3 AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
    export OPENBLAS_CORETYPE=Prescott ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2
    ;;
avx2)
    export NPY_DISABLE_CPU_FEATURES="AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
    export OPENBLAS_CORETYPE=Haswell ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
    ;;
*) echo "run.sh: ISA=$ISA: expected base, avx2 or avx512" && exit 2 ;;
esac
export PERIGEE_ISA="${ISA:-}" PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
[ $# -gt 0 ] || set -- $(ls tests/bench/bench_*.lua | sed 's|.*/bench_||; s|\.lua$||')
: >"$out/below"

pin() {
    if [ "$THREADS" = 1 ] && command -v taskset >/dev/null; then taskset -c "$CORE" "$@"; else "$@"; fi
}

for name; do
    ours=tests/bench/bench_$name.lua
    peer=tests/bench/bench_$name.py
    : >"$out/$name.ours"
    : >"$out/$name.peer"
    if [ -f "$peer" ] && ! PYTHONPATH=tests/bench pin "$PYTHON" "$peer" --check 2>"$out/why"; then
        echo "$name: left out, its peer is missing: $(tail -n 1 "$out/why")"
        continue
    fi
    round=0
    while [ $round -lt "$ROUNDS" ]; do
        pin "$PERIGEE" "$ours" >>"$out/$name.ours" || { echo "$name: $ours failed"; exit 1; }
        if [ -f "$peer" ]; then
            PYTHONPATH=tests/bench pin "$PYTHON" "$peer" >>"$out/$name.peer" ||
                { echo "$name: $peer failed"; exit 1; }
        fi
        round=$((round + 1))
    done
    awk -F '\t' -v name="$name" -v below="$out/below" '
        function median(key,    n, i, j, v, a) {
            n = count[key]
            for (i = 1; i <= n; i++) a[i] = value[key, i]
            for (i = 2; i <= n; i++) {
                v = a[i]
                for (j = i - 1; j > 0 && a[j] > v; j--) a[j + 1] = a[j]
                a[j + 1] = v
            }
            return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
        }
        function text(key, unit,    m) {
            if (!(key in count)) return "-"
            m = median(key)
            if (unit != "") return sprintf("%.4g %s", m, unit)
            return m < 1e-6 ? sprintf("%.0f ns", m * 1e9) : m < 1e-3 ? sprintf("%.4g us", m * 1e6) : \
                m < 1 ? sprintf("%.4g ms", m * 1e3) : sprintf("%.4g s", m)
        }
        {
            side = FILENAME ~ /\.ours$/ ? "ours" : "peer"
            if (!($1 in unit)) { order[++cases] = $1; unit[$1] = $3 }
            value[side SUBSEP $1, ++count[side SUBSEP $1]] = $2
        }
        END {
            printf "%-34s %12s %12s %10s\n", name, "perigee", "peer", "peer/ours"
            for (c = 1; c <= cases; c++) {
                k = order[c]; o = "ours" SUBSEP k; p = "peer" SUBSEP k
                r = (o in count) && (p in count) ? sprintf("%.2f", median(p) / median(o)) : "-"
                printf "%-34s %12s %12s %10s\n", k, text(o, unit[k]), text(p, unit[k]), r
                if (r != "-" && unit[k] == "" && r < 0.95) print r, name ": " k >>below
            }
        }' "$out/$name.ours" "$out/$name.peer"
done

# Last, every row where the peer is faster.
if [ -s "$out/below" ]; then
    echo
    echo "below 0.95: $(grep -c . "$out/below") rows"
    sort -n "$out/below"
else
    echo "no row below 0.95"
fi
