/* Memory streaming: copy, fill and a triad over buffers that no cache holds. */
#include <string.h>
#include "bench.h"

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 40), count = 1 << 20;
  double *a = malloc(count * 8), *b = malloc(count * 8), *c = malloc(count * 8);
  for (long i = 0; i < count; i++) a[i] = (double)i, b[i] = 2, c[i] = 0;
  for (long round = 0; round < rounds; round++) {
    memcpy(c, a, count * 8);
    for (long i = 0; i < count; i++) c[i] += 3.0 * b[i];
    memset(b, (int)round & 1, count * 8);
    for (long i = 0; i < count; i += 8) a[i] = c[count - 1 - i];
  }
  uint64_t sum = 0, bits;
  for (long i = 0; i < count; i += 1021) memcpy(&bits, &c[i], 8), sum = sum * 31 + bits;
  return bench_result(sum);
}
