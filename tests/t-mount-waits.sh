#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# While somebody else closes the cache, lcfs says so and waits: it goes on when the cache is let
# go, and a signal to it ends the waiting, and with it all its processes.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires flock
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"
new_cache "$tmp/cache"

# hold: a process has the lock of the cache; its pid goes to $holder.
hold()
{
	rm -f "$tmp/held"
	sh -c "exec 9<'$tmp/cache' && flock -n 9 && echo \$\$ >'$tmp/held' && exec sleep 80" &
	eventually 10 test -s "$tmp/held"
	holder=$(cat "$tmp/held")
	cleanup_fn end_process "$holder"
}

# start: lcfs in the background of this shell, as mount(8) would wait for it.
start()
{
	"$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt" 2>"$tmp/said" </dev/null &
	lcfs=$!
	cleanup_fn end_mount "$mnt"
	eventually 10 grep -q "pid $holder .*: waiting" "$tmp/said" ||
		fail "does not say for whom it waits: $(cat "$tmp/said")"
}

none_left()
{
	[ -z "$(daemon_of "$mnt")" ]
}

hold
start
kill "$holder"
wait $lcfs || fail "does not go on when the cache is free: $(cat "$tmp/said")"
is_mounted "$mnt" || fail "not mounted"
umount_lcfs "$mnt"

for signal in INT TERM; do
	hold
	start
	kill -$signal $lcfs
	status=0
	wait $lcfs || status=$?
	[ $status = 1 ] || fail "$signal: exit status $status"
	grep -q interrupted "$tmp/said" || fail "$signal: says $(cat "$tmp/said")"
	eventually 10 none_left || fail "$signal: processes are left: $(daemon_of "$mnt")"
	kill "$holder"
	eventually 10 is_gone "$holder"
done

# The waiting of one whose parent was killed hard ends, too, when it finds that nobody waits for
# it.
hold
start
kill -KILL $lcfs
wait $lcfs || :
kill "$holder"
eventually 10 none_left || fail "processes are left: $(daemon_of "$mnt")"
! is_mounted "$mnt" || fail "mounted for nobody"

mount_lcfs "$tmp/cache" "$dir" "$mnt"
