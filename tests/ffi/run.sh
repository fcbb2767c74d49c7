#!/usr/bin/env bash
# The library as other languages see it: Python's ctypes and LuaJIT's ffi load the shared library,
# and nothing is compiled for them. Runs the tests of this folder, then both demos of
# examples/bindings, which must print python.out and luajit.out to the letter.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build python3 luajit

build ffi aio-loop-shared -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
export AIOL_LIBRARY=$root/build/ffi/libaio-loop.so
export PYTHONDONTWRITEBYTECODE=1
failed=0

cd "$root/tests/ffi"
# A test that hangs is aborted, and says where it was.
timeout -s ABRT -k 5 120 python3 -X faulthandler -m unittest -q || failed=1

# demo NAME COMMAND...: what the command prints must be what NAME.out says.
demo() {
    local name=$1 status=0
    shift
    timeout -k 5 60 "$@" >"$root/build/ffi/$name.out" || status=$?
    diff -u "$name.out" "$root/build/ffi/$name.out" || status=differs
    if [ "$status" = 0 ]; then
        echo "examples/bindings/$name: as expected"
    else
        echo "examples/bindings/$name: FAILED ($status)"
        failed=1
    fi
}
demo python python3 "$root/examples/bindings/python/demo.py"
demo luajit luajit "$root/examples/bindings/luajit/demo.lua"
exit $failed
