# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# A filesystem on a loop device on an image in a mount: made, filled with a real tree, unmounted,
# found again after a remount of lcfs, clean for its fsck, the tree unchanged. With direct I/O of
# the loop device and without. Sourced by t-e2e-loop-*.sh, after functions.sh.

# quietly FUNCTION...: what it says is shown only if it fails.
quietly()
{
	"$@" >"$tmp/said" 2>&1 && return
	cat "$tmp/said"
	fail "$*"
}

# loop_make NAME DIRECT: makes the filesystem with make_fs and fills it.
loop_make()
{
	truncate -s "$image_size" "$mnt/$1.img"
	attach "$mnt/$1.img" --direct-io="$2"
	quietly make_fs "$loop"
	mount_fs "$loop" "$tmp/$1"
	cp -a "$tree" "$tmp/$1/tree"
	umount "$tmp/$1"
	detach "$loop"
}

# loop_check FILE NAME DIRECT: fsck, and the tree is what it was. FILE is read only.
loop_check()
{
	attach "$1" --direct-io="$3" --read-only
	quietly check_fs "$loop"
	# shellcheck disable=SC2086
	mount_fs "$loop" "$tmp/$2" -o "ro${ro_options:-}"
	diff -r "$tree" "$tmp/$2/tree" || fail "$2: the tree is not what it was"
	umount "$tmp/$2"
	detach "$loop"
}

e2e_loop()
{
	requires_loop
	requires_fuse
	requires diff
	tree=$tmp/tree
	mkdir "$tree"
	# The sources of this very project: many small files, and a large one.
	cp -a "$top_srcdir/lcfs" "$top_srcdir/common" "$top_srcdir/tests" "$tree/"
	"$VERIFIER" random "$tree/large" 20000000 7
	new_cache "$tmp/cache" --size=160M

	standard_mount
	loop_make direct on
	loop_make buffered off
	umount_lcfs "$mnt"

	standard_mount
	loop_check "$mnt/direct.img" direct on
	loop_check "$mnt/buffered.img" buffered off

	# After a drain the plain files have it all.
	drain "$mnt"
	umount_lcfs "$mnt"
	loop_check "$dir/direct.img" direct on
	loop_check "$dir/buffered.img" buffered off
}
