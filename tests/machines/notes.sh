# Clients at work and what they write down: a file of notes for each (`ftq-process clients`), all in $notes.

# A host's clients have to get so many answers before they "go on", and so long is that waited for on a busy machine.
ANSWERS=20 PATIENCE_S=60

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

told() {
    printf '%4d s  %s\n' "$SECONDS" "$*"
}

# How many answers each client on a host has had: a line with its notes and the number.
answers_each() {
    grep -csHE '^(pushed|popped .*|nothing|drawn .*)$' "$notes/$1-"* || true
}

answers() {
    answers_each "$1" | awk -F: '{sum += $2} END {print sum + 0}'
}

go_on() {
    local host before deadline
    for host in "$@"; do
        before=$(answers "$host")
        deadline=$((SECONDS + PATIENCE_S))
        while [ "$(answers "$host")" -lt $((before + ANSWERS)) ]; do
            [ "$SECONDS" -lt "$deadline" ] || fail "the clients on $host get no answers"
            sleep 0.1
        done
    done
    told "$* go on"
}
