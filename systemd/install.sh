#!/usr/bin/env bash
# Installs ftqd as a service of this machine, or a newer one in its place: install.sh [DIRECTORY WITH ftqd AND ftqctl]
# A configuration, keys and data that are there are left as they are, and nothing is started or restarted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
from=${1:-$here/../target/release}

[ "$(id -u)" = 0 ] || { echo "install.sh: this takes root" >&2; exit 77; }
for program in ftqd ftqctl; do
    [ -x "$from/$program" ] || {
        echo "install.sh: there is no $from/$program: cargo build --release --bin ftqd --bin ftqctl, or name the directory" >&2
        exit 66
    }
done

# Beside the old one and then in its place, so that a program that runs is never half another one.
put() {
    install -D -m "$1" "$2" "$3.new"
    mv "$3.new" "$3"
}

put 755 "$from/ftqd" /usr/bin/ftqd
put 755 "$from/ftqctl" /usr/bin/ftqctl
put 644 "$here/ftqd.service" /usr/lib/systemd/system/ftqd.service
put 644 "$here/ftq.sysusers" /usr/lib/sysusers.d/ftq.conf
put 644 "$here/ftq.tmpfiles" /usr/lib/tmpfiles.d/ftq.conf
put 644 "$here/ftq.sysctl" /usr/lib/sysctl.d/50-ftq.conf
for page in "$here"/../docs/*.md; do
    put 644 "$page" "/usr/share/doc/ftq/$(basename "$page")"
done
[ -e /etc/ftq/ftqd.toml ] || put 644 "$here/ftqd.toml" /etc/ftq/ftqd.toml

systemd-sysusers ftq.conf
systemd-tmpfiles --create ftq.conf
sysctl --quiet --load=/usr/lib/sysctl.d/50-ftq.conf 2>/dev/null ||
    echo "install.sh: the limits of sockets can't be raised here; in a container that is for its host to do"
systemctl daemon-reload

if systemctl --quiet is-active ftqd; then
    echo "installed; the one that runs is the old one until: systemctl restart ftqd"
else
    echo "installed; now look at /etc/ftq/ftqd.toml, and then: systemctl enable --now ftqd"
fi
