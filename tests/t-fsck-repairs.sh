#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What fsck.lcfs -y repairs, either copy of the super block or the image table, is followed by a
# mount that finds everything; what was damaged and is needed by nobody is no error.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
dirty_cache
umount_lcfs "$mnt"

mount_again()
{
	mount_with_log "$cache" "$dir" "$mnt" "allow_migrate=${1:-0}"
}

# One copy, the other one, with the cache marked clean.
for copy in 0 1; do
	flip "$cache" $((copy * 1048576 + 77))
	gives 1 "$FSCK" -y "$cache"
	gives 0 "$FSCK" "$cache"
	mount_again
	check_three "$mnt"
	umount_lcfs "$mnt"
done

# An image table; the one before it, and the log, have everything.
mount_again
cp "$tmp/two" "$mnt/later"
umount_lcfs "$mnt"
table=$(table_area)
cp "$cache" "$tmp/good"
for byte in 60 4130; do
	cp "$tmp/good" "$cache"
	flip "$cache" $((table + byte))
	remember
	gives 4 "$FSCK" "$cache"
	says '(-y repairs it)'
	gives 4 "$FSCK" -p "$cache"
	unchanged 'fsck.lcfs -p'
	gives 1 "$FSCK" -y "$cache"
	says 'the one before it is used'
	gives 0 "$FSCK" "$cache"
	mount_again
	check_three "$mnt"
	same "$mnt/later" "$tmp/two"
	umount_lcfs "$mnt"
done

# Both of them: nothing does for it, and nothing is changed.
cp "$tmp/good" "$cache"
for area in $("$DUMP" "$cache" | sed -n 's/.*area=[01] start=\([0-9]*\) .*/\1/p' | sort -u); do
	flip "$cache" $((area + 60))
done
remember
gives 4 "$FSCK" -y "$cache"
says 'the other one does not do for it'
unchanged 'fsck.lcfs -y'
cp "$tmp/good" "$cache"

# Overwritten: the older version of a block may rot.
old=$(byte_of one 3)
mount_again
dd if="$tmp/two" of="$mnt/one" bs=4096 seek=3 count=1 conv=notrunc,fsync status=none
dd if="$tmp/two" of="$tmp/one" bs=4096 seek=3 count=1 conv=notrunc status=none
commit "$mnt"
umount_lcfs "$mnt"
[ "$(byte_of one 3)" != "$old" ] || fail "the block was written in place"
flip "$cache" "$old"
gives 0 "$FSCK" -v "$cache"
says 'nobody needs it'
gives 0 "$FSCK" "$cache"
says 'damaged blocks that nobody needs: 1;'
mount_again 1
check_three "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
check_three "$dir"
gives 0 "$FSCK" -v "$cache"
says ' 0 dirty blocks of '
