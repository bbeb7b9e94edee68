#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A verified load on a cache device that fails in one way after another: the load sees no error, the
# state says what is the matter soon, the log has a few lines, all that was answered is there, and
# the device is replaced under the mount. DEVICE_CASES says which ways, "all" is all of them.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
. "$top_srcdir/tests/stand/stand_lib.sh"
set -eu
alone "$0"
dir=$tmp/dir
mnt=$tmp/mnt
cases=${DEVICE_CASES:-"random reads vanish"}
all="random reads short torn eio flush enospc readonly forbidden badfd shrunk vanish nothing"

state()
{
	timeout 20 cat "$mnt/.lcctl/caches/1/state"
}

state_is()
{
	[ "$(state)" = "$1" ]
}

is_lost()
{
	case $(state) in
	degraded | failed) ;;
	*) return 1 ;;
	esac
}

is_written()
{
	[ "$(knob "$mnt" nr_dirty_caches)" -ge 1000 ]
}

is_unlike()
{
	! cmp -s "$1" "$2"
}

lines()
{
	wc -l <"$tmp/log"
}

# meddle CASE: its faults. Sets $reason to what is to be said, empty: the device is not given up.
meddle()
{
	reason=
	case $1 in
	random) # fewer at a time than it tries again
		for after in 3 43 83 123 163; do
			fault "fail cache write after=$after times=1"
			fault "torn cache write after=$((after + 20)) times=1"
			fault "short cache write after=$((after + 10)) times=1"
			fault "fail cache sync after=$((after / 2)) times=1"
		done ;;
	reads) # which writers of less than a block need
		for after in 2 5 10; do
			fault "fail cache read after=$after times=2"
		done ;;
	short) # and shorter each time, in the end by half a block
		fault "short cache write"
		reason='Input/output error' ;;
	torn)
		fault "torn cache write"
		reason='Input/output error' ;;
	eio)
		fault "fail cache write+sync"
		reason='Input/output error' ;;
	flush)
		fault "fail cache sync"
		reason='Input/output error' ;;
	enospc)
		fault "fail cache write error=ENOSPC"
		reason='No space left' ;;
	readonly)
		fault "readonly cache"
		reason='Read-only' ;;
	forbidden)
		fault "fail cache write+discard error=EPERM"
		reason='not permitted' ;;
	badfd)
		fault "fail cache any error=EBADF"
		reason='Bad file' ;;
	shrunk)
		fault "size cache 20M"
		reason='No space left' ;;
	vanish)
		fault "vanish cache"
		reason='No such device' ;;
	nothing)
		fault "fail cache any"
		reason='Input/output error' ;;
	*)
		fail "no such case: $1" ;;
	esac
}

# Nothing can be read either: who reads what only the device had sees an error, until it is back.
is_dead()
{
	case $1 in
	badfd | vanish | nothing) ;;
	*) return 1 ;;
	esac
}

# The writer reads what it has written, and sees nothing worse than that.
sees_errors()
{
	is_dead "$1" && ! grep -v 'Input/output error\|writes,' "$tmp/written"
}

# goes_on: a writer, past the cache.
goes_on()
{
	dd if="$tmp/data" of="$mnt/c" bs=64k conv=fsync 2>"$tmp/dd" || fail "$(cat "$tmp/dd")"
	same "$dir/c" "$tmp/data"
}

# processor_ticks: that the daemon has used.
processor_ticks()
{
	sed 's/.*) //' "/proc/$logged/stat" | awk '{ print $12 + $13 }'
}

# is_at_rest: with nothing to do it does nothing.
is_at_rest()
{
	ticks=$(processor_ticks)
	sleep 0.5 # is what is measured
	[ $(($(processor_ticks) - ticks)) -le 5 ]
}

# try CASE
try()
{
	strict=-s
	! is_dead "$1" || strict=
	fault clear
	works "$MKFS" -q --force "$stand/cache"
	works "$LCCTL" add "$stand/cache"
	set_knob "$mnt" allow_migrate 0
	# shellcheck disable=SC2086
	"$VERIFIER" write -d $strict -t 60 "$tmp/journal" "$mnt/a" "$mnt/b" >"$tmp/written" 2>&1 &
	writer=$!
	cleanup_fn end_process "$writer"
	eventually 20 is_written || fail "$1: no load"
	before=$(lines)
	meddle "$1"
	if [ -n "$reason" ]; then
		eventually 3 is_lost || fail "$1: the state is still $(state)"
		grep -q "given up (.*$reason" "$mnt/.lcctl/caches/1/reason" ||
			fail "$1: the reason is: $(cat "$mnt/.lcctl/caches/1/reason")"
	fi
	[ -z "$reason" ] || goes_on
	if ! is_dead "$1"; then
		cp "$tmp/journal" "$tmp/then"
		eventually 10 is_unlike "$tmp/journal" "$tmp/then" || fail "$1: the load stops"
		sleep "${DEVICE_SECONDS:-0.5}" # of load; nothing waits for it
	fi
	end_process "$writer"
	wait "$writer" || sees_errors "$1" || fail "$1: the writer fails: $(cat "$tmp/written")"
	! is_dead "$1" || eventually 10 is_at_rest || fail "$1: the daemon is never at rest"
	[ -n "$reason" ] || state_is ok || fail "$1: the state is $(state)"
	said=$(($(lines) - before))
	[ $said -le 15 ] || fail "$1: it says $said lines"
	fault clear
	works "$LCCTL" remove 1
	"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" || fail "$1: wrong data"
	"$VERIFIER" check "$tmp/journal" "$dir/a" "$dir/b" || fail "$1: wrong data in the files"
	echo "$1: $said lines"
}

start_stand cache=64M
stand_cache cache
mkdir "$dir" "$mnt"
requires_xattrs "$dir"
truncate -s 16M "$dir/a" "$dir/b"
"$VERIFIER" random "$tmp/data" 1000000 1
"$VERIFIER" init "$tmp/journal" 2 32768 "${DEVICE_SEED:-1}"
mount_with_log "$stand/cache" "$dir" "$mnt" ram_buffers=4
works "$LCCTL" remove 1
[ "$cases" != all ] || cases=$all
for one in $cases; do
	try "$one"
done
umount_lcfs "$mnt"
