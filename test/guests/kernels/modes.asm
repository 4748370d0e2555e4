; A firmware image of 64 KiB that walks the processor through its modes, from the reset vector on.
; Every step has a number, kept at STEP. A step that goes wrong writes its number to port 0xf4, the end
; writes 0x55. Expected outcomes: Intel SDM Vol. 3A, chapters 3 to 7 and 9; Vol. 3B, chapter 21.

bits 16
org 0

STEP      equ 0x500
RESUME    equ 0x514     ; where a handler returns to
VECTOR    equ 0x518     ; what the last exception was
ERROR     equ 0x51c
ADDRESS   equ 0x520     ; CR2
COUNT     equ 0x530
LEAVE_V86 equ 0x554
GDT       equ 0x1000
IDT       equ 0x2000
IDT64     equ 0x2800
TSS_A     equ 0x3000
TSS_B     equ 0x3100
ROM       equ 0xf0000
PAGES2    equ 0x10000   ; two levels
PAGES3    equ 0x12000   ; PAE
PAGES4    equ 0x14000   ; four levels

CODE16    equ 0x08
DATA16    equ 0x10
CODE32    equ 0x18      ; base 0xf0000
DATA32    equ 0x20
USER_CODE equ 0x28 | 3  ; base 0xf0000
USER_DATA equ 0x30 | 3
FLAT_CODE equ 0x38
CODE64    equ 0x40
TASK_A    equ 0x48
TASK_B    equ 0x50
GATE      equ 0x58 | 3
ABSENT    equ 0x60
SMALL     equ 0x68      ; data, present, 16 bytes

%macro step 1
  mov byte [STEP], %1
%endmacro

; check what is true after a comparison
%macro must 1
  j%1 %%good
  jmp fail
%%good:
%endmacro

%macro must32 1
  j%1 %%good
  jmp fail32
%%good:
%endmacro

; an instruction that must end in an exception: vector, error code, instruction
%macro faults 3+
  mov dword [RESUME], %%after
  mov dword [VECTOR], 0xffff
  %3
%%after:
  cmp dword [VECTOR], %1
  must32 e
  cmp dword [ERROR], %2
  must32 e
%endmacro

start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  cld

; --- real mode
  step 1                          ; INT and IRET keep flags, clear IF in the handler
  mov word [0x20 * 4], real_handler
  mov word [0x20 * 4 + 2], 0xf000
  mov word [COUNT], 0
  stc
  int 0x20
  must c
  cmp word [COUNT], 1
  must e
  cmp sp, 0x7000
  must e

  step 2                          ; #DE pushes the address of the instruction itself
  mov word [0 * 4], divide_handler
  mov word [0 * 4 + 2], 0xf000
  mov ax, 1
  xor bl, bl
  mov word [COUNT], 0
divides:
  div bl
  cmp word [COUNT], 1
  must e

  step 3                          ; a far call pushes CS and IP
  call 0xf000:far_target
  cmp word [COUNT], 7
  must e

  step 4                          ; PUSHA stores SP as it was, POPA leaves it
  mov ax, 0x1111
  mov di, 0x7777
  pusha
  mov bp, sp
  cmp word [bp + 6], 0x7000
  must e
  mov di, 0
  popa
  cmp di, 0x7777
  must e

; --- unreal mode: a limit of 4 GiB survives the return to real mode
  step 5
  mov si, gdt
  mov di, GDT
  mov cx, gdt_end - gdt
  rep cs movsb
  o32 lgdt [cs:gdt_pointer]
  cli
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, DATA32
  mov fs, bx
  and al, 0xfe
  mov cr0, eax
  mov dword [fs:dword 0x200000], 0x12345678
  mov ebx, 0x1ff000
  cmp dword [fs:ebx + 0x1000], 0x12345678
  must e
  xor bx, bx
  mov fs, bx                      ; the selector changes, the limit does not
  mov ebx, 0x200000
  cmp dword [fs:ebx], 0x12345678
  must e

