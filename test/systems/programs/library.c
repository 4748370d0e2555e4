/* What programs ask of a C library, which chooses its routines by what CPUID says. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t seed = 12345;
static uint32_t next(void) { return seed = seed * 1664525 + 1013904223; }

static int ascending(const void *a, const void *b) {
  return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static void strings(void) {
  static char one[70000], two[70000];
  unsigned long total = 0;
  for (int round = 0; round < 400; round++) {
    size_t from = next() % 300, to = next() % 300, length = next() % (round % 10 ? 400 : 60000);
    memset(one + from, 'a' + round % 26, length);
    one[from + length] = 0;
    memcpy(two + to, one + from, length + 1);
    if (length > 2) two[to + length / 2] = '#';
    memmove(two + to + 7, two + to, length);
    total = total * 31 + strlen(two + to) + strlen(one + from);
    char *found = memchr(two + to, '#', length + 7);
    total = total * 31 + (found ? (unsigned long)(found - two) : 1);
    found = strchr(one + from, 'e');
    total = total * 31 + (found ? (unsigned long)(found - one) : 1);
    found = strstr(two + to, "##");
    total = total * 31 + (found ? (unsigned long)(found - two) : 1);
    int order = memcmp(one + from, two + to, length);
    total = total * 31 + (order > 0) - (order < 0) + strspn(one + from, "abc");
    order = strcmp(one + from, two + to);
    total = total * 31 + (order > 0) - (order < 0) + strcspn(two + to, "#z");
  }
  printf("strings %08lx\n", total & 0xffffffff);
}

static void numbers(void) {
  static uint32_t values[5000];
  for (int i = 0; i < 5000; i++) values[i] = next();
  qsort(values, 5000, sizeof *values, ascending);
  uint32_t sum = 0;
  for (int i = 0; i < 5000; i++) sum = sum * 33 + values[i];
  printf("sorted %08x\n", sum);
  double x = 0.1, total = 0;
  for (int i = 0; i < 300; i++, x += 0.37) {
    total += sqrt(x) + floor(x * 3) - ceil(x / 3) + rint(x * 7.5) + trunc(-x) + fmod(x * x, 1.7);
    total += sin(x) * cos(x) + exp(-x) + log(x) + pow(x, 1.25) + atan2(x, 3) + tanh(x) + cbrt(x);
  }
  printf("functions %.9g\n", total);
  long double wide = 1;
  for (int i = 1; i < 200; i++) wide = wide * 1.0000001L + 1.0L / i - sqrtl(i) / 3;
  printf("wide %.18Lg\n", wide);
  char text[64];
  uint32_t hash = 0;
  for (int i = 0; i < 300; i++) {
    double value = ldexp((double)(int32_t)next(), (int)(next() % 200) - 100);
    snprintf(text, sizeof text, "%.17g %a %.3f", value, value, fmod(value, 1e6));
    if (strtod(text, NULL) != value) printf("not the same: %s\n", text);
    for (char *at = text; *at; at++) hash = hash * 33 + *at;
  }
  printf("texts %08x\n", hash);
  printf("quotients %lld %llu\n", -123456789012345678LL / 97531, 12345678901234567890ULL % 1000003);
}

int main(void) {
  strings();
  numbers();
  printf("%d bits, %ld-byte pages, time %s\n", (int)(8 * sizeof(void *)), sysconf(_SC_PAGESIZE),
         time(NULL) > 1000000000 ? "is there" : "is not there");
  return 0;
}
