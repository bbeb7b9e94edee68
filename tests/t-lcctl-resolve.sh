#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl resolve and forget: an image in conflict or missing goes on as decided, after a kill -9 too;
# nothing is given up without being asked for.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
cd "$tmp"
standard_mount allow_migrate=0

"$VERIFIER" random "$tmp/old" 409600 1
"$VERIFIER" random "$tmp/new" 204800 2
"$VERIFIER" random "$tmp/theirs" 409600 3
head -c 204800 "$tmp/theirs" >"$tmp/mixed"
cp "$tmp/new" "$tmp/mixed"
tail -c 204800 "$tmp/theirs" >>"$tmp/mixed"

# conflict IMAGE: its first half is dirty, and somebody has written its file anew.
conflict()
{
	cp "$tmp/old" "$dir/$1" # never cached
	dd if="$tmp/new" of="$mnt/$1" bs=204800 conv=notrunc status=none
	works "$LCCTL" flush -q
	cp "$tmp/theirs" "$dir/$1"
	run "$LCCTL" drain -q "$1"
	[ "$status" = 1 ] || fail "drain of $1 ends with $status"
	matches ".*${tab}conflict${tab}.*${tab}$1" "$LCCTL" list -H
	! cat "$mnt/$1" >/dev/null 2>&1 || fail "$1 is served"
}

for image in a b c d; do
	conflict $image
done
refused 2 'say one of' "$LCCTL" resolve a
refused 2 'say one of' "$LCCTL" resolve --keep-cache --keep-backing a
refused 1 'would be lost' "$LCCTL" forget a
run "$LCCTL" status -x
[ "$status" = 1 ] || fail "status -x with conflicts ends with $status"

# Exported it is what it would be, and nothing is decided.
works "$LCCTL" resolve --export "$tmp/exported" a
same "$tmp/exported" "$tmp/mixed"
same "$dir/a" "$tmp/theirs"
refused 1 'is there already' "$LCCTL" resolve --export "$tmp/exported" a
refused 1 'is in a mount' "$LCCTL" resolve --export "$mnt/exported" a
refused 1 'No such file' "$LCCTL" resolve --export "$tmp/nothing/exported" a
says 'held as before' "$LCCTL" resolve --export relative a
same relative "$tmp/mixed"
rm relative

says 'goes over the file' "$LCCTL" resolve --keep-cache a
works "$LCCTL" resolve --quiet --keep-backing "$dir/b"
[ ! -s "$tmp/out" ] || fail "not quiet: $(cat "$tmp/out")"
same "$mnt/a" "$tmp/mixed"
same "$mnt/b" "$tmp/theirs"
refused 1 'nothing to decide' "$LCCTL" resolve --keep-cache a
refused 1 'nothing to decide' "$LCCTL" resolve --keep-backing b
refused 1 'is not missing' "$LCCTL" forget --yes a

# Whoever opens it next sees the size that the file has, whatever was asked just before.
cp "$tmp/old" "$dir/e"
dd if="$tmp/new" of="$mnt/e" bs=204800 conv=notrunc status=none
works "$LCCTL" flush -q
head -c 200000 "$tmp/theirs" >"$dir/e"
run "$LCCTL" drain -q e
size=$(stat -c %s "$mnt/e")
[ "$size" = 409600 ] || fail "in conflict it has $size bytes"
echo keep-backing >"$(dirname "$(grep -lx e "$mnt"/.lcctl/devices/*/name)")/resolve"
size=$(wc -c <"$mnt/e") # fstat() of what it opens
[ "$size" = 200000 ] || fail "opened after keep-backing it has $size bytes"
same "$mnt/e" "$dir/e"

# What was decided stays so; what was not waits.
works "$LCCTL" resolve --keep-cache c
kill_lcfs "$mnt"
standard_mount allow_migrate=0
same "$mnt/a" "$tmp/mixed"
same "$mnt/b" "$tmp/theirs"
same "$mnt/c" "$tmp/mixed"
matches ".*${tab}conflict${tab}.*${tab}d" "$LCCTL" list -H
works "$LCCTL" drain -q a b c
same "$dir/a" "$tmp/mixed"
same "$dir/b" "$tmp/theirs"
same "$dir/c" "$tmp/mixed"
same "$dir/d" "$tmp/theirs"

# Gone for good: only when it is said twice.
rm "$dir/d"
umount_lcfs "$mnt"
standard_mount allow_migrate=0
matches ".*${tab}missing${tab}.*${tab}d" "$LCCTL" list -H
works "$LCCTL" resolve -q --export "$tmp/rescued" d
cmp -n 204800 "$tmp/rescued" "$tmp/new" || fail "what the cache has is not exported"
refused 1 'no file of its name' "$LCCTL" resolve --keep-cache d
refused 1 'would be lost' "$LCCTL" forget d
says 'forgotten' "$LCCTL" forget --yes d
! grep -qx d "$mnt"/.lcctl/devices/*/name || fail "d is still there"
says 'all is well' "$LCCTL" status -x
works "$LCCTL" umount --drain
