#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache, a directory and a mount point have one lcfs at a time: a second one is refused with the
# pid of the first, which does not mind.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
standard_mount
pid=$(daemon_of "$mnt")
mkdir "$tmp/dir2" "$tmp/mnt2"
new_cache "$tmp/cache2"
echo hello >"$mnt/file"

refused 1 "pid $pid" "$LCFS" -o "cache=$cache" "$tmp/dir2" "$tmp/mnt2"
refused 1 "$pid" "$LCFS" -o "cache=$tmp/cache2" "$dir" "$tmp/mnt2"
refused 1 'mounted there already' "$LCFS" -o "cache=$tmp/cache2" "$tmp/dir2" "$mnt"
refused 1 "pid $pid" "$MKFS" --force "$cache"
! is_mounted "$tmp/mnt2" || fail "a second mount is there"
[ "$(cat "$mnt/file")" = hello ] || fail "the first mount minds"
[ "$(daemon_of "$mnt")" = "$pid" ] || fail "the daemon is another one"

# Two with nothing in common go side by side.
mount_lcfs "$tmp/cache2" "$tmp/dir2" "$tmp/mnt2"
echo world >"$tmp/mnt2/file"
umount_lcfs "$tmp/mnt2"

# A cache belongs to its directory while it has dirty data of it.
umount_lcfs "$mnt"
mount_lcfs "$cache" "$dir" "$mnt" allow_migrate=0
echo more >>"$mnt/file"
umount_lcfs "$mnt"
run "$LCFS" -o "cache=$cache" "$tmp/dir2" "$mnt"
[ "$status" = 1 ] || fail "a cache with dirty data of one directory is used for another"
mount_lcfs "$cache" "$dir" "$mnt"
[ "$(tail -n 1 "$mnt/file")" = more ] || fail "data is lost: $(cat "$mnt/file")"

# By UUID and label, of a block device.
losetup -f >/dev/null 2>&1 || exit 0
umount_lcfs "$mnt"
truncate -s 64M "$tmp/device"
mkdir "$tmp/dir3"
attach "$tmp/device"
label="test $$ $(date +%N)"
works "$MKFS" -q -L "$label" "$loop"
mount_lcfs "LABEL=$label" "$tmp/dir3" "$mnt"
[ "$(readlink "$mnt/.lcctl/caches/1/device")" = "$loop" ] ||
	fail "LABEL= found $(readlink "$mnt/.lcctl/caches/1/device")"
umount_lcfs "$mnt"
