; Limits and rights of segments in 32-bit protected mode. Intel SDM Vol. 3A, 5.3 "Limit Checking",
; 5.4 "Type Checking", 5.7 "Privilege Level Checking When Loading the SS Register"; error codes: 6.13.
%include "prelude.inc"

SMALL    equ FREE           ; data, 16 bytes
PAGED    equ FREE + 0x08    ; data, one page by granularity
DOWN32   equ FREE + 0x10    ; expand-down above 0xf, to 4 GiB
DOWN16   equ FREE + 0x18    ; expand-down above 0xf, to 64 KiB
READONLY equ FREE + 0x20
EXECUTE  equ FREE + 0x28    ; code that cannot be read
READABLE equ FREE + 0x30    ; code that can
ABSENT   equ FREE + 0x38
STACK    equ FREE + 0x40    ; a stack of 8 MiB
ROSTACK  equ FREE + 0x48
USMALL   equ FREE + 0x50 | 3 ; 16 bytes of ring 3
CODE16B  equ FREE + 0x58    ; code, 16 bytes from `island`
GOSTACK  equ FREE + 0x60    ; absent stack
SYSTEM   equ FREE + 0x68
BEYOND   equ GDT_BYTES

main:
  descriptor SMALL, buffer, 0xf, 0x92, 4
  descriptor PAGED, buffer, 0, 0x92, 12
  descriptor DOWN32, buffer, 0xf, 0x96, 4
  descriptor DOWN16, buffer, 0xf, 0x96, 0
  descriptor READONLY, buffer, 0xf, 0x90, 4
  descriptor EXECUTE, buffer, 0xf, 0x98, 4
  descriptor READABLE, buffer, 0xf, 0x9a, 4
  descriptor ABSENT, buffer, 0xf, 0x12, 4
  descriptor STACK, 0, 0x7ff, 0x92, 12
  descriptor ROSTACK, 0, 0x7ff, 0x90, 12
  descriptor USMALL, buffer, 0xf, 0xf2, 4
  descriptor CODE16B, LINEAR(island), 0xf, 0x9a, 4
  descriptor GOSTACK, 0, 0x7ff, 0x12, 12
  descriptor SYSTEM, 0, 0x67, 0x89, 0
  mov dword [buffer], 0x11223344
  mov dword [buffer + 12], 0x55667788

%macro with 2            ; segment register, selector
  mov eax, %2
  mov %1, eax
