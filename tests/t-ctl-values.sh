#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writing control files: one write is one value, a wrong one is refused with the right error and
# changes nothing, > and >> work, and what is set has its effect.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires dd
standard_mount 'allow_migrate=0,flush_current_buffer_interval=0,commit_super_block_interval=0'
ctl=$mnt/.lcctl/caches/1

# gives ERROR VALUE NAME: the value is refused with the error, and the old one stays.
gives()
{
	before=$(cat "$ctl/$3")
	printf '%b' "$2" >"$tmp/value"
	! LC_ALL=C dd if="$tmp/value" of="$ctl/$3" bs=1M conv=notrunc status=none 2>"$tmp/err" ||
		fail "$3 takes '$2'"
	grep -q "$1" "$tmp/err" || fail "'$2' to $3: $(cat "$tmp/err")"
	[ "$(cat "$ctl/$3")" = "$before" ] || fail "$3 has changed to $(cat "$ctl/$3")"
}

invalid='Invalid argument'
range='Numerical result out of range'
for value in x -1 1.5 '1 2' ' 1' 1x 0x1 '1\n\n' '\n'; do
	gives "$invalid" "$value" migrate_threshold
done
gives "$range" 101 migrate_threshold
gives "$range" 99999999999999999999 migrate_threshold
gives "$range" 2 allow_migrate
gives "$range" 0 nr_max_batched_migration
gives "$range" 0 flush_current_buffer
! sh -c "echo 1 >'$ctl/nr_segments'" 2>/dev/null || fail "a read-only file is written"

# Bytes that are no text, and far too many of them.
gives "$invalid" '\0' migrate_threshold
gives "$invalid" '1\0002' migrate_threshold
gives "$invalid" '55\0' migrate_threshold
gives "$invalid" '\0377\0376\0061' migrate_threshold
gives "$invalid" '\0331\0241' migrate_threshold
gives "$range" "$(printf '%04000d' 0 | tr 0 9)" migrate_threshold
gives "$invalid" "$(printf '%05000d' 0)" migrate_threshold
head -c 1048576 /dev/zero | tr '\0' 1 >"$tmp/long"
! dd if="$tmp/long" of="$ctl/migrate_threshold" bs=1M conv=notrunc status=none 2>"$tmp/err" ||
	fail "a megabyte is taken"
head -c 64 /dev/urandom >"$tmp/noise"
! dd if="$tmp/noise" of="$ctl/migrate_threshold" conv=notrunc status=none 2>"$tmp/err" ||
	fail "noise is taken"
[ "$(cat "$ctl/migrate_threshold")" = 70 ] || fail "changed: $(cat "$ctl/migrate_threshold")"

# Nothing written is nothing changed; each write is a value, in whatever place; one that is refused
# takes nothing back.
: >"$ctl/migrate_threshold"
[ "$(cat "$ctl/migrate_threshold")" = 70 ] || fail "emptied"
{
	printf 1
	printf 2
} >"$ctl/migrate_threshold"
[ "$(cat "$ctl/migrate_threshold")" = 2 ] || fail "two writes: $(cat "$ctl/migrate_threshold")"
! sh -c "printf '%s\\n' 41 x 42 | while read -r v; do echo \$v || exit 1; done" \
	>"$ctl/migrate_threshold" 2>/dev/null || fail "x is taken"
[ "$(cat "$ctl/migrate_threshold")" = 41 ] || fail "a refused write has done something"
printf 43 | dd of="$ctl/migrate_threshold" bs=2 seek=1000 conv=notrunc status=none
[ "$(cat "$ctl/migrate_threshold")" = 43 ] || fail "an offset matters"

# Many at once: each reader sees a value that somebody wrote, whole.
for writer in 11 22 33 44; do
	(
		i=0
		while [ $i -lt 50 ]; do
			echo $writer >"$ctl/migrate_threshold" || exit 1
			i=$((i + 1))
		done
	) &
	writers="${writers:-} $!"
done
i=0
while [ $i -lt 50 ]; do
	cat "$ctl/migrate_threshold"
	i=$((i + 1))
done >"$tmp/seen"
for pid in $writers; do
	wait "$pid" || fail "a writer is refused"
done
! grep -vxE '11|22|33|44|43' "$tmp/seen" || fail "not what anybody wrote"

echo 12 >"$ctl/migrate_threshold"
[ "$(cat "$ctl/migrate_threshold")" = 12 ] || fail "> does not work"
echo 34 >>"$ctl/migrate_threshold"
[ "$(cat "$ctl/migrate_threshold")" = 34 ] || fail ">> does not work"
printf 56 >"$ctl/migrate_threshold"
[ "$(cat "$ctl/migrate_threshold")" = 56 ] || fail "a value without a newline"
printf '78\n' | tee "$ctl/migrate_threshold" >/dev/null
[ "$(cat "$ctl/migrate_threshold")" = 78 ] || fail "tee does not work"

# flush_current_buffer: what was written is on the cache device when it returns.
"$VERIFIER" random "$tmp/data" 100000 1
cp "$tmp/data" "$mnt/image"
echo 1 >"$ctl/flush_current_buffer"
[ "$(cat "$ctl/flush_current_buffer")" = 0 ] || fail "does not read 0"
[ "$(cat "$ctl/allow_migrate")" = 0 ] || fail "another knob has changed"
dd if="$tmp/data" of="$tmp/block" bs=4096 count=1 skip=5 status=none
LC_ALL=C od -An -v -tx1 -w4096 "$tmp/block" | tr -d ' \n' >"$tmp/hex"
LC_ALL=C od -An -v -tx1 -w4096 "$cache" | tr -d ' ' | grep -qxFf "$tmp/hex" ||
	fail "the data is not on the cache"

# allow_migrate: 0 holds; force_migrate brings it home.
[ "$(cat "$ctl/nr_dirty_caches")" = 25 ] || fail "$(cat "$ctl/nr_dirty_caches") dirty blocks"
echo 1 >"$ctl/allow_migrate"
echo 1 >"$ctl/force_migrate"
eventually 20 is_clean "$mnt" || fail "force_migrate does nothing"
same "$dir/image" "$tmp/data"

# The counters.
[ "$(wc -l <"$ctl/stat")" = 16 ] || fail "stat has $(wc -l <"$ctl/stat") lines"
[ "$(wc -l <"$ctl/status")" = 26 ] || fail "status: $(cat "$ctl/status")"
awk '$1 == 1 { n += $5 } END { exit n == 0 }' "$ctl/stat" || fail "no write is counted"
echo 1 >"$ctl/clear_stat"
awk '$1 == 1 { n += $5 } END { exit n != 0 }' "$ctl/stat" || fail "clear_stat does nothing"
echo 1 >"$ctl/commit_super_block"

# cache_id takes what it is, and no more for now.
for device in "$mnt"/.lcctl/devices/*; do
	echo 1 >"$device/cache_id" || fail "cache_id does not take its value"
	! echo 0 | LC_ALL=C dd of="$device/cache_id" conv=notrunc status=none 2>"$tmp/err" ||
		fail "detached"
	grep -q 'not supported' "$tmp/err" || fail "$(cat "$tmp/err")"
done
