# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The scripts for bpftrace attach to the installed program, and count what was done.

# attached FILE: bpftrace says what its BEGIN prints when all probes are there.
attached()
{
	grep -q 'until ^C' "$1"
}

# of SCRIPT OUTPUT COMMAND...: traces COMMAND.
of()
{
	bpftrace "$1" >"$2" 2>&1 </dev/null &
	tracer=$!
	eventually 120 attached "$2" || not_ok "bpftrace starts: $(cat "$2")"
	shift 2
	sh -c "$*" >/dev/null 2>&1
	sleep 1
	kill -INT $tracer
	wait $tracer
}

phase_1()
{
	mkfs.ext4 -q $store_disk
	mkdir -p /srv/images /mnt/lc
	mount $store_disk /srv/images
	mkfs.lcfs -q $cache_disk
	check "mount" lcfs -o "cache=$cache_disk,allow_migrate=0" /srv/images /mnt/lc
	truncate -s 8M /mnt/lc/vm1.img

	of "$here/trace/lcfs-requests.bt" $work/requests \
		dd if=/dev/urandom of=/mnt/lc/vm1.img bs=4k count=100 oflag=direct \
		conv=notrunc,fsync
	run cat $work/requests
	writes=$(sed -n 's/^@requests\[write, 1\]: //p' $out)
	syncs=$(sed -n 's/^@requests\[sync, 1\]: //p' $out)
	equals 100 "100 writes are 100" echo "$writes"
	equals 1 "one sync is one" echo "$syncs"
	says '@microseconds[write]' "how long they took" cat $work/requests

	of "$here/trace/lcfs-store.bt" $work/store \
		"dd if=/dev/urandom of=/mnt/lc/vm1.img bs=4k count=50 oflag=direct,dsync" \
		"conv=notrunc; lcctl drain"
	run cat $work/store
	says '@microseconds[log write]' "writes of the log" cat $work/store
	says '@microseconds[flush of the cache device]' "flushes" cat $work/store
	says '@microseconds[backing file write]' "migration" cat $work/store
	says '@microseconds[backing file sync]' "syncs of backing files" cat $work/store
	lacks '@errors' "no errors" cat $work/store
	check "umount" lcctl umount
}
