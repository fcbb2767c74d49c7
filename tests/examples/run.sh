#!/usr/bin/env bash
# Runs each examples/NN_name.c, and the tour, and checks it: what it prints must be
# tests/examples/NN_name.out to the letter, or tests/examples/NN_name.sh must succeed in driving the
# program, whose path it is given.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build python3

build examples all -DCMAKE_BUILD_TYPE=Release -DAIOL_BUILD_EXAMPLES=ON

failed=0
for source in "$root"/examples/[0-9][0-9]_*.c "$root/examples/tour"; do
    name=$(basename "$source" .c)
    program=$root/build/examples/examples/$name
    expected=$root/tests/examples/$name
    status=0
    : >"$program.err"
    if [ -f "$expected.out" ]; then
        timeout -k 5 120 "$program" >"$program.out" 2>"$program.err" </dev/null || status=$?
        diff -u "$expected.out" "$program.out" || status=differs
    elif [ -f "$expected.sh" ]; then
        timeout -k 5 120 bash "$expected.sh" "$program" >"$program.err" 2>&1 </dev/null || status=$?
    else
        status="no tests/examples/$name.out or .sh"
    fi
    if [ "$status" = 0 ]; then
        echo "$name: as expected"
    else
        echo "$name: FAILED ($status)"
        cat "$program.err"
        failed=1
    fi
done
exit $failed
