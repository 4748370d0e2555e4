; Task switches by far JMP and CALL, IRET and task gates, with 32- and 16-bit TSS. Intel SDM Vol. 3A,
; 8.2 "Task Management Data Structures", 8.3 "Task Switching", table 8-1 for the checks.
%include "prelude.inc"

TASK_A    equ FREE              ; 32 bits
TASK_B    equ FREE + 0x08
TASK16    equ FREE + 0x10
GATE_A    equ FREE + 0x18       ; task gate to A
UGATE_A   equ FREE + 0x20 | 3   ; the same with DPL 3
GONE      equ FREE + 0x28       ; absent TSS
TINY      equ FREE + 0x30       ; TSS whose limit is too small
LDT       equ FREE + 0x38
GONE_LDT  equ FREE + 0x40
GATE_GONE equ FREE + 0x48       ; absent task gate
KCODE16   equ FREE + 0x50
ABSENT    equ FREE + 0x58
TASK_C    equ FREE + 0x60
TINYCODE  equ FREE + 0x68
KDATA16   equ FREE + 0x70       ; a stack of 16 bits

tss_a  equ buffer
tss_b  equ buffer + 0x100
tss_16 equ buffer + 0x200
tss_c  equ buffer + 0x400
ldt    equ buffer + 0x300
TASK_STACK equ buffer + 0xf00

; fills the 32-bit TSS at %1: entry %2
%macro task 2
  mov edi, %1
  mov ecx, 26
  xor eax, eax
  rep stosd
  mov dword [%1 + 0x20], %2
  mov dword [%1 + 0x24], 0x2
  mov dword [%1 + 0x28], 0xa0a0a0a0
  mov dword [%1 + 0x2c], 0xc1c1c1c1
  mov dword [%1 + 0x38], TASK_STACK
  mov dword [%1 + 0x3c], 0xb5b5b5b5
  mov dword [%1 + 0x48], UDATA
  mov dword [%1 + 0x4c], KCODE
  mov dword [%1 + 0x50], KDATA
  mov dword [%1 + 0x54], UDATA
  mov dword [%1 + 0x58], UDATA
  mov dword [%1 + 0x5c], UDATA
  mov word [%1 + 0x66], 0x68
%endmacro

; busy bit of a descriptor, as 0 or 2
%macro busy 3
  movzx eax, byte [gdt + %2 + 5]
  and eax, 2
  equal %1, eax, %3
%endmacro

; all as at the start
%macro settle 0
  descriptor TASK_A, tss_a, 0x67, 0x89, 0
  descriptor TASK_B, tss_b, 0x67, 0x89, 0
  descriptor TASK_C, tss_c, 0x67, 0x89, 0
  descriptor TASK16, tss_16, 0x2b, 0x81, 0
  descriptor MAIN_TSS, main_tss, 0x67, 0x89, 0
  mov eax, MAIN_TSS
  ltr ax
  push dword 2
  popfd
  clts
  task tss_a, task_a
  task tss_b, task_b
  task tss_c, task_c
%endmacro

