#!/usr/bin/env bash
# A newcomer's first minutes: makes a minimal Debian in a folder, clones what is committed here into
# it, and runs the commands of README.md in it, one after the other. Needs root, to make the folder
# a root of its own.
#
#     tests/fresh_machine.sh [KEPT-FOLDER]
#
# The folder is made under build/ and removed at the end, unless one is named.
set -euo pipefail
source "$(dirname "$0")/setup.sh"

if [ "$(id -u)" != 0 ]; then
    echo "This needs root, for debootstrap and chroot; nothing was done. Run it so:" >&2
    echo "    sudo --preserve-env=http_proxy,https_proxy,no_proxy $(printf '%q ' "$0" "$@")" >&2
    exit 1
fi
need debootstrap git

# The same release, from where this machine has its packages from.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # for apt-get
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    "Codename: $codename" | sed -n 1p)

folder=${1-}
mkdir -p "$root/build"
[ -n "$folder" ] || folder=$(mktemp -d "$root/build/fresh.XXXXXX")
clean_up() {
    umount "$folder/proc" "$folder/dev" 2>/dev/null || true
    [ -n "${1-}" ] || rm -rf --one-file-system "$folder"
}
trap 'clean_up "${1-}"' EXIT

echo "== a minimal $codename"
debootstrap --variant=minbase --include=ca-certificates,git "$codename" "$folder" "$mirror" \
    >"$root/build/debootstrap.log" || { tail "$root/build/debootstrap.log"; exit 1; }
cp -a /etc/apt/sources.list* /etc/apt/apt.conf* "$folder/etc/apt/" 2>/dev/null || true
cp -L /etc/resolv.conf "$folder/etc/"
mount --bind /proc "$folder/proc"
mount --bind /dev "$folder/dev"
git clone --quiet --no-hardlinks "$root" "$folder/root/libaio-loop"

settings=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root)
for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name+set}" ] || settings+=("$name=${!name}")
done
grep -oE '^    (\./|cmake )[^#]*' "$root/README.md" | while read -r command; do
    echo "== $command"
    env -i "${settings[@]}" chroot "$folder" \
        bash -c "cd /root/libaio-loop && $command" </dev/null
done
echo "The commands of README.md work on a fresh machine."
