#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# RAM buffers of before a restart of the machine are never taken for those of now: not by the next
# mount, which says so and has all that was synced, and not by a later one into whose way they come.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

alone "$0"
held='allow_migrate=0,flush_current_buffer_interval=0,commit_super_block_interval=0,ram_buffers=3'
new_cache "$tmp/cache" --size=24M
cache=$tmp/cache

# restart: another boot, as far as lcfs can see.
restart()
{
	umount /proc/sys/kernel/random/boot_id 2>/dev/null || :
	cat /proc/sys/kernel/random/uuid >"$tmp/boot"
	mount --bind "$tmp/boot" /proc/sys/kernel/random/boot_id 2>/dev/null ||
		skip "no other boot can be made up here"
}

standard_mount "$held"
random_file "$tmp/synced" 500000 1
random_file "$tmp/lost" 500000 2
cp "$tmp/synced" "$mnt/image"
sync "$mnt/image"
dd if="$tmp/lost" of="$mnt/image" conv=notrunc bs=64k status=none
pool=$(fact ram_buffers)
kill_lcfs "$mnt"
cp "$pool" "$tmp/old"
restart

# A real restart leaves none; if the directory was on a disk, they are set aside.
standard_mount "$held"
grep -q 'these RAM buffers are not those of the last mount of this cache: set aside' "$tmp/log" ||
	fail "it is not said that they are of no use"
cmp "$tmp/old" "$pool".stale-* || fail "they are not set aside"
cleanup_fn rm -f "$pool.stale-*"
same "$mnt/image" "$tmp/synced"
dd if="$tmp/lost" of="$mnt/image" conv=notrunc bs=4k seek=50 count=10 skip=50 status=none
cp "$mnt/image" "$tmp/now"
kill_lcfs "$mnt"

# Back in the way of a mount that needs its own.
cp "$pool" "$tmp/right"
cp "$tmp/old" "$pool"
refused 1 'the RAM buffers of the last mount are missing' \
	"$LCFS" -o "cache=$cache,$held" "$dir" "$mnt"
cp "$tmp/right" "$pool"
standard_mount "$held"
same "$mnt/image" "$tmp/now"
umount_lcfs "$mnt"

# And of one that needs none.
cp "$tmp/old" "$pool"
standard_mount
same "$mnt/image" "$tmp/now"
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/image" "$tmp/now"
