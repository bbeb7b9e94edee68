#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 after names have changed: created, renamed, linked, unlinked and truncated images are
# what they were, under the names they had, and what was removed stays removed.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
new_cache "$tmp/cache"
standard_mount allow_migrate=0

"$VERIFIER" random "$tmp/one" 300000 1
"$VERIFIER" random "$tmp/two" 400000 2
"$VERIFIER" random "$tmp/three" 500000 3
mkdir "$mnt/sub"
cp "$tmp/one" "$mnt/created"
cp "$tmp/two" "$mnt/old-name"
mv "$mnt/old-name" "$mnt/sub/new-name"
cp "$tmp/three" "$mnt/victim"
cp "$tmp/one" "$mnt/winner"
mv -f "$mnt/winner" "$mnt/victim"
cp "$tmp/two" "$mnt/gone"
rm "$mnt/gone"
cp "$tmp/two" "$mnt/linked"
ln "$mnt/linked" "$mnt/sub/link"
rm "$mnt/linked"
cp "$tmp/three" "$mnt/short"
truncate -s 123457 "$mnt/short"
cp "$tmp/three" "$mnt/long"
truncate -s 654321 "$mnt/long"
mkdir "$mnt/dir-old"
cp "$tmp/one" "$mnt/dir-old/image"
mv "$mnt/dir-old" "$mnt/dir-new"
head -c 123457 "$tmp/three" >"$tmp/short"
cp "$tmp/three" "$tmp/long"
truncate -s 654321 "$tmp/long"

# check_names WHERE
check_names()
{
	same "$1/created" "$tmp/one"
	same "$1/sub/new-name" "$tmp/two"
	same "$1/victim" "$tmp/one"
	same "$1/sub/link" "$tmp/two"
	same "$1/short" "$tmp/short"
	same "$1/long" "$tmp/long"
	same "$1/dir-new/image" "$tmp/one"
	for name in old-name winner gone linked dir-old; do
		[ ! -e "$1/$name" ] || fail "$name is there again"
	done
}

check_names "$mnt"
kill_lcfs "$mnt"
standard_mount allow_migrate=0
check_names "$mnt"
# A name that is used again has nothing of its former bearer.
echo new >"$mnt/gone"
kill_lcfs "$mnt"
standard_mount
[ "$(cat "$mnt/gone")" = new ] || fail "gone: $(head -c 100 "$mnt/gone")"
rm "$mnt/gone"
check_names "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
check_names "$dir"
