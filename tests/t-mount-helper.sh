#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By mount(8): types lcfs and fuse.lcfs, an fstab line, -f, and the exit status it wants of
# helpers. The helpers must be in /sbin: in a mount namespace of its own the test puts them there.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
sbin=$(readlink -f /sbin)

own_namespace "$0"

# A directory of links to all that is in /sbin, and ours, in its place.
mkdir "$tmp/sbin" "$tmp/real"
mount --bind "$sbin" "$tmp/real"
cleanup_fn umount -l "$tmp/real"
for program in "$sbin"/*; do
	ln -s "$tmp/real/${program##*/}" "$tmp/sbin/${program##*/}"
done
# libtool may have made a script of it that knows itself by its name
for name in mount.lcfs mount.fuse.lcfs; do
	ln -sf "$LCFS" "$tmp/sbin/$name"
done
mount --bind "$tmp/sbin" "$sbin"
cleanup_fn umount -l "$sbin"

dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
mkdir "$dir" "$mnt"
new_cache "$cache"
echo hello >"$dir/file"
cleanup_fn end_mount "$mnt"

mounted()
{
	[ "$(findmnt -n -o FSTYPE,SOURCE "$mnt" | tr -s ' ')" = "fuse.lcfs $dir" ] ||
		fail "$1: $(findmnt -n "$mnt" || echo not mounted)"
	same "$mnt/file" "$dir/file"
	umount_lcfs "$mnt"
}

works mount -t lcfs -o "cache=$cache" "$dir" "$mnt"
mounted '-t lcfs'
works mount -t lcfs -o "cache=$cache" "$dir" "$mnt"
for how in 'remount,ro' '-s -o remount,noatime'; do
	# shellcheck disable=SC2086
	run mount -o $how "$mnt"
	[ "$status" != 0 ] || fail "mount -o $how does something"
	grep -q 'unmount and mount again' "$tmp/err" || fail "mount -o $how: $(cat "$tmp/err")"
done
mounted 'after remount'
works mount -v -s -n -t lcfs -o "cache=$cache,nofail,_netdev,user,x-systemd.automount,something" \
	"$dir" "$mnt"
mounted 'all flags'
works mount -t fuse.lcfs -o "cache=$cache,nofail,noatime" "$dir" "$mnt"
mounted '-t fuse.lcfs'

# Through mount.fuse3, which finds lcfs in its own PATH.
rm "$tmp/sbin/mount.fuse.lcfs"
if [ -e "$tmp/sbin/mount.fuse3" ]; then
	ln -s "$LCFS" "$tmp/sbin/lcfs"
	works mount -t fuse.lcfs -o "cache=$cache,nofail,_netdev" "$dir" "$mnt"
	mounted 'mount.fuse3'
fi

# Checks, and mounts nothing.
works mount -f -t lcfs -o "cache=$cache" "$dir" "$mnt"
! is_mounted "$mnt" || fail "mount -f has mounted"
run mount -f -t lcfs -o "cache=$tmp/nothing" "$dir" "$mnt"
[ "$status" = 32 ] || fail "mount -f of what cannot be mounted: $status"

# fstab, another one than the system's.
cat >"$tmp/fstab" <<END
$dir $mnt lcfs cache=$cache,noauto,nofail,x-systemd.mount-timeout=10min,migrate_threshold=33 0 0
END
works mount -T "$tmp/fstab" "$mnt"
[ "$(knob "$mnt" migrate_threshold)" = 33 ] || fail "the options of fstab are not taken"
mounted fstab

# Failures: 32, and 1 for wrong usage, with our line on the terminal.
run mount -t lcfs -o "cache=$tmp/nothing" "$dir" "$mnt"
[ "$status" = 32 ] || fail "no cache: $status, not 32"
grep -q "'$tmp/nothing' does not exist" "$tmp/err" || fail "says: $(cat "$tmp/err")"
run mount -t lcfs "$dir" "$mnt"
[ "$status" = 1 ] || fail "no option: $status, not 1"
grep -q 'no cache is given' "$tmp/err" || fail "says: $(cat "$tmp/err")"
