#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to backing files behind lcfs's back while the cache has data of them: edited, cut,
# replaced, removed; mounted and unmounted. Each is held, nothing is written over,
# and the others go on.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
requires_loop
requires_fs ext4
truncate -s 64M "$tmp/disk"
mkfs.ext4 -qF "$tmp/disk"
attach "$tmp/disk"
mount_fs "$loop" "$tmp/store"
dir=$tmp/store
mnt=$tmp/mnt
mkdir "$mnt"
new_cache "$tmp/cache"
mount_with_log "$tmp/cache" "$dir" "$mnt"
files='edited cut replaced removed good'

# All have the same dirty data, over the same clean data.
make_dirty()
{
	set_knob "$mnt" force_migrate 0
	set_knob "$mnt" allow_migrate 0
	for file in $files; do
		truncate -s 1M "$mnt/$file"
		put "$mnt/$file" 0 "$1" 8
	done
	drain "$mnt"
	for file in $files; do
		put "$mnt/$file" 2 "$2" 2
	done
}

change_behind()
{
	printf changed | dd of="$dir/edited" conv=notrunc status=none
	truncate -s 4096 "$dir/cut"
	printf another >"$dir/another"
	mv "$dir/another" "$dir/replaced"
	rm "$dir/removed"
}

# The four are held, their files are as somebody left them, and the others have it all.
check_held()
{
	eventually 20 image_state edited conflict || fail "$1: edited is $state"
	eventually 20 image_state cut conflict || fail "$1: cut is $state"
	# whose file is gone, while it is open; or another one has its name
	eventually 20 image_state replaced "$3" || fail "$1: replaced is $state"
	eventually 20 image_state removed missing || fail "$1: removed is $state"
	eventually 20 has "$dir/good" 2 "$2" 2 || fail "$1: good is not migrated"
	[ "$(head -c 7 "$dir/edited")" = changed ] || fail "$1: edited was written over"
	[ "$(stat -c %s "$dir/cut")" = 4096 ] || fail "$1: cut has grown"
	[ "$(cat "$dir/replaced")" = another ] || fail "$1: another file was written to"
	[ ! -e "$dir/removed" ] || fail "$1: removed is there again"
	! timeout 10 cat "$mnt/edited" >/dev/null 2>&1 || fail "$1: edited can be read"
}

# What the cache has can be had, whatever was decided.
settle()
{
	umount_lcfs "$mnt"
	mount_with_log "$tmp/cache" "$dir" "$mnt"
	for file in edited cut replaced; do
		works "$LCCTL" resolve "--export=$tmp/exported" "$mnt/$file"
		has "$tmp/exported" 2 "$1" 2 || fail "the export of $file has other data"
		rm "$tmp/exported"
		works "$LCCTL" resolve --keep-cache "$mnt/$file"
	done
	works "$LCCTL" forget --yes "$mnt/removed"
	drain "$mnt"
	for file in edited cut replaced; do
		has "$dir/$file" 2 "$1" 2 || fail "$file has other data after the decision"
	done
}

make_dirty 1 2
change_behind
set_knob "$mnt" force_migrate 1
check_held mounted 2 missing
settle 2

make_dirty 3 4
umount_lcfs "$mnt"
change_behind
mount_with_log "$tmp/cache" "$dir" "$mnt"
set_knob "$mnt" force_migrate 1
check_held unmounted 4 conflict
settle 4

umount_lcfs "$mnt"
