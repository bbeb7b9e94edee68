#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache that cannot join since the backing directory is full, in a mount or at its start, is let
# go of in order: no RAM buffers are left behind, and it joins when there is room, with nothing to
# recover.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
mkdir "$tmp/store" "$tmp/mnt"
mount -t tmpfs -o size=4M none "$tmp/store" || skip "no tmpfs can be mounted here"
cleanup_fn unmount_quietly "$tmp/store"
dir=$tmp/store/dir
mnt=$tmp/mnt
mkdir "$dir"
new_cache "$tmp/first"
new_cache "$tmp/second"
mount_with_log "$tmp/first" "$dir" "$mnt"

buffers()
{
	id=$("$top_builddir/lcfs/tools/lcfs-id" "$1" | sed -n 's/^ID_FS_UUID=//p' | tr -d -)
	ls "/run/lcfs/$id".pool* 2>/dev/null || :
}
fill()
{
	! dd if=/dev/zero of="$tmp/store/full" bs=4096 2>/dev/null || fail "it does not get full"
}
[ -n "$(buffers "$tmp/first")" ] || fail "the buffers of a mount are not where they are looked for"

fill
refused 1 'No space left' "$LCCTL" add "$tmp/second"
[ -z "$(buffers "$tmp/second")" ] || fail "an add that failed leaves $(buffers "$tmp/second")"
[ ! -e "$mnt/.lcctl/caches/2" ] || fail "a cache that could not be listed is in the mount"
rm "$tmp/store/full"
works "$LCCTL" add "$tmp/second"
! grep -F "$tmp/second: was not unmounted" "$tmp/log" || fail "it was not ended in order"
umount_lcfs "$mnt"

rm "$dir/.lcfs/caches" # the list has to be made anew
fill
run "$LCFS" -o "cache=$tmp/second" "$dir" "$mnt"
[ "$status" != 0 ] || fail "it is mounted"
grep -q 'No space left' "$tmp/err" || fail "no reason: $(cat "$tmp/err")"
[ -z "$(buffers "$tmp/second")" ] || fail "a start that failed leaves $(buffers "$tmp/second")"
