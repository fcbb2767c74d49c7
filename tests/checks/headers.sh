#!/usr/bin/env bash
# Each public header can be included alone, first, and by C11 and C++17 programs that turn all
# warnings into errors.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc g++ clang libc6-dev

cd "$root/include"
failed=0
for header in aiol.h aiol/*.h; do
    for compiler in 'gcc -std=c11 -xc' 'clang -std=c11 -xc' 'g++ -std=c++17 -xc++'; do
        # shellcheck disable=SC2086 # the compiler comes with its options
        if ! echo "#include <$header>" |
            $compiler -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I. -; then
            echo "include/$header:1: does not compile alone by $compiler"
            failed=1
        fi
    done
done
exit $failed
