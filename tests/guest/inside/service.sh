# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# lcfs@.service: up when it serves, says how it is, restarts, hangs nowhere, stops in order.

unit=lcfs@mnt-lc.service

property()
{
	systemctl show --value -p "$1" $unit
}

serves()
{
	[ "$(systemctl is-active $unit)" = active ] && timeout 5 test -e /mnt/lc/.lcctl/version
}

restarted()
{
	[ "$(property NRestarts)" = "$1" ] && serves
}

phase_1()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv/images /mnt/lc /etc/lcfs
	mount $store_disk /srv/images
	echo "$store_disk /srv/images ext4 nofail 0 2" >>/etc/fstab
	check "mkfs.lcfs" mkfs.lcfs -L fast $cache_disk
	udevadm settle
	cat >/etc/lcfs/lcfs.conf <<-END
		[/mnt/lc]
		directory = /srv/images
		cache = LABEL=fast
		allow_migrate = 0
	END
	# As the manual says of a directory on a mount of its own.
	dropin=/etc/systemd/system/$unit.d/dir.conf
	mkdir -p "${dropin%/*}"
	sed -n '/^\[Unit\]$/,/^RequiresMountsFor=/p' "$here/lcfs.8" >"$dropin"
	check "the manual says how to name the directory" \
		grep RequiresMountsFor=/srv/images "$dropin"
	systemctl daemon-reload
	check "systemctl enable --now" systemctl enable --now $unit
	# No eventually: it is up when it serves.
	says fuse.lcfs "started means mounted" findmnt -n /mnt/lc
	check "systemctl status" systemctl status --no-pager -l $unit
	equals notify "Type=notify" property Type
	property StatusText >$work/status
	check "it has a status text" grep . $work/status
	run journalctl --no-pager -o short -u $unit
	lacks '<[0-7]>' "the journal has levels, not prefixes" journalctl --no-pager -o cat -u $unit

	random_file /mnt/lc/vm1.img 32 1
	pid=$(property MainPID)
	echo "kill -9 $pid"
	kill -9 "$pid"
	check "it starts again after kill -9" eventually 30 restarted 1
	run journalctl --no-pager -o short -u $unit -n 30
	random_file $work/vm1.img 32 1
	check "nothing was lost, though nothing was synced" cmp $work/vm1.img /mnt/lc/vm1.img
	says "recovered" "the journal says what was recovered" journalctl --no-pager -o cat -u $unit
	property StatusText

	mkdir -p /run/systemd/system/$unit.d
	printf '[Service]\nWatchdogSec=4s\n' >/run/systemd/system/$unit.d/watchdog.conf
	systemctl daemon-reload
	check "restart" systemctl restart $unit
	random_file /mnt/lc/vm2.img 8 2
	before=$(property NRestarts)
	sleep 10
	equals "$before" "signs of life keep the watchdog quiet" property NRestarts
	pid=$(property MainPID)
	kill -STOP "$pid"
	check "a daemon that stands still is started anew" eventually 60 restarted $((before + 1))
	says watchdog "the journal says it was the watchdog" \
		journalctl --no-pager -o cat -u $unit -n 40
	random_file $work/vm2.img 8 2
	check "nothing was lost" cmp $work/vm2.img /mnt/lc/vm2.img
	rm /run/systemd/system/$unit.d/watchdog.conf
	systemctl daemon-reload

	pid=$(property MainPID)
	check "stop" systemctl stop $unit
	lacks . "... unmounts" findmnt -n /mnt/lc
	check "... ends the daemon" is_gone "$pid"
	equals success "... with success" property Result
	run dump.lcfs LABEL=fast
	check "start" systemctl start $unit
	run journalctl --no-pager -o cat -u $unit -n 12
	lacks 'not unmounted in order' "... the cache was clean" \
		sh -c "journalctl --no-pager -o cat _PID=$(property MainPID)"
	check "... nothing was lost" cmp $work/vm1.img /mnt/lc/vm1.img

	# Somebody has not let go of it.
	sleep 20 <>/mnt/lc/vm1.img &
	pid=$(property MainPID)
	check "stop with a user" systemctl stop $unit
	lacks . "... unmounts" findmnt -n /mnt/lc
	check "... has waited for him" is_gone $!
	check "... ends the daemon" is_gone "$pid"

	echo 'no_such_key = 1' >>/etc/lcfs/lcfs.conf
	refuses "" "a mistake in the configuration" systemctl start $unit
	says no_such_key "... the journal says where" journalctl --no-pager -o cat -u $unit -n 10
	sleep 7
	equals failed "... and there is no second try" systemctl is-active $unit
	sed -i '$d' /etc/lcfs/lcfs.conf

	systemctl reset-failed
	check "start" systemctl start $unit
	# Who uses an image at the end of the machine.
	cat >/usr/local/sbin/user-of-image <<-'END'
		#!/bin/sh
		exec 3<>/mnt/lc/vm3.img
		trap 'printf "the last word" >&3; exit 0' TERM
		while :; do sleep 1 & wait $!; done
	END
	chmod +x /usr/local/sbin/user-of-image
	cat >/etc/systemd/system/user-of-image.service <<-END
		[Unit]
		Requires=$unit
		After=$unit
		[Service]
		ExecStart=/usr/local/sbin/user-of-image
		[Install]
		WantedBy=multi-user.target
	END
	check "a service that uses an image" systemctl enable --now user-of-image
	eventually 10 test -e /mnt/lc/vm3.img
}

phase_2()
{
	no_unit_failed
	check "the service is up" serves
	run journalctl --no-pager -b -1 -o short-precise -u $unit -u user-of-image -n 30
	journalctl --no-pager -b -1 -o cat >$work/before
	lines=5
	lacks 'Failed unmounting|timed out|SIGKILL' "nothing was in the way of the power-off" \
		cat $work/before
	lines=60
	run journalctl --no-pager -b -o cat -u $unit
	lacks 'not unmounted in order' "the cache was clean" \
		journalctl --no-pager -b -o cat -u $unit
	equals "the last word" "what the user wrote last is there" \
		sh -c 'head -c 13 /mnt/lc/vm3.img'
	random_file $work/vm1.img 32 1
	check "nothing was lost" cmp $work/vm1.img /mnt/lc/vm1.img
	says active "the user of the image runs" systemctl is-active user-of-image
	# docs: killed below a user.
	pid=$(property MainPID)
	kill -9 "$pid"
	check "it starts again below a user" eventually 30 restarted 1
	check "nothing was lost" cmp $work/vm1.img /mnt/lc/vm1.img
}
