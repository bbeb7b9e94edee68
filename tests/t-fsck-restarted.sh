#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fsck.lcfs after a restart of the machine: RAM buffers that are gone are not waited for, and a
# cache with nothing to recover is marked clean; without a restart they are missed.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
requires unshare
dirty_cache
kill_dirty "$mnt"
mv "$pool" "$tmp/pool"
remember

gives 4 "$FSCK" "$cache"
says 'RAM buffers of the last mount are missing'
gives 4 "$FSCK" -y "$cache"
unchanged 'fsck.lcfs -y'

# restarted COMMAND...: on another boot of the machine.
cat /proc/sys/kernel/random/uuid >"$tmp/boot"
unshare -m mount --bind "$tmp/boot" /proc/sys/kernel/random/boot_id 2>/dev/null ||
	skip "no other boot can be made up here"
restarted()
{
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' \
		"$tmp/boot" "$@"
}

restarted "$FSCK" "$cache"
[ "$status" = 0 ] || fail "status $status: $(cat "$tmp/out" "$tmp/err")"
says '789 dirty blocks of 3 images'
unchanged fsck.lcfs
restarted "$FSCK" -p "$cache"
[ "$status" = 1 ] || fail "status $status: $(cat "$tmp/out" "$tmp/err")"
says 'not marked clean: marked'
gives 0 "$FSCK" "$cache"
! grep -q 'not unmounted' "$tmp/out" || fail "it is not marked: $(cat "$tmp/out")"

mount_with_log "$cache" "$dir" "$mnt"
check_three "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
check_three "$dir"
