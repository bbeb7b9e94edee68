# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What a drain sends to the backing disk, as that disk has counted it: requests against distinct
# dirty blocks, of which some are adjacent and many were written several times.
. "$bench_src/disk.sh"

# On an empty cache, over an image that has all its blocks.
migrate_start()
{
	written_image 64
	format_cache
	start_lcfs "$tmp/slow/back"
}

# dirty WORDS...: writes with fio.
dirty()
{
	client timeout --foreground 300 fio --name=dirty --filename="$tmp/mnt/image" --direct=1 \
		--bs=4k --ioengine=libaio --iodepth=32 --allow_file_create=0 "$@" \
		>"$tmp/fio.out" 2>&1 || { cat "$tmp/fio.out" >&2; die "fio failed"; }
}

# drained: $requests that the disk got for $distinct blocks.
drained()
{
	set_knob flush_current_buffer 1
	distinct=$(knob nr_dirty_caches)
	from=$(written_to "$loop")
	drain
	requests=$(($(written_to "$loop") - from))
	leave_to "$migrate_undo"
}

# largest_request DEVICE: KiB. lcfs sends up to 1 MiB; its pages are anywhere in memory.
largest_request()
{
	awk -v most=1024 '
	FNR == 1 { v = FILENAME ~ /max_segments$/ ? $1 * 4 : $1; if (v < most) most = v }
	END { print most }' "/sys/block/${1#/dev/}/queue/max_segments" \
		"/sys/block/${1#/dev/}/queue/max_sectors_kb"
}

# What is merged is in segments that are full, thanks to what is written last.
bar_migrate()
{
	row migrate requests less 1 "requests to the disk / distinct dirty blocks, a tenth dirty"
	row merge requests less 1.25 "requests to the disk / largest it takes, of 18 dirty MiB"
	has_disk || { note migrate "$no_disk"; return; }
	make_disk 128 0
	migrate_undo=$nr_undo
	pair=0
	while [ $pair -lt "$few_pairs" ]; do
		progress "migrate $pair"
		migrate_start
		dirty --rw=randwrite --size=64m --io_size=8m --norandommap --randrepeat=0
		drained
		sample migrate $pair lcfs "$requests"
		sample migrate $pair ref "$distinct"
		migrate_start
		dirty --rw=randwrite --size=16m --loops=2
		dirty --rw=write --offset=32m --size=2m
		drained
		[ "$distinct" -le 4609 ] || die "$distinct blocks are dirty, more than were written"
		sample merge $pair lcfs "$requests"
		sample merge $pair ref "$(calc "18 * 1024 / $(largest_request "$loop")")"
		pair=$((pair + 1))
	done
}
