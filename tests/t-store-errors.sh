#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Backing files that fail each in their own way: the image is in error and says why, its writes and
# syncs go on, the others migrate. A failed fsync is never believed: what it did not make durable is
# written again. When the errors end, everything migrates by itself.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
store_begin -u

# FILE OPERATION ERROR REASON
cases='a write ENOSPC No space left on device
b write EIO Input/output error
c write EROFS Read-only file system
d write ESTALE Stale file handle
e write EDQUOT Disk quota exceeded
f fsync EIO Input/output error
g fsync ESTALE Stale file handle
h fsync ETIMEDOUT Connection timed out
i getattr ENOTCONN Transport endpoint is not connected
j truncate EACCES Permission denied'

echo "$cases" | while read -r file op error reason; do
	truncate -s 1M "$mnt/$file"
	put "$mnt/$file" 1 11 4
done
put "$mnt/good" 0 11
eventually 20 is_clean "$mnt" || fail "not clean before anything fails"

# All are in their turn at once; open, since a file that cannot be looked at cannot be opened.
exec 3<>"$mnt/a" 4<>"$mnt/i"
set_knob "$mnt" force_migrate 0
set_knob "$mnt" allow_migrate 0
echo "$cases" | while read -r file op error reason; do
	put "$mnt/$file" 2 12 8
	[ "$file" != j ] || truncate -s 2M "$mnt/$file"
done
echo "$cases" | while read -r file op error reason; do
	lose=
	[ "$op" != fsync ] || lose=lose
	fault "$op $file $error $lose"
done
put "$mnt/good" 0 12
set_knob "$mnt" force_migrate 1
echo "$cases" | while read -r file op error reason; do
	eventually 5 image_state "$file" error || fail "$file: $op gives $error, state $state"
	reason_has "$file" "$reason" || fail "$file: the reason is not $reason"
done
[ "$(metric lcfs_migrate_errors_total)" -ge 10 ] || fail "the errors are not counted"
[ "$(metric 'lcfs_image_info')" -ge 10 ] || fail "no images in the metrics"
refused 1 'stay in the cache: drain it when that is over' "$LCCTL" drain "$mnt/a"

# The others go on, and so do writes and syncs of those that fail: they need the log alone.
eventually 10 has "$store/good" 0 12 || fail "an image without errors is not migrated"
printf after | timeout 10 dd bs=4096 seek=3 conv=notrunc status=none of=/proc/self/fd/3 ||
	fail "no write to an image in error"
timeout 10 sync -d "$mnt/a" || fail "no sync of an image in error"
for file in b c d e f g h j; do
	has "$mnt/$file" 2 12 8 || fail "$file cannot be read"
done

fault clear
eventually 60 is_clean "$mnt" || fail "$(knob "$mnt" nr_dirty_caches) blocks stay dirty"
echo "$cases" | while read -r file op error reason; do
	image_state "$file" clean || fail "$file is $state"
done
# The store loses what it was not asked to sync. Nothing of it was called clean.
fault lose
for file in a b c d e f g h i j; do
	[ "$file" = a ] || has "$tmp/real/$file" 2 12 8 || fail "$file: wrong data in the store"
done
[ "$(stat -c %s "$tmp/real/j")" = 2097152 ] || fail "j has the wrong size"
[ "$(dd if="$tmp/real/a" bs=4096 skip=3 count=1 status=none | head -c 5)" = after ] ||
	fail "a: what was written in error is not there"
exec 3>&- 4>&-

# A store that sets no times, as many that show a single file: they are then those of migration.
for error in EOPNOTSUPP ENOSYS; do
	fault "setattr good $error"
	put "$mnt/good" 1 13
	eventually 10 has "$store/good" 1 13 || fail "not migrated: setting times gives $error"
	eventually 10 is_clean "$mnt" || fail "not clean: setting times gives $error"
	fault clear
done

# A store that takes a hole for a hint (nbdfuse does): what is punched is zero all the same.
is_ignored()
{
	faults | grep -q "^rule .* fallocate good .* hit=1$"
}
is_zero_in_store()
{
	[ "$(dd if="$store/good" bs=4096 skip=16 count="$1" status=none | tr -d '\0' | wc -c)" = 0 ]
}
for blocks in 1 8; do
	put "$mnt/good" 16 14 8
	eventually 10 is_clean "$mnt" || fail "not clean before $blocks blocks are punched"
	fault "fallocate good ignored times=1"
	works fallocate -p -o 65536 -l $((4096 * blocks)) "$mnt/good"
	eventually 10 is_ignored || fail "no punch of $blocks blocks: $(faults)"
	eventually 10 is_zero_in_store $blocks || fail "$blocks blocks are not zero in the store"
	fault clear
done

# The sync of a new file is one of its name, too: it fails while the directory cannot be synced.
mkdir "$mnt/sub"
echo new >"$mnt/sub/new"
fault fsyncdir sub EIO
! timeout 20 sync "$mnt/sub/new" 2>/dev/null || fail "synced, and its name is not"
fault clear
timeout 20 sync "$mnt/sub/new" || fail "its name can be synced again, and it is not"
umount_lcfs "$mnt"
