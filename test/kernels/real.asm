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
  ; --- a stack of 16 bits under 32-bit code: SP alone moves, addresses have 16 bits
%macro small_stack 1            ; stack pointer
    mov eax, DATA16
    mov ss, eax
    mov esp, %1
%endmacro
%macro large_stack 0
    mov eax, KDATA
    mov ss, eax
    mov esp, [home]
%endmacro
  mov dword [0x7ffc], 0
  expect "PUSH and CALL of 32-bit code on a stack of 16 bits", NONE, 0
    small_stack 0xabcd8000
    push dword 0x11223344
    mov ebx, esp
    call .called
.called:
    pop ecx
    mov edx, esp
    large_stack
  verify
  equal "leave the upper half of ESP", ebx, 0xabcd7ffc
  equal "push below SP", dword [0x7ffc], 0x11223344
  equal "the address behind the call", ecx, .called
  equal "and are undone", edx, 0xabcd7ffc
  expect "PUSH at SP 0", NONE, 0
    small_stack 0xabcd0000
    push dword 0x55667788
    mov ebx, esp
    push sp
    pop word [0x9020]
    large_stack
  verify
  equal "goes to the end of the segment", ebx, 0xabcdfffc
  equal "which holds it", dword [0xfffc], 0x55667788
  movzx eax, word [0x9020]
  equal "PUSH SP pushes SP as it was", eax, 0xfffc
  expect "LEAVE", NONE, 0
    small_stack 0xabcd8000
    mov dword [0x6000], 0x99aabbcc
    mov ebp, 0x12346000
    leave
    mov ebx, esp
    mov ecx, ebp
    large_stack
  verify
  equal "takes SP from BP", ebx, 0xabcd6004
  equal "and pops EBP", ecx, 0x99aabbcc
  expect "PUSHA and POPA", NONE, 0
    small_stack 0xabcd8000
    mov edi, 0x01020304
    mov ecx, 0x0a0b0c0d
    pushad
    mov ebx, esp
    mov dword [0x7fe0], 0x31323334
    popad
    mov edx, esp
    large_stack
  verify
  equal "EDI comes from the lowest", edi, 0x31323334
  equal "ESP is pushed as it was", dword [0x7fec], 0xabcd8000
  equal "and stays", edx, 0xabcd8000
  equal "ECX comes back", ecx, 0x0a0b0c0d
  expect "RET that releases", NONE, 0
    small_stack 0xabcd8ffc
    mov dword [0x8ffc], .released
    ret 0x7800
.released:
    mov ebx, esp
    large_stack
  verify
  equal "wraps around in SP", ebx, 0xabcd0800
  expect "ENTER with a level", NONE, 0
    small_stack 0xabcd8000
    mov ebp, 0x7100
    enter 0x10, 1
    mov ebx, esp
    large_stack
  verify
  equal "moves SP by frame, level and EBP", ebx, 0xabcd8000 - 4 - 4 - 0x10
  equal "the old EBP", dword [0x7ffc], 0x7100
  expect "IRETD within 16-bit limits", NONE, 0
    small_stack 0xabcd8000
    pushfd
    push dword KCODE
    push dword .iret_to
    iretd
.iret_to:
    mov ebx, esp
    large_stack
  verify
  equal "pops three", ebx, 0xabcd8000

  ; --- addresses of 16 bits in 32-bit code, and string instructions that wrap around
  mov dword [0x0004], 0
  mov byte [0xffff], 0x5a
  mov byte [0x0000], 0xa5
  expect "a sum of 16-bit registers", NONE, 0
    mov ebx, 0x1234fff0
    mov esi, 0x5678000f
    mov al, [bx + si]
    mov ecx, 0x99990010
    movzx edx, byte [bx + 0x10]
  verify
  movzx eax, al
  equal "is cut to 16 bits", eax, 0x5a
  equal "with its displacement", edx, 0xa5
  expect "LODSB with an address of 16 bits", NONE, 0
    mov esi, 0x7777ffff
    mov ecx, 0x33330002
    db 0x67
    rep lodsb
  verify
  movzx eax, al
  equal "wraps around in SI", esi, 0x77770001
  equal "counts CX", ecx, 0x33330000
  equal "and reads at 0", eax, 0xa5
  expect "LOOP with CX", NONE, 0
    mov ecx, 0x44440003
    xor edx, edx
.rounds:
    inc edx
    a16 loop .rounds
  verify
  equal "goes on three times", edx, 3
  equal "and leaves the upper half", ecx, 0x44440000
  expect "LEA of 16 bits", NONE, 0
    mov ebx, 0x1234ffff
    a16 lea edx, [bx + 2]
  verify
  equal "is cut", edx, 1
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
