; Paging with 32-bit entries and PAE: rights, accessed and dirty bits, large pages, error codes. Intel SDM
; Vol. 3A, 4.3 "32-Bit Paging", 4.4 "PAE Paging", 4.6 "Access Rights", 4.7 "Page-Fault Exceptions".
%include "prelude.inc"

P equ 1
W equ 2
U equ 4
A equ 0x20
D equ 0x40
PS_ equ 0x80
G equ 0x100

pd   equ 0x300000
pt0  equ 0x301000
pt1  equ 0x302000
pdpt equ 0x304000
pd3  equ 0x305000
pt3  equ 0x306000
pt3b equ 0x307000
frames equ 0x310000             ; what the window shows
WINDOW equ 0x400000

%macro entry 2                  ; page of the window, entry
  mov dword [pt1 + (%1) * 4], %2
  invlpg [WINDOW + (%1) * 0x1000]
%endmacro
%macro entry_is 3               ; name, page, low 12 bits
  mov eax, [pt1 + (%2) * 4]
  and eax, 0xfff
  equal %1, eax, %3
%endmacro
%macro cr4_bits 2               ; set, clear
  mov eax, cr4
  or eax, %1
  and eax, ~(%2)
  mov cr4, eax
%endmacro
%define page(n) (WINDOW + (n) * 0x1000)
%define frame(n) (frames + (n) * 0x1000)

main:
  ; 0 to 4 MiB as they are, for everybody; the window from 4 MiB
  mov edi, pt0
  mov eax, P | W | U
  mov ecx, 1024
