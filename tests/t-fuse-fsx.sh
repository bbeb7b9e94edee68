#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Random operations on one file have the effect they have in memory.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

ops=${FSX_OPS:-1500}
for how in ctl async=21 writeback writeback,async=22; do
	echo "== $how"
	fs_start -o "$how"
	for seed in 1 2 0; do
		timeout 300 "$bin/fsx" -n "$ops" -s $seed "$mnt/cached" || fail "cached, with $how"
		timeout 300 "$bin/fsx" -n "$ops" -s $seed -d "$mnt/direct" ||
			fail "direct, with $how"
		cmp "$mnt/cached" "$back/cached"
	done
	fs_stop
done
