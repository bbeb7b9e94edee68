#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By io_uring the mount behaves as it does by /dev/fuse; where the kernel does not offer it, it is
# refused.
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
	[ "$how" != uring,async=31 ] || timeout 300 "$bin/fs_posix" "$mnt" || fail "with $how"
	[ -z "$(ls -A "$back")" ] || fail "something is left in the backing directory"
	for seed in 1 0; do
		timeout 300 "$bin/fsx" -n "${FSX_OPS:-300}" -s $seed "$mnt/cached" ||
			fail "cached, with $how"
		timeout 300 "$bin/fsx" -n "${FSX_OPS:-300}" -s $seed -d "$mnt/direct" ||
			fail "direct, with $how"
	done
	cmp "$mnt/cached" "$back/cached"
	rm "$mnt/cached" "$mnt/direct"
	fs_stop
done

# Switched off: refused, with what to do, and nothing is left.
forbid_uring
timeout 60 "$bin/fusetest" -o uring -p "$tmp/pid" "$back" "$mnt" 2>"$tmp/log" &&
	fail "mounted though it is switched off"
grep -q "switch it on (echo Y >$uring;.*or mount without it" "$tmp/log" ||
	fail "it is not said: $(cat "$tmp/log")"
grep -q " $mnt " /proc/self/mountinfo && fail "a mount is left"
fs_start
[ "$(rings)" = 0 ] || fail "rings that nobody wanted"
fs_stop
