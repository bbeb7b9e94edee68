# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# udev knows a cache on a real disk, and those that would take the disk for something else are told.

no_link()
{
	[ ! -e "$1" ]
}

phase_1()
{
	check "mkfs.lcfs" mkfs.lcfs -L fast $cache_disk
	udevadm settle
	disk=$(readlink -f $cache_disk)
	says lcfs "lsblk -f" lsblk -f "$disk"
	says fast "lsblk -f has the label" lsblk -no LABEL "$disk"
	uuid=$(lsblk -no UUID "$disk")
	check "it has a UUID" test -n "$uuid"
	equals "$disk" "by-uuid" readlink -f "/dev/disk/by-uuid/$uuid"
	equals "$disk" "by-label" readlink -f /dev/disk/by-label/fast
	says "$uuid" "dump.lcfs agrees" dump.lcfs "$disk"
	run udevadm info --query=property "$disk"

	# Partitions, with a label that wants to be encoded.
	printf '%s\n' 'label: gpt' 'size=200MiB, type=L' 'type=L' | sfdisk -q $store_disk
	udevadm settle
	store=$(readlink -f $store_disk)
	check "mkfs.lcfs on a partition" mkfs.lcfs -L "my cache" "${store}1"
	mkfs.ext4 -q "${store}2"
	udevadm settle
	says "my cache" "lsblk -f" lsblk -no LABEL "${store}1"
	equals "${store}1" "by-label, with a blank" readlink -f '/dev/disk/by-label/my\x20cache'

	mkdir -p /srv/images /mnt/lc
	mount "${store}2" /srv/images
	check "mount by LABEL" lcfs -o cache=LABEL=fast,allow_migrate=0 /srv/images /mnt/lc
	random_file /mnt/lc/vm1.img 8 1

	# While it is in use.
	refuses "" "mkfs.ext4 over a cache in use" mkfs.ext4 -F "$disk"
	refuses "" "pvcreate over a cache in use" pvcreate -ff -y "$disk"
	refuses "" "mount of a cache in use" mount -t ext4 "$disk" /media
	refuses "" "wipefs of a cache in use" wipefs -a "$disk"
	refuses "" "sfdisk of a cache in use" sh -c "echo ',,L' | sfdisk $disk"
	refuses "use" "mkfs.lcfs over a cache in use" mkfs.lcfs --force "$disk"
	refuses "" "swap" sh -c "swapon $disk"
	random_file $work/vm1.img 8 1
	check "nothing happened" cmp $work/vm1.img /mnt/lc/vm1.img
	check "umount" umount /mnt/lc
	eventually 20 daemon_is_gone
	udevadm settle
	equals "$disk" "the links are still there" readlink -f /dev/disk/by-label/fast

	refuses "$uuid" "mkfs.lcfs over dirty data" mkfs.lcfs "$disk"
	check "mount by UUID" lcfs -o "cache=UUID=$uuid" /srv/images /mnt/lc
	check "drain and umount" lcctl umount --drain /mnt/lc
	refuses "is mounted on" "mkfs.lcfs over a mounted ext4" mkfs.lcfs "${store}2"
	umount /srv/images
	refuses "--force" "mkfs.lcfs over an unmounted ext4" mkfs.lcfs "${store}2"
	refuses "--force" "mkfs.lcfs over a partition table" mkfs.lcfs "$store"

	check "ext4 over a cache that is not in use" mkfs.ext4 -q -F -L other "$disk"
	udevadm settle
	says ext4 "lsblk -f says what it is now" lsblk -no FSTYPE "$disk"
	check "the links have gone" eventually 10 no_link /dev/disk/by-label/fast
	check "mkfs.lcfs --force over it" mkfs.lcfs --force -L again "$disk"
	udevadm settle
	equals "$disk" "by-label again" readlink -f /dev/disk/by-label/again
	says lcfs "lsblk -f again" lsblk -no FSTYPE "$disk"
}

phase_2()
{
	udevadm settle
	says again "known after a boot" lsblk -no LABEL $cache_disk
	equals "$(readlink -f $cache_disk)" "by-label after a boot" \
		readlink -f /dev/disk/by-label/again
}
