#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount is a directory pool of libvirt: volumes are made, filled, grown, copied, read out and
# deleted, and the pool is the same after a remount. libvirtd runs with directories of its own.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires libvirtd virsh qemu-img unshare
new_cache "$tmp/cache" --size=128M
standard_mount allow_migrate=0
"$VERIFIER" random "$tmp/data" 6000000 1
truncate -s 8M "$tmp/data"
head -c 4194304 "$tmp/data" >"$tmp/short"

# libvirtd in a mount namespace, for its directories. It ends when lcfs is unmounted, which does not
# reach it there, and must not keep the mounts of other tests.
own=$tmp/libvirt
mkdir -p "$own/etc" "$own/lib" "$own/cache" "$own/log" "$own/run/libvirt"
# So that it is reached from here, and asks nobody.
cat >"$own/libvirtd.conf" <<END
unix_sock_dir = "$own/run"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
log_outputs = "2:file:$own/libvirtd.log"
END
# Nothing but storage: no networks are set up here.
mkdir "$own/drivers"
for library in /usr/lib*/libvirt /usr/lib/*/libvirt; do
	! [ -e "$library/connection-driver/libvirt_driver_storage.so" ] ||
		ln -sf "$library/connection-driver/libvirt_driver_storage.so" "$own/drivers/"
done
cat >"$own/start" <<'END'
set -e
own=$1
awk -v keep="$2" '$3 == "fuse.lcfs" && $2 != keep { print $2 }' /proc/self/mounts |
	while read -r point; do
		umount -l "$point" || :
	done
mount --bind "$own/run" /run
for place in lib cache log; do
	mount --bind "$own/$place" "/var/$place"
done
mount --bind "$own/etc" /etc/libvirt
LIBVIRT_DRIVER_DIR=$own/drivers exec libvirtd -f "$own/libvirtd.conf" -p "$own/libvirtd.pid"
END
start_libvirtd()
{
	unshare -m sh "$own/start" "$own" "$mnt" >"$own/libvirtd.out" 2>&1 </dev/null &
	libvirtd=$!
	eventually 30 answers || skip "libvirtd does not answer: $(cat "$own/libvirtd.log")"
	! is_gone "$libvirtd" ||
		skip "libvirtd cannot run here: $(cat "$own/libvirtd.out" "$own/libvirtd.log")"
}

answers()
{
	is_gone "$libvirtd" ||
		virsh -q -c "storage:///system?socket=$own/run/libvirt-sock" uri >"$tmp/out" 2>&1
}

end_libvirtd()
{
	end_process "$libvirtd"
	eventually 20 is_gone "$libvirtd"
}

# on COMMAND...: virsh, and what it says is in $tmp/out.
on()
{
	works virsh -q -c "storage:///system?socket=$own/run/libvirt-sock" "$@"
}

# size NAME: its capacity in bytes, as libvirt sees it.
size()
{
	on vol-dumpxml --pool images "$1"
	sed -n "s/.*<capacity unit='bytes'>\([0-9]*\)<.*/\1/p" "$tmp/out"
}

volumes()
{
	on pool-refresh images
	on vol-list images
	awk '{ print $1 }' "$tmp/out" | sort | tr '\n' ' '
}

# has_volumes NAMES: and each is as large and holds what it should.
has_volumes()
{
	[ "$(volumes)" = "$1 " ] || fail "the pool has $(volumes)not $1"
	[ "$(size grown.raw)" = 12582912 ] || fail "grown.raw has $(size grown.raw) bytes"
	[ "$(size disk.qcow2)" = 33554432 ] || fail "disk.qcow2 has $(size disk.qcow2) bytes"
	for name in copy.raw disk.raw; do
		on vol-download --pool images "$name" "$tmp/$name"
		same "$tmp/$name" "$tmp/data"
	done
	on vol-download --pool images --offset 4096 --length 70000 copy.raw "$tmp/part"
	cmp -n 70000 -i 4096:0 "$tmp/data" "$tmp/part" || fail "a part of copy.raw is wrong"
	works qemu-img check -q -f qcow2 "$mnt/disk.qcow2"
	works qemu-img compare -f qcow2 -F qcow2 "$mnt/disk.qcow2" "$mnt/copy.qcow2"
}

start_libvirtd
cleanup_fn end_libvirtd
on pool-define-as images dir --target "$mnt"
on pool-build images
on pool-start images
on pool-info --bytes images
capacity=$(awk '/^Capacity/ { print $2 }' "$tmp/out")
[ "${capacity:-0}" -gt 0 ] || fail "the pool has no capacity: $(cat "$tmp/out")"
[ -z "$(ls "$mnt")" ] || fail "libvirt has left something: $(ls "$mnt")"

on vol-create-as images disk.raw 8M --format raw
on vol-create-as images grown.raw 8M --format raw --allocation 0
on vol-create-as images gone.raw 4M --format raw
on vol-create-as images disk.qcow2 16M --format qcow2
on vol-upload --pool images disk.raw "$tmp/data"
on vol-upload --pool images gone.raw "$tmp/short"
on vol-resize --pool images grown.raw 12M
on vol-resize --pool images disk.qcow2 32M
on vol-clone --pool images disk.raw copy.raw
on vol-clone --pool images disk.qcow2 copy.qcow2
on vol-create-as images thin.qcow2 8M --format qcow2 --backing-vol disk.raw \
	--backing-vol-format raw
on vol-delete --pool images gone.raw
[ ! -e "$mnt/gone.raw" ] || fail "gone.raw is still there"

# What was written past libvirt is found by a refresh.
truncate -s 1M "$mnt/found.raw"
has_volumes "copy.qcow2 copy.raw disk.qcow2 disk.raw found.raw grown.raw thin.qcow2"
on vol-wipe --pool images found.raw
works qemu-img compare -F raw -f qcow2 "$mnt/thin.qcow2" "$mnt/disk.raw"
on vol-delete --pool images thin.qcow2
on vol-delete --pool images found.raw

end_libvirtd
umount_lcfs "$mnt"
standard_mount allow_migrate=0
start_libvirtd
has_volumes "copy.qcow2 copy.raw disk.qcow2 disk.raw grown.raw"
drain "$mnt"
on pool-destroy images
on pool-undefine images
end_libvirtd
umount_lcfs "$mnt"
same "$dir/disk.raw" "$tmp/data"
same "$dir/copy.raw" "$tmp/data"
[ "$(stat -c %s "$dir/grown.raw")" = 12582912 ] || fail "grown.raw is shorter"
works qemu-img compare -f qcow2 -F qcow2 "$dir/disk.qcow2" "$dir/copy.qcow2"
