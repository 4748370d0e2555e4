; Breakpoints, single steps and alignment checks. Intel SDM Vol. 3B, chapter 18 (17 in earlier editions)
; "Debug ..."; Vol. 3A, 6.15 "#AC".
%include "prelude.inc"

DR7_L0 equ 1
DR7_G0 equ 2
DR7_GD equ 1 << 13
%define DR7_KIND0(rw, len) (((rw) << 16) | ((len) << 18))
EXECUTE equ 0
WRITE   equ 1
PORT    equ 2
ACCESS  equ 3
LEN1    equ 0
LEN2    equ 1
LEN4    equ 3

%macro debug 2                  ; DR0, DR7
  xor eax, eax
  mov dr6, eax
  mov eax, %1
  mov dr0, eax
  mov eax, %2
  mov dr7, eax
%endmacro

; what DR6 says: bits that mean something
%macro dr6_is 2
  mov eax, [f_dr6]
  and eax, 0xe00f
  equal %1, eax, %2
%endmacro

; `verify` with breakpoints off: it pushes
%unmacro verify 0
%macro verify 0
%$after:
  xor eax, eax
  mov dr7, eax
  push dword %$error
  push dword %$vector
  call verdict
  db %$name, 0
  %pop
%endmacro

main:
  mov eax, dr6
  and eax, 0xffff0ff0
  equal "DR6 has its fixed bits", eax, 0xffff0ff0
  mov eax, dr7
  equal "DR7 has bit 10", eax, 0x400

  ; --- instructions
  expect "an instruction breakpoint", DB_, 0
    mov ebx, 1
    debug .here, DR7_L0
    nop
.here:
    inc ebx
  verify
  equal "is a fault", dword [f_eip], .here
  equal "in front of the instruction", ebx, 1
  dr6_is "DR6.B0", 1
  mov eax, [f_flags]
  and eax, 0x10000
  equal "RF is pushed", eax, 0x10000
  expect "with RF in the flags IRET goes on behind it", NONE, 0
    debug .again, DR7_L0
    push dword 0x10002
    push dword KCODE
    push dword .again
    iretd
.again:
    nop
  verify
  ; a loop: RF holds for one instruction
  expect "and meets it the next time", DB_, 0
    mov ecx, 5
    debug .loop, DR7_G0
    push dword 0x10002
    push dword KCODE
    push dword .loop
    iretd
.loop:
    dec ecx
    jnz .loop
  verify
  equal "after one round", ecx, 4
  expect "a breakpoint that is not enabled", NONE, 0
    debug .idle, 0
.idle:
    nop
  verify
  expect "a breakpoint on the second byte of an instruction", NONE, 0
    debug .middle + 1, DR7_L0
.middle:
    mov ebx, 0x12345678
  verify

  ; --- data
  expect "a write breakpoint", DB_, 0
    debug scratch, DR7_L0 | DR7_KIND0(WRITE, LEN4)
    mov ebx, [scratch]
    mov dword [scratch], 0x1234
.after:
    nop
    nop
  verify
  equal "is a trap", dword [f_eip], .after
  equal "behind the write", dword [scratch], 0x1234
  dr6_is "DR6.B0 again", 1
  expect "an access breakpoint", DB_, 0
    debug scratch, DR7_L0 | DR7_KIND0(ACCESS, LEN4)
    mov eax, [scratch]
.read:
    nop
  verify
  equal "traps reads", dword [f_eip], .read
  expect "an access that overlaps the last byte", DB_, 0
    debug scratch, DR7_L0 | DR7_KIND0(ACCESS, LEN4)
    mov eax, [scratch + 3]
  verify
  expect "an access beside it", NONE, 0
    debug scratch, DR7_L0 | DR7_KIND0(ACCESS, LEN4)
    mov eax, [scratch + 4]
    mov al, [scratch - 1]
  verify
  expect "an address that is not aligned to its length is rounded down", DB_, 0
    debug scratch + 3, DR7_L0 | DR7_KIND0(ACCESS, LEN4)
    mov al, [scratch]
  verify
  expect "PUSH traps", DB_, 0
    mov eax, esp
    lea ebx, [eax - 4]
    debug ebx, DR7_L0 | DR7_KIND0(WRITE, LEN4)
    push eax
.pushed:
    pop eax
  verify
  equal "behind it", dword [f_eip], .pushed
  expect "read-modify-write traps once it has written", DB_, 0
    mov dword [scratch], 41
    debug scratch, DR7_L0 | DR7_KIND0(WRITE, LEN4)
    inc dword [scratch]
  verify
  equal "and only once", dword [scratch], 42
  expect "REP MOVSB traps behind the element", DB_, 0
    mov esi, buffer
    mov edi, buffer + 0x100
    mov ecx, 16
    debug buffer + 0x104, DR7_L0 | DR7_KIND0(WRITE, LEN1)
.rep:
    rep movsb
  verify
  equal "with the rest to do", ecx, 11
  equal "at the same instruction", dword [f_eip], .rep
  expect "DR3", DB_, 0
    debug 0, 0
    mov eax, scratch
    mov dr3, eax
    mov eax, (1 << 6) | (WRITE << 28)
    mov dr7, eax
    mov byte [scratch], 1
  verify
  dr6_is "is DR6.B3", 8

  ; --- ports
  mov eax, cr4
  or eax, 8
  mov cr4, eax
  expect "a port breakpoint", DB_, 0
    debug 0x80, DR7_L0 | DR7_KIND0(PORT, LEN1)
    out 0x80, al
