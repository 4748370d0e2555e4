/* Loops that a compiler turns into vector code, each with a checksum of its results. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 1031

static uint64_t seed = 88172645463325252u;
static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static void report(const char *name, const void *data, size_t bytes) {
  const unsigned char *at = data;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 1099511628211u;
  printf("%-24s %016llx\n", name, (unsigned long long)hash);
}
#define REPORT(array) report(#array, array, sizeof(array))

static uint8_t bytes_a[N], bytes_b[N], bytes_sum[N], bytes_max[N], bytes_average[N];
static int16_t words_a[N], words_b[N], words_product[N], words_high[N], words_saturated[N];
static int32_t ints_a[N], ints_b[N], ints_mixed[N], ints_shifted[N], ints_gathered[N], ints_prefix[N];
static int64_t longs_a[N], longs_b[N], longs_mixed[N], longs_gathered[N];
static float floats_a[N], floats_b[N], floats_fused[N], floats_gathered[N], floats_selected[N];
static double doubles_a[N], doubles_b[N], doubles_fused[N], doubles_gathered[N], doubles_root[N];
static int32_t converted_ints[N];
static float converted_floats[N];
static double converted_doubles[N], matrix_a[48][48], matrix_b[48][48], matrix_product[48][48];
static uint32_t counts_ones[N], counts_leading[N], counts_trailing[N], swapped[N];
static uint8_t histogram[256];

static void fill(void) {
  for (int i = 0; i < N; i++) {
    uint64_t bits = next();
    bytes_a[i] = bits;
    bytes_b[i] = bits >> 8;
    words_a[i] = bits >> 16;
    words_b[i] = bits >> 32;
    ints_a[i] = bits >> 13;
    ints_b[i] = next();
    longs_a[i] = next();
    longs_b[i] = next();
    floats_a[i] = (float)(int32_t)bits / 65536.0f;
    floats_b[i] = (float)(int16_t)(bits >> 40) / 3.0f;
    doubles_a[i] = (double)(int64_t)next() / 4294967296.0;
    doubles_b[i] = (double)(int32_t)next() / 7.0;
  }
  for (int i = 0; i < 48; i++)
    for (int j = 0; j < 48; j++) {
      matrix_a[i][j] = doubles_a[(i * 48 + j) % N] / 1e6;
      matrix_b[i][j] = doubles_b[(i * 31 + j) % N] / 1e6;
    }
}

static void narrow(void) {
  for (int i = 0; i < N; i++) bytes_sum[i] = bytes_a[i] + bytes_b[i];
  for (int i = 0; i < N; i++) bytes_max[i] = bytes_a[i] > bytes_b[i] ? bytes_a[i] : bytes_b[i];
  for (int i = 0; i < N; i++) bytes_average[i] = (bytes_a[i] + bytes_b[i] + 1) >> 1;
  for (int i = 0; i < N; i++) words_product[i] = words_a[i] * words_b[i];
  for (int i = 0; i < N; i++) words_high[i] = (words_a[i] * words_b[i]) >> 16;
  for (int i = 0; i < N; i++) {
    int sum = words_a[i] + words_b[i];
    words_saturated[i] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum;
  }
  for (int i = 0; i < N; i++) histogram[bytes_a[i]]++;
}

static void wide(void) {
  for (int i = 0; i < N; i++) ints_mixed[i] = (ints_a[i] * ints_b[i]) ^ (ints_a[i] & ~ints_b[i]);
  for (int i = 0; i < N; i++) ints_shifted[i] = (ints_a[i] << (ints_b[i] & 31)) + (ints_a[i] >> (ints_b[i] & 15));
  for (int i = 0; i < N; i++) ints_gathered[i] = ints_a[(uint32_t)ints_b[i] % N];
  for (int i = 0; i < N; i++) longs_mixed[i] = (longs_a[i] * longs_b[i]) + ((uint64_t)longs_a[i] >> (longs_b[i] & 63));
  for (int i = 0; i < N; i++) longs_gathered[i] = longs_a[bytes_a[i] * 4 + (ints_a[i] & 3)];
  int32_t sum = 0;
  for (int i = 0; i < N; i++) ints_prefix[i] = sum += ints_a[i];
  for (int i = 0; i < N; i++) counts_ones[i] = __builtin_popcount(ints_a[i]);
  for (int i = 0; i < N; i++) counts_leading[i] = ints_a[i] ? __builtin_clz(ints_a[i]) : 32;
  for (int i = 0; i < N; i++) counts_trailing[i] = ints_a[i] ? __builtin_ctz(ints_a[i]) : 32;
  for (int i = 0; i < N; i++) swapped[i] = __builtin_bswap32(ints_a[i]);
}

static void real(void) {
  for (int i = 0; i < N; i++) floats_fused[i] = floats_a[i] * floats_b[i] + floats_a[(i + 1) % N];
  for (int i = 0; i < N; i++) floats_gathered[i] = floats_a[bytes_a[i]] - floats_b[bytes_b[i]];
  for (int i = 0; i < N; i++) floats_selected[i] = floats_a[i] > floats_b[i] ? floats_a[i] : 2 * floats_b[i];
  for (int i = 0; i < N; i++) doubles_fused[i] = doubles_a[i] - doubles_b[i] * doubles_b[(i + 5) % N];
  for (int i = 0; i < N; i++) doubles_gathered[i] = doubles_a[(uint16_t)words_a[i] % N];
  for (int i = 0; i < N; i++) doubles_root[i] = __builtin_sqrt(__builtin_fabs(doubles_a[i])) / (doubles_b[i] + 0.5);
  for (int i = 0; i < N; i++) converted_ints[i] = (int32_t)(floats_a[i] * 0.25f);
  for (int i = 0; i < N; i++) converted_floats[i] = (float)doubles_a[i] + (float)ints_a[i];
  for (int i = 0; i < N; i++) converted_doubles[i] = (double)longs_a[i] + (double)floats_a[i];
  for (int i = 0; i < 48; i++)
    for (int j = 0; j < 48; j++)
      for (int k = 0; k < 48; k++) matrix_product[i][j] += matrix_a[i][k] * matrix_b[k][j];
}

int main(void) {
  fill();
  for (int round = 0; round < 8; round++) {
    narrow();
    wide();
    real();
    for (int i = 0; i < N; i++) ints_b[i] += ints_mixed[(i * 7) % N] >> 3;
  }
  REPORT(bytes_sum);
  REPORT(bytes_max);
  REPORT(bytes_average);
  REPORT(words_product);
  REPORT(words_high);
  REPORT(words_saturated);
  REPORT(histogram);
  REPORT(ints_mixed);
  REPORT(ints_shifted);
  REPORT(ints_gathered);
  REPORT(ints_prefix);
  REPORT(longs_mixed);
  REPORT(longs_gathered);
  REPORT(counts_ones);
  REPORT(counts_leading);
  REPORT(counts_trailing);
  REPORT(swapped);
  REPORT(floats_fused);
  REPORT(floats_gathered);
  REPORT(floats_selected);
  REPORT(doubles_fused);
  REPORT(doubles_gathered);
  REPORT(doubles_root);
  REPORT(converted_ints);
  REPORT(converted_floats);
  REPORT(converted_doubles);
  REPORT(matrix_product);
  return 0;
}
