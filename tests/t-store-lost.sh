#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The store's own daemon dies, and its mount answers nothing but "not connected": images are in
# error, the control tree answers, files that are open, idle ones too, are written to and synced.
# lcfs is unmounted meanwhile, quickly, and is refused until the store is back at its place; then it
# has everything.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
store_begin -u
for file in busy idle; do
	truncate -s 1M "$mnt/$file"
	put "$mnt/$file" 0 1 8
done
eventually 20 is_clean "$mnt" || fail "not clean before the store dies"
exec 3<>"$mnt/busy" 4<>"$mnt/idle"
put "$mnt/busy" 1 2
# Idle: its mark is gone.
idle_has_no_mark()
{
	! getfattr -n user.lcfs.dirty "$tmp/real/idle" >/dev/null 2>&1
}
if command -v getfattr >/dev/null; then
	eventually 20 idle_has_no_mark || fail "an idle image keeps its mark"
fi

fault lose
faultdir_kill "$store"
for fd in 3 4; do
	random_file "$tmp/put" 8192 3
	timeout -s KILL 10 python3 - $fd "$tmp/put" <<'PY' || fail "descriptor $fd: no write"
import os, sys
fd = int(sys.argv[1])
os.pwrite(fd, open(sys.argv[2], "rb").read(), 4096)
os.fdatasync(fd)
PY
done
eventually 10 image_state busy error || fail "busy is $state"
eventually 10 image_state idle error || fail "idle is $state"
reason_has busy "Transport endpoint is not connected" || fail "$(cat "$(device_of busy)/reason")"
timeout -s KILL 10 "$LCCTL" status "$mnt" >/dev/null || fail "lcctl status"
run "$LCCTL" status -x "$mnt"
[ "$status" = 1 ] || fail "lcctl status -x ends with $status"
# It comes back at its place while lcfs is mounted: all goes on by itself.
umount -l "$store"
faultdir_start "$tmp/real" "$store" -u
eventually 60 is_clean "$mnt" || fail "it is not migrated when the store is back"
fault lose
has "$tmp/real/busy" 1 3 2 || fail "busy has wrong data in the store that is back"
has "$tmp/real/idle" 1 3 2 || fail "idle has wrong data in the store that is back"
has "$mnt/busy" 1 3 2 || fail "busy cannot be read any more"
[ "$(ls "$mnt")" = "$(printf 'busy\nidle')" ] || fail "the directory shows: $(ls "$mnt")"
put "$mnt/new" 0 4
eventually 20 is_clean "$mnt" || fail "a new file is not migrated"
has "$tmp/real/new" 0 4 || fail "wrong data of a new file"

# It dies again, and what comes back is not what it was: one file was written to by somebody.
set_knob "$mnt" force_migrate 0
set_knob "$mnt" allow_migrate 0
put "$mnt/busy" 1 5 2
put "$mnt/idle" 1 5 2
faultdir_kill "$store"
umount -l "$store"
printf changed | dd of="$tmp/real/idle" bs=1 seek=9000 conv=notrunc status=none
faultdir_start "$tmp/real" "$store" -u
set_knob "$mnt" force_migrate 1
eventually 20 image_state idle conflict || fail "a changed file is $state"
eventually 20 image_state busy clean || fail "busy is $state"
has "$tmp/real/busy" 1 5 2 || fail "busy has wrong data after the second time"
[ "$(dd if="$tmp/real/idle" bs=1 skip=9000 count=7 status=none)" = changed ] ||
	fail "what somebody wrote was written over"
exec 3>&- 4>&-
umount_lcfs "$mnt"
mount_with_log "$tmp/cache" "$store" "$mnt"
works "$LCCTL" resolve --keep-cache "$mnt/idle"
set_knob "$mnt" force_migrate 1
eventually 20 is_clean "$mnt" || fail "not clean after the decision"

# And once more: lcfs is unmounted meanwhile, and refused until the store is back.
put "$mnt/busy" 1 6 2
set_knob "$mnt" force_migrate 0
put "$mnt/idle" 1 6 2
faultdir_kill "$store"
umount_lcfs "$mnt"
run "$LCFS" -o "cache=$tmp/cache" "$store" "$mnt"
[ "$status" != 0 ] || fail "a mount of a dead store"

umount -l "$store"
faultdir_start "$tmp/real" "$store" -u
mount_with_log "$tmp/cache" "$store" "$mnt"
has "$mnt/busy" 1 6 2 || fail "busy has lost data"
has "$mnt/idle" 1 6 2 || fail "idle has lost data"
drain "$mnt"
fault lose
has "$tmp/real/busy" 1 6 2 || fail "busy has wrong data in the store"
has "$tmp/real/idle" 1 6 2 || fail "idle has wrong data in the store"
umount_lcfs "$mnt"
