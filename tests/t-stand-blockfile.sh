#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The files of blockfile, on which other tests stand: bytes come back, each fault hits what it is
# to hit, the trace has all writes with their data and the syncs of a loop device behind them.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/stand/stand_lib.sh"
set -eu

requires_fuse
requires_loop
requires blkdiscard
start_stand a=8M b=1M

# io read|write FILE BLOCK [COUNT]: directly, blocks of 4 KiB of $tmp/data; what is read comes to
# $tmp/read.
random_file "$tmp/data" 1048576 1
io()
{
	if [ "$1" = write ]; then
		dd if="$tmp/data" of="$stand/$2" oflag=direct conv=notrunc bs=4096 skip="$3" \
			seek="$3" count="${4:-1}" 2>"$tmp/err"
	else
		dd if="$stand/$2" of="$tmp/read" iflag=direct bs=4096 skip="$3" \
			count="${4:-1}" 2>"$tmp/err"
	fi
}

# fails TEXT COMMAND...
fails()
{
	text=$1
	shift
	! "$@" || fail "no error: $*"
	grep -qF "$text" "$tmp/err" || fail "another error than '$text': $(cat "$tmp/err")"
}

# is_data BLOCK: what was read is what was written there.
is_data()
{
	tail -c +$(($1 * 4096 + 1)) "$tmp/data" | head -c 4096 | cmp -s - "$tmp/read"
}

# in_trace PATTERN
in_trace()
{
	"$TRACEDUMP" "$trace" >"$tmp/dump"
	grep -qE -e "$1" "$tmp/dump" || fail "not in the trace: $1: $(tail "$tmp/dump")"
}

[ "$(stat -c %s "$stand/a" "$stand/b" | tr '\n' ' ')" = '8388608 1048576 ' ] ||
	fail "wrong sizes"
io write a 3
io read a 3
is_data 3 || fail "the bytes do not come back"
in_trace ' write a 12288 4096 -$'
sync "$stand/a"
in_trace ' sync a 0 0 -$'
mark "so far"
in_trace ' mark so far$'
fails 'Operation not permitted' truncate -s 1M "$stand/a" 2>"$tmp/err"

# Errors: of that file, in that range, so often.
fault 'fail a write error=ENOSPC from=40K to=48K after=1 times=1'
io write b 10
io write a 9
io write a 10
fails 'No space' io write a 10
in_trace ' write a 40960 0 No space'
io write a 10
fault_hits | grep -q 'fail a seen=3 hits=1' || fail "miscounted: $(fault_hits)"
fault clear
fault 'torn a write'
fails 'Input/output' io write a 20
fault clear
io read a 20
! is_data 20 || fail "not torn"
head -c 2048 "$tmp/read" | cmp -s - /dev/zero 2>/dev/null && fail "nothing of it is there"
fault 'short a read'
io read a 3
[ "$(stat -c %s "$tmp/read")" = 2048 ] || fail "not short"
fault clear
fault 'lose a write'
io write a 30
fault clear
io read a 30
! is_data 30 || fail "not lost"
fault 'rot a read from=12290 to=12291'
io read a 3
[ "$(cmp -l "$stand/a" "$tmp/store/a" 2>/dev/null | wc -l)" -le 1 ] || fail "rot spreads"
! is_data 3 || fail "no rot"
fault 'rot a read from=16385 to=16386'
dd if="$stand/a" of="$tmp/read" iflag=direct,skip_bytes bs=8192 skip=12288 count=1 2>"$tmp/err"
[ "$(cmp -l -i 0:12288 -n 8192 "$tmp/read" "$tmp/store/a" | wc -l)" = 2 ] ||
	fail "not two rotten bytes in one read"
fault clear
io read a 3
is_data 3 || fail "the rot stays"
fault readonly a
fails 'Read-only' io write a 3
io read a 3
fault vanish a
fails 'No such device' io read a 3
io read b 3
fault clear
fault size a 8K
fails 'No space' io write a 3
[ "$(stat -c %s "$stand/a")" = 8192 ] || fail "not smaller"
fault clear
if echo 'fail a nothing' >"$stand/control" 2>/dev/null; then fail "nonsense is taken"; fi
if echo 'fail c read' >"$stand/control" 2>/dev/null; then fail "a file that is not there"; fi

# What hangs is carried out when it is released.
fault 'hang a write+sync'
io write a 40 &
writer=$!
eventually 20 grep -q 'hanging=1' "$stand/control" || fail "it does not hang"
io read a 40
! is_data 40 || fail "it was carried out"
fault release
wait $writer || fail "the write ends with an error"
io read a 40
is_data 40 || fail "it was not carried out"

# A loop device: what is written to it and flushed, its flush and its discard.
attach "$stand/a" --direct-io=on
from=$("$TRACEDUMP" "$trace" | wc -l)
dd if="$tmp/data" of="$loop" bs=64K count=8 conv=fsync 2>/dev/null
"$TRACEDUMP" "$trace" | tail -n +$((from + 1)) | awk '
	$3 == "write" && $7 == "-" { last = $2; bytes += $6 }
	$3 == "sync" && bytes >= 524288 && $1 > last { good = 1 }
	END { exit !good }' || fail "no sync behind the writes: $("$TRACEDUMP" "$trace" | tail)"
blkdiscard -o 131072 -l 65536 "$loop"
in_trace ' discard a 131072 65536 -$'
head -c 131072 "$tmp/data" | cmp -n 131072 - "$stand/a" || fail "the loop device's bytes"
cmp -n 65536 -i 131072:0 "$stand/a" /dev/zero || fail "nothing was discarded"
