# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes, and writes each with an fdatasync, against what else there is without a
# kernel module: over a disk of 150 requests a second, and on a fast disk. lcfs is as by default.
. "$bench_src/disk.sh"
. "$bench_src/peers.sh"

# peers_sample PEER PAIR SIDE
peers_sample()
{
	sample "$1-$peers_load" "$2" "$3" "$iops" "$cpu_server" "$cpu_client"
}

# peers_lcfs PAIR BACK [COMMAND]
peers_lcfs()
{
	turn_of=$1
	shift
	fresh_back "$1"
	format_cache
	lcfs_options=allow_migrate=1 start_lcfs "$@"
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$peers_load")
	for peer in $peers; do
		peers_sample "$peer" "$turn_of" lcfs
	done
	kill_lcfs
	leave_to "$peers_undo"
}

peers_lcfs_slow()
{
	peers_lcfs "$1" "$tmp/slow/back" "$tmp/in-group"
}

peers_lcfs_fast()
{
	peers_lcfs "$1" "$tmp/back"
}

# peers_other PEER PAIR: one that does not work is told once.
peers_other()
{
	[ ! -e "$tmp/without-$1" ] || return 0
	if "peer_$1"; then
		# shellcheck disable=SC2046
		measure "$peer_pids" "$peer_file" $(load "$peers_load")
		peers_sample "$1" "$2" ref
	else
		note "$1-$peers_load" "$peer_why"
		: >"$tmp/without-$1"
	fi
	leave_to "$peers_undo"
}

peers_raw()
{
	peers_other raw "$1"
}

peers_qcow2()
{
	peers_other qcow2 "$1"
}

peers_nbdkit()
{
	peers_other nbdkit "$1"
}

peers_passthrough()
{
	peers_other passthrough "$1"
}

# peers_rows PEER TITLE
peers_rows()
{
	for peers_load in $peers_loads; do
		row "$1-$peers_load" IOPS more 1 "4 KiB $peers_load / $2"
	done
}

# peers_pairs COMMAND...
peers_pairs()
{
	peers_undo=$nr_undo
	for peers_load in $peers_loads; do
		pairwise "peers $peers_load" "$few_pairs" "$@"
	done
}

peers_slow()
{
	peers="raw qcow2 nbdkit"
	has_disk || { note raw-fdatasync "$no_disk"; return; }
	make_disk $((image_mb * 2 + 64)) 64
	written_image "$image_mb"
	mkdir "$tmp/slow/peer"
	mv "$tmp/slow/back/image" "$tmp/slow/peer/image"
	slow_group "$loop" 150 || { note raw-fdatasync "$no_group"; return; }
	peers_pairs peers_lcfs_slow peers_raw peers_qcow2 peers_nbdkit
	leave_to "$peers_start"
}

peers_fast()
{
	peers=passthrough
	mkdir -p "$tmp/pass-back"
	peers_pairs peers_lcfs_fast peers_passthrough
}

bar_peers()
{
	peers_loads="qd32 fdatasync"
	! is_long || peers_loads="qd1 qd32 fdatasync"
	! is_tiny || peers_loads=fdatasync
	peers_rows raw "the image on a disk of 150 IOPS, exported by qemu-storage-daemon"
	peers_rows qcow2 "a qcow2 overlay on the fast disk, over that"
	peers_rows nbdkit "nbdkit with its cache filter on the fast disk, over that, nbdfuse"
	peers_rows passthrough "FUSE passthrough to the fast disk"
	peers_start=$nr_undo
	peers_slow
	peers_fast
}
