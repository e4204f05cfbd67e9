#!/usr/bin/env bash
# A path that carries 1,400 bytes, as a tunnel does: datagrams that are set to fit it pass, larger ones are told.
. "${0%/*}/bed.sh"

carry 1400
configure 'datagram = 1352' 'client-datagram = 1352'
hosts 3
start 1 2 3
go_on 1 2 3
tally
if grep 'too large for the path' "$bed"/?.log; then fail "datagrams do not fit"; fi
