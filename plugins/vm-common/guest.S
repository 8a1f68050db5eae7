/* guest.S - the tiny guest of the probe: proves that an x86-64 kernel could run
 *
 * It lies at the start of the last 64 KiB of the firmware's place, F000:0000, and goes the way that a
 * kernel goes: real mode, protected mode, page tables, long mode, an interrupt table, the timer's
 * interrupt.  After three ticks it writes its number to the port of isa-debug-exit.  What stays in real
 * mode would run where a kernel hangs: some hypervisors interpret the first and can't do the rest.
 *
 * Memory: 0x1000-0x3000 and 0x5000 page tables, 0x4000 interrupt table, stack below 0x8000.
 */
	.section .rodata
	.globl	sp_qemu_guest_start, sp_qemu_guest_end
	.hidden	sp_qemu_guest_start, sp_qemu_guest_end
	.set	base, 0xf0000

	.balign	16
sp_qemu_guest_start:
	.code16
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	%cs:(gdt_pointer - sp_qemu_guest_start)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$8, $(base + protected_mode - sp_qemu_guest_start)

	.code32
protected_mode:
	movw	$24, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x1000, %edi			/* all that is used is zero at first */
	movl	$0x1400, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$0x2003, 0x1000			/* the first 2 MiB where they are */
	movl	$0x3003, 0x2000
	movl	$0x83, 0x3000
	movl	$0x5003, 0x2018			/* and the local APIC, uncached */
	movl	$0xfee00093, 0x5fb8
	movl	$0x20, %eax
	movl	%eax, %cr4
	movl	$0x1000, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER: long mode */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$16, $(base + long_mode - sp_qemu_guest_start)

	.code64
long_mode:
	movl	$0x8000, %esp
	movl	$(base + tick - sp_qemu_guest_start), %eax
	movl	$(0x4000 + 0x20 * 16), %edi
	movw	%ax, (%rdi)			/* the gate of vector 0x20 */
	movw	$16, 2(%rdi)
	movw	$0x8e00, 4(%rdi)
	shrl	$16, %eax
	movw	%ax, 6(%rdi)
	lidt	base + idt_pointer - sp_qemu_guest_start
	movl	$0xfee00000, %esi		/* the APIC passes on what the old controller says */
	movl	$0x1ff, 0xf0(%rsi)
	movl	$0x700, 0x350(%rsi)
	movb	$0x11, %al			/* the old controller: from vector 0x20, the timer only */
	outb	%al, $0x20
	movb	$0x20, %al
	outb	%al, $0x21
	movb	$0x04, %al
	outb	%al, $0x21
	movb	$0x01, %al
	outb	%al, $0x21
	movb	$0xfe, %al
	outb	%al, $0x21
	movb	$0x34, %al			/* the timer: each millisecond */
	outb	%al, $0x43
	movb	$0xa9, %al
	outb	%al, $0x40
	movb	$0x04, %al
	outb	%al, $0x40
	movl	$3, %ebx
	sti
1:	hlt
	jmp	1b

tick:
	movb	$0x20, %al
	outb	%al, $0x20
	decl	%ebx
	jnz	2f
	movb	$0x2a, %al			/* QEMU exits with twice this and one */
	outb	%al, $0xf4
2:	iretq

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff		/* 8: code, 32 bits */
	.quad	0x00af9a000000ffff		/* 16: code, 64 bits */
	.quad	0x00cf92000000ffff		/* 24: data */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	base + gdt - sp_qemu_guest_start
idt_pointer:
	.word	0xfff
	.quad	0x4000
sp_qemu_guest_end:

	.section .note.GNU-stack, "", @progbits