%endmacro

  expect "a byte at the limit can be read", NONE, 0
    with ds, SMALL
    mov al, [0xf]
  verify
  expect "a byte behind the limit is #GP(0)", GP, 0
    with ds, SMALL
    mov al, [0x10]
  verify
  expect "a word across the limit is #GP(0)", GP, 0
    with ds, SMALL
    mov ax, [0xf]
  verify
  expect "a double word that ends at the limit can be read", NONE, 0
    with ds, SMALL
    mov ecx, [0xc]
  verify
  equal "and is the right one", ecx, 0x55667788
  expect "a write across the limit is #GP(0)", GP, 0
    with ds, SMALL
    mov dword [0xd], 0
  verify
  equal "and writes nothing", dword [buffer + 12], 0x55667788
  expect "an offset that wraps is #GP(0)", GP, 0
    with ds, SMALL
    mov eax, [0xfffffffe]
  verify
  expect "read-modify-write across the limit is #GP(0)", GP, 0
    with ds, SMALL
    add dword [0xe], 1
  verify
  expect "16 bytes of a vector that fit can be read", NONE, 0
    with ds, SMALL
    fninit
    fld qword [8]
    fstp st0
  verify
  expect "an x87 operand across the limit is #GP(0)", GP, 0
    with ds, SMALL
    fld qword [9]
  verify
  expect "ten bytes of x87 across the limit are #GP(0)", GP, 0
    with ds, SMALL
    fld tword [7]
  verify
  fninit
  expect "an x87 environment across the limit is #GP(0)", GP, 0
    with ds, SMALL
    fnstenv [0]
  verify
  expect "SGDT across the limit is #GP(0)", GP, 0
    with ds, SMALL
    sgdt [0xb]
  verify
  expect "SGDT inside the limit works", NONE, 0
    with ds, SMALL
    sgdt [4]
  verify
  expect "BTS far from its operand is checked there", GP, 0
    with ds, SMALL
    mov ecx, 0x80
    bts [0], ecx
  verify
  expect "XLAT beyond the limit is #GP(0)", GP, 0
    with ds, SMALL
    mov ebx, 0xf
    mov al, 1
    xlatb
  verify
  expect "CMPXCHG8B across the limit is #GP(0)", GP, 0
    with ds, SMALL
    cmpxchg8b [9]
  verify
  expect "BOUND reads its pair within the limit", GP, 0
    with ds, SMALL
    xor ecx, ecx
    bound ecx, [0xc]
  verify
  expect "a far pointer across the limit is #GP(0)", GP, 0
    with ds, SMALL
    les ecx, [0xb]
  verify
  expect "PUSH from beyond the limit is #GP(0)", GP, 0
    with ds, SMALL
    push dword [0xd]
  verify
  expect "POP to beyond the limit is #GP(0)", GP, 0
    with ds, SMALL
    push eax
    pop dword [0xd]
  verify

  mov dword [0x201ffc], 0
  expect "page granularity: the last byte of the page", NONE, 0
    with ds, PAGED
    mov al, [0xfff]
  verify
  expect "page granularity: the byte behind", GP, 0
    with ds, PAGED
    mov al, [0x1000]
  verify

  expect "expand-down: at the limit", GP, 0
    with ds, DOWN32
    mov al, [0xf]
  verify
  expect "expand-down: behind the limit", NONE, 0
    with ds, DOWN32
    mov eax, [0x10]
  verify
  expect "expand-down of 32 bits: beyond 64 KiB", NONE, 0
    with ds, DOWN32
    mov eax, [0x10000]
  verify
  expect "expand-down of 16 bits: up to 64 KiB", NONE, 0
    with ds, DOWN16
    mov al, [0xffff]
  verify
  expect "expand-down of 16 bits: beyond 64 KiB", GP, 0
    with ds, DOWN16
    mov ax, [0xffff]
  verify

  expect "read-only data can be read", NONE, 0
    with ds, READONLY
    mov al, [0]
  verify
  expect "read-only data cannot be written", GP, 0
    with ds, READONLY
    mov [0], al
  verify
  expect "readable code can be read", NONE, 0
    with ds, READABLE
    mov al, [0]
  verify
  expect "code cannot be written", GP, 0
    with ds, READABLE
    mov [0], al
  verify
  expect "CS can be read", NONE, 0
    mov eax, [cs:main]
  verify
  expect "CS cannot be written", GP, 0
    mov [cs:scratch], eax
  verify
  expect "a null selector can be loaded", NONE, 0
    with ds, 3
  verify
  expect "but not used", GP, 0
    with ds, 0
    mov al, [0]
  verify
  expect "nor for writing through ES by a string instruction", GP, 0
    with es, 0
    mov edi, buffer
    stosb
  verify

  ; FS and GS are checked although the rest is flat
  expect "FS behind its limit", GP, 0
    with fs, SMALL
    mov eax, [fs:0xd]
  verify
  expect "FS within its limit", NONE, 0
    with fs, SMALL
    mov ecx, [fs:0xc]
  verify
  equal "reads from its base", ecx, 0x55667788
  expect "GS null", GP, 0
    with gs, 0
    mov eax, [gs:0xd]
  verify

  ; addresses of 16 bits
  expect "an address of 16 bits is cut before the limit counts", NONE, 0
    with fs, SMALL
    mov bx, 0xfffc
    mov al, [fs:bx + 8]
  verify
  expect "and checked like any other", GP, 0
    with fs, SMALL
    mov bx, 0xfffc
    mov al, [fs:bx + 0x14]
  verify

  ; strings
  expect "REP MOVSD stops at the limit of its source", GP, 0
    with fs, SMALL
    xor esi, esi
    mov edi, buffer + 0x100
    mov ecx, 8
    fs rep movsd
  verify
  equal "with the elements behind it to do", ecx, 4
  equal "and the source at the limit", esi, 16
  equal "and the rest copied", dword [buffer + 0x10c], 0x55667788
  expect "REP STOSB stops at the limit of its destination", GP, 0
    with es, SMALL
    mov edi, 8
    mov ecx, 100
    mov al, 0x5a
    rep stosb
  verify
  equal "after eight bytes", ecx, 92
  mov dword [buffer + 12], 0x55667788
  expect "REPNE SCASB reads within the limit", GP, 0
    with es, SMALL
    xor edi, edi
    mov ecx, 100
    mov al, 0xee
    repne scasb
  verify
  equal "to its end", edi, 16
  expect "REP MOVSB downwards stops below offset 0", GP, 0
    with fs, SMALL
    std
    mov esi, 3
    mov edi, buffer + 0x200
    mov ecx, 100
    fs rep movsb
  verify
  equal "where the offset wraps", esi, -1
  expect "OUTSB reads within the limit", GP, 0
    with fs, SMALL
    mov esi, 16
    mov dx, 0x80
    fs outsb
  verify
  expect "INSB writes within the limit", GP, 0
    with es, SMALL
    mov edi, 16
    mov dx, 0x80
    insb
  verify

  ; loading
  expect "a selector beyond the table", GP, BEYOND
    with ds, BEYOND
  verify
  expect "an absent segment", NP, ABSENT
    with ds, ABSENT
  verify
  expect "code that cannot be read is no data", GP, EXECUTE
    with ds, EXECUTE
  verify
  expect "a system descriptor is no data", GP, SYSTEM
    with es, SYSTEM
  verify
  expect "RPL above DPL", GP, KDATA
    with ds, KDATA | 3
  verify
  expect "SS cannot be null", GP, 0
    xor eax, eax
    mov ss, eax
  verify
  expect "SS must have RPL = CPL", GP, STACK
    mov eax, STACK | 1
    mov ss, eax
  verify
  expect "SS must have DPL = CPL", GP, UDATA & ~3
    mov eax, UDATA & ~3
    mov ss, eax
  verify
  expect "SS must be writable", GP, ROSTACK
    mov eax, ROSTACK
    mov ss, eax
  verify
  expect "SS must be present: #SS(selector)", SS_, GOSTACK
    mov eax, GOSTACK
    mov ss, eax
  verify
  expect "CS cannot be loaded by MOV", UD, 0
    db 0x8e, 0xc8
  verify
  expect "segment register 6 does not exist", UD, 0
    db 0x8e, 0xf0
  verify

  ; the stack segment
  expect "an address by EBP behind SS is #SS(0)", SS_, 0
    with ss, STACK
    mov ebp, 0x7ffffd
    mov eax, [ebp]
  verify
  expect "by ESP too", SS_, 0
    with ss, STACK
    mov eax, [esp + 0x800000]
  verify
  expect "but not with DS: before it", NONE, 0
    with ss, STACK
    mov ebp, 0x7ffffd
    mov eax, [ds:ebp]
  verify
  expect "LEAVE from behind SS", SS_, 0
    with ss, STACK
    mov ebp, 0x7ffffe
    leave
  verify
  expect "a stack that overflows in ring 3", SS_, 0
    push dword USMALL
    push dword 4
    push dword 2
    push dword UCODE
    push dword .overflow
    iretd
