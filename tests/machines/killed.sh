#!/usr/bin/env bash
# Hosts die one after the other, and come back. Of five, two may be dead; a third is one too many.
. "${0%/*}/bed.sh"

hosts 5
start 1 2 3 4 5
go_on 1 2 3 4 5

kill 1
go_on 2 3 4 5

kill 5
go_on 2 3 4

kill 3
stand_still 2 4

start 3
go_on 2 3 4

start 1 5
go_on 1 2 3 4 5
tally
