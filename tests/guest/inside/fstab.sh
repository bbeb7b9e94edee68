# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The lines for fstab of the manual, with systemd: mounted at boot in the right order, clean after a
# power-off with users on the mount, no obstacle to a boot without the cache.

# Of the manual, with this machine's cache.
lcfs_line()
{
	sed -n "s|^/srv/images /mnt/lc lcfs .*|&|p" "$here/lcfs.8" | head -n 1 |
		sed "s|/dev/disk/by-id/nvme-XYZ-part3|$cache_disk|"
}

# Of docs/loop-devices.md.
loop_line()
{
	sed -n 's|^    \(/mnt/lc/disk.img  /data .*\)|\1|p' "$here/loop-devices.md"
}

phase_1()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv /mnt/lc /data
	echo "$store_disk /srv ext4 defaults,nofail 0 2" >>/etc/fstab
	systemctl daemon-reload
	check "the store is mounted" mount /srv
	mkdir /srv/images
	check "mkfs.lcfs" mkfs.lcfs -L fast $cache_disk
	truncate -s 128M /srv/images/disk.img /srv/images/vm1.img
	mkfs.ext4 -q /srv/images/disk.img
	[ -n "$(lcfs_line)" ] && [ -n "$(loop_line)" ] || not_ok "the manual has lines for fstab"
	{ lcfs_line; loop_line; } >>/etc/fstab
	cat /etc/fstab
	lacks -i "findmnt --verify finds nothing wrong" \
		sh -c 'findmnt --verify 2>&1 | grep -i "\[E\]"'

	# What uses an image until it is told to stop, and writes until then.
	cat >/usr/local/sbin/user-of-image <<-'END'
		#!/bin/sh
		exec 3<>/mnt/lc/vm1.img
		end()
		{
			echo stopped >/data/last
			sync /data/last
			printf "the last word" >&3
			exit 0
		}
		trap end TERM
		while :; do date >/data/now; sleep 0.1 & wait $!; done
	END
	chmod +x /usr/local/sbin/user-of-image
	cat >/etc/systemd/system/user-of-image.service <<-END
		[Unit]
		RequiresMountsFor=/mnt/lc /data
		[Service]
		ExecStart=/usr/local/sbin/user-of-image
		[Install]
		WantedBy=multi-user.target
	END
	systemctl enable user-of-image
}

phase_2()
{
	no_unit_failed
	says fuse.lcfs "mounted at boot" findmnt -n /mnt/lc
	says /dev/loop "the filesystem on an image, too" findmnt -n /data
	equals active "the service that uses an image runs" systemctl is-active user-of-image
	check "systemctl status" systemctl status --no-pager -l mnt-lc.mount
	run systemctl show -p After,Requires,Where,What mnt-lc.mount
	says srv.mount "after the directory's own mount" systemctl show -p After mnt-lc.mount
	run journalctl --no-pager -b -u mnt-lc.mount
	says "$(pidof lcfs)" "the daemon is in the unit of the mount" \
		sh -c 'systemctl status --no-pager mnt-lc.mount'
	journal_of_lcfs -b
	random_file /data/random 16 1
	sync /data/random
	equals ok "lcctl status" knob /mnt/lc state
	lcctl status
	knob /mnt/lc nr_dirty_caches
	echo "from now: $(date +%s.%N)"
}

phase_3()
{
	no_unit_failed
	run journalctl --no-pager -b -1 -o short-precise -u mnt-lc.mount -u data.mount \
		-u user-of-image -u srv.mount
	journalctl --no-pager -b -1 -o cat >$work/before
	grep -nE 'Stopped user-of-image|Unmounted (data|mnt-lc|srv)\.mount' $work/before |
		cut -d : -f 2- | tee $work/order
	equals "user-of-image data mnt-lc srv" "the power-off went from the top down" \
		sh -c "sed -E 's/.*(user-of-image|data|mnt-lc|srv)\..*/\1/' $work/order | xargs"
	lines=5
	lacks 'Failed unmounting|timed out|SIGKILL|Killing process' "nothing was in its way" \
		cat $work/before
	lines=60
	run journal_of_lcfs -b
	lacks 'not unmounted in order' "the cache was clean" journal_of_lcfs -b
	equals stopped "what the user wrote last is there" cat /data/last
	random_file $work/random 16 1
	check "what was synced is there" cmp $work/random /data/random
	equals "the last word" "what was written last and not synced is there" \
		sh -c 'head -c 13 /mnt/lc/vm1.img'
	umount /data
	check "fsck of the filesystem on the image" sh -c 'e2fsck -fn /mnt/lc/disk.img'
	mount /data
	# A boot without the cache, next.
	sed -i "s|cache=$cache_disk|cache=/dev/disk/by-id/nvme-gone|" /etc/fstab
	systemctl stop user-of-image
}

phase_4()
{
	echo "the boot came so far: it was not stopped by a cache that is not there"
	ok "nofail: a boot without the cache"
	run systemctl --failed --no-legend --plain
	says failed "the mount has failed" systemctl is-failed mnt-lc.mount
	says "cache '/dev/disk/by-id/nvme-gone' does not exist" "... and says why" \
		journalctl --no-pager -b -u mnt-lc.mount
	uuid=$(lsblk -no UUID $cache_disk)
	sed -i "s|cache=/dev/disk/by-id/nvme-gone|cache=UUID=$uuid|" /etc/fstab
	systemctl daemon-reload
	check "by UUID, mount -a" mount -a
	says fuse.lcfs "mounted" findmnt -n /mnt/lc
	equals stopped "the data is there" cat /data/last
}
