/* An interpreter: a stack machine with a switch, which counts Collatz steps. */
#include "bench.h"

enum { PUSH, LOAD, STORE, ADD, MUL, SHIFT, ODD, LESS, JUMP, JUMP_IF, END };

static const int program[] = {
    /* start = 1; steps = 0 */
    PUSH, 1, STORE, 0, PUSH, 0, STORE, 2,
    /* 8: n = start */
    LOAD, 0, STORE, 1,
    /* 12: while 1 < n */
    PUSH, 1, LOAD, 1, LESS, JUMP_IF, 21, JUMP, 43,
    /* 21: steps = steps + 1; if odd n goto 34 */
    LOAD, 2, PUSH, 1, ADD, STORE, 2, LOAD, 1, ODD, JUMP_IF, 37,
    /* 33: n = n >> 1 */
    LOAD, 1, JUMP, 52,
    /* 37: n = 3 n + 1 */
    LOAD, 1, PUSH, 3, JUMP, 58,
    /* 43: start = start + 1; while start < limit */
    LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 66,
    /* 52: */
    SHIFT, STORE, 1, JUMP, 12, END,
    /* 58: */
    MUL, PUSH, 1, ADD, STORE, 1, JUMP, 12,
    /* 66: */
    LOAD, 0, LOAD, 3, LESS, JUMP_IF, 8, END,
};

int main(int argc, char **argv) {
  uint64_t stack[16], variables[4] = {0, 0, 0, (uint64_t)bench_scale(argc, argv, 50000)};
  uint64_t *top = stack;
  for (const int *at = program;;) {
    switch (*at++) {
      case PUSH: *top++ = (uint64_t)*at++; break;
      case LOAD: *top++ = variables[*at++]; break;
      case STORE: variables[*at++] = *--top; break;
      case ADD: top--; top[-1] += top[0]; break;
      case MUL: top--; top[-1] *= top[0]; break;
      case SHIFT: top[-1] >>= 1; break;
      case ODD: top[-1] &= 1; break;
      case LESS: top--; top[-1] = top[-1] < top[0]; break;
      case JUMP: at = program + *at; break;
      case JUMP_IF: at = *--top ? program + *at : at + 1; break;
      case END: return bench_result(variables[2]);
    }
  }
}
