#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Nobody has to ask for safety: with no option but the cache, what is synced is on the device when
# the sync returns, what is not gets there by itself, and a daemon that is killed has lost nothing
# at the next mount, which is not told anything.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
standard_mount
is_on_device()
{
	grep -qaF "$1" "$cache"
}

echo "synced with fsync" >"$tmp/text"
dd if="$tmp/text" of="$mnt/first" conv=fsync status=none
is_on_device "synced with fsync" || fail "a sync has returned before the device has the data"
echo "nobody syncs this" >"$mnt/second"
eventually 10 is_on_device "nobody syncs this" || fail "what is not synced stays in memory"
echo "newest of all" >"$mnt/third"
kill_lcfs "$mnt"
standard_mount
for file in "first:synced with fsync" "second:nobody syncs this" "third:newest of all"; do
	[ "$(cat "$mnt/${file%%:*}")" = "${file#*:}" ] || fail "$file: $(cat "$mnt/${file%%:*}")"
done
umount_lcfs "$mnt"
