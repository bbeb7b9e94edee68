#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Mounted over its own backing directory: names stay what they were, what is written goes through
# the cache and is there after a drain and unmount.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mkdir -p "$dir/sub"
"$VERIFIER" random "$dir/before" 300000 1
cp "$dir/before" "$tmp/before"
new_cache "$tmp/cache"

mount_lcfs "$tmp/cache" "$dir" "$dir"
same "$dir/before" "$tmp/before"
"$VERIFIER" random "$tmp/new" 500000 2
cp "$tmp/new" "$dir/sub/new"
mv "$dir/before" "$dir/after"
same "$dir/sub/new" "$tmp/new"
[ "$(find "$dir" -mindepth 1 | sort | tr '\n' ' ')" = "$dir/after $dir/sub $dir/sub/new " ] ||
	fail "lcfs shows something of its own: $(find "$dir")"

# A second one on what is served already.
mkdir "$tmp/other"
new_cache "$tmp/cache2"
refused 1 'served by lcfs already' "$LCFS" -o "cache=$tmp/cache2" "$dir" "$tmp/other"
refused 1 'lcfs' "$LCFS" -o "cache=$tmp/cache2" "$tmp/other" "$dir"

drain "$dir"
umount_lcfs "$dir"
same "$dir/sub/new" "$tmp/new"
same "$dir/after" "$tmp/before"
[ ! -e "$dir/before" ] || fail "the old name is there"

# And again, with dirty data from the last time.
mount_lcfs "$tmp/cache" "$dir" "$dir" allow_migrate=0
cp "$tmp/before" "$dir/sub/new"
umount_lcfs "$dir"
mount_lcfs "$tmp/cache" "$dir" "$dir"
same "$dir/sub/new" "$tmp/before"
