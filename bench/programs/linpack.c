/* Linear algebra: Gaussian elimination with partial pivoting, and back substitution. */
#include <math.h>
#include <string.h>
#include "bench.h"

enum { N = 200 };
static double a[N][N + 1], x[N];

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 50);
  uint64_t sum = 0, bits;
  for (long round = 0; round < rounds; round++) {
    for (int i = 0; i < N; i++)
      for (int j = 0; j <= N; j++) a[i][j] = (double)(int32_t)bench_random() / 65536.0;
    for (int k = 0; k < N; k++) {
      int pivot = k;
      for (int i = k + 1; i < N; i++)
        if (fabs(a[i][k]) > fabs(a[pivot][k])) pivot = i;
      double row[N + 1];
      memcpy(row, a[pivot], sizeof row), memcpy(a[pivot], a[k], sizeof row), memcpy(a[k], row, sizeof row);
      for (int i = k + 1; i < N; i++) {
        double factor = a[i][k] / row[k];
        for (int j = k; j <= N; j++) a[i][j] -= factor * row[j];
      }
    }
    for (int i = N; i-- > 0;) {
      double rest = a[i][N];
      for (int j = i + 1; j < N; j++) rest -= a[i][j] * x[j];
      x[i] = rest / a[i][i];
    }
    memcpy(&bits, &x[round % N], sizeof bits);
    sum = sum * 31 ^ bits;
  }
  return bench_result(sum);
}
