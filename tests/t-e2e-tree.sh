#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A person works in the mount: cp -a, rsync, tar, mv, ln, chmod and rm -r of a real tree, with all
# that belongs to its files.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires diff tar
tree=$tmp/tree
mkdir -p "$tree/a/b/c" "$tree/empty"
cp -a "$top_srcdir/lcfs" "$top_srcdir/tests" "$tree/"
"$VERIFIER" random "$tree/a/large" 5000000 1
: >"$tree/a/nothing"
ln -s ../a/large "$tree/a/b/symlink"
ln -s /nowhere "$tree/dangling"
ln "$tree/a/large" "$tree/a/b/hard"
mkfifo "$tree/fifo"
truncate -s 50M "$tree/sparse"
printf end | dd of="$tree/sparse" bs=1 seek=40000000 conv=notrunc status=none
chmod 4751 "$tree/a/nothing"
chmod 1777 "$tree/empty"
touch -d '2001-02-03 04:05:06.789' "$tree/a/large" "$tree/a/b"
touch -h -d '2002-03-04 05:06:07' "$tree/dangling"
name="a name with blanks,
a line end and $(printf '\303\244')"
echo odd >"$tree/$name"

# list DIR: everything ls could tell, but inode numbers and block counts.
list()
{
	(cd "$1" && find . -printf '%p %y %m %U %G %n %l %T@ ' \
		\( -type f -printf '%s\n' -o -printf '\n' \) | LC_ALL=C sort)
}

# equal DIR: the same tree.
equal()
{
	list "$1" >"$tmp/list2"
	diff "$tmp/list1" "$tmp/list2" || fail "$1: attributes differ"
	diff -r --no-dereference "$tree/a" "$1/a" || fail "$1: contents differ"
	same "$1/sparse" "$tree/sparse"
	same "$1/$name" "$tree/$name"
}

list "$tree" >"$tmp/list1"
new_cache "$tmp/cache" --size=160M
standard_mount
chmod 755 "$mnt"

cp -a "$tree" "$mnt/cp"
equal "$mnt/cp"
if command -v rsync >/dev/null; then
	rsync -aHS "$tree/" "$mnt/rsync/"
	equal "$mnt/rsync"
	! rsync -aHSni "$tree/" "$mnt/rsync/" | grep -qv '^\.d' ||
		fail "rsync would copy again: $(rsync -aHSni "$tree/" "$mnt/rsync/")"
fi
mkdir "$mnt/tar"
(cd "$tree" && tar -cS --format=posix .) | (cd "$mnt/tar" && tar -xp)
equal "$mnt/tar"

# Names change, contents do not.
mv "$mnt/cp" "$mnt/moved"
mv "$mnt/moved/a/large" "$mnt/moved/a/renamed"
mv "$mnt/moved/a/renamed" "$mnt/moved/a/large"
mv -T "$mnt/tar/empty" "$mnt/moved/empty2"
rmdir "$mnt/moved/empty2"
list "$mnt/moved" >"$tmp/list2"
umount_lcfs "$mnt"

# The same after a remount, and in the plain directory after a drain.
standard_mount
list "$mnt/moved" >"$tmp/list3"
diff "$tmp/list2" "$tmp/list3" || fail "attributes differ after a remount"
diff -r --no-dereference "$tree/a" "$mnt/moved/a" || fail "contents differ after a remount"
drain "$mnt"
umount_lcfs "$mnt"
diff -r --no-dereference "$tree/a" "$dir/moved/a" || fail "contents differ in the plain directory"
same "$dir/moved/sparse" "$tree/sparse"
list "$dir/moved" >"$tmp/list3"
diff "$tmp/list2" "$tmp/list3" || fail "attributes differ in the plain directory"

# And away with it: nothing is left, in the mount and below it.
standard_mount
cd "$mnt"
rm -r ./*
cd /
[ -z "$(find "$mnt" -mindepth 1)" ] || fail "left: $(find "$mnt" -mindepth 1 | head)"
umount_lcfs "$mnt"
[ -z "$(find "$dir" -mindepth 1 -not -path "$dir/.lcfs*")" ] ||
	fail "left: $(find "$dir" -mindepth 1 | head)"
