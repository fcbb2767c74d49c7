# Sourced by the scripts that run tests on another processor, by an emulator, or with another C
# library. What there is for each: a toolchain file for CMake, which also names the emulator, and a
# cmocka built from Debian's source package.
#
# The functions that prepare a build are called in a condition, where the shell's -e does nothing:
# whatever can fail in them says so, by `|| return`.
# shellcheck shell=bash

# The source of cmocka, from where this machine's packages come. apt is told of sources, and keeps
# their lists, in a folder of its own, so that the machine's stay as they are.
fetch_cmocka() {
    local source=$root/build/cross/source scratch=$root/build/cross/fetching place list parts
    [ ! -e "$source/CMakeLists.txt" ] || return 0

    need dpkg-dev
    place=$(apt-cache madison libcmocka-dev | awk 'NR == 1 { print $5 }')
    if [ -z "$place" ]; then
        echo "apt knows no libcmocka-dev here; it may help to run: apt-get update" >&2
        return 1
    fi
    rm -rf "$scratch"
    mkdir -p "$scratch/lists/partial" "$scratch/parts"
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    cat "$list" "$parts"/*.list 2>/dev/null | grep -F "$place" |
        sed -n 's/^deb /deb-src /p' >"$scratch/sources.list" || true
    cat "$parts"/*.sources 2>/dev/null |
        awk -v RS='' -v ORS='\n\n' -v place="$place" 'index($0, place)' |
        sed 's/^Types:.*/Types: deb-src/' >"$scratch/parts/machine.sources" || true
    cat >"$scratch/apt.conf" <<END
Dir::Etc::sourcelist "$scratch/sources.list";
Dir::Etc::sourceparts "$scratch/parts";
Dir::State::lists "$scratch/lists";
Dir::Cache "$scratch";
APT::Sandbox::User "root";
END
    if ! (cd "$scratch" && export APT_CONFIG=$scratch/apt.conf &&
        apt-get update && apt-get source cmocka) >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        return 1
    fi
    mv "$scratch"/cmocka-*/ "$source" && rm -r "$scratch"
}

# build_cmocka MACHINE: a static library without tests or examples, where the machine's toolchain
# file says. The shared one, which is always made too, would be preferred, and version 1.1.5 calls
# the static one differently.
build_cmocka() {
    local toolchain=$root/tests/cross/$1.cmake
    local cmocka=$root/build/cross/cmocka-$1 building=$root/build/cross/cmocka-$1/build
    [ ! -e "$cmocka/lib/libcmocka.a" ] || return 0

    fetch_cmocka || return
    mkdir -p "$building" || return
    if ! { cmake -G Ninja -S "$root/build/cross/source" -B "$building" \
        -DCMAKE_TOOLCHAIN_FILE="$toolchain" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$cmocka" -DCMAKE_INSTALL_LIBDIR=lib \
        -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF &&
        cmake --build "$building" --target install; } >"$cmocka/build.log" 2>&1; then
        cat "$cmocka/build.log" >&2
        return 1
    fi
    rm -f "$cmocka"/lib/libcmocka.so*
    [ -e "$cmocka/lib/libcmocka.a" ] ||
        mv "$cmocka/lib/libcmocka-static.a" "$cmocka/lib/libcmocka.a"
}

# prepare MACHINE: what check_on() needs for it. Called in a subshell, since need() may exit.
prepare() {
    case $1 in
    aarch64) need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user ;;
    arm) need gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user ;;
    musl) need musl-tools ;;
    esac
    need cmake ninja-build pkg-config
    CFLAGS='' build_cmocka "$1" # whatever warnings are asked for, they are for our code
}

# check_on TARGET "TEST..." [CMAKE-ARGUMENT...]: as check() of check.sh. A target is a machine:
#
#     aarch64   64-bit ARM, glibc, under qemu, with the context switch that CMake picks
#     arm       32-bit ARM, glibc, under qemu, with ucontext
#     musl      musl on this machine's own processor
#
# or one of these with -ucontext behind it.
check_on() {
    local target=$1 tests machine=${1%-ucontext} start=$SECONDS toolchain emulator
    # The double of kqueue is for this machine alone.
    tests=$(tr ' ' '\n' <<<"$2" | { grep -v '^kqueue/' || true; } | xargs)
    shift 2
    [ -n "$tests" ] || return 0 # none of those that were named
    if ! (prepare "$machine"); then
        note "$target" "$start" "FAILED: could not be prepared"
        return 0
    fi

    toolchain=$root/tests/cross/$machine.cmake
    emulator=$(sed -n 's/^set(CMAKE_CROSSCOMPILING_EMULATOR \(.*\))$/\1/p' "$toolchain")
    [ "$target" = "$machine" ] || set -- -DAIOL_CONTEXT=ucontext "$@"
    # Optimized, so that values are kept in registers across switches, and with assertions.
    check "$target" "$tests" "timeout -k 5 300 $emulator" -DCMAKE_TOOLCHAIN_FILE="$toolchain" \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O2 -g' "$@"
}
