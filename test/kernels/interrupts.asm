; When interrupts get in: STI and its shadow, CLI, POPF, IRET, HLT, and NMIs. They come from the local APIC,
; sent to this processor by itself. Intel SDM Vol. 3A, 6.8 "Enabling and Disabling Interrupts", 6.7 "NMI";
; Vol. 2B "STI"; 11.6.1 "Interrupt Command Register".
%include "prelude.inc"

APIC equ 0xfee00000
EOI  equ APIC + 0xb0
SVR  equ APIC + 0xf0
ICR  equ APIC + 0x300
SELF equ 1 << 18
IF_  equ 0x200

%macro send 1                   ; command
  mov dword [ICR + 0x10], 0
  mov dword [ICR], (%1) | SELF
%endmacro
; an interrupt that waits, with IF clear
%macro pend 0
  cli
  send 0x50
%endmacro
%macro came_at 2                ; name, label
  equal %1, dword [f_eip], %2
%endmacro

main:
  mov eax, [SVR]
  or eax, 0x1ff
  mov [SVR], eax
  mov dword [APIC + 0x80], 0    ; no priority keeps anything back
  gate 0x50, KCODE, interrupted, 0x8e
  gate 0x51, KCODE, counted, 0x8e
  gate 2, KCODE, nmi, 0x8e

  expect "with IF clear it waits", NONE, 0
    pend
    mov ecx, 1000
.wait:
    dec ecx
    jnz .wait
  verify
  expect "STI lets it in", 0x50, 0
    sti
    jmp .in
.in:
    jmp .in2
.in2:
    hlt
  verify
  cli
  expect "STI and CLI let nothing in", NONE, 0
    pend
    mov ecx, 100
.closed:
    sti
    cli
    dec ecx
    jnz .closed
  verify
  expect "an instruction between them does", 0x50, 0
    mov ecx, 100
.open:
    sti
    nop
.opened:
    cli
    dec ecx
    jnz .open
  verify
  cli
  came_at "behind that instruction", .opened
  expect "also when the window is left by POPF", 0x50, 0
    pend
    mov ecx, 100
.open2:
    pushfd
    sti
    nop
.opened2:
    popfd
    dec ecx
    jnz .open2
  verify
  cli
  came_at "behind the instruction, too", .opened2
  expect "POPF that sets IF lets it in at once", 0x50, 0
    pend
    push dword IF_ | 2
    popfd
.popped:
    cli
  verify
  cli
  came_at "in front of the next instruction", .popped
  expect "IRET as well", 0x50, 0
    pend
    push dword IF_ | 2
    push dword KCODE
    push dword .returned
    iretd
.returned:
    cli
  verify
  cli
  came_at "in front of the next instruction", .returned
  expect "HLT wakes up for it", 0x50, 0
    pend
    sti
    hlt
.woken:
    nop
  verify
  cli
  came_at "and returns behind HLT", .woken
  mov eax, [f_flags]
  and eax, IF_
  equal "IF was set", eax, IF_
  expect "ring 3 is interrupted", 0x50, 0
    pend
    mov dword [user_flags], IF_ | 2
    in_user
.user:
    jmp .user
  verify
  cli
  mov dword [user_flags], 2
  equal "as ring 3", dword [f_cs], UCODE
  mov dword [count], 0
  expect "two of the same vector are one while they wait", NONE, 0
    cli
    send 0x51
    send 0x51
    sti
    nop
    nop
    cli
  verify
  equal "counted once", dword [count], 1
  mov dword [count], 0
  expect "and two when the first has come through", NONE, 0
    sti
    send 0x51
    mov ecx, 1000
.settle:
    dec ecx
    jnz .settle
    send 0x51
    mov ecx, 1000
.settle2:
    dec ecx
    jnz .settle2
    cli
  verify
  equal "counted twice", dword [count], 2

  ; --- non-maskable interrupts
  mov dword [count], 0
  mov dword [again], 0
  expect "an NMI comes with IF clear", NONE, 0
    cli
    send 0x400
    mov ecx, 1000
.nmi:
    dec ecx
    jnz .nmi
  verify
  equal "once", dword [count], 1
  mov dword [count], 0
  mov dword [again], 1
  expect "one sent by the handler", NONE, 0
    send 0x400
    mov ecx, 1000
.nmi2:
    dec ecx
    jnz .nmi2
  verify
  equal "comes as well", dword [count], 2
  equal "but not before the IRET of the first", dword [nested], 0
  finish

interrupted:
  mov dword [EOI], 0
  push byte 0
  push dword 0x50
  jmp near handler

counted:
  inc dword [count]
  mov dword [EOI], 0
  iretd

nmi:
  inc dword [count]
  cmp dword [inside], 0
  je .outer
  mov dword [nested], 1
.outer:
  mov dword [inside], 1
  cmp dword [again], 0
  je .end
  mov dword [again], 0
  send 0x400
  push ecx
  mov ecx, 1000
.wait:
  dec ecx
  jnz .wait
  pop ecx
.end:
  mov dword [inside], 0
  iretd

count  equ scratch
again  equ scratch + 4
inside equ scratch + 8
nested equ scratch + 12
