#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A GlusterFS replica as backing store loses bricks under a verified load: one of three is not
# noticed, with two the images wait in error and their writes go on, and when the bricks are back all
# migrates. An image on another store, mounted in the same directory, is served throughout.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"
. "$top_srcdir/tests/gluster_lib.sh"

requires_fuse
requires_gluster
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

# Files that cannot be looked at cannot be opened: the writer has them open before.
"$VERIFIER" write -d -s -t "$((seconds + 12))" "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/other/c" &
writer=$!
cleanup_fn end_process "$writer"
written()
{
	[ "$(metric lcfs_write_bytes_total)" -gt "$1" ]
}
eventually 10 written "$(metric lcfs_write_bytes_total)" || fail "the writer does not start"
kill_brick 2
eventually 20 image_state a error || fail "a is $state with one brick of three"
reason_has a "Transport endpoint is not connected" || fail "$(cat "$(device_of a)/reason")"
eventually 10 written "$(metric lcfs_write_bytes_total)" || fail "the writers stop"
[ "$(cat "$(device_of other/c)/state")" != error ] || fail "the other store's image is in error"
timeout -s KILL 10 "$LCCTL" status "$mnt" >/dev/null || fail "lcctl status hangs"
start_bricks
wait "$writer" || fail "the writer has seen that bricks were gone"
drain "$mnt"
load "the bricks are back"
drain "$mnt"
exec 3>&-
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$store/a" "$store/b" "$store/other/c" ||
	fail "wrong data in the store"
eventually 60 is_healed || fail "$(heals_left) entries are not healed"
