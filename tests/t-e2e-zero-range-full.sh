#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A range that cannot be zeroed since the backing filesystem has no room for it is what it was, for
# whoever reads through the page cache, directly, or after a remount; one that can is zeros.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
mkdir "$tmp/small" "$tmp/mnt"
mount -t tmpfs -o size=6M none "$tmp/small" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/small"
dir=$tmp/small/dir
mnt=$tmp/mnt
mkdir "$dir"
new_cache "$tmp/cache"
mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
random_file "$tmp/data" 1000000 1
cp "$tmp/data" "$mnt/image"
cmp "$tmp/data" "$mnt/image" # in the page cache

# check WHEN
check()
{
	same "$mnt/image" "$tmp/data"
	dd if="$mnt/image" of="$tmp/direct" bs=1M iflag=direct status=none
	cmp "$tmp/direct" "$tmp/data" || fail "$1: a direct read gives something else"
}

run fallocate --zero-range --keep-size --offset 50000 --length 9000000 "$mnt/image"
[ "$status" != 0 ] || fail "there is room for 9 MB in 6 MiB"
grep -q 'No space left' "$tmp/err" || fail "$(cat "$tmp/err")"
check 'refused'
run fallocate --zero-range --offset 50000 --length 9000000 "$mnt/image"
[ "$status" != 0 ] || fail "there is room for 9 MB in 6 MiB"
check 'refused with a new size'
kill_lcfs "$mnt"
mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
check 'after a remount'

works fallocate --zero-range --offset 50000 --length 123456 "$mnt/image"
dd if=/dev/zero of="$tmp/data" bs=1 seek=50000 count=123456 conv=notrunc status=none
check 'zeroed'
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/image" "$tmp/data"
