# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes, 32 at a time, over a backing disk of 150 requests a second, against that
# disk itself. A burst that the cache holds. Where the transport takes less than 600 times what the
# disk does, 85 % of what it takes are asked for.
. "$bench_src/disk.sh"

slow_lcfs()
{
	fresh_back "$tmp/slow/back"
	sync -f "$tmp/slow"
	format_cache
	start_lcfs "$tmp/slow/back" "$tmp/in-group"
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load qd32)
	sample slow "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	sample slow-times "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	leave_to "$slow_undo"
}

slow_raw()
{
	in_group=$tmp/in-group
	# What is throttled comes in bursts: a short look sees none or one.
	kept_ms=$ms
	[ "$ms" -ge 1000 ] || ms=1000
	# shellcheck disable=SC2046
	fio_size=64m measure - "$loop" --allow_mounted_write=1 --offset="$((image_mb + 256))m" \
		$(load qd32)
	in_group=
	ms=$kept_ms
	sample slow-times "$1" ref "$iops" - "$cpu_client"
	sample slow "$1" raw "$iops" - "$cpu_client"
	slow_raw_iops=$iops
}

slow_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load qd32)
	sample slow "$1" null "$iops" "$cpu_server" "$cpu_client"
	slow_null_iops=$iops
}

slow_pair()
{
	in_turn "$1" slow_lcfs slow_raw slow_null
	sample slow "$1" ref "$(awk -v raw="$slow_raw_iops" -v null="$slow_null_iops" \
		'BEGIN { a = 600 * raw; b = 0.85 * null; print a < b ? a : b }')"
}

bar_slow()
{
	row slow IOPS more 1 \
		"4 KiB random write QD32 / 600 times a disk of 150 IOPS, or 85 % of null"
	row slow-times IOPS more - "the same / the disk of 150 IOPS"
	has_disk || { note slow "$no_disk"; return; }
	make_disk $((image_mb + 256)) 64
	slow_group "$loop" 150 || { note slow "$no_group"; return; }
	start_null
	slow_undo=$nr_undo
	pairwise slow "$pairs" slow_pair
}
