#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The mode or the name of a clean image changes, which nobody syncs, and it is written to; the log
# is flushed, as it is every second. The power goes, and takes the change of the backing file back:
# that is no change by somebody else.
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

# A mount with three clean images.
begin_small_machine
start_lcfs
for name in mode name other; do
	cp "$tmp/data" "$mnt/$name"
done
echo 1 >"$mnt/.lcctl/drain"
stop_lcfs
sync -f "$disk"

start_lcfs
# What the first dirty data of a mount syncs is done then.
write_to other
flush_log
chmod 600 "$mnt/mode"
mv "$mnt/name" "$mnt/renamed"
write_to mode
write_to renamed
flush_log
cut_power

# Should the backing filesystem have been committed for a reason of its own, it is the new name.
[ -e "$mnt/name" ] || mv "$mnt/renamed" "$mnt/name"
for name in mode name; do
	dd if="$mnt/$name" bs=4096 count=3 skip=5 2>/dev/null >"$tmp/read" ||
		fail "$name: cannot be read: $(cat "$mnt"/.lcctl/devices/*/reason)"
	head -c 12288 "$tmp/data" | cmp - "$tmp/read" || fail "$name: not what was written"
done
stop_lcfs
stop_machine
