#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs tells a device to forget what is in its segments, unless it is told not to, and what it
# wrote itself stays; no bar is shown where there is no terminal.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_loop
fill()
{
	rm -f "$tmp/device"
	random_file "$tmp/device" $((64 << 20)) 1
}

blocks()
{
	sync "$tmp/device"
	stat -c %b "$tmp/device"
}

fill
full=$(blocks)
attach "$tmp/device"
works "$MKFS" -f --nodiscard "$loop"
[ "$(blocks)" -ge "$full" ] || fail "--nodiscard: blocks were discarded"

works "$MKFS" -f "$loop"
[ "$(wc -l <"$tmp/out")" = 1 ] || fail "says more than one line: $(cat "$tmp/out")"
[ "$(blocks)" -lt $((full / 4)) ] || fail "no blocks were discarded"
works "$MKFS" "$loop"
losetup -d "$loop"
