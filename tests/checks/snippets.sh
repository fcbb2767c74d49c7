#!/usr/bin/env bash
# What a reader copies from the documents works: each block of C in them that has a main() compiles
# and links.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build

built=$root/build/checks
build checks "aio-loop-static" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release

cd "$root"
failed=0
for document in README.md src/README.md examples/README.md; do
    if [ ! -f "$document" ]; then
        [ "$document" = README.md ] || continue
        echo "$document:1: is missing"
        exit 1
    fi
    snippets=$built/snippets/$document
    rm -rf "$snippets"
    mkdir -p "$snippets"
    awk -v document="$document" -v snippets="$snippets" '
        /^```/ && text {
            if (text ~ /int main/)
                printf "#line %d \"%s\"\n%s", start, document, text >(snippets "/" start ".c")
            text = ""
            next
        }
        /^```c$/ { start = NR + 1; text = " "; next }
        text { text = text $0 "\n" }' "$document"
    for snippet in "$snippets"/*.c; do
        [ -f "$snippet" ] || continue
        gcc -std=gnu11 -Wall -Wextra -Werror -Iinclude -o "${snippet%.c}" "$snippet" \
            "$built/libaio-loop.a" -pthread || failed=1
    done
done
exit $failed
