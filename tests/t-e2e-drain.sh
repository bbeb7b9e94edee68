#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# After a drain, of all images or of one, the plain file is byte for byte what was written; before
# it is not, so that the test means something; and the cache may be formatted again only then.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
standard_mount allow_migrate=0
"$VERIFIER" random "$dir/a" 5000000 1
cp "$dir/a" "$tmp/a"

# Pieces over it at odd places, and holes.
"$VERIFIER" random "$tmp/piece" 70001 2
for place in 0 511 4095 131072 999999 4999000; do
	for file in "$tmp/a" "$mnt/a"; do
		dd if="$tmp/piece" of="$file" bs=65537 seek=$place oflag=seek_bytes conv=notrunc \
			status=none
	done
done
for file in "$tmp/a" "$mnt/a"; do
	fallocate --punch-hole --offset 200001 --length 300001 "$file"
	truncate -s 5000777 "$file"
done
"$VERIFIER" random "$tmp/b" 3000000 3
cp "$tmp/b" "$mnt/b"
same "$mnt/a" "$tmp/a"
cmp -s "$dir/b" "$tmp/b" && fail "b is in its plain file before any migration"
[ "$(knob "$mnt" nr_dirty_caches)" -gt 700 ] || fail "$(knob "$mnt" nr_dirty_caches) dirty blocks"

# One image: by its own file.
for device in "$mnt"/.lcctl/devices/*; do
	[ "$(cat "$device/name")" != b ] || break
done
[ "$(cat "$device/state")" = dirty ] || fail "b is $(cat "$device/state")"
echo 1 >"$device/drain"
[ "$(cat "$device/nr_dirty_caches")" = 0 ] || fail "dirty blocks are left of b"
[ "$(cat "$device/state")" = clean ] || fail "b is $(cat "$device/state") after its drain"
same "$dir/b" "$tmp/b"
cmp -s "$dir/a" "$tmp/a" && fail "a was drained as well"

# With dirty data in it mkfs.lcfs refuses it.
umount_lcfs "$mnt"
refused 1 'dirty segments' "$MKFS" "$cache"
standard_mount allow_migrate=0
same "$mnt/a" "$tmp/a"

drain "$mnt"
same "$mnt/a" "$tmp/a"
umount_lcfs "$mnt"
same "$dir/a" "$tmp/a"
same "$dir/b" "$tmp/b"
works "$MKFS" -q "$cache"

# A daemon that was killed: its buffers are part of the log.
standard_mount allow_migrate=0
cp "$tmp/b" "$mnt/a"
kill_lcfs "$mnt"
# mkfs.lcfs does not wait for what the kernel still writes for it.
landed()
{
	! "$MKFS" "$cache" 2>&1 | grep -q 'have not landed yet'
}
eventually 60 landed || fail "the writes of the killed daemon do not land"
refused 1 'had in RAM' "$MKFS" "$cache"
standard_mount
same "$mnt/a" "$tmp/b"
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/a" "$tmp/b"
