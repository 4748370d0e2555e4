/* What the benchmark programs take from the C library, on the bare machine. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, ROOM = 0x20 };

static inline uint8_t in(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void out(uint16_t port, uint8_t value) {
  __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

void print(const char *text) {
  for (; *text; text++) {
    while (!(in(LINE_STATUS) & ROOM)) {
    }
    out(COM1, (uint8_t)*text);
  }
}

/* The only format in use: 16 hexadecimal digits and a newline. */
int printf(const char *format, ...) {
  (void)format;
  va_list arguments;
  va_start(arguments, format);
  unsigned long long value = va_arg(arguments, unsigned long long);
  va_end(arguments);
  char text[18];
  for (int i = 0; i < 16; i++) text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
  text[16] = '\n';
  text[17] = 0;
  print(text);
  return 17;
}

extern char _end[];
static char *next = _end;

void *malloc(size_t bytes) {
  char *place = (char *)(((uintptr_t)next + 15) & ~(uintptr_t)15);
  next = place + bytes;
  return place;
}

void free(void *place) { (void)place; }

void *memset(void *to, int value, size_t bytes) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return start;
}

void *memcpy(void *to, const void *from, size_t bytes) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
  return start;
}

void *memmove(void *to, const void *from, size_t bytes) {
  unsigned char *target = to;
  const unsigned char *source = from;
  if (target <= source) return memcpy(to, from, bytes);
  while (bytes-- > 0) target[bytes] = source[bytes];
  return to;
}

long atol(const char *text) {
  long value = 0;
  for (; *text >= '0' && *text <= '9'; text++) value = 10 * value + *text - '0';
  return value;
}
