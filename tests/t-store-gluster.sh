#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A GlusterFS replica as backing store loses bricks under a verified load: one of three is not
# noticed, with two the images wait in error and their writes go on, and when the bricks are back
# all migrates. An image on another store, mounted in the same directory, is served throughout.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"
. "$top_srcdir/tests/gluster_lib.sh"

requires_fuse
requires_gluster
requires python3
gluster_start "$tmp/gluster"
seconds=${STORE_SECONDS:-3}
store=$tmp/gluster/mnt
mnt=$tmp/mnt
mkdir "$mnt" "$store/other" "$tmp/local"
mount -t tmpfs none "$tmp/local"
cleanup_fn unmount_quietly "$tmp/local"
truncate -s 8M "$store/a" "$store/b" "$tmp/local/c"
new_cache "$tmp/cache" --size=256M
mount --bind "$tmp/local" "$store/other"
cleanup_fn unmount_quietly "$store/other"
mount_with_log "$tmp/cache" "$store" "$mnt"
set_knob "$mnt" force_migrate 1
"$VERIFIER" init "$tmp/journal" 3 16384 "${STORE_SEED:-3}"

# The load while something happens; no error is seen in it.
load()
{
	"$VERIFIER" write -d -s -t "$seconds" "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/other/c" ||
		fail "the writer has seen an error: $1"
	"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/other/c" ||
		fail "wrong data: $1"
}

load "all bricks are there"
kill_brick 1
load "one brick is gone"
drain "$mnt"
[ "$(metric lcfs_migrate_errors_total)" = 0 ] || fail "an error of one brick was seen"

# With two bricks gone what is not in the cache cannot be read, nor what is not open be opened: a
# writer that has its file open and only writes goes on, with fsync each time.
cat >"$tmp/append.py" <<'PY'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
own = open(sys.argv[2], "wb")
n = 0
while not os.path.exists(sys.argv[3]):
	block = bytes([n % 251]) * 4096
	os.pwrite(fd, block, n * 4096)
	os.fdatasync(fd)
	own.write(block)
	own.flush()
	n += 1
	time.sleep(0.005)
PY
python3 "$tmp/append.py" "$mnt/d" "$tmp/own" "$tmp/stop" &
writer=$!
cleanup_fn end_process "$writer"
grown()
{
	[ -s "$tmp/own" ] && [ "$(stat -c %s "$tmp/own")" -gt "$1" ]
}
eventually 20 grown 100000 || fail "the writer does not start"
kill_brick 2
eventually 20 image_state d error || fail "d is $state with one brick of three"
reason_has d "Transport endpoint is not connected" || fail "$(cat "$(device_of d)/reason")"
eventually 20 grown "$(($(stat -c %s "$tmp/own") + 100000))" || fail "the writer stops"
load_other()
{
	"$VERIFIER" write -d -s -t 1 "$tmp/other" "$mnt/other/e"
}
truncate -s 8M "$tmp/local/e"
"$VERIFIER" init "$tmp/other" 1 16384 4
timeout -s KILL 10 "$LCCTL" status "$mnt" >/dev/null || fail "lcctl status hangs"
start_bricks
eventually 20 grown "$(($(stat -c %s "$tmp/own") + 100000))" || fail "the writer stops later"
touch "$tmp/stop"
wait "$writer" || fail "the writer has seen that bricks were gone"
drain "$mnt"
cmp "$tmp/own" "$store/d" || fail "wrong data of the writer in the store"
load_other || fail "the other store's image cannot be written"
load "the bricks are back"
drain "$mnt"
exec 3>&-
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$store/a" "$store/b" "$store/other/c" ||
	fail "wrong data in the store"
eventually 60 is_healed || fail "$(heals_left) entries are not healed"
