/* Pipes: two processes that hand a word to and fro. */
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

int main(int argc, char **argv) {
  long count = bench_scale(argc, argv, 10000);
  int there[2], back[2];
  if (pipe(there) || pipe(back)) return 1;
  uint32_t word = 0;
  if (fork() == 0) {
    close(there[1]);
    while (read(there[0], &word, sizeof word) == sizeof word) {
      word = word * 5 + 1;
      if (write(back[1], &word, sizeof word) != sizeof word) return 1;
    }
    return 0;
  }
  close(there[0]);
  for (long i = 0; i < count; i++) {
    if (write(there[1], &word, sizeof word) != sizeof word) return 1;
    if (read(back[0], &word, sizeof word) != sizeof word) return 1;
  }
  close(there[1]);
  wait(NULL);
  return bench_result(word);
}
