; Virtual-8086 mode without VME: entry by IRET, exits by interrupts and faults, what IOPL and the mode
; itself forbid. Intel SDM Vol. 3B, chapter 21 (22 in later editions) "8086 Emulation".
%include "prelude.inc"

V86_STACK equ 0x8000            ; SS 0x0800: a segment from 0x8000 on
VM equ 1 << 17
IOPL3 equ 3 << 12

; the lines behind run in V86 mode, with CS at 64 KiB-aligned %%base so that labels fit
%macro in_v86 1                 ; flags besides VM
  push dword 0x4444             ; GS
  push dword 0x3333             ; FS
  push dword 0x2000             ; DS: base 0x20000
  push dword 0x1111             ; ES
  push dword 0x0800             ; SS
  push dword 0xfff0             ; ESP
  push dword VM | 2 | (%1)
  push dword 0x7000             ; CS: base 0x70000
  push dword v86_code(%%code)
  iretd
%%code:
bits 16
%endmacro
; offsets in the copy of this kernel that starts at 0x70000
%define v86_code(label) (LINEAR(label) - ORIGIN)

%macro end_v86 0
bits 32
%endmacro

main:
  ; the first 64 KiB of this kernel, where V86 code reaches it
  mov esi, ORIGIN
  mov edi, 0x70000
  mov ecx, 0x10000 / 4
  rep movsd
  descriptor FREE, 0, 0xfffff, 0xba, 12 ; code of ring 1
  gate 0x50, FREE, stub0, 0xee
  ; interrupt vectors of 8086 must not be used
  gate 0x81, KCODE, frame_handler, 0xee

  mov [home], esp
  mov dword [resume], .entered
  in_v86 IOPL3
    mov ax, cs
    int 0x81
  end_v86
.entered:
  equal "INT reaches the handler of the IDT", dword [vector], 0x81
  mov eax, [frame + 4]
  equal "from CS", eax, 0x7000
  mov eax, [frame + 8]
  and eax, VM | IOPL3
  equal "with VM in the flags pushed", eax, VM | IOPL3
  equal "the stack pointer", dword [frame + 12], 0xfff0
  equal "the stack segment", dword [frame + 16], 0x0800
  equal "ES", dword [frame + 20], 0x1111
  equal "DS", dword [frame + 24], 0x2000
  equal "FS", dword [frame + 28], 0x3333
  equal "GS", dword [frame + 32], 0x4444
  equal "AX was CS", word [frame + 36], 0x7000
  equal "the handler has null segments", dword [seen_segments], 0
  mov eax, [seen_flags]
  and eax, VM
  equal "and VM clear", eax, 0
  equal "its frame has 36 bytes", dword [seen_esp], RSTACK - 36

%macro v86 5+                   ; name, flags, vector, error, instructions
  expect %1, %3, %4
    in_v86 %2
    %5
    int 0x80
    end_v86
  verify
