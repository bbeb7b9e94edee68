#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# While one qemu uses an image in a mount, another is refused by qemu's image lock, as in a plain
# directory, and with the same words. A qemu on the backing file past the mount and lcfs keep each
# other off: whoever comes second is refused.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires qemu-img qemu-io qemu-storage-daemon
standard_mount
plain=$tmp/plain
mkdir "$plain"

# hold FORMAT FILE: a storage daemon has it, as a disk that is served.
hold()
{
	rm -f "$tmp/socket"
	qemu-storage-daemon \
		--blockdev "driver=file,node-name=file,filename=$2,cache.direct=on,locking=on" \
		--blockdev "driver=$1,node-name=disk,file=file,cache.direct=on" \
		--nbd-server "addr.type=unix,addr.path=$tmp/socket" \
		--export type=nbd,id=export,node-name=disk,name=disk,writable=on \
		>"$tmp/holder" 2>&1 </dev/null &
	holder=$!
	cleanup_fn end_process "$holder"
	eventually 20 is_ready || fail "no storage daemon: $(cat "$tmp/holder")"
	disk="nbd+unix:///disk?socket=$tmp/socket"
}

is_ready()
{
	[ -S "$tmp/socket" ] || is_gone "$holder"
}

let_go()
{
	kill "$holder"
	wait "$holder" || fail "the storage daemon has failed: $(cat "$tmp/holder")"
}

# try_all DIRECTORY: what a second one is told goes to $tmp/said.
try_all()
{
	cd "$1"
	for second in 'qemu-io -f qcow2 -t none -c "write 0 4k" disk' \
		'qemu-io -r -f qcow2 -c "read 0 4k" disk' \
		'qemu-img snapshot -c one disk' \
		'qemu-img convert -f qcow2 -O raw disk ../copy' \
		'qemu-img info -f qcow2 disk' 'qemu-img info -U -f qcow2 disk' \
		'qemu-img create -f qcow2 disk 1M' 'qemu-img resize -f qcow2 disk 9M' \
		'qemu-img check -f qcow2 disk'; do
		run sh -c "$second"
		echo "$second: $status"
		cat "$tmp/err"
	done
	cd /
}

# Two in the mount, and two in a plain directory.
for where in "$plain" "$mnt"; do
	works qemu-img create -q -f qcow2 "$where/disk" 8M
	hold qcow2 "$where/disk"
	works qemu-io -f raw -c 'write -P 5 1M 1M' -c flush "$disk"
	try_all "$where" >"$where/../said.${where##*/}"
	works qemu-io -f raw -c 'read -P 5 1M 1M' "$disk"
	let_go
	works qemu-io -f qcow2 -t none -c 'read -P 5 1M 1M' -c 'write -P 6 0 4k' "$where/disk"
done
grep -q 'Failed to get "write" lock' "$tmp/said.plain" || fail "nothing is locked in $plain"
diff "$tmp/said.plain" "$tmp/said.mnt" || fail "locks in a mount are not as in a plain directory"

# The image is in use in the mount, and as long as lcfs has something to migrate: no qemu may use
# the backing file.
echo 0 >"$mnt/.lcctl/caches/1/allow_migrate"
works qemu-img create -q -f raw "$mnt/raw" 4M
hold raw "$mnt/raw"
works qemu-io -f raw -c 'write -P 7 0 1M' "$disk"
refuses_the_backing_file()
{
	run qemu-io -f raw -c 'write -P 8 0 4k' "$dir/raw"
	[ "$status" != 0 ] || fail "qemu writes to the backing file while $1"
	grep -q 'Failed to get .*"write" lock' "$tmp/err" || fail "$(cat "$tmp/err")"
}
refuses_the_backing_file "it is in use in the mount"
let_go
refuses_the_backing_file "it is out of date"
drain "$mnt"
eventually 20 qemu-io -f raw -c 'read -P 7 0 1M' -c 'write -P 8 0 4k' "$dir/raw" >"$tmp/out" 2>&1 ||
	fail "the backing file cannot be used after a drain: $(cat "$tmp/out")"

# And the other way round.
hold raw "$dir/raw"
run qemu-io -f raw -t none -c 'write -P 9 0 4k' "$mnt/raw"
[ "$status" != 0 ] || fail "lcfs opens what qemu uses past the mount"
grep -qF "$mnt/raw': Device or resource busy" "$tmp/err" || fail "$(cat "$tmp/err")"
grep -qF 'raw: not opened for writing: another program has locked the backing file' "$tmp/log" ||
	fail "lcfs does not say why"
works qemu-io -f raw -c 'read -P 8 0 4k' "$disk"
let_go
works qemu-io -f raw -t none -c 'read -P 8 0 4k' -c 'write -P 9 0 4k' "$mnt/raw"
umount_lcfs "$mnt"
standard_mount
works qemu-io -f raw -c 'read -P 9 0 4k' -c 'read -P 7 4k 1020k' "$mnt/raw"
umount_lcfs "$mnt"
