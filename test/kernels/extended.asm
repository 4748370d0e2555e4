; x87, MMX, SSE and AVX under the control registers that enable them, XSAVE, and the fast system calls of
; 32-bit mode. Intel SDM Vol. 3A, 2.5, 13.1 to 13.5; Vol. 1, 13.3; Vol. 2B "SYSENTER"; AMD APM Vol. 3.
%include "prelude.inc"

MP equ 2
EM equ 4
TS_ equ 8
OSFXSR equ 1 << 9
OSXMMEXCPT equ 1 << 10
OSXSAVE equ 1 << 18
MF equ 16
XM equ 19
area equ buffer                 ; of XSAVE

%macro cr0_bits 2               ; set, clear
  mov eax, cr0
  or eax, %1
  and eax, ~(%2)
  mov cr0, eax
%endmacro
%macro cr4_bits 2
  mov eax, cr4
  or eax, %1
  and eax, ~(%2)
  mov cr4, eax
%endmacro
%macro xcr0 1
  xor ecx, ecx
  xor edx, edx
  mov eax, %1
  xsetbv
%endmacro
%macro one 4+                   ; name, vector, error, instruction
  expect %1, %2, %3
    %4
  verify
%endmacro

main:
  cr0_bits 0x20 | MP, EM | TS_
  fninit
  one "SSE without CR4.OSFXSR", UD, 0, addps xmm0, xmm1
  one "MMX does not need it", NONE, 0, paddb mm0, mm1
  cr4_bits OSFXSR, 0
  one "SSE with it", NONE, 0, addps xmm0, xmm1
  cr0_bits EM, 0
  one "EM: SSE", UD, 0, addps xmm0, xmm1
  one "EM: MMX", UD, 0, paddb mm0, mm1
  one "EM: x87", NM, 0, fld1
  one "EM: PREFETCH does not mind", NONE, 0, prefetcht0 [buffer]
  cr0_bits TS_, EM
  one "TS: SSE", NM, 0, addps xmm0, xmm1
  one "TS: MMX", NM, 0, paddb mm0, mm1
  one "TS: x87", NM, 0, fld1
  one "TS: LDMXCSR", NM, 0, ldmxcsr [buffer]
  one "TS: SFENCE does not mind", NONE, 0, sfence
  one "TS: FXSAVE", NM, 0, fxsave [area]
  clts
  one "FXSAVE that is not aligned", GP, 0, fxsave [area + 8]
  one "MOVAPS that is not aligned", GP, 0, movaps xmm0, [area + 8]
  one "MOVUPS that is not", NONE, 0, movups xmm0, [area + 8]
  one "an operand of ADDPS that is not aligned", GP, 0, addps xmm0, [area + 4]
  mov dword [scratch], 0x10000
  one "LDMXCSR with a reserved bit", GP, 0, ldmxcsr [scratch]
  fxsave [area]
  or dword [area + 24], 0x10000
  one "FXRSTOR with one", GP, 0, fxrstor [area]

  ; --- exceptions of SSE
  mov dword [scratch], 0x1d80   ; division by zero not masked
  mov dword [scratch + 4], 0x3f800000
  ldmxcsr [scratch]
  movss xmm0, [scratch + 4]
  xorps xmm1, xmm1
  one "an exception of SSE without OSXMMEXCPT", UD, 0, divss xmm0, xmm1
  cr4_bits OSXMMEXCPT, 0
  one "and with it", XM, 0, divss xmm0, xmm1
  stmxcsr [scratch]
  mov eax, [scratch]
  and eax, 0x3f
  equal "its flag is set", eax, 4
  movss [scratch], xmm0
  equal "its destination is not written", dword [scratch], 0x3f800000
  mov dword [scratch], 0x1f80
  ldmxcsr [scratch]

  ; --- a pending exception of x87
  fninit
  mov word [scratch], 0x360
  fldcw [scratch]
  fld1
  fldz
  fdivp
  one "a pending exception meets the next x87 instruction", MF, 0, fld1
  one "and MMX", MF, 0, paddb mm0, mm1
  one "and WAIT", MF, 0, fwait
  one "not FNSTSW", NONE, 0, fnstsw ax
  one "nor SSE", NONE, 0, addps xmm2, xmm3
  one "nor FNCLEX, which ends it", NONE, 0, fnclex
  one "so that there is none", NONE, 0, fwait
  fninit

  ; --- XSAVE and AVX
  one "XGETBV without CR4.OSXSAVE", UD, 0, xgetbv
  one "XSAVE without", UD, 0, xsave [area]
  one "AVX without", UD, 0, vaddps xmm0, xmm1, xmm2
  mov eax, 1
  cpuid
  shr ecx, 27
  and ecx, 1
  equal "CPUID says no OSXSAVE", ecx, 0
  cr4_bits OSXSAVE, 0
  mov eax, 1
  cpuid
  shr ecx, 27
  and ecx, 1
  equal "and now it does", ecx, 1
  one "AVX without XCR0", UD, 0, vaddps xmm0, xmm1, xmm2
  one "XSETBV without x87", GP, 0, xcr0 2
  one "XSETBV with AVX and no SSE", GP, 0, xcr0 5
  one "XSETBV of what does not exist", GP, 0, xcr0 0x40000003
  expect "XSETBV of another register", GP, 0
    mov ecx, 1
    xor edx, edx
    mov eax, 1
    xsetbv
  verify
  expect "XSETBV in ring 3", GP, 0
    in_user
    xcr0 7
  verify
  one "XSETBV of all three", NONE, 0, xcr0 7
  xor ecx, ecx
  xgetbv
  equal "XGETBV reads it", eax, 7
  one "AVX", NONE, 0, vaddps ymm0, ymm1, ymm2
  one "VEX behind 66", UD, 0, db 0x66, 0xc5, 0xf0, 0x58, 0xc2
  one "VEX behind LOCK", UD, 0, db 0xf0, 0xc5, 0xf0, 0x58, 0xc2
  one "VEX with a register too many", UD, 0, db 0xc5, 0xf0, 0x5b - 0x0a, 0xc2 ; VSQRTPS takes no second
  one "VMOVAPS of 32 bytes that is not aligned", GP, 0, vmovaps ymm0, [area + 16]
  one "an operand of VADDPS need not be", NONE, 0, vaddps ymm0, ymm1, [area + 4]
  cr0_bits TS_, 0
  one "TS: AVX", NM, 0, vaddps xmm0, xmm1, xmm2
  one "TS: XSAVE", NM, 0, xsave [area]
  one "TS: VZEROUPPER", NM, 0, vzeroupper
  one "TS: XGETBV does not mind", NONE, 0, xor ecx, ecx
  clts
  one "XSAVE that is not aligned to 64", GP, 0, xsave [area + 16]
  mov edi, area
  mov ecx, 256
  xor eax, eax
  rep stosd
  mov eax, 7
  xor edx, edx
  one "XSAVE", NONE, 0, xsave [area]
  mov eax, 7
  xor edx, edx
  one "XRSTOR", NONE, 0, xrstor [area]
  mov dword [area + 512 + 4], 1
  one "XRSTOR of a component that does not exist", GP, 0, xrstor [area]
  mov dword [area + 512 + 4], 0
  mov dword [area + 512 + 16], 1
  one "XRSTOR with a header that is not clear", GP, 0, xrstor [area]
  mov dword [area + 512 + 16], 0
  cr4_bits 0, OSXSAVE
  one "AVX without CR4.OSXSAVE again", UD, 0, vaddps xmm0, xmm1, xmm2

  ; --- SYSENTER and SYSEXIT
  expect "SYSENTER without a code segment", GP, 0
    in_user
    sysenter
  verify
  expect "SYSEXIT in ring 3", GP, 0
    in_user
    sysexit
  verify
  descriptor FREE, 0, 0xfffff, 0x9a, 12
  descriptor FREE + 8, 0, 0xfffff, 0x92, 12
  descriptor FREE + 16, 0, 0xfffff, 0xfa, 12
  descriptor FREE + 24, 0, 0xfffff, 0xf2, 12
  xor edx, edx
  mov ecx, 0x174
  mov eax, FREE
  wrmsr
  mov ecx, 0x175
  mov eax, RSTACK
  wrmsr
  mov ecx, 0x176
  mov eax, entered
  wrmsr
  mov dword [user_flags], 0x202
  expect "SYSENTER and SYSEXIT", SYS, 0
    in_user
    mov edx, .back
    mov ecx, esp
    sysenter
.back:
    out_user
  verify
  mov dword [user_flags], 2
  equal "enter at CPL 0", dword [scratch], FREE
  equal "with SS behind CS", dword [scratch + 4], FREE + 8
  equal "and the stack of the register", dword [scratch + 8], RSTACK
  mov eax, [scratch + 12]
  and eax, 0x200
  equal "with IF clear", eax, 0
  equal "return at CPL 3", dword [f_cs], (FREE + 16) | 3
  equal "to the stack in ECX", dword [f_esp], USTACK
  equal "in the segment behind", dword [f_ss], (FREE + 24) | 3
  finish

entered:
  mov ebx, cs
  mov [scratch], ebx
  mov ebx, ss
  mov [scratch + 4], ebx
  mov [scratch + 8], esp
  pushfd
  pop dword [scratch + 12]
  sysexit
