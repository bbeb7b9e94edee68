#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl drain, flush, attach and detach: done when it is done, with a bar on a terminal and lines
# elsewhere; what does not hold ends with status 1.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
requires script
alone "$0"
standard_mount allow_migrate=0

"$VERIFIER" random "$tmp/data" 3000000 1
for image in a b c; do
	cp "$tmp/data" "$mnt/$image"
done

# One, through a pipe: lines, no control characters.
works "$LCCTL" drain a
grep -Eqx 'drain +0% +2\.8[0-9]M of 2\.8[0-9]M left .*' "$tmp/out" ||
	fail "first: $(cat "$tmp/out")"
grep -Eqx 'drain: done: 2\.8[0-9]M in .*/s' "$tmp/out" || fail "last: $(cat "$tmp/out")"
! grep -q "$(printf '[\033\r]')" "$tmp/out" || fail "a bar in a pipe"
same "$tmp/data" "$dir/a"
! cmp -s "$tmp/data" "$dir/b" || fail "b was drained as well"

# One on a terminal: a bar.
works script -qec "stty cols 100; $LCCTL drain $mnt/b" /dev/null
grep -q 'drain \[.*\] .*left.*/s  ETA' "$tmp/out" || fail "no bar: $(cat -v "$tmp/out")"
grep -q 'drain: done: ' "$tmp/out" || fail "no end: $(cat -v "$tmp/out")"
same "$tmp/data" "$dir/b"
! cmp -s "$tmp/data" "$dir/c" || fail "c was drained as well"

# What has no name any more is owed to no file.
cp "$tmp/data" "$mnt/removed"
exec 5<"$mnt/removed"
rm "$mnt/removed"
works "$LCCTL" drain --quiet
exec 5<&-
cp "$tmp/data" "$mnt/c"

# All of them; the knobs are as before.
works "$LCCTL" drain --quiet
[ ! -s "$tmp/out" ] || fail "not quiet: $(cat "$tmp/out")"
is_clean "$mnt" || fail "not clean"
same "$tmp/data" "$dir/c"
[ "$(knob "$mnt" force_migrate)" = 0 ] || fail "force_migrate stays"
[ "$(knob "$mnt" allow_migrate)" = 0 ] || fail "allow_migrate has changed"
says 'drain: done: nothing was dirty' "$LCCTL" drain "$mnt"
refused 1 'no such image' "$LCCTL" drain a nothing

# Flushed is on the cache, whatever happens to the daemon's memory.
echo 0 >"$mnt/.lcctl/caches/1/flush_current_buffer_interval"
printf 'a line that is to be found again\n' >"$mnt/text"
! grep -aq 'a line that is to be found' "$cache" || fail "it is on the cache too early"
says 'flush: done' "$LCCTL" flush
grep -aq 'a line that is to be found' "$cache" || fail "it is not on the cache"

# An image that cannot be drained: its file was changed by somebody else.
cp "$tmp/data" "$mnt/changed"
works "$LCCTL" flush -q
printf x >>"$dir/changed"
run "$LCCTL" drain
[ "$status" = 1 ] || fail "drain of a conflict ends with status $status"
grep -q "$mnt/changed: .*stay in the cache" "$tmp/err" || fail "no reason: $(cat "$tmp/err")"
grep -q 'drain: not done: ' "$tmp/out" || fail "no end: $(cat "$tmp/out")"
[ "$(cat "$dir/text")" = 'a line that is to be found again' ] || fail "text is not drained"
[ "$(knob "$mnt" force_migrate)" = 0 ] || fail "force_migrate stays after a failure"
run "$LCCTL" status -x
[ "$status" = 1 ] || fail "status -x ends with $status"
grep -q '^changed .*conflict' "$tmp/out" || fail "status -x: $(cat "$tmp/out")"
