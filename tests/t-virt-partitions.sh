#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A loop device on an image with a partition table, GPT and MBR: the partitions are there, carry
# filesystems, and are found again after a remount and in the plain file after a drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
requires_fs ext4
requires sfdisk e2fsck partx
standard_mount allow_migrate=0
mkdir "$tmp/tree"
cp -a "$top_srcdir/tests" "$tmp/tree/"

# attach_partitioned FILE [OPTION...]: the partitions go to $part1 and $part2. A kernel that knows
# no partition tables is told of them by partx, and where nobody makes device nodes, this does.
attach_partitioned()
{
	attach "$@" --partscan --direct-io=on
	name=${loop#/dev/}
	[ -e "/sys/block/$name/${name}p2" ] || works partx --add "$loop"
	part1=$(node 1)
	part2=$(node 2)
}

# node N
node()
{
	[ -e "/sys/block/$name/${name}p$1" ] || fail "$loop: partition $1 is not seen"
	if [ ! -b "${loop}p$1" ]; then
		rm -f "$tmp/p$1"
		mknod "$tmp/p$1" b "$(cut -d: -f1 "/sys/block/$name/${name}p$1/dev")" \
			"$(cut -d: -f2 "/sys/block/$name/${name}p$1/dev")"
		echo "$tmp/p$1"
	else
		echo "${loop}p$1"
	fi
}

# check FILE: both filesystems are clean, and the tree is there. FILE is only read.
check()
{
	attach_partitioned "$1" --read-only
	works sfdisk --verify "$loop"
	works e2fsck -fn "$part1"
	works e2fsck -fn "$part2"
	mount_fs "$part2" "$tmp/fs" -o ro
	diff -r "$tmp/tree" "$tmp/fs/tree" || fail "$1: the tree is not what it was"
	works umount "$tmp/fs"
	detach "$loop"
}

for label in gpt dos; do
	truncate -s 64M "$mnt/$label.img"
	attach "$mnt/$label.img" --partscan --direct-io=on
	printf '%s\n' "label: $label" 'size=16MiB, type=L' 'type=L' |
		sfdisk -q "$loop" >"$tmp/out" 2>&1 || fail "sfdisk: $(cat "$tmp/out")"
	detach "$loop"
	attach_partitioned "$mnt/$label.img"
	works mkfs.ext4 -qF "$part1"
	works mkfs.ext4 -qF -L "$label" "$part2"
	mount_fs "$part2" "$tmp/fs"
	cp -a "$tmp/tree" "$tmp/fs/"
	works umount "$tmp/fs"
	detach "$loop"
	works sfdisk --dump "$mnt/$label.img"
	cp "$tmp/out" "$tmp/$label.dump"
	check "$mnt/$label.img"
done
umount_lcfs "$mnt"

standard_mount allow_migrate=0
for label in gpt dos; do
	works sfdisk --dump "$mnt/$label.img"
	same "$tmp/out" "$tmp/$label.dump"
	check "$mnt/$label.img"
done

# Another partition in what is there: the first two stay.
attach "$mnt/dos.img" --partscan --direct-io=on
works sfdisk -q -N 2 --no-reread --force "$loop" <<END
,32MiB
END
works sfdisk -q --append --no-reread --force "$loop" <<END
,,
END
detach "$loop"
drain "$mnt"
umount_lcfs "$mnt"
check "$dir/gpt.img"
works sfdisk --dump "$dir/dos.img"
