#!/usr/bin/env bash
# Builds the library and its tests for another processor or C library, in build/TARGET, and runs
# them; machines.sh has the targets.
#
#     tests/cross/run.sh TARGET [FOLDER[/SUBJECT]...]
set -euo pipefail
source "$(dirname "$0")/../check.sh"
source "$root/tests/cross/machines.sh"

target=$1
tests=" $(choose_tests "${@:2}")"
check_on "$target" "${tests/ platform\/kqueue/}"
sum_up
