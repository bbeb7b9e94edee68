# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the recording and the looking of the power cut test share: sourced after functions.sh, in a
# mount namespace of one's own.

BLOCKFILE=$top_builddir/tests/stand/blockfile
LOAD=$top_builddir/tests/powercut/load
STATE=$top_builddir/tests/powercut/state
FSCK=$top_builddir/lcfs/tools/fsck.lcfs
ram=$tmp/ram
stand=$tmp/stand
disk=$tmp/disk
mnt=$tmp/mnt
inner=$tmp/inner
mkdir "$ram" "$stand" "$disk" "$mnt" "$inner"

# The namespace is a machine of its own: with its own RAM, which a restart loses.
cleanup_fn umount -l "$ram"
mount -t tmpfs -o mode=700 tmpfs "$ram"
mkdir -p /run/lcfs

# quietly COMMAND...: what it says is shown only if it fails.
quietly()
{
	"$@" >"$tmp/said" 2>&1 && return
	cat "$tmp/said"
	fail "$*"
}

# restart_machine: all RAM is new.
restart_machine()
{
	umount /run/lcfs 2>/dev/null || :
	quietly mount -t tmpfs -o mode=755 tmpfs /run/lcfs
	umount /proc/sys/kernel/random/boot_id 2>/dev/null || :
	cat /proc/sys/kernel/random/uuid >"$ram/boot_id"
	mount --bind "$ram/boot_id" /proc/sys/kernel/random/boot_id 2>/dev/null ||
		skip "no other boot can be made up here"
}

# soon COMMAND...: polls in short steps.
soon()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		! "$@" || return 0
		sleep 0.01
	done
	eventually 60 "$@"
}

# has_fs MNT TYPE: without a look at what is mounted there.
has_fs()
{
	grep -q " $1 $2 " /proc/self/mounts
}

# start_machine STORE TRACE: its two disks are files of STORE; the second one is mounted.
start_machine()
{
	"$BLOCKFILE" -f -t "$2" "$1" "$stand" "cache.img=$cache_size" "disk.img=$disk_size" &
	stand_pid=$!
	soon has_fs "$stand" fuse.blockfile || fail "blockfile does not serve"
	disk_loop=$(losetup -f --show --direct-io=on "$stand/disk.img") || fail "losetup"
}

mount_disk()
{
	# shellcheck disable=SC2086 # options
	quietly mount $disk_options "$disk_loop" "$disk"
}

# start_lcfs [loop]: the cache is the file, or a loop device on it.
start_lcfs()
{
	cache_loop=
	lcfs_cache=$stand/cache.img
	if [ "${1:-}" = loop ]; then
		cache_loop=$(losetup -f --show --direct-io=on "$stand/cache.img") || fail "losetup"
		lcfs_cache=$cache_loop
	fi
	"$LCFS" -f -o "cache=$lcfs_cache,ram_buffers=8,config=none" "$disk/images" "$mnt" \
		>>"$tmp/log" 2>&1 </dev/null &
	lcfs_pid=$!
	soon has_started || fail "lcfs neither mounts nor ends"
	has_fs "$mnt" fuse.lcfs && return
	wait_status=0
	wait "$lcfs_pid" || wait_status=$?
	lcfs_pid=
	does_not_mount $wait_status
}

# does_not_mount STATUS: a test may know what that means.
does_not_mount()
{
	fail "lcfs does not mount, and ends with $1"
}

has_started()
{
	has_fs "$mnt" fuse.lcfs || ! kill -0 "$lcfs_pid" 2>/dev/null
}

stop_lcfs()
{
	unmounted "$mnt"
	wait_status=0
	wait "$lcfs_pid" || wait_status=$?
	lcfs_pid=
	[ $wait_status = 0 ] || fail "lcfs ended with status $wait_status"
	[ -z "$cache_loop" ] || losetup -d "$cache_loop"
	cache_loop=
}

mount_inner()
{
	inner_loop=$(losetup -f --show --direct-io=on "$mnt/vm.img") || fail "losetup vm.img"
	quietly mount "$inner_loop" "$inner"
}

unmount_inner()
{
	unmounted "$inner"
}

detach_inner()
{
	losetup -d "$inner_loop"
	inner_loop=
}

stop_machine()
{
	unmounted "$disk"
	losetup -d "$disk_loop"
	disk_loop=
	unmounted "$stand"
	wait "$stand_pid" || fail "blockfile ended with status $?"
	stand_pid=
}

quiet_umount()
{
	timeout 60 umount "$1" 2>/dev/null
}

# unmounted MNT: a device that is being let go of may keep it for a moment.
unmounted()
{
	soon quiet_umount "$1" || fail "$1 is in use"
}

# However it stands: all goes.
break_machine()
{
	umount -l "$inner" 2>/dev/null
	[ -z "${inner_loop:-}" ] || losetup -d "$inner_loop"
	umount -l "$mnt" 2>/dev/null
	if [ -n "${lcfs_pid:-}" ]; then
		kill -9 "$lcfs_pid"
		wait "$lcfs_pid" 2>/dev/null
	fi
	[ -z "${cache_loop:-}" ] || losetup -d "$cache_loop"
	umount -l "$disk" 2>/dev/null
	[ -z "${disk_loop:-}" ] || losetup -d "$disk_loop"
	umount -l "$stand" 2>/dev/null
	[ -z "${stand_pid:-}" ] || end_process "$stand_pid"
	inner_loop='' lcfs_pid='' cache_loop='' disk_loop='' stand_pid=''
}
cleanup_fn break_machine
