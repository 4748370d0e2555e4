/* The x87: series in 80-bit floating point, with square roots. */
#include <string.h>
#include "bench.h"

int main(int argc, char **argv) {
  long count = bench_scale(argc, argv, 4000000);
  long double sum = 0, product = 1;
  for (long i = 1; i <= count; i++) {
    long double term = 1.0L / ((long double)i * i), root;
    __asm__("fsqrt" : "=t"(root) : "0"(term + 1));
    sum += term * root;
    product *= 1.0L + term;
  }
  uint64_t bits[2] = {0, 0};
  double rounded[2] = {(double)sum, (double)product};
  memcpy(bits, rounded, sizeof bits);
  return bench_result(bits[0] ^ bits[1]);
}
