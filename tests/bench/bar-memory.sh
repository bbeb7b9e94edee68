# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Memory that grows with the cache: what a daemon has allocated, used or not, for a large one less
# what it has for a small one. In both the buffer for the image table has reached its largest size;
# of it only as much is ever touched as there are images. The RAM buffers are shared memory and not
# in it.

. "$bench_src/disk.sh"

# memory_of GIB: bytes of private memory of a daemon on such a cache, a device full of holes.
memory_of()
{
	kept_cache=$cache
	truncate -s "$1G" "$tmp/large"
	cache=$(losetup -f --show "$tmp/large") || die "losetup failed"
	undo detach "$cache"
	fresh_lcfs
	bytes=$(awk '/^VmData/ { print $2 * 1024 }' "/proc/$lcfs_pid/status")
	leave_to "$memory_undo"
	rm -f "$tmp/large"
	cache=$kept_cache
}

bar_memory()
{
	row memory bytes less 1 "memory allocated a 4 KiB block of cache / 20 bytes"
	has_disk || { note memory "$no_disk"; return; }
	memory_undo=$nr_undo
	progress memory
	memory_of 36
	small=$bytes
	memory_of 100
	sample memory 0 lcfs "$(calc "($bytes - $small) / (64 * 262144)")"
	sample memory 0 ref 20
}
