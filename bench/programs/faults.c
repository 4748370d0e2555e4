/* Page faults: maps memory, touches each page once, unmaps it. */
#include <sys/mman.h>
#include "bench.h"

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 100), bytes = 2 << 20;
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) {
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return 1;
    madvise(map, bytes, MADV_NOHUGEPAGE);
    for (long i = 0; i < bytes; i += 4096) map[i] = (char)round, sum += (uint64_t)map[i];
    munmap(map, bytes);
  }
  return bench_result(sum);
}
