#!/usr/bin/env bash
# Three members under a real systemd get a new build, one after the other, as docs/INSTALLING.md has it, with clients at
# work all the time. Exit code 0: each runs the new build, no client has seen an error, nothing was lost or done twice.
#
# As root: tests/systemd/upgrade.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/systemd/service.sh

MEMBERS=(1 2 3)
SERVERS=(127.0.0.1:7410 127.0.0.1:7420 127.0.0.1:7430)

# Three services on one machine: the unit as it is, but for the name of the configuration.
member() {
    {
        printf 'cluster = "three"\nme = %s\nclient = "127.0.0.1:74%s0"\nhttp = "127.0.0.1:74%s2"\nkey-file = "cluster.key"\n' \
            "$1" "$1" "$1"
        for id in "${MEMBERS[@]}"; do
            printf '[[members]]\nid = %s\npeer = "127.0.0.1:74%s1"\n' "$id" "$id"
        done
    } >"$root/etc/ftq/$1.toml"
    sed "s|/etc/ftq/ftqd.toml|/etc/ftq/$1.toml|" systemd/ftqd.service >"$root/etc/systemd/system/ftqd-$1.service"
}

# Which build the service of a member runs.
build() {
    unit=ftqd-$1
    inside sha256sum "/proc/$(property MainPID)/exe" | cut -d ' ' -f 1
}

# Waits until a member says that it serves and has nothing to catch up.
serves() {
    local deadline=$((SECONDS + ACTS_S))
    unit=ftqd-$1
    until [[ $(property StatusText) =~ ^serving && ! $(property StatusText) =~ behind ]]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$1 does not come to serve: $(state)"
        sleep 0.2
    done
}

boot
bring
inside /root/ftq/systemd/install.sh /root/ftq >/dev/null
inside ftqctl key new --file /etc/ftq/cluster.key
inside systemd-tmpfiles --create ftq.conf
for me in "${MEMBERS[@]}"; do member "$me"; done
inside systemctl daemon-reload
for me in "${MEMBERS[@]}"; do inside systemctl --quiet start "ftqd-$me"; done
for me in "${MEMBERS[@]}"; do serves "$me"; done
told "three members serve"
work "${SERVERS[@]}"
go_on 1

# What stands behind a program changes nothing but its name for the one that asks which it is.
mkdir -p "$root/root/new"
cp -r systemd docs "$root/root/new/"
for program in ftqd ftqctl; do
    { cat "$root/root/ftq/$program"; echo "a newer one"; } >"$root/root/new/$program"
    chmod 755 "$root/root/new/$program"
done
old=$(build 1)
new=$(sha256sum <"$root/root/new/ftqd" | cut -d ' ' -f 1)
inside /root/new/systemd/install.sh /root/new >/dev/null
[ "$(build 1)" = "$old" ] || fail "installing the new build has restarted something"
go_on 1
for me in "${MEMBERS[@]}"; do
    unit=ftqd-$me
    inside systemctl restart "$unit"
    [ "$(property Result)" = success ] || fail "$me was stopped with $(property Result): $(state)"
    serves "$me"
    [ "$(build "$me")" = "$new" ] || fail "$me does not run the new build"
    go_on 1
    told "$me runs the new build: $(property StatusText)"
done
rest
found=$(tally "${SERVERS[@]}")
echo "$found"
[[ $found == *"; 0 unknown, 0 refused" ]] || fail "clients have seen that something was done to the servers"
