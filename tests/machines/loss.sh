#!/usr/bin/env bash
# Every tenth datagram is lost, between five hosts: what is lost is asked for again, and everybody goes on.
. "${0%/*}/bed.sh"

hosts 5
start 1 2 3 4 5
go_on 1 2 3 4 5

lose 10
go_on 1 2 3 4 5

heal
go_on 1 2 3 4 5
tally
