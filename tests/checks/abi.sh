#!/usr/bin/env bash
# What a program that was linked once relies on: the names that the shared library exports, the
# sizes of public structs and the values of public constants, on x86-64. They are held in
# tests/abi.txt, and a difference is an error: what is there may not change while the soname stays.
# After an addition, or with a new soname, run this with --update and say so in the changelog.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build binutils

built=$root/build/checks
build checks aio-loop-shared -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release

headers=("$root"/include/aiol/*.h)
public() { # PATTERN: what it matches in the headers, sorted
    sed 's|//.*||' "${headers[@]}" | grep -oE "$1" | sort -u
}

{
    echo '#include <aiol.h>'
    echo '#include <stdio.h>'
    echo 'int main(void) {'
    public '^struct aiol_\w+ \{' | grep -oE 'aiol_\w+' | while read -r name; do
        echo "printf(\"struct $name: %zu bytes, aligned to %zu\\n\","
        echo "sizeof(struct $name), _Alignof(struct $name));"
    done
    # Enumerators and numeric macros; what has arguments, or is not a number, is no constant.
    public '^(    AIOL_[A-Z0-9_]+ =|#define AIOL_[A-Z0-9_]+ .*(INT|[0-9]).*$)' |
        grep -oE 'AIOL_[A-Z0-9_]+' | grep -v '_VERSION_' | sort -u | while read -r name; do
        echo "printf(\"$name = %lld\\n\", (long long)$name);"
    done
    echo 'return 0; }'
} >"$built/abi.c"
gcc -std=c11 -I"$root/include" -o "$built/abi" "$built/abi.c"
{
    readelf -dW "$built/libaio-loop.so" | grep -oE 'soname: \[.*\]'
    nm -D --defined-only "$built/libaio-loop.so" | awk '{ print $2 " " $3 }' | sort -k 2
    "$built/abi"
} >"$built/abi.txt"

if [ "${1-}" = --update ]; then
    cp "$built/abi.txt" "$root/tests/abi.txt"
fi
if ! diff -u "$root/tests/abi.txt" "$built/abi.txt"; then
    echo "the interface is not what tests/abi.txt says: the head of tests/checks/abi.sh says more"
    exit 1
fi
