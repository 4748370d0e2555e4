/*
 * A kernel that fits on a page: boots by multiboot 1, says so on the serial line, and then does one
 * thing for each letter it reads there.
 *
 *   e  asks for a letter N, writes it to the debug exit port
 *   h  halts for ever       l  loops for ever
 *   r  resets by port 0xcf9        k  resets by the keyboard controller
 *   t  triple fault: an invalid opcode without an interrupt table
 *   m  prints a letter that it wrote to memory at 32 MiB and read back
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define RECEIVED 0x01
#define ROOM 0x20
#define DEBUG_EXIT 0xf4
#define RESET_CONTROL 0xcf9
#define KEYBOARD_COMMAND 0x64

        .code32
        .section .text
        .align 4
        .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

        .global _start
_start: movl $stack, %esp
        movl $greeting, %esi
        call print
next:   call read
        cmpb $'e', %al
        je exit
        cmpb $'h', %al
        je halt
        cmpb $'l', %al
        je loop
        cmpb $'r', %al
        je reset
        cmpb $'k', %al
        je keyboard
        cmpb $'t', %al
        .global fault
        je fault
        cmpb $'m', %al
        je memory
        jmp next

exit:   call read
        outb %al, $DEBUG_EXIT
        jmp halt
halt:   cli
        hlt
        jmp halt
loop:   jmp loop
reset:  movw $RESET_CONTROL, %dx
        movb $0x06, %al
        outb %al, %dx
        jmp halt
keyboard:
        movb $0xfe, %al
        outb %al, $KEYBOARD_COMMAND
        jmp halt
fault:  lidt no_table
        ud2
memory: movb $'M', 0x2000000
        movb 0x2000000, %al
        call write
        jmp next

/* al: the byte read */
read:   movw $LINE_STATUS, %dx
        inb %dx, %al
        testb $RECEIVED, %al
        jz read
        movw $COM1, %dx
        inb %dx, %al
        ret

/* al: the byte to write */
write:  movb %al, %bl
        movw $LINE_STATUS, %dx
1:      inb %dx, %al
        testb $ROOM, %al
        jz 1b
        movw $COM1, %dx
        movb %bl, %al
        outb %al, %dx
        ret

/* esi: text, ended by NUL */
print:  lodsb
        testb %al, %al
        jz 2f
        call write
        jmp print
2:      ret

greeting:
        .asciz "monitor\n"
        .align 4
no_table:
        .word 0
        .long 0

        .section .bss
        .align 16
        .skip 4096
stack:
