; Gates and privilege levels in 32-bit protected mode: interrupt and trap gates of 32 and 16 bits, call
; gates, returns, stacks from the TSS, privileged instructions. Intel SDM Vol. 3A, chapters 5 and 6;
; Vol. 2 "INT n", "CALL", "RET", "IRET".
%include "prelude.inc"

CONFORMING equ FREE
ABSENTCODE equ FREE + 0x08
CODE1      equ FREE + 0x10      ; DPL 1
GATE32     equ FREE + 0x18 | 3  ; to KCODE, two parameters
GATE16     equ FREE + 0x20 | 3
GATE0      equ FREE + 0x28      ; DPL 0
GATEGONE   equ FREE + 0x30 | 3  ; absent
GATEBAD    equ FREE + 0x38 | 3  ; to a data segment
GATEUSER   equ FREE + 0x40 | 3  ; to UCODE
SHORT_TSS  equ FREE + 0x48
STACK1     equ FREE + 0x50 | 1
GOSTACK    equ FREE + 0x58
KDATA16    equ FREE + 0x60      ; 16-bit stack
CODE16     equ FREE + 0x68      ; 16-bit code, base 0
SMALLSTACK equ FREE + 0x80      ; 16 bytes
UCONFORM   equ FREE + 0x70      ; conforming, DPL 3
GATECONF   equ FREE + 0x78 | 3
GATEBACK   equ FREE + 0x88 | 3

%macro stack0 2                 ; SS0 and ESP0 of the TSS
  mov dword [main_tss + 4], %2
  mov dword [main_tss + 8], %1
%endmacro

main:
  descriptor CONFORMING, 0, 0xfffff, 0x9e, 12
  descriptor ABSENTCODE, 0, 0xfffff, 0x1a, 12
  descriptor CODE1, 0, 0xfffff, 0xba, 12
  descriptor SHORT_TSS, main_tss, 0xb, 0x89, 0
  descriptor STACK1, 0, 0xfffff, 0xb2, 12
  descriptor GOSTACK, 0, 0xfffff, 0x12, 12
  descriptor KDATA16, 0, 0xfffff, 0x92, 8
  descriptor SMALLSTACK, buffer, 0xf, 0x92, 4
  descriptor UCONFORM, 0, 0xfffff, 0xfe, 12
  descriptor CODE16, 0, 0xfffff, 0x9a, 8
  descriptor UCONFORM, 0, 0xfffff, 0xfe, 12
  call_gate GATE32, KCODE, through, 0xec, 2
  call_gate GATE16, KCODE, through, 0xe4, 2
  mov word [gdt + (GATE16 & ~7) + 6], 0
  call_gate GATE0, KCODE, through, 0x8c, 0
  call_gate GATEGONE, KCODE, through, 0x6c, 0
  call_gate GATEBAD, KDATA, through, 0xec, 0
  call_gate GATEUSER, UCODE, through, 0xec, 0
  call_gate GATEBACK, KCODE, and_far_back, 0xec, 2
  call_gate GATECONF, CONFORMING, through, 0xec, 0
  ; 16-bit gates lead to 64 KiB: a jump there
  mov byte [LINEAR(through) & 0xffff], 0xe9
  mov dword [(LINEAR(through) & 0xffff) + 1], LINEAR(through) - (LINEAR(through) & 0xffff) - 5

  ; --- exceptions, one by one
  expect "#DE", DE, 0
    xor ecx, ecx
    div ecx
  verify
  mov eax, [f_flags]
  and eax, 0x10000
  equal "a fault pushes RF", eax, 0x10000
  expect "#BP", BP_, 0
.bp:
    int3
  verify
  mov eax, [f_eip]
  equal "INT3 is a trap", eax, .bp + 1
  expect "#OF", OF, 0
    mov al, 0x7f
    inc al
.of:
    into
  verify
  equal "INTO is a trap", dword [f_eip], .of + 1
  expect "INTO without overflow", NONE, 0
    xor eax, eax
    into
  verify
  expect "#BR", BR_, 0
    mov dword [scratch], 1
    mov dword [scratch + 4], 5
    mov eax, 6
