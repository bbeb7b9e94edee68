# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes through the mount, against a null filesystem on the same transport, and
# against one on libfuse's own loop.

write_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$write_load")
	leave_to "$write_undo"
	write_sample lcfs write "$1"
	write_sample lcfs loopmt "$1"
	write_cpu lcfs cpu "$1"
	write_cpu lcfs loopmt-cpu "$1"
}

write_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load "$write_load")
	write_sample ref write "$1"
	write_cpu ref cpu "$1"
}

write_loop_mt()
{
	# shellcheck disable=SC2046
	measure "$loop_pid" "$tmp/loop" $(load "$write_load")
	write_sample ref loopmt "$1"
	write_cpu ref loopmt-cpu "$1"
}

# write_sample SIDE KIND PAIR
write_sample()
{
	sample "$2-$write_load" "$3" "$1" "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
}

# write_cpu SIDE KIND PAIR: what the filesystem's own process takes.
write_cpu()
{
	sample "$2-$write_load" "$3" "$1" "$cpu_server"
}

# write_rows LOAD NULL LOOPMT LOOPMT-CPU: what each needs.
write_rows()
{
	write_load=$1
	row "write-$1" kIOPS more "$2" "4 KiB random write / null filesystem"
	row "cpu-$1" us less 1.25 "processor time of the daemon a write / null filesystem"
	row "loopmt-$1" kIOPS more "$3" "4 KiB random write / null filesystem on libfuse's loop"
	row "loopmt-cpu-$1" us less "$4" "processor time of the daemon a write / the same"
	pairwise "write-$1" "$pairs" write_lcfs write_null write_loop_mt
}

bar_write()
{
	start_null
	start_loop_mt
	write_undo=$nr_undo
	write_rows qd1 0.90 1.1 -
	! is_long || write_rows qd32 0.80 - -
	write_rows qd32x4 0.85 0.9 1
}
