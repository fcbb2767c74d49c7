#!/usr/bin/env bash
# Builds the library in several ways, under build/, and runs the tests on each build.
#
#     tests/run.sh [--all] [FOLDER[/SUBJECT]...]
#
# Names pick tests, as in `tests/run.sh reactor/timer task`. --all adds the long ones: everything
# under valgrind, and a gcc Release build. A test program that passes shows cmocka's closing lines,
# one that fails shows all it printed. Whatever fails, the rest is run too; the last lines sum up
# each build, and the exit status is 0 when all of them passed.
set -euo pipefail
source "$(dirname "$0")/setup.sh"

all=
if [ "${1-}" = --all ]; then
    all=yes
    shift
fi

every_test=$(cd "$root/tests" && printf '%s\n' */test_*.c | sed 's/\.c$//; s/test_//')
tests=
for wanted in "${@:-[a-z]*}"; do
    if ! tests+=" $(grep -xE -e "$wanted(/.*)?" <<<"$every_test" | xargs)"; then
        echo "no test has this name: $wanted (they look like this: reactor/timer, task)" >&2
        exit 1
    fi
done

need gcc libc6-dev clang libclang-rt-dev llvm cmake ninja-build pkg-config libcmocka-dev valgrind

# Use after return is not looked for: a scope that a task forgets to leave is, by design, found and
# closed after the function that had it on its stack.
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1

# run_test FOLDER TEST COMMAND...: runs the program of a test by way of a command, and prints how it
# went in one piece, since another one may be printing too.
run_test() {
    local folder=$1 test=$2 status=0 closing='test\(s\) run|PASSED|SKIPPED|^points: [0-9]+ in all'
    local program=$folder/tests/test_${test/\//_}
    shift 2
    "$@" "$program" >"$program.log" 2>&1 || status=$?
    if [ "$status" -eq 0 ] && grep -q 'test(s) run' "$program.log"; then
        grep 'test(s) run' "$program.log" >>"$folder/passed"
        (echo "-- $test" && grep -E "$closing" "$program.log") >"$program.out"
    else
        echo "$test" >>"$folder/failed"
        (echo "-- $test: FAILED, status $status (0: ran no test, 124: out of time)" &&
            cat "$program.log") >"$program.out"
    fi
    flock "$folder" cat "$program.out"
}
export -f run_test

# check NAME "TEST..." "COMMAND..." CMAKE-ARGUMENT...: builds, runs the tests by way of a command,
# two at a time, and adds a line to the summary.
summary=()
check() {
    local name=$1 folder=$root/build/$1 start=$SECONDS chosen through targets result
    read -ra chosen <<<"$2"
    read -ra through <<<"$3"
    shift 3
    [ ${#chosen[@]} -gt 0 ] || return 0 # none of those that were named

    echo "== $name: $*"
    mkdir -p "$folder"
    : >"$folder/passed"
    : >"$folder/failed"
    targets=${chosen[*]/#/test_}
    build "$name" "${targets//\//_}" -DAIOL_BUILD_TESTS=ON "$@" ||
        echo "the build" >"$folder/failed"
    printf '%s\n' "${chosen[@]}" |
        xargs -P 2 -I{} bash -c 'run_test "$@"' run_test "$folder" {} "${through[@]}"

    result=$(awk '{ n += $2 } END { print n " tests passed" }' "$folder/passed")
    [ ! -s "$folder/failed" ] || result="FAILED: $(paste -sd ' ' "$folder/failed")"
    summary+=("$(printf '%-14s %4d s  %s' "$name" $((SECONDS - start)) "$result")")
}

limited='timeout -k 5 120'
fixed=$limited # the sanitizers of older compilers dislike some random address spaces
! setarch -R true 2>/dev/null || fixed="setarch -R $limited"
of_epoll=${tests/ platform\/kqueue/}
of_kqueue=${tests/ platform\/epoll/}
switching=$(grep -oE '(task|await)/\w+' <<<"$tests" | xargs || true)
of_stacks=$(grep -oE '(task/context|task/stack|queue/\w+)' <<<"$tests" | xargs || true)

valgrind='timeout -k 5 300 valgrind -q --error-exitcode=99 --leak-check=full'
gcc=(-DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug)
clang=(-DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug)
check gcc-debug "$of_epoll" "$limited" "${gcc[@]}"
check clang-release "$of_epoll" "$limited" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release
check clang-asan "$of_epoll" "$fixed" "${clang[@]}" -DAIOL_SANITIZE=address,undefined
check clang-tsan "$of_epoll" "$fixed" "${clang[@]}" -DAIOL_SANITIZE=thread
check gcc-ucontext "$switching" "$limited" "${gcc[@]}" -DAIOL_CONTEXT=ucontext
check gcc-kqueue "$of_kqueue" "$limited" "${gcc[@]}" -DAIOL_POLLER=kqueue
if [ -n "$all" ]; then
    check gcc-release "$of_epoll" "$limited" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
    check valgrind "$of_epoll" "$valgrind" "${gcc[@]}"
else
    check valgrind "$of_stacks" "$valgrind" "${gcc[@]}"
fi

echo "== summary"
printf '%s\n' "${summary[@]}"
! printf '%s\n' "${summary[@]}" | grep -q FAILED