.br:
    bound eax, [scratch]
  verify
  equal "BOUND is a fault", dword [f_eip], .br
  expect "#UD by UD2", UD, 0
    ud2
  verify
  expect "#UD by LOCK on a register", UD, 0
    db 0xf0, 0x01, 0xc0
  verify
  expect "#GP by 16 bytes of instruction", GP, 0
    times 15 db 0x66
    nop
  verify
  expect "#NM by CR0.TS", NM, 0
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    fld1
  verify
  clts
  expect "WAIT needs MP as well", NONE, 0
    mov eax, cr0
    or eax, 8
    and eax, ~2
    mov cr0, eax
    fwait
  verify
  expect "WAIT with MP and TS", NM, 0
    mov eax, cr0
    or eax, 2
    mov cr0, eax
    fwait
  verify
  clts
  expect "#NM by CR0.EM", NM, 0
    mov eax, cr0
    or eax, 4
    mov cr0, eax
    fld1
  verify
  mov eax, cr0
  and eax, ~4
  or eax, 0x20
  mov cr0, eax
  expect "#MF with CR0.NE", 16, 0
    fninit
    push dword 0x360
    fldcw [esp]
    add esp, 4
    fld1
    fldz
    fdivp
    fwait
  verify
  fninit

  ; --- gates of the interrupt table
  expect "the vector behind the table", GP, 0x90 * 8 + 2
    int 0x90
  verify
  gate 0x40, KCODE, through, 0x8e
  gate 0x41, KCODE, through, 0x8f
  gate 0x42, KCODE, through, 0x0e
  gate 0x43, KDATA, through, 0x8e
  gate 0x44, ABSENTCODE, through, 0x8e
  gate 0x45, 0, through, 0x8e
  gate 0x46, GDT_BYTES, through, 0x8e
  gate 0x47, KCODE, through, 0x8c
  gate 0x48, KCODE, through, 0x86
  gate 0x49, CONFORMING, through, 0xee
  gate 0x4a, UCODE, through, 0x8e
  gate 0x4b, CODE1, through, 0xee
  gate 0x4c, KCODE, through, 0xee
  gate 0x4d, KCODE, and_back, 0xee
  gate 0x4e, CODE1, through, 0xee
  mov word [idt + 0x48 * 8 + 6], 0
%macro frame_is 3                ; name, stack of before, bytes
  mov eax, %2
  sub eax, [seen_esp]
  equal %1, eax, %3
%endmacro
  expect "an interrupt gate", THROUGH, 0
    sti
    int 0x40
  verify
  cli
  mov eax, [seen_flags]
  and eax, 0x200
  equal "clears IF", eax, 0
  frame_is "pushes 12 bytes", [home], 12
  mov eax, [seen_frame + 8]
  and eax, 0x200
  equal "among them IF as it was", eax, 0x200
  expect "a trap gate", THROUGH, 0
    sti
    int 0x41
  verify
  cli
  mov eax, [seen_flags]
  and eax, 0x200
  equal "leaves IF", eax, 0x200
  expect "a gate of 16 bits", THROUGH, 0
