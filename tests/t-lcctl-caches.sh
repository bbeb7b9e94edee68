#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl add and remove: a cache joins a mount that is in use, takes images, is drained and leaves;
# the image goes on in the other one. What cannot be is refused with the reason.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
standard_mount allow_migrate=0

"$VERIFIER" random "$tmp/data" 3000000 1
truncate -s 64M "$tmp/second"
works "$MKFS" -q "$tmp/second"
cp "$tmp/data" "$mnt/a"
exec 3<>"$mnt/a" # in use all the time

says "$tmp/second: added" "$LCCTL" add "$tmp/second"
[ -e "$mnt/.lcctl/caches/2/state" ] || fail "there is no cache 2"
works "$LCCTL" attach --cache 2 a
cp "$tmp/data" "$mnt/b"
works "$LCCTL" attach --cache 2 b
printf 'dirty in the second' | dd of="$mnt/a" bs=4096 seek=3 conv=notrunc status=none
printf 'dirty in the second' | dd of="$tmp/data" bs=4096 seek=3 conv=notrunc status=none
works "$LCCTL" flush

refused 1 'a cache of this mount already' "$LCCTL" add "$tmp/second"
refused 1 'no such cache' "$LCCTL" add "$tmp/third"
refused 1 'cannot be used' "$LCCTL" add "$tmp/data"
refused 1 'there is no cache 7' "$LCCTL" remove 7
refused 2 'no number of a cache' "$LCCTL" remove second

says 'cache 2: drained and removed' "$LCCTL" remove 2
[ ! -e "$mnt/.lcctl/caches/2" ] || fail "cache 2 is still there"
same "$tmp/data" "$mnt/a"
[ "$(knob "$mnt" state)" = ok ] || fail "cache 1 is not ok"
# Nobody holds it any more, and it is clean.
works "$MKFS" -q "$tmp/second"
printf x | dd of="$mnt/a" bs=1 conv=notrunc status=none
exec 3<&-
# Without any, the files are served as they are.
printf x | dd of="$tmp/data" bs=1 conv=notrunc status=none
says 'cache 1: drained and removed' "$LCCTL" remove 1
same "$tmp/data" "$dir/a"
printf y | dd of="$mnt/a" bs=1 seek=1 conv=notrunc status=none
[ "$(head -c 2 "$dir/a")" = xy ] || fail "not written past the caches"
umount_lcfs "$mnt"
