#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The backing directory is on a slow disk: a loop device that a cgroup holds to some requests a
# second. What is written through the cache is right, at once, after a remount, which does not wait
# for the disk, and in the end on the disk.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
requires_fs ext4
group=/sys/fs/cgroup/blkio/lcfs-test-$$
[ -w /sys/fs/cgroup/blkio/blkio.throttle.write_iops_device ] ||
	skip "there is no cgroup v1 blkio controller with throttling"

truncate -s 256M "$tmp/disk"
mkfs.ext4 -qF "$tmp/disk"
attach "$tmp/disk" --direct-io=on
mount_fs "$loop" "$tmp/slow"
mkdir "$tmp/slow/dir"
dir=$tmp/slow/dir
mnt=$tmp/mnt
mkdir "$mnt"
new_cache "$tmp/cache" --size=96M
truncate -s 64M "$dir/image"
sync -f "$dir"

# The daemon is in the group, and with it all that it writes to the disk.
mkdir "$group"
leave_group()
{
	while read -r process; do
		echo "$process" >/sys/fs/cgroup/blkio/cgroup.procs
	done <"$group/cgroup.procs"
	eventually 10 rmdir "$group"
}
cleanup_fn leave_group
device=$(lsblk -dno MAJ:MIN "$loop" | tr -d ' ')
echo "$device 150" >"$group/blkio.throttle.write_iops_device"
echo "$device 150" >"$group/blkio.throttle.read_iops_device"
cleanup_fn end_mount "$mnt"
works sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
	"$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"

# How fast it is, is shown and not judged: that depends on what else the machine does.
"$VERIFIER" init "$tmp/journal" 1 131072 1
start=$(date +%s%N)
"$VERIFIER" write -d -t 3 "$tmp/journal" "$mnt/image" >"$tmp/written" ||
	fail "the writer has failed"
writes=$(sed -n 's/.*: \([0-9]*\) writes.*/\1/p' "$tmp/written")
ms=$((($(date +%s%N) - start) / 1000000))
echo "$writes writes in $ms ms"
"$VERIFIER" check -d "$tmp/journal" "$mnt/image" || fail "wrong data"

# The end does not wait for the disk; the next mount has it all.
start=$(date +%s%N)
umount_lcfs "$mnt"
ms=$((($(date +%s%N) - start) / 1000000))
echo "unmounted in $ms ms"
works "$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"
"$VERIFIER" check "$tmp/journal" "$mnt/image" || fail "wrong data after a remount"
drain "$mnt"
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$dir/image" || fail "wrong data on the disk"
