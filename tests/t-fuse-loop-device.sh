#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A loop device on a file of the mount, with and without direct I/O, carries a filesystem.
set -eu
. "$(dirname "$0")/fuse_lib.sh"
need losetup mkfs.ext4 e2fsck

mkdir "$tmp/fs"
for how in ctl async=31; do
	for dio in on off; do
		echo "== $how, direct-io=$dio"
		fs_start -o "$how"
		truncate -s 200M "$mnt/img"
		dev=$(losetup -f --show --direct-io=$dio "$mnt/img") || skip "no loop device"
		loops=$dev
		mkfs.ext4 -q "$dev"
		mount -o discard "$dev" "$tmp/fs"
		mounts="$tmp/fs $mounts"
		cp -r "$bin"/*.o "$tmp/fs/" 2>/dev/null || true
		seq 200000 >"$tmp/fs/numbers"
		sync -f "$tmp/fs/numbers"
		seq 200000 | cmp - "$tmp/fs/numbers"
		rm -f "$tmp"/fs/*.o
		fstrim "$tmp/fs" || true
		umount "$tmp/fs"
		e2fsck -fn "$dev" >/dev/null 2>&1 || fail "e2fsck"
		losetup -d "$dev"
		loops=
		fs_stop
		e2fsck -fn "$back/img" >/dev/null 2>&1 || fail "e2fsck of the backing file"
		rm "$back/img"
	done
done
