#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs refuses what somebody uses, and what cannot be a cache, --force or not.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires flock
truncate -s 64M "$tmp/file"

refused 1 'does not exist' "$MKFS" "$tmp/nothing"
refused 1 'No such file' "$MKFS" --size=64M "$tmp/no/such/dir"
refused 1 'not a block device or regular file' "$MKFS" -f /dev/null
refused 1 'not a block device or regular file' "$MKFS" -f "$tmp"
: >"$tmp/empty"
refused 1 'is empty' "$MKFS" "$tmp/empty"
refused 1 'too small' "$MKFS" --size=4M "$tmp/empty"
works "$MKFS" -q --size=64M "$tmp/empty"

# A process that has it, by its name and pid.
flock -n "$tmp/file" sh -c "echo \$\$ >$tmp/pid; exec sleep 60" &
cleanup_fn end_process $!
eventually 10 test -s "$tmp/pid"
refused 1 "pid " "$MKFS" -f "$tmp/file"
kill "$(cat "$tmp/pid")"
wait $! || :
works "$MKFS" -q "$tmp/file"

[ "$(id -u)" = 0 ] || exit 0
losetup -f >/dev/null 2>&1 || exit 0

# The file behind a loop device; the device; a mounted one; a partition of a larger one in use.
attach "$tmp/file"
refused 1 "in use by $loop" "$MKFS" -f "$tmp/file"
refused 1 '--size is for files' "$MKFS" --size=10M "$loop"
works "$MKFS" -q "$loop"
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -qF "$loop"
	mount_fs "$loop" "$tmp/fs"
	refused 1 "mounted on $tmp/fs" "$MKFS" -f "$loop"
	umount "$tmp/fs"
	works "$MKFS" -qf "$loop"
fi
truncate -s 64M "$tmp/read-only"
attach "$tmp/read-only" --read-only
refused 1 "$loop" "$MKFS" -f "$loop"
