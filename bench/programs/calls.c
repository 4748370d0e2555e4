/* Calls: Fibonacci numbers by recursion, and a walk over a tree by function pointers. */
#include "bench.h"

struct node {
  struct node *left, *right;
  uint64_t (*visit)(struct node *);
  uint64_t value;
};

__attribute__((noinline)) static uint64_t fibonacci(int n) {
  return n < 2 ? (uint64_t)n : fibonacci(n - 1) + fibonacci(n - 2);
}
static uint64_t leaf(struct node *node) { return node->value; }
static uint64_t both(struct node *node) {
  return node->value + node->left->visit(node->left) + node->right->visit(node->right);
}

static struct node *grow(int depth) {
  struct node *node = malloc(sizeof *node);
  node->value = bench_random();
  node->visit = depth == 0 ? leaf : both;
  node->left = depth == 0 ? NULL : grow(depth - 1);
  node->right = depth == 0 ? NULL : grow(depth - 1);
  return node;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 40);
  uint64_t sum = 0;
  struct node *tree = grow(12);
  for (long round = 0; round < rounds; round++) {
    sum += fibonacci(27);
    for (int i = 0; i < 100; i++) sum += tree->visit(tree);
  }
  return bench_result(sum);
}