.identity:
  stosd
  add eax, 0x1000
  loop .identity
  mov dword [pd], pt0 + P + W + U
  mov dword [pd + 4], pt1 + P + W + U
  mov eax, pd
  mov cr3, eax
  mov dword [frame(0)], 0xaaaa0000
  mov dword [frame(1)], 0xaaaa0001
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp .paging
.paging:

  expect "a read of a page that is not there", PF, 0
    mov eax, [page(0) + 0x123]
  verify
  equal "CR2 has the address", dword [f_cr2], page(0) + 0x123
  expect "a write", PF, 2
    mov [page(0) + 0x123], eax
  verify
  expect "a read of ring 3", PF, 4
    in_user
    mov eax, [page(0)]
  verify
  expect "a write of ring 3", PF, 6
    in_user
    mov [page(0)], eax
  verify
  expect "a fetch of ring 3", PF, 4
    in_user
    jmp page(0)
  verify
  equal "at the address fetched", dword [f_eip], page(0)

  entry 0, frame(0) + P + W + U
  expect "a read", NONE, 0
    mov ebx, [page(0)]
  verify
  equal "finds the frame", ebx, 0xaaaa0000
  entry_is "and sets A", 0, P | W | U | A
  mov eax, [pd + 4]
  and eax, 0xff
  equal "also in the directory", eax, P | W | U | A
  expect "a write", NONE, 0
    mov dword [page(0)], 0xbbbb0000
  verify
  entry_is "sets D", 0, P | W | U | A | D
  equal "and reaches the frame", dword [frame(0)], 0xbbbb0000
  mov dword [pt1], frame(1) + P + W + U
  invlpg [page(0)]
  equal "INVLPG makes a changed entry hold", dword [page(0)], 0xaaaa0001

  entry 1, frame(1) + P + U
  expect "ring 3 may not write a page that is read-only", PF, 7
    in_user
    mov [page(1)], eax
  verify
  entry_is "and sets neither A nor D", 1, P | U
  expect "the supervisor may", NONE, 0
    mov dword [page(1)], 0xcccc0001
  verify
  entry_is "with D", 1, P | U | A | D
  mov eax, cr0
  or eax, 1 << 16
  mov cr0, eax
  expect "unless CR0.WP", PF, 3
    mov dword [page(1)], 0
  verify
  equal "and then writes nothing", dword [frame(1)], 0xcccc0001
  expect "read-modify-write counts as a write", PF, 3
    add dword [page(1)], 1
  verify
  expect "also when it changes nothing", PF, 3
    and dword [page(1)], -1
  verify
  expect "CMPXCHG that does not match as well", PF, 3
    xor eax, eax
    cmpxchg [page(1)], ebx
  verify
  entry 2, frame(2) + P + W
  expect "ring 3 may not read a page of the supervisor", PF, 5
    in_user
    mov eax, [page(2)]
  verify
  expect "nor execute it", PF, 5
    in_user
    jmp page(2)
  verify
  mov dword [pd + 4], pt1 + P + W
  mov eax, cr3
  mov cr3, eax
  entry 3, frame(3) + P + W + U
  expect "U of the directory counts", PF, 5
    in_user
    mov eax, [page(3)]
  verify
  mov dword [pd + 4], pt1 + P + U
  mov eax, cr3
  mov cr3, eax
  expect "W of the directory counts", PF, 7
    in_user
    mov [page(3)], eax
  verify
  mov dword [pd + 4], pt1 + P + W + U
  mov eax, cr3
  mov cr3, eax

  ; accesses across pages
  entry 4, frame(4) + P + W + U
  entry 5, 0
  mov dword [frame(4) + 0xffc], 0x11111111
  expect "a store into a page that is not there", PF, 2
    mov dword [page(5) - 2], 0x22222222
  verify
  equal "has the address of that page", dword [f_cr2], page(5)
  equal "and stores nothing before it", dword [frame(4) + 0xffc], 0x11111111
  entry 5, frame(6) + P + W + U
  expect "a store into two pages", NONE, 0
    mov dword [page(5) - 2], 0x33445566
  verify
  equal "stores the first half", dword [frame(4) + 0xffc], 0x55661111
  movzx eax, word [frame(6)]
  equal "and the second", eax, 0x3344
  expect "an instruction across pages", PF, 0
    mov word [frame(4) + 0xffe], 0x05c7   ; MOV [moffs], imm32
    entry 5, 0
    jmp page(5) - 2
  verify
  equal "whose second page is not there", dword [f_cr2], page(5)
  equal "faults at its start", dword [f_eip], page(5) - 2
  entry 5, frame(5) + P + W + U
  expect "REP MOVSB stops in front of a page that is not there", PF, 2
    entry 6, 0
    mov esi, frame(0)
    mov edi, page(6) - 5
    mov ecx, 10
    rep movsb
  verify
  equal "five bytes are done", ecx, 5
  equal "and the pointer is there", edi, page(6)
  expect "PUSHA into a page that is not there", PF, 6
    entry 6, 0
    entry 7, frame(7) + P + W + U
    in_user
    mov esp, page(7) + 16
    pushad
  verify
  equal "leaves the stack pointer", dword [f_esp], page(7) + 16

  ; global pages
  cr4_bits 0x80, 0
  entry 7, frame(7) + P + W + U + G
  mov dword [frame(7)], 7
  mov dword [frame(8)], 8
  mov eax, [page(7)]
  mov dword [pt1 + 7 * 4], frame(8) + P + W + U + G
  invlpg [page(7)]
  equal "INVLPG drops global pages", dword [page(7)], 8
  mov dword [pt1 + 7 * 4], frame(7) + P + W + U + G
  cr4_bits 0, 0x80
  equal "clearing CR4.PGE too", dword [page(7)], 7

  ; SMEP and SMAP. The kernel itself becomes the supervisor's.
  entry 9, frame(9) + P + W + U
  mov byte [frame(9)], 0xc3
  mov dword [pd], pt0 + P + W
  mov eax, cr3
  mov cr3, eax
  expect "the supervisor may execute pages of ring 3", NONE, 0
    call page(9)
  verify
  cr4_bits 1 << 20, 0
  expect "but not with SMEP", PF, 0x11
    call page(9)
  verify
  expect "which forbids no reads", NONE, 0
    mov eax, [page(9)]
  verify
  cr4_bits 1 << 21, 1 << 20
  expect "SMAP forbids reads", PF, 1
    mov eax, [page(9)]
  verify
  expect "and writes", PF, 3
    mov [page(9)], eax
  verify
  expect "with STAC they are allowed", NONE, 0
    stac
    mov ebx, [page(9)]
    clac
  verify
  expect "and not behind CLAC", PF, 1
    stac
    clac
    mov eax, [page(9)]
  verify
  expect "AC by POPF is the same", NONE, 0
    push dword 0x40002
    popfd
    mov eax, [page(9)]
    push dword 2
    popfd
  verify
  cr4_bits 0, 1 << 21
  mov dword [pd], pt0 + P + W + U
  mov eax, cr3
  mov cr3, eax
  expect "STAC in ring 3 is undefined", UD, 0
    in_user
    stac
  verify

  ; pages of 4 MiB
  mov dword [pd + 8], 0x800000 + P + W + U + PS_
  expect "without CR4.PSE the bit means nothing", PF, 0
    ; 0x800000 is taken for a table, of zeros
    mov eax, [0x800000 + 0x5000]
  verify
  cr4_bits 0x10, 0
  mov dword [pd + 8], 0x800000 + P + W + U + PS_
  mov eax, cr3
  mov cr3, eax
  expect "a page of 4 MiB", NONE, 0
    mov dword [0x800000 + 0x123454], 0x77
  verify
  mov eax, [pd + 8]
  and eax, 0xfff
  equal "has A and D in the directory", eax, P | W | U | A | D | PS_
  mov dword [pd + 8], 0x800000 + (1 << 21) + P + W + U + PS_
  mov eax, cr3
  mov cr3, eax
  expect "a reserved bit in it", PF, 9
    mov eax, [0x800000]
  verify
  expect "for a write of ring 3", PF, 0xf
    in_user
    mov [0x800000], eax
  verify

  ; --- PAE. Paging goes off for that.
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  cr4_bits 0x20, 0
%macro entry64 3                ; address of the entry, low, high
  mov dword [%1], %2
  mov dword [%1 + 4], %3
