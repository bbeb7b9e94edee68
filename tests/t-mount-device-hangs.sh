#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device on which requests hang: it is shown soon; what is clean is read from the image
# files meanwhile; after device_timeout the device is given up, and syncs that waited end well.
# umount returns although the device still hangs, and the daemon ends but for that, also where the
# thread that hangs is one that serves the mount, lent for a sync.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
set -eu

alone "$0"
requires nbdkit nbdfuse
device=$tmp/device
dir=$tmp/dir
mnt=$tmp/mnt

let_go_on()
{
	kill -CONT "$server" 2>/dev/null || :
}

reason_has()
{
	timeout 20 grep -q "$1" "$mnt/.lcctl/caches/1/reason"
}

fallocate -l 64M "$tmp/disk" || skip "no space can be allocated here"
works "$MKFS" -q "$tmp/disk"
mkdir "$dir" "$mnt"
"$VERIFIER" random "$dir/read" 65536 1
cp "$dir/read" "$tmp/read"
nbdkit -f -U "$tmp/socket" file "$tmp/disk" &
server=$!
cleanup_fn end_process "$server"
eventually 20 test -S "$tmp/socket" || fail "nbdkit does not start"
: >"$device"
cleanup_fn unmount_quietly "$device"
nbdfuse "$device" --unix "$tmp/socket" &
eventually 20 is_mounted "$device" || fail "nbdfuse does not start"
mount_with_log "$device" "$dir" "$mnt" device_timeout=4
cleanup_fn let_go_on
"$VERIFIER" random "$tmp/write" 3000000 2
cp "$tmp/write" "$mnt/write"
sync "$mnt/write"

kill -STOP "$server"
dd if="$tmp/read" of="$mnt/write" bs=64k conv=notrunc,fsync 2>/dev/null &
writer=$!
dd if="$tmp/read" of="$tmp/write" bs=64k conv=notrunc 2>/dev/null
eventually 10 reason_has 'hangs since' || fail "nothing is said of it"
timeout 20 cmp "$mnt/read" "$tmp/read" || fail "what has nothing to do with it is not served"
eventually 20 reason_has 'given up (Connection timed out)' || fail "it is not given up"
wait "$writer" || fail "a sync fails, though the image file is there"
timeout 20 cmp "$dir/write" "$tmp/write" || fail "what was synced is not in the image file"
timeout 30 umount "$mnt" || fail "it cannot be unmounted"
let_go_on
eventually 20 is_gone "$logged" || fail "the daemon does not end"
wait "$logged" || fail "nothing is owed, and the daemon ends with an error"
same "$dir/write" "$tmp/write"

works "$MKFS" -q --force "$tmp/disk"
mount_with_log "$device" "$dir" "$mnt" device_timeout=4
write_one()
{
	dd if="$tmp/read" of="$mnt/write" bs=4k count=1 conv=notrunc,fsync 2>/dev/null
}
write_one
write_one
kill -STOP "$server"
write_one &
writer=$!
eventually 20 reason_has 'given up (Connection timed out)' || fail "it is not given up"
wait "$writer" || fail "a lone sync fails, though the image file is there"
timeout 20 cmp -n 4096 "$dir/write" "$tmp/read" || fail "what was synced is not in the image file"
timeout 30 umount "$mnt" || fail "it cannot be unmounted"
eventually 20 grep -q 'the process cannot end before it does' "$tmp/log" ||
	fail "the daemon waits for the device: $(cat "$tmp/log")"
let_go_on
eventually 20 is_gone "$logged" || fail "the daemon does not end"
wait "$logged" || fail "the daemon ends with an error"