.narrow:
    int 0x48
  verify
  frame_is "pushes 6 bytes", [home], 6
  movzx eax, word [seen_frame]
  equal "among them 16 bits of EIP", eax, (LINEAR(.narrow) + 2) & 0xffff
  expect "an absent gate", NP, 0x42 * 8 + 2
    int 0x42
  verify
  expect "a gate to data", GP, KDATA
    int 0x43
  verify
  expect "a gate to absent code", NP, ABSENTCODE
    int 0x44
  verify
  expect "a gate to nothing", GP, 0
    int 0x45
  verify
  expect "a gate to beyond the table", GP, GDT_BYTES
    int 0x46
  verify
  expect "a call gate in the interrupt table", GP, 0x47 * 8 + 2
    int 0x47
  verify
  expect "a handler less privileged than the code", GP, UCODE & ~3
    int 0x4a
  verify
  expect "a gate whose DPL keeps ring 3 out", GP, 0x40 * 8 + 2
    in_user
    int 0x40
  verify
  expect "INT3 obeys the DPL too", GP, 3 * 8 + 2
    in_user
    int3
  verify
  expect "but no exception does", UD, 0
    in_user
    ud2
  verify
  equal "its frame has the stack of ring 3", dword [f_esp], USTACK
  equal "and its segment", dword [f_ss], UDATA
  mov eax, [f_myesp]
  equal "it lies where the TSS says", eax, RSTACK - 24
  expect "a conforming handler stays in ring 3", THROUGH, 0
    in_user
    int 0x49
  verify
  mov eax, [seen_cs]
  equal "with CPL 3", eax, CONFORMING | 3
  frame_is "and three words on the same stack", USTACK, 12
  expect "an inner handler", THROUGH, 0
    in_user
    int 0x4c
  verify
  frame_is "has five words on the stack of the TSS", RSTACK, 20
  equal "the stack pointer of ring 3", dword [seen_frame + 12], USTACK
  equal "the stack segment of ring 3", dword [seen_frame + 16], UDATA
  expect "and its IRET", SYS, 0
    in_user
    int 0x4d
    mov [scratch], esp
    out_user
  verify
  equal "restores the stack of ring 3", dword [scratch], USTACK

  ; --- faults on the way to a handler
  gate 6, KCODE, through, 0x0e
  expect "an exception with an absent gate: EXT is set", NP, 6 * 8 + 3
    ud2
  verify
  gate 6, KCODE, stub6, 0x8e
  gate 13, KCODE, stub13, 0x0e
  expect "#GP whose gate is absent is a double fault", DF, 0
    mov eax, GDT_BYTES
    mov ds, eax
  verify
  gate 13, KCODE, stub13, 0x8e
  gate 0, GDT_BYTES, stub0, 0x8e
  expect "#DE and then #GP is a double fault", DF, 0
    xor ecx, ecx
    div ecx
  verify
  gate 0, KCODE, stub0, 0x8e

  ; --- stacks of the TSS. The fault that this ends in goes through a gate that stays in ring 3.
  gate 10, UCONFORM, stub10, 0xee
  gate 12, UCONFORM, stub12, 0xee
  gate 13, UCONFORM, stub13, 0xee
%macro bad_stack 4              ; name, SS0, vector, error
  stack0 %2, RSTACK
  expect %1, %3, %4
    in_user
    int 0x4c
  verify
