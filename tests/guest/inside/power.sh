# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The power goes, again and again, while images are written: what was acknowledged to the outside is
# there, and nothing half. The disks forget what was not flushed.

blocks=4096

acked_of()
{
	echo ",${acked:-}," | sed -n "s/.*,$1=\([0-9]*\),.*/\1/p"
}

# verify INDEX KIND FILE: its highest version goes to $highest.
verify()
{
	want=$(acked_of "$1")
	run "$here/acked" check "$2" "${want:-0}" $blocks "$3"
	if [ $status = 0 ]; then
		ok "$3 has all up to ${want:-0}"
	else
		not_ok "$3: lost or mixed: acknowledged is ${want:-0}"
	fi
	highest=$(tail -n 1 $out)
}

mount_all()
{
	mount $store_disk /srv/images || not_ok "the store"
	check "mount" lcfs -o "cache=$cache_disk" /srv/images /mnt/lc
	run journal_of_lcfs -b
	loop=$(losetup -f --show --direct-io=on /mnt/lc/disk.img)
	run e2fsck -p "$loop"
	[ $status -le 1 ] || not_ok "e2fsck -p: $status"
	check "fsck after the journal's replay" e2fsck -fn "$loop"
	check "mount of the image" mount -o noatime "$loop" /data
}

first_time()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv/images /mnt/lc /data
	mount $store_disk /srv/images
	mkfs.lcfs -q $cache_disk
	truncate -s $((blocks * 4096)) /srv/images/0.img /srv/images/1.img
	truncate -s 64M /srv/images/disk.img
	# Smaller blocks than the writer's would be torn by right.
	mkfs.ext4 -q -b 4096 /srv/images/disk.img
	sync
	umount /srv/images
}

any_phase()
{
	[ "$phase" != 1 ] || first_time
	mount_all
	if [ "$phase" = 1 ]; then
		dd if=/dev/zero of=/data/2.img bs=4096 count=$blocks conv=fsync status=none
		sync -f /data
		# The name, too.
		lcctl flush
	fi
	verify 0 prefix /mnt/lc/0.img
	zero=$highest
	verify 1 prefix /mnt/lc/1.img
	one=$highest
	verify 2 synced /data/2.img
	two=$highest
	lacks 'conflict|missing|error' "the images are well" lcctl list -H
}

cut_phase()
{
	any_phase
	echo "@cut $((1000 + $(od -An -N2 -tu2 /dev/urandom) % 5000))"
	"$here/acked" write /dev/ttyS1 $blocks \
		"0=/mnt/lc/0.img@$zero" "1=/mnt/lc/1.img@$one" "2=/data/2.img@$two"
	not_ok "the writer ended"
	sleep 30
}

final_phase()
{
	any_phase
	check "drain" lcctl drain
	umount /data
	losetup -d "$loop"
	check "umount" lcctl umount
	verify 0 prefix /srv/images/0.img
	verify 1 prefix /srv/images/1.img
}

rounds=$(sed -n 's/.*lcfs.rounds=\([0-9]*\).*/\1/p' /proc/cmdline)
i=1
while [ $i -le "${rounds:-12}" ]; do
	eval "phase_$i() { cut_phase; }"
	i=$((i + 1))
done

eval "phase_$i() { final_phase; }"
