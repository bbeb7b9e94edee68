#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount whose images are found slowly, since the backing store takes its time: the service manager
# hears how far that is, and gives more time, before it hears that the mount serves.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/store_lib.sh"
set -eu

requires_fuse
store=$tmp/store
mnt=$tmp/mnt
mkdir "$tmp/back" "$store" "$mnt"
faultdir_start "$tmp/back" "$store"
new_cache "$tmp/cache"
mount_lcfs "$tmp/cache" "$store" "$mnt" allow_migrate=0
for name in a b c; do
	echo dirty >"$mnt/$name.img"
done
umount_lcfs "$mnt"

fault lookup '*.img' ok delay=1500
"$top_builddir/tests/notify_receiver" "$tmp/socket" >"$tmp/heard" &
cleanup_fn end_process $!
eventually 10 grep -q ready "$tmp/heard" || fail "nobody listens"
cleanup_fn end_mount "$mnt"
env "NOTIFY_SOCKET=$tmp/socket" "$LCFS" -f -o "cache=$tmp/cache,allow_migrate=0" "$store" "$mnt" \
	>>"$tmp/log" 2>&1 </dev/null &
eventually 60 grep -qx READY=1 "$tmp/heard" || fail "does not serve: $(cat "$tmp/heard")"
fault clear
sed '/^READY=1/,$d' "$tmp/heard" >"$tmp/before"
[ "$(grep -A 1 -x EXTEND_TIMEOUT_USEC=30000000 "$tmp/before" | grep -c finding)" -ge 2 ] ||
	fail "no more time is asked for: $(cat "$tmp/heard")"
umount_lcfs "$mnt"
