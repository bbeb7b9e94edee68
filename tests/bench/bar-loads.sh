# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Other loads, without bars: 4 KiB random writes by each of fio's ways and depths against the null
# filesystem; streams, a mix of reads and writes, and bursts that are larger than the RAM buffers,
# against a FUSE passthrough to the fast disk and against the cache device itself.

loads_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$loads_load")
	sample "$loads_row" "$1" lcfs "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
	leave_to "$loads_undo"
}

loads_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load "$loads_load")
	sample "$loads_row" "$1" ref "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
}

# The long mode has them all; those that bars are about are in bar-write.sh.
loads_ways()
{
	if is_long; then
		echo psync-1x4 libaio-1x1 libaio-1x4 libaio-4x1 libaio-4x4 io_uring-1x1 \
			io_uring-1x4 io_uring-4x1 io_uring-4x4 io_uring-32x1 io_uring-32x4
	elif is_tiny; then
		echo io_uring-4x1
	else
		echo psync-1x4 libaio-4x1 io_uring-32x4
	fi
}

loads_matrix()
{
	start_null
	loads_undo=$nr_undo
	for loads_load in $(loads_ways); do
		loads_row=write-$loads_load
		row "$loads_row" kIOPS more - \
			"4 KiB random write, engine-depth x jobs / null filesystem"
		pairwise "$loads_row" "$few_pairs" loads_lcfs loads_null
	done
}

# ---------------------------------------------------------------- against the fast disk

# disk_measure PIDS FILE: what is read has been written.
disk_measure()
{
	case $loads_load in
	mixed)
		fio_size=64m fio_amount=--loops=1 measure "$1" "$2" --direct=1 --rw=write \
			--bs=1m --ioengine=libaio --iodepth=4
		fio_amount=
		;;
	esac
	# shellcheck disable=SC2046
	measure "$1" "$2" $(load "$loads_load")
}

disk_lcfs()
{
	fresh_lcfs
	disk_measure "$lcfs_pid" "$tmp/mnt/image"
	sample "$loads_row" "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	leave_to "$loads_undo"
}

disk_pass()
{
	fresh_back "$tmp/back"
	serve "$tmp/pass" "$LOOP_MT" -p "$tmp/back/image" "$tmp/pass"
	disk_measure "$server" "$tmp/pass"
	sample "$loads_row" "$1" ref "$iops" "$cpu_server" "$cpu_client"
	leave_to "$loads_undo"
}

disk_raw()
{
	# shellcheck disable=SC2046
	fio_size=$((cache_mb / 2))m measure - "$cache" $(load "$loads_load")
	sample "$loads_row" "$1" ref "$iops" - "$cpu_client"
}

# disk_rows ROW LOAD UNIT TITLE REF
disk_rows()
{
	loads_row=$1
	loads_load=$2
	row "$1" "$3" more - "$4"
	pairwise "$1" "$few_pairs" disk_lcfs "$5"
}

# ---------------------------------------------------------------- bursts

# Ten times the RAM buffers: what is not in them has been written.
burst()
{
	fio_amount="--io_size=640m"
	# shellcheck disable=SC2046
	measure "$1" "$2" $(load qd32)
	fio_amount=
}

burst_lcfs()
{
	fresh_lcfs
	burst "$lcfs_pid" "$tmp/mnt/image"
	sample burst "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	leave_to "$loads_undo"
}

burst_null()
{
	burst "$null_pid" "$tmp/null/image"
	sample burst "$1" ref "$iops" "$cpu_server" "$cpu_client"
}

bar_loads()
{
	loads_matrix
	: >"$tmp/pass"
	disk_rows mixed mixed IOPS \
		"70 % reads, 30 % writes, 4 KiB random QD32 / FUSE passthrough" disk_pass
	is_tiny && return
	row burst IOPS more - "640 MiB of 4 KiB random writes, RAM buffers 64 MiB / null filesystem"
	pairwise burst "$few_pairs" burst_lcfs burst_null
	disk_rows seq-write seq-write MiB/s "1 MiB sequential write QD4 / FUSE passthrough" \
		disk_pass
	disk_rows cache-seq-write seq-write MiB/s "the same / the cache device" disk_raw
	! is_long || disk_rows cache-qd1 qd1 IOPS "4 KiB random write / the cache device" disk_raw
	disk_rows cache-qd32 qd32 IOPS "4 KiB random write QD32 / the cache device" disk_raw
	disk_rows cache-fdatasync fdatasync IOPS "4 KiB write + fdatasync / the cache device" \
		disk_raw
}
