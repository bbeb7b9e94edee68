#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# -f stays in the foreground until the mount ends, by umount or by a signal, and ends with 0; in
# the background the terminal is let go.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
mkdir "$dir" "$mnt"
new_cache "$cache"

foreground()
{
	"$LCFS" "$1" -o "cache=$cache" "$dir" "$mnt" 2>"$tmp/err" </dev/null &
	pid=$!
	cleanup_fn end_mount "$mnt"
	eventually 20 is_mounted "$mnt" || fail "not mounted: $(cat "$tmp/err")"
	eventually 20 test -e "$mnt/.lcctl/version" || fail "does not serve"
}

ends_well()
{
	status=0
	wait "$pid" || status=$?
	[ $status = 0 ] || { cat "$tmp/err"; fail "$1: exit status $status"; }
	! is_mounted "$mnt" || fail "$1: still mounted"
}

foreground -f
echo hello >"$mnt/file"
umount "$mnt"
ends_well umount

for signal in TERM INT HUP; do
	foreground -f
	echo $signal >"$mnt/$signal"
	kill -$signal $pid
	ends_well $signal
done

# -d tells more and stays, too.
foreground -d
umount "$mnt"
ends_well debug
grep -q 'debug' "$tmp/err" || fail "-d says no more: $(cat "$tmp/err")"

foreground -f
for name in TERM INT HUP; do
	[ "$(cat "$mnt/$name")" = $name ] || fail "$name is lost"
done

# In use: the mount goes out of the tree, its user keeps it, then the daemon ends.
sh -c "exec 3<>'$mnt/TERM'; : >'$tmp/open'; while [ ! -e '$tmp/stop' ]; do sleep 0.1; done
	cat <&3 >'$tmp/read'" &
cleanup_fn end_process $!
user=$!
eventually 10 test -e "$tmp/open"
kill -TERM $pid
eventually 10 grep -q 'in use' "$tmp/err" || fail "does not say that it is in use"
! is_mounted "$mnt" || fail "still in the tree"
: >"$tmp/stop"
wait $user || fail "the user of a file was cut off"
[ "$(cat "$tmp/read")" = TERM ] || fail "read: $(cat "$tmp/read")"
ends_well 'the last user'

# A second signal does not wait for the user.
rm "$tmp/open" "$tmp/stop"
foreground -f
sh -c "exec 3<'$mnt/TERM'; : >'$tmp/open'; exec sleep 60" &
cleanup_fn end_process $!
user=$!
eventually 10 test -e "$tmp/open"
kill -TERM $pid
eventually 10 grep -q 'in use' "$tmp/err" || fail "does not say that it is in use"
kill -TERM $pid
ends_well 'a second signal'
kill $user

# In the background nothing of the caller is held: this ends only when all writers of the pipe
# have.
cleanup_fn end_mount "$mnt"
timeout 20 sh -c '"$1" -o "cache=$2" "$3" "$4" 2>&1 | cat' sh "$LCFS" "$cache" "$dir" "$mnt" ||
	fail "the daemon holds the pipe of its caller"
is_mounted "$mnt" || fail "not mounted"
pid=$(daemon_of "$mnt")
[ "$(readlink "/proc/$pid/cwd")" = / ] || fail "its directory is $(readlink "/proc/$pid/cwd")"
session()
{
	cut -d ' ' -f 6 "/proc/$1/stat"
}
[ "$(session "$pid")" != "$(session $$)" ] || fail "the daemon is in the session of its caller"