%endmacro
  mov edi, pt3
  mov eax, P | W | U
  mov ecx, 512
.identity3:
  stosd
  mov dword [edi], 0
  add edi, 4
  add eax, 0x1000
  loop .identity3
  entry64 pd3, pt3 + P + W + U, 0
  entry64 pd3 + 8, 0x200000 + P + W + U + PS_, 0
  entry64 pd3 + 16, pt3b + P + W + U, 0
  entry64 pdpt, pd3 + P, 0
  mov eax, pdpt
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp .pae
.pae:
%macro entry3 3                 ; page of the window, low, high
  mov dword [pt3b + (%1) * 8], %2
  mov dword [pt3b + (%1) * 8 + 4], %3
  invlpg [page(%1)]
%endmacro
  expect "PAE: a page that is not there", PF, 0
    mov eax, [page(0)]
  verify
  entry3 0, frame(0) + P + W + U, 0
  equal "PAE: a page", dword [page(0)], 0xbbbb0000
  expect "PAE: a page of 2 MiB", NONE, 0
    mov dword [0x3f0000], 0x99
  verify
  mov eax, [pd3 + 8]
  and eax, 0xfff
  equal "has A and D", eax, P | W | U | A | D | PS_
  entry3 1, frame(1) + P + W + U, 1 << 20
  expect "PAE: an address beyond the processor's", PF, 9
    mov eax, [page(1)]
  verify
  entry3 1, frame(1) + P + W + U, 0x80000000
  expect "PAE: NX is reserved without EFER.NXE", PF, 9
    mov eax, [page(1)]
  verify
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x800
  wrmsr
  mov byte [frame(1)], 0xc3
  expect "with it the page can be read", NONE, 0
    mov eax, [page(1)]
  verify
  expect "and not executed", PF, 0x11
    call page(1)
  verify
  expect "in ring 3 either", PF, 0x15
    in_user
    call page(1)
  verify
  entry3 1, frame(1) + P + W + U, 0
  expect "without the bit it can", NONE, 0
    call page(1)
  verify
  entry64 pd3 + 16, pt3b + P + W + U, 0x80000000
  mov eax, cr3
  mov cr3, eax
  expect "NX of the directory counts", PF, 0x11
    call page(1)
  verify
  entry64 pd3 + 16, pt3b + P + W + U, 0
  entry64 pdpt + 8, pd3 + P, 0
  mov eax, cr3
  mov cr3, eax
  expect "the second gigabyte", NONE, 0
    mov eax, [0x40000000 + page(0)]
  verify
  entry64 pdpt + 8, 0, 0
  mov eax, cr3
  mov cr3, eax
  expect "which is not there any more", PF, 0
    mov eax, [0x40000000 + page(0)]
  verify
  entry64 pdpt + 16, pd3 + P + W, 0
  expect "a reserved bit in a pointer: #GP by MOV to CR3", GP, 0
    mov eax, pdpt
    mov cr3, eax
  verify
  entry64 pdpt + 16, pd3 + P, 1 << 20
  expect "an address that is too wide in one", GP, 0
    mov eax, pdpt
    mov cr3, eax
  verify
  entry64 pdpt + 16, W, 0
  expect "one that is not present does not matter", NONE, 0
    mov eax, pdpt
    mov cr3, eax
  verify
  expect "PCIDE is for long mode alone", GP, 0
    mov eax, cr4
    or eax, 1 << 17               ; PCIDE outside long mode
    mov cr4, eax
  verify
  finish
