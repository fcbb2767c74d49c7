#!/usr/bin/env bash
# Static analysis of src/: clang-tidy as .clang-tidy says, over what a Debug build compiles, since
# its assertions tell the analyzer what holds; cppcheck; and gcc's -fanalyzer.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need clang clang-tidy cmake cppcheck gcc libc6-dev ninja-build

built=$root/build/analysis
build analysis aio-loop-static -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug
failed=0

cd "$root"
exec 2> >(grep -v ' generated.$' >&2) # clang-tidy counts what it leaves out
grep -oE '"file": "[^"]*\.c"' "$built/compile_commands.json" | cut -d'"' -f4 |
    xargs -P "$(nproc)" -n 2 clang-tidy --quiet -p "$built" || failed=1
# What this machine does not compile.
clang-tidy --quiet src/task/context.c -- \
    -std=c11 -D_GNU_SOURCE -DAIOL__UCONTEXT -Iinclude -Isrc || failed=1

# autoVariables: what waits lives on the stack of the task that waits, and is withdrawn before that
#   goes on.
# getcontextCalled, swapcontextCalled: POSIX has dropped them, C libraries have kept them.
# variableScope: our declarations stand at the head of a function.
# Optimized and not, since it sees other paths in each.
for level in 0 2; do
    grep -oE '"file": "[^"]*\.c"' "$built/compile_commands.json" | cut -d'"' -f4 |
        xargs -P "$(nproc)" -n 1 gcc -c -o /dev/null -fanalyzer -O$level -g -std=c11 -D_GNU_SOURCE \
            -Werror -Wno-analyzer-too-complex -Iinclude -Isrc || failed=1
done

cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,style,performance,portability \
    --library=posix -D_GNU_SOURCE -Iinclude -Isrc --inline-suppr \
    --suppress='autoVariables:src/await/*' --suppress='autoVariables:src/task/*' \
    --suppress=getcontextCalled:src/task/context_ucontext.h \
    --suppress=swapcontextCalled:src/task/context_ucontext.h \
    --suppress=variableScope src || failed=1
exit $failed
