#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs refuses what holds data, names it, and overwrites it with --force so that nothing of it
# is left to be recognised.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

file=$tmp/device

fresh()
{
	rm -f "$file"
	truncate -s 320M "$file"
}

# holds TEXT: refused with it; --force takes it, and then it is a cache and nothing else.
holds()
{
	before=$(stat -c '%y %s' "$file")
	refused 1 "$1" "$MKFS" "$file"
	grep -q -- --force "$tmp/err" || fail "does not say how to go on: $(cat "$tmp/err")"
	[ "$(stat -c '%y %s' "$file")" = "$before" ] || fail "a refused file was touched"
	works "$MKFS" -q --force "$file"
	if command -v blkid >/dev/null; then
		left=$(blkid -p "$file" || :)
		[ -z "$left" ] || fail "of $1 is left: $left"
	fi
	works "$MKFS" -q "$file"
}

# Anything at all, in the first and in the last MiB, to the byte.
for place in 0 1048575 $(((320 << 20) - 1048576)) $(((320 << 20) - 1)); do
	fresh
	printf x | dd of="$file" bs=1 seek=$place conv=notrunc status=none
	holds "data at byte $place"
done

has_blkid=yes
"$MKFS" --version >/dev/null
grep -aq 'libblkid cannot look' "$MKFS" || has_blkid=no

# name TEXT: what libblkid would say, or else that there is data.
name()
{
	if [ $has_blkid = yes ]; then
		holds "$1"
	else
		holds 'data at byte'
	fi
}

if command -v mkfs.ext4 >/dev/null; then
	fresh
	mkfs.ext4 -q -L precious "$file"
	name 'holds ext4, label "precious", UUID '
fi
if command -v mkfs.xfs >/dev/null; then
	fresh
	mkfs.xfs -q "$file"
	name 'holds xfs'
fi
if command -v mkfs.btrfs >/dev/null; then
	fresh
	mkfs.btrfs -q "$file"
	name 'holds btrfs'
fi
if command -v mkswap >/dev/null; then
	fresh
	chmod 600 "$file"
	mkswap -q "$file" 2>/dev/null || mkswap "$file" >/dev/null
	name 'holds swap'
fi
if command -v sfdisk >/dev/null; then
	fresh
	printf 'label: gpt\n,10M\n' | sfdisk -q "$file"
	name 'holds gpt partition table'
elif command -v parted >/dev/null; then
	fresh
	parted -s "$file" mklabel gpt
	name 'holds gpt partition table'
fi

# Two at once: libblkid finds several, one of them will be named or both said.
if [ $has_blkid = yes ] && command -v mkfs.btrfs >/dev/null && command -v mkswap >/dev/null; then
	fresh
	mkfs.btrfs -q "$file"
	dd if="$file" of="$tmp/btrfs" bs=4096 skip=16 count=1 status=none
	mkswap "$file" >/dev/null 2>&1
	dd if="$tmp/btrfs" of="$file" bs=4096 seek=16 conv=notrunc status=none
	holds 'several signatures'
fi
