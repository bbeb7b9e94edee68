#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Some files of a store hang, in different calls, and more of them than there are threads at first:
# the other images are migrated and drained, the control tree and lcctl answer, and unmounting waits
# for nobody. What the files lack is there at the next mount.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
mkdir "$tmp/real" "$tmp/store" "$tmp/mnt"
store=$tmp/store
mnt=$tmp/mnt
faultdir_start "$tmp/real" "$store"
new_cache "$tmp/cache" --size=20M
mount_with_log "$tmp/cache" "$store" "$mnt"
set_knob "$mnt" allow_migrate 0
hanging='write look1 look2 look3'
for file in $hanging z; do
	truncate -s 4M "$mnt/$file"
	put "$mnt/$file" 0 "${#file}" 16
done
fault "write write hang"
fault "getattr look* hang"

set_knob "$mnt" force_migrate 1
# Twice what the cache holds: the tail passes what the others have there.
n=0
while [ "$n" -lt 8 ]; do
	put "$mnt/z" 0 "$n" 1024
	n=$((n + 1))
done
timeout 60 "$LCCTL" drain -q "$mnt/z" || fail "the others are not drained"
cmp "$mnt/z" "$tmp/real/z" || fail "z differs"
for file in $hanging; do
	eventually 20 reason_has "$file" "does not answer" || fail "$file does not hang"
	eventually 5 grep -q "^lcfs: warning: $file: its backing file does" "$tmp/log" ||
		fail "nothing is said of $file: $(cat "$tmp/log")"
done
is_image_clean z || fail "z: $(cat "$(device_of z)/state")"
for verb in "status $mnt" "list -m $mnt" "flush $mnt"; do
	# shellcheck disable=SC2086 # words
	timeout -s KILL 5 "$LCCTL" $verb >/dev/null || fail "lcctl $verb hangs"
done
echo 1 >"$mnt/.lcctl/caches/1/stall_timeout"
! timeout 10 "$LCCTL" drain -q "$mnt/write" 2>"$tmp/err" || fail "a file that hangs is drained"
grep -q "its backing file does not answer: .* stay in the cache" "$tmp/err" ||
	fail "drain says: $(cat "$tmp/err")"

status=0
timeout 60 "$LCCTL" umount -q "$mnt" || fail "umount fails"
grep -q "image files do not answer: .* the next mount" "$tmp/log" ||
	fail "the daemon says: $(cat "$tmp/log")"
grep -q "^lcfs: warning: write: 64 KiB are only in the cache, .* does not answer" "$tmp/log" ||
	fail "the daemon does not say what is left: $(cat "$tmp/log")"
fault clear
wait "$logged" || status=$?
[ "$status" = 1 ] || fail "the daemon ends with status $status"
mount_with_log "$tmp/cache" "$store" "$mnt"
for file in $hanging; do
	has "$mnt/$file" 0 "${#file}" 16 || fail "$file: is not what was written"
done
timeout 60 "$LCCTL" drain -q "$mnt" || fail "not drained in the end"
for file in $hanging z; do
	cmp "$mnt/$file" "$tmp/real/$file" || fail "$file differs"
done

# A store that is full says so when it is unmounted.
fault "write z ENOSPC"
put "$mnt/z" 0 9 16
echo 1 >"$mnt/.lcctl/caches/1/force_migrate"
eventually 20 image_state z error || fail "z is not refused"
umount_lcfs "$mnt"
grep -q "^lcfs: warning: z: 64 KiB are only in the cache, .* (No space left on device): end" \
	"$tmp/log" || fail "the daemon does not say what is left of z: $(cat "$tmp/log")"
