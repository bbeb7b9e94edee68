/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest guest: the boot sector of a disk, for x86 in real mode. By the BIOS it copies NR
 * pieces of 16 KiB from sector 8 on to AWAY sectors further, and ends qemu by the device
 * isa-debug-exit: with status 33 if all went well, else with 65.
 */
	.code16
	.intel_syntax noprefix
	.set NR, 128
	.set AWAY, 8192

	.globl _start
_start:	xor	ax, ax
	mov	ds, ax
	mov	ss, ax
	mov	sp, 0x7c00
	mov	cx, NR
next:	push	cx
	mov	ax, 0x4200
	call	disk
	add	dword ptr [place], AWAY
	mov	ax, 0x4300
	call	disk
	sub	dword ptr [place], AWAY - 32
	pop	cx
	loop	next
	mov	al, 16
	jmp	end
bad:	mov	al, 32
end:	out	0xf4, al
	hlt
	jmp	end

disk:	mov	dl, 0x80
	mov	si, offset packet
	int	0x13
	jc	bad
	ret

	.balign	4
packet:	.byte	16, 0
	.word	32, 0, 0x1000	/* sectors, offset and segment of the buffer */
place:	.quad	8

	.org	510
	.word	0xaa55
