#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl scrub: a sound cache is said to be so; a clean block that has gone bad on the device is
# dropped, and reads as what its file has; a dirty one is reported with its image and byte, and is
# an error until it is written again. All others stay as they are.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
FSCK=$top_builddir/lcfs/tools/fsck.lcfs

# block NUMBER: 4096 bytes that stand nowhere else.
block()
{
	yes "this is block $1 of the image" | head -c 4096
}

# rot NUMBER: one byte of the block's copy on the cache device.
rot()
{
	at=$(grep -obUa -m1 "^this is block $1 of" "$cache" | head -n1 | cut -d: -f1)
	[ -n "$at" ] || fail "block $1 is not on the cache device"
	printf X | dd of="$cache" bs=1 seek=$((at + 5)) conv=notrunc status=none
	sync "$cache"
}

standard_mount allow_migrate=0
for i in 10 11 12 13; do
	block $i
done >"$tmp/want"
cp "$tmp/want" "$mnt/clean.img"
for i in 20 21 22 23; do
	block $i
done >"$tmp/dirty"
cp "$tmp/dirty" "$mnt/dirty.img"
# What RAM buffers have is not read from the device: those of the next mount are empty.
works "$LCCTL" flush
kill_lcfs "$mnt"
standard_mount allow_migrate=0
works "$LCCTL" drain clean.img

matches 'cache 1: .*[0-9][KM] read, nothing is damaged' "$LCCTL" scrub
says 'scrub: done' "$LCCTL" scrub "$mnt"
[ "$(knob "$mnt" scrub)" = 0 ] || fail "it is not over"
[ "$(knob "$mnt" scrub_passes)" = 2 ] || fail "$(knob "$mnt" scrub_passes) passes"
refused 1 'has no cache 7' "$LCCTL" scrub -c 7

rot 11
rot 22
run "$LCCTL" scrub --quiet
[ "$status" = 1 ] || fail "status $status with damaged blocks"
[ ! -s "$tmp/out" ] || fail "not quiet: $(cat "$tmp/out")"
grep -q "cache 1: 1 blocks are lost that no backing file has" "$tmp/err" || fail "$(cat "$tmp/err")"
grep -q "cache 1: 1 damaged blocks dropped" "$tmp/err" || fail "$(cat "$tmp/err")"
same "$tmp/want" "$mnt/clean.img"
run dd if="$mnt/dirty.img" of="$tmp/got" bs=4096 skip=2 count=1 iflag=direct
[ "$status" != 0 ] || fail "the lost block is read"
dd if="$mnt/dirty.img" of="$tmp/got" bs=4096 count=2 iflag=direct status=none
head -c 8192 "$tmp/dirty" >"$tmp/head"
same "$tmp/head" "$tmp/got"
is_told()
{
	grep -q 'dirty.img: byte 8192: ' "$tmp/log"
}
eventually 20 is_told || fail "it is not said which block is lost: $(cat "$tmp/log")"

# It is remembered, and fsck.lcfs says so, with and without reading data; -p cannot mend it.
umount_lcfs "$mnt"
for option in -n -p; do
	run "$FSCK" $option "$cache"
	[ "$status" = 4 ] || fail "fsck.lcfs $option: exit status $status"
	grep -q 'image [0-9]*: dirty.img: byte 8192: was found damaged .*: dirty data is lost' \
		"$tmp/out" || fail "fsck.lcfs $option does not name the block: $(cat "$tmp/out")"
	grep -q 'blocks that were found damaged before: 1;' "$tmp/out" || fail "$(cat "$tmp/out")"
done
standard_mount allow_migrate=0
run dd if="$mnt/dirty.img" of="$tmp/got" bs=4096 skip=2 count=1 iflag=direct
[ "$status" != 0 ] || fail "the lost block is read after another mount"
# what was clean is found by each mount
run "$LCCTL" scrub --quiet

# Written again it is whole; nothing else of the log is damaged.
block 22 | dd of="$mnt/dirty.img" bs=4096 seek=2 conv=notrunc status=none
same "$tmp/dirty" "$mnt/dirty.img"
says 'nothing is damaged' "$LCCTL" scrub

# In the background, as soon as it has a rate.
passes=$(knob "$mnt" scrub_passes)
works "$LCCTL" set scrub_rate 100000
has_gone_on()
{
	[ "$(knob "$mnt" scrub_passes)" -gt $((passes + 1)) ]
}
eventually 30 has_gone_on || fail "no passes in the background"
works "$LCCTL" drain
same "$tmp/dirty" "$dir/dirty.img"
umount_lcfs "$mnt"
works "$FSCK" "$cache"
