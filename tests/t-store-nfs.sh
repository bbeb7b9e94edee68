#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An NFS server as backing store, in user space, with each image a mount point of its own, is killed
# under a verified load and comes back: writers and syncs go on, the image says what it waits for,
# one on a local disk is served and migrated throughout, and in the end the server has it all. A
# daemon that is killed meanwhile, too, is mounted again without the server.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"
. "$top_srcdir/tests/nfs_lib.sh"

requires_fuse
nfs_namespaces "$0"
requires_loop
requires_fs ext4
nfs_start "$tmp/nfs"
export=$tmp/nfs/export
store=$tmp/store
mnt=$tmp/mnt
mkdir "$store" "$mnt"
truncate -s 9M "$export/a" "$export/b"
truncate -s 8M "$store/c" "$store/other"
truncate -s 32M "$export/disk"
for file in a b disk; do
	nfs_show "$file" "$store/$file"
done
new_cache "$tmp/cache" --size=256M
mount_with_log "$tmp/cache" "$store" "$mnt"
set_knob "$mnt" force_migrate 1

# An image with a filesystem on it.
attach "$mnt/disk" --direct-io=on
works mkfs.ext4 -q "$loop"
mount_fs "$loop" "$tmp/disk"
random_file "$tmp/disk/file" 4000000 5
works umount "$tmp/disk"
detach "$loop"
drain "$mnt"
same "$mnt/disk" "$export/disk"
works e2fsck -fn "$export/disk"
[ "$(cat "$(device_of disk)/identity")" = weak ] || fail "what tells a file from another?"

set_knob "$mnt" force_migrate 1
"$VERIFIER" init "$tmp/journal" 3 16384 "${STORE_SEED:-3}"
"$VERIFIER" init "$tmp/other" 1 16384 4

# write_on [-s]: until it gets TERM, or the mount dies. It punches nothing: that waits for a store.
write_on()
{
	"$VERIFIER" write -d -p ${1:+"$1"} -t 100 "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/c" &
	writer=$!
	cleanup_fn end_process "$writer"
}

write_no_more()
{
	kill "$writer"
	wait "$writer" || fail "the writer has seen an error: $1"
	"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/c" || fail "wrong data: $1"
}

is_more_than()
{
	[ "$(metric "$2")" -gt "$1" ]
}

# counts_on METRIC WHEN
counts_on()
{
	eventually 20 is_more_than "$(metric "$1")" "$1" || fail "$1 does not change: $2"
}

image_is_well()
{
	! image_state "$1" error
}

# One of the two at least: the other one's turn in migration may come later.
is_missed()
{
	for file in a b; do
		! image_state "$file" error || return 0
	done
	return 1
}

server_is_missed()
{
	eventually 20 is_missed || fail "no image is in error without a server"
	reason_has "$file" "its backing file does not answer" ||
		fail "$file: $(cat "$(device_of "$file")/reason")"
}

exec 3<>"$mnt/a" 4<>"$mnt/b"
write_on -s
counts_on lcfs_migrated_bytes_total "with the server"
nfs_kill
server_is_missed
# Those that have it open: who opens it now may wait.
random_file "$tmp/put" 4096 7
for fd in 3 4; do
	timeout 30 dd if="$tmp/put" bs=4096 seek=2100 conv=notrunc,fdatasync status=none >&$fd ||
		fail "descriptor $fd is not written and synced without the server"
done
counts_on lcfs_write_bytes_total "without the server"
"$VERIFIER" write -d -s -t 1 "$tmp/other" "$mnt/other" || fail "the local image is not written"
timeout 30 "$LCCTL" drain -q "$mnt/other" || fail "the local image is not drained"
"$VERIFIER" check "$tmp/other" "$store/other" || fail "wrong data in the local file"
timeout -s KILL 10 "$LCCTL" status "$mnt" >/dev/null || fail "lcctl status hangs"
nfs_serve
for file in a b; do
	eventually 30 image_is_well "$file" || fail "$file is $state with the server back"
done
counts_on lcfs_migrated_bytes_total "with the server back"
write_no_more "the server was killed"
exec 3>&- 4>&-
drain "$mnt"
for file in a b; do
	same "$mnt/$file" "$export/$file"
done

# Both die, the daemon first has something that only it has, and is back before the server.
set_knob "$mnt" allow_migrate 0
write_on
counts_on lcfs_write_bytes_total "before both die"
nfs_kill
kill_lcfs "$mnt"
wait "$writer" || fail "the writer has seen an error before both died"
mount_with_log "$tmp/cache" "$store" "$mnt"
timeout -s KILL 10 "$LCCTL" status "$mnt" >/dev/null || fail "lcctl status hangs after the mount"
set_knob "$mnt" force_migrate 1
server_is_missed
nfs_serve
"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" "$mnt/c" || fail "both killed: wrong data"
drain "$mnt"
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$export/a" "$export/b" "$store/c" ||
	fail "wrong data on the server"
