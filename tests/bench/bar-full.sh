# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# A burst larger than the cache, over a disk of 150 requests a second: once the cache is full, a
# writer is to be no slower than without it. lcfs migrates as it does by default.
. "$bench_src/disk.sh"

# Over an image that has all its blocks, on a full cache.
full_start()
{
	written_image "$full_mb"
	format_cache
	lcfs_options=allow_migrate=1 start_lcfs "$tmp/slow/back" "$tmp/in-group"
	fio_amount="--io_size=${small_mb}m"
	! is_tiny || fio_amount=--io_size=4m
	# shellcheck disable=SC2046
	fio_size=${full_mb}m measure "$lcfs_pid" "$tmp/mnt/image" $(load "$1")
	fio_amount=
}

full_lcfs()
{
	full_start "$full_load"
	# shellcheck disable=SC2046
	fio_size=${full_mb}m measure "$lcfs_pid" "$tmp/mnt/image" $(load "$full_load")
	sample "$full_row" "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	kill_lcfs
	leave_to "$full_undo"
}

full_raw()
{
	in_group=$tmp/in-group
	# shellcheck disable=SC2046
	fio_size=${full_mb}m measure - "$loop" --allow_mounted_write=1 \
		--offset="$((full_mb + 64))m" $(load "$full_load")
	in_group=
	sample "$full_row" "$1" ref "$iops" - "$cpu_client"
}

# full_rows ROW LOAD: looks for several seconds: what is throttled comes in bursts.
full_rows()
{
	full_row=$1
	full_load=$2
	kept_ms=$ms
	ms=$((ms * 3))
	pairwise "$1" "$few_pairs" full_lcfs full_raw
	ms=$kept_ms
}

bar_full()
{
	row full-random IOPS more 1 "4 KiB random write QD32, the cache full / a disk of 150 IOPS"
	row full-seq MiB/s more 0.95 "1 MiB sequential write QD4, the cache full / the same disk"
	has_disk || { note full-random "$no_disk"; return; }
	full_mb=$((small_mb * 4))
	make_disk $((full_mb + 64)) "$full_mb"
	slow_group "$loop" 150 || { note full-random "$no_group"; return; }
	with_small_cache "$small_mb"
	full_undo=$nr_undo
	full_rows full-random qd32
	is_tiny || full_rows full-seq seq-write
}
