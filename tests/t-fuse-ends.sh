#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# All ways in which a mount can end: refused while in use, lazily, aborted under load, with a
# server killed under load; by each transport.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

in_mount()
{
	grep -q " $mnt fuse.lcfs " /proc/mounts
}

# In use: refused, then lazily, and the server goes on until the last user has gone.
lazily()
{
	fs_start ${how:+-o "$how"}
	echo text >"$mnt/f"
	exec 3<>"$mnt/f"
	umount "$mnt" 2>/dev/null && fail "unmounted while in use"
	umount -l "$mnt"
	in_mount && fail "still in sight"
	[ "$(cat <&3)" = text ] || fail "an open file after a lazy unmount"
	echo more >&3
	is_running "$server" || fail "the server ended too early"
	exec 3<&-
	wait_for_end
	[ "$(cat "$tmp/log")" = "fusetest: ended" ] || fail "the end of a lazy unmount"
}

# start_load: readers and writers, until they get an error.
start_load()
{
	truncate -s 64M "$mnt/f"
	users=
	for i in 1 2 3 4; do
		(while dd if=/dev/zero of="$mnt/f" bs=64k count=200 seek=$((i * 200)) \
			oflag=direct conv=notrunc status=none; do :; done) 2>/dev/null &
		users="$users $!"
		(while dd if="$mnt/f" of=/dev/null bs=1M iflag=direct status=none; do :; done) \
			2>/dev/null &
		users="$users $!"
	done
	sleep 0.5
}

# Aborted under load: readers and writers get an error, the server ends by itself.
aborted()
{
	fs_start -o "async=41${how:+,$how}"
	start_load
	connection=/sys/fs/fuse/connections/$(mountpoint -d "$mnt" | cut -d: -f2)
	[ -e "$connection/abort" ] ||
		mount -t fusectl none /sys/fs/fuse/connections 2>/dev/null || true
	if [ -e "$connection/abort" ]; then
		echo 1 >"$connection/abort"
	else
		umount -f "$mnt" 2>/dev/null || true
		umount -l "$mnt" 2>/dev/null || true
	fi
	for user in $users; do
		wait "$user" || true
	done
	wait_for_end
	grep -q "fusetest: ended" "$tmp/log" || fail "the end of an abort: $(cat "$tmp/log")"
	umount -l "$mnt" 2>/dev/null || true
}

# The server is killed: an error for users, and the mount can be taken away and made anew.
killed()
{
	fs_start ${how:+-o "$how"}
	echo text >"$mnt/f"
	start_load
	kill -9 "$server"
	for user in $users; do
		wait "$user" || true
	done
	wait_for_end
	cat "$mnt/f" 2>/dev/null && fail "read without a server"
	umount -l "$mnt"
	fs_start ${how:+-o "$how"}
	[ "$(cat "$mnt/f")" = text ] || fail "after the server was killed"
	fs_stop
}

# ends WORDS: of a mount that is started with them.
ends()
{
	how=$1
	lazily
	aborted
	killed
}

ends ''
! allow_uring || ends uring
