#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount that says it is lcfs may be anybody's. lcctl writes through no symlink in it, waits for no
# fifo, reads no file without an end, and prints nothing that moves the cursor.
set -eu
. "$(dirname "$0")/fuse_lib.sh"
LCCTL=$top_builddir/lcfs/tools/lcctl

# run COMMAND...: as in functions.sh
run()
{
	status=0
	timeout 30 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# A server without a control tree of its own shows the one that stands in the directory.
fs_start
tree=$back/.lcctl
mkdir -p "$tree/caches/1" "$tree/devices/3"
echo outside >"$tmp/outside"
echo 1.2.3 >"$tree/version"

ln -s "$tmp/outside" "$tree/caches/1/allow_migrate"
run "$LCCTL" -m "$mnt" set --cache=1 allow_migrate 1
[ "$status" = 1 ] || fail "set by way of a symlink: status $status"
[ "$(cat "$tmp/outside")" = outside ] || fail "lcctl has written through a symlink"
rm "$tree/caches/1/allow_migrate"

mkfifo "$tree/caches/1/allow_migrate" "$tree/caches/1/state"
run "$LCCTL" -m "$mnt" set --cache=1 allow_migrate 1
[ "$status" = 1 ] || fail "set of a fifo: status $status"
run "$LCCTL" -m "$mnt" status
[ "$status" -lt 124 ] || fail "lcctl waits for a fifo"
rm "$tree/caches/1/allow_migrate" "$tree/caches/1/state"

printf 'all \033[2J is \007well\n' >"$tree/caches/1/state"
cp "$tree/caches/1/state" "$tree/version"
cp "$tree/caches/1/state" "$tree/devices/3/name"
cp "$tree/caches/1/state" "$tree/devices/3/state"
for verb in status list "list -H" "status -j" "get --cache=1"; do
	# shellcheck disable=SC2086 # a verb and its options
	run "$LCCTL" $verb -m "$mnt"
	! LC_ALL=C grep -q '[[:cntrl:]]' "$tmp/out" ||
		! LC_ALL=C tr -d '\t' <"$tmp/out" | grep -q '[[:cntrl:]]' ||
		fail "control characters in the output of $verb"
	grep -q 'all' "$tmp/out" || [ "$status" != 0 ] || fail "$verb does not show it"
done

truncate -s 1T "$tree/metrics"
limit='ulimit -v 2000000'
sh -c "$limit; '$LCCTL' --version" >"$tmp/out" 2>&1 || limit=: # a sanitizer wants more than that
run sh -c "$limit; '$LCCTL' iostat -m '$mnt' 1 1"
[ "$status" -lt 124 ] || fail "lcctl reads without an end: status $status"

rm -r "$tree"
ln -s "$tmp" "$tree"
# the kernel may take it for the directory that it was for a second
tries=0
until [ -L "$mnt/.lcctl" ]; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || fail "the symlink does not show"
	sleep 0.1
done
run "$LCCTL" -m "$mnt" status
[ "$status" = 1 ] || fail "lcctl takes a symlink for the control tree"
rm "$tree"
fs_stop
