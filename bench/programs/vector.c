/* Vectors: SSE2 intrinsics on four floats, two doubles and sixteen bytes at a time. */
#include <emmintrin.h>
#include <string.h>
#include "bench.h"

enum { COUNT = 4096 };
static float left[COUNT] __attribute__((aligned(16))), right[COUNT] __attribute__((aligned(16)));
static double large[COUNT] __attribute__((aligned(16)));
static unsigned char bytes[4 * COUNT] __attribute__((aligned(16)));

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 18000);
  for (int i = 0; i < COUNT; i++) left[i] = right[i] = (float)(bench_random() % 1000), large[i] = left[i];
  for (int i = 0; i < 4 * COUNT; i++) bytes[i] = bench_random() >> 24;
  __m128i total = _mm_setzero_si128();
  for (long round = 0; round < rounds; round++) {
    __m128 factor = _mm_set1_ps(1.0f / (float)(2 + round % 3));
    for (int i = 0; i < COUNT; i += 4) {
      __m128 value = _mm_add_ps(_mm_mul_ps(_mm_load_ps(left + i), factor), _mm_load_ps(right + i));
      _mm_store_ps(left + i, _mm_min_ps(value, _mm_set1_ps(1000)));
    }
    for (int i = 0; i < COUNT; i += 2) {
      __m128d value = _mm_mul_pd(_mm_load_pd(large + i), _mm_set1_pd(0.5));
      _mm_store_pd(large + i, _mm_add_pd(value, _mm_cvtps_pd(_mm_loadl_pi(_mm_setzero_ps(), (__m64 *)(left + i)))));
    }
    for (int i = 0; i < 4 * COUNT; i += 16) {
      __m128i value = _mm_load_si128((__m128i *)(bytes + i));
      __m128i even = _mm_and_si128(value, _mm_set1_epi16(0xff));
      total = _mm_add_epi32(total, _mm_madd_epi16(even, _mm_set1_epi16((short)(round % 5))));
      total = _mm_xor_si128(total, _mm_sad_epu8(value, _mm_avg_epu8(value, total)));
      total = _mm_shuffle_epi32(total, 0x39);
    }
  }
  uint64_t sums[2], bits;
  _mm_storeu_si128((__m128i *)sums, total);
  memcpy(&bits, &large[COUNT / 2], sizeof bits);
  return bench_result(sums[0] ^ sums[1] ^ bits);
}
