/*
 * The oracle's native half: executes cases on this host's own processor.
 *
 *   stdin   header, then `count` cases       (struct header, struct input)
 *   argument 1: how many ticks of 20 ms a case may take, else one
 *   stdout  one record a case, in order      (struct output, then its changed words)
 *
 * Each case enters at its code address with every register loaded and ends either at the exit stub
 * (the code jumps to EXIT_ADDRESS) or in a fault, which arrives as a signal and is reported as the
 * processor's own vector, error code and CR2. The layout is the one of layout.ts.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL
#define CODE_ADDRESS 0x100000UL
#define CODE_PAGES 2
#define DATA_ADDRESS 0x200000UL
#define WRITABLE_PAGES 3
#define DATA_PAGES 4 /* the last one is read-only; an unmapped page follows */
#define DATA_BYTES (DATA_PAGES * PAGE)
#define WRITABLE_BYTES (WRITABLE_PAGES * PAGE)
#define EXIT_ADDRESS 0x5a5a10000000UL
#define EXIT32_ADDRESS 0x300000UL
#define BLOCK_ADDRESS (EXIT_ADDRESS + PAGE)
#define MAGIC 0x6c637261u

#define OUTCOME_END -1
#define OUTCOME_TIMEOUT -2

struct state {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t rflags;
  uint64_t fs_base;
  uint64_t gs_base;
  uint32_t mxcsr;
  uint16_t fcw;
  uint16_t fsw;
  uint16_t ftw; /* abridged: bit i set when physical register i is not empty */
  uint16_t reserved[3];
  uint8_t st[8][16];
  uint8_t pad[16];
  uint8_t ymm[16][32];
};
_Static_assert(sizeof(struct state) == 832, "state layout");

struct fxsave {
  uint16_t fcw, fsw;
  uint8_t ftw, reserved;
  uint16_t fop;
  uint64_t fip, fdp;
  uint32_t mxcsr, mxcsr_mask;
  uint8_t st[8][16];
  uint8_t xmm[16][16];
  uint8_t unused[96];
};
_Static_assert(sizeof(struct fxsave) == 512, "FXSAVE layout");

struct block {
  struct state state;
  uint8_t pad[1024 - sizeof(struct state)];
  struct fxsave fx;
  uint64_t host_rsp; /* 1536 */
  uint64_t host_fs;  /* 1544 */
  uint64_t has_avx;  /* 1552 */
  uint64_t compatible; /* 1560: the case is 32-bit code */
  uint32_t far_offset; /* 1568: where and with which CS 32-bit code is entered */
  uint32_t far_selector;
};
#define BLOCK ((struct block *)BLOCK_ADDRESS)

struct header {
  uint32_t magic;
  uint32_t count;
  uint8_t data[DATA_BYTES];
};

struct patch {
  uint32_t offset;
  uint32_t length;
  uint8_t bytes[32];
};

struct input {
  uint32_t code_length;
  uint32_t patch_count;
  uint64_t code_address;
  uint32_t bits; /* 64, or 32 for compatibility mode */
  uint32_t pad;
  struct state state;
  uint8_t code[192];
  struct patch patches[6];
};

struct output {
  int32_t outcome;
  uint32_t error;
  uint64_t cr2;
  struct state state;
  uint32_t change_count;
  uint32_t pad;
};

struct change {
  uint32_t offset;
  uint32_t pad;
  uint64_t value;
};

/*
 * The trampoline. It is copied to EXIT_ADDRESS; every reference is relative to its start, where the
 * block follows one page on. Offset 0 is the exit stub.
 */
#define B "(trampoline + 4096)+"
#define SAVE(reg, at) "mov %" reg ", " B #at "(%rip)\n"
#define LOAD(at, reg) "mov " B #at "(%rip), %" reg "\n"
#define EACH_GPR(M)                                                                           \
  M(0, "rax") M(8, "rcx") M(16, "rdx") M(24, "rbx") M(32, "rsp") M(40, "rbp") M(48, "rsi")    \
  M(56, "rdi") M(64, "r8") M(72, "r9") M(80, "r10") M(88, "r11") M(96, "r12") M(104, "r13")   \
  M(112, "r14") M(120, "r15")
/* DS, ES, FS and GS: flat for 32-bit code, null as programs have them otherwise. */
#define SEGMENTS(selector)                                                                    \
  "mov $" selector ", %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %fs\n mov %eax, %gs\n"
#define SAVE_GPR(at, reg) SAVE(reg, at)
#define LOAD_GPR(at, reg) LOAD(at, reg)
#define EACH_YMM(M)                                                                           \
  M(320, 0) M(352, 1) M(384, 2) M(416, 3) M(448, 4) M(480, 5) M(512, 6) M(544, 7) M(576, 8)   \
  M(608, 9) M(640, 10) M(672, 11) M(704, 12) M(736, 13) M(768, 14) M(800, 15)
