#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The shared RAM buffers on a real mount: private to who mounted, all of them allocated, one file a
# cache, in use by one daemon; they survive its death with what was never synced, also if the next
# mount wants other buffers or dies in turn, and are gone after an orderly end.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
held='allow_migrate=0,flush_current_buffer_interval=0,commit_super_block_interval=0'
new_cache "$tmp/cache" --size=32M
standard_mount "$held,ram_buffers=5"
pool=$(fact ram_buffers)
[ "$(stat -c '%a %u %F' "$pool")" = "600 $(id -u) regular file" ] || fail "$(stat "$pool")"
[ "$(stat -c '%a %u' "${pool%/*}")" = "700 $(id -u)" ] || fail "$(stat "${pool%/*}")"
[ "$(stat -c %h "$pool")" = 1 ] || fail "the RAM buffers have a second name"
bytes=$(stat -c %s "$pool")
[ "$bytes" -ge $((5 << 20)) ] || fail "$bytes bytes for 5 buffers of 1 MiB"
[ $(($(stat -c %b "$pool") * 512)) -ge "$bytes" ] || fail "$pool has holes: $(stat "$pool")"

# Another cache has others; who has them, has them alone.
first=$pool
cache=$tmp/cache2
new_cache "$cache" --size=24M
mkdir "$tmp/dir2" "$tmp/mnt2"
mount_lcfs "$cache" "$tmp/dir2" "$tmp/mnt2" "$held"
second=$(fact ram_buffers)
[ "$first" != "$second" ] || fail "two caches, one file of RAM buffers"
echo two >"$tmp/mnt2/file"
! flock -n "$first" true || fail "$first is not locked"
mkdir "$tmp/mnt3"
refused 1 'in use' "$LCFS" -o "cache=$tmp/cache" "$dir" "$tmp/mnt3"

# What was never synced, and with it a log that ends in RAM: killed, killed again, and again.
cp "$top_srcdir/tests/functions.sh" "$mnt/unsynced"
kill_lcfs "$mnt"
[ -f "$first" ] || fail "a killed daemon leaves no RAM buffers"
for buffers in 64 2 7; do
	standard_mount "$held,ram_buffers=$buffers"
	same "$mnt/unsynced" "$top_srcdir/tests/functions.sh"
	[ "$(stat -c '%a %s' "$first")" = "600 $bytes" ] ||
		fail "taken over, they are not what they were: $(stat "$first")"
	echo "$buffers" >"$mnt/last"
	kill_lcfs "$mnt"
done
standard_mount "$held"
[ "$(cat "$mnt/last")" = 7 ] || fail "$(cat "$mnt/last")"
same "$mnt/unsynced" "$top_srcdir/tests/functions.sh"

umount_lcfs "$mnt"
[ ! -e "$first" ] || fail "an orderly end leaves $first"
[ -e "$second" ] || fail "the other cache's RAM buffers are gone as well"
umount_lcfs "$tmp/mnt2"
[ ! -e "$second" ] || fail "an orderly end leaves $second"
standard_mount "$held,ram_buffers=3"
[ "$(stat -c %s "$first")" -lt "$bytes" ] || fail "new ones are not of the new size"
same "$mnt/unsynced" "$top_srcdir/tests/functions.sh"
umount_lcfs "$mnt"
