/* Code that changes: writes small functions, runs each some times, and writes the next over it. */
#include <string.h>
#include <sys/mman.h>
#include "bench.h"

typedef uint32_t (*Function)(uint32_t);

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 60000);
  unsigned char *page =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  /* mov eax, edi; add eax, imm32; rol eax, imm8; xor eax, imm32; ret */
  static const unsigned char template[] = {0x89, 0xf8, 0x05, 0, 0, 0, 0, 0xc1, 0xc0, 3, 0x35, 0, 0, 0, 0, 0xc3};
  uint32_t value = 1;
  for (long round = 0; round < rounds; round++) {
    unsigned char *code = page + round % 32 * 64;
    uint32_t constants[2] = {bench_random(), bench_random()};
    memcpy(code, template, sizeof template);
    memcpy(code + 3, &constants[0], 4);
    memcpy(code + 11, &constants[1], 4);
    code[9] = (unsigned char)(round % 31);
    Function function = (Function)(void *)code;
    for (int i = 0; i < 20; i++) value = function(value);
  }
  return bench_result(value);
}
