#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-img does in a mount what it does in a plain directory: the same commands in both make images
# of the same content, at once, after a remount, and in the backing directory after a drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires qemu-img qemu-io
new_cache "$tmp/cache" --size=192M
standard_mount allow_migrate=0
plain=$tmp/plain
mkdir "$plain"
"$VERIFIER" random "$tmp/data" 10485760 1

# both COMMAND...: in the plain directory, then in the mount.
both()
{
	cd "$plain"
	works "$@"
	cd "$mnt"
	works "$@"
	cd /
}

# same_images DIRECTORY: as those in the plain directory.
same_images()
{
	for image in "$plain"/*; do
		name=${image##*/}
		case $name in
		*.raw) same "$image" "$1/$name" ;;
		*)
			works qemu-img compare -f qcow2 -F qcow2 "$image" "$1/$name"
			works qemu-img check -q -f qcow2 "$1/$name"
			works qemu-img snapshot -l "$1/$name"
			;;
		esac
	done
}

both qemu-img create -q -f raw made.raw 12M
both qemu-img create -q -f raw -o preallocation=falloc falloc.raw 4M
both qemu-img create -q -f raw -o preallocation=full full.raw 4M
both qemu-img create -q -f qcow2 made.qcow2 12M
both qemu-img create -q -f qcow2 -o preallocation=metadata metadata.qcow2 4M
both qemu-img create -q -f qcow2 -o preallocation=falloc falloc.qcow2 4M
both qemu-img create -q -f qcow2 -o preallocation=full full.qcow2 4M

both qemu-img dd -f raw -O raw bs=65536 if="$tmp/data" of=dd.raw
both qemu-img dd -f raw -O raw bs=4096 skip=3 count=700 if=dd.raw of=piece.raw
both qemu-img convert -f raw -O qcow2 dd.raw converted.qcow2
both qemu-img convert -f raw -O qcow2 -c dd.raw compressed.qcow2
both qemu-img convert -f qcow2 -O raw -t none -T none -W -m 8 converted.qcow2 back.raw
both qemu-img convert -f qcow2 -O raw -t directsync -T none compressed.qcow2 synced.raw
both qemu-img convert -f raw -O raw -n -t none dd.raw made.raw

# A raw image with holes keeps them; qemu-img writes the first block of what it creates.
both qemu-img create -q -f raw holes.raw 8M
both qemu-io -f raw -t none -c 'write -P 1 1M 64k' -c 'write -P 2 5M 512' holes.raw
works qemu-img map -f raw --output=json "$mnt/holes.raw"
grep -q '"start": 1048576, "length": 65536,.*"data": true' "$tmp/out" ||
	fail "what is written is no data to qemu-img map: $(cat "$tmp/out")"
grep -q '"start": 4096, "length": 1044480,.*"zero": true, "data": false' "$tmp/out" ||
	fail "a hole is none to qemu-img map: $(cat "$tmp/out")"
both qemu-img convert -f raw -O raw -S 4k -t none holes.raw copied.raw

both qemu-img resize -q -f raw dd.raw 14M
both qemu-img resize -q -f raw --shrink back.raw 3000320
both qemu-img resize -q -f raw --preallocation=falloc falloc.raw 6M
both qemu-img resize -q -f qcow2 converted.qcow2 14M
both qemu-img resize -q -f qcow2 --shrink compressed.qcow2 5M

# Snapshots inside an image, and an image over another.
both qemu-img snapshot -c before made.qcow2
both qemu-io -f qcow2 -t none -c 'write -P 3 0 2M' made.qcow2
both qemu-img create -q -f qcow2 -b converted.qcow2 -F qcow2 over.qcow2
both qemu-io -f qcow2 -c 'write -P 4 3M 1M' -c 'write -z 4M 64k' over.qcow2
both qemu-img commit -q -f qcow2 -d over.qcow2
both qemu-img snapshot -c after made.qcow2
both qemu-img snapshot -a before made.qcow2

run qemu-img compare -f raw -F raw "$mnt/dd.raw" "$mnt/back.raw"
[ "$status" = 1 ] || fail "qemu-img compare takes different images for the same: $status"

same_images "$mnt"
umount_lcfs "$mnt"
standard_mount allow_migrate=0
same_images "$mnt"
drain "$mnt"
umount_lcfs "$mnt"
same_images "$dir"
[ "$(ls "$plain")" = "$(ls "$dir")" ] || fail "other files: $(ls "$dir")"
