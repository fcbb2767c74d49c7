#!/usr/bin/env bash
# Measures the library beside hand-written floors and beside other libraries.
#
#     tests/bench/run.sh [OPTION...] [WORKLOAD...]
#
#     --tsv           lines for programs, with tabs between:
#                     workload case who metric unit median min max ratio_to_floor
#     --svg FILE      also draw the ratios as bars
#     --rounds N      so many rounds of each participant (default: 7)
#     --peers         install Debian's packages of the others first: libuv, libev, libevent, State
#                     Threads, asio, Go
#     --instructions  also count instructions of user code an operation (callgrind; slow)
#     --syscalls      also count system calls an operation (strace)
#     --list          say which workloads there are, and their cases
#
# Without a workload all are measured, which takes less than five minutes. What the workloads do
# stands in the headers of tests/bench/*/; README.md there says how to read the results.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"

for option; do
    case $option in
    --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0" && exit ;;
    --peers) need libuv1-dev libev-dev libevent-dev libst-dev libasio-dev golang-go ;;
    --instructions) need valgrind ;;
    --syscalls) need strace ;;
    esac
done
need gcc g++ libc6-dev cmake ninja-build pkg-config python3
build bench all -DCMAKE_BUILD_TYPE=Release -DAIOL_BUILD_BENCH=ON >&2
exec python3 "$root/tests/bench/measure.py" "$root/build/bench/tests/bench" "$@"
