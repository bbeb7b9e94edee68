#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What someone does in the backing directory shows within a second or so: new, gone, moved and
# changed files.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

# What $1 prints becomes $2, within two seconds.
becomes()
{
	n=0
	until [ "$(eval "$1" 2>&1)" = "$2" ]; do
		n=$((n + 1))
		[ $n -lt 40 ] || fail "$1: $(eval "$1" 2>&1), wanted $2"
		sleep 0.05
	done
}

fs_start
ls "$mnt/new" 2>/dev/null && fail "there already"
echo dropped >"$back/new"
[ "$(cat "$mnt/new")" = dropped ] || fail "a dropped file does not show at once"
echo "same size" >"$mnt/f"
cat "$mnt/f" >/dev/null
# Same size, then longer within the page, then shorter; with the file open throughout.
exec 3<"$mnt/f"
echo "SAME SIZE" >"$back/f"
becomes "cat '$mnt/f'" "SAME SIZE"
echo "and more" >>"$back/f"
becomes "cat '$mnt/f'" "$(printf 'SAME SIZE\nand more')"
printf short >"$back/f"
becomes "cat '$mnt/f'" short
becomes "stat -c %s '$mnt/f'" 5
exec 3<&-
rm "$back/f"
becomes "ls '$mnt'" new
mkdir "$back/d"
echo x >"$back/d/x"
becomes "cat '$mnt/d/x'" x
mv "$back/d" "$back/e"
becomes "cat '$mnt/e/x'" x
becomes "ls '$mnt'" "$(printf 'e\nnew')"
chmod 640 "$back/e/x"
becomes "stat -c %a '$mnt/e/x'" 640
# Replaced by another kind.
rm -r "$back/e"
echo file >"$back/e"
becomes "cat '$mnt/e'" file
rm "$back/e"
mkdir -p "$back/e/sub"
becomes "ls '$mnt/e'" sub
# A directory moved into its own former child.
mkdir -p "$back/p/q"
ls "$mnt/p/q"
mv "$back/p/q" "$back/q"
mv "$back/p" "$back/q/p"
becomes "ls '$mnt/q'" p
becomes "ls -d '$mnt/q/p'" "$mnt/q/p"
fs_stop
