/*
 * Asks the host's processor what it does with accesses through segments of a local descriptor table.
 *
 * Standard input has one case a line: kind (0 data, 1 expand-down data, 2 code), big, read-only or not
 * readable, granularity, limit, offset, width in bytes, write, stack. Output has one line a case: 0 when
 * the access went through, else the vector. Accesses run in compatibility mode; see set_thread_area(2) and
 * modify_ldt(2) of Linux.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define SELECTOR 7 /* entry 0 of the local table, level 3 */
#define WINDOW 0x40000000u

static volatile sig_atomic_t vector;
static unsigned char *code;
static uint64_t saved_stack;

/* A fault in the 32-bit code: note its vector, and continue behind the call as if it had returned. */
static void on_fault(int signal, siginfo_t *info, void *data) {
  (void)signal;
  (void)info;
  greg_t *registers = ((ucontext_t *)data)->uc_mcontext.gregs;
  vector = registers[REG_TRAPNO];
  registers[REG_RIP] = (greg_t)(uintptr_t)(code + 0x100);
  registers[REG_RSP] = saved_stack;
  /* CS 0x33 (64-bit code), GS, FS, SS 0x2b */
  registers[REG_CSGSFS] = (registers[REG_CSGSFS] & 0x0000ffffffff0000) | 0x33 | ((greg_t)0x2b << 48);
}

static int put(int at, const char *bytes, int count) {
  memcpy(code + at, bytes, count);
  return at + count;
}

int main(void) {
  code = mmap((void *)0x10000000, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  unsigned char *stack = mmap((void *)0x10010000, 0x4000, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  /* There is memory at offsets up to 0x3ffff, and at those from 0xffff0000 on. */
  unsigned char *window = mmap((void *)(uintptr_t)(WINDOW - 0x10000), 0x50000, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  static unsigned char signal_stack[65536];
  stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  if (code == MAP_FAILED || stack == MAP_FAILED || window == MAP_FAILED) return 2;
  sigaltstack(&alternative, NULL);
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);

  unsigned kind, big, restricted, pages, limit, offset, width, writes, on_stack;
  while (scanf("%u %u %u %u %u %u %u %u %u", &kind, &big, &restricted, &pages, &limit, &offset, &width,
               &writes, &on_stack) == 9) {
    struct user_desc description = {
        .entry_number = 0,
        .base_addr = WINDOW,
        .limit = limit,
        .seg_32bit = big,
        .contents = kind,
        .read_exec_only = restricted,
        .limit_in_pages = pages,
        .seg_not_present = 0,
        .useable = 1,
    };
    if (syscall(SYS_modify_ldt, 0x11, &description, sizeof description) != 0) return 3;
    /* 32-bit code: load the segment, access, unload, far return. */
    int at = 0x200;
    const char *load = on_stack ? "\x8e\xd0" : "\x8e\xd8"; /* mov ss, ax; mov ds, ax */
    at = put(at, load, 2);
    if (on_stack) at = put(at, "\x36", 1); /* ss: */
    if (width == 2) at = put(at, "\x66", 1);
    const char opcode = width == 1 ? (writes ? 0x88 : 0x8a) : writes ? 0x89 : 0x8b;
    char access[] = {opcode, 0x13}; /* [ebx], dl/dx/edx */
    if (width == 8) at = put(at, writes ? "\x0f\x7f\x03" : "\x0f\x6f\x03", 3); /* movq [ebx], mm0 */
    else if (width == 16) at = put(at, writes ? "\x0f\x11\x03" : "\x0f\x10\x03", 3); /* movups */
    else at = put(at, access, 2);
    if (on_stack) at = put(at, "\xb8\x2b\x00\x00\x00\x8e\xd0", 7); /* mov eax, 2b; mov ss, eax */
    put(at, "\x0f\x77\xcb", 3); /* emms; retf */
    put(0x100, "\xc3", 1);      /* where faults go on: ret */
    struct {
      uint32_t offset;
      uint16_t selector;
    } __attribute__((packed)) *target = (void *)(code + 0x180);
    /* 64-bit code in low memory, whose address fits what RETF pops: lcall [0x10000180]; ret */
    put(0x300, "\xff\x1c\x25\x80\x01\x00\x10\xc3", 8);
    target->offset = (uint32_t)(uintptr_t)(code + 0x200);
    target->selector = 0x23;
    vector = 0;
    uint64_t resume;
    __asm__ volatile(
        "movq %%rsp, %[old]\n"
        "leaq 1f(%%rip), %%rcx\n"
        "leaq 0x3f00(%[stack]), %%rsp\n"
        "pushq %%rcx\n"
        "movq %%rsp, %[saved]\n"
        "jmp *%[far]\n"
        "1:\n"
        "movq %[old], %%rsp\n"
        "movl $0x2b, %%ecx\n"
        "movl %%ecx, %%ds\n"
        "emms\n"
        : [old] "=&r"(resume), [saved] "=m"(saved_stack)
        : [stack] "r"(stack), [far] "r"(code + 0x300), "a"(SELECTOR), "b"(offset), "d"(0)
        : "rcx", "memory", "cc");
    printf("%d\n", (int)vector);
  }
  return 0;
}
