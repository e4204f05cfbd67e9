# Hosts on one machine: each is a network namespace with an address, a replica with a disk directory, and clients.
#
# A scenario reads this file first and then says in these words what happens:
#
#   configure LINE…    every configuration has these lines (before `hosts`)
#   carry BYTES        no path carries longer packets (before `hosts`)
#   hosts N            there are hosts 1 to N on one switch, with a cluster key that all share
#   start H…           these hosts boot: their replicas run, and clients on them work
#   work H…            clients work on these hosts again, after a rest
#   kill H…            these hosts die, with everything on them
#   wipe H…            the disks of these hosts are empty
#   cut H…             nothing passes between these hosts and the others; among them it does
#   cut_one_way A B    nothing that A sends gets to B
#   lose P             of every hundred datagrams P are lost, whoever sends them
#   heal               everything passes again
#   go_on H…           the clients on each of these hosts get answers
#   serve H…           the replicas on these hosts say that they serve
#   stand_still H…     the clients on none of these hosts get any
#   rest               the clients stop
#   tally              they stop, the queue is emptied: nothing was lost or done twice, and all replicas agree
#   refuse CHECK…      a check that has to fail, and does
#
# Everything is in namespaces of its own, which end with the scenario however it ends: nothing is left but the
# directory with the logs.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# What was under way when a cut was made comes to its end within the one; the other is how long nothing may be done.
SETTLE_S=1 STILL_S=2
# How long a client rests after each thing that it did.
REST_MS=5

if [ -z "${FTQ_BED:-}" ]; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(--user --map-root-user)
    exec env FTQ_BED=1 unshare "${as_root[@]}" --fork --pid --kill-child --mount --net --mount-proc -- bash "$0" "$@"
fi

. "${BASH_SOURCE%/*}/notes.sh"
program=$(realpath "${FTQ_PROGRAM:?the program with ftqd, ftqctl and clients in it: run.sh knows}")
family=${FTQ_FAMILY:-4}
bed=$(realpath -m "${FTQ_BEDS:?where the disks are: run.sh knows}")/$(basename "$0" .sh)-$family
notes=$bed/notes
count=0
life=0
lines=()
packet=1500
declare -A replica clients

# Disks are large, and nobody needs them any more; logs and notes stay.
trap '{ builtin kill -KILL "${replica[@]}"; wait; } 2>/dev/null; rm -rf "$bed"/disk-*' EXIT

configure() { lines+=("$@"); }

carry() { packet=$1; }

hosts() {
    count=$1
    rm -rf "$bed"
    mkdir -p "$notes"
    mount -t tmpfs none /run
    mkdir /run/netns
    ip link add switch type bridge mcast_snooping 0
    ip link set switch up
    nft 'add table bridge faults; add chain bridge faults forward { type filter hook forward priority 0; }'
    "$program" ftqctl key new --file "$bed/cluster.key"
    "$program" ftqctl key new --file "$bed/client.key" --client load --role admin
    cat "$bed/client.key" >>"$bed/cluster.key"
    local host
    for host in $(everyone); do
        plug_in "$host"
        configuration "$host" >"$bed/$host.toml"
    done
}

everyone() { seq "$count"; }

others() {
    local host
    for host in $(everyone); do
        [[ " $* " == *" $host "* ]] || echo "$host"
    done
}

plug_in() {
    ip netns add "host$1"
    ip link add "port$1" type veth peer name eth0 netns "host$1"
    ip link set "port$1" mtu "$packet" master switch up
    ip -n "host$1" link set eth0 mtu "$packet"
    ip -n "host$1" link set lo up
    ip -n "host$1" addr add "10.77.0.$1/24" dev eth0
    ip -n "host$1" addr add "fd77::$1/64" dev eth0 nodad
    ip -n "host$1" link set eth0 up
}

# at H PORT
at() {
    case $family in
        4) echo "10.77.0.$1:$2" ;;
        6) echo "[fd77::$1]:$2" ;;
    esac
}

configuration() {
    printf '%s\n' 'cluster = "machines"' "me = $1" "client = \"$(at "$1" 7410)\"" 'key-file = "cluster.key"' \
        "data-dir = \"disk-$1\"" "${lines[@]}"
    local host
    for host in $(everyone); do
        printf '%s\n' '[[members]]' "id = $host" "peer = \"$(at "$host" 7411)\""
    done
}

