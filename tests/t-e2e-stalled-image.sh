#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that cannot be migrated (in conflict; its backing file takes nothing) does not stop the
# others, which write many times what the log holds; it keeps to its share, and nothing of it is lost.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"

mkdir "$tmp/small" "$tmp/mnt"
mount -t tmpfs -o size=13M none "$tmp/small" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/small"
dir=$tmp/small/dir
mnt=$tmp/mnt
mkdir "$dir"

# The files of b and c have all their space; that of a has none.
"$VERIFIER" random "$dir/b" 8388608 1
"$VERIFIER" random "$dir/c" 3145728 2
: >"$dir/a"
"$VERIFIER" random "$tmp/a" 6291456 3
"$VERIFIER" random "$tmp/c" 3145728 4
"$VERIFIER" random "$tmp/b1" 8388608 5
"$VERIFIER" random "$tmp/b2" 8388608 6
new_cache "$tmp/cache" --size=20M
mount_with_log "$tmp/cache" "$dir" "$mnt" allow_migrate=0
cd "$mnt"

write()
{
	timeout 120 dd if="$1" of="$2" bs=64k conv=notrunc,fsync status=none
}

# others_go_on: b, five times what the log holds.
others_go_on()
{
	for round in 1 2 3 4 5 6; do
		write "$tmp/b1" b || fail "round $round: b cannot be written"
		write "$tmp/b2" b || fail "round $round: b cannot be written"
	done
	same b "$tmp/b2"
	[ "$(knob "$mnt" state)" = ok ] || fail "the cache is $(knob "$mnt" state)"
}

relocated()
{
	sed -n 's/^lcfs_relocated_bytes_total{.*} //p' .lcctl/metrics
}

state_of()
{
	works "$LCCTL" list -H
	awk -F '\t' -v name="$1" '$NF == name { for (i = 1; i < NF; i++) print $i }' "$tmp/out"
}

# Somebody edits the file of c while its data is in the cache.
write "$tmp/c" c
works "$LCCTL" flush -q
head -c 4096 "$tmp/b1" | dd of="$dir/c" conv=notrunc status=none
run "$LCCTL" drain -q c
state_of c | grep -qx conflict || fail "c is not in conflict: $(cat "$tmp/out")"
others_go_on
[ "$(relocated)" -gt 3000000 ] || fail "$(relocated) bytes were moved out of the way"
state_of c | grep -qx conflict || fail "c is in conflict no more: $(cat "$tmp/out")"
works "$LCCTL" resolve --keep-cache c
same c "$tmp/c"
works "$LCCTL" drain -q c
same "$dir/c" "$tmp/c"

# There is no room for a.
before=$(relocated)
write "$tmp/a" a
set_knob "$mnt" force_migrate 1
is_in_error()
{
	state_of a | grep -qx error
}
eventually 30 is_in_error || fail "a is in no error: $(cat "$tmp/out")"
set_knob "$mnt" force_migrate 0
others_go_on
[ "$(relocated)" -gt $((before + 3000000)) ] || fail "$(relocated) bytes were moved out of the way"
same a "$tmp/a"

# It has more than its share of the log: what is not dirty yet does not become so.
set_knob "$mnt" stall_timeout 5
! dd if="$tmp/b1" of=a bs=64k seek=96 count=64 conv=notrunc,fsync status=none 2>"$tmp/err" ||
	fail "a grows without end"
grep -q 'No space left on device' "$tmp/err" || fail "$(cat "$tmp/err")"
same_start()
{
	head -c 6291456 "$1" | cmp -s - "$tmp/a"
}
same_start a || fail "a is not what was written"
others_go_on

mount -o remount,size=40M "$tmp/small"
eventually 90 "$LCCTL" drain -q a || fail "a is not migrated when there is room"
same_start "$dir/a" || fail "the file of a is not what was written"
cd /
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/b" "$tmp/b2"
same "$dir/c" "$tmp/c"
same_start "$dir/a" || fail "a has changed"
