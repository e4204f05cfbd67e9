#!/usr/bin/env bash
# A host comes back with an empty disk. It is brought up to date and admitted again, and then it counts: with it and
# without another one there is a quorum.
. "${0%/*}/bed.sh"

hosts 3
start 1 2 3
go_on 1 2 3

kill 2
wipe 2
go_on 1 3

start 2
serve 2
go_on 1 2 3

kill 1
go_on 2 3

start 1
go_on 1 2 3
tally
