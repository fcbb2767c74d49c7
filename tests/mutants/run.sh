#!/usr/bin/env bash
# Shows that the tests notice bugs: brings one after the other into a copy of the library, and runs
# the tests that must fail then.
#
#     tests/mutants/run.sh [NAME...]
#
# A bug is a patch in this folder: NN-... one of the museum (tests/museum/README.md), pN-... one
# against a promise (src/README.md). NAME is how its name begins, as in `33-` or `p4-`. Before its
# diff a patch says what it breaks, and on lines of their own
#
#     Red: FOLDER/SUBJECT...    the test programs of which at least one must fail, or hang
#     Build: clang-tsan         where gcc's debug build sees nothing; also clang-asan, gcc-kqueue
#
# A patch that does not apply or does not compile is a failure too: bring it up to date. Two copies
# are worked on at a time, under build/mutants/.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"

folder=$root/tests/mutants
work=$root/build/mutants
copies=(0 1)
ulimit -c 0 # many of them crash
fixed= # the sanitizers of older compilers dislike some random address spaces
! setarch -R true 2>/dev/null || fixed='setarch -R'
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0
export TSAN_OPTIONS=halt_on_error=1:abort_on_error=1

patches=()
for wanted in "${@:-}"; do
    found=$(compgen -G "$folder/$wanted*.patch" | sort) || {
        echo "no mutant's name begins with this: $wanted" >&2
        exit 1
    }
    mapfile -t -O ${#patches[@]} patches <<<"$found"
done

# head_of PATCH WORD: what stands behind "WORD: " in a patch's head.
head_of() {
    sed -n "/^--- /q; s/^$2: //p" "$1"
}

# kind_of PATCH: how it is to be built.
kind_of() {
    local kind
    kind=$(head_of "$1" Build)
    echo "${kind:-gcc-debug}"
}

# targets_of "TEST..."
targets_of() {
    sed 's/[^ ][^ ]*/test_&/g; s,/,_,g' <<<"$1"
}

# build_copy COPY KIND "TEST..."
build_copy() {
    local root=$work/$1 # for build()
    local options=(-DAIOL_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-w)
    case $2 in
    gcc-debug) options+=(-DCMAKE_C_COMPILER=gcc) ;;
    gcc-kqueue) options+=(-DCMAKE_C_COMPILER=gcc -DAIOL_POLLER=kqueue) ;;
    clang-asan) options+=(-DCMAKE_C_COMPILER=clang "-DAIOL_SANITIZE=address,undefined") ;;
    clang-tsan) options+=(-DCMAKE_C_COMPILER=clang -DAIOL_SANITIZE=thread) ;;
    esac
    build "$2" "$(targets_of "$3")" "${options[@]}"
}

# passes COPY KIND TEST: a hang is a failure.
passes() {
    local program=$work/$1/build/$2/tests/test_${3/\//_} limited='timeout -k 1 10'
    [[ $2 = gcc-* ]] || limited="$fixed timeout -k 1 60"
    $limited "$program" >"$program.log" 2>&1
}

# verdict_on COPY PATCH: applies a patch, and takes it back.
verdict_on() {
    local copy=$1 patch=$2 kind targets tests test verdict=SURVIVED
    local apply=(patch -d "$work/$copy" -p1 --batch --silent --no-backup-if-mismatch -i "$patch")
    kind=$(kind_of "$patch")
    tests=$(head_of "$patch" Red)
    read -ra targets <<<"$(targets_of "$tests")"
    if ! "${apply[@]}" --dry-run >/dev/null; then
        echo "DOES NOT APPLY"
        return
    fi
    "${apply[@]}"
    if ! cmake --build "$work/$copy/build/$kind" --target "${targets[@]}" >"$work/$copy.log" 2>&1
    then
        verdict="DOES NOT COMPILE: $(grep -m 1 error: "$work/$copy.log")"
    else
        for test in $tests; do
            passes "$copy" "$kind" "$test" || { verdict="red: $test" && break; }
        done
    fi
    "${apply[@]}" --reverse
    echo "$verdict"
}

# judge PATCH: prints and notes the verdict, in the copy that is free.
judge() {
    printf '%-52s %s\n' "$(basename "$1" .patch)" "$(verdict_on "$copy" "$1")" |
        tee -a "$work/verdicts"
}
export fixed work
export -f head_of judge kind_of passes targets_of verdict_on

need gcc libc6-dev cmake ninja-build pkg-config libcmocka-dev patch
rm -rf "$work"
for copy in "${copies[@]}"; do
    mkdir -p "$work/$copy"
    tar -C "$root" --exclude=./build --exclude=./.git -cf - . | tar -C "$work/$copy" -xf -
done

# What must fail with a bug must pass without.
for kind in gcc-debug gcc-kqueue clang-asan clang-tsan; do
    tests=$(for patch in "${patches[@]}"; do
        [ "$(kind_of "$patch")" != $kind ] || head_of "$patch" Red
    done | xargs -n 1 | sort -u | xargs)
    [ -n "$tests" ] || continue
    [[ $kind = gcc-* ]] || need clang libclang-rt-dev llvm
    for copy in "${copies[@]}"; do
        build_copy "$copy" $kind "$tests"
    done
    for test in $tests; do
        passes 0 $kind "$test" || { echo "$test fails without any bug ($kind)" && exit 1; }
    done
done

printf '%s\n' "${patches[@]}" | sort -u |
    xargs -P ${#copies[@]} -n 1 --process-slot-var=copy bash -c 'judge "$@"' judge
red=$(grep -c ' red: ' "$work/verdicts" || true)
total=$(wc -l <"$work/verdicts")
echo "== $red of $total bugs were noticed, $SECONDS s"
[ "$red" -eq "$total" ] || { grep -v ' red: ' "$work/verdicts" && exit 1; }