.overflow:
    push eax
    push eax
  verify
  equal "has the stack pointer of before", dword [f_esp], 0
  expect "PUSHA that does not fit in ring 3", SS_, 0
    push dword USMALL
    push dword 16
    push dword 2
    push dword UCODE
    push dword .pusha
    iretd
.pusha:
    pushad
  verify
  equal "has the stack pointer of before", dword [f_esp], 16
  expect "POP behind the limit in ring 3", SS_, 0
    push dword USMALL
    push dword 14
    push dword 2
    push dword UCODE
    push dword .pop
    iretd
.pop:
    pop eax
  verify
  expect "ENTER below the stack in ring 3", SS_, 0
    push dword USMALL
    push dword 16
    push dword 2
    push dword UCODE
    push dword .enter
    iretd
.enter:
    enter 16, 0
  verify
  expect "CALL without room in ring 3", SS_, 0
    push dword USMALL
    push dword 2
    push dword 2
    push dword UCODE
    push dword .call
    iretd
.call:
    call .call
  verify

  ; the code segment
  expect "running off the end of the code segment", GP, 0
    jmp CODE16B:15
  verify
  equal "faults at the first byte behind it", dword [f_eip], 16
  expect "an instruction across the limit", GP, 0
    jmp CODE16B:12
  verify
  equal "faults at its own start", dword [f_eip], 13
  expect "a near jump beyond the limit", GP, 0
    jmp CODE16B:0
  verify
  equal "faults at the jump", dword [f_eip], 0
  expect "a near call beyond the limit", GP, 0
    mov ebx, 16
    jmp CODE16B:2
  verify
  equal "faults at the call", dword [f_eip], 2
  mov eax, [f_myesp]
  add eax, 16
  equal "and pushes nothing", eax, [home]
  expect "a near return beyond the limit", GP, 0
    push dword 0x10
    jmp CODE16B:4
  verify
  equal "faults at the return", dword [f_eip], 4
  expect "LOOP beyond the limit", GP, 0
    mov ecx, 5
    jmp CODE16B:6
  verify
  equal "counts nothing", ecx, 5
  expect "a far jump beyond the limit", GP, 0
    jmp CODE16B:16
  verify
  expect "a far call beyond the limit", GP, 0
    call CODE16B:16
  verify
  equal "faults where it is", dword [f_cs], KCODE

  ; questions
  mov eax, READONLY
  verr ax
  setz cl
  verw ax
  setz ch
  and ecx, 0xffff
  equal "VERR and VERW of read-only data", ecx, 0x0001
  mov eax, EXECUTE
  verr ax
  setz cl
  mov eax, ABSENT
  verr ax
  setz ch
  and ecx, 0xffff
  equal "VERR of code that cannot be read, and of an absent segment", ecx, 0x0100
  mov eax, PAGED
  lsl ecx, eax
  equal "LSL applies granularity", ecx, 0xfff
  lar ecx, eax
  and ecx, 0xf0ff00
  equal "LAR gives access and flags", ecx, 0xc09300
  mov eax, BEYOND
  mov ecx, 1234
  lsl ecx, eax
  setz dl
  and edx, 1
  equal "LSL beyond the table: ZF clear", edx, 0
  equal "LSL beyond the table: nothing written", ecx, 1234

  ; what TCG does not survive
  expect "CR0: PG without PE", GP, 0
    mov eax, 0x80000010
    mov cr0, eax
  verify
  expect "CR0: NW without CD", GP, 0
    mov eax, cr0
    or eax, 0x20000000
    mov cr0, eax
  verify
  expect "CR4: a reserved bit", GP, 0
    mov eax, cr4
    or eax, 0x40000000
    mov cr4, eax
  verify
  finish

; sixteen bytes of code, executed at offset 0
island:
  jmp short island + 0x20   ; 0
  call ebx                  ; 2
  ret                       ; 4
  nop                       ; 5
  loop island + 0x40        ; 6
  nop                       ; 8
  nop
  nop
  nop                       ; 11
  nop                       ; 12
  mov eax, 0x12349078       ; 13, five bytes, of which the third is a NOP
  nop
