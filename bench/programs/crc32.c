/* Checksums: the CRC-32 of IEEE 802.3, a table and a byte at a time. */
#include "bench.h"

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 45), bytes = 1 << 20;
  static uint32_t table[256];
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
  }
  unsigned char *data = malloc(bytes);
  for (long i = 0; i < bytes; i++) data[i] = bench_random() >> 24;
  uint32_t crc = ~0u;
  for (long round = 0; round < rounds; round++)
    for (long i = 0; i < bytes; i++) crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
  return bench_result(~crc);
}
