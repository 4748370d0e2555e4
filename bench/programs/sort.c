/* Sorting: quicksort that compares through a function pointer, and heapsort. */
#include "bench.h"

typedef int (*Compare)(const void *, const void *);
static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}
static int by_low_bits(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left & 0xffff, b = *(const uint32_t *)right & 0xffff;
  return a < b ? -1 : a > b;
}

static void quicksort(uint32_t *items, long count, Compare compare) {
  while (count > 1) {
    uint32_t pivot = items[count / 2];
    long i = 0, j = count - 1;
    while (i <= j) {
      while (compare(&items[i], &pivot) < 0) i++;
      while (compare(&items[j], &pivot) > 0) j--;
      if (i <= j) {
        uint32_t swap = items[i];
        items[i++] = items[j];
        items[j--] = swap;
      }
    }
    quicksort(items, j + 1, compare);
    items += i;
    count -= i;
  }
}

static void sift(uint32_t *items, long root, long count) {
  uint32_t value = items[root];
  for (long child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && items[child + 1] > items[child]) child++;
    if (items[child] <= value) break;
    items[root] = items[child];
  }
  items[root] = value;
}

static void heapsort_(uint32_t *items, long count) {
  for (long i = count / 2; i-- > 0;) sift(items, i, count);
  for (long i = count; --i > 0;) {
    uint32_t largest = items[0];
    items[0] = items[i];
    items[i] = largest;
    sift(items, 0, i);
  }
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 2), count = 200000;
  uint32_t *items = malloc(count * sizeof *items);
  Compare volatile compares[] = {ascending, by_low_bits};
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) {
    for (long i = 0; i < count; i++) items[i] = bench_random();
    quicksort(items, count, compares[round % 2]);
    for (long i = 0; i < count; i += 97) sum = sum * 31 + (items[i] & 0xffff);
    for (long i = 0; i < count; i++) items[i] ^= bench_random();
    heapsort_(items, count);
    for (long i = 0; i < count; i += 97) sum = sum * 31 + items[i];
  }
  return bench_result(sum);
}