%endmacro

  mov dword [0x20000], 0x11223344
  v86 "IN needs no IOPL but the map of the TSS", IOPL3, GP, 0, in al, 0x80
  equal "from V86 mode", dword [f_cs], 0x7000
  v86 "CLI with IOPL 3", IOPL3, SYS, 0, cli
  v86 "CLI with IOPL 0", 0, GP, 0, cli
  v86 "STI with IOPL 0", 0, GP, 0, sti
  v86 "PUSHF with IOPL 3", IOPL3, SYS, 0, pushf
  v86 "PUSHF with IOPL 0", 0, GP, 0, pushf
  v86 "POPF with IOPL 0", 0, GP, 0, popf
  v86 "IRET with IOPL 0", 0, GP, 0, iret
  v86 "INT with IOPL 0", 0, GP, 0, int 0x80
  v86 "INT3 does not look at IOPL", 0, GP, 3 * 8 + 2, int3
  gate 3, KCODE, stub3, 0xee
  v86 "and reaches its handler", 0, BP_, 0, int3
  gate 3, KCODE, stub3, 0x8e
  v86 "a handler of ring 1 cannot take over", IOPL3, GP, FREE, int 0x50
  v86 "HLT", IOPL3, GP, 0, hlt
  v86 "MOV from CR0", IOPL3, GP, 0, db 0x0f, 0x20, 0xc0
  v86 "LGDT", IOPL3, GP, 0, lgdt [0]
  v86 "SGDT", IOPL3, SYS, 0, sgdt [0x100]
  v86 "SMSW", IOPL3, SYS, 0, smsw ax
  v86 "LLDT is undefined", IOPL3, UD, 0, lldt ax
  v86 "SLDT is undefined", IOPL3, UD, 0, sldt ax
  v86 "LAR is undefined", IOPL3, UD, 0, db 0x0f, 0x02, 0xc0
  v86 "VERR is undefined", IOPL3, UD, 0, verr ax
  v86 "ARPL is undefined", IOPL3, UD, 0, db 0x63, 0xc0
  v86 "SYSENTER in V86 mode", IOPL3, GP, 0, sysenter
  v86 "RDMSR", IOPL3, GP, 0, rdmsr
  v86 "an ordinary load", IOPL3, SYS, 0, mov eax, [0]
  equal "reads at DS x 16", dword [f_eax], 0x11223344
  v86 "MOV to a segment register", IOPL3, SYS, 0, db 0x8e, 0xd8  ; mov ds, ax
  mov dword [user_flags], 2
  v86 "division by zero", IOPL3, DE, 0, db 0x31, 0xc9, 0xf7, 0xf1
  ; segments of 64 KiB
  v86 "a word at offset FFFF", IOPL3, GP, 0, mov ax, [0xffff]
  v86 "a byte at offset FFFF", IOPL3, SYS, 0, mov al, [0xffff]
  v86 "an address of 32 bits beyond 64 KiB", IOPL3, GP, 0, mov al, [dword 0x10000]
  v86 "beyond SS", IOPL3, SS_, 0, db 0x67, 0x8a, 0x85, 0x00, 0x00, 0x01, 0x00 ; mov al, [ebp + 0x10000]
  v86 "a push that wraps to the top", IOPL3, SYS, 0, db 0xbc, 0x00, 0x00, 0x50, 0xbc, 0xf0, 0xff ; mov sp, 0; push ax; mov sp, fff0
  v86 "a push across the top", IOPL3, SS_, 0, db 0xbc, 0x01, 0x00, 0x50
  v86 "a far call and return", IOPL3, SYS, 0, db 0x0e, 0xe8, 0x02, 0x00, 0xeb, 0x01, 0xcb ; push cs; call +2; jmp +1; retf
  v86 "POPF leaves IOPL and VM", IOPL3, SYS, 0, db 0x66, 0x6a, 0x46, 0x66, 0x9d ; push dword 0x46; popfd
  mov eax, [f_flags]
  and eax, VM | IOPL3
  equal "as they are", eax, VM | IOPL3
  v86 "IRET changes IF", IOPL3, SYS, 0, db 0x68, 0x02, 0x02, 0x0e, 0xe8, 0x02, 0x00, 0xeb, 0x01, 0xcf ; push 0x202; push cs; call; jmp; iret
  mov eax, [f_flags]
  and eax, VM | IOPL3 | 0x200
  equal "and neither IOPL nor VM", eax, VM | IOPL3 | 0x200
  v86 "a jump beyond 64 KiB", IOPL3, GP, 0, db 0x66, 0xe9, 0x00, 0x00, 0x01, 0x00 ; jmp dword +0x10000
  finish

frame equ scratch + 0x40
seen_segments equ scratch + 0x80
seen_flags equ scratch + 0x84
seen_esp equ scratch + 0x88

frame_handler:
  push eax
  mov eax, ds
  mov ecx, es
  or eax, ecx
  mov ecx, fs
  or eax, ecx
  mov ecx, gs
  or eax, ecx
  mov ecx, UDATA
  mov ds, ecx
  mov [seen_segments], eax
  pop dword [frame + 36]
  pushfd
  pop dword [seen_flags]
  mov [seen_esp], esp
%assign at 0
%rep 9
  mov eax, [esp + at]
  mov [frame + at], eax
%assign at at + 4
%endrep
  mov dword [vector], 0x81
  jmp go_home
