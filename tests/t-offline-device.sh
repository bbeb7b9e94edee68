#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The offline tools on a block device: found by UUID and label, refused while it is mounted, as a
# cache or otherwise, and looked at all the same by dump.lcfs.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
requires_loop
truncate -s 64M "$tmp/file"
attach "$tmp/file"
uuid=$(cat /proc/sys/kernel/random/uuid)
works "$MKFS" -q --uuid="$uuid" --label="t-$uuid" "$loop"
mkdir "$tmp/dir" "$tmp/mnt"
cache=$loop
dir=$tmp/dir
mnt=$tmp/mnt
mount_with_log "$cache" "$dir" "$mnt" allow_migrate=0
random_file "$tmp/one" 3000000 1
cp "$tmp/one" "$mnt/one"
commit "$mnt"

for option in -n -y; do
	refused 8 "pid $logged (lcfs)" "$FSCK" $option "$loop"
done
refused 1 "pid $logged (lcfs)" "$OFFLINE" export "$loop" "$tmp/out.img"
refused 1 "pid $logged (lcfs)" "$OFFLINE" apply "$loop" "$dir"
works "$DUMP" "UUID=$uuid"
grep -q "warning: .*pid $logged (lcfs)" "$tmp/err" || fail "no warning: $(cat "$tmp/err")"
umount_lcfs "$mnt"

works "$DUMP" "LABEL=t-$uuid"
says "$uuid"
gives 0 "$FSCK" -v "UUID=$uuid"
says 'one: dirty, 3000000 bytes'
works "$OFFLINE" export "LABEL=t-$uuid" "$tmp/out.img"
same "$tmp/out.img" "$tmp/one"
works "$OFFLINE" apply --mark-clean "UUID=$uuid" "$dir"
same "$dir/one" "$tmp/one"
flip "$loop" 100
gives 1 "$FSCK" -p "$loop"
gives 0 "$FSCK" "$loop"

command -v mkfs.ext4 >/dev/null || exit 0
mkfs.ext4 -qF "$loop"
mount_fs "$loop" "$tmp/fs"
refused 8 "mounted on $tmp/fs" "$FSCK" "$loop"
umount "$tmp/fs"
