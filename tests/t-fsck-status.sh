#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fsck.lcfs: the exit status tells what it found; it changes nothing unless it is told to, refuses a
# cache in use by its holder's name, and counts what a mount would recover.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
new_cache "$tmp/cache" --size=32M
gives 0 "$FSCK" "$tmp/cache"
says '0 records'

gives 0 "$FSCK" --help
says 'Usage: fsck.lcfs'
gives 0 "$FSCK" --version
says 'fsck.lcfs'

dirty_cache
refused 8 "pid $logged (lcfs)" "$FSCK" "$cache"
refused 8 "pid $logged (lcfs)" "$FSCK" -y "$cache"
kill_dirty "$mnt"
remember

# Killed: in order, and what a mount will recover.
gives 0 "$FSCK" -v "$cache"
says 'was not unmounted in order: a mount recovers it, with what is in the RAM buffers'
says 'image 1: one: dirty, 3000000 bytes, 733 dirty blocks'
says ': sub/two words: dirty, 123457 bytes, 31 dirty blocks'
says '789 dirty blocks of 3 images'
for option in -p -a -y -fp; do
	gives 0 "$FSCK" $option "$cache"
	unchanged "fsck.lcfs $option"
done

# A bad copy of the super block: seen, left alone, and mended only by those who may.
cp "$cache" "$tmp/good"
flip "$cache" 300
remember
gives 4 "$FSCK" "$cache"
says 'copy 0 of the super block is damaged (wrong checksum) (-p or -y repairs it)'
gives 4 "$FSCK" -n "$cache"
unchanged 'fsck.lcfs -n'
gives 1 "$FSCK" -p "$cache"
says 'written anew from the other one'
gives 0 "$FSCK" "$cache"

# Both.
flip "$cache" 300
flip "$cache" $((1048576 + 300))
remember
gives 4 "$FSCK" -y "$cache"
says 'both copies of the super block are damaged'
unchanged 'fsck.lcfs -y'
cp "$tmp/good" "$cache"

# One of another cache, which is the newer one.
new_cache "$tmp/other" --size=32M
cp "$tmp/good" "$cache"
mkdir "$tmp/otherdir" "$tmp/othermnt"
for _ in 1 2 3 4; do
	mount_with_log "$tmp/other" "$tmp/otherdir" "$tmp/othermnt"
	umount_lcfs "$tmp/othermnt"
done
dd if="$tmp/other" of="$cache" bs=4096 count=1 conv=notrunc status=none
remember
gives 4 "$FSCK" -y "$cache"
says 'of different caches'
refused 1 'of different caches' "$LCFS" -o "cache=$cache" "$dir" "$mnt"
unchanged 'two caches'
dd if=/dev/zero of="$cache" bs=4096 count=1 conv=notrunc status=none
gives 1 "$FSCK" -p "$cache"
gives 0 "$FSCK" -v "$cache"
says 'image 1: one: dirty, 3000000 bytes, 733 dirty blocks'
cp "$tmp/good" "$cache"

# Dirty data that was durable is lost; with a sum that is wrong, and with a record that is missing.
flip "$cache" "$(byte_of one 5)"
remember
gives 4 "$FSCK" -y "$cache"
says 'block 5 of image 1: is not what its sum says: dirty data is lost'
says 'damaged blocks that are dirty: 1;'
gives 4 "$FSCK" -p "$cache"
unchanged 'fsck.lcfs'
cp "$tmp/good" "$cache"
flip "$cache" $(($(fact segments_start) + 130))
remember
gives 4 "$FSCK" -y "$cache"
says 'a mount will refuse it: record 1 '
unchanged 'fsck.lcfs -y'
cp "$tmp/good" "$cache"

# A device that has become shorter.
truncate -s 31M "$cache"
gives 4 "$FSCK" -y "$cache"
says 'the end of the log is missing'

# A cache whose daemon was killed is mounted after a repair, with what was in RAM.
cp "$tmp/good" "$cache"
flip "$cache" $((1048576 + 300))
gives 1 "$FSCK" -y "$cache"
mount_with_log "$cache" "$dir" "$mnt"
check_three "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
check_three "$dir"
