#!/usr/bin/env bash
# Of five hosts one is dead and the others fall into two halves: neither is a quorum of five, and nothing is answered
# until they hear each other again.
. "${0%/*}/bed.sh"

hosts 5
start 1 2 3 4 5
go_on 1 2 3 4 5

kill 5
go_on 1 2 3 4

cut 1 2
stand_still 1 2 3 4

heal
go_on 1 2 3 4

start 5
go_on 1 2 3 4 5
tally
