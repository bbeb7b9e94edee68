# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Reads through the mount against a FUSE passthrough on the same backing file (loop_mt -p): of what
# the cache does not have, one after the other, and of what was just written. Then what a drain does
# to those who read meanwhile.

# read_files: $tmp/back/image, full of data that nobody has cached in memory.
read_files()
{
	rm -rf --one-file-system "$tmp"/back/.lcfs "$tmp"/back/image*
	dd if=/dev/zero of="$tmp/back/image" bs=1M count="$image_mb" oflag=direct \
		conv=fsync 2>/dev/null || die "$dir has no room"
	: >"$tmp/pass"
}

forget_pages()
{
	dd if="$tmp/back/image" iflag=nocache count=0 2>/dev/null
}

read_lcfs()
{
	rm -rf --one-file-system "$tmp/back/.lcfs"
	format_cache
	start_lcfs "$tmp/back"
	drain
	forget_pages
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$read_load")
	sample "$read_load" "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	leave_to "$read_undo"
}

read_pass()
{
	serve "$tmp/pass" "$LOOP_MT" -p "$tmp/back/image" "$tmp/pass"
	forget_pages
	# shellcheck disable=SC2046
	measure "$server" "$tmp/pass" $(load "$read_load")
	sample "$read_load" "$1" ref "$iops" "$cpu_server" "$cpu_client"
	leave_to "$read_undo"
}

# ---------------------------------------------------------------- what was just written

# The cache device has it, or the RAM buffers; the passthrough's disk has it.
written_load="--direct=1 --bs=4k --rw=write --ioengine=libaio --iodepth=32 --end_fsync=1"

# read_written PIDS FILE: writes it once, then reads at random.
read_written()
{
	# shellcheck disable=SC2086
	fio_size=64m fio_amount=--loops=1 measure "$1" "$2" $written_load
	fio_amount=
	# shellcheck disable=SC2046
	fio_size=64m measure "$1" "$2" $(load read-qd32)
	fio_size=
}

read_written_lcfs()
{
	fresh_lcfs
	read_written "$lcfs_pid" "$tmp/mnt/image"
	sample read-written "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	leave_to "$read_undo"
}

read_written_pass()
{
	fresh_back "$tmp/back"
	serve "$tmp/pass" "$LOOP_MT" -p "$tmp/back/image" "$tmp/pass"
	read_written "$server" "$tmp/pass"
	sample read-written "$1" ref "$iops" "$cpu_server" "$cpu_client"
	leave_to "$read_undo"
}

bar_read()
{
	row read-qd1 IOPS more 0.95 "4 KiB random read, not cached / FUSE passthrough"
	row read-qd32 IOPS more 0.95 "the same, 32 at a time"
	row seq-read MiB/s more 0.95 "1 MiB sequential read QD4, not cached / FUSE passthrough"
	row seq-read-buffered MiB/s more 0.95 "the same through the page cache, QD1"
	row read-written IOPS more - \
		"4 KiB random read QD32 of what was just written / FUSE passthrough"
	read_files
	read_undo=$nr_undo
	read_loads="read-qd1 read-qd32 seq-read seq-read-buffered"
	! is_tiny || read_loads="read-qd32 seq-read-buffered"
	for read_load in $read_loads; do
		pairwise "$read_load" "$pairs" read_lcfs read_pass
	done
	is_tiny || pairwise read-written "$few_pairs" read_written_lcfs read_written_pass
	fresh_back "$tmp/back"
}
