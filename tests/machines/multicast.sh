#!/usr/bin/env bash
# What is for several members goes to a group: through loss, a death and a cut, as without. A group is for IPv4.
. "${0%/*}/bed.sh"

group=239.7.7.7
[ "$family" = 6 ] || configure "multicast = \"$group:7411\""
hosts 3
nft 'add table bridge group; add chain bridge group forward { type filter hook forward priority 1; }'
nft "add rule bridge group forward ip daddr $group counter"
start 1 2 3
go_on 1 2 3
# It is what carries the work, and not beside it.
[ "$family" = 6 ] || [[ $(nft list chain bridge group forward) == *"packets "[1-9][0-9][0-9]* ]] || fail "the group is silent"

lose 10
go_on 1 2 3

heal
kill 2
go_on 1 3

start 2
cut 3
go_on 1 2
stand_still 3

heal
go_on 1 2 3
tally
