#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fsck.lcfs -C3 tells descriptor 3 how far it has come with a slow device, and ends with status 32
# when it is interrupted.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
requires_loop
group=/sys/fs/cgroup/blkio/lcfs-test-$$
[ -w /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device ] ||
	skip "there is no cgroup v1 blkio controller with throttling"

dirty_cache
umount_lcfs "$mnt"
attach "$cache" --direct-io=on
mkdir "$group"
cleanup_fn eventually 10 rmdir "$group"
echo "$(lsblk -dno MAJ:MIN "$loop" | tr -d ' ') 1500000" >"$group/blkio.throttle.read_bps_device"

# slow_fsck: in the group; its pid goes to $checker.
slow_fsck()
{
	mkfifo "$tmp/progress"
	exec 4<>"$tmp/progress"
	sh -c "echo \$\$ >'$group/cgroup.procs' && exec '$FSCK' -C3 '$loop' 3>'$tmp/progress'" \
		>"$tmp/out" 2>&1 &
	checker=$!
	cleanup_fn end_process $checker
}

slow_fsck
read -r line <&4 || fail "not a line of progress: $(cat "$tmp/out")"
echo "$line" | grep -qE "^1 [0-5] 6 $loop\$" || fail "progress: $line"
kill -INT $checker
status=0
wait $checker || status=$?
[ $status = 32 ] || fail "status $status: $(cat "$tmp/out")"
says cancelled
