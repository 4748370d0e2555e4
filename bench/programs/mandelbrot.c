/* Scalar floating point with branches: the Mandelbrot set. */
#include "bench.h"

int main(int argc, char **argv) {
  long size = bench_scale(argc, argv, 800), sum = 0;
  for (long row = 0; row < size; row++)
    for (long column = 0; column < size; column++) {
      double x0 = 3.0 * (double)column / (double)size - 2.2, y0 = 2.4 * (double)row / (double)size - 1.2;
      double x = 0, y = 0;
      int count = 0;
      while (count < 200 && x * x + y * y <= 4) {
        double next = x * x - y * y + x0;
        y = 2 * x * y + y0;
        x = next;
        count++;
      }
      sum = sum * 3 + count;
    }
  return bench_result((uint64_t)sum);
}
