#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Space that the full backing filesystem refuses: a range that was to be zeroed is what it was, for
# whoever reads it through the page cache, directly, or after a remount, and a file that was to be
# longer is as long as it was; what there is room for is done.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
requires_fs ext4
truncate -s 16M "$tmp/disk"
mkfs.ext4 -qF "$tmp/disk"
attach "$tmp/disk"
mount_fs "$loop" "$tmp/small"
dir=$tmp/small/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"
head -c 1000000 /dev/zero >"$tmp/small/ballast"
new_cache "$tmp/cache"
mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
# One that no cache knows: some filesystems make a part of it longer before they find out.
: >"$mnt/plain"
run fallocate --offset 24259 --length 19000000 "$mnt/plain"
[ "$status" != 0 ] || fail "there is room for 19 MB in 16 MiB"
[ "$(stat -c %s "$dir/plain")" = 0 ] || fail "it has $(stat -c %s "$dir/plain") bytes now"
rm "$mnt/plain" # ext4 keeps what it had found
: >"$mnt/plain"
works fallocate --offset 24259 --length 19000 "$mnt/plain"
[ "$(stat -c %s "$mnt/plain" "$dir/plain" | xargs)" = '43259 43259' ] || fail "$(stat "$dir/plain")"

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

run fallocate --zero-range --keep-size --offset 0 --length 19000000 "$mnt/image"
[ "$status" != 0 ] || fail "there is room for 19 MB in 16 MiB"
grep -q 'No space left' "$tmp/err" || fail "$(cat "$tmp/err")"
check 'refused'
run fallocate --zero-range --offset 0 --length 19000000 "$mnt/image"
[ "$status" != 0 ] || fail "there is room for 19 MB in 16 MiB"
check 'refused with a new size'
kill_lcfs "$mnt"
mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
check 'after a remount'

works fallocate --zero-range --offset 50000 --length 123456 "$mnt/image"
dd if=/dev/zero of="$tmp/data" bs=1 seek=50000 count=123456 conv=notrunc status=none
check 'zeroed'
rm "$tmp/small/ballast"
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/image" "$tmp/data"
