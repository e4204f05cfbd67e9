#!/usr/bin/env bash
# A path of jumbo frames, 9,000 bytes, and datagrams that fill it.
. "${0%/*}/bed.sh"

carry 9000
configure 'datagram = 8900' 'client-datagram = 8900'
hosts 3
start 1 2 3
go_on 1 2 3

lose 5
go_on 1 2 3

heal
tally
