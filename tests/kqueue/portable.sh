#!/usr/bin/env bash
# portable.sh tests | examples: prints the CMake targets of those that are not of Linux alone. Of
# the tests these are all but the faults, the threads' tests, those of the kqueue double, and those
# that name what only Linux has; the tests may use what darwin.h makes up for on macOS, the examples
# not.
set -euo pipefail
cd "$(dirname "$0")/../.."

linux_only='sys/(epoll|eventfd|personality|prctl|syscall|timerfd)\.h|/proc/self'
made_up='accept4|pipe2|SOCK_(NONBLOCK|CLOEXEC)|memfd_create'

# is_portable PATTERN FILE...: whether neither the files nor their headers beside them name it.
is_portable() {
    local pattern=$1 file header
    shift
    for file; do
        ! grep -qE "$pattern" "$file" || return 1
        while IFS= read -r header; do
            header=$(dirname "$file")/$header
            ! { [ -f "$header" ] && grep -qE "$pattern" "$header"; } || return 1
        done < <(sed -n 's/^#include "\(.*\)"$/\1/p' "$file")
    done
}

case $1 in
tests)
    for file in tests/*/test_*.c; do
        name=${file#tests/}
        case $name in
        faults/* | kqueue/* | threads/* | platform/test_epoll.c) continue ;;
        esac
        name=${name%.c}
        ! is_portable "$linux_only" "$file" || echo "test_${name/\/test_/_}"
    done
    ;;
examples)
    for file in examples/[0-9][0-9]_*.c; do
        ! is_portable "$linux_only|$made_up" "$file" || basename "$file" .c
    done
    ! is_portable "$linux_only|$made_up" examples/tour/*.[ch] || echo tour-program
    ;;
esac
