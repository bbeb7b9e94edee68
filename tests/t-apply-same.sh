#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl apply brings the backing files to what the mount showed, without a change to the cache, or
# with --mark-clean so that the cache is clean; files that are not what the cache knows stay as they
# are, unless they are said to be the right copies.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
requires fallocate
# Two of the files are there already, and longer, with other contents.
mkdir "$tmp/dir"
random_file "$tmp/dir/one" 4000000 7
random_file "$tmp/dir/grown" 50000 8
cp "$tmp/dir/grown" "$tmp/grown"
dirty_cache flush_current_buffer_interval=0

for file in "$mnt/one" "$tmp/one.want"; do
	[ "$file" = "$mnt/one" ] || cp "$tmp/one" "$tmp/one.want"
	truncate -s 2000001 "$file"
	truncate -s 2500000 "$file"
	fallocate -p -o 500000 -l 100000 "$file"
done
mv "$tmp/one.want" "$tmp/one"
for file in "$mnt/grown" "$tmp/grown"; do
	dd if="$tmp/two" of="$file" bs=777 seek=60 count=20 conv=notrunc status=none
done
check_three "$mnt"
same "$mnt/grown" "$tmp/grown"
refused 1 "pid $logged (lcfs)" "$OFFLINE" apply "$cache" "$dir"
kill_dirty "$mnt"
cp "$cache" "$tmp/saved"
remember

# A copy of the directory: not by itself, but if the admin says so.
cp -a "$dir" "$tmp/copy"
run "$OFFLINE" apply "$cache" "$tmp/copy"
[ "$status" = 1 ] || fail "a copy was taken for the directory itself"
for file in one grown short 'sub/two words'; do
	same "$dir/$file" "$tmp/copy/$file"
	grep -qF "$file: not changed: it has changed since" "$tmp/err" ||
		fail "says: $(cat "$tmp/err")"
done
works "$OFFLINE" apply --force --dry-run "$cache" "$tmp/copy"
says 'one: '
diff -r -x lock "$dir" "$tmp/copy" || fail "--dry-run has changed something"
works "$OFFLINE" apply --force "$cache" "$tmp/copy"
check_three "$tmp/copy"
same "$tmp/copy/grown" "$tmp/grown"
unchanged apply

# Another directory: refused, and left as it was.
mkdir "$tmp/other"
refused 1 'is not the directory of this cache' "$OFFLINE" apply "$cache" "$tmp/other"
[ -z "$(ls -A "$tmp/other")" ] || fail "something was left in another directory"
rm -r "$tmp/other"
refused 1 'No such file' "$OFFLINE" apply "$cache" "$tmp/other"

# One file was replaced behind our back and one is gone: the others go on.
rm "$dir/short"
cp "$dir/grown" "$tmp/replacement"
mv "$tmp/replacement" "$dir/grown"
run "$OFFLINE" apply "$cache" "$dir"
[ "$status" = 1 ] || fail "status $status"
grep -q 'grown: not changed: it has changed' "$tmp/err" || fail "says: $(cat "$tmp/err")"
grep -q 'short: No such file or directory: to get at its data, lcctl export' "$tmp/err" ||
	fail "says: $(cat "$tmp/err")"
same "$dir/one" "$tmp/one"
same "$dir/sub/two words" "$tmp/two"
[ "$(stat -c %s "$dir/grown")" = 50000 ] || fail "another file was changed"
unchanged 'apply to the directory'
refused 2 'goes neither' "$OFFLINE" apply --mark-clean --force "$cache" "$dir"
refused 2 'are wanted' "$OFFLINE" apply "$cache"
refused 2 frobnicate "$OFFLINE" apply --frobnicate "$cache" "$dir"
