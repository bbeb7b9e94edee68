#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a service manager hears of lcfs -f: READY when the mount serves, signs of life only while the
# engine answers, STOPPING at a signal and at umount.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"

listen()
{
	heard=$tmp/heard
	: >"$heard"
	"$top_builddir/tests/notify_receiver" "$1" >"$heard" &
	receiver=$!
	cleanup_fn end_process $receiver
	eventually 10 grep -q ready "$heard" || fail "nobody listens at $1"
}

hears()
{
	eventually 20 grep -qx "$1" "$heard" || { cat "$heard"; fail "'$1' is not said"; }
}

# serve SOCKET CACHE [VARIABLE=VALUE...]
serve()
{
	socket=$1
	cache=$2
	shift 2
	cleanup_fn end_mount "$mnt"
	env "NOTIFY_SOCKET=$socket" "$@" "$LCFS" -f -o "cache=$cache" "$dir" "$mnt" \
		>>"$tmp/log" 2>&1 </dev/null &
	pid=$!
	hears READY=1
	is_mounted "$mnt" || fail "not mounted when it says READY"
	[ -e "$mnt/.lcctl/version" ] || fail "does not serve when it says READY"
}

ends()
{
	status=0
	wait "$pid" || status=$?
	[ $status = 0 ] || fail "exit status $status"
	hears STOPPING=1
	hears "STATUS=$mnt: closing the cache"
	[ "$(grep -cx STOPPING=1 "$heard")" = 1 ] || fail "STOPPING twice"
	kill $receiver
}

new_cache "$tmp/cache"
listen "$tmp/socket"
serve "$tmp/socket" "$tmp/cache"
hears "STATUS=$mnt: serving"
grep -qx "MAINPID=$pid" "$heard" || ! grep -q MAINPID "$heard" || fail "wrong MAINPID"
echo hello >"$mnt/file"
kill -TERM $pid
ends
! grep -q WATCHDOG "$heard" || fail "signs of life that nobody asked for"

listen "@lcfs-test-$$"
serve "@lcfs-test-$$" "$tmp/cache"
umount "$mnt"
ends

# In the background as well: the daemon is another process than the one that was started.
listen "$tmp/socket2"
cleanup_fn end_mount "$mnt"
NOTIFY_SOCKET=$tmp/socket2 works "$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"
hears READY=1
hears "MAINPID=$(daemon_of "$mnt")"
umount_lcfs "$mnt"
kill $receiver

# The cache on a filesystem that can be made to hang: then there is no sign of life, until it goes
# on.
if ! losetup -f >/dev/null 2>&1 || ! command -v fsfreeze mkfs.ext4 >/dev/null; then
	echo "without loop devices, fsfreeze and ext4 the watchdog is not tested"
	exit 0
fi
truncate -s 160M "$tmp/disk"
mkfs.ext4 -q "$tmp/disk"
attach "$tmp/disk"
mount_fs "$loop" "$tmp/fs"
new_cache "$tmp/fs/cache"
dir=$tmp/dir2
mkdir "$dir"
listen "$tmp/socket3"
serve "$tmp/socket3" "$tmp/fs/cache" WATCHDOG_USEC=200000

signs()
{
	grep -cx WATCHDOG=1 "$heard" || :
}

more_signs()
{
	[ "$(signs)" -ge $(($1 + 3)) ]
}

same_signs()
{
	before=$(signs)
	sleep 1
	[ "$(signs)" = "$before" ]
}

unfreeze()
{
	fsfreeze -u "$tmp/fs" 2>/dev/null || :
}

# Created before, so that a write of it is all that is new.
echo one >"$mnt/file2"
eventually 20 more_signs 0 || fail "no signs of life"
cleanup_fn unfreeze
fsfreeze -f "$tmp/fs"
echo two >>"$mnt/file2" &
writer=$!
eventually 20 same_signs || fail "signs of life of an engine that hangs"
unfreeze
eventually 20 more_signs "$(signs)" || fail "no signs of life when it goes on"
wait $writer || fail "the write has failed"
[ "$(tail -n 1 "$mnt/file2")" = two ] || fail "the write is lost"
umount "$mnt"
ends
