#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a newcomer may get wrong: each is refused with one line that says what, where and what to
# do, and leaves nothing behind.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
mkdir "$dir" "$mnt" "$dir/inside"
echo data >"$dir/file"
new_cache "$cache"

# Usage: status 2.
refused 2 'backing directory and the mount point' "$LCFS"
refused 2 'backing directory and the mount point' "$LCFS" -o "cache=$cache" "$dir"
refused 2 'mkfs.lcfs' "$LCFS" "$dir" "$mnt"
refused 2 "'frobnicate'" "$LCFS" -o "cache=$cache,frobnicate" "$dir" "$mnt"
refused 2 'cache=CACHE' "$LCFS" "$cache" "$dir" "$mnt"
refused 2 'allow_migrate=2: give 0 or 1' "$LCFS" -o "cache=$cache,allow_migrate=2" "$dir" "$mnt"
! grep -q '0/1' "$tmp/err" || fail "a unit that is none"
refused 2 'from 0 to 100' "$LCFS" -o "cache=$cache,migrate_threshold=200" "$dir" "$mnt"

# The directories.
refused 1 "backing directory '$tmp/no' does not exist" "$LCFS" -o "cache=$cache" "$tmp/no" "$mnt"
refused 1 "'$dir/file' is not a directory" "$LCFS" -o "cache=$cache" "$dir/file" "$mnt"
refused 1 "mount point '$tmp/no' does not exist" "$LCFS" -o "cache=$cache" "$dir" "$tmp/no"
refused 1 "'$dir/file' is not a directory" "$LCFS" -o "cache=$cache" "$dir" "$dir/file"
refused 1 'inside the backing directory' "$LCFS" -o "cache=$cache" "$dir" "$dir/inside"
touch "$mnt/something"
refused 1 "is not empty (it has 'something')" "$LCFS" -o "cache=$cache" "$dir" "$mnt"
rm "$mnt/something"

# The cache.
refused 1 "'$tmp/no' does not exist" "$LCFS" -o "cache=$tmp/no" "$dir" "$mnt"
refused 1 'is a directory' "$LCFS" -o "cache=$dir" "$dir" "$mnt"
# An error stands alone, whatever there would have been to warn of.
lines=$(timeout 20 "$LCFS" -o cache=/dev/null "$dir" "$mnt" 2>&1 | wc -l)
[ "$lines" = 1 ] || fail "$lines lines for one mistake"
refused 1 'not a block device or regular file' "$LCFS" -o cache=/dev/null "$dir" "$mnt"
truncate -s 64M "$tmp/blank"
refused 1 "mkfs.lcfs $tmp/blank" "$LCFS" -o "cache=$tmp/blank" "$dir" "$mnt"
cp "$cache" "$dir/cache"
refused 1 'is inside the backing directory' "$LCFS" -o "cache=$dir/cache" "$dir" "$mnt"
mv "$dir/cache" "$mnt/cache"
refused 1 'is below the mount point' "$LCFS" -o "cache=$mnt/cache,nonempty" "$dir" "$mnt"
rm "$mnt/cache"
refused 1 'this is no UUID' "$LCFS" -o cache=UUID=12 "$dir" "$mnt"
refused 1 'no block device holds' "$LCFS" -o "cache=LABEL=none such $$" "$dir" "$mnt"

# A version of the format that is not known: made by hand from a valid super block it has a wrong
# checksum in both copies.
cp "$cache" "$tmp/newer"
for copy in 0 1048576; do
	printf '\377' | dd of="$tmp/newer" bs=1 seek=$((copy + 16)) conv=notrunc status=none
done
refused 1 'damaged' "$LCFS" -o "cache=$tmp/newer" "$dir" "$mnt"

# A file as cache that somebody has cut off.
cp "$cache" "$tmp/short"
truncate -s 20M "$tmp/short"
run "$LCFS" -o "cache=$tmp/short" "$dir" "$mnt"
[ "$status" = 1 ] || fail "a cache that was cut off is mounted"

is_mounted "$mnt" && fail "something is mounted"
[ -z "$(daemon_of "$mnt")" ] || fail "a process is left"
[ -z "$(find "$dir" -newer "$cache" -name '*.tmp')" ] || fail "files are left in the directory"
mount_lcfs "$cache" "$dir" "$mnt"
same "$dir/file" "$mnt/file"

# A mount whose daemon has died says what to do, and then nothing is in the way.
kill -9 "$(daemon_of "$mnt")"
refused 1 "umount -l $mnt" "$LCFS" -o "cache=$cache" "$dir" "$mnt"
umount -l "$mnt"
mount_lcfs "$cache" "$dir" "$mnt"
same "$dir/file" "$mnt/file"
