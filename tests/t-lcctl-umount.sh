#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl umount: when it returns, the daemon has let go of the cache; what is in use is named.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
requires flock
alone "$0"

"$VERIFIER" random "$tmp/data" 19999744 1
for round in 1 2 3; do
	standard_mount allow_migrate=0
	cp "$tmp/data" "$mnt/a.img"
	pids=$(daemon_of "$mnt")
	[ -n "$pids" ] || fail "round $round: there is no daemon"
	works "$LCCTL" umount "$mnt"
	! is_mounted "$mnt" || fail "round $round: still mounted"
	flock -n "$cache" true || fail "round $round: the cache is still locked"
done

standard_mount allow_migrate=0
same "$tmp/data" "$mnt/a.img"
exec 5<"$mnt/a.img"
refused 1 'is in use' "$LCCTL" umount "$mnt"
exec 5<&-
works "$LCCTL" umount --drain
! is_mounted "$mnt" || fail "still mounted"
same "$tmp/data" "$dir/a.img"

losetup -f >/dev/null 2>&1 || exit 0
standard_mount
attach "$mnt/a.img"
refused 1 "is in use by $loop" "$LCCTL" umount "$mnt"
losetup -d "$loop"
eventually 10 "$LCCTL" umount -q "$mnt" || fail "it stays in use"
