# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# A GlusterFS replica of three bricks on this machine: alone, and below lcfs. The fast disk has the
# bricks; what a network adds is not in it.

gluster_bar()
{
	. "$bench_src/../gluster_lib.sh"
	requires_gluster
}

# What gluster_lib.sh wants of functions.sh.
requires()
{
	for command; do
		command -v "$command" >/dev/null ||
			skip "$command is not installed (see scripts/deps)"
	done
}

requires_root()
{
	:
}

fail()
{
	die "$@"
}

cleanup_fn()
{
	undo "$@"
}

gluster_lcfs()
{
	fresh_back "$gluster_back"
	format_cache
	lcfs_options=allow_migrate=1 start_lcfs "$gluster_back"
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$gluster_load")
	sample "gluster-$gluster_load" "$1" lcfs "$iops" "$cpu_server" "$cpu_client"
	kill_lcfs
	leave_to "$gluster_undo"
}

gluster_alone()
{
	fresh_back "$gluster_back"
	# shellcheck disable=SC2046
	measure "$(gluster_processes | tr '\n' ' ')" "$gluster_back/image" \
		$(load "$gluster_load")
	sample "gluster-$gluster_load" "$1" ref "$iops" "$cpu_server" "$cpu_client"
}

bar_gluster()
{
	gluster_loads="qd32 fdatasync"
	! is_long || gluster_loads="qd1 qd32 fdatasync"
	for gluster_load in $gluster_loads; do
		row "gluster-$gluster_load" IOPS more 1 \
			"4 KiB $gluster_load, lcfs on GlusterFS / GlusterFS"
	done
	why=$(gluster_bar) || { note gluster-qd32 "$why"; return; }
	. "$bench_src/../gluster_lib.sh"
	gluster_start "$tmp/gluster"
	gluster_back=$tmp/gluster/mnt/back
	mkdir "$gluster_back"
	gluster_undo=$nr_undo
	for gluster_load in $gluster_loads; do
		pairwise "gluster $gluster_load" "$few_pairs" gluster_lcfs gluster_alone
	done
}
