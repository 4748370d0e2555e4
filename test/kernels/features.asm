; What 64-bit systems find by CPUID: bases of FS and GS, time stamps, process-context identifiers, the XSAVE
; family of the supervisor, counters and machine checks; and what is not announced. Intel SDM Vol. 3A, 2.5,
; 4.10; Vol. 3B, 16.3, 18.17; Vol. 1, 13.8 to 13.12; AMD APM Vol. 2, 13.2; Vol. 3 "SYSENTER".
%define LEVELS 4
%include "prelude64.inc"

%define page(n) (WINDOW + (n) * 0x1000)
%define frame(n) (frames + (n) * 0x1000)
area equ buffer                 ; of XSAVE
pml4b equ 0x306000              ; a second address space: the same, but for the window
pdptb equ 0x307000
pdwb equ 0x308000
ptwb equ 0x309000
descriptor_ equ scratch + 0x80  ; of INVPCID
KEEP equ 1 << 63

%macro cr4_bits 2               ; set, clear
  mov rax, cr4
  or eax, %1
  and eax, ~(%2)
  mov cr4, rax
%endmacro
%macro one 4+                   ; name, vector, error, instruction
  expect %1, %2, %3
    %4
  verify
%endmacro
%macro user 4+                  ; the same in ring 3
  expect %1, %2, %3
    in_user
    %4
    out_user
  verify
%endmacro
%macro wrmsr_ 2                 ; register, value
  mov rax, %2
  mov rdx, rax
  shr rdx, 32
  mov ecx, %1
  wrmsr
%endmacro
%macro rdmsr_ 1                 ; into RAX
  mov ecx, %1
  rdmsr
  shl rdx, 32
  or rax, rdx
%endmacro
%macro space 1                  ; value of CR3
  mov rax, %1
  mov cr3, rax
%endmacro
%macro forget 3                 ; INVPCID: type, identifier, address
  mov qword [descriptor_], %2
  mov rax, %3
  mov [descriptor_ + 8], rax
  mov eax, %1
  invpcid rax, [descriptor_]
%endmacro
; the page of the first address space becomes frame %2 while the second one is in use: then %3, and back
%macro forgets 3+               ; name, frame, how it is forgotten
  space pml4b + 2
  mov qword [ptw], frame(%2) + P + W + U
  %3
  space (pml4 + 1) | KEEP
  equal %1, qword [page(0)], 0x100 + %2
%endmacro

main:
  ; --- bases of FS and GS
  cr4_bits 0, 1 << 16
  one "RDFSBASE without CR4.FSGSBASE", UD, 0, rdfsbase rax
  one "WRGSBASE without it", UD, 0, wrgsbase rax
  cr4_bits 1 << 16, 0
  mov rbx, UPPER + 0x1234
  wrfsbase rbx
  rdfsbase rax
  equal "with it RDFSBASE reads what WRFSBASE wrote", rax, rbx
  rdmsr_ 0xc0000100
  equal "and so does RDMSR", rax, rbx
  mov rax, NOT_CANONICAL
  one "WRFSBASE of an address that is not canonical", GP, 0, wrfsbase rax
  user "RDGSBASE in ring 3", SYS, 0, rdgsbase rbx
  mov ebx, 0x5678
  wrgsbase rbx
  wrmsr_ 0xc0000102, 0x9abc
  swapgs
  rdgsbase rax
  equal "SWAPGS gives GS the base of the register", rax, 0x9abc
  rdmsr_ 0xc0000102
  equal "which keeps the other", rax, 0x5678
  mov ebx, 0x55667788
  mov eax, 0xffffffff
  wrfsbase rax
  wrfsbase ebx
  rdfsbase rax
  equal "WRFSBASE of 32 bits clears the upper half", rax, 0x55667788

  ; --- time stamps
  wrmsr_ 0xc0000103, 0x1234
  rdtscp
  equal "RDTSCP gives TSC_AUX in ECX", rcx, 0x1234
  cr4_bits 4, 0
  user "CR4.TSD: RDTSC in ring 3", GP, 0, rdtsc
  user "CR4.TSD: RDTSCP in ring 3", GP, 0, rdtscp
  one "CR4.TSD: RDTSCP in ring 0", NONE, 0, rdtscp
  cr4_bits 0, 4
  user "without it: RDTSCP in ring 3", SYS, 0, rdtscp

  ; --- what is not announced, or not in long mode
  one "RSM outside of system management mode", UD, 0, rsm
  one "VMRUN without EFER.SVME", UD, 0, db 0x0f, 0x01, 0xd8
  one "VMXON", UD, 0, db 0xf3, 0x0f, 0xc7, 0x30
  one "SYSENTER in long mode", UD, 0, sysenter
  one "SYSEXIT in long mode", UD, 0, sysexit

  ; --- alignment that is always checked
  one "CMPXCHG16B that is not aligned", GP, 0, cmpxchg16b [buffer + 8]
  one "CMPXCHG16B that is", NONE, 0, cmpxchg16b [buffer]

  not_under_tcg
  rdpid rax
  equal "RDPID gives TSC_AUX", rax, 0x1234
  cr4_bits 4, 0
  user "also in ring 3 with CR4.TSD", SYS, 0, rdpid rax
  cr4_bits 0, 4

  ; --- cache lines
  one "CLFLUSH of a page that is not there", PF, 0, clflush [page(0)]
  one "CLFLUSHOPT", PF, 0, clflushopt [page(0)]
  one "CLWB", PF, 0, clwb [page(0)]
  one "PREFETCHT0 does not mind", NONE, 0, prefetcht0 [page(0)]
  mov qword [ptw], frame(0) + P
  one "CLFLUSH of a page that is read-only", NONE, 0, clflush [page(0)]
  mov rax, [ptw]
  and eax, 0xfff
  equal "sets A and no D", rax, P | A
  user "CLFLUSH of the supervisor's page in ring 3", PF, 5, clflush [page(0)]

  ; --- counters, which read as zero
  mov ebx, 3