; --- protected mode
  step 6
  call make_idt
  o32 lidt [cs:idt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp CODE16:protected16

real_handler:
  inc word [COUNT]
  pushf
  pop ax
  test ax, 0x200
  must z
  iret

divide_handler:
  inc word [COUNT]
  push bp
  mov bp, sp
  cmp word [bp + 2], divides
  must e
  add word [bp + 2], 2            ; behind the DIV
  pop bp
  iret

far_target:
  mov bp, sp
  cmp word [bp + 2], 0xf000
  must e
  mov word [COUNT], 7
  retf

; 32-bit interrupt gates for vectors 0 to 31
make_idt:
  mov di, IDT
  mov ax, stubs
  mov cx, 32
.next:
  mov [di], ax
  mov word [di + 2], CODE32
  mov word [di + 4], 0x8e00
  mov word [di + 6], 0
  add di, 8
  add ax, STUB_BYTES
  loop .next
  ret

fail:
  mov al, [STEP]
  out 0xf4, al
  hlt
  jmp fail

protected16:
  mov ax, DATA16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  step 7                          ; a 16-bit stack pushes 16 bits, or 32 when asked
  push ax
  cmp sp, 0x6ffe
  must e
  pop ax
  push eax
  cmp sp, 0x6ffc
  must e
  pop eax
  jmp dword CODE32:protected32

bits 32
protected32:
  mov ax, DATA32
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov fs, ax
  mov gs, ax
  mov esp, 0x7000

  step 8                          ; exceptions and their error codes
  faults 6, 0, ud2
  xor eax, eax
  faults 0, 0, div eax
  mov eax, 0x3f8
  faults 13, 0x3f8, mov fs, ax    ; beyond the limit of the table
  mov eax, ABSENT
  faults 11, ABSENT, mov fs, ax
  faults 12, ABSENT, mov ss, ax
  xor eax, eax
  faults 13, 0, mov ss, ax
  mov eax, CODE32
  faults 13, CODE32, mov ss, ax
  mov fs, ax                      ; readable code is fine for data
  faults 13, 0x182, int 0x30      ; beyond the limit of the IDT

  step 9                          ; LSL, LAR, VERR, VERW
  mov eax, SMALL
  lsl ebx, eax
  must32 z
  cmp ebx, 15
  must32 e
  mov eax, CODE32
  verw ax
  must32 nz
  verr ax
  must32 z
  lar ebx, eax
  must32 z
  and ebx, 0xff00
  cmp ebx, 0x9b00                 ; accessed: it is in CS
  must32 e

  step 10                         ; the task register; its descriptor becomes busy
  mov dword [TSS_A + 4], 0x6800
  mov dword [TSS_A + 8], DATA32
  mov word [TSS_A + 0x66], 0xff   ; no I/O bitmap
  mov eax, TASK_A
  ltr ax
  cmp byte [GDT + TASK_A + 5], 0x8b
  must32 e

  step 11                         ; a task is called, and returns by IRET
  mov edi, TSS_B
  mov dword [edi + 0x20], task_b
  mov dword [edi + 0x24], 2
  mov dword [edi + 0x38], 0x6400
  mov dword [edi + 0x48], DATA32
  mov dword [edi + 0x4c], CODE32
  mov dword [edi + 0x50], DATA32
  mov dword [edi + 0x54], DATA32
  mov dword [edi + 0x58], DATA32
  mov dword [edi + 0x5c], DATA32
  mov dword [COUNT], 0
  mov esi, 0x5151
  call TASK_B:0
  cmp dword [COUNT], 1
  must32 e
  cmp esi, 0x5151
  must32 e
  cmp esp, 0x7000
  must32 e
  cmp byte [GDT + TASK_A + 5], 0x8b
  must32 e
  cmp byte [GDT + TASK_B + 5], 0x89
  must32 e
  call TASK_B:0                   ; goes on behind its IRET
  cmp dword [COUNT], 2
  must32 e
  pushfd
  pop eax
  test eax, 0x4000
  must32 z

  step 12                         ; to ring 3 by IRET
  push dword USER_DATA
  push dword 0x6000
  push dword 2
  push dword USER_CODE
  push dword user
  iretd

task_b:
  inc dword [COUNT]
  pushfd
  pop eax
  test eax, 0x4000                ; nested task
  must32 nz
  cmp word [TSS_B], TASK_A        ; back link
  must32 e
  cmp esp, 0x6400
  must32 e
  iretd
  jmp task_b

user:
  mov ax, USER_DATA
  mov ds, ax
  mov es, ax
  mov ax, cs
  and al, 3
  cmp al, 3
  must32 e
  cmp esp, 0x6000
  must32 e
  step 13                         ; what ring 3 may not do
  faults 13, 0, cli
  faults 13, 0, hlt
  faults 13, 0, mov eax, cr0
  faults 13, 0, in al, 0x80
  mov eax, DATA32
  faults 13, DATA32, mov fs, ax
  faults 13, 0x1a, int 3 * 1      ; its gate is for ring 0 only
  step 14                         ; back through a call gate with one parameter
  push dword 0xcafe
  call GATE:0

gate_target:
  mov ax, DATA32
  mov ds, ax
  mov es, ax
  cmp dword [esp + 8], 0xcafe
  must32 e
  cmp dword [esp + 16], USER_DATA
  must32 e
  cmp dword [esp + 12], 0x5ffc
  must32 e
  cmp esp, 0x6800 - 20
  must32 e
  mov esp, 0x7000

; --- paging of two levels: 4 KiB pages below 4 MiB, a page of 4 MiB above
  step 15
  mov edi, PAGES2 + 0x1000
  mov eax, 7
  mov ecx, 1024
.small:
  stosd
  add eax, 0x1000
  loop .small
  mov dword [PAGES2], (PAGES2 + 0x1000) | 7
  mov dword [PAGES2 + 4], 0x87
  mov dword [PAGES2 + 0x1000 + 5 * 4], 0
  mov dword [PAGES2 + 0x1000 + 8 * 4], 0x8005   ; read-only
  mov eax, cr4
  or al, 0x10                     ; PSE
  mov cr4, eax
  mov eax, PAGES2
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000              ; PG, WP
  mov cr0, eax
  jmp short .paged
.paged:
  cmp byte [0x400000 + STEP], 15
  must32 e
  test byte [PAGES2 + 4], 0x20    ; accessed
  must32 nz
  test byte [PAGES2 + 4], 0x40    ; not dirty
  must32 z
  mov byte [0x400000 + 0x9000], 1
  test byte [PAGES2 + 4], 0x40
  must32 nz
  step 16
  faults 14, 0, mov eax, [0x5123]
  cmp dword [ADDRESS], 0x5123
  must32 e
  faults 14, 2, mov [0x5004], eax
  faults 14, 3, mov [0x8004], eax
  mov eax, cr0
  and eax, 0xfffeffff             ; WP off
  mov cr0, eax
  mov [0x8004], eax
  and eax, 0x7fffffff
  mov cr0, eax

; --- PAE: 2 MiB pages, no-execute
  step 17
  mov edi, PAGES3
  mov ecx, 0x2000 / 4
  xor eax, eax
  rep stosd
  mov dword [PAGES3], (PAGES3 + 0x1000) | 1
  mov dword [PAGES3 + 0x1000], 0x83
  mov dword [PAGES3 + 0x1008], 0x83
  mov dword [PAGES3 + 0x100c], 0x80000000
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x800                   ; NXE
  wrmsr
  mov eax, cr4
  or al, 0x20                     ; PAE
  mov cr4, eax
  mov eax, PAGES3
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp short .pae
.pae:
  cmp byte [0x200000 + STEP], 17
  must32 e
  mov dword [VECTOR], 0xffff
  mov dword [RESUME], ROM + .executed
  jmp FLAT_CODE:0x200600
.executed:
  jmp CODE32:.back
.back:
  cmp dword [VECTOR], 14
  must32 e
  cmp dword [ERROR], 0x11
  must32 e
  cmp dword [ADDRESS], 0x200600
  must32 e
  faults 14, 0, mov eax, [0x400000]
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax

; --- four levels: 64-bit mode, compatibility mode, and back
  step 18
  mov edi, PAGES4
  mov ecx, 0x3000 / 4
  xor eax, eax
  rep stosd
  mov dword [PAGES4], (PAGES4 + 0x1000) | 3
  mov dword [PAGES4 + 0x1000], (PAGES4 + 0x2000) | 3
  mov dword [PAGES4 + 0x2000], 0x83
  mov eax, PAGES4
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100                   ; LME
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  step 19                         ; compatibility mode: still 32-bit code
  push eax
  cmp esp, 0x6ffc
  must32 e
  pop eax
  rdmsr
  test ah, 4                      ; LMA
  must32 nz
  jmp CODE64:ROM + long_mode

bits 64
long_mode:
  mov byte [STEP], 20
  mov rax, 0x123456789abcdef0
  push rax
  pop rbx
  shr rbx, 32
  cmp ebx, 0x12345678
  jne fail64
  mov eax, eax
  shr rax, 32
  jnz fail64
  mov edi, IDT64 + 0x30 * 16
  mov eax, ROM + handler64
  mov [rdi], ax
  mov word [rdi + 2], CODE64
  mov word [rdi + 4], 0x8e00
  shr eax, 16
  mov [rdi + 6], ax
  mov qword [rdi + 8], 0
  lidt [rel idt64_pointer]
  mov dword [COUNT], 0
  mov rsp, 0x6ff9                 ; the processor aligns the stack to 16
  int 0x30
  cmp dword [COUNT], 0x64
  jne fail64
  cmp rsp, 0x6ff9
  jne fail64
  mov esp, 0x7000
  push CODE32
  push compatible
  o64 retf

handler64:
  lea rax, [rsp + 40]
  cmp rax, 0x6ff0
  jne fail64
  mov dword [COUNT], 0x64
  iretq

fail64:
  mov al, [STEP]
  out 0xf4, al
  hlt

bits 32
compatible:
  step 21
  mov ax, DATA32
  mov ss, ax
  mov esp, 0x7000
  dec eax                         ; would be a REX prefix in 64-bit mode
  cmp ax, DATA32 - 1
  must32 e
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  test ah, 4
  must32 z
  and ah, 0xfe
  wrmsr
  xor eax, eax
  mov cr4, eax
  lidt [cs:idt_pointer]

; --- virtual-8086 mode
  step 22
  mov dword [LEAVE_V86], 0
  xor eax, eax
  push eax                        ; GS
  push eax                        ; FS
  push dword 0x10                 ; DS
  push eax                        ; ES
  push eax                        ; SS
  push dword 0x5f00               ; ESP
  push dword 0x20002              ; VM
  push dword 0xf000
  push dword virtual
  iretd

bits 16
virtual:
  mov byte [STEP - 0x100], 23     ; DS is 0x10: segments are paragraphs again
  mov ax, cs
  cmp ax, 0xf000
  jne virtual_fail
  mov ax, 0xffff
  mov ds, ax
  mov al, [0x0510]                ; linear 0x100500, beyond 1 MiB: no wrap-around
  cmp al, 23
  je virtual_fail
  mov ax, 0x10
  mov ds, ax
  mov dword [RESUME - 0x100], .first
  mov dword [VECTOR - 0x100], 0xffff
  cli                             ; IOPL is 0
.first:
  cmp dword [VECTOR - 0x100], 13
  jne virtual_fail
  mov dword [VECTOR - 0x100], 0xffff
  mov dword [RESUME - 0x100], .second
  o32 mov eax, cr0
.second:
  cmp dword [VECTOR - 0x100], 13
  jne virtual_fail
  mov ax, ds
  cmp ax, 0x10
  jne virtual_fail
  cmp sp, 0x5f00
  jne virtual_fail
  mov byte [STEP - 0x100], 24
  mov dword [LEAVE_V86 - 0x100], 1
  int 0x20                        ; to the monitor
virtual_fail:
  mov dword [LEAVE_V86 - 0x100], 2
  int 0x20
  hlt

bits 32
left_v86:
  cmp dword [LEAVE_V86], 1
  must32 e
  mov eax, [esp + 8]              ; vector; then error code, EIP, CS, EFLAGS, ESP, SS, ES, DS
  cmp eax, 13
  must32 e
  cmp dword [esp + 20], 0xf000
  must32 e
  test dword [esp + 24], 0x20000
  must32 nz
  cmp dword [esp + 28], 0x5f00
  must32 e
  cmp dword [esp + 40], 0x10
  must32 e
  mov ax, ds
  mov ss, ax
  mov esp, 0x7000
  mov es, ax

; --- back to real mode
  step 25
  jmp CODE16:.code16
bits 16
.code16:
  mov ax, DATA16
  mov ds, ax
  mov ss, ax
  mov es, ax
  mov fs, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0xf000:.real
.real:
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7000
  o32 lidt [cs:real_idt_pointer]
  mov word [COUNT], 0
  int 0x20
  cmp word [COUNT], 1
  must e
  mov byte [STEP], 0x55
  jmp fail

; --- handlers of 32-bit protected mode: note what happened, and go on at RESUME
bits 32
fail32:
  mov ax, DATA32
  mov ds, ax
  mov al, [STEP]
  out 0xf4, al
  hlt

align 16
STUB_BYTES equ 16
stubs:
%assign vector 0
%rep 32
  %if vector = 8 || (vector >= 10 && vector <= 14) || vector = 17
  %else
  push dword 0
  %endif
  push dword vector
  jmp near noted
  align STUB_BYTES, db 0x90
  %assign vector vector + 1
%endrep

noted:
  push ds
  push eax
  mov ax, DATA32
  mov ds, ax
  cmp dword [LEAVE_V86], 0
  jne left_v86
  mov eax, [esp + 8]
  mov [VECTOR], eax
  mov eax, [esp + 12]
  mov [ERROR], eax
  mov eax, cr2
  mov [ADDRESS], eax
  mov eax, [RESUME]
  mov [esp + 16], eax
  pop eax
  pop ds
  add esp, 8
  iretd

align 8
gdt:
  dq 0
  dq 0x00009a0f0000ffff           ; CODE16
  dq 0x000092000000ffff           ; DATA16
  dq 0x00409a0f0000ffff           ; CODE32
  dq 0x00cf92000000ffff           ; DATA32
  dq 0x0040fa0f0000ffff           ; USER_CODE
  dq 0x00cff2000000ffff           ; USER_DATA
  dq 0x00cf9a000000ffff           ; FLAT_CODE
  dq 0x00af9a000000ffff           ; CODE64
  dq 0x0000890030000067           ; TASK_A
  dq 0x0000890031000067           ; TASK_B
  dw gate_target, CODE32, 0xec01, 0
  dq 0x00cf12000000ffff           ; ABSENT
  dq 0x004092000000000f           ; SMALL
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dd GDT
idt_pointer:
  dw 32 * 8 - 1
  dd IDT
idt64_pointer:
  dw 0x31 * 16 - 1
  dq IDT64
real_idt_pointer:
  dw 0x3ff
  dd 0

bits 16
times 0xfff0 - ($ - $$) db 0
  jmp 0xf000:start
times 0x10000 - ($ - $$) db 0
