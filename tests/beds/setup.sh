#!/usr/bin/env bash
# Installs what the beds need (ftq-torture, as root): a disk with a volatile cache, file systems, and a way to leave
# the syncs out; hosts on a switch (tests/machines), and a machine with a systemd (tests/systemd). Does nothing where
# all of it is there.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

missing=
for program in nbdkit:nbdkit nbdfuse:libnbd-bin fusermount3:fuse3 mkfs.xfs:xfsprogs mkfs.ext4:e2fsprogs \
    eatmydata:eatmydata python3:python3 ip:iproute2 nft:nftables unshare:util-linux \
    systemd-nspawn:systemd-container; do
    command -v "${program%%:*}" >/dev/null || missing+=" ${program##*:}"
done
nbdkit python --version >/dev/null 2>&1 || missing+=" nbdkit-plugin-python"
[ -z "$missing" ] && exit 0

apt-get update -q
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends $missing
