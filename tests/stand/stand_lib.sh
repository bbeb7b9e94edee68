# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# blockfile in tests: sourced after functions.sh.

BLOCKFILE=$top_builddir/tests/stand/blockfile
# shellcheck disable=SC2034
TRACEDUMP=$top_builddir/tests/stand/tracedump

# start_stand NAME[=SIZE]...: shows these files in $stand, keeps them in $tmp/store, with a trace in
# $tmp/trace.
start_stand()
{
	stand=$tmp/stand
	trace=$tmp/trace
	mkdir -p "$stand" "$tmp/store"
	"$BLOCKFILE" -f -t "$trace" "$tmp/store" "$stand" "$@" &
	stand_pid=$!
	cleanup_fn end_stand
	eventually 20 is_mounted "$stand" || fail "blockfile does not serve"
}

# stand_cache NAME: a new cache, which the stand shows by that name.
stand_cache()
{
	works "$MKFS" -q "$stand/$1"
	cleanup_fn remove_pool "$tmp/store/$1"
}

# put_both NAME BYTES BLOCK SEED [FLAG]: in the image of that name under $mnt, and in what it should
# be, under $tmp. FLAG: fsync.
put_both()
{
	"$VERIFIER" random "$tmp/piece.$1" "$2" "$4"
	for to in "$mnt/$1" "$tmp/$1"; do
		timeout 60 dd if="$tmp/piece.$1" of="$to" bs=4096 seek="$3" \
			conv="notrunc${5:+,$5}" 2>"$tmp/dd.$1" || fail "$to: $(cat "$tmp/dd.$1")"
	done
}

# Nothing that hangs keeps it.
end_stand()
{
	! is_mounted "$stand" || ! eventually 5 umount "$stand" || return 0
	end_process "$stand_pid"
	! is_mounted "$stand" || umount -l "$stand"
}

# fault COMMAND...: see tests/stand/faults.h.
fault()
{
	echo "$*" >"$stand/control" || fail "blockfile does not take: $*"
}

# fault_hits: how often each rule has been hit, a line each.
fault_hits()
{
	cat "$stand/control"
}

# mark TEXT: into the trace.
mark()
{
	echo "$*" >"$stand/mark"
}
