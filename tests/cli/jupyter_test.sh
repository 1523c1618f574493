#!/bin/sh
# SPDX-License-Identifier: MIT
# The notebook's kernel by Jupyter's own tests, and the notebooks of examples/notebooks by nbconvert.
# What is not installed is skipped, and said.
set -u
cd "$(dirname "$0")/../.."
perigee=${PERIGEE:-$PWD/${B:-build}/perigee}
python=${PYTHON:-/usr/bin/python3}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JUPYTER_DATA_DIR="$work/data" JUPYTER_RUNTIME_DIR="$work/run" JUPYTER_CONFIG_DIR="$work/config" \
    IPYTHONDIR="$work/ipython" HOME="$work"

check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        tail -n 40 "$work/log"
    fi
}

check "install" "$perigee" jupyter install
[ -f "$JUPYTER_DATA_DIR/kernels/perigee/kernel.json" ] || { echo "no kernel.json"; failed=$((failed + 1)); }
check "install with a prefix" "$perigee" jupyter install --prefix "$work/usr" --program /usr/bin/perigee
check "the program it names" grep -q '"/usr/bin/perigee", "jupyter"' "$work/usr/share/jupyter/kernels/perigee/kernel.json"
check "uninstall" "$perigee" jupyter uninstall --prefix "$work/usr"
check "nothing left" test ! -e "$work/usr/share/jupyter/kernels/perigee"
check "a word that is not known" sh -c "! '$perigee' jupyter instal 2>'$work/err' && grep -q \"no command 'instal'\" '$work/err'"
echo '{"ip": "127.0.0.1"}' >"$work/bad.json"
check "a file that is no connection" sh -c \
    "! '$perigee' jupyter kernel '$work/bad.json' 2>'$work/err' && grep -q 'shell_port is no port' '$work/err'"

if "$python" -c 'import jupyter_kernel_test' 2>/dev/null; then
    "$python" tests/jupyter/kernel_test.py >"$work/log" 2>&1 || {
        failed=$((failed + 1))
        cat "$work/log"
    }
    ran=$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$work/log")
    passed=$((passed + ${ran:-0}))
else
    echo "skipped: Jupyter's tests of kernels (Debian: python3-jupyter-kernel-test, libzmq5)"
fi

if "$python" -c 'import nbconvert' 2>/dev/null; then
    for notebook in examples/notebooks/*.ipynb; do
        check "$notebook" "$python" -m nbconvert --execute --to notebook --output-dir "$work/out" "$notebook"
    done
else
    echo "skipped: notebooks by nbconvert (Debian: python3-nbconvert)"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
