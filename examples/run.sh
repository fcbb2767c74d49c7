#!/usr/bin/env bash
# Builds the library and all examples, in build/examples, and takes the tour.
#
#     examples/run.sh [DIR]
#
# The tour serves the files below DIR (this repository when none is given) on a port of 127.0.0.1,
# downloads and hashes all of them, and compares. The exit status is 0 when all was well.
set -euo pipefail
source "$(dirname "$0")/../tests/setup.sh"

need gcc libc6-dev cmake ninja-build
build examples all -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -DAIOL_BUILD_EXAMPLES=ON
exec "$root/build/examples/examples/tour" "${@:-$root}"
