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

[ "$(id -u)" = 0 ] || { echo "only root can change its root: sudo $0" >&2; exit 1; }
need debootstrap git

# The same release, from where this machine has its packages from.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    "Codename: $codename" | head -n 1)

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

grep -oE '^    (\./|cmake )[^#]*' "$root/README.md" | while read -r command; do
    echo "== $command"
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        ${http_proxy+"http_proxy=$http_proxy"} chroot "$folder" \
        bash -c "cd /root/libaio-loop && $command" </dev/null
done
echo "The commands of README.md work on a fresh machine."
