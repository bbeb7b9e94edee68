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
