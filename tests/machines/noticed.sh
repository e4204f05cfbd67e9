#!/usr/bin/env bash
# What the checks are worth: each of them is shown something that is wrong, and must say so.
. "${0%/*}/bed.sh"

hosts 3
start 1 2 3
go_on 1 2 3

refuse stand_still 1

cut 3
PATIENCE_S=3
refuse go_on 3
PATIENCE_S=60
heal
go_on 3
rest
tally

# An acknowledgement of an item that was never pushed, and an item that came out twice.
printf '%s\n' 'pushes fake' pushed >"$notes/fake"
refuse tally
printf '%s\n' pops 'popped 1-1-0-0' >"$notes/fake"
refuse tally
printf '%s\n' draws 'drawn 1' >"$notes/fake"
refuse tally
rm "$notes/fake"
tally

# All disks are lost at once, which is more than any cluster survives.
work 1 2 3
go_on 1 2 3
kill 1 2 3
wipe 1 2 3
start 1 2 3
go_on 1 2 3
rest
refuse tally
