#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who writes for others must not wait for memory that is cleaned by writing through himself: the RAM
# buffers of a serving daemon are locked, and each of its threads is an I/O flusher, or it warns.
# By io_uring, too; what the kernel copies to is locked from its first use on.
# The limit has room for other tests that have the switch of that.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/uring_lib.sh"
set -eu

# What PR_SET_IO_FLUSHER sets in the flags of a thread: PF_MEMALLOC_NOIO, PF_LOCAL_THROTTLE.
flusher=$((0x00080000 | 0x00100000))

requires_fuse
new_cache "$tmp/cache" --size=32M
mkdir "$tmp/dir" "$tmp/mnt"

# looks_after OPTIONS KIB: so much is locked at least.
looks_after()
{
	mount_lcfs "$tmp/cache" "$tmp/dir" "$tmp/mnt" "$1"
	random_file "$tmp/mnt/image" 100000 1
	pid=$(daemon_of "$tmp/mnt")

	locked=$(sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$pid/status")
	[ "$locked" -ge "$2" ] || fail "$locked KiB are locked, not $2, with $1"

	# Without CAP_SYS_RESOURCE it cannot be one.
	if ! grep -q 'not an I/O flusher' "$tmp/err"; then
		for thread in /proc/"$pid"/task/*; do
			# behind the bracket of the name, which may have blanks
			flags=$(sed 's/.*) //' "$thread/stat" | cut -d ' ' -f 7)
			[ $((flags & flusher)) = $flusher ] ||
				fail "thread $(cat "$thread/comm") is no I/O flusher: flags $flags"
		done
	fi
	umount_lcfs "$tmp/mnt"
}

# RAM buffers of 1 MiB, and with io_uring at least 64 requests of 1 MiB.
looks_after ram_buffers=5 $((5 * 1024))
cleanup_fn restore_uring
! allow_uring || looks_after ram_buffers=5,transport=uring $(((5 + 64) * 1024))
