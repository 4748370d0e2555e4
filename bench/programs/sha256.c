/* Hashing: SHA-256 (FIPS 180-4) of a buffer of pseudo-random bytes. */
#include <string.h>
#include "bench.h"

static uint32_t constants[64], state[8];

/* The first 32 bits of the fractional part of a root: what the constants are made of. */
static uint32_t fraction(double root) { return (uint32_t)((root - (double)(long)root) * 4294967296.0); }

static double root_of(double value, int degree) {
  double root = value;
  for (int i = 0; i < 200; i++)
    root = degree == 2 ? (root + value / root) / 2 : (2 * root + value / (root * root)) / 3;
  return root;
}

static void make_constants(void) {
  for (int number = 2, count = 0; count < 64; number++) {
    int is_prime = 1;
    for (int i = 2; i * i <= number; i++) is_prime &= number % i != 0;
    if (!is_prime) continue;
    if (count < 8) state[count] = fraction(root_of(number, 2));
    constants[count++] = fraction(root_of(number, 3));
  }
}

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void hash_block(const unsigned char *block) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (ROTATE(a, 7) ^ ROTATE(a, 18) ^ a >> 3) + w[i - 7] +
           (ROTATE(b, 17) ^ ROTATE(b, 19) ^ b >> 10);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t e = s[4], a = s[0];
    uint32_t first = s[7] + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) +
                     ((e & s[5]) ^ (~e & s[6])) + constants[i] + w[i];
    uint32_t second = (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + second;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 200), bytes = 1 << 16;
  unsigned char *data = malloc(bytes);
  for (long i = 0; i < bytes; i++) data[i] = bench_random() >> 24;
  make_constants();
  for (long round = 0; round < rounds; round++)
    for (long i = 0; i < bytes; i += 64) hash_block(data + i);
  return bench_result((uint64_t)state[0] << 32 | state[7]);
}
