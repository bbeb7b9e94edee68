#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl export gives byte for byte what the mount showed: what is in the log and what only the RAM
# buffers of a killed daemon have, overwritten, cut, punched and renamed; and not a byte of the
# cache changes.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
requires fallocate
dirty_cache flush_current_buffer_interval=0
refused 1 "pid $logged (lcfs)" "$OFFLINE" export "$cache" "$tmp"

# After the last flush: in RAM only.
set_knob "$mnt" commit_super_block_interval 0
dd if="$tmp/two" of="$mnt/one" bs=1000 seek=777 count=50 conv=notrunc status=none
fallocate -p -o 1000000 -l 300000 "$mnt/one"
truncate -s 3500000 "$mnt/one"
printf tail >>"$mnt/one"
mv "$mnt/sub/two words" "$mnt/sub/three"
cp "$tmp/short" "$mnt/new"
truncate -s 5000 "$mnt/new"
mkdir "$tmp/shown"
cp -r "$mnt/one" "$mnt/sub" "$mnt/short" "$mnt/new" "$tmp/shown"
kill_dirty "$mnt"
remember

mkdir "$tmp/out-dir"
works "$OFFLINE" export "$cache" "$tmp/out-dir"
unchanged export
diff -r "$tmp/shown" "$tmp/out-dir" || fail "what was exported differs from what was shown"
cp "$pool" "$tmp/pool.before"
[ "$(du -k "$tmp/out-dir/one" | cut -f1)" -lt 3200 ] || fail "the file is not sparse"

# It overwrites nothing, least of all the cache.
refused 1 'exists already' "$OFFLINE" export --image=one "$cache" "$tmp/out-dir"
works "$OFFLINE" export --force --image=one "$cache" "$tmp/out-dir"
same "$tmp/shown/one" "$tmp/out-dir/one"
refused 1 'is the cache itself' "$OFFLINE" export --force --image=one "$cache" "$cache"
unchanged 'export to itself'

# To a file; by number.
works "$OFFLINE" export -q -i sub/three "$cache" "$tmp/file"
same "$tmp/shown/sub/three" "$tmp/file"
[ ! -s "$tmp/out" ] || fail "--quiet says: $(cat "$tmp/out")"
refused 1 'name one with --image' "$OFFLINE" export "$cache" "$tmp/file2"
refused 1 'no dirty data of an image nothing' "$OFFLINE" export -i nothing "$cache" "$tmp/file2"
[ ! -e "$tmp/file2" ] || fail "a file was made for nothing"
ln -s "$tmp/elsewhere" "$tmp/link"
run "$OFFLINE" export -f -i short "$cache" "$tmp/link"
[ "$status" = 1 ] || fail "a symbolic link was taken for a file"
[ ! -e "$tmp/elsewhere" ] || fail "a symbolic link was followed"

# The ranges of data.
works "$OFFLINE" export --list --image=new "$cache" "$tmp/list"
[ "$(cat "$tmp/out")" = "$(printf '0\t5000\tnew')" ] || fail "ranges: $(cat "$tmp/out")"

# What is rotten is said, left out, and the rest is there.
byte=$(byte_of short 2)
flip "$cache" "$byte"
run "$OFFLINE" export -i short "$cache" "$tmp/rotten"
[ "$status" = 1 ] || fail "lost data, and status $status"
grep -q '4096 bytes at byte 8192 are lost: in the cache, byte '"$byte" "$tmp/err" ||
	fail "says: $(cat "$tmp/err")"
cmp -s -n 8192 "$tmp/rotten" "$tmp/short" || fail "what is before it differs"
cmp -s -i 12288 "$tmp/rotten" "$tmp/short" || fail "what is behind it differs"
flip "$cache" "$byte"

# The RAM buffers were only read: a mount finds all that they had.
same "$pool" "$tmp/pool.before"
unchanged export
mount_with_log "$cache" "$dir" "$mnt" allow_migrate=0
diff -r "$tmp/shown/sub" "$mnt/sub" || fail "sub differs in the mount"
same "$mnt/one" "$tmp/shown/one"
drain "$mnt"
umount_lcfs "$mnt"
works "$OFFLINE" export "$cache" "$tmp"
says 'no dirty data'
