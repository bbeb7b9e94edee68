#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device that failed is taken out of a mount and put back while images are in use: as it
# was (nothing old comes back over what was written meanwhile), and made anew. What it had is safe
# before, images are cached again after, and nothing is mounted anew.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
. "$top_srcdir/tests/stand/stand_lib.sh"
set -eu
alone "$0"
requires getfattr
dir=$tmp/dir
mnt=$tmp/mnt

# put NAME BLOCK SEED [FLAG]: 16 KiB.
put()
{
	put_both "$1" 16384 "$2" "$3" "${4:-}"
}

state_is()
{
	[ "$(cat "$mnt/.lcctl/caches/1/state")" = "$1" ]
}

# fails STATE COMMAND...: a fault, and a write that meets it.
fails()
{
	state=$1
	shift
	fault "$*"
	put busy 100 "$seed" fsync
	seed=$((seed + 1))
	eventually 10 state_is "$state" || fail "$*: the state is not $state"
}

# all_same DIRECTORY
all_same()
{
	for name in busy idle clean; do
		same "$1/$name" "$tmp/$name"
	done
}

seed=100
start_stand cache=64M
stand_cache cache
mkdir "$dir" "$mnt"
requires_xattrs "$dir"
for name in busy idle clean; do
	"$VERIFIER" random "$tmp/$name" 2000000 1
	cp "$tmp/$name" "$dir/$name"
done
mount_with_log "$stand/cache" "$dir" "$mnt" allow_migrate=0
exec 3<>"$mnt/busy" # in use all the time
put clean 7 1
drain "$mnt"
put busy 10 2
put idle 10 3 fsync
put busy 50 4

# It takes no more writes: all is saved, and it can be removed.
fails degraded readonly cache
works "$LCCTL" remove 1
[ ! -e "$mnt/.lcctl/caches/1" ] || fail "cache 1 is still there"
all_same "$dir"
for name in busy idle clean; do
	put $name 11 "$seed"
	seed=$((seed + 1))
done
all_same "$dir"

# The same one as it was, with all of its old log: none of it is taken for new, and nothing becomes
# of what is written from now on if the daemon dies before the log knows.
fault clear
works "$LCCTL" add "$stand/cache"
all_same "$mnt"
put idle 20 5 fsync
works "$LCCTL" attach busy
put busy 21 6 fsync
[ "$(knob "$mnt" nr_dirty_caches)" = 8 ] || fail "$(knob "$mnt" nr_dirty_caches) are dirty, not 8"
all_same "$mnt"
cp "$tmp/idle" "$dir/given-up"
cp "$tmp/idle" "$tmp/given-up"
dd if="$tmp/piece.busy" of="$mnt/given-up" bs=4096 conv=notrunc,fsync 2>"$tmp/dd"
exec 3<&-
kill_lcfs "$mnt"
mount_with_log "$stand/cache" "$dir" "$mnt" allow_migrate=0
exec 3<>"$mnt/busy"
all_same "$mnt"
state_is ok || fail "the cache is not ok"
[ "$(knob "$mnt" nr_dirty_caches)" -ge 12 ] || fail "what was dirty is not there"

# It vanishes with data that nothing else has: it stays until that could be read after all.
fails failed vanish cache
refused 1 'cannot be read' "$LCCTL" remove 1
refused 1 'Input/output error' "$LCCTL" drain idle
! cat "$mnt/given-up" >/dev/null 2>&1 || fail "old bytes are shown"
works "$LCCTL" resolve --keep-backing given-up
same "$mnt/given-up" "$tmp/given-up"
fault clear
works "$LCCTL" drain idle
works "$LCCTL" remove 1
all_same "$dir"
put clean 30 7

# As it is once more: what was given up stays that.
works "$LCCTL" add "$stand/cache"
all_same "$mnt"
same "$mnt/given-up" "$tmp/given-up"
[ "$(knob "$mnt" nr_dirty_caches)" = 0 ] || fail "something old is dirty"
works "$LCCTL" remove 1

# Made anew.
works "$MKFS" -q "$stand/cache"
works "$LCCTL" add "$stand/cache"
works "$LCCTL" attach busy
for name in busy idle clean; do
	put $name 31 8
done
sync "$mnt/busy"
[ "$(knob "$mnt" nr_dirty_caches)" -ge 12 ] || fail "nothing is cached in the new one"
all_same "$mnt"
exec 3<&-
drain "$mnt"
umount_lcfs "$mnt"
all_same "$dir"
