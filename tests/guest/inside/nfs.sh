# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The kernel's NFS client as backing store, over the loopback interface.
. "$here/remote_lib.sh"

stop_server()
{
	run systemctl stop nfs-server
}

start_server()
{
	check "the server starts" systemctl start nfs-server
}

mount_store()
{
	umount /srv/images 2>/dev/null
	check "mount -t nfs -o $1" mount -t nfs -o "$1" localhost:/export/images /srv/images
}

phase_1()
{
	prepare_store
	echo '/export localhost(rw,sync,no_subtree_check,no_root_squash,fsid=1)' >/etc/exports
	start_server
	for version in 4.2 3; do
		rm -rf /export/images/* /export/images/.lcfs
		mkfs.lcfs -q --force $cache_disk
		mount_store "vers=$version,hard"
		main_job "nfs $version"
		equals handle "nfs $version: identity" cat $work/identity
		changed_on_server "nfs $version"
		renamed_on_server "nfs $version"
		server_hangs "nfs $version"
		umount /srv/images
	done
}

phase_2()
{
	# A root that is nobody there.
	mount $store_disk /export
	rm -rf /export/images/* /export/images/.lcfs
	mkfs.lcfs -q --force $cache_disk
	echo '/export localhost(rw,sync,no_subtree_check,root_squash,fsid=1)' >/etc/exports
	start_server
	mount_store vers=4.2,hard
	main_job "root_squash"
	umount /srv/images

	# Errors instead of patience.
	rm -rf /export/images/* /export/images/.lcfs
	mkfs.lcfs -q --force $cache_disk
	mount_store vers=4.2,soft,timeo=10,retrans=1
	check "soft: mount" mount_lcfs
	truncate -s 16M /mnt/lc/s.img
	"$here/verifier" init $work/journal 1 32768 11
	check "soft: writes" "$here/verifier" write -d -t 2 $work/journal /mnt/lc/s.img
	stop_server
	dd if=/dev/urandom of=$work/x bs=64k count=16 status=none
	check "soft: writes go on" sh -c "timeout 60 dd if=$work/x of=/mnt/lc/s.img bs=64k \
		oflag=direct conv=notrunc,fsync status=none"
	sleep 15
	run timeout 20 lcctl status -x
	run timeout 20 lcctl list
	start_server
	check "soft: drain when the server is back" eventually 100 lcctl drain
	check "soft: the same on the server" cmp /mnt/lc/s.img /export/images/s.img
	check "soft: umount" umount_lcfs
	umount /srv/images

	# The lines of docs/network-store.md, in fstab.
	sed -n 's|^    \(nas:/images .*\)|\1|p; s|^    \(/srv/images  /mnt/lc .*\)|\1|p' \
		"$here/network-store.md" | sed "s|nas:/images|localhost:/export/images|
		s|/dev/disk/by-id/nvme-XYZ-part3|$cache_disk|" >$work/lines
	equals 2 "docs/network-store.md has lines for fstab" sh -c "wc -l <$work/lines"
	{ echo "$store_disk /export ext4 nofail 0 2"; cat $work/lines; } >>/etc/fstab
	# Of one and the same machine, the client waits for the server.
	sed -i 's|hard,_netdev|hard,_netdev,x-systemd.requires=nfs-server.service|' /etc/fstab
	systemctl enable nfs-server
	mkdir -p /etc/systemd/system/nfs-server.service.d
	printf '[Unit]\nRequiresMountsFor=/export\n' \
		>/etc/systemd/system/nfs-server.service.d/export.conf
	cat /etc/fstab
}

phase_3()
{
	no_unit_failed
	says fuse.lcfs "by fstab, at boot" findmnt -n /mnt/lc
	run systemctl show -p After,Before mnt-lc.mount
	says remote-fs.target "with the network file systems" systemctl show -p Before mnt-lc.mount
	lcctl set allow_migrate 0
	random_file /mnt/lc/dirty.img 16 12
	knob /mnt/lc nr_dirty_caches
}

phase_4()
{
	no_unit_failed
	run journalctl --no-pager -b -1 -u mnt-lc.mount -u srv-images.mount -o short-precise -n 20
	lacks 'Failed unmounting|timed out' "the power-off was in order" \
		journalctl --no-pager -b -1 -o cat
	lacks 'not unmounted in order' "the cache was clean" journal_of_lcfs -b
	random_file $work/dirty.img 16 12
	check "nothing was lost" cmp $work/dirty.img /mnt/lc/dirty.img
	check "drain" lcctl drain
	check "the same on the server" cmp $work/dirty.img /export/images/dirty.img
}
