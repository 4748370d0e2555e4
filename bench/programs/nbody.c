/* Scalar floating point: bodies that attract each other, in steps of fixed length. */
#include <math.h>
#include <string.h>
#include "bench.h"

enum { BODIES = 8 };
static double place[BODIES][3], speed[BODIES][3], mass[BODIES];

int main(int argc, char **argv) {
  long steps = bench_scale(argc, argv, 500000);
  for (int i = 0; i < BODIES; i++) {
    mass[i] = 1 + bench_random() % 100 / 100.0;
    for (int axis = 0; axis < 3; axis++) place[i][axis] = bench_random() % 10000 / 100.0;
  }
  for (long step = 0; step < steps; step++) {
    for (int i = 0; i < BODIES; i++)
      for (int j = i + 1; j < BODIES; j++) {
        double x = place[i][0] - place[j][0], y = place[i][1] - place[j][1], z = place[i][2] - place[j][2];
        double square = x * x + y * y + z * z + 0.01;
        double force = 0.001 / (square * sqrt(square));
        speed[i][0] -= x * force * mass[j], speed[j][0] += x * force * mass[i];
        speed[i][1] -= y * force * mass[j], speed[j][1] += y * force * mass[i];
        speed[i][2] -= z * force * mass[j], speed[j][2] += z * force * mass[i];
      }
    for (int i = 0; i < BODIES; i++)
      for (int axis = 0; axis < 3; axis++) place[i][axis] += 0.001 * speed[i][axis];
  }
  uint64_t sum = 0, bits;
  for (int i = 0; i < BODIES; i++) memcpy(&bits, &place[i][0], sizeof bits), sum ^= bits;
  return bench_result(sum);
}
