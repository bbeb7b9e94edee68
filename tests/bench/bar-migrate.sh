# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What a drain sends to the backing disk, as that disk has counted it: requests against distinct
# dirty blocks, of which some are adjacent and many were written several times.
. "$bench_src/disk.sh"

# dirty WORDS...: writes with fio, on an empty cache over an image that has all its blocks.
dirty()
{
	rm -rf --one-file-system "$tmp/slow/back/.lcfs" "$tmp/slow/back/image"
	dd if=/dev/zero of="$tmp/slow/back/image" bs=1M count=64 oflag=direct 2>/dev/null
	sync -f "$tmp/slow"
	"$MKFS" -q --force "$cache"
	start_lcfs "$tmp/slow/back"
	client timeout --foreground 300 fio --name=dirty --filename="$tmp/mnt/image" --direct=1 \
		--bs=4k --rw=randwrite --ioengine=libaio --iodepth=32 --allow_file_create=0 "$@" \
		>"$tmp/fio.out" 2>&1 || { cat "$tmp/fio.out" >&2; die "fio failed"; }
	distinct=$(knob nr_dirty_caches)
}

# drained: $requests that the disk got.
drained()
{
	from=$(written_to "$loop")
	drain
	requests=$(($(written_to "$loop") - from))
	leave_to "$migrate_undo"
}

bar_migrate()
{
	row migrate requests less 1 "requests to the disk / distinct dirty blocks, a tenth dirty"
	row merge requests less 2 "requests to the disk / MiB, 16 MiB in random order, twice"
	has_disk || { note migrate "no loop devices, or no mkfs.ext4 (package e2fsprogs)"; return; }
	make_disk 128 0
	migrate_undo=$nr_undo
	pair=0
	while [ $pair -lt 3 ]; do
		progress "migrate $pair"
		dirty --size=64m --io_size=8m --norandommap --randrepeat=0
		drained
		sample migrate $pair lcfs "$requests"
		sample migrate $pair ref "$distinct"
		dirty --size=16m --loops=2
		[ "$distinct" = 4096 ] || die "$distinct blocks are dirty, not 4096"
		drained
		sample merge $pair lcfs "$requests"
		sample merge $pair ref 16
		pair=$((pair + 1))
	done
}