.counter:
  mov ecx, ebx
  mov eax, -1
  mov edx, -1
  rdpmc
  or eax, edx
  jnz .counted
  mov ecx, 0xc0010004
  add ecx, ebx
  mov eax, 5
  mov edx, 5
  wrmsr
  rdmsr
  or eax, edx
  jnz .counted
  dec ebx
  jns .counter
.counted:
  inc ebx
  equal "all four counters read as zero", rbx, 0
  mov ecx, 4
  one "there is no fifth", GP, 0, rdpmc
  xor ecx, ecx
  cr4_bits 1 << 8, 0
  user "CR4.PCE: RDPMC in ring 3", SYS, 0, rdpmc
  cr4_bits 0, 1 << 8

  ; --- machine checks
  rdmsr_ 0x179
  movzx ebx, al
  equal "MCG_CAP has banks", rbx, 4
  rdmsr_ 0x17a
  equal "MCG_STATUS is clear", rax, 0
  wrmsr_ 0x400, -1
  rdmsr_ 0x400
  equal "MC0_CTL keeps all ones", rax, -1
  rdmsr_ 0x401
  equal "MC0_STATUS is clear", rax, 0
  one "and can be cleared", NONE, 0, wrmsr_ 0x401, 0
  one "but not set", GP, 0, wrmsr_ 0x401, 1
  mov ecx, 0x410
  one "a bank behind the last", GP, 0, rdmsr
  one "MCG_CAP cannot be written", GP, 0, wrmsr_ 0x179, 0
  cr4_bits 1 << 6, 0
  one "CR4.MCE can be set", NONE, 0, nop
  user "RDMSR in ring 3", GP, 0, rdmsr
  user "WRMSR in ring 3", GP, 0, wrmsr

  ; --- values that registers refuse
  one "TSC_AUX of more than 32 bits", GP, 0, wrmsr_ 0xc0000103, 1 << 32
  one "a reserved bit of EFER", GP, 0, wrmsr_ 0xc0000080, 0xd01 | (1 << 9)
  one "EFER.SVME", GP, 0, wrmsr_ 0xc0000080, 0xd01 | (1 << 12)
  one "a memory type of the PAT that does not exist", GP, 0, wrmsr_ 0x277, 2
  one "one of the MTRRs", GP, 0, wrmsr_ 0x2ff, 2
  one "MTRR_CAP cannot be written", GP, 0, wrmsr_ 0xfe, 0
  one "a component of the supervisor in XSS", GP, 0, wrmsr_ 0xda0, 1 << 8

  ; --- XSAVES and XRSTORS
  one "XSAVES without CR4.OSXSAVE", UD, 0, xsaves [area]
  cr4_bits 1 << 18, 0
  xor ecx, ecx
  xor edx, edx
  mov eax, 7
  xsetbv
  mov eax, 7
  xor edx, edx
  vpcmpeqd ymm1, ymm1, ymm1
  one "XSAVES", NONE, 0, xsaves [area]
  mov rbx, [area + 520]
  mov rcx, (1 << 63) | 7
  equal "writes the compacted form", rbx, rcx
  vpxor ymm1, ymm1, ymm1
  mov eax, 7
  one "XRSTORS", NONE, 0, xrstors [area]
  vextracti128 [scratch], ymm1, 1
  equal "brings the upper halves back", qword [scratch], -1
  user "XSAVES in ring 3", GP, 0, xsaves [area]
  user "XRSTORS in ring 3", GP, 0, xrstors [area]
  one "XSAVES that is not aligned", GP, 0, xsaves [area + 8]
  mov qword [area + 520], 0
  one "XRSTORS of the standard form", GP, 0, xrstors [area]
  one "XRSTOR of it", NONE, 0, xrstor [area]
  mov byte [area + 528], 1
  one "with a reserved byte in its header", GP, 0, xrstor [area]
  mov ecx, 1
  xgetbv
  and eax, 2
  equal "XGETBV of register 1 sees SSE in use", rax, 2

  ; --- process-context identifiers
  mov dword [pml4b], pdptb + P + W + U
  mov dword [pdptb], pd + P + W + U
  mov dword [pdptb + 8], pdwb + P + W + U
  mov dword [pdwb], ptwb + P + W + U
  mov qword [frame(0)], 0x100
  mov qword [frame(1)], 0x101
  mov qword [frame(2)], 0x102
  mov qword [ptw], frame(0) + P + W + U
  mov qword [ptwb], frame(2) + P + W + U
  one "bit 63 of CR3 without CR4.PCIDE", GP, 0, space pml4 | KEEP
  one "an address in CR3 that is too wide", GP, 0, space pml4 | (1 << 51)
  space pml4 + 8
  one "CR4.PCIDE with an identifier in CR3", GP, 0, cr4_bits 1 << 17, 0
  space pml4
  one "INVPCID of an identifier without CR4.PCIDE", GP, 0, forget 1, 1, 0
  one "INVPCID of identifier 0", NONE, 0, forget 1, 0, 0
  one "CR4.PCIDE without one", NONE, 0, cr4_bits 1 << 17, 0
  space pml4 + 1
  equal "the first address space", qword [page(0)], 0x100
  space pml4b + 2
  equal "the second", qword [page(0)], 0x102
  space (pml4 + 1) | KEEP
  equal "and the first again", qword [page(0)], 0x100
  mov rax, cr3
  equal "bit 63 of CR3 reads as zero", rax, pml4 + 1
  forgets "MOV to CR3 without bit 63 forgets", 1, space pml4 + 1
  forgets "INVPCID of an address does", 0, forget 0, 1, page(0)
  forgets "INVPCID of a context", 1, forget 1, 1, 0
  forgets "INVPCID of all contexts", 0, forget 3, 0, 0
  mov qword [ptw], frame(0) + P + W + U + G
  forget 2, 0, 0
  mov rax, [page(0)]
  forgets "INVPCID of all, global pages as well", 1, forget 2, 0, 0
  space pml4b + 2
  user "ring 3 in the second address space", SYS, 0, mov rbx, [page(0)]
  equal "reads its page", rbx, 0x102
  space (pml4 + 1) | KEEP
  user "and in the first", SYS, 0, mov rbx, [page(0)]
  equal "its own", rbx, 0x101
  one "INVPCID of type 4", GP, 0, forget 4, 0, 0
  one "with a reserved bit in its descriptor", GP, 0, forget 3, 1 << 12, 0
  one "of an address that is not canonical", GP, 0, forget 0, 1, NOT_CANONICAL
  user "in ring 3", GP, 0, invpcid rax, [descriptor_]
  space pml4
  cr4_bits 0, 1 << 17
  equal "without CR4.PCIDE the pages are there", qword [page(0)], 0x101
  finish
