#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Random operations on several images at a time, on a cache that they fill many times over, have the
# effect they have in memory; another mount finds what the last one left.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
mkdir "$tmp/dir" "$tmp/mnt"
new_cache "$tmp/cache"

# fsx_all: four files at the same time, each with a fresh seed.
fsx_all()
{
	pids=
	for i in 1 2 3 4; do
		direct=
		[ $((i % 2)) = 0 ] || direct=-d
		"$top_builddir/tests/fsx" -n "${FSX_OPS:-1000}" -l 8000000 $direct "$tmp/mnt/f$i" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || fail "fsx"
	done
	sha256sum "$tmp/mnt"/* >"$tmp/sums"
}

for round in 1 2; do
	mount_with_log "$tmp/cache" "$tmp/dir" "$tmp/mnt"
	[ $round = 1 ] || sha256sum --quiet -c "$tmp/sums" || fail "found another content"
	fsx_all
	umount_lcfs "$tmp/mnt"
done
mount_with_log "$tmp/cache" "$tmp/dir" "$tmp/mnt"
sha256sum --quiet -c "$tmp/sums" || fail "found another content in the end"
umount_lcfs "$tmp/mnt"
