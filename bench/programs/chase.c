/* Pointer chasing: a random cycle through 16 MiB, far beyond caches and translation buffers. */
#include "bench.h"

int main(int argc, char **argv) {
  long steps = bench_scale(argc, argv, 1000000), count = 1 << 18;
  struct cell { struct cell *next; uint64_t value; char rest[48]; } *cells = malloc(count * sizeof *cells);
  uint32_t *order = malloc(count * sizeof *order);
  for (long i = 0; i < count; i++) order[i] = (uint32_t)i;
  for (long i = count - 1; i > 0; i--) {
    long other = bench_random() % (i + 1);
    uint32_t swap = order[i];
    order[i] = order[other], order[other] = swap;
  }
  for (long i = 0; i < count; i++) {
    cells[order[i]].next = &cells[order[(i + 1) % count]];
    cells[order[i]].value = (uint64_t)i;
  }
  uint64_t sum = 0;
  struct cell *cell = cells;
  for (long step = 0; step < steps; step++) sum += cell->value, cell = cell->next;
  return bench_result(sum);
}
