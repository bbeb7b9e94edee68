#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl finds the mount by a path in it, by the image, or because there is only one; where that is
# not clear it asks.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"

refused 1 'no lcfs is mounted here' "$LCCTL" status
refused 1 'is in no mount of lcfs' "$LCCTL" status "$tmp"
refused 1 'No such file' "$LCCTL" status "$tmp/nothing"
refused 1 'no lcfs is mounted here' "$LCCTL" list nothing

standard_mount
mkdir -p "$mnt/sub dir"
echo one >"$mnt/one.img"
echo two >"$mnt/sub dir/two.img"
echo never >"$dir/never.img"
says "$mnt" "$LCCTL" status
for path in "$mnt" "$mnt/sub dir" "$mnt/one.img" "$mnt/.lcctl/caches"; do
	says "$mnt" "$LCCTL" status "$path"
	says one.img "$LCCTL" list -m "$path"
done
id=$("$LCCTL" list -H one.img | cut -f 1)
for image in one.img "$mnt/one.img" "$dir/one.img" "$id" "$mnt/.lcctl/devices/$id" \
	"$mnt/../mnt/one.img"; do
	matches "$id$tab.*${tab}one.img" "$LCCTL" list -H "$image"
done
(cd "$mnt/sub dir" && matches ".*${tab}sub dir/two.img" "$LCCTL" list -H two.img)
matches "-${tab}uncached${tab}0${tab}6${tab}0${tab}-${tab}never.img" \
	"$LCCTL" list -H "$mnt/never.img"
refused 1 'nothing: no such image' "$LCCTL" list nothing
refused 1 'is no image' "$LCCTL" list "$mnt/sub dir"
refused 1 'is a mount point' "$LCCTL" list "$mnt"

# Two of them.
mkdir "$tmp/dir2" "$tmp/mnt2"
new_cache "$tmp/cache2"
mount_lcfs "$tmp/cache2" "$tmp/dir2" "$tmp/mnt2"
echo one >"$tmp/mnt2/one.img"
echo three >"$tmp/mnt2/three.img"
refused 1 'which of 2 mounts?' "$LCCTL" status
grep -q "$mnt, $tmp/mnt2" "$tmp/err" || fail "the mounts are not listed: $(cat "$tmp/err")"
says "$tmp/dir2" "$LCCTL" status "$tmp/mnt2"
says "$tmp/dir2" "$LCCTL" -m "$tmp/mnt2" status
refused 1 'is in 2 mounts' "$LCCTL" list one.img
matches ".*${tab}one.img" "$LCCTL" list -H "$tmp/mnt2/one.img"
matches ".*${tab}one.img" "$LCCTL" list -H "$tmp/dir2/one.img"
matches ".*${tab}one.img" "$LCCTL" list -H -m "$tmp/mnt2" one.img
matches ".*${tab}three.img" "$LCCTL" list -H three.img
refused 1 'no such image' "$LCCTL" list -m "$mnt" three.img
works "$LCCTL" drain -q three.img
same "$tmp/mnt2/three.img" "$tmp/dir2/three.img"

# A dead one says so.
pids=$(daemon_of "$tmp/mnt2")
for pid in $pids; do
	kill -9 "$pid"
	eventually 10 is_gone "$pid" || fail "pid $pid survives kill -9"
done
refused 1 'its daemon is dead' "$LCCTL" status "$tmp/mnt2"
umount -l "$tmp/mnt2"
