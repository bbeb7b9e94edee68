#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl export --damaged saves of a log in which a durable record is missing what was written before
# that; without it such a log is refused, and a mount refuses it in any case.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
dirty_cache
head -c 4096 "$tmp/two" >"$mnt/later"
commit "$mnt"
umount_lcfs "$mnt"

# The header of the record that has it.
works "$DUMP" --records "$cache"
image=$(sed -n 's/.*type=bind image=\([0-9]*\) .*path=later .*/\1/p' "$tmp/out")
header=$(awk -v image="image=$image" '
	$1 == "record" { sub(/.*address=/, ""); sub(/ .*/, ""); at = $0 }
	$1 == "entry" && $4 == image { last = at }
	END { print last }' "$tmp/out")
flip "$cache" $((header + 200))
remember

mkdir "$tmp/out-dir"
refused 1 ' is missing' "$OFFLINE" export "$cache" "$tmp/out-dir"
run "$LCFS" -o "cache=$cache" "$dir" "$mnt"
[ "$status" = 1 ] || fail "a damaged log was mounted"
gives 4 "$FSCK" "$cache"

works "$OFFLINE" export --damaged "$cache" "$tmp/out-dir"
grep -q 'warning: .* is missing.*this is what was before that' "$tmp/err" ||
	fail "says: $(cat "$tmp/err")"
check_three "$tmp/out-dir"
[ ! -e "$tmp/out-dir/later" ] || fail "something of it is there"
unchanged 'export --damaged'
