#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The configuration file: lcfs MNT takes its section, the command line counts more, mistakes are
# refused in one line with file and line.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse

# /etc/lcfs/lcfs.conf is one of this test's own.
own_namespace "$0"
cp -a /etc "$tmp/etc"
mkdir -p "$tmp/etc/lcfs"
mount --bind "$tmp/etc" /etc
cleanup_fn umount -l /etc
conf=/etc/lcfs/lcfs.conf
rm -f "$conf"

dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
mkdir "$dir" "$tmp/dir2" "$mnt"
new_cache "$cache"
new_cache "$tmp/cache2"
cleanup_fn end_mount "$mnt"

section()
{
	printf '[/elsewhere]\ndirectory = /srv\n\n[%s]\n' "$mnt"
	printf '%s\n' "$@"
}

# Without a file nothing changes; a file that is named must be there.
works "$LCFS" -o "cache=$cache" "$dir" "$mnt"
umount_lcfs "$mnt"
refused 2 "only '$mnt' is given" "$LCFS" "$mnt"
refused 2 "$tmp/none.conf: No such file" "$LCFS" "$mnt" --config="$tmp/none.conf"

# All from the file.
section "directory = $dir" "cache = $cache" 'migrate_threshold = 41' 'noatime = yes' >"$conf"
works "$LCFS" "$mnt"
[ "$(findmnt -n -o SOURCE "$mnt")" = "$dir" ] || fail "the directory is not that of the file"
[ "$(knob "$mnt" migrate_threshold)" = 41 ] || fail "the knob is not that of the file"
findmnt -n -o OPTIONS "$mnt" | grep -q noatime || fail "noatime is lost"
umount_lcfs "$mnt"

# The command line counts more; with a relative path too.
(cd "$tmp" && works "$LCFS" -o "cache=cache2,migrate_threshold=42,atime" "$tmp/dir2" mnt/)
[ "$(findmnt -n -o SOURCE "$mnt")" = "$tmp/dir2" ] || fail "the directory is not the one given"
[ "$(knob "$mnt" migrate_threshold)" = 42 ] || fail "the knob is not the one given"
! findmnt -n -o OPTIONS "$mnt" | grep -q noatime || fail "noatime wins over atime"
end_mount "$mnt"

# Another file, or none.
section "directory = $dir" "cache = $cache" 'migrate_threshold = 43' >"$tmp/other.conf"
works "$LCFS" -o "config=$tmp/other.conf" "$mnt"
[ "$(knob "$mnt" migrate_threshold)" = 43 ] || fail "the file is not the one given"
umount_lcfs "$mnt"
refused 2 "only '$mnt' is given" "$LCFS" -o config=none "$mnt"

# As a helper of mount: fstab has "none" for the directory and no options.
ln -s "$LCFS" "$tmp/mount.lcfs"
works "$tmp/mount.lcfs" none "$mnt" -o rw
[ "$(knob "$mnt" migrate_threshold)" = 41 ] || fail "mount.lcfs does not read the file"
umount_lcfs "$mnt"
works "$tmp/mount.lcfs" none "$mnt" -f
! is_mounted "$mnt" || fail "mount -f mounts"

# Mistakes, wherever they are.
section "directory = $dir" 'cache = x' 'cahce = x' >"$conf"
refused 2 "$conf:7: unknown key 'cahce'" "$LCFS" "$mnt"
refused 1 "$conf:7: unknown key 'cahce'" "$tmp/mount.lcfs" none "$mnt"
refused 2 "$conf:7: unknown key 'cahce'" "$LCFS" -o "cache=$cache" "$dir" "$mnt"
section 'migrate_threshold = 1000' >"$conf"
refused 2 "$conf:5: migrate_threshold=1000: give a number from 0 to 100" "$LCFS" "$mnt"
{ section 'cache = x' && section 'cache = x'; } >"$conf"
refused 2 "$conf:6: section [/elsewhere] is there already, in line 1" "$LCFS" "$mnt"
section "directory = $dir" "cache = $cache" >"$conf"
chmod 666 "$conf"
refused 2 "$conf: everybody may write to it" "$LCFS" "$mnt"
works "$LCFS" -o "config=none,cache=$cache" "$dir" "$mnt"
umount_lcfs "$mnt"
chmod 644 "$conf"
works "$LCFS" "$mnt"
umount_lcfs "$mnt"

# The example is in order once its comments are taken away.
sed 's/^#\([a-z[]\)/\1/' "$top_srcdir/docs/lcfs.conf.example" >"$conf"
grep -q '^\[/mnt/lc\]' "$conf" || fail "the example has no section"
refused 32 "'/nowhere' does not exist" "$tmp/mount.lcfs" -f /nowhere "$mnt" -o cache=x
