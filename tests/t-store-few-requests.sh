#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A store takes few requests at a time and answers none of them: whoever has to send it more waits
# in the kernel, and that is not the thread that serves all images. One on another filesystem is
# written, read and migrated meanwhile, and what hangs is looked after.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
store_begin -f
mkdir "$store/other" "$tmp/local"
mount --bind "$tmp/local" "$store/other"
cleanup_fn unmount_quietly "$store/other"
truncate -s 4M "$mnt/many" "$mnt/other/file"
set_knob "$mnt" force_migrate 0
set_knob "$mnt" allow_migrate 0
# Blocks that are not neighbours: each is a request of its own.
block=0
while [ $block -lt 96 ]; do
	put "$mnt/many" $((block * 3)) $block
	block=$((block + 1))
done
put "$mnt/other/file" 0 1
fault "write many hang"
set_knob "$mnt" allow_migrate 1
set_knob "$mnt" force_migrate 1
eventually 20 is_hanging || fail "nothing hangs"

put "$mnt/other/file" 1 2
timeout 30 "$LCCTL" drain -q "$mnt/other/file" || fail "the other one is not drained"
has "$tmp/local/file" 1 2 || fail "wrong data of the other one"
put "$mnt/other/file" 2 3
timeout 30 "$LCCTL" drain -q "$mnt/other/file" || fail "the other one is not drained again"
eventually 20 reason_has many "does not answer" || fail "many: $(cat "$(device_of many)/reason")"

fault clear
timeout 60 "$LCCTL" drain -q "$mnt" || fail "not drained when it answers"
umount_lcfs "$mnt"
for block in 0 17 95; do
	has "$tmp/real/many" $((block * 3)) $block || fail "block $block is wrong in the store"
done
