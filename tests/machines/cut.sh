#!/usr/bin/env bash
# A host is cut off: the others go on without it, it answers nobody, and after the heal it is one of them again.
. "${0%/*}/bed.sh"

hosts 3
start 1 2 3
go_on 1 2 3

cut 3
go_on 1 2
stand_still 3

heal
go_on 1 2 3
tally
