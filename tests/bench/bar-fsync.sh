# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB write and fdatasync, one job, against the sum of what cannot be saved: 8 KiB written and
# synced on the cache device, and a write and a sync on the null filesystem.

fsync_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load fdatasync)
	sample fsync "$1" lcfs "$us" "$cpu_server" "$cpu_client"
	leave_to "$fsync_undo"
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
}

bar_fsync()
{
	row fsync us less 1.3 "4 KiB write + fdatasync / raw 8 KiB + null filesystem"
	start_null
	fsync_undo=$nr_undo
	pair=0
	while [ $pair -lt "$pairs" ]; do
		progress "fsync $pair"
		in_turn $pair fsync_lcfs fsync_raw fsync_null
		sample fsync $pair ref "$(calc "$fsync_raw_us + $fsync_null_us")" \
			"$fsync_null_server" "$(calc "$fsync_raw_cpu + $fsync_null_cpu")"
		pair=$((pair + 1))
	done
}
