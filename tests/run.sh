#!/usr/bin/env bash
# Builds the library in several ways, under build/, and runs the tests on each build.
#
#     tests/run.sh [--all] [FOLDER[/SUBJECT]...]
#
# Names pick tests, as in `tests/run.sh reactor/timer task`. --all adds the long ones: everything
# under valgrind, a gcc Release build, other processors and C libraries, a hundred times as many
# random programs, and the README's commands on a fresh machine. A test program that passes shows
# cmocka's closing lines, one that fails shows all it printed. Whatever fails, the rest is run too;
# the last lines sum up each build, and the exit status is 0 when all of them passed.
set -euo pipefail
source "$(dirname "$0")/check.sh"
source "$root/tests/cross/machines.sh"

all=
if [ "${1-}" = --all ]; then
    all=yes
    shift
fi

tests=" $(choose_tests "$@")"
need gcc libc6-dev clang libclang-rt-dev llvm cmake ninja-build pkg-config libcmocka-dev valgrind

# Use after return is not looked for: a scope that a task forgets to leave is, by design, found and
# closed after the function that had it on its stack.
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1

limited='timeout -k 5 120'
fixed=$limited # the sanitizers of older compilers dislike some random address spaces
! setarch -R true 2>/dev/null || fixed="setarch -R $limited"
of_epoll=${tests/ platform\/kqueue/}
of_kqueue=${tests/ platform\/epoll/}
those_of() { # PATTERN
    tr ' ' '\n' <<<"$tests" | grep -xE "$1" | xargs || true
}
switching=$(those_of '(task|await)/.*')
of_stacks=$(those_of 'task/(context|stack)|queue/.*')
of_programs=$(those_of simulation/programs)

valgrind='timeout -k 5 300 valgrind -q --error-exitcode=99 --leak-check=full'
gcc=(-DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug)
clang_release=(-DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release)
clang_asan=(-DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug "-DAIOL_SANITIZE=address,undefined")
clang_tsan=(-DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DAIOL_SANITIZE=thread)
check gcc-debug "$of_epoll" "$limited" "${gcc[@]}"
check clang-release "$of_epoll" "$limited" "${clang_release[@]}"
check clang-asan "$of_epoll" "$fixed" "${clang_asan[@]}"
check clang-tsan "$of_epoll" "$fixed" "${clang_tsan[@]}"
check gcc-ucontext "$switching" "$limited" "${gcc[@]}" -DAIOL_CONTEXT=ucontext
check gcc-kqueue "$of_kqueue" "$limited" "${gcc[@]}" -DAIOL_POLLER=kqueue
if [ -n "$all" ]; then
    check gcc-release "$of_epoll" "$limited" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
    check valgrind "$of_epoll" "$valgrind" "${gcc[@]}"
    for machine in aarch64 aarch64-ucontext arm musl; do
        check_on "$machine" "$of_epoll"
    done
    # In the builds that are there already, and with the same arguments.
    export AIOL_TEST_SCALE=100
    check clang-release "$of_programs" "${limited/120/7200}" "${clang_release[@]}"
    check clang-asan "$of_programs" "${fixed/120/7200}" "${clang_asan[@]}"
    check clang-tsan "$of_programs" "${fixed/120/7200}" "${clang_tsan[@]}"
    unset AIOL_TEST_SCALE
    if [ $# -eq 0 ]; then
        start=$SECONDS
        result="the README's commands work"
        "$root/tests/fresh_machine.sh" || result=FAILED
        note fresh-machine "$start" "$result"
    fi
else
    check valgrind "$of_stacks" "$valgrind" "${gcc[@]}"
fi

sum_up
