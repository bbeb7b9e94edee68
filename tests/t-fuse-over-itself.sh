#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A directory can be mounted over itself; mounts below the backing directory are entered, but for
# lcfs's own.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

mkdir "$back/d"
echo before >"$back/d/f"
fs_start "$back" "$back"
[ "$(cat "$back/d/f")" = before ] || fail "what was there before"
echo changed >"$back/d/f"
mv "$back/d" "$back/e"
mkdir "$back/new"
mknod "$back/null" c 1 3
setfattr -n trusted.a -v b "$back/new" 2>/dev/null || true
chmod 700 "$back/e/f"
touch -d 2001-01-01 "$back/e/f"
rm "$back/null"
timeout 100 "$bin/fs_posix" "$back" rename_files dir_many_entries io_sizes_of_all_kinds attr_modes
fs_stop
[ "$(cat "$back/e/f")" = changed ] || fail "what was written through the mount"
[ "$(stat -c %a "$back/e/f")" = 700 ] || fail "mode"
[ -d "$back/new" ] || fail "new directory"

# Its own mount point is below the backing directory.
mkdir "$back/mnt" "$back/other"
mount -t tmpfs none "$back/other"
mounts="$back/other $mounts"
echo elsewhere >"$back/other/f"
fs_start "$back" "$back/mnt"
[ "$(cat "$back/mnt/e/f")" = changed ] || fail "mounted below"
timeout 10 stat "$back/mnt/mnt" 2>"$tmp/err" && fail "it was entered from itself"
grep -q 'Too many levels' "$tmp/err" || fail "wrong error: $(cat "$tmp/err")"
timeout 10 ls "$back/mnt" >/dev/null
timeout 10 find "$back/mnt" 2>/dev/null >/dev/null || true
[ "$(cat "$back/mnt/other/f")" = elsewhere ] || fail "another filesystem below is not entered"
mv "$back/mnt/e/f" "$back/mnt/other/g"
[ "$(cat "$back/other/g")" = changed ] || fail "move to another filesystem below"
fs_stop
