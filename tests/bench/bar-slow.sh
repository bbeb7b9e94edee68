# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes, 32 at a time, over a backing disk of 150 requests a second, against that
# disk itself. A burst that the cache holds.
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
	leave_to "$slow_undo"
}

slow_raw()
{
	in_group=$tmp/in-group
	# What is throttled comes in bursts: a short look sees none or one.
	kept_ms=$ms
	[ "$ms" -ge 1000 ] || ms=1000
	# shellcheck disable=SC2046
	measure - "$loop" --allow_mounted_write=1 --offset="$((image_mb + 256))m" --size=64m \
		$(load qd32)
	in_group=
	ms=$kept_ms
	sample slow "$1" ref "$iops" - "$cpu_client"
}

bar_slow()
{
	row slow IOPS more 300 "4 KiB random write QD32 / the backing disk of 150 IOPS"
	has_disk || { note slow "$no_disk"; return; }
	make_disk $((image_mb + 256)) 64
	slow_group "$loop" 150 ||
		{ note slow "no cgroup controller can throttle a block device here"; return; }
	slow_undo=$nr_undo
	pair=0
	while [ $pair -lt "$pairs" ]; do
		progress "slow $pair"
		in_turn $pair slow_lcfs slow_raw
		pair=$((pair + 1))
	done
}