%endmacro
  bad_stack "SS0 null", 0, TS, 0
  bad_stack "SS0 with RPL 3", KDATA | 3, TS, KDATA
  bad_stack "SS0 with DPL 3", UDATA & ~3, TS, UDATA & ~3
  bad_stack "SS0 code", KCODE, TS, KCODE
  bad_stack "SS0 beyond the table", GDT_BYTES, TS, GDT_BYTES
  bad_stack "SS0 absent", GOSTACK, SS_, GOSTACK
  bad_stack "SS0 too small", SMALLSTACK, SS_, SMALLSTACK
  expect "a TSS too short to hold SS1", TS, SHORT_TSS
    mov eax, SHORT_TSS
    ltr ax
    in_user
    int 0x4e
  verify
  mov byte [gdt + MAIN_TSS + 5], 0x89
  mov eax, MAIN_TSS
  ltr ax
  mov dword [main_tss + 12], RSTACK - 0x800
  mov dword [main_tss + 16], STACK1
  expect "from ring 3 to ring 1", THROUGH, 0
    in_user
    int 0x4e
  verify
  equal "runs at CPL 1", dword [seen_cs], CODE1 | 1
  frame_is "on the stack of level 1", RSTACK - 0x800, 20
  gate 10, KCODE, stub10, 0x8e
  gate 12, KCODE, stub12, 0x8e
  gate 13, KCODE, stub13, 0x8e

  ; --- call gates
  expect "CALL through a gate to ring 0", THROUGH, 0
    in_user
    push dword 0x1234
    push dword 0x5678
    call GATE32:0
  verify
  equal "runs at CPL 0", dword [seen_cs], KCODE
  frame_is "with 24 bytes of frame", RSTACK, 24
  equal "the second parameter", dword [seen_frame + 8], 0x5678
  equal "the first parameter", dword [seen_frame + 12], 0x1234
  equal "the stack of the caller", dword [seen_frame + 16], USTACK - 8
  equal "its segment", dword [seen_frame + 20], UDATA
  expect "RETF 8 takes the parameters", SYS, 0
    in_user
    push dword 0x1234
    push dword 0x5678
    call GATEBACK:0
    mov [scratch + 8], esp
    out_user
  verify
  equal "from both stacks", dword [scratch + 8], USTACK
  expect "CALL through a gate of 16 bits", THROUGH, 0
    in_user
    push word 0x1234
    push word 0x5678
    call GATE16:0
  verify
  frame_is "leaves 12 bytes", RSTACK, 12
  equal "with the parameters", dword [seen_frame + 4], 0x12345678
  expect "CALL through a gate of the same level", THROUGH, 0
    push dword 1
    push dword 2
    call GATE32 & ~3:0
  verify
  frame_is "adds 8 bytes", [home], 16
  expect "CALL through a gate to conforming code", THROUGH, 0
    in_user
    call GATECONF:0
  verify
  equal "keeps CPL 3", dword [seen_cs], CONFORMING | 3
  expect "JMP through a gate to an inner level", GP, KCODE
    in_user
    jmp GATE32:0
  verify
  expect "a gate that ring 3 may not use", GP, GATE0
    in_user
    call GATE0:0
  verify
  expect "an RPL that may not", GP, GATE0
    call GATE0 | 3:0
  verify
  expect "an absent call gate", NP, GATEGONE & ~3
    in_user
    call GATEGONE:0
  verify
  expect "a call gate to data", GP, KDATA
    in_user
    call GATEBAD:0
  verify
  expect "a call gate to an outer level", GP, UCODE & ~3
    call GATEUSER & ~3:0
  verify

  ; --- far transfers without gates
  expect "a far jump to a null selector", GP, 0
    jmp 0:0
  verify
  expect "to data", GP, KDATA
    jmp KDATA:0
  verify
  expect "to absent code", NP, ABSENTCODE
    jmp ABSENTCODE:0
  verify
  expect "to another level", GP, UCODE & ~3
    jmp UCODE & ~3:0
  verify
  expect "to an inner level", GP, KCODE
    in_user
    jmp KCODE:0
  verify
  expect "to conforming code", SYS, 0
    in_user
    jmp CONFORMING:.conforming
.conforming:
    mov [scratch + 8], cs
    out_user
  verify
  movzx eax, word [scratch + 8]
  equal "keeps CPL 3", eax, CONFORMING | 3
  expect "RETF to an inner level", GP, KCODE
    in_user
    push dword KCODE
    push dword 0
    retf
  verify
  expect "IRET to an inner level", GP, KCODE
    in_user
    push dword 2
    push dword KCODE
    push dword 0
    iretd
  verify
  expect "IRET to ring 3 with SS null", GP, 0
    push dword 0
    push dword USTACK
    push dword 2
    push dword UCODE
    push dword 0
    iretd
  verify
  expect "IRET to ring 3 with SS of ring 0", GP, KDATA
    push dword KDATA | 3
    push dword USTACK
    push dword 2
    push dword UCODE
    push dword 0
    iretd
  verify
  expect "IRET to ring 3 with code of ring 0", GP, KCODE
    push dword UDATA
    push dword USTACK
    push dword 2
    push dword KCODE | 3
    push dword 0
    iretd
  verify
  expect "IRET to a null selector", GP, 0
    push dword 2
    push dword 0
    push dword 0
    iretd
  verify
  expect "RETF to ring 3 drops segments of ring 0", GP, 0
    mov eax, KDATA
    mov ds, eax
    mov eax, UDATA
    mov es, eax
    push dword UDATA
    push dword USTACK
    push dword UCODE
    push dword .dropped
    retf
.dropped:
    mov eax, [es:scratch]