.out:
    nop
  verify
  equal "is a trap", dword [f_eip], .out
  dr6_is "of B0", 1
  expect "another port", NONE, 0
    debug 0x80, DR7_L0 | DR7_KIND0(PORT, LEN1)
    out 0xed, al
  verify
  expect "with CR4.DE there is no DR4", UD, 0
    mov eax, dr4
  verify
  mov eax, cr4
  and eax, ~8
  mov cr4, eax
  expect "without, it is DR6", NONE, 0
    db 0x0f, 0x21, 0xe0
    mov ebx, dr6
    sub eax, ebx
    mov ebx, eax
  verify
  equal "the same value", ebx, 0

  ; --- general detect
  expect "DR7.GD", DB_, 0
    debug 0, DR7_GD
.detected:
    mov eax, dr0
  verify
  equal "faults at the access", dword [f_eip], .detected
  mov eax, [f_dr6]
  and eax, 0xe000
  equal "DR6.BD", eax, 0x2000
  mov eax, dr7
  and eax, DR7_GD
  equal "and is clear in the handler", eax, 0

  ; --- single steps
%macro step_from 0              ; sets TF
    pushfd
    or dword [esp], 0x100
    popfd
%endmacro
  expect "single-step", DB_, 0
    debug 0, 0
    step_from
    nop
.stepped:
    nop
  verify
  equal "traps behind the next instruction", dword [f_eip], .stepped
  dr6_is "DR6.BS", 0x4000
  mov eax, [f_flags]
  and eax, 0x10100
  equal "pushes TF, and no RF", eax, 0x100
  expect "a step over a fault", UD, 0
    step_from
    ud2
  verify
  mov eax, [f_flags]
  and eax, 0x100
  equal "has TF in the fault's frame", eax, 0x100
  gate 0x50, KCODE, .through, 0x8e
  expect "a step into an interrupt", NONE, 0
    step_from
    int 0x50
    mov eax, 1
    jmp .unreached
.through:
    mov dword [scratch], 0x5050
    mov eax, [esp + 8]
    and eax, 0x100
    mov [scratch + 4], eax
    mov esp, [home]
    jmp .reached
.unreached:
    ud2
.reached:
  verify
  equal "runs the handler without a trap", dword [scratch], 0x5050
  equal "which finds TF in its frame", dword [scratch + 4], 0x100
  expect "IRET with TF steps one instruction", DB_, 0
    pushfd
    or dword [esp], 0x100
    push dword KCODE
    push dword .iret
    iretd
.iret:
    nop
.iret1:
    nop
  verify
  equal "and no more", dword [f_eip], .iret1
  expect "a step over REP MOVSB is one element", DB_, 0
    mov esi, buffer
    mov edi, buffer + 0x100
    mov ecx, 16
    step_from
    rep movsb
  verify
  equal "of sixteen", ecx, 15
  expect "a step onto a write breakpoint", DB_, 0
    debug scratch, DR7_L0 | DR7_KIND0(WRITE, LEN4)
    step_from
    mov [scratch], eax
  verify
  dr6_is "reports both", 0x4001
  expect "a step in ring 3", DB_, 0
    mov dword [user_flags], 0x102
    in_user
    nop
.user:
    nop
  verify
  mov dword [user_flags], 2
  equal "ends in ring 0", dword [f_eip], .user
  expect "INT1 needs no DPL", DB_, 0
    in_user
    db 0xf1
.int1:
    nop
  verify
  equal "and is a trap", dword [f_eip], .int1

  expect "a step over MOV to SS", DB_, 0
    mov eax, KDATA
    step_from
    mov ss, eax
    nop
.shadow:
    nop
  verify
  equal "ends behind the next instruction", dword [f_eip], .shadow
  expect "a data breakpoint met by MOV to SS", DB_, 0
    mov dword [scratch], KDATA
    debug scratch, DR7_L0 | DR7_KIND0(ACCESS, LEN2)
    mov ss, [scratch]
    inc ebx
.shadow2:
    inc ebx
  verify
  equal "is reported behind the next instruction", dword [f_eip], .shadow2

  ; --- alignment
  mov eax, cr0
  or eax, 1 << 18
  mov cr0, eax
  expect "ring 0 is never checked", NONE, 0
    push dword 0x40002
    popfd
    mov eax, [scratch + 1]
  verify
  expect "ring 3 without AC", SYS, 0
    in_user
    mov eax, [scratch + 1]
    out_user
  verify
  mov dword [user_flags], 0x40002
  expect "ring 3 with AC: a double word", AC, 0
    in_user
    mov eax, [scratch + 2]
  verify
  expect "a word", AC, 0
    in_user
    mov [scratch + 1], ax
  verify
  expect "a read-modify-write", AC, 0
    in_user
    inc word [scratch + 1]
  verify
  expect "a push", AC, 0
    in_user
    dec esp
    push eax
  verify
  expect "what is aligned", SYS, 0
    in_user
    mov eax, [scratch + 4]
    mov ax, [scratch + 2]
    mov al, [scratch + 1]
    push eax
    pop eax
    out_user
  verify
  expect "a double of eight bytes", AC, 0
    in_user
    fld qword [scratch + 4]
  verify
  expect "REP MOVSD", AC, 0
    in_user
    mov esi, buffer
    mov edi, buffer + 0x101
    mov ecx, 4
    rep movsd
  verify
  equal "with nothing done", ecx, 4
  mov eax, cr0
  and eax, ~(1 << 18)
  mov cr0, eax
  expect "without CR0.AM nothing is checked", SYS, 0
    in_user
    mov eax, [scratch + 1]
    out_user
  verify
  mov dword [user_flags], 2
  finish
