#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Direct I/O is direct, and a sector is a sector: a loop device on an image keeps its direct I/O and
# its sectors of 512 bytes. A store that takes nothing smaller than 4096 bytes directly gets whole
# blocks, the rest of each as it was; one that cannot be read does not hinder writing a sector.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
requires_loop
requires_fs ext4

# sector FILE NUMBER LETTER [FLAG]
sector()
{
	# shellcheck disable=SC2086 # no flag, or one
	head -c 512 /dev/zero | tr '\0' "$3" |
		timeout 20 dd of="$1" bs=512 seek="$2" ${4:-} conv=notrunc,fdatasync status=none
}

# 1 MiB, and what three sectors of it become
mkdir "$tmp/small" "$tmp/real" "$tmp/faulty" "$tmp/mnt"
head -c 1048576 /dev/zero | tr '\0' a >"$tmp/old"
cp "$tmp/old" "$tmp/want"
sector "$tmp/want" 9 b
sector "$tmp/want" 11 c
sector "$tmp/want" 2047 d

truncate -s 64M "$tmp/disk"
attach "$tmp/disk" --sector-size 4096 --direct-io=on
mkfs.ext4 -qF "$loop"
mount_fs "$loop" "$tmp/small"
cp "$tmp/old" "$tmp/small/image"
new_cache "$tmp/cache"
mount_lcfs "$tmp/cache" "$tmp/small" "$tmp/mnt" allow_migrate=0
attach "$tmp/mnt/image" --direct-io=on
how=$(losetup -nO DIO,LOG-SEC "$loop" | tr -s ' ')
[ "$how" = " 1 512" ] || fail "direct I/O and sectors of the loop device: $how"
sector "$loop" 9 b oflag=direct
sector "$loop" 11 c oflag=direct
detach "$loop"
sector "$tmp/mnt/image" 2047 d oflag=direct
dd if="$tmp/mnt/image" iflag=direct bs=512 status=none | cmp - "$tmp/want" || fail "other bytes"
drain "$tmp/mnt"
umount_lcfs "$tmp/mnt"
same "$tmp/small/image" "$tmp/want"

faultdir_start "$tmp/real" "$tmp/faulty" -u
cp "$tmp/old" "$tmp/real/image"
new_cache "$tmp/cache2"
mount_lcfs "$tmp/cache2" "$tmp/faulty" "$tmp/mnt" allow_migrate=0
fault read image EIO
sector "$tmp/mnt/image" 9 b oflag=direct || fail "a sector is not written without being read"
sector "$tmp/mnt/image" 11 c oflag=direct
sector "$tmp/mnt/image" 2047 d oflag=direct
! dd if="$tmp/mnt/image" of="$tmp/read" iflag=direct bs=512 count=1 2>"$tmp/err" ||
	fail "the store can be read"
fault clear
drain "$tmp/mnt"
same "$tmp/real/image" "$tmp/want"
umount_lcfs "$tmp/mnt"
