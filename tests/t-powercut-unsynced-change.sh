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
cache_size=32M
disk_size=64M
# Nothing is committed but by a sync.
disk_options='-t ext4 -o commit=1000'

# A boot with three clean images.
mkdir "$ram/store" "$ram/after"
restart_machine
start_machine "$ram/store" "$ram/trace"
quietly mkfs.ext4 -qF "$disk_loop"
mount_disk
mkdir "$disk/images"
quietly "$MKFS" -q --segment-order=9 "$stand/cache.img"
start_lcfs
random_file "$tmp/data" 1048576 1
for name in mode name other; do
	cp "$tmp/data" "$mnt/$name"
done
echo 1 >"$mnt/.lcctl/drain"
stop_lcfs
sync -f "$disk"

start_lcfs
# What the first dirty data of a mount syncs is done then.
write_to()
{
	dd if="$tmp/data" of="$mnt/$1" bs=4096 count=3 seek=5 conv=notrunc 2>/dev/null
}
write_to other
echo 1 >"$mnt/.lcctl/flush"
chmod 600 "$mnt/mode"
mv "$mnt/name" "$mnt/renamed"
write_to mode
write_to renamed
# The log only: a sync of an image would commit all of the backing filesystem.
echo 1 >"$mnt/.lcctl/flush"
echo cut >"$stand/mark"
break_machine || :
"$STATE" "$ram/trace" cut "$ram/after" "$ram/marks"

restart_machine
start_machine "$ram/after" "$ram/trace.after"
mount_disk
start_lcfs
# Should the backing filesystem have been committed for a reason of its own, it is the new name.
[ -e "$mnt/name" ] || mv "$mnt/renamed" "$mnt/name"
for name in mode name; do
	dd if="$mnt/$name" bs=4096 count=3 skip=5 2>/dev/null >"$tmp/read" ||
		fail "$name: cannot be read: $(cat "$mnt"/.lcctl/devices/*/reason)"
	head -c 12288 "$tmp/data" | cmp - "$tmp/read" || fail "$name: not what was written"
done
stop_lcfs
stop_machine
