#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs makes caches: of new files, existing ones, of any segment order; it says what it made,
# takes no notice of the size and leaves the segments alone.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

# A new file gets all its blocks.
works "$MKFS" --size=40M "$tmp/new"
[ "$(stat -c %s "$tmp/new")" = $((40 << 20)) ] || fail "the size is not what was asked for"
[ $(($(stat -c '%b * %B' "$tmp/new"))) -ge $((40 << 20)) ] ||
	fail "the file is sparse"
[ "$(stat -c %a "$tmp/new")" = 600 ] || fail "others may look into it"
grep -q 'UUID [0-9a-f-]*, 38 segments of 1024 KiB' "$tmp/out" || fail "says: $(cat "$tmp/out")"

# A sparse one that was there is filled up; its size stays, or becomes what is asked for.
truncate -s 50M "$tmp/sparse"
works "$MKFS" "$tmp/sparse"
[ $(($(stat -c '%b * %B' "$tmp/sparse"))) -ge $((50 << 20)) ] ||
	fail "the file is still sparse"
works "$MKFS" --size=60M "$tmp/sparse"
[ "$(stat -c %s "$tmp/sparse")" = $((60 << 20)) ] || fail "the size is not what was asked for"

# What is on it.
works "$MKFS" -q -L 'my cache' --uuid=01234567-89AB-cdef-0123-456789abcdef "$tmp/sparse"
[ ! -s "$tmp/out" ] || fail "--quiet says: $(cat "$tmp/out")"
works "$MKFS" --label='my cache' --uuid=01234567-89AB-cdef-0123-456789abcdef "$tmp/sparse"
grep -q 'UUID 01234567-89ab-cdef-0123-456789abcdef, label "my cache"' "$tmp/out" ||
	fail "says: $(cat "$tmp/out")"
head -c 8 "$tmp/sparse" | od -An -tx1 | grep -q '89 6c 63 43' || fail "no magic at byte 0"
dd if="$tmp/sparse" bs=1M skip=1 count=1 status=none | head -c 8 | od -An -tx1 |
	grep -q '89 6c 63 43' || fail "no magic at 1 MiB"

# Each segment order; the smallest device that has room, and not one block less.
for order in 5 7 11 13; do
	works "$MKFS" --segment-order=$order --size=200M "$tmp/order"
	grep -q "of $((1 << (order - 1))) KiB" "$tmp/out" || fail "says: $(cat "$tmp/out")"
	rm "$tmp/order"
done
run "$MKFS" --size=1M "$tmp/least"
least=$(sed -n 's/.* and \([0-9]*\) are needed.*/\1/p' "$tmp/err")
works "$MKFS" --size="$least" "$tmp/least"
rm "$tmp/least"
refused 1 'too small' "$MKFS" --size=$((least - 4096)) "$tmp/least"
[ ! -e "$tmp/least" ] || fail "a file that could not be formatted is left behind"

# The segments are left alone: what is there stays, and a large file takes no longer.
"$VERIFIER" random "$tmp/noise" 1000000 1
dd if="$tmp/noise" of="$tmp/sparse" bs=1M seek=20 conv=notrunc status=none
works "$MKFS" -q --force "$tmp/sparse"
dd if="$tmp/sparse" bs=1M skip=20 count=1 status=none | head -c 1000000 | cmp - "$tmp/noise" ||
	fail "the segments were written"
