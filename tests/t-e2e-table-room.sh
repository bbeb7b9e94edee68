#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Many more files than the image table has room for: clean and closed images make room for new
# ones, and each file holds what was written, whether it is cached or not, after a kill as well.
test_limit=180
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
nr=1500
room=700 # of the smallest table, about
mkdir "$dir" "$mnt" "$tmp/want"
works "$MKFS" --size=64M "$cache"

# make_tree WHERE FROM: files of different sizes, ten directories of them.
make_tree()
{
	i=$2
	while [ "$i" -lt $(($2 + nr)) ]; do
		[ $((i % 150)) != 0 ] || mkdir "$1/$((i / 150))"
		seq "$i" $((i + i % 97 * 20)) >"$1/$((i / 150))/$i"
		i=$((i + 1))
	done
}

highest_id()
{
	find "$mnt/.lcctl/devices" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1
}

make_tree "$tmp/want" 0
mount_lcfs "$cache" "$dir" "$mnt" force_migrate=1
cp -a "$tmp/want" "$mnt/a"
diff -r "$tmp/want" "$mnt/a" || fail "the tree differs"
# Ids are given in order: each image that was in the cache had one.
touch "$mnt/last"
echo last >"$mnt/last"
cp -a "$mnt/a" "$mnt/b"

# One that is clean gives way, and its id may come back: it is cached again when it is written to.
echo more >>"$mnt/a/0/1"
echo more >>"$tmp/want/0/1"
is_bound_high()
{
	echo more >>"$mnt/last"
	[ "$(highest_id)" -gt $((room + room / 2)) ]
}
eventually 30 is_bound_high || fail "no more than $(highest_id) images were cached in turn"

# Half of them go and come back with other contents, and the daemon is killed.
rm -r "$mnt/b/0" "$mnt/b/2" "$mnt/b/4"
cp -a "$tmp/want/1" "$mnt/b/0"
mv "$mnt/b/3" "$mnt/b/2"
kill -9 "$(daemon_of "$mnt")"
umount -l "$mnt"
mount_lcfs "$cache" "$dir" "$mnt" force_migrate=1
diff -r "$tmp/want" "$mnt/a" || fail "a tree differs after a kill"
for pair in 1:0 1:1 3:2 5:5 6:6 7:7 8:8 9:9; do
	diff -r "$tmp/want/${pair%:*}" "$mnt/b/${pair#*:}" || fail "a copy differs after a kill"
done
if [ -e "$mnt/b/3" ] || [ -e "$mnt/b/4" ]; then
	fail "what was moved or removed is back"
fi

# At home it is the same.
umount "$mnt"
mount_lcfs "$cache" "$dir" "$mnt" force_migrate=1
is_drained()
{
	[ "$(cat "$mnt"/.lcctl/caches/1/nr_dirty_caches)" = 0 ]
}
eventually 30 is_drained || fail "not all is migrated"
umount "$mnt"
diff -r "$tmp/want" "$dir/a" || fail "a plain tree differs"
