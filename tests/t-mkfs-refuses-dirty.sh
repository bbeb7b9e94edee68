#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs does not go over a cache that has what is nowhere else: unmounted with dirty data, left
# by a killed daemon, with its RAM buffers or without. A refusal changes nothing; a drained cache is
# made anew without a word.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires flock

# keeps TEXT: refused with it, and the file of the cache is what it was.
keeps()
{
	cp "$cache" "$tmp/before"
	refused 1 "$1" "$MKFS" "$cache"
	grep -q 'mount and drain it, or' "$tmp/err" || fail "no advice: $(cat "$tmp/err")"
	same "$cache" "$tmp/before"
}

new_cache "$tmp/cache" --size=24M
standard_mount allow_migrate=0
random_file "$tmp/data" 300000 1
cp "$tmp/data" "$mnt/image"
umount_lcfs "$mnt"
keeps 'with dirty segments from number'

standard_mount allow_migrate=0
same "$mnt/image" "$tmp/data"
echo newer >"$mnt/newer"
kill_lcfs "$mnt"
# its last writes may still be on their way, and hold it
eventually 20 flock -n "$cache" true || fail "a dead daemon holds the cache"
keeps 'has what it had in RAM'
remove_pool "$cache"
keeps 'was not unmounted in order'

standard_mount lost_buffers
same "$mnt/image" "$tmp/data"
drain "$mnt"
umount_lcfs "$mnt"
works "$MKFS" "$cache"
same "$dir/image" "$tmp/data"
