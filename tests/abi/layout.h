/* How layout_test.c reports. */
#include <stddef.h>
#include <stdio.h>

static int failed;

static int check_member(const char *name, size_t is, size_t expected) {
  if (is != expected) {
    fprintf(stderr, "%s: %zu, and not %zu\n", name, is, expected);
    ++failed;
  }
  return 1;
}

static int checks_failed(int checks) {
  printf("%d checks, %d failed\n", checks, failed);
  return failed > 0;
}
