#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device that takes no more writes while mounted: it is said once; what it holds goes to the
# image files, and so does what is written from then on; nobody sees an error, and nothing is owed.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
mkdir "$tmp/fs"
mount -t tmpfs -o size=20M none "$tmp/fs" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/fs"
truncate -s 128M "$tmp/fs/device"
attach "$tmp/fs/device"
works "$MKFS" -q "$loop"
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"
mount_with_log "$loop" "$dir" "$mnt" allow_migrate=0
"$VERIFIER" random "$tmp/data" 2000000 1
"$VERIFIER" random "$tmp/late" 41943040 2
cp "$tmp/data" "$mnt/early"
sync "$mnt/early"
: >"$mnt/untouched"

# There is no space behind the device for that much.
dd if="$tmp/late" of="$mnt/late" bs=1M conv=fsync 2>/dev/null || fail "a write or its sync fails"
eventually 10 grep -q 'the cache device failed (.*No space left' "$tmp/log" ||
	fail "the failure is not said"
[ "$(grep -c 'the cache device failed (' "$tmp/log")" = 1 ] || fail "it is said more than once"
[ "$(cat "$mnt/.lcctl/caches/1/state")" = degraded ] || fail "the state is not shown"
grep -q 'given up (No space left' "$mnt/.lcctl/caches/1/reason" || fail "the reason is not shown"
same "$mnt/early" "$tmp/data"
same "$mnt/late" "$tmp/late"

# What is synced is in the image file, and all else that can be done with a file works.
printf 'new' | dd of="$mnt/early" bs=1 seek=1000 conv=notrunc,fsync 2>/dev/null
printf 'new' | dd of="$tmp/data" bs=1 seek=1000 conv=notrunc 2>/dev/null
same "$dir/early" "$tmp/data"
same "$dir/late" "$tmp/late"
truncate -s 1000000 "$mnt/early"
truncate -s 1000000 "$tmp/data"
fallocate -p -o 5000 -l 100000 "$mnt/early"
fallocate -p -o 5000 -l 100000 "$tmp/data"
truncate -s 1500001 "$mnt/early"
truncate -s 1500001 "$tmp/data"
mv "$mnt/early" "$mnt/moved"
rm "$mnt/untouched"
echo fresh >"$mnt/fresh"
sync "$mnt/moved" "$mnt/fresh"
same "$mnt/moved" "$tmp/data"
same "$dir/moved" "$tmp/data"
grep -qx fresh "$dir/fresh" || fail "a new file is not written"
umount_lcfs "$mnt"
same "$dir/moved" "$tmp/data"
same "$dir/late" "$tmp/late"
