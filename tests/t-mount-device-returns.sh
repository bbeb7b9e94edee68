#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device that hangs and comes back: before device_timeout nothing has happened; after it the
# device is given up, cannot be removed while it hangs, and can be taken up again as it is when it
# is back. Images of another cache notice nothing, and take over those of the lost one.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
. "$top_srcdir/tests/stand/stand_lib.sh"
set -eu
alone "$0"
dir=$tmp/dir
mnt=$tmp/mnt

let_go_on()
{
	fault clear
}

state_is()
{
	[ "$(timeout 20 cat "$mnt/.lcctl/caches/$1/state")" = "$2" ]
}

# put NAME BLOCK SEED: 16 KiB, synced.
put()
{
	put_both "$1" 16384 "$2" "$3" fsync
}

# hangs_when PUT...: one write that meets it, in the background.
hangs_when()
{
	fault 'hang first any'
	put "$@" &
	writer=$!
}

reason_has()
{
	timeout 20 grep -q "$1" "$mnt/.lcctl/caches/1/reason"
}

# cache_of NAME
cache_of()
{
	works "$LCCTL" list -H "$1"
	cut -f 3 "$tmp/out"
}

start_stand first=64M
new_cache "$tmp/second"
stand_cache first
mkdir "$dir" "$mnt"
requires_xattrs "$dir"
for name in a b other; do
	"$VERIFIER" random "$tmp/$name" 200000 1
	cp "$tmp/$name" "$dir/$name"
done
mount_with_log "$stand/first" "$dir" "$mnt" "cache=$tmp/second,allow_migrate=0,device_timeout=30"
cleanup_fn let_go_on
exec 3<>"$mnt/a" 4<>"$mnt/b" 5<>"$mnt/other"
works "$LCCTL" attach -c 1 a b
works "$LCCTL" attach -c 2 other
put a 1 2
put b 1 2
put other 1 2

hangs_when a 3 3
eventually 10 reason_has 'hangs since' || fail "nothing is said"
put other 5 3
state_is 1 degraded || fail "the state does not say that it hangs"
state_is 2 ok || fail "the other one is said to hang, too"
fault clear
wait "$writer" || fail "a write that hung for a moment fails"
eventually 5 state_is 1 ok || fail "it is not as before"
same "$mnt/a" "$tmp/a"

set_knob "$mnt" device_timeout 2
hangs_when a 6 4
eventually 10 reason_has 'given up (' || fail "it is not given up"
wait "$writer" || fail "a sync fails, though the image file is there"
same "$dir/a" "$tmp/a"
put b 7 5
put other 9 5
state_is 2 ok || fail "the other one fails, too"
works "$LCCTL" attach -c 2 a
put a 8 6
[ "$(cache_of a)" = 2 ] || fail "a is in cache $(cache_of a)"
refused 1 'still hangs' "$LCCTL" remove 1
[ "$(cache_of b)" = 2 ] || fail "b is in cache $(cache_of b)"

fault clear
eventually 10 "$LCCTL" remove 1 2>/dev/null || fail "it cannot be removed though it is back"
works "$LCCTL" add "$stand/first"
state_is 1 ok || fail "it is not taken up again"
works "$LCCTL" attach -c 1 b
put b 12 7
[ "$(cache_of b)" = 1 ] || fail "b is in cache $(cache_of b)"
for name in a b other; do
	same "$mnt/$name" "$tmp/$name"
done
exec 3<&- 4<&- 5<&-
works "$LCCTL" drain
umount_lcfs "$mnt"
for name in a b other; do
	same "$dir/$name" "$tmp/$name"
done
