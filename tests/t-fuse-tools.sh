#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# cp -a, rsync, tar, mv, rm -r and git work on a tree with all kinds of files.
set -eu
. "$(dirname "$0")/fuse_lib.sh"
need rsync tar git

# A tree of all kinds, made outside of the mount.
tree=$tmp/tree
mkdir -p "$tree/a/b/c" "$tree/empty" "$tree/closed"
for i in 1 2 3 4 5 6 7 8 9; do
	head -c $((i * i * 5000)) /dev/urandom >"$tree/a/file$i"
	echo $i >"$tree/a/b/small$i"
done
ln "$tree/a/file1" "$tree/a/b/hard"
ln -s ../file1 "$tree/a/b/soft"
ln -s /nowhere "$tree/dangling"
mkfifo "$tree/fifo"
truncate -s 3M "$tree/sparse"
printf x | dd of="$tree/sparse" bs=1 seek=2000000 conv=notrunc status=none
chmod 4755 "$tree/a/file2"
chmod 0 "$tree/a/file3"
chmod 1777 "$tree/empty"
chmod 700 "$tree/closed"
chown 61001:62001 "$tree/a/file4"
# rsync takes times of the same second for equal.
find "$tree" -depth -exec touch -h -d '2001-02-03 04:05:06.789012345' {} +
if setfattr -n user.note -v hello "$tree/a/file6" 2>/dev/null; then
	attrs=yes
else
	attrs=
fi

# All that matters of a tree, a line a file.
list()
{
	(cd "$1" && find . -type d -printf '%P %y %m %U:%G %T@\n' | sort)
	(cd "$1" && find . ! -type d -printf '%P %y %m %U:%G %n %T@ %l\n' | sort)
	(cd "$1" && find . -type f -exec sha256sum {} + | sort)
}

list "$tree" >"$tmp/want"
check()
{
	list "$1" >"$tmp/got"
	diff "$tmp/want" "$tmp/got" || fail "$2 changed something"
	[ -z "$attrs" ] || [ "$(getfattr --only-values -n user.note "$1/a/file6")" = hello ] ||
		fail "$2 lost an attribute"
}

fs_start
cp -a "$tree" "$mnt/cp"
check "$mnt/cp" "cp -a"
check "$back/cp" "cp -a, in the backing directory,"
[ "$(stat -c %i "$mnt/cp/a/file1")" = "$(stat -c %i "$mnt/cp/a/b/hard")" ] || fail "hard link"
rsync -aHAX "$tree/" "$mnt/rsync/"
check "$mnt/rsync" rsync
[ -z "$(rsync -aHAXic --dry-run "$tree/" "$mnt/rsync/")" ] || fail "rsync is not content"
mkdir "$mnt/tar"
tar -C "$mnt/cp" -c --xattrs . | tar -C "$mnt/tar" -xp --xattrs
check "$mnt/tar" tar
cp -a "$mnt/cp" "$tmp/out"
check "$tmp/out" "cp -a out of the mount"
mv "$mnt/cp" "$mnt/moved"
check "$mnt/moved" mv
mv "$mnt/moved" "$tmp/away"
check "$tmp/away" "mv out of the mount"
mv "$tmp/away" "$mnt/again"
check "$mnt/again" "mv into the mount"
rm -r "$mnt/again" "$mnt/rsync" "$mnt/tar"
[ -z "$(ls -A "$mnt")$(ls -A "$back")" ] || fail "rm -r left something"

export GIT_CONFIG_NOSYSTEM=1 HOME="$tmp"
git init -q -b main "$mnt/repo"
cp -r "$tree/a" "$mnt/repo/" 2>/dev/null
git -C "$mnt/repo" add -A
git -C "$mnt/repo" -c user.name=n -c user.email=e commit -qm one
git clone -q "$mnt/repo" "$mnt/clone"
git -C "$mnt/clone" fsck --strict
[ -z "$(git -C "$mnt/clone" status --porcelain)" ] || fail "git sees changes"
git -C "$mnt/clone" gc -q
git -C "$mnt/clone" fsck --strict
rm -rf "$mnt/repo" "$mnt/clone"
fs_stop
