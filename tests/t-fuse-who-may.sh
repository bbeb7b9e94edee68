#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rights, owners, sticky and set-group-id directories, and what becomes of set-id bits and
# capabilities: in a mount each is as on the ext4 below it.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires python3
requires_fuse
requires_loop
requires_fs ext4

truncate -s 100M "$tmp/ext4.img"
mkfs.ext4 -q -F "$tmp/ext4.img"
attach "$tmp/ext4.img"
mount_fs "$loop" "$tmp/fs"
mkdir "$tmp/fs/plain" "$tmp/fs/dir" "$tmp/mnt"
new_cache "$tmp/cache"
# Migration writes to the files, which takes capabilities away that were given to them meanwhile.
mount_with_log "$tmp/cache" "$tmp/fs/dir" "$tmp/mnt" allow_migrate=0
chmod 755 "$tmp"
"$top_srcdir/tests/who_may.py" "$tmp/fs/plain" >"$tmp/wanted" || fail "on ext4"
"$top_srcdir/tests/who_may.py" "$tmp/mnt" >"$tmp/found" || fail "in the mount"
[ "$(wc -l <"$tmp/wanted")" -gt 700 ] || fail "too few cases"
diff "$tmp/wanted" "$tmp/found" || fail "< is on ext4, > in the mount"
[ -z "$(ls -A "$tmp/mnt")" ] || fail "something is left"

# Nobody but the owner writes control files, and lcfs's own files cannot be reached.
user="setpriv --reuid=40003 --regid=50009 --clear-groups"
chmod 777 "$tmp/fs/dir"
for file in drain caches/1/allow_migrate caches/1/clear_stat; do
	! $user sh -c "echo 1 >'$tmp/mnt/.lcctl/$file'" 2>/dev/null || fail "$file is written to"
done
$user cat "$tmp/mnt/.lcctl/status" >/dev/null || fail "status cannot be read"
for name in .lcfs .lcfs/uuid .lcfs/lock .lcfs/caches; do
	[ ! -e "$tmp/mnt/$name" ] || fail "$name can be reached"
	! cat "$tmp/mnt/$name" 2>/dev/null || fail "$name can be read"
done
! mkdir "$tmp/mnt/.lcfs" 2>/dev/null || fail ".lcfs can be made"
touch "$tmp/mnt/x"
! mv "$tmp/mnt/x" "$tmp/mnt/.lcfs" 2>/dev/null || fail ".lcfs can be renamed over"
! ln "$tmp/mnt/x" "$tmp/mnt/.lcfs" 2>/dev/null || fail ".lcfs can be linked"
! rmdir "$tmp/mnt/.lcfs" 2>/dev/null || fail ".lcfs can be removed"

# Without being asked for, neither device nodes nor set-id programs do anything.
findmnt -n -o OPTIONS "$tmp/mnt" | grep -q nosuid || fail "no nosuid"
findmnt -n -o OPTIONS "$tmp/mnt" | grep -q nodev || fail "no nodev"
mknod "$tmp/mnt/null" c 1 3
! cat "$tmp/mnt/null" 2>/dev/null || fail "a device node can be opened"
umount_lcfs "$tmp/mnt"
