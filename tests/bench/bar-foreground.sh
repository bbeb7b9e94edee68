# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What migration does to those who read at the same time: the time that 99 of 100 reads of what is
# not cached take at most, one after the other. On the disk that has the cache as well, where it is
# told to migrate at once; and on a disk with an arm (see loop_mt.c), where each request of
# migration is in the way: as it does by default, and told so.

# foreground_burst FILE: what is to be migrated, in the upper half.
foreground_burst()
{
	fio_size=$((foreground_mb / 2))m
	fio_amount="--io_size=$((foreground_mb / 4))m"
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" --offset="$((foreground_mb / 2))m" $(load qd32)
	fio_amount=
	fio_size=
	set_knob flush_current_buffer 1
}

# foreground_reads PAIR SIDE: in the lower half. An arm needs a longer look, which begins when lcfs
# has had the time to see that its disk is busy.
foreground_reads()
{
	fio_size=$((foreground_mb / 2))m
	if [ "$foreground_row" = reads-migrating ]; then
		# shellcheck disable=SC2046
		measure "$lcfs_pid" "$tmp/mnt/image" $(load read-qd1)
	else
		# shellcheck disable=SC2046
		ms=$((kept_ms * 2)) measure "$lcfs_pid" "$tmp/mnt/image" $(load read-qd1) \
			--ramp_time=3s
		ms=$kept_ms
	fi
	fio_size=
	sample "$foreground_row" "$1" "$2" "$p99"
}

foreground_start()
{
	rm -rf --one-file-system "$foreground_back/.lcfs"
	[ "$foreground_row" = reads-migrating ] ||
		serve "$foreground_back/image" "$LOOP_MT" -d "$tmp/arm" "$foreground_back/image"
	format_cache
	start_lcfs "$foreground_back"
	drain
	foreground_burst
}

foreground_alone()
{
	foreground_start
	foreground_reads "$1" ref
	foreground_end
}

foreground_both()
{
	foreground_start
	set_knob allow_migrate 1
	[ "$foreground_row" = reads-arm ] || set_knob force_migrate 1
	foreground_reads "$1" lcfs
	[ "$(knob nr_dirty_caches)" != 0 ] || foreground_early=yes
	foreground_end
}

# What is dirty would be this cache's at the next start: another file takes its place.
foreground_end()
{
	kill_lcfs
	leave_to "$foreground_undo"
	foreground_file
}

# The blocks are there. With an arm, they are in $tmp/arm, and what is mounted over is empty.
foreground_file()
{
	rm -f "$foreground_back/image"
	if [ "$foreground_row" = reads-migrating ]; then
		dd if=/dev/zero of="$foreground_back/image" bs=1M count="$foreground_mb" \
			oflag=direct 2>/dev/null
	else
		rm -f "$tmp/arm"
		truncate -s "${foreground_mb}M" "$tmp/arm" "$foreground_back/image"
	fi
}

# foreground_rows ROW DIR MIB
foreground_rows()
{
	foreground_row=$1
	foreground_back=$2
	foreground_mb=$3
	foreground_early=
	kept_ms=$ms
	mkdir -p "$2"
	foreground_file
	pairwise "$1" "$few_pairs" foreground_alone foreground_both
	[ -z "$foreground_early" ] || note "$1" "migration was over before the reads were"
	rm -rf --one-file-system "$2/.lcfs" "$2/image"
}

bar_foreground()
{
	row reads-migrating us less 2 "99 % of reads take at most, during migration / without"
	row reads-arm us less 2 "the same on a disk with an arm, that is never idle"
	! is_long || row reads-arm-forced us less - "the same, with force_migrate"
	foreground_undo=$nr_undo
	foreground_rows reads-migrating "$tmp/back" "$image_mb"
	is_tiny && return
	foreground_rows reads-arm "$tmp/arm-back" 64
	! is_long || foreground_rows reads-arm-forced "$tmp/arm-back" 64
}
