/* Integer loops: the sieve of Eratosthenes, again and again. */
#include <string.h>
#include "bench.h"

enum { LIMIT = 1 << 16 };
static unsigned char composite[LIMIT];

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 900);
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) {
    memset(composite, 0, sizeof composite);
    for (int i = 2; i * i < LIMIT; i++)
      if (!composite[i])
        for (int j = i * i; j < LIMIT; j += i) composite[j] = 1;
    for (int i = 2 + round % 7; i < LIMIT; i++) sum += composite[i] ? 0 : (uint64_t)i;
  }
  return bench_result(sum);
}
