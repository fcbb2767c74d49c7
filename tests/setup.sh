# Sourced by the scripts that build something: need() installs what they use, build() builds.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# have PACKAGE: whether what this Debian package is needed for works here, wherever it came from.
have() {
    case $1 in
    binutils) command -v nm && command -v readelf ;;
    dpkg-dev) command -v dpkg-source ;;
    gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc ;;
    gcc-arm-linux-gnueabihf) command -v arm-linux-gnueabihf-gcc ;;
    libc6-dev) echo '#include <stdio.h>' | gcc -E - ;;
    libc6-dev-arm64-cross) echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E - ;;
    libc6-dev-armhf-cross) echo '#include <stdio.h>' | arm-linux-gnueabihf-gcc -E - ;;
    libclang-rt-dev) echo 'int main(void) { return 0; }' |
        clang -fsanitize=address -o /dev/null -x c - ;;
    libcmocka-dev) pkg-config --exists cmocka ;;
    llvm) command -v llvm-symbolizer ;;
    musl-tools) command -v musl-gcc ;;
    ninja-build) command -v ninja ;;
    qemu-user) command -v qemu-aarch64 && command -v qemu-arm ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# need PACKAGE...: installs those that are missing; when it cannot, says how to, and exits.
need() {
    local package missing=() as_root=()
    for package; do
        have "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    [ "$(id -u)" = 0 ] || as_root=(sudo)
    local update=("${as_root[@]}" apt-get update)
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "${missing[@]}")
    echo "Missing here, and being installed: ${missing[*]}"
    if "${update[@]}" && "${install[@]}"; then
        for package in "${missing[@]}"; do
            have "$package" || { echo "$package is installed but does not work" >&2; exit 1; }
        done
        return 0
    fi
    echo "That failed. These are needed; on Debian, as root:" >&2
    echo "    apt-get update && apt-get install ${missing[*]}" >&2
    exit 1
}

# build NAME "TARGET..." CMAKE-ARGUMENT...: configures and builds in build/NAME. Prints what the
# compilers say and nothing else, and does not stop at the first error.
build() {
    local folder=$root/build/$1 targets status=0
    read -ra targets <<<"$2"
    shift 2
    mkdir -p "$folder"
    if ! cmake -G Ninja -S "$root" -B "$folder" "$@" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log"
        return 1
    fi
    cmake --build "$folder" --parallel "$(nproc)" --target "${targets[@]}" -- -k 0 \
        >"$folder/build.log" 2>&1 || status=$?
    grep -vE '^\[[0-9]+/[0-9]+\] |^ninja: no work to do' "$folder/build.log" || true
    return "$status"
}
