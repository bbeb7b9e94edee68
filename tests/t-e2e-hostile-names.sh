#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# While lcfs migrates, is killed and recovers, another process swaps a directory of images with a
# symlink to one outside, all the time: nothing there is ever written to.
test_limit=200
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/offline_lib.sh"

requires_fuse
requires python3 openssl

dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt" "$tmp/outside" "$dir/images"
new_cache "$tmp/cache"
random_file "$tmp/secret" 1000000 1
random_file "$tmp/data" 1000000 2
for i in 1 2 3; do
	cp "$tmp/secret" "$tmp/outside/$i"
	cp "$tmp/secret" "$dir/images/$i"
done
ln -s ../outside "$dir/link"
sum=$(cat "$tmp/outside"/* | sha256sum)

untouched()
{
	[ "$(cat "$tmp/outside"/* | sha256sum)" = "$sum" ] || fail "$1: written to outside"
	[ "$(find "$tmp/outside" | wc -l)" = 4 ] || fail "$1: something was made outside"
}

cat >"$tmp/swap.py" <<'END'
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
while not os.path.exists(sys.argv[2]):
    libc.renameat2(-100, b"images", -100, b"link", 2)
    time.sleep(0.0005)
if os.path.islink("images"):
    libc.renameat2(-100, b"images", -100, b"link", 2)
END
for round in 1 2 3 4 5; do
	mount_with_log "$tmp/cache" "$dir" "$mnt"
	for i in 1 2 3; do
		dd if="$tmp/data" of="$mnt/images/$i" bs=64k conv=notrunc status=none ||
			[ $round -gt 1 ] || fail "image $i cannot be written to"
	done
	rm -f "$tmp/over"
	python3 "$tmp/swap.py" "$dir" "$tmp/over" &
	swapper=$!
	cleanup_fn end_process $swapper
	set_knob "$mnt" force_migrate 1
	sleep 0.3
	kill_lcfs "$mnt"
	untouched "migrating"
	# recovery, in the middle of it; it may be refused
	run "$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"
	cleanup_fn end_mount "$mnt"
	sleep 0.2
	touch "$tmp/over"
	wait $swapper
	untouched "recovered"
	! is_mounted "$mnt" || umount_lcfs "$mnt"
	untouched "unmounted"
done

# What is put in the place of lcfs's own files is neither read nor written to.
rm -rf "$dir/.lcfs"
mkdir "$tmp/private"
ln -s ../private "$dir/.lcfs"
run "$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"
[ "$status" != 0 ] || fail ".lcfs is a symlink, and lcfs uses it"
[ -z "$(ls -A "$tmp/private")" ] || fail "something was made where the symlink .lcfs leads"
rm "$dir/.lcfs"
mkdir "$dir/.lcfs"
for file in uuid caches lock; do
	mkfifo "$dir/.lcfs/$file"
	run "$LCFS" -o "cache=$tmp/cache" "$dir" "$mnt"
	case $status in
	0 | 124 | 137) fail ".lcfs/$file is a fifo: status $status" ;;
	esac
	rm "$dir/.lcfs/$file"
	rm -f "$dir/.lcfs/lock"
done
untouched "at the end"
