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

standard_mount allow_migrate=0
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
refused 1 'is no image' "$LCCTL" drain "$mnt/sub dir"
refused 1 'is a mount point' "$LCCTL" attach "$mnt"

# One that was removed while it is open is not taken for the next of its name.
cp "$mnt/one.img" "$mnt/reused.img"
old=$("$LCCTL" list -H reused.img | cut -f 1)
exec 7<"$mnt/reused.img"
rm "$mnt/reused.img"
echo other >"$mnt/reused.img"
new=$("$LCCTL" list -H reused.img | cut -f 1)
[ "$new" != "$old" ] || fail "reused.img is the one that was removed"
matches "$old$tab.*${tab}reused.img .deleted." "$LCCTL" list -H "$old"
exec 7<&-
rm "$mnt/reused.img"
gone()
{
	! "$LCCTL" list -H | grep -q reused.img
}
eventually 10 gone || fail "reused.img is listed: $("$LCCTL" list)"

# A mount point as an argument, and a directory in it.
# timeless FILE: without the ages, which go on.
timeless()
{
	sed 's/  *[0-9.]*s  */ AGE /' "$1"
}
works "$LCCTL" list
timeless "$tmp/out" >"$tmp/all"
grep -q ' AGE ' "$tmp/all" || fail "no ages: $(cat "$tmp/all")"
for path in "$mnt" "$mnt/" "$mnt/../mnt"; do
	works "$LCCTL" list "$path"
	timeless "$tmp/out" | diff "$tmp/all" - || fail "list $path is not list"
done
matches "$id$tab.*${tab}one.img" "$LCCTL" list -H "$mnt" one.img
matches ".*${tab}sub dir/two.img" "$LCCTL" list -H "$mnt/sub dir"
[ "$(wc -l <"$tmp/out")" = 1 ] || fail "not only what is below: $(cat "$tmp/out")"
says never.img "$LCCTL" list -a "$mnt"
works "$LCCTL" list -aH "$mnt/sub dir"
[ "$(wc -l <"$tmp/out")" = 1 ] || fail "not only what is below: $(cat "$tmp/out")"
for path in "$mnt" "$mnt/one.img" "$mnt/sub dir"; do
	says 'cache 1' "$LCCTL" iostat "$path"
	[ "$("$LCCTL" iostat -H "$path" 0.01 2 | wc -l)" = 2 ] || fail "iostat $path 0.01 2"
	matches "cache 1${tab}nr_segments${tab}[0-9]*" "$LCCTL" get -H "$path" nr_segments
	says migrate_threshold "$LCCTL" get "$path"
	works "$LCCTL" set "$path" update_interval 1
	works "$LCCTL" set "$path" update_interval=2
	matches "cache 1${tab}update_interval${tab}2" "$LCCTL" get -H update_interval
done
(cd "$mnt" && matches "cache 1${tab}update_interval${tab}2" "$LCCTL" get -H . update_interval)
works "$LCCTL" drain -q "$mnt" one.img
works "$LCCTL" drain -q "$mnt"
refused 1 'is in no mount of lcfs' "$LCCTL" get "$tmp" nr_segments
refused 1 'is in no mount of lcfs' "$LCCTL" iostat "$tmp"
refused 2 'one argument too many' "$LCCTL" iostat "$mnt" 1 1 1

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
says three.img "$LCCTL" list "$tmp/mnt2"
! grep -q two.img "$tmp/out" || fail "list $tmp/mnt2 has the other's: $(cat "$tmp/out")"
says three.img "$LCCTL" list "$tmp/mnt2" "$mnt"
grep -q two.img "$tmp/out" || fail "of two mounts one is listed: $(cat "$tmp/out")"
matches ".*${tab}one.img" "$LCCTL" list -H "$tmp/mnt2" one.img
works "$LCCTL" detach -q "$tmp/mnt2" one.img
works "$LCCTL" attach -q "$tmp/mnt2" one.img
new_cache "$tmp/cache3"
works "$LCCTL" add -q "$tmp/mnt2" "$tmp/cache3"
works "$LCCTL" remove -q "$tmp/mnt2" 2
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
refused 1 'its daemon is dead' "$LCCTL" list "$tmp/mnt2"
umount -l "$tmp/mnt2"
