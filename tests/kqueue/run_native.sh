#!/usr/bin/env bash
# On macOS or FreeBSD itself: builds both libraries and the portable examples, then builds and runs
# the portable tests, on a debug build. Wants cmake, ninja, pkg-config and cmocka to be there.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra examples <<<"$(tests/kqueue/portable.sh examples | xargs)"
read -ra tests <<<"$(tests/kqueue/portable.sh tests | xargs)"

cmake -G Ninja -S . -B build/native -DAIOL_BUILD_EXAMPLES=ON -DCMAKE_C_FLAGS=-Werror
cmake --build build/native --target aio-loop-static aio-loop-shared "${examples[@]}"
for example in "${examples[@]}"; do
    expected=tests/examples/$example.out
    [ ! -f "$expected" ] || "build/native/examples/$example" | diff - "$expected"
done

flags=-Werror
[ "$(uname)" != Darwin ] || flags="-include $PWD/tests/kqueue/darwin.h -Werror"
cmake -G Ninja -S . -B build/native-tests -DAIOL_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS="$flags"
cmake --build build/native-tests --target "${tests[@]}"
chosen=$(printf '%s\n' "${tests[@]}" | sed 's/^test_//; s/_/\//' | paste -sd '|' -)
ctest --test-dir build/native-tests -j 2 --output-on-failure -R "^($chosen)\$"
