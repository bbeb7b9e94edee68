# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Memory that grows with the cache: what the daemon allocates for a large one less what it
# allocates for a small one. The RAM buffers are not in it.

# memory_of GIB: bytes of private memory of a daemon on a cache of so many GiB (a sparse file).
memory_of()
{
	kept_cache=$cache
	cache=$tmp/large
	rm -f "$cache"
	"$MKFS" -q --size="$1G" "$cache"
	fresh_back "$tmp/back"
	start_lcfs "$tmp/back"
	bytes=$(awk '/^VmData/ { print $2 * 1024 }' "/proc/$lcfs_pid/status")
	leave_to "$memory_undo"
	rm -f "$cache"
	cache=$kept_cache
}

bar_memory()
{
	row memory bytes less 1 "memory a 4 KiB block of cache / 20 bytes"
	memory_undo=$nr_undo
	memory_of 1
	small=$bytes
	memory_of 65
	sample memory 0 lcfs "$(calc "($bytes - $small) / (64 * 262144)")"
	sample memory 0 ref 20
}
