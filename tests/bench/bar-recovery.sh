# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# The daemon is killed with so many MiB of dirty segments: until the next mount serves.

# The command ends when the mount serves.
recover()
{
	from=$(date +%s%N)
	serve "$tmp/mnt" "$LCFS" -f -o "cache=$cache,allow_migrate=0" "$tmp/back" "$tmp/mnt"
	lcfs_pid=$server
	until_ns=$(date +%s%N)
	sample recovery "$1" lcfs "$(calc "($until_ns - $from) / 1e9")" \
		"$(calc "$(cpu_ms "$lcfs_pid") * 1000 / ($dirty_mb * 256)")"
	sample recovery "$1" ref "$(calc "$dirty_mb / 4096")"
}

bar_recovery()
{
	row recovery s less 1 "recovery of $dirty_mb MiB of dirty segments / 1 s for 4 GiB"
	recovery_undo=$nr_undo
	fresh_lcfs "$((dirty_mb * 4))"
	fio_size=$((dirty_mb * 4))m
	fio_amount="--io_size=${dirty_mb}m"
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load qd32)
	fio_size=
	fio_amount=
	note recovery "$(knob nr_dirty_caches) dirty blocks"
	pair=0
	while [ $pair -lt "$few_pairs" ]; do
		progress "recovery $pair"
		kill_lcfs
		leave_to "$recovery_undo"
		recover $pair
		pair=$((pair + 1))
	done
	leave_to "$recovery_undo"
}
