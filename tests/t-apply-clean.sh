#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl apply --mark-clean does what a mount, a drain and an unmount do: the files are what the
# mount showed, and the cache is clean; what cannot be drained stays in it. After an apply without
# it the cache takes the files for changed by somebody else.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
dirty_cache
kill_dirty "$mnt"

works "$OFFLINE" apply --mark-clean "$cache" "$dir"
check_three "$dir"
gives 0 "$FSCK" -v "$cache"
says ' 0 dirty blocks of '
says 'image 1: one: clean, 3000000 bytes'
[ ! -e "$pool" ] || fail "the RAM buffers are left"
! grep -q dirty "$dir/.lcfs/caches" || fail "the directory still waits for the cache"
works "$OFFLINE" apply --mark-clean -q "$cache" "$dir"
[ ! -s "$tmp/out" ] || fail "--quiet says: $(cat "$tmp/out")"

# From here on the files are edited without lcfs, and stay so.
printf edited | dd of="$dir/short" bs=1 conv=notrunc status=none
cp "$dir/short" "$tmp/short"
mount_with_log "$cache" "$dir" "$mnt"
check_three "$mnt"
umount_lcfs "$mnt"
check_three "$dir"
works "$MKFS" -q "$cache"

# What cannot be drained is said, and the cache keeps it.
mount_with_log "$cache" "$dir" "$mnt" allow_migrate=0
cp "$tmp/two" "$mnt/held"
cp "$tmp/two" "$mnt/goes"
commit "$mnt"
umount_lcfs "$mnt"
printf x >>"$dir/held"
run "$OFFLINE" apply --mark-clean "$cache" "$dir"
[ "$status" = 1 ] || fail "status $status: $(cat "$tmp/out" "$tmp/err")"
grep -q 'held: not drained (conflict)' "$tmp/err" || fail "says: $(cat "$tmp/err")"
same "$dir/goes" "$tmp/two"
[ "$(stat -c %s "$dir/held")" = 1 ] || fail "a changed file was overwritten"
gives 0 "$FSCK" -v "$cache"
says 'held: conflict, 123457 bytes, 31 dirty blocks'
mkdir "$tmp/rescued"
works "$OFFLINE" export "$cache" "$tmp/rescued"
same "$tmp/rescued/held" "$tmp/two"

works "$MKFS" -qf "$cache"
rm -r "$dir/.lcfs"
mount_with_log "$cache" "$dir" "$mnt" allow_migrate=0
cp "$tmp/one" "$mnt/twice"
umount_lcfs "$mnt"
remember
works "$OFFLINE" apply "$cache" "$dir"
same "$dir/twice" "$tmp/one"
unchanged apply
run "$OFFLINE" apply "$cache" "$dir"
grep -q 'twice: not changed: it has changed since' "$tmp/err" || fail "says: $(cat "$tmp/err")"
run "$OFFLINE" apply --mark-clean "$cache" "$dir"
grep -q 'twice: not drained (conflict)' "$tmp/err" || fail "says: $(cat "$tmp/err")"
same "$dir/twice" "$tmp/one"