# All servers as arguments, those of the hosts named first.
servers() {
    local host
    for host in "$@" $(others "$@"); do
        printf -- '--server %s ' "$(at "$host" 7410)"
    done
}

start() {
    local host
    for host in "$@"; do
        echo "-- started" >>"$bed/$host.log"
        RUST_LOG=info,sled=warn ip netns exec "host$host" "$program" ftqd --config "$bed/$host.toml" >>"$bed/$host.log" 2>&1 &
        replica[$host]=$!
    done
    told "$* started"
    work "$@"
}

work() {
    local host
    for host in "$@"; do
        life=$((life + 1))
        # shellcheck disable=SC2046 # they are several arguments
        ip netns exec "host$host" "$program" clients work $(servers "$host") --key "$bed/client.key" \
            --name "$host-$life" --rest-ms "$REST_MS" "$notes" >>"$bed/clients.log" 2>&1 &
        clients[$host]=$!
    done
}

kill() {
    local host
    for host in "$@"; do
        builtin kill -KILL "${replica[$host]}" ${clients[$host]:+"${clients[$host]}"}
        wait "${replica[$host]}" ${clients[$host]:+"${clients[$host]}"} 2>/dev/null || true
        [ -z "$(ip netns pids "host$host")" ] || fail "something on $host lives on"
        unset "replica[$host]" "clients[$host]"
    done
    told "$* killed"
}

wipe() {
    local host
    for host in "$@"; do rm -rf "$bed/disk-$host"; done
    told "$* have empty disks"
}

# Only what replicas and clients say is held up: hosts still find each other's hardware addresses.
drop() {
    nft add rule bridge faults forward meta l4proto udp "$@" counter drop
}

cut() {
    local here there
    for here in "$@"; do
        for there in $(others "$@"); do
            drop iifname "port$here" oifname "port$there"
            drop iifname "port$there" oifname "port$here"
        done
    done
    told "$* cut off from $(others "$@" | xargs)"
}

cut_one_way() {
    drop iifname "port$1" oifname "port$2"
    told "$2 does not hear $1"
}

lose() {
    drop numgen random mod 100 '<' "$1"
    told "$1 % are lost"
}

# A fault that held nothing up was none.
heal() {
    [[ $(nft list chain bridge faults forward) == *"counter packets "[1-9]* ]] || fail "nothing was dropped"
    nft flush chain bridge faults forward
    told "healed"
}

serve() {
    local host deadline=$((SECONDS + PATIENCE_S))
    for host in "$@"; do
        until awk '/^-- started/{serves = 0} /ready: /{serves = 1} END{exit !serves}' "$bed/$host.log"; do
            [ "$SECONDS" -lt "$deadline" ] || fail "the replica on $host does not say that it serves"
            sleep 0.1
        done
    done
    told "$* serve"
}

# What was done before a cut may be answered late, and a client waits for one answer at a time: so one is none.
stand_still() {
    local host before
    sleep "$SETTLE_S"
    before=$(for host in "$@"; do answers_each "$host"; done)
    sleep "$STILL_S"
    for host in "$@"; do answers_each "$host"; done | paste -d: - <(echo "$before") | awk -F: '$2 > $4 + 1 {exit 1}' ||
        fail "some clients on $* get answers"
    told "$* stand still"
}

rest() {
    touch "$notes/stop"
    local host
    for host in "${!clients[@]}"; do
        wait "${clients[$host]}" || fail "the clients on $host ended with an error, see $bed/clients.log"
        unset "clients[$host]"
    done
    rm "$notes/stop"
}

tally() {
    [ ${#clients[@]} = 0 ] || rest
    # shellcheck disable=SC2046 # they are several arguments
    ip netns exec host1 "$program" clients tally $(servers 1) --key "$bed/client.key" "$notes" || fail "that is the tally of $bed"
}

# refuse CHECK ARGUMENT…
refuse() {
    local said
    if said=$("$@" 2>&1); then fail "not noticed by $*: $said"; fi
    said=${said%%$'\n'*}
    told "noticed: ${said#FAILED: }"
}
