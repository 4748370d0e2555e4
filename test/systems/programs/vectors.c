/* Vector instructions that no compiler chooses on its own, by their names. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static uint64_t hash = 14695981039346656037u;
static void add(const void *data, size_t bytes) {
  const unsigned char *at = data;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 1099511628211u;
}
static void show(const char *name) { printf("%-12s %016llx\n", name, (unsigned long long)hash); }
#define ADD(value)                                                                                 \
  do {                                                                                             \
    __typeof__(value) result = (value);                                                            \
    add(&result, sizeof result);                                                                   \
  } while (0)

static __m256i whole(void) { return _mm256_set_epi64x(next(), next(), next(), next()); }
static __m256 singles(void) { return _mm256_cvtepi32_ps(_mm256_srai_epi32(whole(), 5)); }
static __m256d doubles(void) { return _mm256_cvtepi32_pd(_mm256_castsi256_si128(whole())); }

static void integers(void) {
  __m256i a = whole(), b = whole(), index = _mm256_and_si256(whole(), _mm256_set1_epi32(127));
  static uint32_t table[512];
  for (int i = 0; i < 512; i++) table[i] = next();
  ADD(_mm256_shuffle_epi8(a, b));
  ADD(_mm256_permutevar8x32_epi32(a, b));
  ADD(_mm256_permute4x64_epi64(a, 0x6c));
  ADD(_mm256_permute2x128_si256(a, b, 0x21));
  ADD(_mm256_alignr_epi8(a, b, 5));
  ADD(_mm256_madd_epi16(a, b));
  ADD(_mm256_maddubs_epi16(a, b));
  ADD(_mm256_sad_epu8(a, b));
  ADD(_mm256_mpsadbw_epu8(a, b, 0x2b));
  ADD(_mm256_mulhrs_epi16(a, b));
  ADD(_mm256_packus_epi32(a, b));
  ADD(_mm256_sign_epi8(a, b));
  ADD(_mm256_blendv_epi8(a, b, index));
  ADD(_mm256_cmpgt_epi64(a, b));
  ADD(_mm256_sllv_epi32(a, index));
  ADD(_mm256_srav_epi32(a, index));
  ADD(_mm256_mul_epu32(a, b));
  ADD(_mm256_movemask_epi8(a));
  ADD(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(a)));
  ADD(_mm256_i32gather_epi32((const int *)table, index, 4));
  ADD(_mm256_mask_i32gather_epi32(a, (const int *)table, index, b, 4));
  ADD(_mm256_i64gather_epi64((const long long *)table, _mm256_and_si256(a, _mm256_set1_epi64x(255)), 4));
  ADD(_mm256_maskload_epi32((const int *)table + 3, b));
  _mm256_maskstore_epi64((long long *)table, b, a);
  add(table, 64);
}

static void reals(void) {
  __m256 a = singles(), b = singles(), c = singles();
  __m256d x = doubles(), y = doubles(), z = doubles();
  ADD(_mm256_fmadd_ps(a, b, c));
  ADD(_mm256_fnmsub_pd(x, y, z));
  ADD(_mm256_fmaddsub_ps(a, b, c));
  ADD(_mm_fmadd_sd(_mm256_castpd256_pd128(x), _mm256_castpd256_pd128(y), _mm256_castpd256_pd128(z)));
  ADD(_mm256_hadd_ps(a, b));
  ADD(_mm256_addsub_pd(x, y));
  ADD(_mm256_dp_ps(a, b, 0xf5));
  ADD(_mm256_round_pd(_mm256_div_pd(x, y), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
  ADD(_mm256_cmp_ps(a, b, _CMP_NGE_UQ));
  ADD(_mm256_sqrt_pd(_mm256_mul_pd(x, x)));
  ADD(_mm256_permutevar_ps(a, whole()));
  ADD(_mm256_blendv_pd(x, y, z));
  ADD(_mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)));
  ADD(_mm256_cvttpd_epi32(x));
  ADD(_mm256_cvtpd_ps(y));
  ADD(_mm256_movemask_ps(a));
  static double table[256];
  for (int i = 0; i < 256; i++) table[i] = (double)(int32_t)next();
  ADD(_mm256_i32gather_pd(table, _mm_set_epi32(3, 200, 255, 77), 8));
  ADD(_mm256_testz_ps(a, b));
}

static void bits(void) {
  uint64_t a = next(), b = next();
  unsigned long long high;
  ADD(_pext_u64(a, b));
  ADD(_pdep_u64(a, b));
  ADD(_mulx_u64(a, b, &high));
  ADD(high);
  ADD(_bzhi_u64(a, b & 63));
  ADD(_bextr_u64(a, 7, 23));
  ADD(_blsr_u64(a));
  ADD(_andn_u64(a, b));
  ADD(_lzcnt_u64(a >> (b & 63)));
  ADD(_tzcnt_u64(a << (b & 63)));
  ADD((a >> 13) | (a << 51));
}

int main(void) {
  for (int i = 0; i < 500; i++) integers();
  show("integers");
  for (int i = 0; i < 500; i++) reals();
  show("reals");
  for (int i = 0; i < 500; i++) bits();
  show("bits");
  return 0;
}
