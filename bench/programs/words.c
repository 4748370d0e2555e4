/* Text: counts words in a hash table of linked lists, with malloc, strcmp and memcpy. */
#include <string.h>
#include "bench.h"

struct word {
  struct word *next;
  int count;
  char text[];
};
enum { BUCKETS = 4096 };

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 50);
  static char text[1 << 19];
  for (size_t at = 0; at + 16 < sizeof text;) {
    /* Some words are frequent, as in a language. */
    uint32_t number = bench_random() % 64 ? bench_random() % 500 : bench_random() % 20000;
    at += (size_t)sprintf(text + at, "%x%c", number * 2654435761u >> 8, bench_random() % 9 ? ' ' : '\n');
  }
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) {
    struct word *buckets[BUCKETS] = {0};
    for (const char *at = text; *at;) {
      size_t length = strcspn(at, " \n");
      uint32_t hash = 5381;
      for (size_t i = 0; i < length; i++) hash = hash * 33 ^ (unsigned char)at[i];
      struct word **place = &buckets[hash % BUCKETS];
      while (*place && (strncmp((*place)->text, at, length) || (*place)->text[length])) place = &(*place)->next;
      if (!*place) {
        *place = calloc(1, sizeof **place + length + 1);
        memcpy((*place)->text, at, length);
      }
      (*place)->count++;
      at += length + (at[length] != 0);
    }
    for (int i = 0; i < BUCKETS; i++)
      for (struct word *word = buckets[i], *next; word; word = next) {
        next = word->next;
        sum = sum * 31 + (uint64_t)word->count + strlen(word->text);
        free(word);
      }
  }
  return bench_result(sum);
}
