#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user mounts, works, sets a knob and unmounts; what needs root is refused with advice.
# In a mount namespace of its own, where /dev/fuse is for all as on most systems.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires unshare setpriv fusermount3
own_namespace "$0"

mknod "$tmp/fuse" c 10 229 2>/dev/null || skip "no device nodes can be made here"
chmod 666 "$tmp/fuse"
mount --bind "$tmp/fuse" /dev/fuse
cleanup_fn umount -l /dev/fuse

dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt" "$tmp/run" "$tmp/bin"
cp "$LCFS" "$MKFS" "$tmp/bin/"
chmod 755 "$tmp"
chown -R 65534:65534 "$dir" "$mnt" "$tmp/run"

as_user()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		env "XDG_RUNTIME_DIR=${run_dir-$tmp/run}" "$@"
}

user_refused()
{
	text=$1
	shift
	status=0
	as_user timeout 60 "$@" 2>"$tmp/err" >"$tmp/out" </dev/null || status=$?
	[ $status = 1 ] && grep -qF "$text" "$tmp/err" && return
	cat "$tmp/err"
	fail "exit status $status, not 1 with '$text': $*"
}

as_user "$tmp/bin/mkfs.lcfs" -q --size=64M "$tmp/run/cache"
set -- "$tmp/bin/lcfs" -o "cache=$tmp/run/cache" "$dir" "$mnt"
grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null ||
	user_refused user_allow_other "$@" -o allow_other
run_dir=
user_refused XDG_RUNTIME_DIR "$@"
unset run_dir

cleanup_fn umount -l "$mnt"
as_user timeout 60 "$@" 2>"$tmp/err" </dev/null || { cat "$tmp/err"; fail "cannot mount"; }
as_user sh -eu -c 'echo hello >"$1/file"; chmod 600 "$1/file"
	[ "$(stat -c "%a %u" "$1/file")" = "600 65534" ]
	[ "$(cat "$1/file")" = hello ]
	[ "$(stat -c %u "$1/.lcctl/version")" = 65534 ]
	echo 1 >"$1/.lcctl/caches/1/flush_current_buffer"' sh "$mnt" || fail "the user cannot work"
[ -n "$(ls "$tmp/run/lcfs")" ] || fail "the RAM buffers are not in XDG_RUNTIME_DIR"
as_user fusermount3 -u "$mnt"

# And by a signal, of the foreground.
setpriv --reuid=65534 --regid=65534 --clear-groups env "XDG_RUNTIME_DIR=$tmp/run" \
	"$@" -f 2>"$tmp/err" </dev/null &
pid=$!
eventually 20 as_user test -e "$mnt/.lcctl/version" || fail "does not serve: $(cat "$tmp/err")"
[ "$(as_user cat "$mnt/file")" = hello ] || fail "the file is not what it was"
kill -TERM $pid
wait $pid || fail "ends with a failure: $(cat "$tmp/err")"
! is_mounted "$mnt" || fail "still mounted"
[ -z "$(ls "$tmp/run/lcfs")" ] || fail "RAM buffers are left: $(ls "$tmp/run/lcfs")"