#define SAVE_YMM(at, i) "vmovdqu %ymm" #i ", " B #at "(%rip)\n"
#define LOAD_YMM(at, i) "vmovdqu " B #at "(%rip), %ymm" #i "\n"

__asm__(
  ".text\n.globl trampoline, trampoline_enter, trampoline_leave, trampoline_end\n.balign 4096\n"
  "trampoline:\n"
  EACH_GPR(SAVE_GPR)
  LOAD(1536, "rsp")
  "pushfq\n"
  "pop " B "136(%rip)\n"
  "pushq $2\n"
  "popfq\n"
  "rdfsbase %rax\n" SAVE("rax", 144)
  "rdgsbase %rax\n" SAVE("rax", 152)
  "fxsave64 " B "1024(%rip)\n"
  "cmpb $0, " B "1552(%rip)\n"
  "je trampoline_leave\n"
  EACH_YMM(SAVE_YMM)
  "vzeroupper\n"
  "trampoline_leave:\n"
  LOAD(1536, "rsp")
  "cmpb $0, " B "1560(%rip)\n"
  "je 1f\n"
  SEGMENTS("0")
  "1:\n"
  LOAD(1544, "rax") "wrfsbase %rax\n"
  "pushq $2\n"
  "popfq\n"
  "fninit\n"
  "pushq $0x1f80\n"
  "ldmxcsr (%rsp)\n"
  "add $8, %rsp\n"
  "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\n"
  "ret\n"
  "trampoline_enter:\n"
  "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
  SAVE("rsp", 1536)
  "fxrstor64 " B "1024(%rip)\n"
  "cmpb $0, " B "1552(%rip)\n"
  "je 1f\n"
  EACH_YMM(LOAD_YMM)
  "1:\n"
  "cmpb $0, " B "1560(%rip)\n"
  "je 1f\n"
  SEGMENTS("0x2b")
  "1:\n"
  LOAD(144, "rax") "wrfsbase %rax\n"
  LOAD(152, "rax") "wrgsbase %rax\n"
  "pushq " B "136(%rip)\n"
  "cmpb $0, " B "1560(%rip)\n"
  "jne 1f\n"
  "popfq\n"
  EACH_GPR(LOAD_GPR)
  "jmp *" B "128(%rip)\n"
  "1:\n"
  "popfq\n"
  EACH_GPR(LOAD_GPR)
  "ljmp *" B "1568(%rip)\n"
  "trampoline_end:\n"
  /* Signals arrive with the guest's FS base, and maybe its AC flag. */
  ".globl signal_entry\n"
  "signal_entry:\n"
  "pushq $2\n"
  "popfq\n"
  "rdfsbase %r8\n"
  "movabs $0x5a5a10001000, %rax\n"
  "mov 1544(%rax), %rax\n"
  "wrfsbase %rax\n"
  "mov %r8, %rcx\n"
  "push %r8\n"
  "call on_signal\n"
  "pop %r8\n"
  "wrfsbase %r8\n"
  "ret\n");

extern uint8_t trampoline[], trampoline_enter[], trampoline_leave[], trampoline_end[];
extern void signal_entry(int, siginfo_t *, void *);

static struct output result;
static volatile int in_guest;
static volatile uint32_t current_case;
static uint32_t watched_case = UINT32_MAX;
/* how many ticks of the timer a case may take, and has taken */
static long patience = 1;
static long watched_ticks;

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void from_fxsave(struct state *state, const struct fxsave *fx) {
  state->mxcsr = fx->mxcsr;
  state->fcw = fx->fcw;
  state->fsw = fx->fsw;
  state->ftw = fx->ftw;
  memcpy(state->st, fx->st, sizeof state->st);
}

static void leave(void) {
  void (*go)(void) = (void (*)(void))(EXIT_ADDRESS + (uintptr_t)(trampoline_leave - trampoline));
  go();
  __builtin_unreachable();
}

/* Where the frame of a signal keeps the registers of the interrupted code. */
static const int gregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void read_frame(struct state *state, const ucontext_t *context, uint64_t fs_base) {
  for (int i = 0; i < 16; i++) state->gpr[i] = context->uc_mcontext.gregs[gregs[i]];
  state->rip = context->uc_mcontext.gregs[REG_RIP];
  state->rflags = context->uc_mcontext.gregs[REG_EFL];
  state->fs_base = fs_base;
  uint64_t gs_base;
  __asm__ volatile("rdgsbase %0" : "=r"(gs_base));
  state->gs_base = gs_base;

  /* The frame holds a standard XSAVE image; a component whose XSTATE_BV bit is clear is initial. */
  struct fxsave fx = *(const struct fxsave *)context->uc_mcontext.fpregs;
  const uint8_t *area = (const uint8_t *)context->uc_mcontext.fpregs;
  const uint32_t *software = (const uint32_t *)(area + 464);
  int extended = software[0] == 0x46505853u; /* FP_XSTATE_MAGIC1 */
  uint64_t present = 3;
  if (extended) memcpy(&present, area + 512, 8);
  if (!(present & 1)) {
    fx.fcw = 0x37f;
    fx.fsw = 0;
    fx.ftw = 0;
    memset(fx.st, 0, sizeof fx.st);
  }
  if (!(present & 2)) memset(fx.xmm, 0, sizeof fx.xmm);
  from_fxsave(state, &fx);
  for (int i = 0; i < 16; i++) {
    memcpy(state->ymm[i], fx.xmm[i], 16);
    if (extended && (present & 4)) memcpy(state->ymm[i] + 16, area + 576 + 16 * i, 16);
    else memset(state->ymm[i] + 16, 0, 16);
  }
}

__attribute__((used)) void on_signal(int signal, siginfo_t *info, void *frame, uint64_t fs_base) {
  (void)info;
  if (!in_guest) {
    if (signal == SIGVTALRM) return;
    fprintf(stderr, "oracle harness: signal %d outside a case (after case %u)\n", signal, current_case);
    _exit(3);
  }
  const ucontext_t *context = frame;
  if (signal == SIGVTALRM) {
    if (watched_case != current_case) {
      watched_case = current_case;
      watched_ticks = 0;
    }
    if (watched_ticks++ < patience) return;
    result.outcome = OUTCOME_TIMEOUT;
  } else {
    result.outcome = (int32_t)context->uc_mcontext.gregs[REG_TRAPNO];
    result.error = (uint32_t)context->uc_mcontext.gregs[REG_ERR];
    result.cr2 = context->uc_mcontext.gregs[REG_CR2];
  }
  read_frame(&result.state, context, fs_base);
  leave();
}

static void to_block(const struct state *state, uint32_t bits) {
  struct block *at = BLOCK;
  at->state = *state;
  at->compatible = bits == 32;
  at->far_offset = (uint32_t)state->rip;
  at->far_selector = 0x23;
  at->fx.fcw = state->fcw;
  at->fx.fsw = state->fsw;
  at->fx.ftw = (uint8_t)state->ftw;
  at->fx.fop = 0;
  at->fx.fip = at->fx.fdp = 0;
  at->fx.mxcsr = state->mxcsr;
  memcpy(at->fx.st, state->st, sizeof at->fx.st);
  for (int i = 0; i < 16; i++) memcpy(at->fx.xmm[i], state->ymm[i], 16);
}

static void from_block(struct state *state) {
  struct block *at = BLOCK;
  *state = at->state;
  from_fxsave(state, &at->fx);
  if (!at->has_avx) {
    for (int i = 0; i < 16; i++) memcpy(state->ymm[i], at->fx.xmm[i], 16);
  }
  state->rip = EXIT_ADDRESS;
}

/* Whether the kernel has switched protection keys on: CPUID.7.ECX.OSPKE. */
static int has_protection_keys(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 16) != 0;
}

/* Every case starts with all rights: Linux gives programs those of key 0 alone. */
static void open_protection_keys(void) {
  __asm__ volatile("wrpkru" : : "a"(0), "c"(0), "d"(0) : "memory");
}

static void map(uintptr_t address, size_t bytes, int protection, int flags, int fd, off_t at) {
  flags |= MAP_FIXED_NOREPLACE | MAP_POPULATE;
  void *got = mmap((void *)address, bytes, protection, flags, fd, at);
  if (got != (void *)address) die("oracle harness: mmap");
}

static void read_all(void *to, size_t bytes) {
  if (fread(to, 1, bytes, stdin) != bytes) die("oracle harness: short input");
}

static void catch_signals(void) {
  stack_t stack = {.ss_size = 1 << 18};
  stack.ss_sp = mmap(0, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, 0) != 0) die("oracle harness: sigaltstack");
  struct sigaction action = {.sa_sigaction = signal_entry};
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM};
  for (unsigned i = 0; i < sizeof caught / sizeof *caught; i++) {
    if (sigaction(caught[i], &action, 0) != 0) die("oracle harness: sigaction");
  }
  struct itimerval tick = {{0, 20000}, {0, 20000}};
  setitimer(ITIMER_VIRTUAL, &tick, 0);
}

