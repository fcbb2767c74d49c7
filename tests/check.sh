# Sourced by the scripts that run tests: which there are, and how a build is made and tested.
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# choose_tests [FOLDER[/SUBJECT]...]: the tests of these names, or all, in one line, each once; or
# an error.
choose_tests() {
    local every wanted chosen=()
    every=$(cd "$root/tests" && printf '%s\n' */test_*.c | sed 's/\.c$//; s/test_//')
    for wanted in "${@:-[a-z]*}"; do
        if ! grep -qxE -e "$wanted(/.*)?" <<<"$every"; then
            echo "no test has this name: $wanted (they look like this: reactor/timer, task)" >&2
            return 1
        fi
        mapfile -t -O ${#chosen[@]} chosen < <(grep -xE -e "$wanted(/.*)?" <<<"$every")
    done
    printf '%s\n' "${chosen[@]}" | awk '!seen[$0]++' | paste -sd ' '
}

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

# note NAME START RESULT: adds a line to the summary, about what began at second START.
summary=()
note() {
    summary+=("$(printf '%-16s %4d s  %s' "$1" $((SECONDS - $2)) "$3")")
}

# check NAME "TEST..." "COMMAND..." CMAKE-ARGUMENT...: builds, runs the tests by way of a command,
# two at a time, and adds a line to the summary.
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
        xargs -P 2 -I{} bash -c 'run_test "$@"' run_test "$folder" {} "${through[@]}" ||
        echo "what runs the tests" >>"$folder/failed"

    result=$(awk '{ n += $2 } END { print n " tests passed" }' "$folder/passed")
    [ ! -s "$folder/failed" ] || result="FAILED: $(paste -sd ' ' "$folder/failed")"
    note "$name" "$start" "$result"
}

# Prints the summary; fails when anything in it has, and when there is nothing in it.
sum_up() {
    [ ${#summary[@]} -gt 0 ] || summary=("FAILED: none of these tests is for this build")
    echo "== summary"
    printf '%s\n' "${summary[@]}"
    [[ "${summary[*]}" != *FAILED* ]]
}
