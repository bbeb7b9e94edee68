# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Caches on the device mapper: LVM, a slow device, one that fails and comes back.

# table NAME LINE: loads another table into a mapped device; I/O in flight ends first.
table()
{
	dmsetup suspend --noflush --nolockfs "$1" && dmsetup load "$1" --table "$2" &&
		dmsetup resume "$1"
}

new_journal()
{
	truncate -s 32M "$1"
	"$here/verifier" init $work/journal 1 65536 "$2"
}

lvm()
{
	disk=$(readlink -f $cache_disk)
	check "pvcreate" pvcreate -q "$disk"
	check "vgcreate" vgcreate -q vg "$disk"
	check "lvcreate" lvcreate -q -y -L 128M -n cache vg
	check "mkfs.lcfs on a logical volume" mkfs.lcfs -L onlvm /dev/vg/cache
	udevadm settle
	says lcfs "lsblk -f knows it" lsblk -f /dev/vg/cache
	equals "$(readlink -f /dev/vg/cache)" "by-label" readlink -f /dev/disk/by-label/onlvm
	check "mount by LABEL" lcfs -o cache=LABEL=onlvm /srv/images /mnt/lc
	new_journal /mnt/lc/lvm.img 1
	check "verified writes" "$here/verifier" write -d -t 4 $work/journal /mnt/lc/lvm.img
	refuses "" "lvremove of a cache in use" lvremove -y vg/cache
	refuses "" "a snapshot cannot be mounted beside it" sh -c \
		'lvcreate -q -y -s -L 64M -n snap vg/cache &&
		lcfs -o cache=/dev/vg/snap /srv/images /media'
	run lvremove -y vg/snap
	# Longer while in use.
	check "lvextend of a cache in use" lvextend -q -L +64M vg/cache
	check "verified writes" "$here/verifier" write -d -t 2 $work/journal /mnt/lc/lvm.img
	check "umount" lcctl umount
	check "mount of the longer one" lcfs -o cache=/dev/vg/cache /srv/images /mnt/lc
	check "all is there" "$here/verifier" check $work/journal /mnt/lc/lvm.img
	check "umount" lcctl umount --drain
	check "lvremove" lvremove -y vg/cache
	vgremove -q vg
	pvremove -q "$disk"
}

delayed()
{
	sectors=262144
	mkfs.lcfs -q --force "$disk" >/dev/null
	dmsetup create slow --table "0 $sectors delay $disk 0 0 $disk 0 20"
	mkfs.lcfs -q --force -L slow /dev/mapper/slow
	# The disk below it has the same blocks.
	check "by LABEL, a cache with 20 ms a write" lcfs -o cache=LABEL=slow /srv/images /mnt/lc
	new_journal /mnt/lc/slow.img 2
	check "verified writes" "$here/verifier" write -d -t 4 $work/journal /mnt/lc/slow.img
	kill_daemon
	check "mount after kill -9" lcfs -o cache=/dev/mapper/slow /srv/images /mnt/lc
	check "all is there" "$here/verifier" check $work/journal /mnt/lc/slow.img
	check "umount" lcctl umount --drain
	# Ten seconds without an answer.
	lcfs -o cache=/dev/mapper/slow /srv/images /mnt/lc
	check "the device hangs" dmsetup suspend --noflush --nolockfs slow
	(sleep 10; dmsetup resume slow) &
	check "writes wait, and end" sh -c "timeout 60 dd if=/dev/zero of=/mnt/lc/slow2.img bs=64k \
		count=16 oflag=direct conv=fsync status=none"
	equals ok "the cache is well" knob /mnt/lc state
	check "umount" lcctl umount --drain
	dmsetup remove slow
}

kill_daemon()
{
	pid=$(pidof lcfs)
	kill -9 "$pid"
	eventually 20 is_gone "$pid"
	umount -l /mnt/lc
}

failing()
{
	dmsetup create bad --table "0 $sectors linear $disk 0"
	mkfs.lcfs -q --force /dev/mapper/bad
	check "a cache that will fail" \
		lcfs -o cache=/dev/mapper/bad,allow_migrate=0 /srv/images /mnt/lc
	new_journal /mnt/lc/bad.img 3
	check "verified writes" "$here/verifier" write -d -t 3 $work/journal /mnt/lc/bad.img
	check "the device fails all writes" \
		table bad "0 $sectors flakey $disk 0 0 1 1 error_writes"
	run dd if=/dev/zero of=/mnt/lc/other.img bs=64k count=16 oflag=direct conv=fsync
	run lcctl status
	run lcctl status -x
	check "what can be read is read" "$here/verifier" check $work/journal /mnt/lc/bad.img
	check "lcctl umount" timeout 100 lcctl umount
	journalctl --no-pager -b -o cat -t lcfs -n 10
	check "the device is back" table bad "0 $sectors linear $disk 0"
	check "mount" lcfs -o cache=/dev/mapper/bad /srv/images /mnt/lc
	check "all is there" "$here/verifier" check $work/journal /mnt/lc/bad.img
	check "umount" lcctl umount --drain
	check "the same in the file" "$here/verifier" check $work/journal /srv/images/bad.img

	# Gone altogether, then kill -9.
	check "mount" lcfs -o cache=/dev/mapper/bad,allow_migrate=0 /srv/images /mnt/lc
	check "verified writes" "$here/verifier" write -d -t 3 $work/journal /mnt/lc/bad.img
	check "the device is gone" table bad "0 $sectors error"
	run dd if=/dev/zero of=/mnt/lc/other.img bs=64k count=16 oflag=direct conv=fsync
	kill_daemon
	check "the device is back" table bad "0 $sectors linear $disk 0"
	check "mount after kill -9" lcfs -o cache=/dev/mapper/bad /srv/images /mnt/lc
	check "all is there" "$here/verifier" check $work/journal /mnt/lc/bad.img
	check "umount" lcctl umount --drain
	dmsetup remove bad
}

# What dm-log-writes sees: each fsync of an image is a flush or FUA write of the cache device.
logged()
{
	log=$(readlink -f $store_disk)2
	# A thing of its own to be written to: a loop device on the store.
	truncate -s 256M /srv/log
	log=$(losetup -f --show /srv/log)
	dmsetup create logged --table "0 $sectors log-writes $disk $log"
	mkfs.lcfs -q --force /dev/mapper/logged
	check "mount" lcfs -o cache=/dev/mapper/logged,allow_migrate=0 /srv/images /mnt/lc
	truncate -s 8M /mnt/lc/logged.img
	run dd if=/dev/urandom of=/mnt/lc/logged.img bs=4k count=20 oflag=direct,dsync conv=notrunc
	before=$(dmsetup status logged | awk '{ print $4 }')
	run dd if=/dev/urandom of=/mnt/lc/logged.img bs=4k count=20 oflag=direct,dsync conv=notrunc
	after=$(dmsetup status logged | awk '{ print $4 }')
	dmsetup status logged
	# A write and a flush each, at least.
	check "20 synced writes are at least 40 requests of the device" \
		test $((after - before)) -ge 40
	check "umount" lcctl umount --drain
	dmsetup remove logged
	losetup -d "$log"
}

phase_1()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv /mnt/lc
	mount $store_disk /srv
	mkdir /srv/images
	lvm
	delayed
	failing
	logged
}
