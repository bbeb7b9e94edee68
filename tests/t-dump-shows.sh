#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# dump.lcfs shows super block, image table, segments, records and blocks of a cache whose daemon was
# killed, as text and as JSON, and changes nothing; a cache in use is shown with a warning.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
new_cache "$tmp/cache" --size=32M --label='my "cache"' --uuid=01234567-89ab-cdef-0123-456789abcdef
dirty_cache

works "$DUMP" "$cache"
grep -q 'warning: .*in use.*changes while it is read' "$tmp/err" ||
	fail "does not warn of a cache in use: $(cat "$tmp/err")"
kill_dirty "$mnt"
remember

works "$DUMP" "$cache"
[ ! -s "$tmp/err" ] || fail "says: $(cat "$tmp/err")"
says 'my "cache"'
says '01234567-89ab-cdef-0123-456789abcdef'
says '/run/lcfs/0123456789abcdef0123456789abcdef.pool'
[ "$(grep -c '^  superblock:' "$tmp/out")" = 2 ] || fail "shows not two copies"
[ "$(grep -c 'is_newest *yes' "$tmp/out")" = 1 ] || fail "not one copy is the newest"

works "$DUMP" --segments "$cache"
says 'segment segment=1 slot=0 '
says 'is_damaged               no'
[ "$(fact last_lsn -S)" = "$(fact durable_lsn -S)" ] || fail "the log is not durable"

works "$DUMP" --records "$cache"
for path in one 'sub/two words' short; do
	says "op type=bind image=$(grep -F "path=$path " "$tmp/out" |
		sed -n 's/.*type=bind image=\([0-9]*\) .*/\1/p')"
done
says 'op type=truncate '
grep -q 'entry .* image=1 block=0 sectors=ff' "$tmp/out" || fail "no entry of image 1"
works "$DUMP" --records=1 "$cache"
says 'record offset=0 lsn=1 segment=1 '
works "$DUMP" --records=25 "$cache"
says 'no_record offset=0 blocks=256 reason='

# A block by number and by path, from the log and from RAM.
dd if="$tmp/one" of="$tmp/want" bs=4096 skip=7 count=1 status=none
works "$DUMP" --block=1:7 --output="$tmp/block" "$cache"
same "$tmp/block" "$tmp/want"
works "$DUMP" --block=one:7 --output=- "$cache"
same "$tmp/out" "$tmp/want"
dd if="$tmp/two" of="$tmp/want" bs=4096 skip=3 count=1 status=none
works "$DUMP" -b 'sub/two words:3' -o - "$cache"
same "$tmp/out" "$tmp/want"
works "$DUMP" -b 1:7 "$cache"
[ "$(grep -cE '^  [0-9a-f]{3} +([0-9a-f]{2} ){15}[0-9a-f]{2}$' "$tmp/out")" = 256 ] ||
	fail "not 256 lines of 16 bytes"
gives 1 "$DUMP" -b one:100000 "$cache"
says 'is not in the log'
gives 1 "$DUMP" -b nothing:0 "$cache"
says 'no such image'

# As JSON.
works "$DUMP" --all --json "$cache"
cp "$tmp/out" "$tmp/json"
if command -v jq >/dev/null; then
	[ "$(jq -r '.superblocks[0].label' "$tmp/json")" = 'my "cache"' ] || fail "JSON: label"
	[ "$(jq '.records | length' "$tmp/json")" = "$(jq .log.records "$tmp/json")" ] ||
		fail "JSON: not as many records as there are"
	[ "$(jq '[.segments[].records] | add' "$tmp/json")" = "$(jq .log.records "$tmp/json")" ] ||
		fail "JSON: segments and records differ"
	jq -e '[.records[].entry_list[].operations[]?.path] | index("sub/two words")' \
		"$tmp/json" >/dev/null || fail "JSON: a path is not there"
elif command -v python3 >/dev/null; then
	python3 -m json.tool "$tmp/json" >/dev/null || fail "this is no JSON"
else
	head -n 1 "$tmp/json" | grep -q '^{' || fail "JSON: no object"
	tail -n 1 "$tmp/json" | grep -q '^}$' || fail "JSON: it does not end"
fi
unchanged dump.lcfs

# The table: there is one after an unmount in order.
mount_with_log "$cache" "$dir" "$mnt" allow_migrate=0
umount_lcfs "$mnt"
works "$DUMP" --table "$cache"
grep -q 'image image=[0-9]* path=sub/two words size=123457 state=ok' "$tmp/out" ||
	fail "no entry of an image: $(cat "$tmp/out")"
