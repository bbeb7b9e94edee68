# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What a writer of one image loses while somebody syncs another one after every write: a stream of
# 1 MiB writes, 4 at a time. Both run on the processors of this machine, lcfs and fio included: what
# the same costs on the null filesystem is a row without a bar.

# beside_syncs MNT: syncs the second image there until the end of the side.
beside_syncs()
{
	# shellcheck disable=SC2046
	fio --name=beside --filename="$1/image1" --allow_file_create=0 --size=16m --time_based \
		--runtime=300 $(load fdatasync) >"$tmp/beside.out" 2>&1 </dev/null &
	beside=$!
	undo end_beside "$beside"
}

end_beside()
{
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null || :
}

# beside_stream PAIR SIDE
beside_stream()
{
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image0" $(load seq-write)
	sample beside "$1" "$2" "$iops" "$cpu_server" "$cpu_client"
}

beside_alone()
{
	fresh_images 2 "$image_mb"
	beside_stream "$1" ref
	leave_to "$beside_undo"
}

beside_both()
{
	fresh_images 2 "$image_mb"
	beside_syncs "$tmp/mnt"
	beside_stream "$1" lcfs
	leave_to "$beside_undo"
}

bar_beside()
{
	row beside MiB/s more 0.80 "a stream beside an image that syncs each write / alone"
	beside_undo=$nr_undo
	pairwise beside "$pairs" beside_alone beside_both
	fresh_back "$tmp/back"
}
