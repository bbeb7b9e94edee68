# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A network file system as backing store, whichever it is. The scenario says how to mount the export
# /export on /srv/images (mount_store), how to stop and start the server, and what to expect.

prepare_store()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /export /srv/images /mnt/lc
	mount $store_disk /export
	mkdir /export/images
	chmod 777 /export/images
	mkfs.lcfs -q $cache_disk
}

mount_lcfs()
{
	lcfs -o "cache=$cache_disk${1:+,$1}" /srv/images /mnt/lc
}

umount_lcfs()
{
	umount /mnt/lc && eventually 60 daemon_is_gone
}

kill_daemon()
{
	pid=$(pidof lcfs)
	kill -9 "$pid"
	eventually 20 is_gone "$pid"
	umount -l /mnt/lc
}

# The main job: write, verify, migrate while writing, kill, recover, drain, compare on the server.
main_job()
{
	files='/mnt/lc/v1.img /mnt/lc/v2.img'
	check "$1: mount" mount_lcfs
	run findmnt -n -M /srv/images
	truncate -s 32M $files
	"$here/verifier" init $work/journal 2 65536 7
	# shellcheck disable=SC2086
	check "$1: verified writes, migration beside them" \
		"$here/verifier" write -d -t 8 $work/journal $files
	run lcctl list
	run lcctl get -H -i v1.img identity
	cut -f 3 $out >$work/identity
	# shellcheck disable=SC2086
	"$here/verifier" write -d -t 30 $work/journal $files >$work/writer 2>&1 &
	sleep 3
	kill_daemon
	wait $!
	check "$1: the writer saw the daemon die, and nothing else" test $? = 0
	cat $work/writer
	check "$1: mount after kill -9" mount_lcfs
	# shellcheck disable=SC2086
	check "$1: all is there" "$here/verifier" check $work/journal $files
	check "$1: drain" lcctl drain
	lacks 'conflict|missing|error' "$1: the images are well" lcctl list -H
	for name in v1.img v2.img; do
		check "$1: $name is on the server" cmp /mnt/lc/$name /export/images/$name
	done
	# Names and sizes.
	check "$1: rename" mv /mnt/lc/v2.img /mnt/lc/renamed.img
	check "$1: truncate" truncate -s 5000001 /mnt/lc/renamed.img
	check "$1: append" sh -c 'echo more >>/mnt/lc/renamed.img'
	mkdir /mnt/lc/sub
	random_file /mnt/lc/sub/new.img 3 3
	check "$1: remove" rm /mnt/lc/v1.img
	# CIFS refuses to open a file for a moment now and then; that is tried again.
	check "$1: drain" eventually 60 lcctl drain
	check "$1: umount" umount_lcfs
	for name in renamed.img sub/new.img; do
		sync
		check "$1: $name is the same on both sides" \
			cmp /srv/images/$name /export/images/$name
	done
	equals 5000006 "$1: its size" stat -c %s /export/images/renamed.img
	lacks . "$1: removed" sh -c 'ls /export/images | grep v1.img'
}

# Dirty data, and the server changes the file.
changed_on_server()
{
	check "$1: mount" mount_lcfs allow_migrate=0
	random_file /mnt/lc/c.img 2 4
	lcctl drain
	lcctl flush
	dd if=/dev/urandom of=/mnt/lc/c.img bs=4k count=10 conv=notrunc,fsync status=none
	check "$1: umount with dirty data" umount_lcfs
	sleep 1
	dd if=/dev/zero of=/export/images/c.img bs=4k count=1 seek=100 conv=notrunc,fsync \
		status=none
	# The attributes that the client has cached are of before.
	sleep 4
	check "$1: mount after the server changed it" mount_lcfs allow_migrate=0
	says conflict "$1: an image changed on the server is held" lcctl list c.img
	run lcctl resolve --keep-backing c.img
	check "$1: umount" umount_lcfs
}

# Dirty data, and the server renames the file: that changes its change time, as writing would.
# strong: where it can be known again.
renamed_on_server()
{
	check "$1: mount" mount_lcfs allow_migrate=0
	random_file /mnt/lc/r.img 2 5
	check "$1: umount with dirty data" umount_lcfs
	mv /export/images/r.img /export/images/r2.img
	sleep 4
	check "$1: mount after the server renamed it" mount_lcfs allow_migrate=0
	run lcctl list
	case $(cat $work/identity) in
	handle | inode)
		says conflict "$1: it is found again, and held" lcctl list r2.img
		check "$1: resolved" lcctl resolve --keep-cache r2.img
		random_file $work/r 2 5
		check "$1: an image renamed on the server has what the cache has" \
			cmp $work/r /mnt/lc/r2.img
		;;
	*)
		says missing "$1: it is missing, and kept" lcctl list r.img
		mv /export/images/r2.img /export/images/r.img
		umount_lcfs
		sleep 4
		check "$1: mount when it has its name again" mount_lcfs
		run lcctl list
		run lcctl resolve --keep-cache r.img
		random_file $work/r 2 5
		check "$1: nothing was lost" cmp $work/r /mnt/lc/r.img
		;;
	esac
	check "$1: umount" umount_lcfs
}

# The server stops under load: writes and syncs go on, the rest waits, nothing is lost.
server_hangs()
{
	check "$1: mount" mount_lcfs
	truncate -s 16M /mnt/lc/h.img
	"$here/verifier" init $work/journal 1 32768 9
	check "$1: writes" "$here/verifier" write -d -t 3 $work/journal /mnt/lc/h.img
	dd if=/dev/urandom of=$work/x bs=64k count=16 status=none
	# Open as a virtual machine has it. Writes of whole blocks need no backing store.
	exec 5<>/mnt/lc/h.img 6</mnt/lc/h.img
	stop_server
	check "$1: writes and syncs go on without the server" sh -c "timeout 60 dd if=$work/x \
		bs=64k oflag=direct conv=notrunc,fsync status=none >&5"
	check "$1: ... and are read again" sh -c "timeout 60 dd bs=64k count=16 iflag=direct \
		status=none <&6 | cmp - $work/x"
	exec 5>&- 6<&-
	check "$1: lcctl status answers" timeout 20 lcctl status
	check "$1: lcctl list answers" timeout 20 lcctl list
	check "$1: lcctl flush answers" timeout 20 lcctl flush
	sleep 5
	run timeout 20 lcctl status
	start_server
	check "$1: drain when the server is back" timeout 110 lcctl drain
	check "$1: the same on the server" cmp /mnt/lc/h.img /export/images/h.img
	check "$1: umount" umount_lcfs
	run journalctl --no-pager -o cat -b -t lcfs -n 10
}
