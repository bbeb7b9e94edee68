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
lcfs_options='ram_buffers=8,config=none'
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

# start_machine STORE TRACE: its disks are files of STORE; the last one is mounted.
start_machine()
{
	set -- "$1" "$2" "cache.img=$cache_size" "disk.img=$disk_size"
	[ "${caches:-1}" = 1 ] || set -- "$@" "cache2.img=$cache_size"
	"$BLOCKFILE" -f -t "$2" "$1" "$stand" "$3" "$4" ${5+"$5"} &
	stand_pid=$!
	soon has_fs "$stand" fuse.blockfile || fail "blockfile does not serve"
	disk_loop=$(losetup -f --show --direct-io=on "$stand/disk.img") || fail "losetup"
}

mount_disk()
{
	# shellcheck disable=SC2086 # options
	quietly mount $disk_options "$disk_loop" "$disk"
}

# begin_small_machine: with an empty cache, $disk/images, and 1 MiB of $tmp/data. Its filesystem
# commits nothing but by a sync.
begin_small_machine()
{
	cache_size=32M
	disk_size=64M
	disk_options='-t ext4 -o commit=1000'
	mkdir "$ram/store" "$ram/after"
	restart_machine
	start_machine "$ram/store" "$ram/trace"
	quietly mkfs.ext4 -qF "$disk_loop"
	mount_disk
	mkdir "$disk/images"
	quietly "$MKFS" -q --segment-order=9 "$stand/cache.img"
	random_file "$tmp/data" 1048576 1
}

# write_to NAME: the first three blocks of the data, from the sixth on.
write_to()
{
	dd if="$tmp/data" of="$mnt/$1" bs=4096 count=3 seek=5 conv=notrunc 2>/dev/null
}

# flush_log: not an image, whose sync would commit all of the backing filesystem.
flush_log()
{
	echo 1 >"$mnt/.lcctl/flush"
}

# cut_power: of the small machine; it starts again with what was durable.
cut_power()
{
	echo cut >"$stand/mark"
	break_machine || :
	"$STATE" "$ram/trace" cut "$ram/after" "$ram/marks"
	restart_machine
	start_machine "$ram/after" "$ram/trace.after"
	mount_disk
	start_lcfs
}

# cache_is FILE [loop]: $lcfs_cache is that file, or a loop device on it.
cache_is()
{
	lcfs_cache=$stand/$1
	[ "${2:-}" = loop ] || return 0
	lcfs_cache=$(losetup -f --show --direct-io=on "$stand/$1") || fail "losetup"
	cache_loops="$cache_loops $lcfs_cache"
}

# start_lcfs [loop]: with all caches there are, which are the files, or loop devices on them.
start_lcfs()
{
	cache_loops=
	set -- "${1:-}" "$lcfs_options"
	if [ "${caches:-1}" = 2 ]; then
		cache_is cache2.img "$1"
		set -- "$1" "$2,cache=$lcfs_cache"
	fi
	cache_is cache.img "$1"
	start_lcfs_with "cache=$lcfs_cache,$2"
	has_fs "$mnt" fuse.lcfs && return
	does_not_mount "$lcfs_status"
}

# start_lcfs_with OPTIONS: if it does not mount, $lcfs_status is how it has ended.
start_lcfs_with()
{
	"$LCFS" -f -o "$1" "$disk/images" "$mnt" >>"$tmp/log" 2>&1 </dev/null &
	lcfs_pid=$!
	soon has_started || fail "lcfs neither mounts nor ends"
	! has_fs "$mnt" fuse.lcfs || return 0
	lcfs_status=0
	wait "$lcfs_pid" || lcfs_status=$?
	lcfs_pid=
}

detach_caches()
{
	for loop in ${cache_loops:-}; do
		losetup -d "$loop"
	done
	cache_loops=
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
	detach_caches
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
	detach_caches
	umount -l "$disk" 2>/dev/null
	[ -z "${disk_loop:-}" ] || losetup -d "$disk_loop"
	umount -l "$stand" 2>/dev/null
	[ -z "${stand_pid:-}" ] || end_process "$stand_pid" 2>/dev/null
	inner_loop='' lcfs_pid='' disk_loop='' stand_pid=''
}
cleanup_fn break_machine
