#!/usr/bin/env bash
# All C is formatted by clang-format, so that no reader and no review spends time on it. To format:
# `clang-format -i` on what is reported.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need clang-format

cd "$root"
find include src tests examples -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror
