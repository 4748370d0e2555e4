/* What the benchmark programs share: a scale from the command line, random numbers, a checksum. */
#ifndef BENCH_H
#define BENCH_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* How much to do: the first argument, or `otherwise`. */
static inline long bench_scale(int argc, char **argv, long otherwise) {
  return argc > 1 ? atol(argv[1]) : otherwise;
}

/* A linear congruential generator (Knuth's MMIX constants): the same numbers everywhere. */
static uint64_t bench_seed = 42;
static inline uint32_t bench_random(void) {
  bench_seed = bench_seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(bench_seed >> 32);
}

/* Prints what was computed, so that runs can be compared and nothing can be left out. */
static inline int bench_result(uint64_t sum) {
  printf("%016llx\n", (unsigned long long)sum);
  return 0;
}
#endif
