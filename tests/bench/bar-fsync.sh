# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB write and fdatasync, by one job and by many.
#
# One job is held against the sum of what cannot be saved: 8 KiB written and synced on the cache
# device, and a write and a sync on the null filesystem. Of many jobs on one file the kernel lets
# only one sync at a time, so that there the null filesystem says what can be gained.

fsync_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load fdatasync)
	sample fsync "$1" lcfs "$us" "$cpu_server" "$cpu_client"
	leave_to "$fsync_undo"
	fsync_lcfs_iops=$iops
}

fsync_raw()
{
	# shellcheck disable=SC2046
	measure - "$cache" --offset=64m --size=64m $(load raw-fdatasync)
	sample fsync "$1" raw "$us" - "$cpu_client"
	fsync_raw_us=$us
	fsync_raw_cpu=$cpu_client
}

fsync_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load fdatasync)
	sample fsync "$1" null "$us" "$cpu_server" "$cpu_client"
	fsync_null_us=$us
	fsync_null_server=$cpu_server
	fsync_null_cpu=$cpu_client
	fsync_null_iops=$iops
}

fsync_sum()
{
	sample fsync "$1" ref "$(calc "$fsync_raw_us + $fsync_null_us")" \
		"$fsync_null_server" "$(calc "$fsync_raw_cpu + $fsync_null_cpu")"
}

# ---------------------------------------------------------------- many jobs

# fsync_jobs NR: on one image; how many times the rate of one job, which was measured before.
fsync_jobs_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "fdatasync-x$fsync_nr")
	sample "fsync-${fsync_nr}x1" "$1" lcfs "$(calc "$iops / $fsync_lcfs_iops")" \
		"$cpu_server" "$cpu_client"
	leave_to "$fsync_undo"
}

fsync_jobs_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load "fdatasync-x$fsync_nr")
	sample "fsync-${fsync_nr}x1" "$1" ref "$(calc "$iops / $fsync_null_iops")" \
		"$cpu_server" "$cpu_client"
}

# Each job on an image of its own, against one job.
fsync_images()
{
	fresh_images "$fsync_nr"
	# shellcheck disable=SC2046
	fio_size=$((image_mb / 16))m measure "$lcfs_pid" "$tmp/mnt" \
		$(load "fdatasync-x$fsync_nr")
	sample "fsync-${fsync_nr}x$fsync_nr" "$1" lcfs "$(calc "$iops / 1000")" "$cpu_server" \
		"$cpu_client"
	sample "fsync-${fsync_nr}x$fsync_nr" "$1" ref "$(calc "$fsync_lcfs_iops / 1000")"
	leave_to "$fsync_undo"
	fresh_back "$tmp/back"
}

fsync_many()
{
	for fsync_nr in $fsync_nrs; do
		in_turn "$1" fsync_jobs_lcfs fsync_jobs_null fsync_images
	done
}

# The one-job rates that the others need come first; how they are ordered changes all the same.
fsync_pair()
{
	in_turn "$1" fsync_lcfs fsync_raw fsync_null
	fsync_sum "$1"
	fsync_many "$1"
}

bar_fsync()
{
	row fsync us less 1.1 "4 KiB write + fdatasync / raw 8 KiB + null filesystem"
	row fsync-16x1 times more 0.9 "16 jobs on one image, against 1 / null filesystem"
	row fsync-16x16 kIOPS more 6 "write + fdatasync, 16 jobs on 16 images / 1 job"
	fsync_nrs=16
	if is_long; then
		fsync_nrs="4 16"
		row fsync-4x1 times more - "4 jobs on one image, against 1 / null filesystem"
		row fsync-4x4 kIOPS more - "write + fdatasync, 4 jobs on 4 images / 1 job"
	fi
	start_null
	fsync_undo=$nr_undo
	pairwise fsync "$pairs" fsync_pair
}
