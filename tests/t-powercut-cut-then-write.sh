#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A file of which the log has nothing is cut short and made long again, which nobody syncs, and is
# written to; the log is flushed. After a power cut the write is not there without the zeros.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
requires unshare mkfs.ext4
if [ "${powercut_is_alone:-}" != "$$" ]; then
	unshare -m true 2>/dev/null || skip "no mount namespace can be made"
	powercut_is_alone=$$ exec unshare -m "$0" "$@"
fi
let_go_of_foreign_mounts
. "$top_srcdir/tests/powercut/powercut_lib.sh"

begin_small_machine
for name in first cut; do
	cp "$tmp/data" "$disk/images/$name"
done
sync -f "$disk"
start_lcfs
cut_short()
{
	truncate -s 409600 "$1"
	truncate -s 1048576 "$1"
}
# What the first dirty data of a mount syncs is done then.
write_to first
flush_log
sync "$mnt/first"
# A close may sync it.
exec 3<>"$mnt/cut"
cut_short "$mnt/cut"
write_to cut
flush_log
cut_power
exec 3<&-

cp "$tmp/data" "$tmp/want"
cut_short "$tmp/want"
dd if="$tmp/data" of="$tmp/want" bs=4096 count=3 seek=5 conv=notrunc 2>/dev/null
cmp "$tmp/want" "$mnt/cut" || fail "a write is there without what was done before it"
stop_lcfs
stop_machine
