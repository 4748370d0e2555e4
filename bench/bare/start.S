/*
 * A benchmark program as a kernel: multiboot 1, 32-bit protected mode, no paging, no interrupts. It turns
 * SSE on, says when main begins and ends on the serial line, and stops the machine by port 0xf4.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define DEBUG_EXIT 0xf4
#define CR0_MP_NE 0x22
#define CR0_EM_TS 0x0c
#define CR4_OSFXSR_OSXMMEXCPT 0x600

        .code32
        .section .multiboot, "a"
        .align 4
        .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

        .text
        .global _start
_start: movl $stack, %esp
        movl %cr0, %eax
        andl $~CR0_EM_TS, %eax
        orl $CR0_MP_NE, %eax
        movl %eax, %cr0
        movl %cr4, %eax
        orl $CR4_OSFXSR_OSXMMEXCPT, %eax
        movl %eax, %cr4
        fninit
        pushl $begins
        call print
        pushl $0
        pushl $0
        call main
        pushl $ends
        call print
        xorl %eax, %eax
        outb %al, $DEBUG_EXIT
        cli
stop:   hlt
        jmp stop

        .section .rodata
begins: .asciz "@start@\n"
ends:   .asciz "@done@\n"

        .bss
        .align 16
        .skip 1 << 20
stack:
