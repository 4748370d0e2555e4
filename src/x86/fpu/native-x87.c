/*
 * Runs x87 instructions on the host's own processor. Reads cases from standard input and writes one
 * result a case to standard output; layouts as in native-x87.fixture.ts.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct input {
  uint8_t code[8];
  uint8_t memory[16];
  uint16_t control, status, tags, unused;
  uint8_t stack[128];
  uint64_t flags;
};

struct output {
  uint8_t memory[16];
  uint16_t control, status, tags, unused;
  uint8_t stack[128];
  uint64_t flags;
};

static uint8_t before[512] __attribute__((aligned(64)));
static uint8_t after[512] __attribute__((aligned(64)));

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 2;
  struct input in;
  struct output out;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memcpy(code, in.code, 8);
    code[8] = 0xc3;
    memset(&out, 0, sizeof out);
    memcpy(out.memory, in.memory, 16);
    memset(before, 0, sizeof before);
    memcpy(before, &in.control, 2);
    memcpy(before + 2, &in.status, 2);
    before[4] = (uint8_t)in.tags;
    before[24] = 0x80;
    before[25] = 0x1f;
    memcpy(before + 32, in.stack, 128);
    uint64_t flags = in.flags;
    __asm__ volatile(
        "fxrstor64 (%[before])\n\t"
        "pushq %[flags]\n\tpopfq\n\t"
        "call *%[code]\n\t"
        "pushfq\n\tpopq %[flags]\n\t"
        "fxsave64 (%[after])\n\t"
        "fninit\n\tcld\n\t"
        : [flags] "+r"(flags)
        : [before] "r"(before), [after] "r"(after), [code] "r"(code), "S"(out.memory)
        : "memory", "cc", "rax");
    memcpy(&out.control, after, 2);
    memcpy(&out.status, after + 2, 2);
    out.tags = after[4];
    memcpy(out.stack, after + 32, 128);
    out.flags = flags;
    if (fwrite(&out, sizeof out, 1, stdout) != 1) return 3;
  }
  return 0;
}
