#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount right after an unmount waits for the daemon that is still closing the cache, and finds
# what was written a moment before; the end takes no longer than a flush, however much is dirty.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"
new_cache "$tmp/cache" --size=128M
"$VERIFIER" random "$tmp/data" 30000000 3

cleanup_fn end_mount "$mnt"
for round in 1 2 3 4 5 6; do
	works "$LCFS" -o "cache=$tmp/cache,allow_migrate=0" "$dir" "$mnt"
	[ $round = 1 ] || same "$mnt/image$((round - 1))" "$tmp/part"
	head -c $((round * 2000000)) "$tmp/data" >"$tmp/part"
	cp "$tmp/part" "$mnt/image$round"
	works umount "$mnt"
done
eventually 10 test -z "$(daemon_of "$mnt")" || :
for pid in $(daemon_of "$mnt"); do
	eventually 10 is_gone "$pid" || fail "a daemon stays"
done
