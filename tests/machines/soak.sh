#!/usr/bin/env bash
# One trouble after the other, drawn by chance, for an hour or as long as FTQ_SOAK_S says. Two hosts of five have trouble
# at a time, so the others go on; and now and then all of them die at once. FTQ_SEED draws the same again.
. "${0%/*}/bed.sh"

TROUBLES=(cut_off one_way lossy dead dead_and_cut empty_disk all_dead)
# So many troubles between two tallies.
ROUND=20
# A light load, so that it can go on beside other work.
REST_MS=50

cut_off() {
    cut "$one" "$two"
    go_on "${well[@]}"
    stand_still "$one" "$two"
    heal
}

one_way() {
    cut_one_way "$one" "$two"
    go_on "${all[@]}"
    heal
}

lossy() {
    lose $((RANDOM % 20 + 1))
    go_on "${all[@]}"
    heal
}

dead() {
    kill "$one" "$two"
    go_on "${well[@]}"
    start "$one" "$two"
}

dead_and_cut() {
    kill "$one"
    cut "$two"
    go_on "${well[@]}"
    heal
    start "$one"
}

empty_disk() {
    kill "$one"
    wipe "$one"
    go_on "${well[@]}"
    start "$one"
    serve "$one"
}

all_dead() {
    kill "${all[@]}"
    start "${all[@]}"
}

RANDOM=${FTQ_SEED:=$RANDOM}
told "seed $FTQ_SEED"
all=(1 2 3 4 5)
hosts 5
start "${all[@]}"
go_on "${all[@]}"
for ((number = 1; SECONDS < ${FTQ_SOAK_S:-3600}; number++)); do
    one=$((RANDOM % 5 + 1))
    two=$(((one + RANDOM % 4) % 5 + 1))
    mapfile -t well < <(others "$one" "$two")
    "${TROUBLES[RANDOM % ${#TROUBLES[@]}]}"
    go_on "${all[@]}"
    if ((number % ROUND == 0)); then
        tally
        work "${all[@]}"
    fi
done
tally
