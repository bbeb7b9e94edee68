#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache on a block device that becomes read-only, shrinks, or whose store dies: what it holds is
# safe, it is replaced under the mount, and one that is too small is refused.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
. "$top_srcdir/tests/stand/stand_lib.sh"
set -eu
alone "$0"
requires_loop
requires blockdev
dir=$tmp/dir
mnt=$tmp/mnt

# put BLOCK SEED: 64 KiB, synced.
put()
{
	put_both image 65536 "$1" "$2" fsync
}

is_given_up()
{
	grep -q "given up ($1" "$mnt/.lcctl/caches/1/reason"
}

# put_until WHY: writes until the device is given up.
put_until()
{
	for seed in 11 12 13 14 15 16 17 18 19 20; do
		put $((seed * 20)) $seed
		! eventually 2 is_given_up "$1" || return 0
	done
	fail "not given up ($1: $(cat "$mnt/.lcctl/caches/1/reason")"
}

# replaced BLOCK: by itself as it is.
replaced()
{
	same "$mnt/image" "$tmp/image"
	works "$LCCTL" remove 1
	same "$dir/image" "$tmp/image"
	put "$1" 30
	works "$LCCTL" add "$loop"
	same "$mnt/image" "$tmp/image"
	put "$(($1 + 16))" 31
	[ "$(knob "$mnt" nr_dirty_caches)" = 16 ] || fail "it is not cached again"
}

mkdir "$dir" "$mnt"
requires_xattrs "$dir"
"$VERIFIER" random "$tmp/image" 3000000 1
cp "$tmp/image" "$dir/image"
start_stand disk=64M
attach "$stand/disk" --direct-io=on
works "$MKFS" -q "$loop"
cleanup_fn remove_pool "$tmp/store/disk"
mount_with_log "$loop" "$dir" "$mnt" allow_migrate=0
put 0 2

blockdev --setro "$loop"
put_until 'Operation not permitted'
blockdev --setrw "$loop"
replaced 100

# To what holds the super block and some of the log.
fault 'size disk 3M'
works losetup -c "$loop"
put_until ''
same "$mnt/image" "$tmp/image"
works "$LCCTL" remove 1
refused 1 'cannot be used' "$LCCTL" add "$loop"
grep -q 'has 3145728 bytes, but was formatted with 67108864' "$tmp/log" ||
	fail "it is not said that it is smaller"
umount_lcfs "$mnt"
refused 1 'was formatted with' "$LCFS" -o "cache=$loop" "$dir" "$mnt"
fault clear
works losetup -c "$loop"
mount_with_log "$loop" "$dir" "$mnt" allow_migrate=0
same "$mnt/image" "$tmp/image"
[ "$(knob "$mnt" nr_dirty_caches)" = 0 ] || fail "something old is dirty"
put 200 40
[ "$(knob "$mnt" nr_dirty_caches)" = 16 ] || fail "it is not cached after a mount"

kill -9 "$stand_pid"
put_until ''
same "$dir/image" "$tmp/image"
works "$LCCTL" remove 1
umount_lcfs "$mnt"
same "$dir/image" "$tmp/image"