.read:
    mov eax, [scratch]
  verify
  equal "and only those", dword [f_eip], .read

  ; --- EFLAGS
  expect "POPF in ring 3 leaves IF and IOPL", SYS, 0
    in_user
    push dword 0x3246
    popfd
    pushfd
    pop dword [scratch + 8]
    out_user
  verify
  equal "as they are", dword [scratch + 8], 0x46
  mov dword [user_flags], 0x3002
  expect "with IOPL 3 IF can be changed", SYS, 0
    in_user
    push dword 0x202
    popfd
    pushfd
    pop dword [scratch + 8]
    out_user
  verify
  equal "but IOPL not", dword [scratch + 8], 0x3202
  expect "IRET in ring 3 leaves IOPL", SYS, 0
    in_user
    push dword 0x202
    push dword UCODE
    push dword .iret
    iretd
.iret:
    pushfd
    pop dword [scratch + 8]
    out_user
  verify
  equal "as well", dword [scratch + 8], 0x3202
  expect "CLI with IOPL 3", SYS, 0
    in_user
    cli
    out_user
  verify
  expect "IN with IOPL 3", SYS, 0
    in_user
    in al, 0x80
    out_user
  verify
  mov dword [user_flags], 2

  ; --- what ring 3 may not do
%macro privileged 1+
  %defstr %%what %1
  %strcat %%name "ring 3: ", %%what
  expect %%name, GP, 0
    in_user
    %1
  verify
%endmacro
  privileged cli
  privileged sti
  privileged hlt
  privileged clts
  privileged lmsw ax
  privileged lgdt [gdtr]
  privileged lidt [idtr]
  privileged lldt ax
  privileged ltr ax
  privileged mov eax, cr0
  privileged mov cr0, eax
  privileged mov eax, cr3
  privileged mov cr4, eax
  privileged mov eax, dr7
  privileged mov dr0, eax
  privileged invlpg [eax]
  privileged invd
  privileged wbinvd
  privileged rdmsr
  privileged wrmsr
  privileged in al, 0x80
  privileged out 0x80, al
  privileged insb
  mov byte [main_tss + 0x68 + 0x10], 0xfe
  descriptor MAIN_TSS, main_tss, 0x80, 0x8b, 0
  descriptor SHORT_TSS, main_tss, 0x80, 0x89, 0
  mov eax, SHORT_TSS
  ltr ax
  expect "a port that the map of the TSS allows", SYS, 0
    in_user
    in al, 0x80
    out_user
  verify
  expect "its neighbour", GP, 0
    in_user
    in al, 0x81
  verify
  expect "both at once", GP, 0
    in_user
    in ax, 0x80
  verify
  expect "a port behind the map", GP, 0
    in_user
    mov dx, 0x3f8
    in al, dx
  verify
  expect "LTR with a busy TSS", GP, SHORT_TSS
    mov eax, SHORT_TSS
    ltr ax
  verify
  expect "LLDT with a TSS", GP, SHORT_TSS
    mov eax, SHORT_TSS
    lldt ax
  verify
  mov eax, cr4
  or eax, 4
  mov cr4, eax
  privileged rdtsc
  mov eax, cr4
  and eax, ~4
  mov cr4, eax
  expect "ring 3: rdtsc without CR4.TSD", SYS, 0
    in_user
    rdtsc
    out_user
  verify
  expect "CR1 does not exist", UD, 0
    db 0x0f, 0x20, 0xc8
  verify
  expect "an MSR that does not exist", GP, 0
    mov ecx, 0xdeadbeef
    rdmsr
  verify
  finish

; Reached through gates: notes where its frame lies and what is in it, and goes home.
through:
  push eax
  push ds
  mov eax, UDATA
  mov ds, eax
  pushfd
  pop dword [seen_flags]
  mov [seen_cs], cs
  pop dword [seen_ds]
  pop dword [seen_eax]
  mov [seen_esp], esp
%assign at 0
%rep 6
  mov eax, [esp + at]
  mov [seen_frame + at], eax
%assign at at + 4
%endrep
  mov dword [vector], THROUGH
  mov eax, cs
  test al, 3
  jz go_home
  int 0x82

; The same, and returns.
and_back:
  iretd
and_far_back:
  retf 8

seen_flags equ scratch + 0x40
seen_cs    equ scratch + 0x44
seen_ds    equ scratch + 0x48
seen_eax   equ scratch + 0x4c
seen_esp   equ scratch + 0x50
seen_frame equ scratch + 0x60
THROUGH    equ 0x200
