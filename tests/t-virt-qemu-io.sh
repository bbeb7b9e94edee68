#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu's block layer on images in a mount, with each of its ways to do I/O, direct and not:
# patterns, pieces of sectors' size, zeroes, discards. They read back with every other way, after
# kill -9 of the daemon with nothing flushed, after a remount, and the plain files have them after a
# drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires qemu-img qemu-io
standard_mount allow_migrate=0
mkdir "$tmp/plain"

# write_all FILE CACHE AIO: nothing is flushed, as the cache may be killed.
write_all()
{
	how=$(options "$@"),file.cache.no-flush=on,cache.no-flush=on
	works qemu-io -d unmap --image-opts "$how" \
		-c 'write -P 0x11 0 1M' \
		-c 'write -P 0x12 512 512' \
		-c 'write -P 0x13 65024 1024' \
		-c 'aio_write -P 0x14 2M 256k' \
		-c 'aio_write -P 0x15 2304k 4k' \
		-c 'aio_write -P 0x16 3M 3584' \
		-c 'aio_flush' \
		-c 'writev -P 0x17 4M 512 1024 64k 4096' \
		-c 'write -P 0x18 5M 512k' \
		-c 'write -z 5184k 64k' \
		-c 'write -z -u 5248k 60k' \
		-c 'discard 5376k 64k' \
		-c 'write -P 0x19 5380k 512'
}

# read_all FILE CACHE AIO
read_all()
{
	works qemu-io -r --image-opts "$(options "$@")" \
		-c 'read -P 0x11 0 512' \
		-c 'read -P 0x12 512 512' \
		-c 'read -P 0x11 1024 64000' \
		-c 'read -P 0x13 65024 1024' \
		-c 'read -P 0x11 66048 982528' \
		-c 'read -P 0 1M 1M' \
		-c 'read -P 0x14 2M 256k' \
		-c 'read -P 0x15 2304k 4k' \
		-c 'read -P 0 2308k 764k' \
		-c 'read -P 0x16 3M 3584' \
		-c 'read -P 0x17 4M 71168' \
		-c 'read -P 0x18 5M 64k' \
		-c 'read -P 0 5184k 124k' \
		-c 'read -P 0x18 5308k 68k' \
		-c 'read -P 0 5376k 4k' \
		-c 'read -P 0x19 5380k 512' \
		-c 'read -P 0 5509632 60928' \
		-c 'read -P 0x18 5440k 192k'
	! grep -F 'Pattern verification failed' "$tmp/out" || fail "$*: wrong data"
}

options()
{
	direct=off
	[ "$2" != direct ] || direct=on
	echo "driver=raw,file.driver=file,file.filename=$1,file.aio=$3,file.cache.direct=$direct,\
cache.direct=$direct"
}

# each DIRECTORY FUNCTION: all ways; native needs direct I/O. What cannot be here is left out.
ways='direct:threads direct:native direct:io_uring buffered:threads buffered:io_uring'
each()
{
	for way in $ways; do
		"$2" "$1/$way" "${way%:*}" "${way#*:}"
	done
}

works qemu-img create -q -f raw "$tmp/plain/try" 1M
for way in $ways; do
	how=$(options "$tmp/plain/try" "${way%:*}" "${way#*:}")
	run qemu-io --image-opts "$how" -c 'read 0 4k'
	if [ "$status" != 0 ]; then
		echo "$way is not tried: $(cat "$tmp/err")"
		ways=$(echo " $ways " | sed "s/ $way / /")
	fi
done
rm "$tmp/plain/try"

for way in $ways; do
	works qemu-img create -q -f raw "$mnt/$way" 6M
	works qemu-img create -q -f raw "$tmp/plain/$way" 6M
done
each "$tmp/plain" write_all
each "$tmp/plain" read_all
each "$mnt" write_all
each "$mnt" read_all

# Written one way, read another.
for way in $ways; do
	read_all "$mnt/direct:threads" "${way%:*}" "${way#*:}"
done

# Nothing of it has been flushed.
kill_lcfs "$mnt"
standard_mount allow_migrate=0
each "$mnt" read_all

# A flush, then more without one, over it.
for way in $ways; do
	for file in "$mnt/$way" "$tmp/plain/$way"; do
		works qemu-io -d unmap --image-opts "$(options "$file" "${way%:*}" "${way#*:}")" \
			-c 'write -P 0x21 100k 8k' -c flush -c 'write -f -P 0x22 104k 512' \
			-c 'discard 2M 128k'
	done
done
umount_lcfs "$mnt"
standard_mount allow_migrate=0
for way in $ways; do
	same "$tmp/plain/$way" "$mnt/$way"
done
drain "$mnt"
umount_lcfs "$mnt"
for way in $ways; do
	same "$tmp/plain/$way" "$dir/$way"
done
