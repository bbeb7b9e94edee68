#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where messages go: standard error in the foreground, with levels where that is the journal's;
# syslog once the daemon is in the background. And log_level= decides which.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse

# /dev/log is one of this test's own.
own_namespace "$0"
mkdir "$tmp/dev" "$tmp/dir" "$tmp/mnt"
mount --rbind /dev "$tmp/dev"
cleanup_fn umount -l "$tmp/dev"
mount -t tmpfs tmpfs /dev
cleanup_fn umount -l /dev
for node in "$tmp"/dev/*; do
	[ "${node##*/}" = log ] || ln -s "$node" /dev/
done
dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
new_cache "$cache"

heard=$tmp/syslog
"$top_builddir/tests/notify_receiver" /dev/log >"$heard" &
cleanup_fn end_process $!
eventually 10 grep -q ready "$heard" || fail "nobody listens at /dev/log"

# In use when the signal comes: a warning.
warns()
{
	sh -c "exec 3>'$mnt/file'; : >'$tmp/open'; exec sleep 60" &
	user=$!
	cleanup_fn end_process $user
	eventually 10 test -e "$tmp/open"
	rm "$tmp/open"
	pid=$(daemon_of "$mnt")
	kill -TERM "$pid"
	eventually 10 grep -q "$1" "$2" || { cat "$2"; fail "'$1' is not said"; }
	kill $user
	eventually 20 is_gone "$pid"
}

# Syslog: facility daemon (3), level warning (4), name and pid.
cleanup_fn end_mount "$mnt"
works "$LCFS" -o "cache=$cache" "$dir" "$mnt"
warns "^<28>.* lcfs\[$(daemon_of "$mnt")\]: $mnt: in use" "$heard"

# The journal's stream: levels in front, no name.
: >"$tmp/journal"
foreground()
{
	stream=$(stat -c '%d:%i' "$tmp/journal")
	env "JOURNAL_STREAM=$stream" "$LCFS" -f -o "cache=$cache,$1" "$dir" "$mnt" \
		>>"$tmp/journal" 2>&1 </dev/null &
	pid=$!
	eventually 20 test -e "$mnt/.lcctl/version" || fail "does not serve"
}
foreground log_level=info
warns "^<4>$mnt: in use" "$tmp/journal"
! grep '^<7>' "$tmp/journal" || fail "debug messages that nobody asked for"

: >"$tmp/journal"
foreground log_level=error
umount "$mnt"
wait "$pid" || fail "exit status $?"
[ ! -s "$tmp/journal" ] || { cat "$tmp/journal"; fail "more than errors"; }

foreground log_level=debug
umount "$mnt"
wait "$pid" || fail "exit status $?"
grep -q '^<7>' "$tmp/journal" || { cat "$tmp/journal"; fail "no debug messages"; }
! grep -v '^<[0-7]>' "$tmp/journal" || fail "lines without a level"

# A cache where direct I/O is not to be had, so that the kernel may keep what lcfs has written.
mkdir "$tmp/buffered"
if mount -t ramfs none "$tmp/buffered" 2>/dev/null; then
	cleanup_fn unmount_quietly "$tmp/buffered"
	head -c 25165824 /dev/zero >"$tmp/buffered/cache"
	works "$MKFS" -q "$tmp/buffered/cache"
	cleanup_fn remove_pool "$tmp/buffered/cache"
	mkdir "$tmp/dir2"
	mount_lcfs "$tmp/buffered/cache" "$tmp/dir2" "$mnt"
	grep -q 'warning: .*has no direct I/O' "$tmp/err" || fail "no warning: $(cat "$tmp/err")"
	umount_lcfs "$mnt"
fi

# A word that is none.
refused 2 'log_level=loud: give one of error|warning|info|debug' \
	"$LCFS" -o "cache=$cache,log_level=loud" "$dir" "$mnt"
