# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes through the mount, against a null filesystem on the same transport.

write_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$write_load")
	sample "write-$write_load" "$1" lcfs "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
	leave_to "$write_undo"
}

write_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load "$write_load")
	sample "write-$write_load" "$1" ref "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
}

bar_write()
{
	start_null
	write_undo=$nr_undo
	for write_load in qd1 qd32; do
		row "write-$write_load" kIOPS more 0.80 "4 KiB random write / null filesystem"
		pair=0
		while [ $pair -lt "$pairs" ]; do
			progress "write-$write_load $pair"
			in_turn $pair write_lcfs write_null
			pair=$((pair + 1))
		done
	done
}
