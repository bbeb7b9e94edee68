#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device that fails while mounted: it is said once, writes end with an error, and what was
# synced before is there with the next mount on a device that works.
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
cp "$tmp/data" "$mnt/early"
sync "$mnt/early"

# There is no space behind the device for that much.
! dd if=/dev/urandom of="$mnt/late" bs=1M count=40 conv=fsync 2>/dev/null ||
	fail "a sync on a device that fails succeeds"
eventually 10 grep -q 'the cache device failed (.*No space left' "$tmp/log" ||
	fail "the failure is not said"
[ "$(grep -c 'the cache device failed' "$tmp/log")" = 1 ] || fail "it is said more than once"
same "$mnt/early" "$tmp/data"
umount "$mnt"
eventually 20 is_gone "$logged" || fail "the daemon does not end"

mount -o remount,size=200M "$tmp/fs"
mount_with_log "$loop" "$dir" "$mnt"
same "$mnt/early" "$tmp/data"
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/early" "$tmp/data"