main:
  descriptor GONE, tss_a, 0x67, 0x09, 0
  descriptor TINY, tss_a, 0x66, 0x89, 0
  descriptor LDT, ldt, 0x1f, 0x82, 0
  descriptor GONE_LDT, ldt, 0x1f, 0x02, 0
  descriptor KCODE16, 0, 0xfffff, 0x9a, 8
  descriptor KDATA16, 0, 0xfffff, 0x92, 8
  descriptor TINYCODE, 0, 0xf, 0x9a, 4
  descriptor ABSENT, 0, 0xfffff, 0x12, 12
  mov dword [gdt + GATE_A], TASK_A << 16
  mov dword [gdt + GATE_A + 4], 0x8500
  mov dword [gdt + (UGATE_A & ~7)], TASK_A << 16
  mov dword [gdt + (UGATE_A & ~7) + 4], 0xe500
  mov dword [gdt + GATE_GONE], TASK_A << 16
  mov dword [gdt + GATE_GONE + 4], 0x0500

  settle
  expect "JMP to a TSS", SYS, 0
    mov edx, 0xd2d2d2d2
    jmp TASK_A:0
  verify
  equal "runs the new task", dword [ran], 'A'
  equal "with its registers", dword [seen_ecx], 0xc1c1c1c1
  equal "and its stack", dword [seen_esp], TASK_STACK
  equal "saves the old registers", dword [main_tss + 0x30], 0xd2d2d2d2
  equal "and the old segments", word [main_tss + 0x4c], KCODE
  mov eax, [seen_cr0]
  and eax, 8
  equal "sets CR0.TS", eax, 8
  mov eax, [seen_flags]
  and eax, 0x4000
  equal "leaves NT clear", eax, 0
  busy "the new task is busy", TASK_A, 2
  busy "the old one is not", MAIN_TSS, 0
  str eax
  equal "TR names it", eax, TASK_A

  settle
  expect "CALL to a TSS", SYS, 0
    call TASK_A:0
  verify
  mov eax, [seen_flags]
  and eax, 0x4000
  equal "sets NT", eax, 0x4000
  movzx eax, word [tss_a]
  equal "links to the caller", eax, MAIN_TSS
  busy "the caller stays busy", MAIN_TSS, 2
  busy "the callee is busy", TASK_A, 2

  settle
  mov dword [tss_a + 0x20], returns
  expect "CALL and IRET", NONE, 0
    call TASK_A:0
  verify
  busy "the callee is free again", TASK_A, 0
  mov eax, [tss_a + 0x24]
  and eax, 0x4000
  equal "its NT was cleared", eax, 0
  mov eax, [tss_a + 0x20]
  equal "it goes on behind its IRET", eax, returned
  str eax
  equal "the caller runs", eax, MAIN_TSS

  settle
  expect "CALL through a task gate", SYS, 0
    call GATE_A:0
  verify
  equal "runs its task", dword [ran], 'A'
  settle
  expect "a task gate that ring 3 may use", SYS, 0
    in_user
    call UGATE_A:0
  verify
  settle
  expect "one that it may not", GP, GATE_A
    in_user
    call GATE_A:0
  verify
  expect "an absent task gate", NP, GATE_GONE
    call GATE_GONE:0
  verify
  expect "a TSS that ring 3 may not call", GP, TASK_A
    in_user
    call TASK_A:0
  verify
  expect "a busy TSS", GP, MAIN_TSS
    call MAIN_TSS:0
  verify
  expect "an absent TSS", NP, GONE
    jmp GONE:0
  verify
  expect "a TSS that is too small", TS, TINY
    jmp TINY:0
  verify
  expect "IRET to a task that is not busy", TS, TASK_B
    mov word [main_tss], TASK_B
    push dword 0x4002
    popfd
    iretd
  verify

  ; faults in the new task
%macro bad_task 4+              ; name, vector, error, instruction that breaks the TSS
  settle
  %4
  expect %1, %2, %3
    jmp TASK_A:0
  verify
  equal "is raised in the new task", dword [faulty], TASK_A
