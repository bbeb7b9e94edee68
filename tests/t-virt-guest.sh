#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A virtual machine on an image in a mount, with cache=none: it boots from it, reads and writes it,
# nobody else may use it meanwhile, and what it wrote is there after kill -9 of the daemon, and in
# the plain file after a drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires qemu-system-x86_64 qemu-io as ld
as --32 -o "$tmp/guest.o" "$top_srcdir/tests/guest.S" 2>"$tmp/err" ||
	skip "the assembler does not make x86 code"
ld -m elf_i386 -Ttext=0x7c00 --oformat=binary -o "$tmp/guest" "$tmp/guest.o" 2>"$tmp/err" ||
	skip "the linker does not make x86 code"

standard_mount allow_migrate=0
pieces=$((128 * 4))
"$VERIFIER" random "$tmp/data" $((pieces * 4096)) 1
truncate -s 16M "$tmp/want"
dd if="$tmp/guest" of="$tmp/want" conv=notrunc status=none
dd if="$tmp/data" of="$tmp/want" bs=4096 seek=1 conv=notrunc status=none
cp "$tmp/want" "$dir/native.img"
cp "$tmp/want" "$mnt/threads.img"
dd if="$tmp/data" of="$tmp/want" bs=4096 seek=1025 conv=notrunc status=none

# machine FILE AIO [OPTION...]
machine()
{
	drive="file=$1,format=raw,if=virtio,cache=none,aio=$2,file.locking=on"
	shift 2
	timeout 60 qemu-system-x86_64 -accel tcg -m 16 -nodefaults -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=1 -drive "$drive" "$@" \
		>"$tmp/machine" 2>&1 </dev/null
}

# One that stands still has the image for itself. It is no child of ours.
end_machine()
{
	[ ! -s "$tmp/pid" ] || ! grep -qF "$tmp/pid" "/proc/$(cat "$tmp/pid")/cmdline" ||
		kill "$(cat "$tmp/pid")"
}
cleanup_fn end_machine
machine "$mnt/native.img" native -S -daemonize -pidfile "$tmp/pid" ||
	fail "no machine: $(cat "$tmp/machine")"
standing=$(cat "$tmp/pid")
for file in "$mnt/native.img" "$dir/native.img"; do
	run qemu-io -f raw -t none -c 'read 0 4k' "$file"
	[ "$status" != 0 ] || fail "a second one may write to $file"
	grep -q 'Failed to get .*"write" lock' "$tmp/err" || fail "$(cat "$tmp/err")"
done
end_machine
eventually 20 is_gone "$standing" || fail "the machine does not end"

for aio in native threads; do
	status=0
	machine "$mnt/$aio.img" $aio || status=$?
	[ $status = 33 ] || fail "the guest ended with $status: $(cat "$tmp/machine")"
	same "$mnt/$aio.img" "$tmp/want"
done
kill_lcfs "$mnt"
standard_mount allow_migrate=0
same "$mnt/native.img" "$tmp/want"
same "$mnt/threads.img" "$tmp/want"
drain "$mnt"
umount_lcfs "$mnt"
same "$dir/native.img" "$tmp/want"
same "$dir/threads.img" "$tmp/want"
