#!/usr/bin/env bash
# The service on a machine with a real systemd: installed, started, restarted, killed, hung, rebooted, taken away and
# installed again, with clients at work all the time. Exit code 0: nothing was lost or done twice.
#
# As root: tests/systemd/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/systemd/service.sh

start() {
    inside systemctl --quiet enable --now ftqd || fail "it does not start: $(state)"
}

# Waits until the manager has started the service again, so many times in all.
started_again() {
    local deadline=$((SECONDS + ACTS_S))
    until [ "$(property NRestarts)" -ge "$1" ] && [ "$(property ActiveState)" = active ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "it was not started again: $(state)"
        sleep 0.2
    done
}

# said WORDS: how often it was said since the machine is on
said() {
    inside journalctl --unit ftqd --boot --output cat --no-pager | grep -c "$1" || true
}

# hears WORDS TIMES: waits until it was said so often
hears() {
    local deadline=$((SECONDS + ACTS_S))
    until [ "$(said "$1")" -ge "$2" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "nobody says \"$1\" $2 times: $(state)"
        sleep 0.2
    done
}

boot
told "the machine is on"

bring
inside /root/ftq/systemd/install.sh /root/ftq >/dev/null
[ "$(property ActiveState)" = inactive ] || fail "installing it has started it"
start
[ "$(inside stat -c %U:%a /var/lib/ftq/local-1)" = ftq:700 ] || fail "the data can be seen by others"
told "it is installed and runs: $(property StatusText)"
work 127.0.0.1:7410
go_on 1

inside systemctl restart ftqd
[ "$(property Result)" = success ] || fail "it was stopped with $(property Result)"
go_on 1
told "it was restarted"

inside systemctl reload ftqd
go_on 1
[ "$(property NRestarts)" = 0 ] || fail "it does not survive a reload"
told "it has read its configuration again"

inside systemctl kill --signal KILL ftqd
started_again 1
go_on 1
told "it was killed, and started again"

inside systemctl kill --signal STOP ftqd
started_again 2
hears "Watchdog timeout" 1
go_on 1
told "it hung, and the watchdog has bitten"

freeze
hears "the disk hangs" 1
hears "Watchdog timeout" 2
thaw
started_again 3
go_on 1
told "its disk hung, and the watchdog has bitten"

rest
restart_machine
work 127.0.0.1:7410
go_on 1
told "the machine was rebooted"

crash
boot
work 127.0.0.1:7410
go_on 1
told "the machine crashed, and came up again"

inside /root/ftq/systemd/uninstall.sh >/dev/null
[ "$(property LoadState)" = not-found ] || fail "the unit is still there"
inside /root/ftq/systemd/install.sh /root/ftq >/dev/null
start
go_on 1
told "it was taken away and installed again"

rest
tally 127.0.0.1:7410
