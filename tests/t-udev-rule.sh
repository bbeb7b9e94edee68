#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The rule for udev: a cache device has UUID, label and links, a device with something else does
# not. By udevadm, which plays an event through; no daemon is needed.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_loop
requires udevadm unshare

# /run is one of this test's own: rules and database go there.
own_namespace "$0"
mount -t tmpfs tmpfs /run
cleanup_fn umount -l /run
mkdir -p /run/udev/rules.d
sed "s|\"lcfs-id |\"$top_builddir/lcfs/tools/lcfs-id |" "$top_srcdir/udev/61-lcfs.rules" \
	>/run/udev/rules.d/61-lcfs.rules
grep -q "$top_builddir" /run/udev/rules.d/61-lcfs.rules || fail "the rule does not call lcfs-id"

# play DEVICE: what udev makes of it goes to $tmp/event.
play()
{
	timeout 30 udevadm test --action=add "/sys/class/block/${1#/dev/}" >"$tmp/event" 2>&1 ||
		fail "udevadm test: $(tail -n 3 "$tmp/event")"
	! grep -q '61-lcfs.rules.*\(nvalid\|nknown\)' "$tmp/event" ||
		fail "$(grep 61-lcfs.rules "$tmp/event")"
}

uuid=01234567-89ab-cdef-0123-456789abcdef
new_cache "$tmp/cache" --uuid=$uuid --label='fast one'
attach "$tmp/cache"
play "$loop"
grep -q '61-lcfs.rules' "$tmp/event" || fail "the rule is not read: $(cat "$tmp/event")"
for line in ID_FS_TYPE=lcfs ID_FS_USAGE=other ID_FS_UUID=$uuid ID_FS_LABEL=fast_one; do
	grep -qx "$line" "$tmp/event" || { cat "$tmp/event"; fail "no $line"; }
done
links=$(sed -n 's/^DEVLINKS=//p' "$tmp/event")
for link in "/dev/disk/by-uuid/$uuid" '/dev/disk/by-label/fast\x20one'; do
	case " $links " in
	*" $link "*) ;;
	*) fail "no link $link: '$links'" ;;
	esac
done

# lsblk believes the database of udev, which is where such an event ends.
number=$(cat "/sys/class/block/${loop#/dev/}/dev")
mkdir -p /run/udev/data
sed -n 's/^ID_FS/E:ID_FS/p' "$tmp/event" >"/run/udev/data/b$number"
: >/run/udev/control
[ "$(lsblk -nro FSTYPE,UUID "$loop")" = "lcfs $uuid" ] ||
	fail "lsblk: $(lsblk -o NAME,FSTYPE,UUID "$loop")"
rm -r /run/udev/data

# A partition has from its disk that there is a partition table, which is not in it.
if command -v sfdisk >/dev/null && command -v partx >/dev/null; then
	truncate -s 80M "$tmp/parted"
	printf '%s\n' 'label: gpt' 'start=2048, type=L' | sfdisk -q "$tmp/parted"
	dd if="$tmp/cache" of="$tmp/parted" bs=1M seek=1 conv=notrunc status=none
	attach "$tmp/parted"
	disk=${loop#/dev/}
	[ -e "/sys/class/block/${disk}p1" ] || partx --add "$loop"
	mkdir -p /run/udev/data
	echo E:ID_PART_TABLE_TYPE=gpt >"/run/udev/data/b$(cat "/sys/class/block/$disk/dev")"
	play "${loop}p1"
	grep -qx ID_PART_TABLE_TYPE=gpt "$tmp/event" || fail "nothing comes from the disk"
	grep -qx ID_FS_TYPE=lcfs "$tmp/event" || fail "a partition is not taken for a cache"
	rm -r /run/udev/data
fi

truncate -s 16M "$tmp/other"
attach "$tmp/other"
play "$loop"
! grep -q 'ID_FS_TYPE=lcfs' "$tmp/event" || fail "an empty device is taken for a cache"
