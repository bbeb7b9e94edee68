#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# dump.lcfs shows of a damaged cache what there is, names what does not decode and why, and ends
# with status 1.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
dirty_cache
umount_lcfs "$mnt"
cp "$cache" "$tmp/good"

# damaged OFFSET OPTION TEXT SHOWN: with that byte wrong, OPTION shows TEXT as well as SHOWN.
damaged()
{
	flip "$cache" "$1"
	gives 1 "$DUMP" "$2" "$cache"
	says "$3"
	says "$4"
	run "$DUMP" --all --json "$cache"
	if command -v jq >/dev/null; then
		jq -e '[.. | .problem? // empty] | length > 0' "$tmp/out" >/dev/null ||
			fail "no problem in what should be JSON"
	fi
	dd if="$tmp/good" of="$cache" bs=1 skip="$1" seek="$1" count=1 conv=notrunc status=none
	works "$DUMP" --all "$cache"
}

damaged 200 --super 'problem                wrong checksum' 'nr_segments            30'
damaged $((1048576 + 200)) --super 'wrong checksum' 'nr_segments            30'
table=$(table_area)
damaged $((table + 50)) --table 'wrong checksum' 'is_current'
damaged $((table + 4096 + 300)) --table 'wrong checksum' 'is_current'
segments=$(fact segments_start)
# a header that was durable, its operations, its data
damaged $((segments + 130)) --records 'is missing' 'is_damaged               yes'
damaged $((segments + 4096 + 40)) --records 'not what its sum says' 'is_damaged               no'
damaged $((segments + 1048576 + 130)) --segments 'is missing' 'segment segment=1 slot=0'

# The segment by itself, which may hold anything.
flip "$cache" $((segments + 130))
works "$DUMP" --records=1 "$cache"
says 'no_record offset=0 blocks=256 reason=wrong checksum'
