#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The backing directory is full: what was written stays in the cache and can be read, lcctl says why
# and that it is tried again, and once there is room it is migrated by itself.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
LCCTL=$top_builddir/lcfs/tools/lcctl
mkdir "$tmp/small" "$tmp/mnt"
mount -t tmpfs -o size=6M none "$tmp/small" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/small"
dir=$tmp/small/dir
mnt=$tmp/mnt
mkdir "$dir"
new_cache "$tmp/cache"
"$VERIFIER" random "$tmp/data" 10000000 1
mount_with_log "$tmp/cache" "$dir" "$mnt"
cp "$tmp/data" "$mnt/big.img"
sync "$mnt/big.img"
cp "$tmp/data" "$mnt/gone.img"

is_in_error()
{
	grep -qsx error "$mnt"/.lcctl/devices/*/state
}
set_knob "$mnt" force_migrate 1
eventually 20 is_in_error || fail "the image is in no error"
grep -q 'big.img: its backing file cannot be written at byte .*: No space left' "$tmp/log" ||
	fail "the log does not say it"
same "$mnt/big.img" "$tmp/data"
run "$LCCTL" status -x "$mnt"
[ "$status" = 1 ] || fail "lcctl status -x ends with $status"
grep -q 'big.img  *error  *.*No space left on device' "$tmp/out" || fail "$(cat "$tmp/out")"
grep -q 'In error: until that is over' "$tmp/out" || fail "$(cat "$tmp/out")"
run "$LCCTL" drain "$mnt/big.img"
[ "$status" = 1 ] || fail "lcctl drain ends with $status"
grep -q 'No space left on device: .* stay in the cache: drain it when that is over' "$tmp/err" ||
	fail "$(cat "$tmp/err")"

# One that was removed meanwhile is owed to no file: it is no matter of a drain.
are_in_error()
{
	[ "$(cat "$mnt"/.lcctl/devices/*/state | grep -cx error)" = 2 ]
}
eventually 30 are_in_error || fail "gone.img is in no error"
exec 5<"$mnt/gone.img"
rm "$mnt/gone.img"
grep -qx 1 "$mnt"/.lcctl/devices/*/removed || fail "none is said to be removed"
run "$LCCTL" drain "$mnt"
! grep 'gone.img' "$tmp/err" || fail "what was removed is said to be not drained"
grep -q 'big.img: error: .*No space left' "$tmp/err" || fail "$(cat "$tmp/err")"
exec 5<&-

mount -o remount,size=40M "$tmp/small"
eventually 60 is_clean "$mnt" || fail "it is not tried again"
works "$LCCTL" status -x "$mnt"
works "$LCCTL" drain "$mnt/big.img"
umount_lcfs "$mnt"
same "$dir/big.img" "$tmp/data"
