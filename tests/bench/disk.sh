# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# A backing disk of one's own: a loop device with ext4, that a cgroup can make slow.

# detach DEVICE: if it is still our file that is behind it.
detach()
{
	case $(losetup -nO BACK-FILE "$1" 2>/dev/null) in
	"$tmp"/*) losetup -d "$1" ;;
	esac
}

unmount()
{
	! is_mounted "$1" || umount "$1" || umount -l "$1"
}

# make_disk FS_MIB MORE_MIB: $loop, mounted at $tmp/slow, with so much behind the filesystem. No
# journal: what is written is data, but for an inode now and then.
make_disk()
{
	truncate -s "$(($1 + $2))M" "$tmp/disk"
	loop=$(losetup -f --show --direct-io=on "$tmp/disk") || die "losetup failed"
	undo detach "$loop"
	mkfs.ext4 -qF -b 4096 -O ^has_journal -E lazy_itable_init=0 "$loop" "$(($1 * 256))" ||
		die "mkfs.ext4 failed"
	mkdir -p "$tmp/slow"
	mount -o noatime "$loop" "$tmp/slow" || die "$loop cannot be mounted"
	undo unmount "$tmp/slow"
	mkdir "$tmp/slow/back"
}

# written_image MIB: that disk's image, which has all its blocks and has never been cached.
written_image()
{
	rm -rf --one-file-system "$tmp"/slow/back/.lcfs "$tmp"/slow/back/image*
	dd if=/dev/zero of="$tmp/slow/back/image" bs=1M count="$1" oflag=direct 2>/dev/null
	sync -f "$tmp/slow"
}

no_disk="no loop devices, or no mkfs.ext4 (package e2fsprogs)"

has_disk()
{
	command -v losetup >/dev/null && command -v mkfs.ext4 >/dev/null &&
		losetup -f >/dev/null 2>&1
}

# written_to DEVICE: requests of writing that it has completed.
written_to()
{
	awk '{ print $5 }' "/sys/block/${1#/dev/}/stat"
}

# ---------------------------------------------------------------- the cgroup

no_group="no cgroup controller can throttle a block device here"

end_group()
{
	while read -r process; do
		echo "$process" >"${1%/*}/cgroup.procs"
	done <"$1/cgroup.procs"
	eventually 10 rmdir "$1"
}

# limit_v1 GROUP MAJ:MIN VALUE iops|bps
limit_v1()
{
	echo "$2 $3" >"$1/blkio.throttle.write_$4_device" &&
		echo "$2 $3" >"$1/blkio.throttle.read_$4_device"
}

# change_group VALUE iops|bps: of $group and device $number. Version 1: what the kernel writes back
# on its own is not the group's: so all others get as little of that device.
change_group()
{
	if [ -e "$group/io.max" ]; then
		echo "$number r$2=$1 w$2=$1" >"$group/io.max"
	else
		limit_v1 "$group" "$number" "$1" "$2" &&
			limit_v1 "${group%/*}" "$number" "$1" "$2"
	fi
}

# Version 1, where the controller is mounted alone; else version 2.
make_group()
{
	top=/sys/fs/cgroup/blkio
	if [ ! -w $top/blkio.throttle.write_iops_device ]; then
		top=/sys/fs/cgroup
		grep -qw io $top/cgroup.controllers 2>/dev/null || return 1
		echo +io >$top/cgroup.subtree_control || return 1
	fi
	group=$(mktemp -d "$top/lcfs-bench-$$.XXXXXX") || return 1
	undo end_group "$group"
	[ -e "$group/io.max" ] || undo limit_v1 $top "$number" 0 "$1"
}

# slow_group DEVICE VALUE [iops|bps]: what $tmp/in-group runs gets so many requests (or bytes) a
# second from it.
slow_group()
{
	number=$(lsblk -dno MAJ:MIN "$1" | tr -d ' ')
	make_group "${3:-iops}" && change_group "$2" "${3:-iops}" || return 1
	cat >"$tmp/in-group" <<-END
		#!/bin/sh
		echo \$\$ >"$group/cgroup.procs"
		exec "\$@"
	END
	chmod +x "$tmp/in-group"
}
