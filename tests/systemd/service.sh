# The service on a machine with a real systemd (machine.sh), and clients at work beside it.
#
#   bring              the programs are on the machine, ready to be installed
#   work SERVER…       clients work with these servers until they are told to
#   rest               they are told to, and have seen no error
#   property NAME      what the manager says of $unit
#   state              what it says of it at length
set -euo pipefail

if [ -z "${FTQ_BED:-}" ]; then
    cargo build --quiet --locked --bin ftqd --bin ftqctl --bin ftq-process
    export FTQ_PROGRAMS=${CARGO_TARGET_DIR:-target}/debug FTQ_BEDS=${CARGO_TARGET_DIR:-target}/systemd
fi
. tests/machines/notes.sh
. tests/systemd/machine.sh

# How long the manager may take to notice something and act: the watchdog's time, and to kill and to start.
ACTS_S=90

unit=ftqd
notes=$root/root/notes
life=0

bring() {
    mkdir -p "$root/root/ftq" "$notes"
    cp -r systemd docs "$root/root/ftq/"
    cp "$FTQ_PROGRAMS"/{ftqd,ftqctl,ftq-process} "$root/root/ftq/"
}

work() {
    life=$((life + 1))
    rm -f "$notes/stop"
    # shellcheck disable=SC2046 # each is a word
    inside /root/ftq/ftq-process clients work $(servers "$@") --name "1-$life" /root/notes >>"$bed/clients.log" 2>&1 &
    clients=$!
}

# What they have written down, held against what these servers have.
tally() {
    # shellcheck disable=SC2046 # each is a word
    inside /root/ftq/ftq-process clients tally $(servers "$@") /root/notes
}

servers() {
    printf -- '--server %s ' "$@"
}

rest() {
    touch "$notes/stop"
    wait "$clients" || fail "the clients ended with an error: $(tail -n 3 "$bed/clients.log")"
    rm "$notes/stop"
}

property() {
    inside systemctl show "$unit" --property "$1" --value
}

state() {
    inside systemctl status --no-pager --lines 20 "$unit" 2>&1 || true
}