int main(int count, char **words) {
  if (count > 1) patience = strtol(words[1], 0, 10);
  if (!(getauxval(AT_HWCAP2) & 2)) {
    fprintf(stderr, "oracle harness: the host does not let programs use WRFSBASE\n");
    return 4;
  }
  static struct header header;
  read_all(&header, sizeof header);
  if (header.magic != MAGIC) {
    fprintf(stderr, "oracle harness: bad header\n");
    return 2;
  }

  int memory = memfd_create("oracle", 0);
  if (memory < 0 || ftruncate(memory, (CODE_PAGES + 1) * PAGE) != 0) die("oracle harness: memfd");
  uint8_t *code = mmap(0, (CODE_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (code == MAP_FAILED) die("oracle harness: mmap");
  uint8_t *data = (uint8_t *)DATA_ADDRESS;
  map(CODE_ADDRESS, CODE_PAGES * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, memory, 0);
  map(DATA_ADDRESS, WRITABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  map(DATA_ADDRESS + WRITABLE_BYTES, PAGE, PROT_READ, MAP_SHARED, memory, CODE_PAGES * PAGE);
  map(EXIT_ADDRESS, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy((void *)EXIT_ADDRESS, trampoline, trampoline_end - trampoline);
  if (mprotect((void *)EXIT_ADDRESS, PAGE, PROT_READ | PROT_EXEC) != 0) die("oracle harness: mprotect");
  /* 32-bit code ends by a far jump to 64-bit code here, which goes on to the exit stub. */
  map(EXIT32_ADDRESS, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uint64_t exit_address = EXIT_ADDRESS;
  memcpy((void *)EXIT32_ADDRESS, "\xff\x25\0\0\0\0", 6);
  memcpy((void *)(EXIT32_ADDRESS + 6), &exit_address, 8);
  if (mprotect((void *)EXIT32_ADDRESS, PAGE, PROT_READ | PROT_EXEC) != 0) die("oracle harness: mprotect");
  memset(code, 0xcc, CODE_PAGES * PAGE);
  memcpy(data, header.data, WRITABLE_BYTES);
  memcpy(code + CODE_PAGES * PAGE, header.data + WRITABLE_BYTES, PAGE);

  uint64_t fs_base;
  __asm__ volatile("rdfsbase %0" : "=r"(fs_base));
  BLOCK->host_fs = fs_base;
  __builtin_cpu_init();
  BLOCK->has_avx = __builtin_cpu_supports("avx") != 0;
  const int has_pkru = has_protection_keys();
  catch_signals();
  void (*enter)(void) = (void (*)(void))(EXIT_ADDRESS + (uintptr_t)(trampoline_enter - trampoline));

  static struct change changes[WRITABLE_BYTES / 8];
  static struct input input;
  const uint64_t *before = (const uint64_t *)header.data;
  uint64_t *now = (uint64_t *)data;
  setvbuf(stdin, 0, _IOFBF, 1 << 16);
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  for (uint32_t n = 0; n < header.count; n++) {
    read_all(&input, sizeof input);
    if (input.code_length > sizeof input.code || input.patch_count > 6 ||
        input.code_address - CODE_ADDRESS + input.code_length > CODE_PAGES * PAGE) {
      fprintf(stderr, "oracle harness: case %u is malformed\n", n);
      return 2;
    }
    uint8_t *code_here = code + (input.code_address - CODE_ADDRESS);
    memcpy(code_here, input.code, input.code_length);
    for (uint32_t i = 0; i < input.patch_count; i++) {
      const struct patch *patch = &input.patches[i];
      if (patch->offset + patch->length > WRITABLE_BYTES || patch->length > 32) return 2;
      memcpy(data + patch->offset, patch->bytes, patch->length);
    }
    to_block(&input.state, input.bits);
    current_case = n;
    result.outcome = OUTCOME_END;
    result.error = 0;
    result.cr2 = 0;
    if (has_pkru) open_protection_keys();
    in_guest = 1;
    __asm__ volatile("" ::: "memory");
    enter();
    __asm__ volatile("" ::: "memory");
    in_guest = 0;
    if (result.outcome == OUTCOME_END) from_block(&result.state);

    uint32_t changed = 0;
    for (uint32_t page = 0; page < WRITABLE_BYTES / 8; page += 64) {
      if (memcmp(now + page, before + page, 512) == 0) continue;
      for (uint32_t i = page; i < page + 64; i++) {
        if (now[i] == before[i]) continue;
        changes[changed++] = (struct change){i * 8, 0, now[i]};
        now[i] = before[i];
      }
    }
    result.change_count = changed;
    fwrite(&result, sizeof result, 1, stdout);
    fwrite(changes, sizeof *changes, changed, stdout);
    memset(code_here, 0xcc, input.code_length);
  }
  fflush(stdout);
  return 0;
}
