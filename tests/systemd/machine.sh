# A machine with a real systemd: it begins as a copy of this one, and has a network, a disk for ftq's data and a power
# switch of its own.
#
#   boot               it is on, and has come up
#   inside COMMAND…    runs a command in it
#   crash              it is off without a warning
#   restart_machine    it goes down in good order, and comes up again
#   freeze, thaw       the disk with the data takes nothing any more; it goes on
#
# Everything is in namespaces of its own, which end with the script however it ends. The system is kept in memory, the
# data on a file system in a file.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || { echo "a machine takes root" >&2; exit 77; }
if [ -z "${FTQ_BED:-}" ]; then
    exec env FTQ_BED=1 unshare --fork --pid --kill-child --mount --net --ipc --mount-proc -- bash "$0" "$@"
fi

# How long a machine may take to come up.
BOOT_S=60

bed=$(realpath -m "${FTQ_BEDS:?where the disk is: run.sh knows}")
rm -rf "$bed"
mkdir -p "$bed"
mount --make-rprivate /
mount -t tmpfs none /run
root=/run/machine/root data=/run/machine/data
mkdir -p /run/machine/{system,root,data}

# systemd wants a tree of control groups of its own.
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
groups=/sys/fs/cgroup/ftq-machine
# What a killed run has left is empty by now.
find "$groups".* -depth -type d -exec rmdir {} + 2>/dev/null || true
groups=$groups.$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
mkdir "$groups"

truncate -s 2G "$bed/disk"
mkfs.ext4 -q -E lazy_itable_init=1 "$bed/disk"
mount -o loop "$bed/disk" "$data"
mkdir /run/machine/system/{changes,work}
mount -t overlay none -o lowerdir=/,upperdir=/run/machine/system/changes,workdir=/run/machine/system/work "$root"
# It is a machine of its own, and runs nothing of what this one does.
rm -rf "$root"/etc/systemd/system/* "$root"/etc/ftq "$root"/var/lib/ftq
echo ftq-machine >"$root/etc/hostname"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/var/lib/ftq"

switch_off() {
    { [ -z "${machine:-}" ] || kill -KILL "$machine"; wait "${machine:-}"; } 2>/dev/null || true
    # A disk that is frozen can't be taken away.
    fsfreeze --unfreeze "$data" 2>/dev/null || true
    echo 1 >"$groups/cgroup.kill" 2>/dev/null || true
    sleep 0.2
    find "$groups" -depth -type d -exec rmdir {} + 2>/dev/null || true
    rm -f "$bed/disk"
}
trap switch_off EXIT

boot() {
    mkdir -p "$groups/machine"
    # shellcheck disable=SC2016 # what is in it is for the inner shell
    bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$groups/machine" \
        systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=ftq-machine --directory="$root" \
        --bind="$data:/var/lib/ftq" --console=read-only --boot systemd.unit=multi-user.target \
        </dev/null >>"$bed/console.log" 2>&1 &
    machine=$!
    local deadline=$((SECONDS + BOOT_S))
    until [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the machine does not come up: $(tail -n 20 "$bed/console.log")"
        sleep 0.1
    done
}

# Its first process, by our count.
init() {
    head -n 1 "$groups/machine/payload/init.scope/cgroup.procs" 2>/dev/null
}

inside() {
    nsenter --target "$(init)" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

crash() {
    kill -KILL "$(init)"
    wait "$machine" 2>/dev/null || true
}

restart_machine() {
    # The connection to the manager goes with it.
    inside systemctl reboot 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    boot
}

freeze() { fsfreeze --freeze "$data"; }
thaw() { fsfreeze --unfreeze "$data"; }
