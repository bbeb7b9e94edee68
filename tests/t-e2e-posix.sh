#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With a cache behind it the mount behaves as a filesystem does, also with the kernel's write-back
# cache.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
mkdir "$tmp/dir" "$tmp/mnt"
new_cache "$tmp/cache" --size=256M
for options in '' writeback_cache; do
	mount_with_log "$tmp/cache" "$tmp/dir" "$tmp/mnt" $options
	"$top_builddir/tests/fs_posix" "$tmp/mnt" || fail "with options '$options'"
	[ -z "$(ls -A "$tmp/mnt")" ] || fail "something is left"
	umount_lcfs "$tmp/mnt"
done
