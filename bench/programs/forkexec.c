/* fork and exec: starts itself as a child that ends at once, and waits for it. */
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

int main(int argc, char **argv) {
  if (argc > 2) return 7;
  long count = bench_scale(argc, argv, 200);
  uint64_t sum = 0;
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      execl(argv[0], argv[0], "0", "child", (char *)NULL);
      _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    sum += (uint64_t)WEXITSTATUS(status);
  }
  return bench_result(sum);
}
