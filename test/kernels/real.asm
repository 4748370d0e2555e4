; Real mode, entered from 32-bit protected mode: limits of 64 KiB, the interrupt vector table, unreal mode,
; and 16-bit protected mode. Intel SDM Vol. 3B, 21.1 "Real-Address Mode"; Vol. 3A, 10.9 "Mode Switching".
%include "prelude.inc"

CODE16 equ FREE                 ; base 0x70000
DATA16 equ FREE + 0x08          ; base 0, 64 KiB
BIG    equ FREE + 0x10          ; base 0, 4 GiB
REAL   equ 0x7000               ; segment of the copy of this kernel

%define real(label) (LINEAR(label) - ORIGIN)

; the lines behind run in real mode, up to `end_real`
%macro in_real 0
  jmp CODE16:real(%%code)
bits 16
%%code:
  mov eax, DATA16
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov fs, eax
  mov gs, eax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp REAL:real(%%real)
%%real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x8000
  lidt [cs:real(real_idtr)]
%endmacro
%macro end_real 0
  jmp REAL:real(real_home)
bits 32
%endmacro

; vector of the interrupt vector table to a label
%macro vector_to 2
  mov dword [(%1) * 4], (REAL << 16) | real(%2)
%endmacro

; a line that must end in an exception (0x100: in none)
%macro real_check 3+            ; name, vector, instructions
  expect %1, %2, 0
    in_real
    %3
    end_real
  verify
%endmacro

main:
  descriptor CODE16, 0x70000, 0xffff, 0x9a, 0
  descriptor DATA16, 0, 0xffff, 0x92, 0
  descriptor BIG, 0, 0xfffff, 0x92, 12
  mov esi, ORIGIN
  mov edi, 0x70000
  mov ecx, 0x10000 / 4
  rep movsd
  vector_to 0, real_stub0
  vector_to 6, real_stub6
  vector_to 12, real_stub12
  vector_to 13, real_stub13
  vector_to 0x50, real_stub80
  mov dword [0x9000], 0x11223344
  mov word [0xfffe], 0x5566

  real_check "a byte at FFFF", NONE, mov al, [0xffff]
  real_check "a word at FFFF", GP, mov ax, [0xffff]
  real_check "a double word at FFFD", GP, mov eax, [0xfffd]
  real_check "beyond 64 KiB with an address of 32 bits", GP, mov al, [dword 0x10000]
  real_check "beyond SS", SS_, mov ax, [ss:0xffff]
  real_check "division by zero", DE, db 0x31, 0xc9, 0xf7, 0xf1
  equal "is a fault", dword [real_cs], REAL
  real_check "LLDT", UD, lldt ax
  real_check "ARPL", UD, db 0x63, 0xc0
  real_check "SYSCALL", UD, syscall
  real_check "INT by the vector table", 0x50, int 0x50
  equal "pushes six bytes", dword [real_sp], 0x8000 - 6
  real_check "a push at SP = 0 wraps", NONE, db 0xbc, 0, 0, 0x50, 0xbc, 0, 0x80
  real_check "HLT is allowed, MOV CR0 as well", NONE, mov eax, cr0
  real_check "LOCK on a register", UD, db 0xf0, 0x01, 0xc0
  expect "CS can be written", NONE, 0
    in_real
    mov word [cs:real(spot)], 0x7788
    mov bx, [cs:real(spot)]
    end_real
  verify
  movzx eax, bx
  equal "and holds it", eax, 0x7788
  expect "far calls and returns", NONE, 0
    in_real
    mov cx, sp
    call REAL:real(far_routine)
    sub cx, sp
    end_real
  verify
  movzx eax, cx
  equal "leave the stack as it was", eax, 0
  expect "an interrupt beyond the vector table", GP, 0
    in_real
    lidt [cs:real(short_idtr)]
    int 0x50
    end_real
  verify

  ; --- unreal mode: limits of 4 GiB from protected mode stay
  mov dword [0x300000], 0xabcdef01
  expect "unreal mode", NONE, 0
    in_real
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, BIG
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    xor bx, bx
    mov fs, bx
    mov ebx, [fs:dword 0x300000]
    end_real
  verify
  equal "reaches beyond 1 MiB", ebx, 0xabcdef01
  expect "and only through that segment", GP, 0
    in_real
    mov ebx, [dword 0x300000]
    end_real
  verify

  ; --- 16-bit protected mode
  expect "16-bit protected mode", NONE, 0
    jmp CODE16:real(.protected16)
bits 16
.protected16:
    mov ax, DATA16
    mov ss, ax
    mov sp, 0x8000
    push ax
    mov cx, sp
    pop ax
    call .near16
    jmp dword KCODE:.back32
.near16:
    ret
bits 32
.back32:
    mov eax, KDATA
    mov ss, eax
    mov esp, [home]
  verify
  movzx eax, cx
  equal "has a stack of 16 bits", eax, 0x7ffe
  expect "whose limits hold", GP, 0
    jmp CODE16:real(.limit16)
bits 16
.limit16:
    mov ax, DATA16
    mov ds, ax
    mov al, [dword 0x10000]
    jmp dword KCODE:.unlimited
bits 32
.unlimited:
  verify
  not_under_tcg
  real_check "a jump beyond 64 KiB", GP, db 0x66, 0xe9, 0, 0, 1, 0
  finish

real_idtr: dw 0x3ff
  dd 0
short_idtr: dw 0x40 * 4 - 1
  dd 0
spot: dw 0

bits 16
%macro real_stub 1
real_stub%1:
  mov byte [cs:real(real_vector)], %1
  jmp real_handler
%endmacro
  real_stub 0
  real_stub 6
  real_stub 12
  real_stub 13
  real_stub 80
real_vector: db 0
far_routine:
  retf

; what an interrupt left: noted, then back to protected mode
real_handler:
  xor ax, ax
  mov ds, ax
  push ds
  pop es
  mov [dword 0x9010], sp
  mov bp, sp
  mov ax, [ss:bp + 2]
  mov [dword 0x9014], ax
  movzx eax, byte [cs:real(real_vector)]
  mov [dword 0x9018], eax
  jmp real_leave
; the end of lines that went through
real_home:
  mov dword [cs:real(outcome)], NONE
  mov eax, [cs:real(outcome)]
  push dword 0
  pop ds
  mov [dword 0x9018], eax
real_leave:
  lgdt [cs:real(real_gdtr)]
  lidt [cs:real(protected_idtr)]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword KCODE:back_in_protected
outcome: dd 0
real_gdtr: dw GDT_BYTES - 1
  dd gdt
protected_idtr: dw 0x90 * 8 - 1
  dd idt
bits 32
back_in_protected:
  mov eax, UDATA
  mov ds, eax
  mov es, eax
  mov eax, [0x9018]
  mov [vector], eax
  mov dword [error], 0
  movzx eax, word [0x9010]
  mov [real_sp], eax
  movzx eax, word [0x9014]
  mov [real_cs], eax
  jmp go_home

real_sp equ scratch + 0x40
real_cs equ scratch + 0x44
