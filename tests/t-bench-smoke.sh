#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The benchmarks run, each with next to no I/O: a table, JSON, nothing left behind. What the
# figures say is not judged. What is left out costs more time than it is worth here; and whether
# the kernel has io_uring for FUSE, another test changes meanwhile.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires fio

rows="beside cpu-qd1 drain-dense drain-seek engine engine-266 fsync fsync-16x1 fsync-16x16
	full-random loopmt-qd1 memory merge migrate nbdkit-fdatasync
	passthrough-fdatasync qcow2-fdatasync raw-fdatasync read-qd32 recovery slow
	write-qd1 write-qd32x4"

left_behind()
{
	find "$tmp" -maxdepth 1 -name 'lcfs-bench.*' | grep -q . || losetup -nO BACK-FILE |
		grep -qF "$tmp/lcfs-bench"
}

left_out="-e apps -e foreground -e gluster -e loads -e uring"
# shellcheck disable=SC2086 # a list
bars=$("$top_srcdir/scripts/bench" --list | grep -vx $left_out | sed 's/^/--only /')
status=0
# shellcheck disable=SC2086 # a list
"$top_srcdir/scripts/bench" --tiny --build "$top_builddir" --dir "$tmp" $bars \
	--json "$tmp/bench.json" >"$tmp/table" 2>"$tmp/err" </dev/null || status=$?
[ "$status" != 77 ] || skip "$(cat "$tmp/table")"
[ "$status" -le 1 ] || { cat "$tmp/table" "$tmp/err"; fail "exit status $status"; }
! left_behind || fail "files or loop devices are left"
for row in $rows; do
	grep -q "^$row  *" "$tmp/table" || { cat "$tmp/table" "$tmp/err"; fail "no row $row"; }
	grep -q "\"name\": \"$row\"" "$tmp/bench.json" || fail "$row is not in the JSON"
done

# Ended by a signal it takes away what it has made.
"$top_srcdir/scripts/bench" --tiny --build "$top_builddir" --dir "$tmp" --only write --pairs 1000 \
	--json "$tmp/bench.json" >"$tmp/table" 2>"$tmp/err" </dev/null &
bench=$!
cleanup_fn end_process "$bench"
has_results()
{
	find "$tmp" -name fio.result | grep -q .
}
eventually 60 has_results || fail "nothing is measured"
kill "$bench"
status=0
wait "$bench" || status=$?
[ "$status" = 143 ] || fail "exit status $status, not 143"
! left_behind || fail "files or loop devices are left after a signal"
