#!/usr/bin/env bash
# Four hosts fall into two halves. The half that holds the highest member goes on, the other stands still.
. "${0%/*}/bed.sh"

hosts 4
start 1 2 3 4
go_on 1 2 3 4

cut 1 2
go_on 3 4
stand_still 1 2

heal
go_on 1 2 3 4
tally
