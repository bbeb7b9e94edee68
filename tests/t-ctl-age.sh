#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The age of the oldest data that is not home yet: it grows while nothing is migrated, overwriting
# does not make it younger, it goes on after an unmount and after a kill, and ends with a drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
standard_mount 'allow_migrate=0'

age()
{
	cat "$mnt/.lcctl/caches/1/dirty_age_ms"
}

older_than()
{
	[ "$(age)" -gt "$1" ]
}

[ "$(age)" = 0 ] || fail "clean, and $(age) ms old"
begun=$(date +%s)
head -c 4096 /dev/zero >"$mnt/image"
eventually 20 older_than 300 || fail "does not age"
before=$(age)
head -c 4096 /dev/zero | dd of="$mnt/image" conv=notrunc,fsync status=none
[ "$(age)" -ge "$before" ] || fail "overwriting has made it younger: $(age) after $before"
[ "$(cat "$mnt/.lcctl/devices/1/dirty_age_ms")" -ge "$before" ] || fail "the image is younger"
[ "$(cat "$mnt/.lcctl/devices/1/dirty_bytes")" = 4096 ] || fail "dirty_bytes"

# A block that became dirty just now is not older than its image was clean.
head -c 4096 /dev/zero >"$mnt/other"
for device in "$mnt"/.lcctl/devices/*; do
	[ "$(cat "$device/name")" = other ] || continue
	most=$((1000 * ($(date +%s) - begun + 1)))
	[ "$(cat "$device/dirty_age_ms")" -le $most ] || fail "other"
done

# A record is written at most a second after its data.
before=$(age)
umount_lcfs "$mnt"
mount_lcfs "$cache" "$dir" "$mnt" 'allow_migrate=0'
older=$((before - 1500))
[ "$(age)" -ge "$older" ] || fail "$(age) ms old after a mount, $before before"
[ "$(age)" -le $((1000 * ($(date +%s) - begun + 2))) ] || fail "$(age) ms is too old"

echo 1 >"$mnt/.lcctl/drain"
[ "$(age)" = 0 ] || fail "drained, and $(age) ms old"
