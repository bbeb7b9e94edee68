#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Several images at once, more data than the log holds: writers of large and small files, readers,
# and migration, side by side; everything is right, in the mount, after a remount, and in the plain
# files.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
new_cache "$tmp/cache" --size=48M
standard_mount force_migrate=1
mkdir "$tmp/want"
for i in 1 2 3 4 5 6; do
	"$VERIFIER" random "$tmp/want/$i" $((i * 3000000 + i * 333)) $i
done

pids=
for i in 1 2 3 4 5 6; do
	(
		dd if="$tmp/want/$i" of="$mnt/$i" bs=$((1 << (8 + 2 * i))) conv=fsync status=none
		cmp "$mnt/$i" "$tmp/want/$i"
	) &
	cleanup_fn end_process $!
	pids="$pids $!"
done
(
	for i in $(seq 200); do
		echo "$i" >"$mnt/small-$i"
	done
) &
pids="$pids $!"
for pid in $pids; do
	wait "$pid" || fail "a writer has failed"
done

check()
{
	for i in 1 2 3 4 5 6; do
		same "$1/$i" "$tmp/want/$i"
	done
	for i in $(seq 200); do
		[ "$(cat "$1/small-$i")" = "$i" ] || fail "small-$i is $(cat "$1/small-$i")"
	done
}

check "$mnt"
umount_lcfs "$mnt"
standard_mount
check "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
check "$dir"
