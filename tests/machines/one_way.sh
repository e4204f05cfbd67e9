#!/usr/bin/env bash
# Links that carry one way only. Who hears one other and is heard goes on; who hears nobody stands still, and does not
# disturb those who hear each other.
. "${0%/*}/bed.sh"

hosts 3
start 1 2 3
go_on 1 2 3

cut_one_way 1 3
go_on 1 2 3

cut_one_way 2 3
go_on 1 2
stand_still 3

heal
go_on 1 2 3
tally
