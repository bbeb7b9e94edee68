#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A directory that cannot be written to is refused unless the mount is read-only; neither binds the
# cache to it.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
mkdir "$tmp/fs" "$tmp/mnt"
mount -t tmpfs none "$tmp/fs" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/fs"
mkdir "$tmp/fs/dir" "$tmp/dir"
echo data >"$tmp/fs/dir/file"
mount -o remount,ro "$tmp/fs"
new_cache "$tmp/cache"
mnt=$tmp/mnt

refused 1 'Read-only file system: lcfs must be able to write' \
	"$LCFS" -o "cache=$tmp/cache" "$tmp/fs/dir" "$mnt"

for turn in first second; do
	mount_lcfs "$tmp/cache" "$tmp/fs/dir" "$mnt" ro
	[ "$(cat "$mnt/file")" = data ] || fail "the $turn read-only mount reads wrong"
	! touch "$mnt/new" 2>/dev/null || fail "a file is made in a read-only mount"
	umount_lcfs "$mnt"
done

# The cache is free for a directory that takes it.
mount_lcfs "$tmp/cache" "$tmp/dir" "$mnt"
echo more >"$mnt/file"
umount_lcfs "$mnt"

# And from then on it is that one's.
refused 1 'belongs to directory' "$LCFS" -o "cache=$tmp/cache,ro" "$tmp/fs/dir" "$mnt"
mount_lcfs "$tmp/cache" "$tmp/dir" "$mnt"
[ "$(cat "$mnt/file")" = more ] || fail "the directory's own data is gone"
umount_lcfs "$mnt"
