#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree of many more files than there are descriptors works, and names are found again after they
# were let go of: also when they were moved, and not when something else is there.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

fs_start -o fds=128
mkdir "$mnt/t"
for d in 1 2 3 4 5 6 7 8 9 10; do
	mkdir -p "$mnt/t/$d/sub"
	(cd "$mnt/t/$d/sub" && seq 100 | xargs touch)
done
echo keep >"$mnt/t/3/sub/50"
[ "$(find "$mnt/t" | wc -l)" = 1021 ] || fail "find"
nr=$(ls "/proc/$server/fd" | wc -l)
[ "$nr" -lt 128 ] || fail "$nr descriptors"

# A process whose directory was let go of, and moved.
cd "$mnt/t/3/sub"
# shellcheck disable=SC2210
exec 3<50
find "$mnt/t" -type f -exec stat {} + >/dev/null
mv "$mnt/t/3" "$mnt/t/moved"
find "$mnt/t" -type f -exec stat {} + >/dev/null
[ "$(cat 50)" = keep ] || fail "from within a moved directory"
[ "$(cat <&3)" = keep ] || fail "an open file in a moved directory"
exec 3<&-
touch new
[ -e "$back/t/moved/sub/new" ] || fail "a new file in a moved directory"

# Unlinked, and still open.
exec 4<>"$mnt/t/4/sub/1"
echo gone >&4
rm "$mnt/t/4/sub/1"
find "$mnt/t" -type f -exec stat {} + >/dev/null
[ "$(cat /dev/fd/4)" = gone ] || fail "an open file that was unlinked"
exec 4<&-

# A removed directory that is someone's own.
mkdir "$mnt/t/5/cwd"
cd "$mnt/t/5/cwd"
rmdir "$mnt/t/5/cwd"
find "$mnt/t" -type f -exec stat {} + >/dev/null
[ -z "$(ls -A .)" ] || fail "a removed directory"
cd /

# Moved behind the mount: the old name is no more, the new one is.
find "$mnt/t/6" >/dev/null
mv "$back/t/6" "$back/t/six"
find "$mnt/t/7" "$mnt/t/8" -type f -exec stat {} + >/dev/null
sleep 1.1
[ "$(find "$mnt/t/six" | wc -l)" = 102 ] || fail "moved behind"
ls "$mnt/t/6" 2>/dev/null && fail "the old name of what was moved behind"
# Another file of the same name.
echo other >"$back/t/7/sub/tmp"
mv "$back/t/7/sub/tmp" "$back/t/7/sub/1"
sleep 1.1
[ "$(cat "$mnt/t/7/sub/1")" = other ] || fail "replaced behind"
rm -r "$mnt/t"
fs_stop