%endmacro
  mov dword [idt + TS * 8], TASK_B << 16
  mov dword [idt + TS * 8 + 4], 0x8500
  mov dword [idt + NP * 8], TASK_C << 16
  mov dword [idt + NP * 8 + 4], 0x8500
  bad_task "an LDT that is none", TS, KDATA, mov word [tss_a + 0x60], KDATA
  bad_task "an absent LDT", TS, GONE_LDT, mov word [tss_a + 0x60], GONE_LDT
  bad_task "CS null", TS, 0, mov word [tss_a + 0x4c], 0
  bad_task "CS of another level", TS, UCODE & ~3, mov word [tss_a + 0x4c], UCODE & ~3
  bad_task "CS data", TS, KDATA, mov word [tss_a + 0x4c], KDATA
  bad_task "SS null", TS, 0, mov word [tss_a + 0x50], 0
  bad_task "SS of another level", TS, UDATA & ~3, mov word [tss_a + 0x50], UDATA & ~3
  bad_task "DS code that cannot be read, beyond the table", TS, GDT_BYTES, mov word [tss_a + 0x54], GDT_BYTES
  bad_task "FS absent", NP, ABSENT, mov word [tss_a + 0x58], ABSENT

  settle
  mov word [tss_a + 0x4c], TINYCODE
  expect "an EIP beyond the limit of CS", GP, 0
    jmp TASK_A:0
  verify
  equal "is a fault of the new task", dword [f_eip], task_a
  gate 10, KCODE, stub10, 0x8e
  gate 11, KCODE, stub11, 0x8e

  ; an LDT of its own
  settle
  mov dword [ldt + 8], 0x0000ffff | ((buffer & 0xffff) << 16)
  mov dword [ldt + 12], 0x00409200 | (buffer >> 16)
  mov word [tss_a + 0x60], LDT
  mov word [tss_a + 0x58], 8 | 4
  expect "an LDT of its own", SYS, 0
    jmp TASK_A:0
  verify
  equal "gives FS its base", dword [seen_fs0], tss_a_link_marker
  sldt eax
  equal "and is in LDTR", eax, LDT

  ; interrupts through task gates
  settle
  mov dword [idt + 0x50 * 8], TASK_A << 16
  mov dword [idt + 0x50 * 8 + 4], 0x8500
  expect "INT through a task gate", SYS, 0
    int 0x50
  verify
  movzx eax, word [tss_a]
  equal "links to the interrupted task", eax, MAIN_TSS
  settle
  mov dword [tss_a + 0x20], returns
  expect "and IRET", NONE, 0
    int 0x50
  verify
  settle
  mov dword [idt + 13 * 8], TASK_A << 16
  mov dword [idt + 13 * 8 + 4], 0x8500
  expect "#GP through a task gate", SYS, 0
    mov eax, GDT_BYTES
    mov ds, eax
  verify
  equal "has its error code on the new stack", dword [seen_esp], TASK_STACK - 4
  equal "which is the selector", dword [seen_top], GDT_BYTES
  gate 13, KCODE, stub13, 0x8e
  ; a double fault on a broken stack is what task gates are for
  settle
  mov dword [idt + 8 * 8], TASK_A << 16
  mov dword [idt + 8 * 8 + 4], 0x8500
  mov dword [main_tss + 8], 0
  gate 10, KCODE, stub10, 0x0e
  expect "a double fault through a task gate", SYS, 0
    in_user
    ud2
  verify
  equal "runs its task", dword [ran], 'A'
  gate 10, KCODE, stub10, 0x8e
  gate 8, KCODE, stub8, 0x8e
  mov dword [main_tss + 8], KDATA

  ; 16 bits
  settle
  mov edi, tss_16
  mov ecx, 11
  xor eax, eax
  rep stosd
  mov word [tss_16 + 0x0e], 0x7000
  mov word [tss_16 + 0x10], 2
  mov word [tss_16 + 0x12], 0x1212
  mov word [tss_16 + 0x1a], 0x6f00
  mov word [tss_16 + 0x22], UDATA
  mov word [tss_16 + 0x24], KCODE
  mov word [tss_16 + 0x26], KDATA16
  mov word [tss_16 + 0x28], UDATA
  mov byte [0x7000], 0xe9
  mov dword [0x7001], LINEAR(task_a) - 0x7005
  expect "JMP to a TSS of 16 bits", SYS, 0
    jmp TASK16:0
  verify
  movzx eax, word [seen_eax]
  equal "loads 16 bits of its registers", eax, 0x1212
  busy "which is busy", TASK16, 2
  busy "and the other free", MAIN_TSS, 0
  ; the trap of the T bit comes before the first instruction
  settle
  mov dword [ran], 0
  mov word [tss_a + 0x64], 1
  expect "the T bit", DB_, 0
    jmp TASK_A:0
  verify
  equal "traps before the first instruction", dword [f_eip], task_a
  equal "which has not run", dword [ran], 0
  mov eax, [f_dr6]
  and eax, 0xe00f
  equal "and sets DR6.BT", eax, 0x8000
  finish

tss_a_link_marker equ 0

task_a:
  mov [seen_eax], eax
  mov [seen_ecx], ecx
  mov [seen_esp], esp
  pushfd
  pop dword [seen_flags]
  mov eax, [esp]
  mov [seen_top], eax
  mov eax, cr0
  mov [seen_cr0], eax
  clts
  mov eax, fs
  test eax, eax
  jz .no_fs
  mov eax, [fs:0]
  mov [seen_fs0], eax
.no_fs:
  mov dword [ran], 'A'
  int 0x80
; Handlers of #TS and #NP, as tasks: a task that is not whole has no stack for its own faults.
task_b:
  mov dword [vector], TS
  jmp task_fault
task_c:
  mov dword [vector], NP
task_fault:
  pop dword [error]
  str eax
  mov ebx, tss_b
  cmp eax, TASK_B
  je .known
  mov ebx, tss_c
.known:
  movzx eax, word [ebx]
  mov [faulty], eax
  movzx eax, word [tss_a + 0x4c]
  jmp go_home
returns:
  iretd
returned:
  hlt

ran       equ scratch
seen_eax  equ scratch + 4
seen_ecx  equ scratch + 8
seen_esp  equ scratch + 12
seen_flags equ scratch + 16
seen_top  equ scratch + 20
seen_cr0  equ scratch + 24
seen_fs0  equ scratch + 28
faulty    equ scratch + 32
