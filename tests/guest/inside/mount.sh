# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# mount(8) and systemd as its callers: mount -t, mount -a, remount, umount, automount.

automounted()
{
	findmnt -n -t fuse.lcfs /mnt/lc
}

phase_1()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv/images /mnt/lc /mnt/two
	mount $store_disk /srv/images
	check "mkfs.lcfs" mkfs.lcfs -q $cache_disk
	check "mount -t lcfs" mount -t lcfs -o "cache=$cache_disk" /srv/images /mnt/lc
	equals fuse.lcfs "its type" findmnt -no FSTYPE /mnt/lc
	equals /srv/images "its source" findmnt -no SOURCE /mnt/lc
	run findmnt -no OPTIONS /mnt/lc
	check "df" df /mnt/lc
	random_file /mnt/lc/vm1.img 8 1
	for words in remount remount,ro remount,rw,noatime remount,allow_migrate=0; do
		run mount -o "$words" /mnt/lc
		if [ $status != 0 ] && [ "$(wc -l <$out)" -le 2 ]; then
			ok "-o $words is refused"
		else
			not_ok "-o $words: status $status"
		fi
	done
	says rw, "it is as it was" findmnt -no OPTIONS /mnt/lc
	check "a bind mount" mount --bind /mnt/lc /mnt/two
	check "... goes" umount /mnt/two
	tail -f /mnt/lc/vm1.img >/dev/null &
	refuses busy "umount of a mount in use" umount /mnt/lc
	kill $!
	wait $!
	check "umount" umount /mnt/lc
	# At once: it waits for the daemon of before.
	check "mount -t fuse.lcfs" mount -t fuse.lcfs -o "cache=$cache_disk" /srv/images /mnt/lc
	random_file $work/vm1.img 8 1
	check "nothing was lost" cmp $work/vm1.img /mnt/lc/vm1.img
	check "umount by the type" umount -t fuse.lcfs -a
	eventually 20 daemon_is_gone

	echo "/srv/images /mnt/lc lcfs cache=$cache_disk,noauto,nofail 0 0" >>/etc/fstab
	systemctl daemon-reload
	check "mount by fstab" mount /mnt/lc
	check "umount" umount /mnt/lc
	sed -i 's/,noauto//' /etc/fstab
	systemctl daemon-reload
	check "mount -a" mount -a
	says lcfs "... mounts it" findmnt -n /mnt/lc
	check "mount -a again has nothing to do" mount -a
	equals 1 "... it is mounted once" sh -c 'findmnt -n /mnt/lc | wc -l'
	check "umount -a" umount -a -t fuse.lcfs
	eventually 20 daemon_is_gone
	check "systemctl start mnt-lc.mount" systemctl start mnt-lc.mount
	check "systemctl stop mnt-lc.mount" systemctl stop mnt-lc.mount
	lacks . "... unmounts" findmnt -n /mnt/lc
	check "... ends the daemon" eventually 20 daemon_is_gone

	sed -i 's/,nofail/,nofail,noauto,x-systemd.automount,x-systemd.idle-timeout=5s/' /etc/fstab
	systemctl daemon-reload
	check "automount" systemctl start mnt-lc.automount
	lacks fuse "... mounts nothing yet" findmnt -n -t fuse.lcfs
	check "... mounts when somebody looks" cmp $work/vm1.img /mnt/lc/vm1.img
	check "... it is mounted" automounted
	check "... goes when nobody uses it" eventually 60 daemon_is_gone
	check "... and comes again" cmp $work/vm1.img /mnt/lc/vm1.img
	run journalctl --no-pager -b -o cat -u mnt-lc.mount -n 30
	lacks 'not unmounted in order' "... clean each time" \
		journalctl --no-pager -b -o cat -u mnt-lc.mount
	# Through a private mount namespace, as a service with PrivateTmp= has one.
	cp $work/vm1.img /root
	check "seen in another mount namespace" \
		systemd-run -q --wait --pipe -p PrivateTmp=yes cmp /root/vm1.img /mnt/lc/vm1.img
	systemctl stop mnt-lc.automount
	check "unmounted at the end" eventually 30 daemon_is_gone
}
