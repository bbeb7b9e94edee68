#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl attach and detach: into a cache that is named, or the only one; from one to another while
# the image is in use; detached it is its backing file.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"
new_cache "$tmp/cache"
new_cache "$tmp/cache2"
"$VERIFIER" random "$tmp/data" 3000000 1

mount_with_log "$tmp/cache" "$dir" "$mnt" "cache=$tmp/cache2,allow_migrate=0"
cp "$tmp/data" "$mnt/a"
cp "$tmp/data" "$dir/plain"
refused 1 'has 2 caches' "$LCCTL" attach plain
refused 1 'has no cache 3' "$LCCTL" attach --cache 3 plain
exec 5<>"$mnt/a" # who is neither open nor has data in a cache is in no list
for cache in 1 2 1; do
	works "$LCCTL" attach --cache $cache a
	matches ".*${tab}$cache${tab}.*${tab}a" "$LCCTL" list -H a
	same "$mnt/a" "$tmp/data"
done
says 'already' "$LCCTL" attach -c 1 a
exec 5<&-
works "$LCCTL" attach --cache 2 plain
echo new >>"$mnt/plain"
matches "2${tab}$tmp/cache2${tab}ok${tab}.*" "$LCCTL" status -H
echo new >>"$tmp/data"

# While it is open, with data that is dirty.
cp "$tmp/data" "$mnt/a"
exec 5<"$mnt/a"
says 'detach: done' "$LCCTL" detach a
same "$dir/a" "$tmp/data"
matches ".*${tab}uncached${tab}0${tab}.*${tab}a" "$LCCTL" list -H a
echo more >>"$mnt/a"
tail -n 1 "$dir/a" | grep -qx more || fail "it is cached after a detach"
exec 5<&-
works "$LCCTL" umount --drain
same "$dir/plain" "$tmp/data"

mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
works "$LCCTL" attach a
echo again >>"$mnt/a"
matches ".*${tab}dirty${tab}1${tab}.*${tab}a" "$LCCTL" list -H a
works "$LCCTL" umount --drain
tail -n 1 "$dir/a" | grep -qx again || fail "what was written is lost"
