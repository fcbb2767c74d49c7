#!/usr/bin/env bash
# Which lines and branches of src/ the tests reach, over three builds: epoll with contexts by
# assembly, ucontext, and kqueue. Assertions are compiled out, since a branch that must never be
# taken is no gap. Prints a table, and each line that is not reached; what the compiler makes of
# branches is in build/coverage/branches.txt.
set -euo pipefail
source "$(dirname "$0")/setup.sh"
need gcc libc6-dev cmake ninja-build pkg-config libcmocka-dev gcovr

built=$root/build/coverage
mkdir -p "$built"
traces=()
measure() { # NAME CMAKE-ARGUMENT...
    local folder=$built/$1 program
    rm -rf "$folder"
    CFLAGS="--coverage -fprofile-update=atomic -O0 -DNDEBUG" LDFLAGS=-Wl,-u,__gcov_dump \
        build "coverage/$1" all \
        -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=None -DAIOL_BUILD_TESTS=ON -DAIOL_HARDEN=OFF \
        "${@:2}"
    for program in "$folder"/tests/test_*; do
        [ -x "$program" ] || continue
        timeout 600 "$program" >"$program.log" 2>&1 || echo "$1: ${program##*/} failed"
    done
    gcovr --root "$root" --filter "$root/src/" --object-directory "$folder" --json "$folder.json" \
        "$folder/CMakeFiles/aio-loop-objects.dir" 2>"$folder.log"
    traces+=(--add-tracefile "$folder.json")
}
measure epoll
measure ucontext -DAIOL_CONTEXT=ucontext
measure kqueue -DAIOL_POLLER=kqueue

merged() { gcovr --root "$root" "${traces[@]}" "$@"; }
merged --branches >"$built/branches.txt"
merged --txt-summary 2>/dev/null || merged --print-summary | tail -n 3
merged --json "$built/merged.json"
python3 - "$built/merged.json" "$root" <<'PYTHON'
import json
import pathlib
import sys

for file in json.load(open(sys.argv[1]))["files"]:
    source = (pathlib.Path(sys.argv[2]) / file["file"]).read_text().splitlines()
    for line in file["lines"]:
        if line["count"] == 0 and not line.get("gcovr/noncode"):
            number = line["line_number"]
            print(f"{file['file']}:{number}: not reached: {source[number - 1].strip()}")
PYTHON
