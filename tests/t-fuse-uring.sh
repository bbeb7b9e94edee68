#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By io_uring the mount behaves as it does by /dev/fuse; where the kernel does not offer it, that is
# said, and it is served by /dev/fuse.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

allow_uring || skip "the kernel has no FUSE over io_uring"
rings()
{
	find "/proc/$server/fd" -lname '*io_uring*' | wc -l
}

for how in uring uring,async=31 uring,writeback; do
	echo "== $how"
	fs_start -o "$how"
	[ "$(rings)" = "$(getconf _NPROCESSORS_ONLN)" ] || fail "$(rings) rings"
	timeout 300 "$bin/fs_posix" "$mnt" || fail "with $how"
	[ -z "$(ls -A "$back")" ] || fail "something is left in the backing directory"
	for seed in 1 0; do
		timeout 300 "$bin/fsx" -n "${FSX_OPS:-1500}" -s $seed "$mnt/cached" ||
			fail "cached, with $how"
		timeout 300 "$bin/fsx" -n "${FSX_OPS:-1500}" -s $seed -d "$mnt/direct" ||
			fail "direct, with $how"
	done
	cmp "$mnt/cached" "$back/cached"
	rm "$mnt/cached" "$mnt/direct"
	fs_stop
done

echo N >"$uring"
fs_start -o uring
grep -q 'the kernel does not offer it' "$tmp/log" || fail "it is not said: $(cat "$tmp/log")"
[ "$(rings)" = 0 ] || fail "rings all the same"
timeout 300 "$bin/fs_posix" "$mnt" || fail "without io_uring"
umount "$mnt"
wait_for_end
