#!/usr/bin/env bash
# Stops ftqd and takes away what install.sh has brought. The data in /var/lib/ftq, the configuration and the keys in
# /etc/ftq and their owner, the user ftq, stay: install.sh finds them again.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "uninstall.sh: this takes root" >&2; exit 77; }

systemctl --quiet disable --now ftqd || true
rm -f /usr/bin/ftqd /usr/bin/ftqctl /usr/lib/systemd/system/ftqd.service /usr/lib/sysusers.d/ftq.conf \
    /usr/lib/tmpfiles.d/ftq.conf /usr/lib/sysctl.d/50-ftq.conf
rm -rf /usr/share/doc/ftq
systemctl daemon-reload

echo "uninstalled; left: /etc/ftq, /var/lib/ftq and the user ftq. To lose all that was ever pushed:"
echo "    rm -r /etc/ftq /var/lib/ftq; userdel ftq"
