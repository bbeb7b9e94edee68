# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# The time a drain takes, against writing the same blocks to the same disk as they came: 4 KiB at
# random places of a region, each block once, a quarter of the region (dense) or a hundredth of it
# (sparse). On a disk of 150 requests a second; and on one with an arm, where what is sorted costs
# less (see loop_mt.c).
. "$bench_src/disk.sh"

# drain_load REGION_MIB SHARE: words for fio; SHARE-th part of the region.
drain_load()
{
	echo "--direct=1 --bs=4k --rw=randwrite --randrepeat=1 --ioengine=libaio" \
		"--iodepth=32 --size=$1m --io_size=$(($1 * 1024 / $2))k"
}

# drain_fio COMMAND...: fio for a burst; $seconds.
drain_fio()
{
	# shellcheck disable=SC2046
	client timeout --foreground 300 "$@" --name=drain --allow_file_create=0 --minimal \
		--terse-version=3 $(drain_load "$drain_mb" "$drain_share") \
		>"$tmp/fio.out" 2>"$tmp/fio.err" || fio_failed "$*"
	terse "$tmp/fio.out" 1 >"$tmp/fio.result" || fio_failed "no result: $*"
	read -r iops seconds cpu_client p99 <"$tmp/fio.result"
}

# drain_lcfs PAIR BACK [COMMAND]: what lies behind has been written once.
drain_start()
{
	rm -rf --one-file-system "$1/.lcfs"
	format_cache
	start_lcfs "$@"
	drain
	drain_fio fio --filename="$tmp/mnt/image"
	set_knob flush_current_buffer 1
}

drain_timed()
{
	drain_ops=$(knob nr_dirty_caches)
	drain_cpu=$(cpu_ms "$lcfs_pid")
	from=$(date +%s%N)
	drain
	until_ns=$(date +%s%N)
	sample "$drain_row" "$1" lcfs "$(calc "($until_ns - $from) / 1e9")" \
		"$(calc "($(cpu_ms "$lcfs_pid") - $drain_cpu) * 1000 / $drain_ops")"
	leave_to "$drain_undo"
}

drain_lcfs()
{
	drain_start "$tmp/slow/back" "$tmp/in-group"
	drain_timed "$1"
}

drain_raw()
{
	drain_fio "$tmp/in-group" fio --filename="$loop" --allow_mounted_write=1 \
		--offset="$((drain_fs_mb + 64))m"
	sample "$drain_row" "$1" ref "$seconds"
}

# drain_rows ROW REGION_MIB SHARE
drain_rows()
{
	drain_row=$1
	drain_mb=$2
	drain_share=$3
	pairwise "$1" "$few_pairs" drain_lcfs drain_raw
}

# ---------------------------------------------------------------- the disk with an arm

arm_lcfs()
{
	serve "$tmp/arm-back/image" "$LOOP_MT" -d "$tmp/arm" "$tmp/arm-back/image"
	drain_start "$tmp/arm-back"
	drain_timed "$1"
}

arm_raw()
{
	serve "$tmp/arm-back/image" "$LOOP_MT" -d "$tmp/arm" "$tmp/arm-back/image"
	drain_fio fio --filename="$tmp/arm-back/image"
	sample "$drain_row" "$1" ref "$seconds"
	leave_to "$drain_undo"
}

arm_rows()
{
	drain_row=drain-seek
	drain_mb=$1
	drain_share=100
	mkdir -p "$tmp/arm-back"
	truncate -s "$1M" "$tmp/arm" "$tmp/arm-back/image"
	drain_undo=$nr_undo
	pairwise drain-seek "$few_pairs" arm_lcfs arm_raw
}

bar_drain()
{
	row drain-dense s less 0.25 "drain, a quarter dirty / the burst on a disk of 150 IOPS"
	row drain-sparse s less 1 "drain, a hundredth dirty / the same"
	row drain-seek s less 0.667 "drain, a hundredth dirty / the burst, on a disk with an arm"
	drain_dense_mb=16
	drain_sparse_mb=200
	! is_long || drain_dense_mb=32
	! is_tiny || drain_dense_mb=4
	! is_tiny || drain_sparse_mb=24
	arm_rows "$drain_sparse_mb"
	has_disk || { note drain-dense "$no_disk"; return; }
	drain_fs_mb=$((drain_sparse_mb + 16))
	make_disk "$((drain_fs_mb + 64))" "$drain_sparse_mb"
	written_image "$drain_sparse_mb"
	slow_group "$loop" 150 || { note drain-dense "$no_group"; return; }
	drain_undo=$nr_undo
	drain_rows drain-dense "$drain_dense_mb" 4
	is_tiny || drain_rows drain-sparse "$drain_sparse_mb" 100
}
